// SPDX-License-Identifier: Apache-2.0
// Principal components: the directions in which features vary most.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string_view>
#include <utility>

#include <Eigen/Core>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/matrix.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/thread_pool.hpp>
#include <jessl/eval/concept.hpp>
#include <jessl/eval/detail/checks.hpp>
#include <jessl/eval/detail/eigenvalues.hpp>
#include <jessl/eval/detail/eigenvectors.hpp>
#include <jessl/eval/detail/linear_map.hpp>
#include <jessl/eval/detail/moments.hpp>
#include <jessl/eval/detail/rows.hpp>
#include <jessl/eval/detail/second_moment.hpp>

namespace jessl::eval {

class FittedPCA;

/// Principal component analysis: the orthogonal directions in which the rows vary most, and the rows along them.
///
/// For a map of an embedding in two dimensions (eval::scatter_picture), and for making features smaller. The features
/// are centred and not scaled; standardise them before (eval::Standardize) where dimensions differ in what a unit means.
/// A direction has either of two signs: here its entry of largest absolute value, the first of equal ones, is positive.
/// A component along which the rows do not vary, beyond rounding, is zeros: there is no direction to name, and the rows
/// are 0 along it.
///
/// Shapes     fit: X [N, D];  transform: [M, D] -> [M, K], K = components
/// Units      transform: those of X
/// Precision  float64; transformed values are rounded to float32 when they are handed out
/// Cost       N D min(N, D) operations for the smaller of the scatter and the Gram matrix, 4/3 min(N, D)^3 for its
///            eigenvalues, and 2 K min(N, D)^2 for as many eigenvectors; memory of such a matrix
/// Randomness none; the result does not depend on the number of threads, bit for bit
/// Errors     ConfigError for components outside [1, min(N, D)] and for threads < 0; ShapeError from transform for
///            another number of columns; DataError when there are fewer than two rows or no column, for NaN or infinity
/// Models     none
/// Source     Pearson: On lines and planes of closest fit to systems of points in space, Philosophical Magazine 2, 1901
/// Differs    scikit-learn names some direction, too, where the rows do not vary
struct PCA {
  static constexpr std::string_view name = "PCA";

  std::int64_t components = 2;  ///< directions to find, 1 to min(N, D)
  std::int64_t threads = 0;     ///< threads to use; 0: all of the hardware

  template <class = void>
  [[nodiscard]] FittedPCA fit(const Features& x) const;
};

/// The directions that PCA::fit found, most variance first.
///
/// Shapes     transform: [M, D] -> [M, K];  components: [K, D];  mean: [D];  explained_variance,
///            explained_variance_ratio: [K]
/// Errors     as PCA
/// Models     none
/// Source     as PCA
class FittedPCA {
 public:
  /// Takes directions, a row each, the rows' mean, their variance along each direction and over all dimensions; see
  /// PCA::fit.
  template <class = void>
  FittedPCA(RowMatrixD components, Eigen::RowVectorXd mean, Eigen::VectorXd variance, double total,
            std::int64_t threads);

  /// Each row less the mean, along each component, [M, K].
  template <class = void>
  [[nodiscard]] RowMatrix transform(const Features& x) const;

  [[nodiscard]] std::int64_t dimension() const { return map_.weights.cols(); }           ///< D
  [[nodiscard]] const RowMatrixD& components() const { return map_.weights; }            ///< of length 1 or 0, [K, D]
  [[nodiscard]] const Eigen::RowVectorXd& mean() const { return mean_; }                 ///< of the rows, [D]
  [[nodiscard]] const Eigen::VectorXd& explained_variance() const { return variance_; }  ///< divided by N - 1, [K]

  /// The share of each component in the variance over all dimensions, [K]; 0 where the rows are all equal.
  [[nodiscard]] Eigen::VectorXd explained_variance_ratio() const { return variance_ / (total_ > 0.0 ? total_ : 1.0); }

 private:
  detail::LinearMap map_;
  Eigen::RowVectorXd mean_;
  Eigen::VectorXd variance_;
  double total_;
  std::int64_t threads_;
};

template <class>
FittedPCA::FittedPCA(RowMatrixD components, Eigen::RowVectorXd mean, Eigen::VectorXd variance, double total,
                     std::int64_t threads)
    : map_(detail::through_means(std::move(components), mean, Eigen::RowVectorXd::Zero(variance.size()))),
      mean_(std::move(mean)),
      variance_(std::move(variance)),
      total_(total),
      threads_(threads) {}

template <class>
RowMatrix FittedPCA::transform(const Features& x) const {
  return detail::map_rows("jessl::eval::PCA", map_, x, threads_);
}

template <class>
FittedPCA PCA::fit(const Features& x) const {
  constexpr std::string_view who = "jessl::eval::PCA";
  const std::int64_t thread_count = detail::thread_count(who, threads);
  detail::check_rows(who, x, 2);
  const Eigen::Index size = std::min(x.rows(), x.cols());
  JESSL_CHECK(components >= 1 && components <= size, ConfigError, who, ": components is ", components,
              ", expected 1 to ", size, ", the smaller side of X, ", detail::shape_of(x));
  ThreadPool pool(thread_count);
  const detail::Centre centre = detail::centre_of(who, x, pool);

  // The scatter matrix, [D, D], or the Gram matrix, [N, N], of the centred and scaled rows.
  const bool tall = x.rows() >= x.cols();
  Eigen::MatrixXd products = Eigen::MatrixXd::Zero(size, size);
  const detail::Rounding rounding =
      tall ? detail::add_second_moment<double>(
                 pool, x.rows(), [&](Eigen::Index first, auto out) { centre.write_rows(x, first, out); }, products)
           : detail::add_second_moment<double>(
                 pool, x.cols(), [&](Eigen::Index first, auto out) { centre.write_columns(x, first, out); }, products);
  const double trace = products.trace();
  const detail::Tridiagonal tridiagonal = detail::tridiagonalise(products, pool);
  Eigen::VectorXd values = detail::eigenvalues_of(tridiagonal).head(components);
  const double largest = std::max(0.0, values(0));
  const double least = rounding(largest) + static_cast<double>(size) * std::numeric_limits<double>::epsilon() * largest;
  values = (values.array() > least).select(values, 0.0).eval();

  const Eigen::Index found = (values.array() > 0.0).count();
  Eigen::MatrixXd vectors = detail::eigenvectors_of(tridiagonal, values.head(found));  // [size, found]
  detail::apply_reflections(products, vectors, pool);
  RowMatrixD directions = RowMatrixD::Zero(components, x.cols());
  if (tall) {
    directions.topRows(found) = vectors.transpose();
  } else {
    directions.topRows(found) = detail::cross_products(
        x, centre.mean, found, pool,
        [&](Eigen::Index first, Eigen::Index count) -> RowMatrixD { return vectors.middleRows(first, count); });
  }
  for (Eigen::Index k = 0; k < found; ++k) {
    auto direction = directions.row(k);
    const auto* leading = std::max_element(direction.data(), direction.data() + direction.size(),
                                           [](double a, double b) { return std::abs(a) < std::abs(b); });
    direction /= std::copysign(direction.norm(), *leading);
  }
  const double degrees = centre.scale * centre.scale * static_cast<double>(x.rows() - 1);
  return {std::move(directions), centre.mean, values / degrees, trace / degrees, thread_count};
}

JESSL_INSTANTIATE(FittedPCA PCA::fit<void>(const Features&) const);
JESSL_INSTANTIATE(RowMatrix FittedPCA::transform<void>(const Features&) const);

}  // namespace jessl::eval

JESSL_OPTIONS(jessl::eval::PCA, components, threads);
