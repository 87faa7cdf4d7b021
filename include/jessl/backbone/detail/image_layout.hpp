// SPDX-License-Identifier: Apache-2.0
// Images of one channel, whose layout LibTorch can't tell.
#pragma once

#include <cstdint>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/tensor.hpp>

namespace jessl::backbone::detail {

/// Images of one channel with the strides of channels-last order: they are in both orders at once, and so their convolution and
/// all that follows it stay in that one. Others are left as they are.
[[nodiscard]] torch::Tensor grey_as_channels_last(const torch::Tensor& images);

}  // namespace jessl::backbone::detail

#if JESSL_DEFINITIONS
namespace jessl::backbone::detail {

JESSL_INLINE torch::Tensor grey_as_channels_last(const torch::Tensor& images) {
  if (images.size(1) != 1 || !images.is_contiguous()) return images;
  const std::int64_t width = images.size(3);
  return images.as_strided(images.sizes(), {images.size(2) * width, 1, width, 1});
}

}  // namespace jessl::backbone::detail
#endif
