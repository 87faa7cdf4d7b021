// SPDX-License-Identifier: Apache-2.0
// RandomPerspective: shows the image as if seen from elsewhere, sometimes.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include <jessl/augment/concept.hpp>
#include <jessl/augment/detail/check.hpp>
#include <jessl/augment/detail/maps.hpp>

namespace jessl::augment {

/// Moves each corner of the image inwards to a random place, and the image with them, with probability p.
///
/// Shapes     [C, H, W] -> [C, H, W]
/// Units      distortion_scale: fraction of half the image; p: probability; fill: fraction of white
/// Cost       a pass of its own: a copy of the image, and one pixel (nearest) or four (bilinear) read for each output
/// Randomness nine draws of its own stream of the view
/// Errors     ConfigError from check() for p or distortion_scale outside [0, 1], a fill outside [0, 1]
/// Models     jessl::augment::WarpOperation (docs/augment/README.md)
/// Source     torchvision RandomPerspective
/// Differs    where three corners lie in a line (a distortion_scale of 1, an image of one row) no map exists and the
///            image stays; torchvision's result is then arbitrary
struct RandomPerspective {
  static constexpr std::string_view name = "RandomPerspective";

  double distortion_scale = 0.5;                          ///< fraction of half the image, in [0, 1]: the farthest
  double p = 0.5;                                         ///< probability, in [0, 1]
  Interpolation interpolation = Interpolation::bilinear;  ///< nearest or bilinear
  std::array<double, 3> fill = {{0.0, 0.0, 0.0}};         ///< red, green, blue; grey images take their mean

  struct Params {
    bool applied = false;
    std::array<std::array<std::int64_t, 2>, 4> corners{};  ///< pixels {x, y} that the corners go to, clockwise from
                                                           ///< the upper left one

    bool operator==(const Params&) const = default;
  };

  void check() const {
    JESSL_CHECK(distortion_scale >= 0.0 && distortion_scale <= 1.0, ConfigError, "jessl::augment::", name,
                ": distortion_scale = ", distortion_scale, ", expected a fraction of half the image, in [0, 1]");
    detail::check_probability(name, "p", p);
    detail::check_named(name, "interpolation", interpolation);
    detail::check_colour(name, "fill", fill);
  }

  [[nodiscard]] Params sample(Draw& draw, Extent extent) const {
    if (!draw.bernoulli(p)) return {};
    Params params{true, corners_of(extent)};
    const std::int64_t across = farthest(extent.width) + 1;
    const std::int64_t down = farthest(extent.height) + 1;
    for (auto& [x, y] : params.corners) {
      const std::int64_t moved_x = draw.below(across);
      const std::int64_t moved_y = draw.below(down);
      x = x == 0 ? moved_x : x - moved_x;
      y = y == 0 ? moved_y : y - moved_y;
    }
    return params;
  }

  [[nodiscard]] bool active(const Params& params) const { return params.applied; }

  [[nodiscard]] Warp warp(const Params& params, Extent extent) const {
    const auto matrix = detail::projective(params.corners, corners_of(extent));
    return {matrix.value_or(Warp{}.matrix), interpolation, fill};
  }

 private:
  [[nodiscard]] static std::array<std::array<std::int64_t, 2>, 4> corners_of(Extent extent) {
    const std::int64_t right = extent.width - 1;
    const std::int64_t bottom = extent.height - 1;
    return {{{0, 0}, {right, 0}, {right, bottom}, {0, bottom}}};
  }

  /// How far a corner may go along a side of that length.
  [[nodiscard]] std::int64_t farthest(std::int64_t length) const {
    return static_cast<std::int64_t>(distortion_scale * static_cast<double>(length / 2));
  }
};

}  // namespace jessl::augment

JESSL_OPTIONS(jessl::augment::RandomPerspective, distortion_scale, p, interpolation, fill);
JESSL_OPTIONS(jessl::augment::RandomPerspective::Params, applied, corners);
