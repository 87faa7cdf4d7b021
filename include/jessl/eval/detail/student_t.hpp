// SPDX-License-Identifier: Apache-2.0
// Student's t distribution, for confidence intervals of means.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>

#include <jessl/core/detail/separate.hpp>

namespace jessl::eval::detail {

/// The t for which P(|T| <= t) = probability under Student's t distribution with that many degrees of freedom, >= 1.
///
/// With angle = atan(t / sqrt(degrees)) the probability is a finite sum, which grows with the angle: bisection finds it
/// to the last bits.
///
/// Source     Abramowitz, Stegun: Handbook of Mathematical Functions, 1964, 26.7.3 and 26.7.4
[[nodiscard]] double student_t(std::int64_t degrees, double probability);

#if JESSL_DEFINITIONS

JESSL_INLINE double student_t(std::int64_t degrees, double probability) {
  const auto probability_within = [degrees](double angle) {
    const double cosine = std::cos(angle);
    const bool odd = degrees % 2 == 1;
    double term = odd ? cosine : 1.0;
    double sum = degrees == 1 ? 0.0 : term;
    for (std::int64_t k = odd ? 3 : 2; k < degrees; k += 2) {
      term *= static_cast<double>(k - 1) / static_cast<double>(k) * cosine * cosine;
      sum += term;
    }
    return odd ? 2.0 / std::numbers::pi * (angle + std::sin(angle) * sum) : std::sin(angle) * sum;
  };
  double low = 0.0;
  double high = std::numbers::pi / 2.0;
  for (;;) {
    const double middle = 0.5 * (low + high);
    if (middle == low || middle == high) return std::sqrt(static_cast<double>(degrees)) * std::tan(middle);
    (probability_within(middle) < probability ? low : high) = middle;
  }
}

#endif  // JESSL_DEFINITIONS

}  // namespace jessl::eval::detail
