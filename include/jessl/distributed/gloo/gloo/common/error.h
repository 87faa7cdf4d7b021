// SPDX-License-Identifier: Apache-2.0
// A stand-in for gloo's header; see ../algorithm.h.
#pragma once
