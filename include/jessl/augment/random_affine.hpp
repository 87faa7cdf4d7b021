// SPDX-License-Identifier: Apache-2.0
// RandomAffine: turns, moves, scales and shears the image at random.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include <jessl/augment/concept.hpp>
#include <jessl/augment/detail/check.hpp>
#include <jessl/augment/detail/maps.hpp>

namespace jessl::augment {

/// Scales, shears, turns and moves the image, each by a uniform amount, in one resampling.
///
/// Shapes     [C, H, W] -> [C, H, W]
/// Units      degrees, shear: degrees; translate: fraction of width and height; scale: factor; center: pixels; fill:
///            fraction of white
/// Cost       a pass of its own: a copy of the image, and one pixel (nearest) or four (bilinear) read for each output
/// Randomness six draws of its own stream of the view
/// Errors     ConfigError from check() for degrees outside [0, 360], a translation outside [0, 1], a scale that is
///            reversed or not positive, a shear that is reversed or reaches 90 degrees, a center that is not finite, a fill
///            outside [0, 1]
/// Models     jessl::augment::WarpOperation (docs/augment/README.md)
/// Source     torchvision RandomAffine
struct RandomAffine {
  static constexpr std::string_view name = "RandomAffine";

  double degrees = 30.0;                                 ///< degrees, in [0, 360]: angles from -degrees to degrees
  std::array<double, 2> translate = {{0.0, 0.0}};        ///< fraction of width and of height, in [0, 1]: the farthest
  std::array<double, 2> scale = {{1.0, 1.0}};            ///< factor, > 0; above 1 enlarges
  std::array<double, 4> shear = {{0.0, 0.0, 0.0, 0.0}};  ///< degrees: from, to along x; from, to along y
  Interpolation interpolation = Interpolation::nearest;  ///< nearest or bilinear
  std::optional<std::array<double, 2>> center{};         ///< pixels {x, y} from the upper left corner; the middle
  std::array<double, 3> fill = {{0.0, 0.0, 0.0}};        ///< red, green, blue; grey images take their mean

  struct Params {
    double angle = 0.0;                                ///< degrees, clockwise
    std::array<std::int64_t, 2> translate = {{0, 0}};  ///< pixels to the right and down
    double scale = 1.0;                                ///< factor
    std::array<double, 2> shear = {{0.0, 0.0}};        ///< degrees along x and along y

    bool operator==(const Params&) const = default;
  };

  void check() const {
    detail::check_degrees(name, "degrees", degrees);
    for (std::size_t i = 0; i < 2; ++i) {
      JESSL_CHECK(translate[i] >= 0.0 && translate[i] <= 1.0, ConfigError, "jessl::augment::", name, ": translate[", i,
                  "] = ", translate[i], ", expected a fraction of the ", i == 0 ? "width" : "height", ", in [0, 1]");
    }
    detail::check_range(name, "scale", scale);
    for (std::size_t i = 0; i < shear.size(); i += 2) {
      JESSL_CHECK(shear[i] > -90.0 && shear[i] <= shear[i + 1] && shear[i + 1] < 90.0, ConfigError,
                  "jessl::augment::", name, ": shear[", i, "], shear[", i + 1, "] = ", shear[i], ", ", shear[i + 1],
                  ", expected from <= to, both between -90 and 90 degrees");
    }
    detail::check_named(name, "interpolation", interpolation);
    detail::check_center(name, "center", center);
    detail::check_colour(name, "fill", fill);
  }

  [[nodiscard]] Params sample(Draw& draw, Extent extent) const {
    Params params;
    params.angle = draw.uniform(-degrees, degrees);
    const double right = translate[0] * static_cast<double>(extent.width);
    const double down = translate[1] * static_cast<double>(extent.height);
    params.translate[0] = static_cast<std::int64_t>(std::nearbyint(draw.uniform(-right, right)));
    params.translate[1] = static_cast<std::int64_t>(std::nearbyint(draw.uniform(-down, down)));
    params.scale = draw.uniform(scale[0], scale[1]);
    params.shear[0] = draw.uniform(shear[0], shear[1]);
    params.shear[1] = draw.uniform(shear[2], shear[3]);
    return params;
  }

  [[nodiscard]] bool active(const Params& params) const { return params != Params{}; }

  [[nodiscard]] Warp warp(const Params& params, Extent extent) const {
    const detail::Affine map{params.angle,
                             {static_cast<double>(params.translate[0]), static_cast<double>(params.translate[1])},
                             params.scale,
                             params.shear};
    return {detail::inverse(map, center, extent), interpolation, fill};
  }
};

}  // namespace jessl::augment

JESSL_OPTIONS(jessl::augment::RandomAffine, degrees, translate, scale, shear, interpolation, center, fill);
JESSL_OPTIONS(jessl::augment::RandomAffine::Params, angle, translate, scale, shear);
