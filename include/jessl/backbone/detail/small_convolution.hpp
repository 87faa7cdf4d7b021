// SPDX-License-Identifier: Apache-2.0
// The 3x3 convolution of a map so small that every output sees every input: one matrix product.
#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include <jessl/core/tensor.hpp>

namespace jessl::backbone::detail {

/// Whether convolve_small() can take this call: a 3x3 convolution with stride and padding 1 and without bias of a
/// float32 map of at most 2x2 on a CPU.
[[nodiscard]] inline bool can_convolve_small(const torch::nn::Conv2dImpl& convolution, const torch::Tensor& x) {
  const auto is = [](torch::IntArrayRef values, std::int64_t value) {
    return values[0] == value && values[1] == value;
  };
  const auto* const padding = std::get_if<torch::ExpandingArray<2>>(&convolution.options.padding());
  return x.is_cpu() && x.dim() == 4 && x.size(2) <= 2 && x.size(3) <= 2 && x.scalar_type() == torch::kFloat32 &&
         convolution.weight.scalar_type() == torch::kFloat32 && !convolution.bias.defined() &&
         is(convolution.options.kernel_size(), 3) && is(convolution.options.stride(), 1) &&
         is(convolution.options.dilation(), 1) && convolution.options.groups() == 1 && padding != nullptr &&
         is(*padding, 1);
}

/// convolution(x) for x [N, C, H, W], H and W at most 2. At least five of the nine taps of each output lie in the padding;
/// the others make a dense map from the pixels [N, H W C] to [N, H W C'], with no more arithmetic than needed and at the
/// speed of a matrix product (docs/benchmarks.md). The map is built anew in each call.
[[nodiscard]] inline torch::Tensor convolve_small(const torch::nn::Conv2dImpl& convolution, const torch::Tensor& x) {
  const std::int64_t height = x.size(2);
  const std::int64_t width = x.size(3);
  const std::int64_t pixels = height * width;
  const std::int64_t in = x.size(1);
  const std::int64_t out = convolution.weight.size(0);
  std::vector<std::int64_t> taps;  // of input pixel i and output pixel o, at i * pixels + o
  for (std::int64_t i = 0; i < pixels; ++i) {
    for (std::int64_t o = 0; o < pixels; ++o) {
      taps.push_back(3 * (i / width - o / width + 1) + i % width - o % width + 1);
    }
  }
  const torch::Tensor map = convolution.weight.permute({2, 3, 1, 0})
                                .reshape({9, in, out})
                                .index_select(0, torch::tensor(taps))
                                .view({pixels, pixels, in, out})
                                .transpose(1, 2)
                                .reshape({pixels * in, pixels * out});
  return torch::mm(x.permute({0, 2, 3, 1}).reshape({-1, pixels * in}), map)  // [N, H W C']
      .view({-1, height, width, out})
      .permute({0, 3, 1, 2});  // [N, C', H, W], channels last
}

/// convolution(x), by one product where it can.
[[nodiscard]] inline torch::Tensor convolve(torch::nn::Conv2d& convolution, const torch::Tensor& x) {
  return can_convolve_small(*convolution, x) ? convolve_small(*convolution, x) : convolution->forward(x);
}

}  // namespace jessl::backbone::detail
