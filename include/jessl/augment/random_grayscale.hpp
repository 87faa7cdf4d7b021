// SPDX-License-Identifier: Apache-2.0
// RandomGrayscale: takes the colour away, sometimes.
#pragma once

#include <cstddef>
#include <string_view>

#include <jessl/augment/concept.hpp>
#include <jessl/augment/detail/check.hpp>

namespace jessl::augment {

/// Replaces each channel by the luma 0.2989 R + 0.587 G + 0.114 B with probability p. Leaves a grey image as it is.
///
/// Shapes     [C, H, W] -> [C, H, W]
/// Units      p: probability
/// Randomness one draw of its own stream of the view
/// Errors     ConfigError from check() for p outside [0, 1]
/// Models     jessl::augment::PointwiseOperation (docs/augment/README.md)
/// Source     torchvision RandomGrayscale
struct RandomGrayscale {
  static constexpr std::string_view name = "RandomGrayscale";

  double p = 0.1;  ///< probability, in [0, 1]

  using Params = Applied;

  void check() const { detail::check_probability(name, "p", p); }

  [[nodiscard]] Params sample(Draw& draw) const { return {draw.bernoulli(p)}; }

  [[nodiscard]] bool active(const Params& params) const { return params.applied; }

  template <class T, std::size_t C>
  [[nodiscard]] constexpr Pixel<T, C> apply(Pixel<T, C> pixel, const Params&) const {
    const T grey = detail::luma(pixel);
    for (std::size_t c = 0; c < C; ++c) pixel[c] = grey;
    return pixel;
  }
};

}  // namespace jessl::augment

JESSL_OPTIONS(jessl::augment::RandomGrayscale, p);
