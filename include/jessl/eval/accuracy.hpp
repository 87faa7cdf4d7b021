// SPDX-License-Identifier: Apache-2.0
// How often the predicted class, or one of the first k, is the right one.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/eval/concept.hpp>
#include <jessl/eval/detail/checks.hpp>

namespace jessl::eval {

/// The share of predictions that equal their label, in [0, 1].
///
/// Shapes     predicted: [N], labels: [N] -> number
/// Errors     ShapeError when the lengths differ; DataError when there is no label, or a negative one (no label)
/// Models     none
/// Source     none
[[nodiscard]] inline double accuracy(Labels predicted, Labels labels) {
  JESSL_CHECK(predicted.size() == labels.size(), ShapeError, "jessl::eval::accuracy: ", predicted.size(),
              " predictions but ", labels.size(), " labels, expected one each");
  JESSL_CHECK(!labels.empty(), DataError, "jessl::eval::accuracy: there are no labels, expected at least one");
  detail::check_labelled("jessl::eval::accuracy", labels);
  std::size_t right = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) right += predicted[i] == labels[i] ? 1U : 0U;
  return static_cast<double>(right) / static_cast<double>(labels.size());
}

/// The share of rows whose label is among the k classes with the highest scores, in [0, 1].
///
/// Of classes with equal scores the one with the lower index comes first, so that top_k(scores, labels, 1) is the
/// accuracy of predict().
///
/// Shapes     scores: [N, C], labels: [N] -> number
/// Errors     ShapeError when there is not one label a row; ConfigError for k outside [1, C]; DataError when there is
///            no row, a label is outside [0, C) or a score is NaN
/// Models     none
/// Source     none
template <class = void>
[[nodiscard]] double top_k(const Features& scores, Labels labels, std::int64_t k) {
  constexpr std::string_view who = "jessl::eval::top_k";
  JESSL_CHECK(static_cast<std::size_t>(scores.rows()) == labels.size(), ShapeError, who, ": scores is ",
              detail::shape_of(scores), " but there are ", labels.size(), " labels, expected one a row");
  JESSL_CHECK(!labels.empty(), DataError, who, ": there are no labels, expected at least one");
  JESSL_CHECK(k >= 1 && k <= scores.cols(), ConfigError, who, ": k is ", k, ", expected 1 to the number of classes, ",
              scores.cols());
  std::size_t right = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const std::int64_t label = labels[i];
    JESSL_CHECK(label >= 0 && label < scores.cols(), DataError, who, ": labels[", i, "] is ", label,
                ", expected a class in [0, ", scores.cols(), "), the columns of scores");
    const auto row = scores.row(static_cast<Eigen::Index>(i));
    JESSL_CHECK(!row.hasNaN(), DataError, who, ": scores has NaN in row ", i, ", expected numbers");
    const auto before = (row.array() > row(label)).count() + (row.head(label).array() == row(label)).count();
    right += before < k ? 1U : 0U;
  }
  return static_cast<double>(right) / static_cast<double>(labels.size());
}

JESSL_INSTANTIATE(double top_k<void>(const Features&, Labels, std::int64_t));

}  // namespace jessl::eval
