// SPDX-License-Identifier: Apache-2.0
// A stand-in for gloo's header; see ../algorithm.h.
#pragma once

namespace gloo::transport {

class Device;
class UnboundBuffer;

}  // namespace gloo::transport
