// SPDX-License-Identifier: Apache-2.0
// RandomAutocontrast: stretches each channel over the whole range, sometimes.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>

#include <jessl/augment/concept.hpp>
#include <jessl/augment/detail/check.hpp>

namespace jessl::augment {

/// Makes the darkest value of each channel 0 and the brightest 1, and what lies between linear; with probability p.
///
/// Shapes     [C, H, W] -> [C, H, W]
/// Units      p: probability
/// Cost       begins a new pass over the pixels; the one before finds the two values
/// Randomness one draw of its own stream of the view
/// Errors     ConfigError from check() for p outside [0, 1]
/// Models     jessl::augment::AdaptiveOperation (docs/augment/README.md)
/// Source     Cubuk et al., AutoAugment, CVPR 2019, arXiv 1805.09501, table 6; torchvision RandomAutocontrast
/// Differs    a channel whose values lie within half a step of 8 bits stays as it is: in 8 bits it has but one value, and
///            what float rounding left of it would be stretched to black and white
struct RandomAutocontrast {
  static constexpr std::string_view name = "RandomAutocontrast";

  double p = 0.5;  ///< probability, in [0, 1]

  using Params = Applied;

  /// The least and the greatest value of each channel, and the line through (least, 0) and (greatest, 1).
  ///
  /// Shapes     [3]
  /// Errors     none
  /// Models     the Statistics of a jessl::augment::AdaptiveOperation
  /// Source     none
  struct Statistics {
    std::array<float, 3> least{infinity, infinity, infinity};
    std::array<float, 3> greatest{-infinity, -infinity, -infinity};
    std::array<float, 3> scale{1.0F, 1.0F, 1.0F};
    std::array<float, 3> shift{};

    void add(std::size_t channel, std::span<const float> values) {
      constexpr std::size_t lanes = 16;  // so that the compiler may compare several at once
      std::array<float, lanes> low{};
      std::array<float, lanes> high{};
      low.fill(least[channel]);
      high.fill(greatest[channel]);
      std::size_t i = 0;
      for (; i + lanes <= values.size(); i += lanes) {
        for (std::size_t lane = 0; lane < lanes; ++lane) {
          low[lane] = detail::minimum(values[i + lane], low[lane]);
          high[lane] = detail::maximum(values[i + lane], high[lane]);
        }
      }
      for (; i < values.size(); ++i) {
        low[0] = detail::minimum(values[i], low[0]);
        high[0] = detail::maximum(values[i], high[0]);
      }
      least[channel] = *std::min_element(low.begin(), low.end());
      greatest[channel] = *std::max_element(high.begin(), high.end());
    }

    void finish() {
      constexpr float half_step = 0.5F / 255.0F;
      for (std::size_t c = 0; c < scale.size(); ++c) {
        const float range = greatest[c] - least[c];
        if (!(range >= half_step)) continue;  // or a channel that the image has not: its range is -infinity
        scale[c] = 1.0F / range;
        shift[c] = -least[c] * scale[c];
      }
    }

   private:
    static constexpr float infinity = std::numeric_limits<float>::infinity();
  };

  void check() const { detail::check_probability(name, "p", p); }

  [[nodiscard]] Params sample(Draw& draw) const { return {draw.bernoulli(p)}; }

  [[nodiscard]] bool active(const Params& params) const { return params.applied; }

  template <class T, std::size_t C>
  [[nodiscard]] constexpr Pixel<T, C> apply(Pixel<T, C> pixel, const Params&, const Statistics& seen) const {
    for (std::size_t c = 0; c < C; ++c) pixel[c] = detail::clamped(pixel[c] * T(seen.scale[c]) + T(seen.shift[c]));
    return pixel;
  }
};

}  // namespace jessl::augment

JESSL_OPTIONS(jessl::augment::RandomAutocontrast, p);
