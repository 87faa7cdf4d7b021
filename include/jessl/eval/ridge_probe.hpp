// SPDX-License-Identifier: Apache-2.0
// The linear probe in closed form: least squares with a penalty, on classes or on numbers.
#pragma once

#include <cmath>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <Eigen/Core>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/matrix.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/thread_pool.hpp>
#include <jessl/eval/concept.hpp>
#include <jessl/eval/detail/checks.hpp>
#include <jessl/eval/detail/ridge.hpp>

namespace jessl::eval {

class FittedRidgeProbe;
class FittedRidgeRegression;

/// Ridge regression: least squares with an L2 penalty, solved exactly.
///
/// The linear probe that costs one pass over the features and no iteration. Minimises
/// sum_i ||W x_i + b - t_i||^2 + lambda ||W||^2 over W [T, D] and b [T]; the intercept b is not penalised. With labels
/// the targets t_i are one-hot, and the class with the largest value is predicted. With targets of one's own, real
/// numbers [N, T], this is a regression: of quantities (a colour, a position, an age), or of several labels an image,
/// where the targets are 0 and 1 and the values rank the images of each (jessl::eval::mean_average_precision).
/// RidgeProbeSearch chooses lambda. The features are taken as they are: standardise them (jessl::eval::Standardize)
/// where their scales differ, so that the penalty means the same for each.
///
/// Shapes     fit: X [N, D] and y [N], or targets [N, T]
/// Units      lambda: per squared weight, on the scale of the summed squared error (scikit-learn's alpha): twice as
///            many rows want twice the lambda
/// Precision  float64; values are rounded to float32 when they are handed out
/// Cost       N D min(N, D) operations for the smaller of the scatter and the Gram matrix and min(N, D)^3 / 3 for its
///            factors; memory of two such matrices and of a batch of 4096 rows
/// Randomness none; the result does not depend on the number of threads, bit for bit
/// Errors     ConfigError for a setting out of range, and for a lambda that is nothing beside the rounding of linearly
///            dependent features; ShapeError when X, y, targets or the rows to map do not fit together; DataError when
///            there is no row, for NaN or infinity, for a label outside [0, classes)
/// Models     jessl::Classifier, jessl::Regressor (docs/eval/README.md)
/// Source     Hoerl, Kennard: Ridge regression: biased estimation for nonorthogonal problems, Technometrics 12, 1970
/// Differs    none
struct RidgeProbe {
  static constexpr std::string_view name = "RidgeProbe";

  double lambda = 1.0;                    ///< weight of the penalty, > 0
  std::optional<std::int64_t> classes{};  ///< number of classes; absent: one more than the largest label
  std::int64_t threads = 0;               ///< threads to use; 0: all of the hardware

  template <class = void>
  [[nodiscard]] FittedRidgeProbe fit(const Features& x, Labels y) const;
  template <class = void>
  [[nodiscard]] FittedRidgeRegression fit(const Features& x, const Features& targets) const;
};

/// Values that are linear in the features: what RidgeProbe::fit and RidgeProbeSearch::fit find for targets.
///
/// Shapes     predict: [M, D] -> [M, T];  weights: [T, D];  intercept: [T]
/// Errors     as RidgeProbe
/// Models     none
/// Source     as RidgeProbe
class FittedRidgeRegression {
 public:
  /// Takes what was found for `lambda`; see RidgeProbe::fit.
  FittedRidgeRegression(detail::LinearMap map, double lambda, std::int64_t threads)
      : map_(std::move(map)), lambda_(lambda), threads_(threads) {}

  /// The values W x + b, [M, T].
  template <class = void>
  [[nodiscard]] RowMatrix predict(const Features& x) const;

  [[nodiscard]] std::int64_t targets() const { return map_.weights.rows(); }    ///< T
  [[nodiscard]] std::int64_t dimension() const { return map_.weights.cols(); }  ///< D

  [[nodiscard]] const RowMatrixD& weights() const { return map_.weights; }           ///< W, [T, D]
  [[nodiscard]] const Eigen::VectorXd& intercept() const { return map_.intercept; }  ///< b, [T]
  [[nodiscard]] double lambda() const { return lambda_; }                            ///< the weight of the penalty

 private:
  detail::LinearMap map_;
  double lambda_;
  std::int64_t threads_;
};

template <class>
RowMatrix FittedRidgeRegression::predict(const Features& x) const {
  return detail::map_rows("jessl::eval::RidgeProbe", map_, x, threads_);
}

/// Classes by the largest of linear values: what RidgeProbe::fit and RidgeProbeSearch::fit find for labels.
///
/// Shapes     predict: [M, D] -> [M];  scores: [M, D] -> [M, C];  weights: [C, D];  intercept: [C]
/// Errors     as RidgeProbe
/// Models     jessl::FittedClassifier
/// Source     as RidgeProbe
class FittedRidgeProbe {
 public:
  /// Takes the regression on one-hot targets; see RidgeProbe::fit.
  explicit FittedRidgeProbe(FittedRidgeRegression regression) : regression_(std::move(regression)) {}

  /// The class with the largest value, of equal ones the lowest.
  template <class = void>
  [[nodiscard]] std::vector<std::int64_t> predict(const Features& x) const;

  /// The values W x + b, [M, C]; rows sum to 1.
  template <class = void>
  [[nodiscard]] RowMatrix scores(const Features& x) const;

  [[nodiscard]] std::int64_t classes() const { return regression_.targets(); }
  [[nodiscard]] std::int64_t dimension() const { return regression_.dimension(); }

  [[nodiscard]] const RowMatrixD& weights() const { return regression_.weights(); }           ///< W, [C, D]
  [[nodiscard]] const Eigen::VectorXd& intercept() const { return regression_.intercept(); }  ///< b, [C]
  [[nodiscard]] double lambda() const { return regression_.lambda(); }  ///< the weight of the penalty

 private:
  FittedRidgeRegression regression_;
};

template <class>
std::vector<std::int64_t> FittedRidgeProbe::predict(const Features& x) const {
  return detail::largest_columns(scores(x));
}

template <class>
RowMatrix FittedRidgeProbe::scores(const Features& x) const {
  return regression_.predict(x);
}

template <class>
FittedRidgeProbe RidgeProbe::fit(const Features& x, Labels y) const {
  constexpr std::string_view who = "jessl::eval::RidgeProbe";
  const std::int64_t thread_count = detail::thread_count(who, threads);
  detail::check_lambda(who, lambda);
  detail::check_training(who, x, y);
  const std::int64_t class_count = detail::class_count(who, y, classes);
  detail::check_finite(who, x, 0, x.rows());
  ThreadPool pool(thread_count);
  const detail::OneHotTargets<> targets(y, class_count);
  return FittedRidgeProbe({detail::fit_ridge(who, x, targets, lambda, pool), lambda, thread_count});
}

template <class>
FittedRidgeRegression RidgeProbe::fit(const Features& x, const Features& targets) const {
  constexpr std::string_view who = "jessl::eval::RidgeProbe";
  const std::int64_t thread_count = detail::thread_count(who, threads);
  detail::check_lambda(who, lambda);
  detail::check_training(who, x, targets);
  ThreadPool pool(thread_count);
  return {detail::fit_ridge(who, x, detail::RealTargets<>(targets, pool), lambda, pool), lambda, thread_count};
}

JESSL_INSTANTIATE(FittedRidgeProbe RidgeProbe::fit<void>(const Features&, Labels) const);
JESSL_INSTANTIATE(FittedRidgeRegression RidgeProbe::fit<void>(const Features&, const Features&) const);
JESSL_INSTANTIATE(RowMatrix FittedRidgeRegression::predict<void>(const Features&) const);
JESSL_INSTANTIATE(std::vector<std::int64_t> FittedRidgeProbe::predict<void>(const Features&) const);
JESSL_INSTANTIATE(RowMatrix FittedRidgeProbe::scores<void>(const Features&) const);

}  // namespace jessl::eval

JESSL_OPTIONS(jessl::eval::RidgeProbe, lambda, classes, threads);
