// SPDX-License-Identifier: Apache-2.0
// The singular values of features and the eigenvalues of their covariance, by one decomposition.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>

#include <Eigen/Core>

#include <jessl/core/detail/separate.hpp>
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

/// What a decomposition gives of scaled features: eigenvalues, largest first, those below its rounding being 0.
struct SquaredSpectrum {
  Eigen::VectorXd second_moment;  // of the rows, [min(N, D)]
  Eigen::VectorXd scatter;        // of the rows less their mean
  bool whole = false;  // no eigenvalue but those that are 0 for want of rows or columns fell below the rounding
};

/// The eigenvalues of the second moment of the rows and of their scatter about the mean, by products in `Scalar`.
///
/// C = sum_i (x_i - m)(x_i - m)^T is what is summed accurately, as the mean m is large for features after a ReLU; the
/// second moment is M = C + N m m^T. Both become tridiagonal by the same reflections if the first basis vector is m: M
/// then differs from C in one entry. These are the reflections that make [0 m^T; m C] tridiagonal. With fewer rows than
/// columns it is [N |m|^2, sqrt(N) w^T; sqrt(N) w, G], the Gram matrix of the vectors sqrt(N) m, x_1 - m, ..., x_N - m,
/// whose second moment is M as well, and without its first row and column that of the centred rows.
template <class Scalar>
[[nodiscard]] SquaredSpectrum squared_spectrum(const Features& x, const Centre& centre, ThreadPool& pool) {
  const Eigen::Index size = std::min(x.rows(), x.cols());
  const bool tall = x.rows() >= x.cols();
  const auto rows = static_cast<double>(x.rows());
  const Eigen::RowVectorXd mean = centre.mean * centre.scale;
  Eigen::MatrixXd bordered = Eigen::MatrixXd::Zero(size + 1, size + 1);
  const auto inner = bordered.bottomRightCorner(size, size);
  Eigen::ArrayXd squares;  // the diagonal of the second moment or of the Gram matrix that has its eigenvalues
  Rounding rounding;
  if (tall) {
    bordered.col(0).tail(size) = mean.transpose();
    rounding = add_second_moment<Scalar>(
        pool, x.rows(), [&](Eigen::Index first, auto out) { centre.write_rows(x, first, out); }, inner);
    squares = inner.diagonal().array() + rows * mean.transpose().array().square();
  } else {
    bordered(0, 0) = rows * mean.squaredNorm();
    squares.resize(size);
    for_each_block(pool, x.rows(), [&](Eigen::Index first, Eigen::Index count, std::size_t) {
      for (Eigen::Index row = first; row < first + count; ++row) {
        const auto scaled = x.row(row).template cast<double>() * centre.scale;
        bordered(row + 1, 0) = std::sqrt(rows) * (scaled - mean).dot(mean);
        squares(row) = scaled.squaredNorm();
      }
    });
    rounding = add_second_moment<Scalar>(
        pool, x.cols(), [&](Eigen::Index first, auto out) { centre.write_columns(x, first, out); }, inner);
  }
  // No more eigenvalues than this can be above 0.
  const Eigen::Index spread = std::min((inner.diagonal().array() > 0.0).count(), x.rows() - 1);
  const Eigen::Index filled = std::min((squares > 0.0).count(), spread + 1);

  Tridiagonal of_all = tridiagonalise(bordered, pool);
  const Tridiagonal of_centred{of_all.diagonal.tail(size), of_all.subdiagonal.tail(size - 1)};
  SquaredSpectrum result;
  result.scatter = eigenvalues_of(of_centred);
  if (tall) {
    of_all = of_centred;
    of_all.diagonal(0) += rows * mean.squaredNorm();
  }
  result.second_moment = eigenvalues_of(of_all).head(size);
  const double uncertain = rounding(result.scatter(0));  // in both: the mean's part is exact
  const auto cut = [&](Eigen::VectorXd& eigenvalues) {
    const double decomposition = static_cast<double>(size) * std::numeric_limits<double>::epsilon();
    const double least = uncertain + decomposition * std::max(0.0, eigenvalues(0));
    eigenvalues = (eigenvalues.array() > least).select(eigenvalues, 0.0).eval();
    return (eigenvalues.array() > 0.0).count();
  };
  const bool scatter_whole = cut(result.scatter) >= spread;
  result.whole = cut(result.second_moment) >= filled && scatter_whole;
  return result;
}

/// jessl::eval::spectrum for a caller named `who`.
template <class = void>
[[nodiscard]] Spectrum spectrum(std::string_view who, const Features& x, std::int64_t threads) {
  check_rows(who, x, 1);
  ThreadPool pool(thread_count(who, threads));
  const Centre centre = centre_of(who, x, pool);
  SquaredSpectrum squared = squared_spectrum<float>(x, centre, pool);
  if (!squared.whole) squared = squared_spectrum<double>(x, centre, pool);
  const double unit = 1.0 / centre.scale;
  const double degrees = std::max<double>(1.0, static_cast<double>(x.rows() - 1));
  return {.singular_values = squared.second_moment.cwiseSqrt() * unit,
          .covariance_eigenvalues = squared.scatter * (unit * unit / degrees)};
}

}  // namespace detail

/// The singular values of X and the eigenvalues of its covariance, from the smaller of the two Gram matrices.
///
/// The singular values are the roots of the eigenvalues of X^T X [D, D] or X X^T [N, N], whichever is smaller, which
/// costs a small part of a singular value decomposition of X. The price of squaring are small values: those below about
/// 3e-4 of the largest one of the centred features are lost in the rounding of float32 products, which are added in
/// float64, 256 by 256, and with the mean taken out before. Where such values are missing, the products are taken again
/// in float64, which finds all down to about 1e-7 of the largest, where the features' own rounding begins. What is
/// below that is 0.
///
/// Shapes     X: [N, D] -> two vectors [min(N, D)]
/// Units      those of X, and their square
/// Precision  products of centred features in float32 or float64, added in float64; the decomposition in float64
/// Cost       N D min(N, D) operations as blocked matrix products, 4/3 min(N, D)^3 for the decomposition; for features
///            of low rank, once more in float64. Memory 8 min(N, D)^2 bytes, and 4 or 8 KB a column
/// Randomness none; the result does not depend on the number of threads, bit for bit
/// Errors     ConfigError for threads < 0; DataError when there is no row or column, for NaN or infinity
/// Models     none
/// Source     Golub, Van Loan: Matrix Computations, 4th edition, 2013, sections 8.3 and 8.6
/// Differs    singular values below the rounding are 0
template <class = void>
[[nodiscard]] Spectrum spectrum(const Features& x, const MetricOptions& options = {}) {
  return detail::spectrum("jessl::eval::spectrum", x, options.threads);
}

JESSL_INSTANTIATE(Spectrum spectrum<void>(const Features&, const MetricOptions&));

}  // namespace jessl::eval
