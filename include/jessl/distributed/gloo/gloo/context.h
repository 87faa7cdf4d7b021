// SPDX-License-Identifier: Apache-2.0
// A stand-in for gloo's header; see algorithm.h.
#pragma once

#include <chrono>

namespace gloo {

class Context {
 public:
  virtual ~Context();
  void setTimeout(std::chrono::milliseconds timeout);
};

}  // namespace gloo
