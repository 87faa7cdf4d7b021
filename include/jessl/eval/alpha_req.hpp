// SPDX-License-Identifier: Apache-2.0
// How fast the eigenvalues of the covariance decay.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/options.hpp>
#include <jessl/eval/concept.hpp>
#include <jessl/eval/spectrum.hpp>

namespace jessl::eval {

/// Which eigenvalues alpha_req fits, and how they are computed.
///
/// Shapes     none
/// Errors     ConfigError from alpha_req for a range that is none, and for threads < 0
/// Models     none
/// Source     that of alpha_req
struct AlphaReQOptions {
  std::int64_t first = 11;   ///< rank of the first eigenvalue of the fit, 1 being the largest, >= 1
  std::int64_t last = 100;   ///< rank of the last one, > first; fewer where there are not as many above 0
  std::int64_t threads = 0;  ///< threads to use; 0: all of the hardware; without meaning for a Spectrum
};

namespace detail {

inline void check_ranks(const AlphaReQOptions& options) {
  JESSL_CHECK(options.first >= 1 && options.last > options.first, ConfigError,
              "jessl::eval::alpha_req: the range of ranks is ", options.first, " to ", options.last,
              ", expected 1 <= first < last");
}

}  // namespace detail

/// alpha-ReQ: the exponent of the power law that the covariance's eigenvalues follow.
///
/// The eigenvalues l_j of the covariance of X, largest first, are taken for l_j = c j^-alpha: a straight line is fitted
/// to log l_j over log j by least squares with weights 1 / j, for the ranks `first` to `last`. alpha is 0 for white
/// features and grows as fewer directions matter. Neither direction is better by itself: values near 1 were found to go
/// with the best linear probes. The value depends on the range: compare at equal ranges.
///
/// Shapes     X: [N, D] -> number
/// Units      dimensionless
/// Precision  as jessl::eval::spectrum; eigenvalues below its rounding take no part
/// Cost       that of jessl::eval::spectrum; with a Spectrum, none
/// Randomness none; the result does not depend on the number of threads, bit for bit
/// Errors     ConfigError for a range that is none, and for threads < 0; DataError when there is no row or column, for
///            NaN or infinity, and when fewer than first + 1 eigenvalues are above 0: too few rows or columns, or a
///            collapse
/// Models     none
/// Source     Agrawal, Mondal, Ghosh, Richards: alpha-ReQ: Assessing Representation Quality in Self-Supervised Learning
///            by measuring eigenspectrum decay, NeurIPS 2022; the fit of Stringer et al., High-dimensional geometry of
///            population responses in visual cortex, Nature 2019
/// Differs    none; the authors' code uses several ranges: 11 to 100 is the default of their library reptrix, 4 to 100
///            and 12 to 50 are in the scripts of the paper (fastssl)
[[nodiscard]] double alpha_req(const Spectrum& spectrum, const AlphaReQOptions& options = {});

template <class = void>
[[nodiscard]] double alpha_req(const Features& x, const AlphaReQOptions& options = {}) {
  detail::check_ranks(options);  // before the work
  return alpha_req(detail::spectrum("jessl::eval::alpha_req", x, options.threads), options);
}

JESSL_INSTANTIATE(double alpha_req<void>(const Features&, const AlphaReQOptions&));

#if JESSL_DEFINITIONS

JESSL_INLINE double alpha_req(const Spectrum& spectrum, const AlphaReQOptions& options) {
  detail::check_ranks(options);
  const auto& eigenvalues = spectrum.covariance_eigenvalues;
  const std::int64_t above = (eigenvalues.array() > 0.0).count();
  JESSL_CHECK(above > options.first, DataError, "jessl::eval::alpha_req: ", above,
              " eigenvalues of the covariance are above 0 (up to rounding), expected at least ", options.first + 1,
              "; take more rows or a lower .first, if the features have not collapsed");

  double weights = 0.0;
  double mean_x = 0.0;
  double mean_y = 0.0;
  const auto over_range = [&](const auto& visit) {
    for (std::int64_t rank = options.first; rank <= std::min(options.last, above); ++rank) {
      const auto j = static_cast<double>(rank);
      visit(1.0 / j, std::log(j), std::log(eigenvalues(rank - 1)));
    }
  };
  over_range([&](double weight, double x, double y) {
    weights += weight;
    mean_x += weight * x;
    mean_y += weight * y;
  });
  mean_x /= weights;
  mean_y /= weights;
  double covariance = 0.0;
  double variance = 0.0;
  over_range([&](double weight, double x, double y) {
    covariance += weight * (x - mean_x) * (y - mean_y);
    variance += weight * (x - mean_x) * (x - mean_x);
  });
  return -covariance / variance;
}

#endif  // JESSL_DEFINITIONS

}  // namespace jessl::eval

JESSL_OPTIONS(jessl::eval::AlphaReQOptions, first, last, threads);
