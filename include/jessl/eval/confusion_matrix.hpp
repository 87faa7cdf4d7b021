// SPDX-License-Identifier: Apache-2.0
// Which classes are taken for which, and how well each of them is known.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <string_view>
#include <vector>

#include <Eigen/Core>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/eval/concept.hpp>
#include <jessl/eval/detail/checks.hpp>

namespace jessl::eval {

/// Counts of images: a row a class that they have, a column a class that they are taken for.
using ConfusionMatrix = Eigen::Matrix<std::int64_t, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

namespace detail {

inline void check_predictions(std::string_view who, Labels predicted, Labels labels) {
  JESSL_CHECK(predicted.size() == labels.size(), ShapeError, who, ": ", predicted.size(), " predictions but ",
              labels.size(), " labels, expected one each");
  JESSL_CHECK(!labels.empty(), DataError, who, ": there are no labels, expected at least one");
}

}  // namespace detail

/// How many images of class i are taken for class j, in row i and column j.
///
/// Shapes     predicted: [N], labels: [N] -> [C, C], C = classes
/// Errors     ShapeError when the lengths differ; ConfigError for classes outside [1, 65536]; DataError when there is no
///            label, or a label or prediction outside [0, classes)
/// Models     none
/// Source     none
[[nodiscard]] ConfusionMatrix confusion_matrix(Labels predicted, Labels labels, std::int64_t classes);

/// The share of each class's images that are taken for it (its recall), in [0, 1]; NaN for a class without images.
///
/// Shapes     predicted: [N], labels: [N] -> [C], C = classes
/// Errors     as confusion_matrix()
/// Models     none
/// Source     none
[[nodiscard]] std::vector<double> per_class_accuracy(Labels predicted, Labels labels, std::int64_t classes);

/// The mean, over the classes that occur among the labels, of the share of their images that are taken for them, in
/// [0, 1]: the accuracy if all classes were equally frequent.
///
/// Shapes     predicted: [N], labels: [N] -> number
/// Errors     ShapeError when the lengths differ; DataError when there is no label, or a negative one (no label)
/// Models     none
/// Source     Brodersen, Ong, Stephan, Buhmann: The balanced accuracy and its posterior distribution, ICPR 2010
[[nodiscard]] double balanced_accuracy(Labels predicted, Labels labels);

#if JESSL_DEFINITIONS

JESSL_INLINE ConfusionMatrix confusion_matrix(Labels predicted, Labels labels, std::int64_t classes) {
  constexpr std::string_view who = "jessl::eval::confusion_matrix";
  constexpr std::int64_t most = 65536;  // 32 GB
  detail::check_predictions(who, predicted, labels);
  JESSL_CHECK(classes >= 1 && classes <= most, ConfigError, who, ": classes is ", classes, ", expected 1 to ", most);
  ConfusionMatrix counts = ConfusionMatrix::Zero(classes, classes);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    JESSL_CHECK(labels[i] >= 0 && labels[i] < classes, DataError, who, ": labels[", i, "] is ", labels[i],
                ", expected a class in [0, ", classes, ")");
    JESSL_CHECK(predicted[i] >= 0 && predicted[i] < classes, DataError, who, ": predicted[", i, "] is ", predicted[i],
                ", expected a class in [0, ", classes, ")");
    ++counts(labels[i], predicted[i]);
  }
  return counts;
}

JESSL_INLINE std::vector<double> per_class_accuracy(Labels predicted, Labels labels, std::int64_t classes) {
  const ConfusionMatrix counts = confusion_matrix(predicted, labels, classes);
  std::vector<double> shares;
  for (Eigen::Index c = 0; c < classes; ++c) {
    const std::int64_t images = counts.row(c).sum();
    shares.push_back(images == 0 ? std::numeric_limits<double>::quiet_NaN()
                                 : static_cast<double>(counts(c, c)) / static_cast<double>(images));
  }
  return shares;
}

JESSL_INLINE double balanced_accuracy(Labels predicted, Labels labels) {
  constexpr std::string_view who = "jessl::eval::balanced_accuracy";
  detail::check_predictions(who, predicted, labels);
  detail::check_labelled(who, labels);
  struct Count {
    std::int64_t right = 0;
    std::int64_t all = 0;
  };
  std::map<std::int64_t, Count> classes;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    Count& count = classes[labels[i]];
    count.right += predicted[i] == labels[i] ? 1 : 0;
    ++count.all;
  }
  double sum = 0.0;
  for (const auto& [label, count] : classes) sum += static_cast<double>(count.right) / static_cast<double>(count.all);
  return sum / static_cast<double>(classes.size());
}

#endif  // JESSL_DEFINITIONS

}  // namespace jessl::eval
