// SPDX-License-Identifier: Apache-2.0
// Batch norm with what follows it in a residual network: the one place that chooses how it is computed.
#pragma once

#include <optional>

#include <jessl/backbone/detail/fused_batch_norm.hpp>
#include <jessl/core/batch_norm.hpp>
#include <jessl/core/detail/separate.hpp>
#include <jessl/core/tensor.hpp>

namespace jessl::backbone::detail {

/// norm(x), then + residual where there is one, then ReLU where `relu` says so.
[[nodiscard]] torch::Tensor normalise(BatchNorm2dImpl& norm, const torch::Tensor& x, bool relu,
                                      const std::optional<torch::Tensor>& residual = std::nullopt);

/// relu(norm(x)), or relu(norm(x) + residual).
[[nodiscard]] inline torch::Tensor normalise_relu(BatchNorm2dImpl& norm, const torch::Tensor& x,
                                                  const std::optional<torch::Tensor>& residual = std::nullopt) {
  return normalise(norm, x, /*relu=*/true, residual);
}

}  // namespace jessl::backbone::detail

#if JESSL_DEFINITIONS

namespace jessl::backbone::detail {

JESSL_INLINE torch::Tensor normalise(BatchNorm2dImpl& norm, const torch::Tensor& x, bool relu,
                                     const std::optional<torch::Tensor>& residual) {
  if (can_fuse(norm, x, residual)) return fused_batch_norm(norm, x, relu, residual);
  auto y = norm.forward(x);
  if (residual) y = y + *residual;
  return relu ? y.relu_() : y;
}

}  // namespace jessl::backbone::detail

#endif  // JESSL_DEFINITIONS
