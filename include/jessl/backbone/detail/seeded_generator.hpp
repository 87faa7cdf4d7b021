// SPDX-License-Identifier: Apache-2.0
// LibTorch's default CPU generator at a seed, for a while.
#pragma once

#include <cstdint>
#include <mutex>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/tensor.hpp>

namespace jessl::backbone::detail {

/// Seeds LibTorch's default CPU generator, and sets it to what it was at the end of its life. Another thread that draws meanwhile
/// draws from it, too.
class SeededGenerator {
 public:
  explicit SeededGenerator(std::uint64_t seed);
  SeededGenerator(const SeededGenerator&) = delete;
  SeededGenerator& operator=(const SeededGenerator&) = delete;
  ~SeededGenerator();

 private:
  at::Generator generator_;
  torch::Tensor before_;
};

}  // namespace jessl::backbone::detail

#if JESSL_DEFINITIONS
namespace jessl::backbone::detail {

JESSL_INLINE SeededGenerator::SeededGenerator(std::uint64_t seed) : generator_(at::detail::getDefaultCPUGenerator()) {
  const std::lock_guard lock(generator_.mutex());
  before_ = generator_.get_state();
  generator_.set_current_seed(seed);
}

JESSL_INLINE SeededGenerator::~SeededGenerator() {
  const std::lock_guard lock(generator_.mutex());
  generator_.set_state(before_);
}

}  // namespace jessl::backbone::detail
#endif
