// SPDX-License-Identifier: Apache-2.0
// The 7x7 convolution of each channel by itself, with gradients of its own.
//
// LibTorch's gradients of such a convolution on a CPU take many times as long as the convolution. The gradient of the images is such
// a convolution, too, with the kernel turned round; that of the kernel is summed here, channels in vectors and seven taps at a time.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <tuple>
#include <type_traits>
#include <variant>
#include <vector>

#include <ATen/Parallel.h>

#include <jessl/backbone/detail/convolve.hpp>
#include <jessl/backbone/detail/fused_batch_norm.hpp>
#include <jessl/core/autocast.hpp>
#include <jessl/core/detail/instruction_set.hpp>
#include <jessl/core/detail/separate.hpp>
#include <jessl/core/detail/vectors.hpp>
#include <jessl/core/tensor.hpp>

namespace jessl::backbone::detail {

/// The kernel's side.
inline constexpr std::int64_t depthwise_side = 7;

/// An image with its border of zeros in float32, and the slope of what was made of it, row by row with channels last.
struct DepthwiseImage {
  const float* padded;  // [H + 6, W + 6, C]
  const float* slope;   // [H, W, C]
  std::int64_t height;
  std::int64_t width;
  std::int64_t channels;
};

/// Adds the gradient of the kernel by one image to `sums`, [7, 7, C].
void add_depthwise_gradient(const DepthwiseImage& image, float* sums);

/// The gradient of the kernel, [C, 1, 7, 7] in float32; x and slope are [N, C, H, W], channels last, in one type. Images are summed
/// in groups that do not depend on the number of threads, so that no bit of the result does.
[[nodiscard]] torch::Tensor depthwise_gradient(const torch::Tensor& x, const torch::Tensor& slope);

/// The convolution with those gradients. It can be differentiated again, by LibTorch's.
class DepthwiseConvolution : public torch::autograd::Function<DepthwiseConvolution> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context, const torch::Tensor& x,
                               const torch::Tensor& weight, const torch::Tensor& bias);

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients);
};

/// convolution(x), by the way above where it is a 7x7 one of each channel on a CPU in float32 or bfloat16.
[[nodiscard]] torch::Tensor convolve_depthwise(torch::nn::Conv2dImpl& convolution, const torch::Tensor& input);

}  // namespace jessl::backbone::detail

#if JESSL_DEFINITIONS
namespace jessl::backbone::detail {

JESSL_INLINE void add_depthwise_gradient(const DepthwiseImage& image, float* sums) {
  constexpr std::size_t side = depthwise_side;
  constexpr std::size_t at_once = 4;  // pixels: fourteen values are read for twenty-eight products
  jessl::detail::run_vectorised([image, sums]<std::size_t Count>(jessl::detail::Lanes<Count>) {
    using Vector = jessl::detail::Floats<Count>;
    const auto height = static_cast<std::size_t>(image.height);
    const auto width = static_cast<std::size_t>(image.width);
    const auto channels = static_cast<std::size_t>(image.channels);
    const std::size_t in_vectors = channels / Count * Count;
    for (std::size_t y = 0; y < height; ++y) {
      for (std::size_t c = 0; c < in_vectors; c += Count) {
        for (std::size_t i = 0; i < side; ++i) {
          const float* pixels = image.padded + (y + i) * (width + side - 1) * channels + c;
          const float* slopes = image.slope + y * width * channels + c;
          float* const taps = sums + i * side * channels + c;
          std::array<Vector, side> sum;
#pragma GCC unroll 7
          for (std::size_t j = 0; j < side; ++j) jessl::detail::load(taps + j * channels, sum[j]);
          std::size_t x = 0;
          for (; x + at_once <= width; x += at_once) {
            std::array<Vector, at_once> slope;
            std::array<Vector, at_once + side - 1> pixel;
#pragma GCC unroll 4
            for (std::size_t k = 0; k < at_once; ++k) jessl::detail::load(slopes + k * channels, slope[k]);
#pragma GCC unroll 10
            for (std::size_t k = 0; k < pixel.size(); ++k) jessl::detail::load(pixels + k * channels, pixel[k]);
#pragma GCC unroll 4
            for (std::size_t k = 0; k < at_once; ++k) {
#pragma GCC unroll 7
              for (std::size_t j = 0; j < side; ++j) sum[j] += slope[k] * pixel[k + j];
            }
            pixels += at_once * channels;
            slopes += at_once * channels;
          }
          for (; x < width; ++x) {
            Vector slope, pixel;
            jessl::detail::load(slopes, slope);
#pragma GCC unroll 7
            for (std::size_t j = 0; j < side; ++j) {
              jessl::detail::load(pixels + j * channels, pixel);
              sum[j] += slope * pixel;
            }
            pixels += channels;
            slopes += channels;
          }
#pragma GCC unroll 7
          for (std::size_t j = 0; j < side; ++j) jessl::detail::store(sum[j], taps + j * channels);
        }
      }
      // Channels that fill no vector.
      for (std::size_t i = 0; i < side; ++i) {
        for (std::size_t x = 0; x < width; ++x) {
          for (std::size_t j = 0; j < side; ++j) {
            const float* const pixel = image.padded + ((y + i) * (width + side - 1) + x + j) * channels;
            const float* const slope = image.slope + (y * width + x) * channels;
            for (std::size_t c = in_vectors; c < channels; ++c)
              sums[(i * side + j) * channels + c] += slope[c] * pixel[c];
          }
        }
      }
    }
  });
}

template <class T>
[[nodiscard]] torch::Tensor depthwise_gradient_of(const torch::Tensor& x, const torch::Tensor& slope) {
  const std::int64_t images = x.size(0);
  const std::int64_t channels = x.size(1);
  const std::int64_t height = x.size(2);
  const std::int64_t width = x.size(3);
  const std::int64_t groups = std::min<std::int64_t>(images, 32);
  const std::int64_t line = (width + depthwise_side - 1) * channels;
  const std::int64_t size = height * width * channels;  // of an image
  const torch::Tensor sums = at::zeros({groups, depthwise_side, depthwise_side, channels}, torch::kFloat32);
  const T* const x_in = x.const_data_ptr<T>();
  const T* const slope_in = slope.const_data_ptr<T>();
  float* const out = sums.data_ptr<float>();
  at::parallel_for(0, groups, 1, [&](std::int64_t begin, std::int64_t end) {
    // The border stays 0.
    std::vector<float> padded(static_cast<std::size_t>((height + depthwise_side - 1) * line));
    std::vector<float> slopes(std::is_same_v<T, float> ? 0 : static_cast<std::size_t>(size));
    for (std::int64_t group = begin; group < end; ++group) {
      for (std::int64_t n = images * group / groups; n < images * (group + 1) / groups; ++n) {
        for (std::int64_t y = 0; y < height; ++y) {
          const T* const from = x_in + n * size + y * width * channels;
          float* const to = padded.data() + (y + depthwise_side / 2) * line + depthwise_side / 2 * channels;
          std::transform(from, from + width * channels, to, [](T value) { return to_float(value); });
        }
        const float* slope_of_image = nullptr;
        if constexpr (std::is_same_v<T, float>) {
          slope_of_image = slope_in + n * size;
        } else {
          std::transform(slope_in + n * size, slope_in + (n + 1) * size, slopes.begin(),
                         [](T value) { return to_float(value); });
          slope_of_image = slopes.data();
        }
        add_depthwise_gradient({padded.data(), slope_of_image, height, width, channels},
                               out + group * depthwise_side * depthwise_side * channels);
      }
    }
  });
  return sums.sum(0).permute({2, 0, 1}).unsqueeze(1);  // [C, 1, 7, 7]
}

JESSL_INLINE torch::Tensor depthwise_gradient(const torch::Tensor& x, const torch::Tensor& slope) {
  return x.scalar_type() == torch::kBFloat16 ? depthwise_gradient_of<c10::BFloat16>(x, slope)
                                             : depthwise_gradient_of<float>(x, slope);
}

JESSL_INLINE torch::Tensor DepthwiseConvolution::forward(torch::autograd::AutogradContext* context,
                                                         const torch::Tensor& x, const torch::Tensor& weight,
                                                         const torch::Tensor& bias) {
  context->save_for_backward({x, weight, bias});
  return at::conv2d(x, weight.to(x.scalar_type()), bias.to(x.scalar_type()), 1, depthwise_side / 2, 1, x.size(1));
}

JESSL_INLINE torch::autograd::variable_list DepthwiseConvolution::backward(
    torch::autograd::AutogradContext* context, const torch::autograd::variable_list& gradients) {
  const auto saved = context->get_saved_variables();
  const torch::Tensor &x = saved[0], &weight = saved[1], &bias = saved[2];
  const torch::Tensor slope = gradients[0].to(x.scalar_type());
  const std::int64_t channels = x.size(1);
  constexpr std::int64_t border = depthwise_side / 2;
  if (torch::GradMode::is_enabled()) {
    auto [to_x, to_weight, to_bias] = at::convolution_backward(
        slope, x, weight.to(x.scalar_type()), torch::IntArrayRef{channels}, {1, 1}, {border, border}, {1, 1}, false,
        {0, 0}, channels, {context->needs_input_grad(0), context->needs_input_grad(1), context->needs_input_grad(2)});
    if (to_weight.defined()) to_weight = to_weight.to(weight.scalar_type());
    if (to_bias.defined()) to_bias = to_bias.to(bias.scalar_type());
    return {to_x, to_weight, to_bias};
  }
  torch::Tensor to_x, to_weight, to_bias;
  const torch::Tensor dense = slope.contiguous(torch::MemoryFormat::ChannelsLast);
  if (context->needs_input_grad(0))
    to_x = at::conv2d(dense, weight.to(x.scalar_type()).flip({2, 3}), {}, 1, border, 1, channels);
  if (context->needs_input_grad(1)) {
    to_weight = depthwise_gradient(x.contiguous(torch::MemoryFormat::ChannelsLast), dense).to(weight.scalar_type());
  }
  if (context->needs_input_grad(2))
    to_bias = dense.sum({0, 2, 3}, /*keepdim=*/false, torch::kFloat32).to(bias.scalar_type());
  return {to_x, to_weight, to_bias};
}

JESSL_INLINE torch::Tensor convolve_depthwise(torch::nn::Conv2dImpl& convolution, const torch::Tensor& input) {
  const torch::Tensor x = input.is_cpu() ? input.to(product_type(input)) : input;
  const torch::Tensor& weight = convolution.weight;
  const torch::Tensor& bias = convolution.bias;
  const auto* const border = std::get_if<torch::ExpandingArray<2>>(&convolution.options.padding());
  const bool half = x.scalar_type() == torch::kBFloat16;  // under autocast, with weights of float32
  const bool own = x.is_cpu() && x.dim() == 4 && (half || x.scalar_type() == torch::kFloat32) &&
                   (weight.scalar_type() == torch::kFloat32 || half) && bias.defined() && x.numel() > 0 &&
                   convolution.options.groups() == x.size(1) && weight.size(0) == x.size(1) &&
                   all_are(convolution.options.kernel_size(), depthwise_side) &&
                   all_are(convolution.options.stride(), 1) && all_are(convolution.options.dilation(), 1) &&
                   border != nullptr && all_are(*border, depthwise_side / 2);
  return own ? DepthwiseConvolution::apply(x, weight, bias) : convolution.forward(x);
}

}  // namespace jessl::backbone::detail
#endif
