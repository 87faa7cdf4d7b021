// SPDX-License-Identifier: Apache-2.0
// Layer norm over the last dimension, and over the channels of a map.
#pragma once

#include <cstdint>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/tensor.hpp>

namespace jessl::backbone::detail {

/// Layer norm with scale and shift, and the epsilon of both transformers and ConvNeXt, 1e-6. LibTorch's own module would take
/// the headers of all its norms.
class LayerNormImpl : public torch::nn::Cloneable<LayerNormImpl> {
 public:
  explicit LayerNormImpl(std::int64_t width);

  JESSL_INLINE void reset() override;

  /// Scale 1, shift 0.
  void initialise();

  /// [..., width] -> the same
  [[nodiscard]] torch::Tensor forward(const torch::Tensor& x) const;

  /// Each pixel's channels: [N, width, H, W] -> the same, channels last.
  [[nodiscard]] torch::Tensor over_channels(const torch::Tensor& x) const;

  torch::Tensor weight;
  torch::Tensor bias;

 private:
  std::int64_t width_;
};
TORCH_MODULE(LayerNorm);

}  // namespace jessl::backbone::detail

#if JESSL_DEFINITIONS
namespace jessl::backbone::detail {

JESSL_INLINE LayerNormImpl::LayerNormImpl(std::int64_t width) : width_(width) { reset(); }

JESSL_INLINE void LayerNormImpl::reset() {
  weight = register_parameter("weight", torch::ones({width_}));
  bias = register_parameter("bias", torch::zeros({width_}));
}

JESSL_INLINE void LayerNormImpl::initialise() {
  weight.fill_(1);
  bias.zero_();
}

JESSL_INLINE torch::Tensor LayerNormImpl::forward(const torch::Tensor& x) const {
  return at::layer_norm(x, {width_}, weight, bias, /*eps=*/1e-6);
}

JESSL_INLINE torch::Tensor LayerNormImpl::over_channels(const torch::Tensor& x) const {
  return forward(x.permute({0, 2, 3, 1})).permute({0, 3, 1, 2});
}

}  // namespace jessl::backbone::detail
#endif
