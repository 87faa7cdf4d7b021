// SPDX-License-Identifier: Apache-2.0
// RandomSolarize: inverts what is bright, sometimes.
#pragma once

#include <cstddef>
#include <string_view>

#include <jessl/augment/concept.hpp>
#include <jessl/augment/detail/check.hpp>

namespace jessl::augment {

/// Inverts each value that is at least the threshold, with probability p.
///
/// The default threshold, 0.5, parts 8-bit values where 128 does: 127/255 stays, 128/255 is inverted.
///
/// Shapes     [C, H, W] -> [C, H, W]
/// Units      threshold: value in [0, 1]; p: probability
/// Randomness one draw of its own stream of the view
/// Errors     ConfigError from check() for p or threshold outside [0, 1]
/// Models     jessl::augment::PointwiseOperation (docs/augment/README.md)
/// Source     Grill et al., BYOL, NeurIPS 2020, arXiv 2006.07733, appendix B; torchvision RandomSolarize
struct RandomSolarize {
  static constexpr std::string_view name = "RandomSolarize";

  double threshold = 0.5;  ///< value from which on is inverted, in [0, 1]
  double p = 0.5;          ///< probability, in [0, 1]

  using Params = Applied;

  void check() const {
    detail::check_probability(name, "p", p);
    JESSL_CHECK(threshold >= 0.0 && threshold <= 1.0, ConfigError, "jessl::augment::", name,
                ": threshold = ", threshold, " is outside [0, 1]; values are fractions of white, so 8-bit 128 is 0.5");
  }

  [[nodiscard]] Params sample(Draw& draw) const { return {draw.bernoulli(p)}; }

  [[nodiscard]] bool active(const Params& params) const { return params.applied; }

  template <class T, std::size_t C>
  [[nodiscard]] constexpr Pixel<T, C> apply(Pixel<T, C> pixel, const Params&) const {
    using detail::select;
    const T bright = T(static_cast<float>(threshold));
    for (std::size_t c = 0; c < C; ++c) pixel[c] = select(pixel[c] >= bright, T(1.0F) - pixel[c], pixel[c]);
    return pixel;
  }
};

}  // namespace jessl::augment

JESSL_OPTIONS(jessl::augment::RandomSolarize, threshold, p);
