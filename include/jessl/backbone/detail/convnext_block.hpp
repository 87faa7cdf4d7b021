// SPDX-License-Identifier: Apache-2.0
// The parts of a ConvNeXt, with torchvision's names.
#pragma once

#include <cstdint>

#include <jessl/backbone/detail/depthwise.hpp>
#include <jessl/backbone/detail/layer_norm.hpp>
#include <jessl/backbone/detail/patches.hpp>
#include <jessl/backbone/detail/residual.hpp>
#include <jessl/core/detail/separate.hpp>
#include <jessl/core/tensor.hpp>

namespace jessl::backbone::detail {

/// The first layer: a convolution whose stride is its kernel, then a norm.
class ConvNeXtStemImpl : public torch::nn::Cloneable<ConvNeXtStemImpl> {
 public:
  ConvNeXtStemImpl(std::int64_t channels, std::int64_t width, std::int64_t size);

  JESSL_INLINE void reset() override;

  /// [N, channels, H, W] -> [N, width, H / size, W / size], channels last
  [[nodiscard]] torch::Tensor forward(const torch::Tensor& images);

 private:
  std::int64_t channels_;
  std::int64_t width_;
  std::int64_t size_;
  torch::nn::Conv2d convolution_{nullptr};
  LayerNorm norm_{nullptr};
};
TORCH_MODULE(ConvNeXtStem);

/// What lies between two stages: a norm, then a convolution that halves the side.
class ConvNeXtDownsamplingImpl : public torch::nn::Cloneable<ConvNeXtDownsamplingImpl> {
 public:
  ConvNeXtDownsamplingImpl(std::int64_t in, std::int64_t out);

  JESSL_INLINE void reset() override;

  /// [N, in, H, W] -> [N, out, H / 2, W / 2]
  [[nodiscard]] torch::Tensor forward(const torch::Tensor& x);

 private:
  std::int64_t in_;
  std::int64_t out_;
  LayerNorm norm_{nullptr};
  torch::nn::Conv2d convolution_{nullptr};
};
TORCH_MODULE(ConvNeXtDownsampling);

/// A block's residual branch: a 7x7 convolution of each channel, a norm, and two layers with a GELU between them, at each pixel.
class ConvNeXtBranchImpl : public torch::nn::Cloneable<ConvNeXtBranchImpl> {
 public:
  explicit ConvNeXtBranchImpl(std::int64_t width);

  JESSL_INLINE void reset() override;

  /// [N, width, H, W] -> the same, channels last
  [[nodiscard]] torch::Tensor forward(const torch::Tensor& x);

 private:
  std::int64_t width_;
  torch::nn::Conv2d convolution_{nullptr};
  LayerNorm norm_{nullptr};
  torch::nn::Linear widening_{nullptr};
  torch::nn::Linear narrowing_{nullptr};
};
TORCH_MODULE(ConvNeXtBranch);

/// A block: the branch times a learned factor for each channel, added to what came in.
class ConvNeXtBlockImpl : public torch::nn::Cloneable<ConvNeXtBlockImpl> {
 public:
  ConvNeXtBlockImpl(std::int64_t width, double layer_scale);

  JESSL_INLINE void reset() override;

  /// The factors as they start.
  void initialise();

  /// [N, width, H, W] -> the same; the factor of stochastic depth is [N] or undefined.
  [[nodiscard]] torch::Tensor forward(const torch::Tensor& x, const torch::Tensor& factor);

 private:
  std::int64_t width_;
  double start_;
  torch::Tensor layer_scale_;
  ConvNeXtBranch branch_{nullptr};
};
TORCH_MODULE(ConvNeXtBlock);

}  // namespace jessl::backbone::detail

#if JESSL_DEFINITIONS
namespace jessl::backbone::detail {

JESSL_INLINE ConvNeXtStemImpl::ConvNeXtStemImpl(std::int64_t channels, std::int64_t width, std::int64_t size)
    : channels_(channels), width_(width), size_(size) {
  reset();
}

JESSL_INLINE void ConvNeXtStemImpl::reset() {
  convolution_ = register_module(
      "0", torch::nn::Conv2d(torch::nn::Conv2dOptions(channels_, width_, size_).stride(size_).bias(true)));
  norm_ = register_module("1", LayerNorm(width_));
}

JESSL_INLINE torch::Tensor ConvNeXtStemImpl::forward(const torch::Tensor& images) {
  return norm_->over_channels(convolve_patches(*convolution_, images));
}

JESSL_INLINE ConvNeXtDownsamplingImpl::ConvNeXtDownsamplingImpl(std::int64_t in, std::int64_t out)
    : in_(in), out_(out) {
  reset();
}

JESSL_INLINE void ConvNeXtDownsamplingImpl::reset() {
  norm_ = register_module("0", LayerNorm(in_));
  convolution_ =
      register_module("1", torch::nn::Conv2d(torch::nn::Conv2dOptions(in_, out_, /*kernel_size=*/2).stride(2)));
}

JESSL_INLINE torch::Tensor ConvNeXtDownsamplingImpl::forward(const torch::Tensor& x) {
  return convolve_patches(*convolution_, norm_->over_channels(x));
}

JESSL_INLINE ConvNeXtBranchImpl::ConvNeXtBranchImpl(std::int64_t width) : width_(width) { reset(); }

JESSL_INLINE void ConvNeXtBranchImpl::reset() {
  convolution_ = register_module(
      "0", torch::nn::Conv2d(torch::nn::Conv2dOptions(width_, width_, /*kernel_size=*/7).padding(3).groups(width_)));
  norm_ = register_module("2", LayerNorm(width_));
  widening_ = register_module("3", torch::nn::Linear(width_, 4 * width_));
  narrowing_ = register_module("5", torch::nn::Linear(4 * width_, width_));
}

JESSL_INLINE torch::Tensor ConvNeXtBranchImpl::forward(const torch::Tensor& x) {
  const torch::Tensor pixels = convolve_depthwise(*convolution_, x).permute({0, 2, 3, 1});  // [N, H, W, width]
  return narrowing_->forward(at::gelu(widening_->forward(norm_->forward(pixels)))).permute({0, 3, 1, 2});
}

JESSL_INLINE ConvNeXtBlockImpl::ConvNeXtBlockImpl(std::int64_t width, double layer_scale)
    : width_(width), start_(layer_scale) {
  reset();
}

JESSL_INLINE void ConvNeXtBlockImpl::reset() {
  layer_scale_ = register_parameter("layer_scale", torch::full({width_, 1, 1}, start_));
  branch_ = register_module("block", ConvNeXtBranch(width_));
}

JESSL_INLINE void ConvNeXtBlockImpl::initialise() { layer_scale_.fill_(start_); }

JESSL_INLINE torch::Tensor ConvNeXtBlockImpl::forward(const torch::Tensor& x, const torch::Tensor& factor) {
  return add_branch(x, branch_->forward(x), layer_scale_, factor);
}

}  // namespace jessl::backbone::detail
#endif
