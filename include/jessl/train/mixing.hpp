// SPDX-License-Identifier: Apache-2.0
// mix, mixed_targets: MixUp and CutMix on tensors, on any device.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include <jessl/augment/mixing.hpp>
#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/tensor.hpp>

namespace jessl::train {

/// The mixed images of a batch: with a box, image i with its partner's pixels in it; else lambda of image i and 1 - lambda of
/// its partner. What augment::mix does, where the tensor is; gradients flow through it.
///
/// Shapes     images: [N, C, H, W] -> the same
/// Precision  that of the images; a half-precision lambda is rounded to it
/// Cost       two passes over the batch; what is copied to a device is N shares, or N boxes
/// Randomness none; the Mixing holds what was drawn
/// Errors     ShapeError for images that are no batch of floats, or of another number than the Mixing, a partner that there is
///            not, a box beyond the image; ConfigError for a lambda outside [0, 1]
/// Models     none
/// Source     as augment::MixUp and augment::CutMix
[[nodiscard]] torch::Tensor mix(const torch::Tensor& images, const augment::Mixing& mixing);

/// The targets of mixed images, for a cross-entropy with probabilities: augment::mixed_targets as a tensor.
///
/// Shapes     labels [N] -> [N, classes], float32 on that device
/// Randomness none
/// Errors     ShapeError, ConfigError as augment::mixed_targets
/// Models     none
/// Source     as augment::MixUp and augment::CutMix
[[nodiscard]] torch::Tensor mixed_targets(std::span<const std::int64_t> labels, std::int64_t classes,
                                          const augment::Mixing& mixing, const torch::Device& device = torch::kCPU);

}  // namespace jessl::train

#if JESSL_DEFINITIONS

namespace jessl::train {

JESSL_INLINE torch::Tensor mix(const torch::Tensor& images, const augment::Mixing& mixing) {
  constexpr std::string_view who = "jessl::train::mix";
  const auto count = static_cast<std::int64_t>(mixing.partner.size());
  JESSL_CHECK(images.defined() && images.dim() == 4 && images.is_floating_point() && images.size(0) == count,
              ShapeError, who, ": images is ", images.defined() ? concat(shape_of(images)) : "no tensor",
              ", expected floats [N, C, H, W] with N = ", count, " as the mixing has");
  const std::int64_t height = images.size(2);
  const std::int64_t width = images.size(3);
  mixing.check(who, {height, width});
  const torch::Tensor others =
      images.index_select(0, torch::tensor(mixing.partner).to(images.device()));  // [N, C, H, W]
  if (mixing.box.empty()) {
    const torch::Tensor lambda = torch::tensor(mixing.lambda, torch::kDouble).view({count, 1, 1, 1});
    return lambda.to(images.options()) * images + (1.0 - lambda).to(images.options()) * others;
  }
  std::vector<std::int64_t> sides;
  for (const augment::Region& box : mixing.box) {
    for (const std::int64_t side : {box.top, box.bottom(), box.left, box.right()}) sides.push_back(side);
  }
  const torch::Tensor box = torch::tensor(sides).view({count, 4, 1, 1}).to(images.device());
  const auto places = torch::TensorOptions(torch::kLong).device(images.device());
  const torch::Tensor row = torch::arange(height, places).view({1, height, 1});   // [1, H, 1]
  const torch::Tensor column = torch::arange(width, places).view({1, 1, width});  // [1, 1, W]
  const torch::Tensor inside = (row >= box.select(1, 0)) & (row < box.select(1, 1)) & (column >= box.select(1, 2)) &
                               (column < box.select(1, 3));  // [N, H, W]
  return torch::where(inside.unsqueeze(1), others, images);
}

JESSL_INLINE torch::Tensor mixed_targets(std::span<const std::int64_t> labels, std::int64_t classes,
                                         const augment::Mixing& mixing, const torch::Device& device) {
  JESSL_CHECK(classes >= 1, ShapeError, "jessl::train::mixed_targets: classes is ", classes, ", expected at least 1");
  torch::Tensor targets = torch::empty({static_cast<std::int64_t>(labels.size()), classes});
  augment::mixed_targets(labels, classes, mixing,
                         {targets.data_ptr<float>(), static_cast<std::size_t>(targets.numel())});
  return targets.to(device);
}

}  // namespace jessl::train

#endif  // JESSL_DEFINITIONS
