// SPDX-License-Identifier: Apache-2.0
// Distances between distributions, for the tests of draws.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace augment_test {

/// Kolmogorov-Smirnov: the largest distance from the uniform distribution on [low, high].
inline double distance_from_uniform(std::vector<double> values, double low, double high) {
  std::sort(values.begin(), values.end());
  const auto n = static_cast<double>(values.size());
  double largest = 0.0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double expected = (values[i] - low) / (high - low);
    largest = std::max({largest, std::abs(expected - static_cast<double>(i) / n),
                        std::abs(expected - static_cast<double>(i + 1) / n)});
  }
  return largest;
}

/// The largest distance between two empirical distributions.
inline double distance(std::vector<double> a, std::vector<double> b) {
  std::sort(a.begin(), a.end());
  std::sort(b.begin(), b.end());
  double largest = 0.0;
  for (const std::vector<double>& points : {a, b}) {
    for (const double x : points) {
      const auto below = [&](const std::vector<double>& v) {
        return static_cast<double>(std::upper_bound(v.begin(), v.end(), x) - v.begin()) / static_cast<double>(v.size());
      };
      largest = std::max(largest, std::abs(below(a) - below(b)));
    }
  }
  return largest;
}

}  // namespace augment_test
