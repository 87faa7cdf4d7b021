// SPDX-License-Identifier: Apache-2.0
// Copies of some tensors, by which they can be put back to what they were.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/tensor.hpp>

namespace jessl {

/// Copies of some tensors, by which they can be put back to what they were.
///
/// The tensors are shared: one that its module replaces by another is not put back.
///
/// Shapes     none
/// Cost       a copy of each
/// Errors     none
/// Models     none
/// Source     none
class KeptBuffers {
 public:
  explicit KeptBuffers(std::vector<torch::Tensor> buffers);

  /// Makes the tensors what they were when this was made.
  void put_back();

 private:
  std::vector<torch::Tensor> buffers_;
  std::vector<torch::Tensor> copies_;
};

}  // namespace jessl

#if JESSL_DEFINITIONS

namespace jessl {

JESSL_INLINE KeptBuffers::KeptBuffers(std::vector<torch::Tensor> buffers) : buffers_(std::move(buffers)) {
  const torch::NoGradGuard no_gradient;
  for (const torch::Tensor& buffer : buffers_) copies_.push_back(buffer.clone());
}

JESSL_INLINE void KeptBuffers::put_back() {
  const torch::NoGradGuard no_gradient;
  for (std::size_t i = 0; i < buffers_.size(); ++i) buffers_[i].copy_(copies_[i]);
}

}  // namespace jessl

#endif  // JESSL_DEFINITIONS
