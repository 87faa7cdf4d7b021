// SPDX-License-Identifier: Apache-2.0
// Confusion matrices and what follows from them, against scikit-learn and by hand.
#include <catch2/catch.hpp>

#include <cmath>
#include <vector>

#include <jessl/eval/accuracy.hpp>
#include <jessl/eval/confusion_matrix.hpp>

#include "eval/reference.hpp"

namespace {

using Catch::Matchers::Contains;
using jessl::eval::balanced_accuracy;
using jessl::eval::confusion_matrix;
using jessl::eval::per_class_accuracy;
using Labels = std::vector<std::int64_t>;

}  // namespace

TEST_CASE("confusion_matrix: the example of the documentation runs", "[eval][confusion_matrix]") {
  const Labels labels{0, 0, 0, 1}, predicted{0, 0, 1, 1};
  // [example]
  const auto counts = jessl::eval::confusion_matrix(predicted, labels, 3);     // of 3 classes
  const auto recalls = jessl::eval::per_class_accuracy(predicted, labels, 3);  // 2/3, 1, NaN: there is no class 2
  const double balanced = jessl::eval::balanced_accuracy(predicted, labels);   // 5/6
  // [/example]
  CHECK(counts(0, 0) == 2);
  CHECK(counts(0, 1) == 1);  // one of class 0 is taken for class 1
  CHECK(counts(1, 0) == 0);
  CHECK(counts(1, 1) == 1);
  CHECK(counts.sum() == 4);
  CHECK(recalls[0] == Approx(2.0 / 3.0).epsilon(1e-15));
  CHECK(recalls[1] == 1.0);
  CHECK(std::isnan(recalls[2]));
  CHECK(balanced == Approx(5.0 / 6.0).epsilon(1e-15));
}

TEST_CASE("confusion_matrix: counts, recalls and their mean are scikit-learn's", "[eval][confusion_matrix]") {
  const auto& expected = reference::probes()["labels"];
  const Labels labels = reference::labels(expected["labels"]);
  const Labels predicted = reference::labels(expected["predicted"]);
  const auto counts = confusion_matrix(predicted, labels, 4);
  CHECK(counts == reference::matrix<std::int64_t>(expected["confusion_matrix"]));
  const auto recalls = per_class_accuracy(predicted, labels, 4);
  for (std::size_t c = 0; c < 4; ++c) {
    const auto& recall = expected["per_class_accuracy"][c];
    CHECK(recall.is_null() == std::isnan(recalls[c]));
    if (!recall.is_null()) CHECK(recalls[c] == Approx(recall.get<double>()).epsilon(1e-14));
  }
  CHECK(balanced_accuracy(predicted, labels) == Approx(expected["balanced_accuracy"].get<double>()).epsilon(1e-14));
}

TEST_CASE("confusion_matrix: its diagonal is the accuracy, its rows are the classes' images",
          "[eval][confusion_matrix]") {
  const reference::Clusters truth(1, 500, 1, 6);
  const reference::Clusters guess(2, 500, 1, 6);
  const auto counts = confusion_matrix(guess.y, truth.y, 6);
  CHECK(static_cast<double>(counts.trace()) / 500.0 == jessl::eval::accuracy(guess.y, truth.y));
  CHECK(counts.transpose() == confusion_matrix(truth.y, guess.y, 6));
  CHECK(balanced_accuracy(truth.y, truth.y) == 1.0);
}

TEST_CASE("balanced_accuracy: classes need not be numbered without gaps", "[eval][confusion_matrix]") {
  const std::int64_t far = std::int64_t{1} << 60U;
  CHECK(balanced_accuracy(Labels{far, 3, 3, 3}, Labels{far, 3, 3, far}) == 0.75);
  CHECK(balanced_accuracy(Labels{-7}, Labels{0}) == 0.0);
}

TEST_CASE("confusion_matrix: lengths, classes and labels that do not match are errors", "[eval][confusion_matrix]") {
  CHECK_THROWS_AS(confusion_matrix(Labels{1, 2}, Labels{1}, 3), jessl::ShapeError);
  CHECK_THROWS_WITH(confusion_matrix(Labels{1, 2}, Labels{1}, 3),
                    "jessl::eval::confusion_matrix: 2 predictions but 1 labels, expected one each");
  CHECK_THROWS_AS(confusion_matrix(Labels{}, Labels{}, 3), jessl::DataError);
  CHECK_THROWS_AS(confusion_matrix(Labels{1}, Labels{1}, 0), jessl::ConfigError);
  CHECK_THROWS_WITH(confusion_matrix(Labels{1}, Labels{1}, 65537), Contains("classes is 65537, expected 1 to 65536"));
  CHECK_THROWS_AS(confusion_matrix(Labels{1, 1}, Labels{1, 3}, 3), jessl::DataError);
  CHECK_THROWS_WITH(confusion_matrix(Labels{1, 1}, Labels{1, 3}, 3),
                    Contains("labels[1] is 3, expected a class in [0, 3)"));
  CHECK_THROWS_WITH(confusion_matrix(Labels{-1, 1}, Labels{1, 2}, 3),
                    Contains("predicted[0] is -1, expected a class in [0, 3)"));
  CHECK_THROWS_AS(per_class_accuracy(Labels{1}, Labels{-1}, 3), jessl::DataError);
  CHECK_THROWS_AS(balanced_accuracy(Labels{1}, Labels{}), jessl::ShapeError);
  CHECK_THROWS_AS(balanced_accuracy(Labels{}, Labels{}), jessl::DataError);
  CHECK_THROWS_WITH(balanced_accuracy(Labels{1}, Labels{-1}),
                    Contains("jessl::eval::balanced_accuracy: labels[0] is -1, expected a class >= 0"));
}
