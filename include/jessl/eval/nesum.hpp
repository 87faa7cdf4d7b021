// SPDX-License-Identifier: Apache-2.0
// The sum of the covariance's eigenvalues over the largest one.
#pragma once

#include <jessl/core/detail/separate.hpp>
#include <jessl/eval/concept.hpp>
#include <jessl/eval/metric_options.hpp>
#include <jessl/eval/spectrum.hpp>

namespace jessl::eval {

/// NESum, the normalised eigenvalue sum: how far features are from lying on one line.
///
/// sum_k l_k / l_1 over the eigenvalues l of the covariance of X, largest first, with 0 / 0 = 0. From 1 (one direction)
/// to min(N - 1, D) (white features), 0 for constant ones. Higher is less collapsed, which is not always better: the
/// paper finds that features between collapsed and white generalise best.
///
/// Shapes     X: [N, D] -> number
/// Units      dimensions
/// Precision  as jessl::eval::spectrum
/// Cost       that of jessl::eval::spectrum; with a Spectrum, none
/// Randomness none; the result does not depend on the number of threads, bit for bit
/// Errors     ConfigError for threads < 0; DataError when there is no row or column, for NaN or infinity
/// Models     none
/// Source     He, Ozay: Exploring the Gap between Collapsed & Whitened Features in Self-Supervised Learning, ICML 2022,
///            definition 4.1
/// Differs    none
[[nodiscard]] inline double nesum(const Spectrum& spectrum) {
  const auto& eigenvalues = spectrum.covariance_eigenvalues;
  return eigenvalues.size() > 0 && eigenvalues(0) > 0.0 ? eigenvalues.sum() / eigenvalues(0) : 0.0;
}

template <class = void>
[[nodiscard]] double nesum(const Features& x, const MetricOptions& options = {}) {
  return nesum(detail::spectrum("jessl::eval::nesum", x, options.threads));
}

JESSL_INSTANTIATE(double nesum<void>(const Features&, const MetricOptions&));

}  // namespace jessl::eval
