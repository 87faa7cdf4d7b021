// SPDX-License-Identifier: Apache-2.0
// RandomAdjustSharpness: sharpens or softens, sometimes.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <string_view>

#include <jessl/augment/concept.hpp>
#include <jessl/augment/detail/check.hpp>

namespace jessl::augment {

/// Blends each value with the mean of its neighbourhood, with probability p: value + (1 - sharpness) (mean - value).
///
/// The mean weighs the pixel with 5 and its eight neighbours with 1 each. 0 softens, 1 changes nothing, 2 sharpens. The
/// outermost row and column on each side stay as they are.
///
/// Shapes     [C, H, W] -> [C, H, W]
/// Units      sharpness: factor, >= 0; p: probability
/// Cost       one horizontal and one vertical pass of three taps
/// Randomness one draw of its own stream of the view
/// Errors     ConfigError from check() for p outside [0, 1], a negative sharpness
/// Models     jessl::augment::BlendOperation (docs/augment/README.md)
/// Source     Cubuk et al., AutoAugment, CVPR 2019, arXiv 1805.09501, table 6; torchvision RandomAdjustSharpness, Pillow
///            ImageEnhance.Sharpness
/// Differs    the mean is not rounded to 8 bits
struct RandomAdjustSharpness {
  static constexpr std::string_view name = "RandomAdjustSharpness";

  double sharpness = 2.0;  ///< factor, >= 0; 1 changes nothing
  double p = 0.5;          ///< probability, in [0, 1]

  using Params = Applied;

  void check() const {
    detail::check_probability(name, "p", p);
    JESSL_CHECK(sharpness >= 0.0 && std::isfinite(sharpness), ConfigError, "jessl::augment::", name,
                ": sharpness = ", sharpness, ", expected a number >= 0; 0 softens, 1 changes nothing, 2 sharpens");
  }

  [[nodiscard]] Params sample(Draw& draw) const { return {draw.bernoulli(p)}; }

  [[nodiscard]] bool active(const Params& params) const { return params.applied; }

  [[nodiscard]] std::int64_t radius(Extent) const { return 1; }

  void kernel(const Params&, std::span<float> weights) const {
    std::fill(weights.begin(), weights.end(), 1.0F / 3.0F);  // the plain mean of all nine
  }

  [[nodiscard]] float blend(float value, float mean_of_nine, const Params&) const {
    const float mean = (9.0F * mean_of_nine + 4.0F * value) * (1.0F / 13.0F);
    const auto factor = static_cast<float>(sharpness);
    return detail::clamped(factor * value + (1.0F - factor) * mean);
  }
};

}  // namespace jessl::augment

JESSL_OPTIONS(jessl::augment::RandomAdjustSharpness, sharpness, p);
