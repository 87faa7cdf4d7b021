// SPDX-License-Identifier: Apache-2.0
// The parts of a vision transformer, with timm's names.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include <jessl/backbone/detail/layer_norm.hpp>
#include <jessl/backbone/detail/patches.hpp>
#include <jessl/backbone/detail/residual.hpp>
#include <jessl/core/detail/separate.hpp>
#include <jessl/core/tensor.hpp>

namespace jessl::backbone::detail {

/// Patches as tokens: a convolution whose stride is its kernel.
class PatchEmbeddingImpl : public torch::nn::Cloneable<PatchEmbeddingImpl> {
 public:
  PatchEmbeddingImpl(std::int64_t channels, std::int64_t width, std::int64_t patch);

  JESSL_INLINE void reset() override;

  /// [N, C, H, W] -> [N, H / patch * W / patch, width], row by row
  [[nodiscard]] torch::Tensor forward(const torch::Tensor& images);

 private:
  std::int64_t channels_;
  std::int64_t width_;
  std::int64_t patch_;
  torch::nn::Conv2d proj_{nullptr};
};
TORCH_MODULE(PatchEmbedding);

/// Self-attention of several heads.
class AttentionImpl : public torch::nn::Cloneable<AttentionImpl> {
 public:
  AttentionImpl(std::int64_t width, std::int64_t heads);

  JESSL_INLINE void reset() override;

  /// [N, T, width] -> the same
  [[nodiscard]] torch::Tensor forward(const torch::Tensor& x);

 private:
  std::int64_t width_;
  std::int64_t heads_;
  torch::nn::Linear qkv_{nullptr};
  torch::nn::Linear proj_{nullptr};
};
TORCH_MODULE(Attention);

/// Two layers with a GELU between them.
class FeedForwardImpl : public torch::nn::Cloneable<FeedForwardImpl> {
 public:
  FeedForwardImpl(std::int64_t width, std::int64_t hidden);

  JESSL_INLINE void reset() override;

  /// [N, T, width] -> the same
  [[nodiscard]] torch::Tensor forward(const torch::Tensor& x);

 private:
  std::int64_t width_;
  std::int64_t hidden_;
  torch::nn::Linear fc1_{nullptr};
  torch::nn::Linear fc2_{nullptr};
};
TORCH_MODULE(FeedForward);

/// A factor for each feature of a residual branch, all of which start as `start`.
class LayerScaleImpl : public torch::nn::Cloneable<LayerScaleImpl> {
 public:
  LayerScaleImpl(std::int64_t width, double from);

  JESSL_INLINE void reset() override;

  torch::Tensor gamma;
  double start;

 private:
  std::int64_t width_;
};
TORCH_MODULE(LayerScale);

/// A transformer's block, norms first.
class TransformerBlockImpl : public torch::nn::Cloneable<TransformerBlockImpl> {
 public:
  /// Without layer scale where `layer_scale` is 0.
  TransformerBlockImpl(std::int64_t width, std::int64_t heads, std::int64_t hidden, double layer_scale);

  JESSL_INLINE void reset() override;

  /// [N, T, width] -> the same; the factors of stochastic depth are [N] or undefined, of attention and of what follows it.
  [[nodiscard]] torch::Tensor forward(const torch::Tensor& x, const torch::Tensor& attention_factor,
                                      const torch::Tensor& forward_factor);

 private:
  std::int64_t width_;
  std::int64_t heads_;
  std::int64_t hidden_;
  double layer_scale_;
  LayerNorm norm1_{nullptr};
  Attention attn_{nullptr};
  LayerScale ls1_{nullptr};
  LayerNorm norm2_{nullptr};
  FeedForward mlp_{nullptr};
  LayerScale ls2_{nullptr};
};
TORCH_MODULE(TransformerBlock);

/// The position embedding of `from` x `from` patches behind one of the class token, [1, 1 + from * from, D], for a grid of another
/// size: [1, 1 + rows * columns, D]. Bicubic and antialiased, as timm's resample_abs_pos_embed.
[[nodiscard]] torch::Tensor resample_positions(const torch::Tensor& positions, std::int64_t from, std::int64_t rows,
                                               std::int64_t columns);

}  // namespace jessl::backbone::detail

#if JESSL_DEFINITIONS
namespace jessl::backbone::detail {

JESSL_INLINE PatchEmbeddingImpl::PatchEmbeddingImpl(std::int64_t channels, std::int64_t width, std::int64_t patch)
    : channels_(channels), width_(width), patch_(patch) {
  reset();
}

JESSL_INLINE void PatchEmbeddingImpl::reset() {
  proj_ = register_module(
      "proj", torch::nn::Conv2d(torch::nn::Conv2dOptions(channels_, width_, patch_).stride(patch_).bias(true)));
}

JESSL_INLINE torch::Tensor PatchEmbeddingImpl::forward(const torch::Tensor& images) {
  return convolve_patches(*proj_, images)
      .flatten(2)
      .transpose(1, 2);  // [N, T, width]; no copy of a map that is channels last
}

JESSL_INLINE AttentionImpl::AttentionImpl(std::int64_t width, std::int64_t heads) : width_(width), heads_(heads) {
  reset();
}

JESSL_INLINE void AttentionImpl::reset() {
  qkv_ = register_module("qkv", torch::nn::Linear(width_, 3 * width_));
  proj_ = register_module("proj", torch::nn::Linear(width_, width_));
}

JESSL_INLINE torch::Tensor AttentionImpl::forward(const torch::Tensor& x) {
  const std::int64_t images = x.size(0);
  const std::int64_t tokens = x.size(1);
  const std::vector<torch::Tensor> parts = qkv_->forward(x)
                                               .view({images, tokens, 3, heads_, width_ / heads_})
                                               .permute({2, 0, 3, 1, 4})
                                               .unbind(0);  // 3 x [N, heads, T, width / heads]
  const torch::Tensor mixed = at::scaled_dot_product_attention(parts[0], parts[1], parts[2]);
  return proj_->forward(mixed.transpose(1, 2).reshape({images, tokens, width_}));  // [N, T, width]
}

JESSL_INLINE FeedForwardImpl::FeedForwardImpl(std::int64_t width, std::int64_t hidden)
    : width_(width), hidden_(hidden) {
  reset();
}

JESSL_INLINE void FeedForwardImpl::reset() {
  fc1_ = register_module("fc1", torch::nn::Linear(width_, hidden_));
  fc2_ = register_module("fc2", torch::nn::Linear(hidden_, width_));
}

JESSL_INLINE torch::Tensor FeedForwardImpl::forward(const torch::Tensor& x) {
  return fc2_->forward(at::gelu(fc1_->forward(x)));
}

JESSL_INLINE LayerScaleImpl::LayerScaleImpl(std::int64_t width, double from) : start(from), width_(width) { reset(); }

JESSL_INLINE void LayerScaleImpl::reset() { gamma = register_parameter("gamma", torch::full({width_}, start)); }

JESSL_INLINE TransformerBlockImpl::TransformerBlockImpl(std::int64_t width, std::int64_t heads, std::int64_t hidden,
                                                        double layer_scale)
    : width_(width), heads_(heads), hidden_(hidden), layer_scale_(layer_scale) {
  reset();
}

JESSL_INLINE void TransformerBlockImpl::reset() {
  const bool scaled = layer_scale_ != 0;
  norm1_ = register_module("norm1", LayerNorm(width_));
  attn_ = register_module("attn", Attention(width_, heads_));
  if (scaled) ls1_ = register_module("ls1", LayerScale(width_, layer_scale_));
  norm2_ = register_module("norm2", LayerNorm(width_));
  mlp_ = register_module("mlp", FeedForward(width_, hidden_));
  if (scaled) ls2_ = register_module("ls2", LayerScale(width_, layer_scale_));
}

JESSL_INLINE torch::Tensor TransformerBlockImpl::forward(const torch::Tensor& x, const torch::Tensor& attention_factor,
                                                         const torch::Tensor& forward_factor) {
  const torch::Tensor y =
      add_branch(x, attn_->forward(norm1_->forward(x)), ls1_ ? ls1_->gamma : torch::Tensor(), attention_factor);
  return add_branch(y, mlp_->forward(norm2_->forward(y)), ls2_ ? ls2_->gamma : torch::Tensor(), forward_factor);
}

JESSL_INLINE torch::Tensor resample_positions(const torch::Tensor& positions, std::int64_t from, std::int64_t rows,
                                              std::int64_t columns) {
  const std::int64_t width = positions.size(2);
  torch::Tensor grid = positions.narrow(1, 1, from * from).view({1, from, from, width}).permute({0, 3, 1, 2});
  if (grid.scalar_type() != torch::kFloat64) grid = grid.to(torch::kFloat32);
  const torch::Tensor resampled = at::_upsample_bicubic2d_aa(grid, {rows, columns}, /*align_corners=*/false)
                                      .permute({0, 2, 3, 1})
                                      .reshape({1, rows * columns, width})
                                      .to(positions.scalar_type());
  return at::cat({positions.narrow(1, 0, 1), resampled}, 1);  // [1, 1 + rows * columns, D]
}

}  // namespace jessl::backbone::detail
#endif
