// SPDX-License-Identifier: Apache-2.0
// A stand-in for gloo's header; see ../algorithm.h.
#pragma once

#include <chrono>
#include <string>
#include <vector>

// NOLINTBEGIN
namespace gloo::rendezvous {

class Store {
 public:
  virtual ~Store();
  virtual void set(const std::string& key, const std::vector<char>& data) = 0;
  virtual std::vector<char> get(const std::string& key) = 0;
  virtual void wait(const std::vector<std::string>& keys) = 0;
  virtual void wait(const std::vector<std::string>& keys, const std::chrono::milliseconds& timeout) = 0;
};

}  // namespace gloo::rendezvous
// NOLINTEND
