// SPDX-License-Identifier: Apache-2.0
// Convolutions that are one matrix product: 1x1 ones, and 3x3 ones of a map so small that every output sees every input.
#pragma once

#include <algorithm>
#include <cstdint>
#include <variant>
#include <vector>

#include <jessl/core/tensor.hpp>

namespace jessl::backbone::detail {

[[nodiscard]] inline bool all_are(torch::IntArrayRef values, std::int64_t value) {
  return std::all_of(values.begin(), values.end(), [&](std::int64_t x) { return x == value; });
}

/// Whether this is a float32 convolution on a CPU of one group without bias, with that kernel and padding.
[[nodiscard]] inline bool is_plain(const torch::nn::Conv2dImpl& convolution, const torch::Tensor& x,
                                   std::int64_t kernel, std::int64_t padding) {
  const auto* const given = std::get_if<torch::ExpandingArray<2>>(&convolution.options.padding());
  return x.is_cpu() && x.dim() == 4 && x.scalar_type() == torch::kFloat32 &&
         convolution.weight.scalar_type() == torch::kFloat32 && !convolution.bias.defined() &&
         all_are(convolution.options.kernel_size(), kernel) && all_are(convolution.options.dilation(), 1) &&
         convolution.options.groups() == 1 && given != nullptr && all_are(*given, padding);
}

/// Whether convolve_small() can take this call: a 3x3 convolution with stride and padding 1 of a map of at most 2x2.
[[nodiscard]] inline bool can_convolve_small(const torch::nn::Conv2dImpl& convolution, const torch::Tensor& x) {
  return is_plain(convolution, x, 3, 1) && all_are(convolution.options.stride(), 1) && x.size(2) <= 2 && x.size(3) <= 2;
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

/// convolution(x) of a 1x1 convolution, x [N, C, H, W]: the pixels that its stride takes, [N H' W', C], times the weights. oneDNN's
/// own kernel for AVX2 writes past the weights' gradient where C is 4 and the stride 2 (LibTorch 2.11).
[[nodiscard]] inline torch::Tensor convolve_pointwise(const torch::nn::Conv2dImpl& convolution,
                                                      const torch::Tensor& x) {
  const torch::IntArrayRef stride = convolution.options.stride();
  const torch::Tensor pixels =
      x.slice(2, 0, c10::nullopt, stride[0]).slice(3, 0, c10::nullopt, stride[1]).permute({0, 2, 3, 1});
  const std::int64_t in = x.size(1);
  const std::int64_t out = convolution.weight.size(0);
  return torch::mm(pixels.reshape({-1, in}), convolution.weight.view({out, in}).t())
      .view({pixels.size(0), pixels.size(1), pixels.size(2), out})
      .permute({0, 3, 1, 2});  // [N, C', H', W'], channels last
}

/// convolution(x), by one product where it can.
[[nodiscard]] inline torch::Tensor convolve(torch::nn::Conv2dImpl& convolution, const torch::Tensor& x) {
  if (is_plain(convolution, x, 1, 0)) return convolve_pointwise(convolution, x);
  return can_convolve_small(convolution, x) ? convolve_small(convolution, x) : convolution.forward(x);
}

}  // namespace jessl::backbone::detail
