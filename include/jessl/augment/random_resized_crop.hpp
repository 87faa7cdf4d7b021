// SPDX-License-Identifier: Apache-2.0
// RandomResizedCrop: a random part of the image, resampled to a fixed size.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <string_view>

#include <jessl/augment/concept.hpp>
#include <jessl/augment/detail/check.hpp>

namespace jessl::augment {

/// A crop of random area and aspect ratio at a random place, resampled to one size.
///
/// The augmentation that joint-embedding methods depend on most. Area is uniform in `scale` (of the image's area), the
/// logarithm of width / height is uniform in log `ratio`, the place is uniform. Where ten tries find no box that fits
/// into the image, the largest central box of an allowed ratio is taken.
///
/// Shapes     [H, W] -> [size, width or size]
/// Units      scale: fraction of the area, 0 < low <= high; ratio: width / height, 0 < low <= high
/// Randomness its own stream of the view; up to ten tries
/// Errors     ConfigError from check() for a size < 1, a range that is reversed or not positive, a scale above 1
/// Models     jessl::augment::GeometricOperation (docs/augment/README.md)
/// Source     Szegedy et al., Going deeper with convolutions, CVPR 2015, section 6; torchvision RandomResizedCrop
/// Differs    resamples antialiased bilinear always; computes in float without rounding to 8 bits
struct RandomResizedCrop {
  static constexpr std::string_view name = "RandomResizedCrop";

  std::int64_t size = 224;                               ///< pixels, >= 1: height of the result, and width unless set
  std::int64_t width = 0;                                ///< pixels: width of the result; 0 = size
  std::array<double, 2> scale = {0.08, 1.0};             ///< fraction of the image's area, in (0, 1]
  std::array<double, 2> ratio = {3.0 / 4.0, 4.0 / 3.0};  ///< width / height of the crop, > 0

  struct Params {
    Region box{};  ///< the part of the image that is seen

    bool operator==(const Params&) const = default;
  };

  void check() const {
    detail::check_size(name, size, width);
    detail::check_range(name, "scale", scale);
    detail::check_range(name, "ratio", ratio);
    JESSL_CHECK(scale[1] <= 1.0, ConfigError, "jessl::augment::", name, ": scale = {", scale[0], ", ", scale[1],
                "}: a crop cannot be larger than its image; choose at most 1");
  }

  [[nodiscard]] Extent output(Extent) const { return {size, width > 0 ? width : size}; }

  [[nodiscard]] Params sample(Draw& draw, Extent extent) const {
    constexpr int tries = 10;
    const double area = static_cast<double>(extent.height) * static_cast<double>(extent.width);
    for (int attempt = 0; attempt < tries; ++attempt) {
      const double target = area * draw.uniform(scale[0], scale[1]);
      const double aspect = std::exp(draw.uniform(std::log(ratio[0]), std::log(ratio[1])));
      const std::int64_t w = rounded(std::sqrt(target * aspect));
      const std::int64_t h = rounded(std::sqrt(target / aspect));
      if (w < 1 || h < 1 || w > extent.width || h > extent.height) continue;
      const std::int64_t top = draw.below(extent.height - h + 1);
      const std::int64_t left = draw.below(extent.width - w + 1);
      return {{top, left, h, w}};
    }
    return {central(extent)};
  }

  [[nodiscard]] Placement place(const Params& params, Extent extent) const { return {params.box, output(extent)}; }

 private:
  /// To the nearest whole number, halves to even, as Python's round.
  [[nodiscard]] static std::int64_t rounded(double value) { return static_cast<std::int64_t>(std::nearbyint(value)); }

  /// The largest central box of an allowed ratio.
  [[nodiscard]] Region central(Extent extent) const {
    const double aspect = static_cast<double>(extent.width) / static_cast<double>(extent.height);
    std::int64_t h = extent.height;
    std::int64_t w = extent.width;
    if (aspect < ratio[0]) {
      h = std::max<std::int64_t>(1, rounded(static_cast<double>(w) / ratio[0]));
    } else if (aspect > ratio[1]) {
      w = std::max<std::int64_t>(1, rounded(static_cast<double>(h) * ratio[1]));
    }
    return {(extent.height - h) / 2, (extent.width - w) / 2, h, w};
  }
};

}  // namespace jessl::augment

JESSL_OPTIONS(jessl::augment::RandomResizedCrop, size, width, scale, ratio);
JESSL_OPTIONS(jessl::augment::RandomResizedCrop::Params, box);
