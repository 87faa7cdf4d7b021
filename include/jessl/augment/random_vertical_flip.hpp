// SPDX-License-Identifier: Apache-2.0
// RandomVerticalFlip: mirrors up and down, sometimes.
#pragma once

#include <string_view>

#include <jessl/augment/concept.hpp>
#include <jessl/augment/detail/check.hpp>

namespace jessl::augment {

/// Mirrors up and down with probability p. Costs nothing: it turns the order in which a resampling reads.
///
/// For pictures without an up: from a microscope, from above.
///
/// Shapes     [H, W] -> [H, W]
/// Units      p: probability
/// Randomness one draw of its own stream of the view
/// Errors     ConfigError from check() for p outside [0, 1]
/// Models     jessl::augment::GeometricOperation (docs/augment/README.md)
/// Source     torchvision RandomVerticalFlip
struct RandomVerticalFlip {
  static constexpr std::string_view name = "RandomVerticalFlip";

  double p = 0.5;  ///< probability, in [0, 1]

  using Params = Applied;

  void check() const { detail::check_probability(name, "p", p); }

  [[nodiscard]] Extent output(Extent extent) const { return extent; }

  [[nodiscard]] Params sample(Draw& draw, Extent) const { return {draw.bernoulli(p)}; }

  [[nodiscard]] Placement place(const Params& params, Extent extent) const {
    return {.box = {0, 0, extent.height, extent.width}, .size = extent, .flip = false, .flip_vertical = params.applied};
  }
};

}  // namespace jessl::augment

JESSL_OPTIONS(jessl::augment::RandomVerticalFlip, p);
