// SPDX-License-Identifier: Apache-2.0
// RandomRotation: turns the image by a random angle.
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include <jessl/augment/concept.hpp>
#include <jessl/augment/detail/check.hpp>
#include <jessl/augment/detail/maps.hpp>

namespace jessl::augment {

/// Turns the image by an angle that is uniform on both sides; corners that leave it are lost.
///
/// Shapes     [C, H, W] -> [C, H, W]
/// Units      degrees: degrees; center: pixels; fill: fraction of white
/// Cost       a pass of its own: a copy of the image, and one pixel (nearest) or four (bilinear) read for each output
/// Randomness one draw of its own stream of the view
/// Errors     ConfigError from check() for degrees outside [0, 360], a center that is not finite, a fill outside [0, 1]
/// Models     jessl::augment::WarpOperation (docs/augment/README.md)
/// Source     torchvision RandomRotation, without `expand`: views of a batch have one size
struct RandomRotation {
  static constexpr std::string_view name = "RandomRotation";

  double degrees = 30.0;                                 ///< degrees, in [0, 360]: angles from -degrees to degrees
  Interpolation interpolation = Interpolation::nearest;  ///< nearest or bilinear
  std::optional<std::array<double, 2>> center{};         ///< pixels {x, y} from the upper left corner; the middle
  std::array<double, 3> fill = {{0.0, 0.0, 0.0}};        ///< red, green, blue; grey images take their mean

  struct Params {
    double angle = 0.0;  ///< degrees, counter-clockwise

    bool operator==(const Params&) const = default;
  };

  void check() const {
    detail::check_degrees(name, "degrees", degrees);
    detail::check_named(name, "interpolation", interpolation);
    detail::check_center(name, "center", center);
    detail::check_colour(name, "fill", fill);
  }

  [[nodiscard]] Params sample(Draw& draw) const { return {draw.uniform(-degrees, degrees)}; }

  [[nodiscard]] bool active(const Params& params) const { return params.angle != 0.0; }

  [[nodiscard]] Warp warp(const Params& params, Extent extent) const {
    return {detail::inverse({.angle = -params.angle}, center, extent), interpolation, fill};
  }
};

}  // namespace jessl::augment

JESSL_OPTIONS(jessl::augment::RandomRotation, degrees, interpolation, center, fill);
JESSL_OPTIONS(jessl::augment::RandomRotation::Params, angle);
