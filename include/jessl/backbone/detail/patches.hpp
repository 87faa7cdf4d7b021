// SPDX-License-Identifier: Apache-2.0
// Convolutions whose stride is their kernel, which cut a map into patches.
#pragma once

#include <cstdint>

#include <jessl/core/autocast.hpp>
#include <jessl/core/detail/separate.hpp>
#include <jessl/core/tensor.hpp>

namespace jessl::backbone::detail {

/// A convolution with bias, without padding, whose stride is its kernel: [N, C, H, W] -> [N, C', H / side, W / side].
///
/// On a CPU it is a product of the patches and the weights in bfloat16 and for one channel: the gradient of LibTorch's convolution
/// takes several times as long there. Everything else is LibTorch's.
[[nodiscard]] torch::Tensor convolve_patches(torch::nn::Conv2dImpl& convolution, const torch::Tensor& input);

}  // namespace jessl::backbone::detail

#if JESSL_DEFINITIONS
namespace jessl::backbone::detail {

JESSL_INLINE torch::Tensor convolve_patches(torch::nn::Conv2dImpl& convolution, const torch::Tensor& input) {
  if (!input.is_cpu()) return convolution.forward(input);
  const torch::Tensor x = input.to(product_type(input));
  if (x.scalar_type() != torch::kBFloat16 && x.size(1) != 1) return convolution.forward(x);
  const torch::Tensor& weight = convolution.weight;
  const std::int64_t side = weight.size(2);
  const std::int64_t rows = x.size(2) / side;
  const std::int64_t columns = x.size(3) / side;
  const std::int64_t out = weight.size(0);
  const torch::Tensor patches = x.narrow(2, 0, rows * side)
                                    .narrow(3, 0, columns * side)
                                    .unflatten(2, {rows, side})
                                    .unflatten(4, {columns, side})      // [N, C, rows, side, columns, side]
                                    .permute({0, 2, 4, 3, 5, 1})        // [N, rows, columns, side, side, C]
                                    .reshape({-1, weight[0].numel()});  // [N rows columns, side side C]
  const torch::Tensor matrix = weight.permute({0, 2, 3, 1}).reshape({out, -1}).to(x.scalar_type());
  return at::linear(patches, matrix, convolution.bias.to(x.scalar_type()))
      .view({x.size(0), rows, columns, out})
      .permute({0, 3, 1, 2});  // channels last
}

}  // namespace jessl::backbone::detail
#endif
