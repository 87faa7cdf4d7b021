// SPDX-License-Identifier: Apache-2.0
// The singular values of features and the eigenvalues of their covariance, by one decomposition.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string_view>

#include <Eigen/Core>

#include <jessl/core/thread_pool.hpp>
#include <jessl/eval/concept.hpp>
#include <jessl/eval/detail/checks.hpp>
#include <jessl/eval/detail/eigenvalues.hpp>
#include <jessl/eval/detail/rows.hpp>
#include <jessl/eval/detail/second_moment.hpp>
#include <jessl/eval/metric_options.hpp>

namespace jessl::eval {

/// What the metrics of rank are functions of: the spectra of features X, and of X less its mean.
///
/// rank_me, effective_rank, alpha_req and nesum take it instead of X, so that all of them together cost one
/// decomposition. jessl::eval::spectrum makes it.
///
/// Shapes     singular_values: [min(N, D)];  covariance_eigenvalues: [min(N, D)]
/// Units      singular_values: those of X;  covariance_eigenvalues: their square
/// Errors     none
/// Models     none
/// Source     none
struct Spectrum {
  Eigen::VectorXd singular_values;         ///< of X as it is, largest first
  Eigen::VectorXd covariance_eigenvalues;  ///< of the covariance of X's columns (divided by N - 1), largest first
};

namespace detail {

/// 0 in place of eigenvalues, largest first, that are no larger than rounding makes of 0.
[[nodiscard]] inline Eigen::VectorXd above_rounding(const Eigen::VectorXd& eigenvalues, double rounding) {
  const double decomposition = static_cast<double>(eigenvalues.size()) * std::numeric_limits<double>::epsilon();
  return (eigenvalues.array() > rounding + decomposition * std::max(0.0, eigenvalues(0))).select(eigenvalues, 0.0);
}

/// jessl::eval::spectrum for a caller named `who`.
///
/// C = sum_i (x_i - m)(x_i - m)^T is what float32 sums accurately, the mean m being large for features after a ReLU;
/// the second moment is M = C + N m m^T. Both become tridiagonal by the same reflections if the first basis vector is
/// m: M then differs from C in one entry. These are the reflections that make [0 m^T; m C] tridiagonal. With fewer rows
/// than columns it is [N |m|^2, sqrt(N) w^T; sqrt(N) w, G], the Gram matrix of the rows sqrt(N) m, x_1 - m, ..., x_N -
/// m (which have the second moment M), without whose first row and column it is that of the centred rows.
[[nodiscard]] inline Spectrum spectrum(std::string_view who, const Features& x, std::int64_t threads) {
  check_rows(who, x, 1);
  ThreadPool pool(thread_count(who, threads));
  const Centre centre = centre_of(who, x, pool);

  const Eigen::Index size = std::min(x.rows(), x.cols());
  const auto rows = static_cast<double>(x.rows());
  const Eigen::RowVectorXd mean = centre.mean * centre.scale;
  const bool tall = x.rows() >= x.cols();
  Eigen::MatrixXd bordered = Eigen::MatrixXd::Zero(size + 1, size + 1);
  const auto inner = bordered.bottomRightCorner(size, size);
  Rounding rounding;
  if (tall) {
    bordered.col(0).tail(size) = mean.transpose();
    rounding = add_second_moment(
        pool, x.rows(), [&](Eigen::Index first, auto out) { centre.write_rows(x, first, out); }, inner);
  } else {
    bordered(0, 0) = rows * mean.squaredNorm();
    for_each_block(pool, x.rows(), [&](Eigen::Index first, Eigen::Index count, std::size_t) {
      for (Eigen::Index row = first; row < first + count; ++row) {
        const double product = (x.row(row).cast<double>() * centre.scale - mean).dot(mean);
        bordered(row + 1, 0) = std::sqrt(rows) * product;
      }
    });
    rounding = add_second_moment(
        pool, x.cols(), [&](Eigen::Index first, auto out) { centre.write_columns(x, first, out); }, inner);
  }

  Tridiagonal of_all = tridiagonalise(bordered, pool);
  const Tridiagonal of_centred{of_all.diagonal.tail(size), of_all.subdiagonal.tail(size - 1)};
  const Eigen::VectorXd centred = eigenvalues_of(of_centred);
  if (tall) {
    of_all = of_centred;
    of_all.diagonal(0) += rows * mean.squaredNorm();
  }
  const Eigen::VectorXd squares = eigenvalues_of(of_all).head(size);
  const double uncertain = rounding(centred(0));  // in both: the mean's part is exact
  const double unit = 1.0 / centre.scale;
  return {.singular_values = above_rounding(squares, uncertain).cwiseSqrt() * unit,
          .covariance_eigenvalues = above_rounding(centred, uncertain) * (unit * unit / std::max(1.0, rows - 1.0))};
}

}  // namespace detail

/// The singular values of X and the eigenvalues of its covariance, from the smaller of the two Gram matrices.
///
/// The singular values are the roots of the eigenvalues of X^T X [D, D] or X X^T [N, N], whichever is smaller, which
/// costs a small part of a singular value decomposition of X. The price of squaring: singular values below about 3e-4
/// of the largest one of the centred features are lost in the rounding of float32 products, and come out as 0 (the page
/// has figures). Against sums in float32 alone this is a gain of several times, because products are added in float64
/// 256 by 256 and the mean is taken out before.
///
/// Shapes     X: [N, D] -> two vectors [min(N, D)]
/// Units      those of X, and their square
/// Precision  float32 products of centred features, added in float64; the decomposition in float64
/// Cost       N D min(N, D) operations as blocked matrix products, 8/3 min(N, D)^3 for the decomposition; memory 16
///            min(N, D)^2 bytes and 4 KB a column
/// Randomness none; the result does not depend on the number of threads, bit for bit
/// Errors     ConfigError for threads < 0; DataError when there is no row or column, for NaN or infinity
/// Models     none
/// Source     Golub, Van Loan: Matrix Computations, 4th edition, 2013, sections 8.3 and 8.6
/// Differs    singular values below the rounding are 0
[[nodiscard]] inline Spectrum spectrum(const Features& x, const MetricOptions& options = {}) {
  return detail::spectrum("jessl::eval::spectrum", x, options.threads);
}

}  // namespace jessl::eval
