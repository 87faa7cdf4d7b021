// SPDX-License-Identifier: Apache-2.0
// How near predicted numbers come to the true ones.
#pragma once

#include <cmath>
#include <cstdint>
#include <string_view>

#include <Eigen/Core>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/eval/concept.hpp>
#include <jessl/eval/detail/checks.hpp>

namespace jessl::eval {

namespace detail {

/// Numbers and their predictions: of one shape, at least `rows` rows, and all finite.
void check_numbers(std::string_view who, const Features& predicted, const Features& targets, Eigen::Index rows);

}  // namespace detail

/// The mean squared difference, over rows and columns.
///
/// Shapes     predicted: [N, T], targets: [N, T] -> number
/// Precision  float64
/// Errors     ShapeError when the shapes differ; DataError when there is no row or column, for NaN or infinity
/// Models     none
/// Source     none
[[nodiscard]] inline double mean_squared_error(const Features& predicted, const Features& targets) {
  detail::check_numbers("jessl::eval::mean_squared_error", predicted, targets, 1);
  return (targets.cast<double>() - predicted.cast<double>()).squaredNorm() / static_cast<double>(targets.size());
}

/// The coefficient of determination, at most 1: the share of the targets' variance that the predictions explain.
///
/// 1 - sum_i (t_i - p_i)^2 / sum_i (t_i - mean t)^2 of each column, and the mean over the columns. Predicting the mean
/// gives 0, and worse predictions less. A column whose targets are all equal counts 1 if it is predicted exactly, else 0.
///
/// Shapes     predicted: [N, T], targets: [N, T] -> number
/// Precision  float64
/// Errors     ShapeError when the shapes differ; DataError when there are fewer than two rows or no column, for NaN or
///            infinity
/// Models     none
/// Source     as scikit-learn's r2_score
[[nodiscard]] double r2_score(const Features& predicted, const Features& targets);

#if JESSL_DEFINITIONS

namespace detail {

JESSL_INLINE void check_numbers(std::string_view who, const Features& predicted, const Features& targets,
                                Eigen::Index rows) {
  JESSL_CHECK(predicted.rows() == targets.rows() && predicted.cols() == targets.cols(), ShapeError, who,
              ": predicted is ", shape_of(predicted), " but targets is ", shape_of(targets),
              ", expected the same shape");
  check_rows(who, targets, rows, "targets");
  for (Eigen::Index i = 0; i < targets.rows(); ++i) {
    for (Eigen::Index t = 0; t < targets.cols(); ++t) {
      JESSL_CHECK(std::isfinite(predicted(i, t)), DataError, who, ": predicted(", i, ", ", t, ") is ", predicted(i, t),
                  ", expected a finite number");
      JESSL_CHECK(std::isfinite(targets(i, t)), DataError, who, ": targets(", i, ", ", t, ") is ", targets(i, t),
                  ", expected a finite number");
    }
  }
}

}  // namespace detail

JESSL_INLINE double r2_score(const Features& predicted, const Features& targets) {
  detail::check_numbers("jessl::eval::r2_score", predicted, targets, 2);
  double sum = 0.0;
  for (Eigen::Index t = 0; t < targets.cols(); ++t) {
    const Eigen::VectorXd wanted = targets.col(t).cast<double>();
    const double residual = (wanted - predicted.col(t).cast<double>()).squaredNorm();
    // Exactly 0 where all are equal: sums of equal float32 numbers are not rounded in float64.
    const double all = (wanted.array() - wanted.mean()).square().sum();
    sum += all > 0 ? 1.0 - residual / all : (residual == 0 ? 1.0 : 0.0);
  }
  return sum / static_cast<double>(targets.cols());
}

#endif  // JESSL_DEFINITIONS

}  // namespace jessl::eval
