// SPDX-License-Identifier: Apache-2.0
// RandomTranslate: moves the image by a few whole pixels.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include <jessl/augment/concept.hpp>
#include <jessl/augment/detail/check.hpp>

namespace jessl::augment {

/// Moves the image by whole pixels, uniform from -padding to padding on each axis: what padding it on all sides and
/// cropping it to its size at a random place does.
///
/// Shapes     [C, H, W] -> [C, H, W]
/// Units      padding: pixels; fill: fraction of white
/// Cost       a pass of its own that copies
/// Randomness two draws of its own stream of the view
/// Errors     ConfigError from check() for a padding outside [0, 2^15], a fill outside [0, 1]
/// Models     jessl::augment::WarpOperation (docs/augment/README.md)
/// Source     He et al., Deep residual learning, CVPR 2016, section 4.2; FFCV RandomTranslate
struct RandomTranslate {
  static constexpr std::string_view name = "RandomTranslate";

  std::int64_t padding = 4;                        ///< pixels, >= 0: the farthest; the paper's for CIFAR-10
  std::array<double, 3> fill = {{0.0, 0.0, 0.0}};  ///< red, green, blue; grey images take their mean

  struct Params {
    std::int64_t right = 0;  ///< pixels that the picture moves to the right
    std::int64_t down = 0;   ///< pixels that it moves down

    bool operator==(const Params&) const = default;
  };

  void check() const {
    constexpr std::int64_t largest = 1 << 15;
    JESSL_CHECK(padding >= 0 && padding <= largest, ConfigError, "jessl::augment::", name, ": padding = ", padding,
                ", expected 0 to ", largest, " pixels");
    detail::check_colour(name, "fill", fill);
  }

  [[nodiscard]] Params sample(Draw& draw) const {
    const std::int64_t right = draw.below(2 * padding + 1) - padding;
    const std::int64_t down = draw.below(2 * padding + 1) - padding;
    return {right, down};
  }

  [[nodiscard]] bool active(const Params& params) const { return params != Params{}; }

  [[nodiscard]] Warp warp(const Params& params, Extent) const {
    const auto right = static_cast<double>(params.right);
    const auto down = static_cast<double>(params.down);
    return {{1.0, 0.0, -right, 0.0, 1.0, -down, 0.0, 0.0, 1.0}, Interpolation::nearest, fill};
  }
};

}  // namespace jessl::augment

JESSL_OPTIONS(jessl::augment::RandomTranslate, padding, fill);
JESSL_OPTIONS(jessl::augment::RandomTranslate::Params, right, down);
