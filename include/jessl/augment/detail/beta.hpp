// SPDX-License-Identifier: Apache-2.0
// Beta-distributed numbers.
#pragma once

#include <cmath>

#include <jessl/core/draw.hpp>

namespace jessl::augment::detail {

/// The logarithm of a number from the gamma distribution of that shape and scale 1, by Marsaglia and Tsang (ACM TOMS 26,
/// 2000). A shape below 1 is one above it times a power of a uniform number, which in logarithms doesn't underflow.
[[nodiscard]] inline double log_gamma_number(Draw& draw, double shape) {
  const double boost = shape < 1.0 ? std::log1p(-draw.uniform()) / shape : 0.0;
  const double d = (shape < 1.0 ? shape + 1.0 : shape) - 1.0 / 3.0;
  const double c = 1.0 / std::sqrt(9.0 * d);
  for (;;) {
    const double x = draw.normal();
    const double root = 1.0 + c * x;
    if (root <= 0.0) continue;
    const double v = root * root * root;
    if (std::log1p(-draw.uniform()) < 0.5 * x * x + d - d * v + d * std::log(v)) return std::log(d * v) + boost;
  }
}

/// From the distribution Beta(a, b) on [0, 1].
[[nodiscard]] inline double beta_number(Draw& draw, double a, double b) {
  const double x = log_gamma_number(draw, a);
  const double y = log_gamma_number(draw, b);
  return 1.0 / (1.0 + std::exp(y - x));
}

}  // namespace jessl::augment::detail
