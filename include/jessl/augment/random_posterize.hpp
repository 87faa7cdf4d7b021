// SPDX-License-Identifier: Apache-2.0
// RandomPosterize: leaves only the upper bits of each value, sometimes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <jessl/augment/concept.hpp>
#include <jessl/augment/detail/check.hpp>

namespace jessl::augment {

/// Keeps the `bits` upper bits of each value as an image of 8 bits has it, with probability p.
///
/// The 8-bit value is the nearest one: an image that has not been resampled gives torchvision's 8-bit result exactly,
/// and one that has, what torchvision gives for the image rounded to 8 bits.
///
/// Shapes     [C, H, W] -> [C, H, W]
/// Units      bits: of 8; p: probability
/// Randomness one draw of its own stream of the view
/// Errors     ConfigError from check() for p outside [0, 1], bits outside 1 to 8
/// Models     jessl::augment::PointwiseOperation (docs/augment/README.md)
/// Source     Cubuk et al., AutoAugment, CVPR 2019, arXiv 1805.09501, table 6; torchvision RandomPosterize on 8 bits
/// Differs    with 8 bits a value is not even rounded
struct RandomPosterize {
  static constexpr std::string_view name = "RandomPosterize";
  static constexpr std::int64_t all_bits = 8;

  std::int64_t bits = 2;  ///< how many are kept, 1 to 8
  double p = 0.5;         ///< probability, in [0, 1]

  using Params = Applied;

  void check() const {
    detail::check_probability(name, "p", p);
    JESSL_CHECK(bits >= 1 && bits <= all_bits, ConfigError, "jessl::augment::", name, ": bits = ", bits,
                ", expected 1 to 8: how many of the 8 bits of a value are kept");
  }

  [[nodiscard]] Params sample(Draw& draw) const { return {draw.bernoulli(p)}; }

  [[nodiscard]] bool active(const Params& params) const { return params.applied && bits < all_bits; }

  template <class T, std::size_t C>
  [[nodiscard]] constexpr Pixel<T, C> apply(Pixel<T, C> pixel, const Params&) const {
    using detail::maximum;
    using detail::minimum;
    using detail::whole;
    const auto step = static_cast<float>(std::int64_t{1} << (all_bits - bits));  // a power of two: exact
    const T brightest = T((256.0F - step) * (1.0F / 255.0F));
    for (std::size_t c = 0; c < C; ++c) {
      const T level = whole((T(255.0F) * pixel[c] + T(0.5F)) * T(1.0F / step));
      pixel[c] = minimum(maximum(level * T(step * (1.0F / 255.0F)), T(0.0F)), brightest);  // last: else no vectors
    }
    return pixel;
  }
};

}  // namespace jessl::augment

JESSL_OPTIONS(jessl::augment::RandomPosterize, bits, p);
