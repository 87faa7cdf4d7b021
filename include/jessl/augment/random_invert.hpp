// SPDX-License-Identifier: Apache-2.0
// RandomInvert: turns the image into its negative, sometimes.
#pragma once

#include <cstddef>
#include <string_view>

#include <jessl/augment/concept.hpp>
#include <jessl/augment/detail/check.hpp>

namespace jessl::augment {

/// Replaces each value by 1 - value with probability p.
///
/// Shapes     [C, H, W] -> [C, H, W]
/// Units      p: probability
/// Randomness one draw of its own stream of the view
/// Errors     ConfigError from check() for p outside [0, 1]
/// Models     jessl::augment::PointwiseOperation (docs/augment/README.md)
/// Source     Cubuk et al., AutoAugment, CVPR 2019, arXiv 1805.09501, table 6; torchvision RandomInvert
struct RandomInvert {
  static constexpr std::string_view name = "RandomInvert";

  double p = 0.5;  ///< probability, in [0, 1]

  using Params = Applied;

  void check() const { detail::check_probability(name, "p", p); }

  [[nodiscard]] Params sample(Draw& draw) const { return {draw.bernoulli(p)}; }

  [[nodiscard]] bool active(const Params& params) const { return params.applied; }

  template <class T, std::size_t C>
  [[nodiscard]] constexpr Pixel<T, C> apply(Pixel<T, C> pixel, const Params&) const {
    for (std::size_t c = 0; c < C; ++c) pixel[c] = T(1.0F) - pixel[c];
    return pixel;
  }
};

}  // namespace jessl::augment

JESSL_OPTIONS(jessl::augment::RandomInvert, p);
