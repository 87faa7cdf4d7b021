// SPDX-License-Identifier: Apache-2.0
// GaussianNoise: adds independent normal noise to every value.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <jessl/augment/concept.hpp>
#include <jessl/augment/detail/check.hpp>
#include <jessl/augment/detail/normals.hpp>
#include <jessl/core/philox.hpp>

namespace jessl::augment {

/// Adds normal noise, independent for each value of each channel, and clamps to [0, 1]; with probability p.
///
/// Shapes     [C, H, W] -> [C, H, W]
/// Units      mean, sigma: fractions of white
/// Cost       about 50 ns a pixel: the normal numbers
/// Randomness a key from its own stream of the view; the noise is a pure function of that key and the pixel's index, so
///            that the parameters tell all of it
/// Errors     ConfigError from check() for p outside [0, 1], a negative sigma, a mean that is not finite
/// Models     jessl::augment::IndexedOperation (docs/augment/README.md)
/// Source     torchvision v2 GaussianNoise
/// Differs    has a probability; noise is computed in float before any rounding to 8 bits
struct GaussianNoise {
  static constexpr std::string_view name = "GaussianNoise";

  double mean = 0.0;   ///< fraction of white
  double sigma = 0.1;  ///< fraction of white, >= 0
  double p = 1.0;      ///< probability, in [0, 1]

  struct Params {
    bool applied = false;
    Philox::Key key{};  ///< names the field of noise

    bool operator==(const Params&) const = default;
  };

  void check() const {
    detail::check_probability(name, "p", p);
    JESSL_CHECK(sigma >= 0.0 && std::isfinite(sigma), ConfigError, "jessl::augment::", name, ": sigma = ", sigma,
                ", expected a standard deviation >= 0 (0.1 is a tenth of white)");
    JESSL_CHECK(std::isfinite(mean), ConfigError, "jessl::augment::", name, ": mean = ", mean,
                ", expected a finite number");
  }

  [[nodiscard]] Params sample(Draw& draw) const {
    if (!draw.bernoulli(p)) return {};
    const std::uint32_t low = draw.bits();
    const std::uint32_t high = draw.bits();
    return {true, {low, high}};
  }

  [[nodiscard]] bool active(const Params& params) const { return params.applied; }

  template <class T, std::size_t C>
  [[nodiscard]] Pixel<T, C> apply(Pixel<T, C> pixel, const Params& params, std::int64_t index) const {
    const std::array<float, 3> normal = detail::normals_at(params.key, index);
    for (std::size_t c = 0; c < C; ++c) {
      const float noise = static_cast<float>(mean) + static_cast<float>(sigma) * normal[c];
      pixel[c] = detail::clamped(pixel[c] + T(noise));
    }
    return pixel;
  }
};

}  // namespace jessl::augment

JESSL_OPTIONS(jessl::augment::GaussianNoise, mean, sigma, p);
// The key says nothing about the view that a model could learn: it is no column.
JESSL_OPTIONS(jessl::augment::GaussianNoise::Params, applied);
