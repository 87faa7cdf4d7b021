// SPDX-License-Identifier: Apache-2.0
// RandomHorizontalFlip: mirrors left and right, sometimes.
#pragma once

#include <string_view>

#include <jessl/augment/concept.hpp>
#include <jessl/augment/detail/check.hpp>

namespace jessl::augment {

/// Mirrors left and right with probability p. Costs nothing: it turns the order in which a resampling reads.
///
/// Shapes     [H, W] -> [H, W]
/// Units      p: probability
/// Randomness one draw of its own stream of the view
/// Errors     ConfigError from check() for p outside [0, 1]
/// Models     jessl::augment::GeometricOperation (docs/augment/README.md)
/// Source     torchvision RandomHorizontalFlip
struct RandomHorizontalFlip {
  static constexpr std::string_view name = "RandomHorizontalFlip";

  double p = 0.5;  ///< probability, in [0, 1]

  using Params = Applied;

  void check() const { detail::check_probability(name, "p", p); }

  [[nodiscard]] Extent output(Extent extent) const { return extent; }

  [[nodiscard]] Params sample(Draw& draw, Extent) const { return {draw.bernoulli(p)}; }

  [[nodiscard]] Placement place(const Params& params, Extent extent) const {
    return {{0, 0, extent.height, extent.width}, extent, params.applied};
  }
};

}  // namespace jessl::augment

JESSL_OPTIONS(jessl::augment::RandomHorizontalFlip, p);
