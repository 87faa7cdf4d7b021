// SPDX-License-Identifier: Apache-2.0
// How well scores rank the images of each label, where an image may have several.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <string_view>
#include <vector>

#include <Eigen/Core>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/eval/concept.hpp>
#include <jessl/eval/detail/checks.hpp>

namespace jessl::eval {

namespace detail {

/// The average precision of each label; NaN where it is on no image.
std::vector<double> average_precision(std::string_view who, const Features& scores, const Features& targets);

}  // namespace detail

/// The average precision of each label, in (0, 1]; NaN for a label that no image has.
///
/// Goes through the images from the highest score down: AP = sum_n (R_n - R_n-1) P_n over the distinct scores, where R_n and
/// P_n are recall and precision of the images with that score or a higher one. Images with equal scores count
/// together, so that their order does not matter.
///
/// Shapes     scores: [N, C], targets: [N, C], 1 where the image has the label, else 0 -> [C]
/// Errors     ShapeError when the shapes differ; DataError when there is no row or column, for NaN among the scores, for
///            targets other than 0 and 1
/// Models     none
/// Source     Zhu: Recall, precision and average precision, University of Waterloo, 2004; as scikit-learn's
///            average_precision_score
/// Differs    a label without images has no average precision; scikit-learn gives 0 for it
[[nodiscard]] std::vector<double> average_precision(const Features& scores, const Features& targets);

/// The mean of the average precisions of the labels that some image has, in (0, 1].
///
/// Shapes     scores: [N, C], targets: [N, C], 1 where the image has the label, else 0 -> number
/// Errors     as average_precision(); DataError when no image has a label
/// Models     none
/// Source     as average_precision()
[[nodiscard]] double mean_average_precision(const Features& scores, const Features& targets);

#if JESSL_DEFINITIONS

namespace detail {

JESSL_INLINE std::vector<double> average_precision(std::string_view who, const Features& scores,
                                                   const Features& targets) {
  JESSL_CHECK(scores.rows() == targets.rows() && scores.cols() == targets.cols(), ShapeError, who, ": scores is ",
              shape_of(scores), " but targets is ", shape_of(targets), ", expected the same shape");
  check_rows(who, scores, 1, "scores");
  for (Eigen::Index i = 0; i < scores.rows(); ++i) {
    for (Eigen::Index c = 0; c < scores.cols(); ++c) {
      JESSL_CHECK(!std::isnan(scores(i, c)), DataError, who, ": scores(", i, ", ", c, ") is nan, expected a number");
      JESSL_CHECK(targets(i, c) == 0.0F || targets(i, c) == 1.0F, DataError, who, ": targets(", i, ", ", c, ") is ",
                  targets(i, c), ", expected 1 for an image that has the label, and 0 for one that has not");
    }
  }
  std::vector<double> precisions;
  std::vector<Eigen::Index> order(static_cast<std::size_t>(scores.rows()));
  for (Eigen::Index c = 0; c < scores.cols(); ++c) {
    std::iota(order.begin(), order.end(), Eigen::Index{0});
    std::sort(order.begin(), order.end(), [&](Eigen::Index a, Eigen::Index b) { return scores(a, c) > scores(b, c); });
    double sum = 0.0;
    std::int64_t positives = 0;
    for (std::size_t first = 0, end = 0; first < order.size(); first = end) {
      std::int64_t more = 0;  // positives among the images that have one score
      for (; end < order.size() && scores(order[end], c) == scores(order[first], c); ++end)
        more += targets(order[end], c) == 1.0F ? 1 : 0;
      positives += more;
      sum += static_cast<double>(more) * static_cast<double>(positives) / static_cast<double>(end);
    }
    precisions.push_back(positives == 0 ? std::numeric_limits<double>::quiet_NaN()
                                        : sum / static_cast<double>(positives));
  }
  return precisions;
}

}  // namespace detail

JESSL_INLINE std::vector<double> average_precision(const Features& scores, const Features& targets) {
  return detail::average_precision("jessl::eval::average_precision", scores, targets);
}

JESSL_INLINE double mean_average_precision(const Features& scores, const Features& targets) {
  constexpr std::string_view who = "jessl::eval::mean_average_precision";
  double sum = 0.0;
  std::int64_t labels = 0;
  for (const double precision : detail::average_precision(who, scores, targets)) {
    if (std::isnan(precision)) continue;
    sum += precision;
    ++labels;
  }
  JESSL_CHECK(labels > 0, DataError, who, ": targets has no 1, expected at least one image with a label");
  return sum / static_cast<double>(labels);
}

#endif  // JESSL_DEFINITIONS

}  // namespace jessl::eval
