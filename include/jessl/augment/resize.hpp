// SPDX-License-Identifier: Apache-2.0
// Resize: the whole image at another size.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>

#include <jessl/augment/concept.hpp>
#include <jessl/augment/detail/check.hpp>

namespace jessl::augment {

/// The whole image, resampled antialiased bilinear.
///
/// With `size` alone the shorter side gets that length and the aspect ratio is kept, so that the result's size depends
/// on the image: follow it with a CenterCrop. With `width` too the result is exactly `size` high and `width` wide.
///
/// Shapes     [H, W] -> [size, width], or shorter side = size
/// Units      size, width: pixels
/// Randomness none
/// Errors     ConfigError from check() for a size < 1
/// Models     jessl::augment::GeometricOperation (docs/augment/README.md)
/// Source     torchvision Resize
/// Differs    computes in float without rounding to 8 bits
struct Resize {
  static constexpr std::string_view name = "Resize";

  std::int64_t size = 256;  ///< pixels, >= 1: the shorter side; the height if width is set
  std::int64_t width = 0;   ///< pixels: the exact width; 0 = keep the aspect ratio

  struct Params {
    bool operator==(const Params&) const = default;
  };

  void check() const { detail::check_size(name, size, width); }

  [[nodiscard]] Extent output(Extent extent) const {
    if (width > 0) return {size, width};
    if (!extent.known()) return {};
    // The longer side is rounded down, as in torchvision; it is never shorter than the shorter one.
    if (extent.height <= extent.width) return {size, std::max(size, size * extent.width / extent.height)};
    return {std::max(size, size * extent.height / extent.width), size};
  }

  [[nodiscard]] Params sample(Draw&, Extent) const { return {}; }

  [[nodiscard]] Placement place(const Params&, Extent extent) const {
    return {{0, 0, extent.height, extent.width}, output(extent)};
  }
};

}  // namespace jessl::augment

JESSL_OPTIONS(jessl::augment::Resize, size, width);
