// SPDX-License-Identifier: Apache-2.0
// What classifiers and regressors of features are: settings that, fitted to features, give something that predicts.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include <Eigen/Core>

#include <jessl/core/matrix.hpp>

namespace jessl {

namespace eval {

/// Features as they are handed in: [N, D] float32, row-major, without a copy.
using Features = Eigen::Ref<const RowMatrix>;

/// Row-major float64: weights, means and whatever else is a sum over rows.
using RowMatrixD = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// Class indices as they are handed in, one a row.
using Labels = std::span<const std::int64_t>;

}  // namespace eval

/// What is left of a classifier after fitting.
///
/// `predict(X)`   the most likely class of each row, [M]; of classes with equal scores the one with the lowest index
/// `scores(X)`    [M, C], a higher score for a more likely class
/// `classes()`    C
/// `dimension()`  D, the number of columns it was fitted to
///
/// All members are safe to call from several threads.
///
/// Errors     ShapeError when X has another number of columns, DataError when X holds NaN or infinity
/// Source     none
template <class M>
concept FittedClassifier = requires(const M& model, eval::Features x) {
  { model.predict(x) } -> std::same_as<std::vector<std::int64_t>>;
  { model.scores(x) } -> std::same_as<RowMatrix>;
  { model.classes() } -> std::same_as<std::int64_t>;
  { model.dimension() } -> std::same_as<std::int64_t>;
};

/// Learns classes from labelled features.
///
/// The policy is its settings. `fit(X, y)`, X [N, D], y [N] in [0, C), gives a FittedClassifier that holds on to
/// nothing of its caller's.
///
/// Errors     ConfigError for a setting out of range; ShapeError when X and y do not fit together; DataError when
///            there are no rows, for NaN or infinity in X and for labels outside [0, C)
/// Source     none
template <class C>
concept Classifier = requires(const C& settings, eval::Features x, eval::Labels y) {
  { settings.fit(x, y) } -> FittedClassifier;
};

/// Learns numbers from features: quantities, or which of several labels an image has.
///
/// The policy is its settings. `fit(X, targets)`, X [N, D], targets [N, T], gives a model that holds on to nothing of
/// its caller's and whose `predict(X)`, [M, D] -> [M, T], is safe to call from several threads. A policy may be a
/// Classifier, too.
///
/// Errors     as Classifier, with NaN and infinity in the targets in place of labels outside [0, C)
/// Source     none
template <class R>
concept Regressor = requires(const R& settings, eval::Features x, eval::Features targets) {
  { settings.fit(x, targets).predict(x) } -> std::same_as<RowMatrix>;
};

// [archetype]
/// The least a classifier can be: everything is class 0.
///
/// Shapes     as every jessl::Classifier
/// Errors     none
/// Models     jessl::Classifier (docs/eval/README.md)
/// Source     none
struct ClassifierArchetype {
  struct Fitted {
    [[nodiscard]] std::vector<std::int64_t> predict(eval::Features x) const {
      return std::vector<std::int64_t>(static_cast<std::size_t>(x.rows()));
    }
    [[nodiscard]] RowMatrix scores(eval::Features x) const { return RowMatrix::Zero(x.rows(), 1); }
    [[nodiscard]] std::int64_t classes() const { return 1; }
    [[nodiscard]] std::int64_t dimension() const { return columns; }

    std::int64_t columns = 0;
  };
  [[nodiscard]] Fitted fit(eval::Features x, eval::Labels) const { return {.columns = x.cols()}; }
};
static_assert(Classifier<ClassifierArchetype>);
// [/archetype]

/// The least a regressor can be: every number is 0.
///
/// Shapes     as every jessl::Regressor
/// Errors     none
/// Models     jessl::Regressor (docs/eval/README.md)
/// Source     none
struct RegressorArchetype {
  struct Fitted {
    [[nodiscard]] RowMatrix predict(eval::Features x) const { return RowMatrix::Zero(x.rows(), targets); }

    std::int64_t targets = 0;
  };
  [[nodiscard]] Fitted fit(eval::Features, eval::Features targets) const { return {.targets = targets.cols()}; }
};
static_assert(Regressor<RegressorArchetype>);

}  // namespace jessl
