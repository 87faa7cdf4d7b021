// SPDX-License-Identifier: Apache-2.0
// RandomGamma: bends the tone curve by a random power.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <string_view>

#include <jessl/augment/concept.hpp>
#include <jessl/augment/detail/check.hpp>

namespace jessl::augment {

/// Raises each value to a random power, with probability p: below 1 lightens the midtones, above 1 darkens them.
///
/// The power is log-uniform, so that an interval {1/g, g} lightens as often as it darkens. Black and white stay: what
/// brightness and contrast lose by clamping, gamma keeps.
///
/// Shapes     [C, H, W] -> [C, H, W]
/// Units      gamma: power, > 0; p: probability
/// Cost       one power a value
/// Randomness two draws of its own stream of the view
/// Errors     ConfigError from check() for p outside [0, 1], a power that is not positive, an empty interval
/// Models     jessl::augment::PointwiseOperation (docs/augment/README.md)
/// Source     torchvision adjust_gamma (gain 1); the random power is ours
struct RandomGamma {
  static constexpr std::string_view name = "RandomGamma";

  std::array<double, 2> gamma = {0.5, 2.0};  ///< least and greatest power, > 0
  double p = 1.0;                            ///< probability, in [0, 1]

  struct Params {
    bool applied = false;
    double gamma = 1.0;  ///< the power

    bool operator==(const Params&) const = default;
  };

  void check() const {
    detail::check_probability(name, "p", p);
    JESSL_CHECK(gamma[0] > 0.0 && gamma[0] <= gamma[1] && std::isfinite(gamma[1]), ConfigError,
                "jessl::augment::", name, ": gamma = [", gamma[0], ", ", gamma[1],
                "], expected two powers 0 < least <= greatest; {0.5, 2} is usual");
  }

  [[nodiscard]] Params sample(Draw& draw) const {
    if (!draw.bernoulli(p)) return {};
    return {true, std::exp(draw.uniform(std::log(gamma[0]), std::log(gamma[1])))};
  }

  [[nodiscard]] bool active(const Params& params) const { return params.applied; }

  template <class T, std::size_t C>
  [[nodiscard]] Pixel<T, C> apply(Pixel<T, C> pixel, const Params& params) const {
    using std::pow;
    const T power = T(static_cast<float>(params.gamma));
    for (std::size_t c = 0; c < C; ++c) pixel[c] = pow(pixel[c], power);
    return pixel;
  }
};

}  // namespace jessl::augment

JESSL_OPTIONS(jessl::augment::RandomGamma, gamma, p);
JESSL_OPTIONS(jessl::augment::RandomGamma::Params, applied, gamma);
