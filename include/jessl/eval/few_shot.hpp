// SPDX-License-Identifier: Apache-2.0
// How well a classifier does with a few labelled images of each class.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

#include <Eigen/Core>

#include <jessl/core/draw.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/matrix.hpp>
#include <jessl/core/options.hpp>
#include <jessl/eval/accuracy.hpp>
#include <jessl/eval/concept.hpp>
#include <jessl/eval/detail/checks.hpp>
#include <jessl/eval/detail/draw_rows.hpp>
#include <jessl/eval/detail/student_t.hpp>

namespace jessl::eval {

/// How few images, and how often.
///
/// Shapes     none
/// Errors     none
/// Models     none
/// Source     none
struct FewShotOptions {
  std::int64_t shots = 5;     ///< training rows of each class, >= 1
  std::int64_t repeats = 10;  ///< draws of training rows, 1 to 2^31
  std::uint64_t seed = 0;     ///< of the draws
};

/// What few_shot() found.
///
/// Shapes     none
/// Errors     none
/// Models     none
/// Source     none
struct FewShotResult {
  double accuracy = 0.0;             ///< mean over the repeats, in [0, 1]
  double margin = 0.0;               ///< accuracy +- margin is its 95 % confidence interval; infinity for one repeat
  std::vector<double> accuracies{};  ///< of each repeat
};

/// The accuracy of a classifier that is fitted to `shots` training rows of each class, over several draws of them.
///
/// Each repeat draws rows of every class that occurs among the training labels, without replacement, fits the classifier
/// to them, and counts its right predictions for all test rows. With r accuracies a_i of mean a and deviation
/// s = sqrt(sum_i (a_i - a)^2 / (r - 1)) the 95 % confidence interval of the mean is a +- t s / sqrt(r), t the 97.5 %
/// quantile of Student's t distribution with r - 1 degrees of freedom. It is about which rows are drawn: the test rows are the
/// same in all repeats. The rows of fewer shots are among those of more, of the same seed and repeat.
///
/// Shapes     x_train: [N, D], y_train: [N], x_test: [M, D], y_test: [M]
/// Cost       that of `repeats` fits and predictions
/// Randomness Purpose::selection of the seed, a stream for each repeat
/// Errors     ConfigError for shots or repeats out of range; ShapeError when features and labels do not fit together;
///            DataError when there are no rows, for a negative label and for a class with fewer training rows than
///            shots; whatever the classifier finds wrong
/// Models     none
/// Source     Fei-Fei, Fergus, Perona: One-shot learning of object categories, TPAMI 28, 2006; the interval: Student:
///            The probable error of a mean, Biometrika 6, 1908
template <Classifier C>
[[nodiscard]] FewShotResult few_shot(const C& classifier, const Features& x_train, Labels y_train,
                                     const Features& x_test, Labels y_test, const FewShotOptions& options = {}) {
  constexpr std::string_view who = "jessl::eval::few_shot";
  constexpr std::string_view who_test = "jessl::eval::few_shot, test rows";
  JESSL_CHECK(options.shots >= 1, ConfigError, who, ": shots is ", options.shots, ", expected >= 1");
  JESSL_CHECK(options.repeats >= 1 && options.repeats <= std::int64_t{1} << 31U, ConfigError, who, ": repeats is ",
              options.repeats, ", expected 1 to ", std::int64_t{1} << 31U);
  detail::check_training(who, x_train, y_train);
  detail::check_training(who_test, x_test, y_test);
  detail::check_columns(who_test, x_test, x_train.cols());
  detail::check_labelled(who, y_train);
  detail::check_labelled(who_test, y_test);

  FewShotResult result;
  for (std::int64_t repeat = 0; repeat < options.repeats; ++repeat) {
    const Draw draw({.seed = options.seed,
                     .epoch = static_cast<std::uint32_t>(repeat),
                     .operation = 2,
                     .purpose = Purpose::selection});
    const auto rows = detail::draw_rows(y_train, draw, [&](std::int64_t label, std::int64_t count) {
      JESSL_CHECK(count >= options.shots, DataError, who, ": class ", label, " has ", count,
                  " training rows, expected at least shots = ", options.shots,
                  "; take fewer shots, or leave the class out of training and test rows");
      return options.shots;
    });
    const RowMatrix features = x_train(rows, Eigen::all);
    const auto model = classifier.fit(features, detail::labels_of(y_train, rows));
    result.accuracies.push_back(accuracy(model.predict(x_test), y_test));
    result.accuracy += result.accuracies.back();
  }

  const auto count = static_cast<double>(options.repeats);
  result.accuracy /= count;
  double squares = 0.0;
  for (const double each : result.accuracies) squares += (each - result.accuracy) * (each - result.accuracy);
  result.margin = options.repeats == 1
                      ? std::numeric_limits<double>::infinity()
                      : detail::student_t(options.repeats - 1, 0.95) * std::sqrt(squares / (count - 1.0) / count);
  return result;
}

}  // namespace jessl::eval

JESSL_OPTIONS(jessl::eval::FewShotOptions, shots, repeats, seed);
JESSL_OPTIONS(jessl::eval::FewShotResult, accuracy, margin, accuracies);
