// SPDX-License-Identifier: Apache-2.0
// Classification by the nearest of the classes' means.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <Eigen/Core>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/matrix.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/thread_pool.hpp>
#include <jessl/eval/concept.hpp>
#include <jessl/eval/detail/checks.hpp>
#include <jessl/eval/detail/gemm.hpp>
#include <jessl/eval/detail/moments.hpp>

namespace jessl::eval {

/// What makes one of two features the nearer.
enum class Metric : std::uint8_t {
  euclidean,  ///< the length of their difference
  cosine      ///< the angle between them
};

}  // namespace jessl::eval

template <>
struct jessl::EnumNames<jessl::eval::Metric> {
  static constexpr std::array<std::pair<eval::Metric, std::string_view>, 2> value{
      {{eval::Metric::euclidean, "euclidean"}, {eval::Metric::cosine, "cosine"}}};
};

namespace jessl::eval {

class FittedNearestCentroid;

/// The class whose mean is nearest.
///
/// How well a representation has gathered each class around one point, without a setting to tune: the classifier of
/// prototypical networks, for few labels and for many. With Metric::euclidean the centroid of a class is the mean of its
/// rows, and a row's score for it is minus the squared distance. With Metric::cosine it is the direction of the mean of
/// the rows scaled to length 1, which has the highest mean cosine similarity to them, and the score is the cosine
/// similarity. Of equal scores the lowest class wins.
///
/// Shapes     fit: X [N, D], y [N];  predict: [M, D] -> [M];  scores: [M, D] -> [M, C]
/// Units      none
/// Precision  float64; scores are rounded to float32
/// Cost       N D additions to fit, 2 M D C operations to score
/// Randomness none; the result does not depend on the number of threads, bit for bit
/// Errors     ConfigError for a setting out of range; ShapeError when X, y or the rows to classify do not fit together;
///            DataError when there is no row, for NaN or infinity, for a label outside [0, classes)
/// Models     jessl::Classifier (docs/eval/README.md)
/// Source     Tibshirani, Hastie, Narasimhan, Chu: Diagnosis of multiple cancer types by shrunken centroids of gene
///            expression, PNAS 99, 2002, without shrinkage; Snell, Swersky, Zemel: Prototypical networks for few-shot
///            learning, NeurIPS 2017, arXiv 1703.05175, equation 1; Dhillon, Modha: Concept decompositions for large
///            sparse text data using clustering, Machine Learning 42, 2001, section 3 (the cosine's centroid)
/// Differs    with the cosine, a row of zeros has similarity 0 to everything, and so has everything to a class whose
///            directions cancel; a class without rows has the score -infinity
struct NearestCentroid {
  static constexpr std::string_view name = "NearestCentroid";

  Metric metric = Metric::euclidean;      ///< euclidean or cosine
  std::optional<std::int64_t> classes{};  ///< number of classes; absent: one more than the largest label
  std::int64_t threads = 0;               ///< threads to use; 0: all of the hardware

  template <class = void>
  [[nodiscard]] FittedNearestCentroid fit(const Features& x, Labels y) const;
};

/// The centroids of the classes: what NearestCentroid::fit gives.
///
/// Shapes     predict: [M, D] -> [M];  scores: [M, D] -> [M, C];  centroids: [C, D]
/// Errors     as NearestCentroid
/// Models     jessl::FittedClassifier
/// Source     as NearestCentroid
class FittedNearestCentroid {
 public:
  /// Finds the centroids; see NearestCentroid::fit.
  template <class = void>
  FittedNearestCentroid(const NearestCentroid& settings, const Features& x, Labels y);

  /// The class of the nearest centroid, of equally near ones the lowest.
  template <class = void>
  [[nodiscard]] std::vector<std::int64_t> predict(const Features& x) const;

  /// Minus the squared distance to each centroid, or the cosine similarity, [M, C].
  template <class = void>
  [[nodiscard]] RowMatrix scores(const Features& x) const;

  [[nodiscard]] std::int64_t classes() const { return centroids_.rows(); }
  [[nodiscard]] std::int64_t dimension() const { return centroids_.cols(); }

  /// The means, or the directions of length 1, [C, D]; 0 for a class without rows.
  [[nodiscard]] const RowMatrixD& centroids() const { return centroids_; }

 private:
  static constexpr std::string_view who = "jessl::eval::NearestCentroid";
  static constexpr double shortest = 1e-12;  // what is shorter has no direction

  Metric metric_;
  std::int64_t threads_;
  Eigen::VectorXd counts_;  // rows of each class, [C]
  RowMatrixD centroids_;
};

template <class>
FittedNearestCentroid::FittedNearestCentroid(const NearestCentroid& settings, const Features& x, Labels y)
    : metric_(settings.metric), threads_(detail::thread_count(who, settings.threads)) {
  detail::check_training(who, x, y);
  const std::int64_t classes = detail::class_count(who, y, settings.classes);
  detail::check_finite(who, x, 0, x.rows());
  ThreadPool pool(threads_);
  counts_ = detail::class_counts(y, classes);
  if (metric_ == Metric::euclidean) {
    centroids_ = detail::class_sums(x, y, classes, pool, [](Eigen::Index) { return 1.0; });
    centroids_.array().colwise() /= counts_.array().max(1.0);
  } else {
    Eigen::VectorXd lengths(x.rows());
    detail::for_each_block(pool, x.rows(), detail::rows_a_call, [&](Eigen::Index first, Eigen::Index count) {
      lengths.segment(first, count) = x.middleRows(first, count).cast<double>().rowwise().norm();
    });
    centroids_ =
        detail::class_sums(x, y, classes, pool, [&](Eigen::Index i) { return 1.0 / std::max(lengths(i), shortest); });
    centroids_.array().colwise() /= counts_.array().max(1.0);  // of length 1 where all rows have one direction
    const Eigen::ArrayXd agreement = centroids_.rowwise().norm();
    centroids_.array().colwise() *= (agreement > shortest).select(agreement.inverse(), 0.0);
  }
}

template <class>
std::vector<std::int64_t> FittedNearestCentroid::predict(const Features& x) const {
  return detail::largest_columns(scores(x));
}

template <class>
RowMatrix FittedNearestCentroid::scores(const Features& x) const {
  detail::check_columns(who, x, dimension());
  RowMatrix nearness(x.rows(), classes());
  const Eigen::RowVectorXd squares = centroids_.rowwise().squaredNorm().transpose();
  ThreadPool pool(threads_);
  detail::for_each_block(pool, x.rows(), detail::rows_a_call, [&](Eigen::Index first, Eigen::Index count) {
    detail::check_finite(who, x, first, count);
    const RowMatrixD rows = x.middleRows(first, count).cast<double>();
    const Eigen::VectorXd row_squares = rows.rowwise().squaredNorm();
    RowMatrixD products = RowMatrixD::Zero(count, classes());
    detail::add_product(rows, centroids_.transpose(), products);
    if (metric_ == Metric::euclidean) {
      products = (2.0 * products).rowwise() - squares;
      products = (products.colwise() - row_squares).cwiseMin(0.0);
    } else {
      products.array().colwise() /= row_squares.array().sqrt().max(shortest);
    }
    nearness.middleRows(first, count) = products.cast<float>();
  });
  for (Eigen::Index c = 0; c < counts_.size(); ++c) {
    if (counts_(c) == 0) nearness.col(c).setConstant(-std::numeric_limits<float>::infinity());
  }
  return nearness;
}

template <class>
FittedNearestCentroid NearestCentroid::fit(const Features& x, Labels y) const {
  return {*this, x, y};
}

JESSL_INSTANTIATE(FittedNearestCentroid NearestCentroid::fit<void>(const Features&, Labels) const);
JESSL_INSTANTIATE(std::vector<std::int64_t> FittedNearestCentroid::predict<void>(const Features&) const);
JESSL_INSTANTIATE(RowMatrix FittedNearestCentroid::scores<void>(const Features&) const);

}  // namespace jessl::eval

JESSL_OPTIONS(jessl::eval::NearestCentroid, metric, classes, threads);
