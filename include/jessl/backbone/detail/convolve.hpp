// SPDX-License-Identifier: Apache-2.0
// Convolutions as matrix products: whole where they are 1x1 or their map is so small that every output sees every input, and the
// gradient of the weights where the map is small.
#pragma once

#include <algorithm>
#include <cstdint>
#include <tuple>
#include <variant>
#include <vector>

#include <jessl/core/autocast.hpp>
#include <jessl/core/detail/separate.hpp>
#include <jessl/core/tensor.hpp>

namespace jessl::backbone::detail {

// What follows takes x in float32 or bfloat16, and weights of its type or of float32, which are rounded to it. Only inputs are
// saved, so that gradients can be differentiated again.

/// A 1x1 convolution without padding: the pixels that its stride takes, times the weights. oneDNN's own kernel for AVX2 writes past
/// the weights' gradient where C is 4 and the stride 2 (LibTorch 2.11).
class PointwiseConvolution : public torch::autograd::Function<PointwiseConvolution> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context, const torch::Tensor& x,
                               const torch::Tensor& weight, torch::IntArrayRef stride);

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients);

 private:
  [[nodiscard]] static torch::Tensor subsampled(const torch::Tensor& x, torch::IntArrayRef stride);

  [[nodiscard]] static torch::Tensor matrix(const torch::Tensor& weight, const torch::Tensor& x);
};

/// A 3x3 convolution with stride and padding 1 of a map of at most 2x2. At least five of the nine taps of each output lie in the
/// padding; the others make a dense matrix from the pixels of an image, H W C, to its outputs, H W C', with no more arithmetic than
/// needed and at the speed of a matrix product (docs/benchmarks.md).
class DenseConvolution : public torch::autograd::Function<DenseConvolution> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context, const torch::Tensor& x,
                               const torch::Tensor& weight);

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients);

 private:
  /// An image a row, [N, H W C].
  [[nodiscard]] static torch::Tensor rows(const torch::Tensor& x);

  [[nodiscard]] static torch::Tensor images(const torch::Tensor& rows, const torch::Tensor& x);

  [[nodiscard]] static torch::Tensor matrix(const torch::Tensor& weight, const torch::Tensor& x);

  /// Calls use(block, tap), both [C', C], for each block of a matrix as above and the tap of the weights that it is.
  template <class Use>
  static void for_each_block(const torch::Tensor& matrix, const torch::Tensor& weight, const torch::Tensor& x,
                             const Use& use) {
    const std::int64_t width = x.size(3);
    const std::int64_t pixels = x.size(2) * width;
    const std::int64_t in = weight.size(1);
    const std::int64_t out = weight.size(0);
    for (std::int64_t o = 0; o < pixels; ++o) {
      for (std::int64_t i = 0; i < pixels; ++i) {
        use(matrix.narrow(0, o * out, out).narrow(1, i * in, in),
            weight.select(2, i / width - o / width + 1).select(2, i % width - o % width + 1));
      }
    }
  }
};

/// A 3x3 convolution with padding 1 that is LibTorch's but for the gradient of its weights: that is one product, of the
/// outputs' gradient and the gathered pixels. oneDNN's way with maps of a few pixels takes several times as long.
class GatheredConvolution : public torch::autograd::Function<GatheredConvolution> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context, const torch::Tensor& x,
                               const torch::Tensor& weight, torch::IntArrayRef stride);

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients);
};

/// Whether DenseConvolution can take this call.
[[nodiscard]] bool is_dense(const torch::nn::Conv2dImpl& convolution, const torch::Tensor& x);

/// convolution(x), by products where they are faster.
[[nodiscard]] torch::Tensor convolve(torch::nn::Conv2dImpl& convolution, const torch::Tensor& input);

}  // namespace jessl::backbone::detail

#if JESSL_DEFINITIONS

namespace jessl::backbone::detail {

[[nodiscard]] JESSL_INLINE bool all_are(torch::IntArrayRef values, std::int64_t value) {
  return std::all_of(values.begin(), values.end(), [&](std::int64_t x) { return x == value; });
}

/// Whether this is a convolution in float32 or bfloat16 on a CPU, of one group without bias, with that kernel and padding.
[[nodiscard]] JESSL_INLINE bool is_plain(const torch::nn::Conv2dImpl& convolution, const torch::Tensor& x,
                                         std::int64_t kernel, std::int64_t padding) {
  const auto* const given = std::get_if<torch::ExpandingArray<2>>(&convolution.options.padding());
  const bool half = x.scalar_type() == torch::kBFloat16;  // under autocast, with weights of float32
  return x.is_cpu() && x.dim() == 4 && (half || x.scalar_type() == torch::kFloat32) &&
         (convolution.weight.scalar_type() == torch::kFloat32 || half) && !convolution.bias.defined() &&
         all_are(convolution.options.kernel_size(), kernel) && all_are(convolution.options.dilation(), 1) &&
         convolution.options.groups() == 1 && given != nullptr && all_are(*given, padding);
}

/// A map [N, C, H, W] as a matrix of its pixels, [N H W, C]; without a copy where it is channels last.
[[nodiscard]] JESSL_INLINE torch::Tensor pixels_of(const torch::Tensor& x) {
  return x.permute({0, 2, 3, 1}).reshape({-1, x.size(1)});
}

/// A matrix of pixels [N H W, C] as a map [N, C, H, W], channels last.
[[nodiscard]] JESSL_INLINE torch::Tensor map_of(const torch::Tensor& pixels, std::int64_t height, std::int64_t width) {
  return pixels.view({-1, height, width, pixels.size(1)}).permute({0, 3, 1, 2});
}

JESSL_INLINE torch::Tensor PointwiseConvolution::forward(torch::autograd::AutogradContext* context,
                                                         const torch::Tensor& x, const torch::Tensor& weight,
                                                         torch::IntArrayRef stride) {
  context->save_for_backward({x, weight});
  context->saved_data["stride"] = stride;
  const torch::Tensor taken = subsampled(x, stride);
  return map_of(pixels_of(taken).mm(matrix(weight, x).t()), taken.size(2), taken.size(3));
}

JESSL_INLINE torch::autograd::variable_list PointwiseConvolution::backward(
    torch::autograd::AutogradContext* context, const torch::autograd::variable_list& gradients) {
  const auto saved = context->get_saved_variables();
  const torch::Tensor &x = saved[0], &weight = saved[1];
  const auto stride = context->saved_data["stride"].toIntVector();
  const torch::Tensor slope = pixels_of(gradients[0]);
  torch::Tensor to_x, to_weight;
  if (context->needs_input_grad(0)) {
    const torch::Tensor to_taken = map_of(slope.mm(matrix(weight, x)), gradients[0].size(2), gradients[0].size(3));
    if (all_are(stride, 1)) {
      to_x = to_taken;
    } else {
      to_x = at::zeros(x.sizes(), x.options().memory_format(torch::MemoryFormat::ChannelsLast));
      subsampled(to_x, stride).copy_(to_taken);
    }
  }
  if (context->needs_input_grad(1)) {
    to_weight = slope.t().mm(pixels_of(subsampled(x, stride))).view(weight.sizes()).to(weight.scalar_type());
  }
  return {to_x, to_weight, {}};
}

JESSL_INLINE torch::Tensor PointwiseConvolution::subsampled(const torch::Tensor& x, torch::IntArrayRef stride) {
  return x.slice(2, 0, c10::nullopt, stride[0]).slice(3, 0, c10::nullopt, stride[1]);
}

JESSL_INLINE torch::Tensor PointwiseConvolution::matrix(const torch::Tensor& weight, const torch::Tensor& x) {
  return weight.view({weight.size(0), weight.size(1)}).to(x.scalar_type());  // [C', C]
}

JESSL_INLINE torch::Tensor DenseConvolution::forward(torch::autograd::AutogradContext* context, const torch::Tensor& x,
                                                     const torch::Tensor& weight) {
  context->save_for_backward({x, weight});
  return images(rows(x).mm(matrix(weight, x).t()), x);
}

JESSL_INLINE torch::autograd::variable_list DenseConvolution::backward(
    torch::autograd::AutogradContext* context, const torch::autograd::variable_list& gradients) {
  const auto saved = context->get_saved_variables();
  const torch::Tensor &x = saved[0], &weight = saved[1];
  const torch::Tensor slope = rows(gradients[0]);
  torch::Tensor to_x, to_weight;
  if (context->needs_input_grad(0)) to_x = images(slope.mm(matrix(weight, x)), x);
  if (context->needs_input_grad(1)) {
    to_weight = at::zeros_like(weight, torch::MemoryFormat::ChannelsLast);
    const torch::Tensor to_matrix = slope.t().mm(rows(x));
    for_each_block(to_matrix, to_weight, x,
                   [](const torch::Tensor& block, const torch::Tensor& tap) { tap.add_(block); });
  }
  return {to_x, to_weight};
}

JESSL_INLINE torch::Tensor DenseConvolution::rows(const torch::Tensor& x) {
  return x.permute({0, 2, 3, 1}).reshape({x.size(0), -1});
}

JESSL_INLINE torch::Tensor DenseConvolution::images(const torch::Tensor& rows, const torch::Tensor& x) {
  return rows.view({x.size(0), x.size(2), x.size(3), -1}).permute({0, 3, 1, 2});
}

JESSL_INLINE torch::Tensor DenseConvolution::matrix(const torch::Tensor& weight, const torch::Tensor& x) {
  const std::int64_t pixels = x.size(2) * x.size(3);
  torch::Tensor result = at::empty({pixels * weight.size(0), pixels * weight.size(1)}, x.options());
  for_each_block(result, weight, x, [](const torch::Tensor& block, const torch::Tensor& tap) { block.copy_(tap); });
  return result;  // [H W C', H W C]
}

/// The pixels that each output of a 3x3 convolution with padding 1 sees, [N H' W', 9 C], for x [N, C, H, W].
[[nodiscard]] JESSL_INLINE torch::Tensor gather_pixels(const torch::Tensor& x, torch::IntArrayRef stride) {
  const torch::Tensor padded =
      at::constant_pad_nd(x, {1, 1, 1, 1}).permute({0, 2, 3, 1}).contiguous();  // [N, H + 2, W + 2, C]
  const auto steps = padded.strides();
  const std::int64_t height = (x.size(2) - 1) / stride[0] + 1;
  const std::int64_t width = (x.size(3) - 1) / stride[1] + 1;
  return padded
      .as_strided({x.size(0), height, width, 3, 3, x.size(1)},
                  {steps[0], steps[1] * stride[0], steps[2] * stride[1], steps[1], steps[2], 1})
      .reshape({-1, 9 * x.size(1)});
}

JESSL_INLINE torch::Tensor GatheredConvolution::forward(torch::autograd::AutogradContext* context,
                                                        const torch::Tensor& x, const torch::Tensor& weight,
                                                        torch::IntArrayRef stride) {
  context->save_for_backward({x, weight});
  context->saved_data["stride"] = stride;
  return at::convolution(x, weight.to(x.scalar_type()), {}, stride, {1, 1}, {1, 1}, false, {0, 0}, 1);
}

JESSL_INLINE torch::autograd::variable_list GatheredConvolution::backward(
    torch::autograd::AutogradContext* context, const torch::autograd::variable_list& gradients) {
  const auto saved = context->get_saved_variables();
  const torch::Tensor &x = saved[0], &weight = saved[1], &slope = gradients[0];
  const auto stride = context->saved_data["stride"].toIntVector();
  torch::Tensor to_x, to_weight;
  if (context->needs_input_grad(0)) {
    to_x = std::get<0>(at::convolution_backward(slope, x, weight.to(x.scalar_type()), c10::nullopt, stride, {1, 1},
                                                {1, 1}, false, {0, 0}, 1, {true, false, false}));
  }
  if (context->needs_input_grad(1)) {
    to_weight = pixels_of(slope)
                    .t()
                    .mm(gather_pixels(x, stride))
                    .view({weight.size(0), 3, 3, weight.size(1)})
                    .permute({0, 3, 1, 2})
                    .to(weight.scalar_type());
  }
  return {to_x, to_weight, {}};
}

JESSL_INLINE bool is_dense(const torch::nn::Conv2dImpl& convolution, const torch::Tensor& x) {
  return is_plain(convolution, x, 3, 1) && all_are(convolution.options.stride(), 1) && x.size(2) <= 2 && x.size(3) <= 2;
}

/// Whether GatheredConvolution is the faster way: in bfloat16, where at most 4x4 outputs are left of a map, by a stride of 2 or on a
/// processor that multiplies bfloat16 by tiles (AMX), which makes products fast and the convolution's gradient not.
[[nodiscard]] JESSL_INLINE bool is_gathered(const torch::nn::Conv2dImpl& convolution, const torch::Tensor& x) {
  if (x.scalar_type() != torch::kBFloat16 || !is_plain(convolution, x, 3, 1)) return false;
  const torch::IntArrayRef stride = convolution.options.stride();
  const bool small = (x.size(2) - 1) / stride[0] < 4 && (x.size(3) - 1) / stride[1] < 4;
  return small && (has_bfloat16_tiles() || all_are(stride, 2));
}

JESSL_INLINE torch::Tensor convolve(torch::nn::Conv2dImpl& convolution, const torch::Tensor& input) {
  const torch::Tensor x = input.is_cpu() ? input.to(product_type(input)) : input;
  const torch::Tensor& weight = convolution.weight;
  const torch::IntArrayRef stride = convolution.options.stride();
  if (is_plain(convolution, x, 1, 0)) return PointwiseConvolution::apply(x, weight, stride);
  if (is_dense(convolution, x)) return DenseConvolution::apply(x, weight);
  if (is_gathered(convolution, x)) return GatheredConvolution::apply(x, weight, stride);
  return convolution.forward(x);
}

}  // namespace jessl::backbone::detail

#endif  // JESSL_DEFINITIONS
