// SPDX-License-Identifier: Apache-2.0
// The linear probe, its penalty chosen on rows that are kept apart.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <Eigen/Core>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/draw.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/matrix.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/thread_pool.hpp>
#include <jessl/eval/accuracy.hpp>
#include <jessl/eval/concept.hpp>
#include <jessl/eval/detail/checks.hpp>
#include <jessl/eval/detail/draw_rows.hpp>
#include <jessl/eval/detail/lbfgs.hpp>
#include <jessl/eval/logistic_probe.hpp>

namespace jessl::eval {

class FittedLogisticProbeSearch;

/// A LogisticProbe whose l2 is the one of a list with the best accuracy on validation rows.
///
/// The strengths are gone through from the strongest to the weakest, each from the optimum of the one before, on the
/// training rows without the validation rows; that with the highest validation accuracy, of equal ones the
/// strongest, is then fitted to all rows, from its optimum. The validation rows are those of the caller, or a share of
/// each class drawn by the seed: of a class of n rows validation_share * n, rounded, but never all. A choice at an end of
/// the list asks for a longer list.
///
/// Shapes     fit: X [N, D], y [N], and X_validation [M, D], y_validation [M] if they are the caller's
/// Units      l2s: as LogisticProbe's l2
/// Precision  as LogisticProbe
/// Cost       a path of fits, each in fewer steps than from 0, and the metric's covariance once for all of them; a copy
///            of all rows
/// Randomness which rows are kept apart: Purpose::selection of the seed; the result does not depend on the number of
///            threads, bit for bit
/// Errors     as LogisticProbe; DataError when no class has a row to spare for validation
/// Models     jessl::Classifier (docs/eval/README.md)
/// Source     Friedman, Hastie, Tibshirani: Regularization paths for generalized linear models via coordinate descent,
///            Journal of Statistical Software 33, 2010 (warm starts along the path); Kornblith, Shlens, Le: Do better
///            ImageNet models transfer better?, CVPR 2019, arXiv 1805.08974 (the choice on validation rows for linear
///            probes, and all rows then)
/// Differs    none
struct LogisticProbeSearch {
  static constexpr std::string_view name = "LogisticProbeSearch";

  /// weights of the penalty to choose from, each >= 0
  std::vector<double> l2s = {1e-1, 1e-2, 1e-3, 1e-4, 1e-5};
  double validation_share = 0.2;  ///< of each class's rows, kept apart where the caller has no others, in (0, 1)
  std::uint64_t seed = 0;         ///< of the draw of these rows
  double tolerance = 1e-6;        ///< largest entry of the gradient at the end, relative to max(1, that at W = 0), > 0
  std::int64_t max_iterations = 1000;     ///< steps of L-BFGS at most, for each strength, >= 1
  std::optional<std::int64_t> classes{};  ///< number of classes; absent: one more than the largest label
  std::int64_t threads = 0;               ///< threads to use; 0: all of the hardware

  template <class = void>
  [[nodiscard]] FittedLogisticProbeSearch fit(const Features& x, Labels y) const;
  template <class = void>
  [[nodiscard]] FittedLogisticProbeSearch fit(const Features& x, Labels y, const Features& x_validation,
                                              Labels y_validation) const;
};

/// The probe with the chosen l2, of all rows, and how the others did: what LogisticProbeSearch::fit gives.
///
/// Shapes     as FittedLogisticProbe
/// Errors     as LogisticProbe
/// Models     jessl::FittedClassifier
/// Source     as LogisticProbeSearch
class FittedLogisticProbeSearch : public FittedLogisticProbe {
 public:
  /// See LogisticProbeSearch::fit.
  FittedLogisticProbeSearch(FittedLogisticProbe chosen, std::vector<double> accuracies)
      : FittedLogisticProbe(std::move(chosen)), accuracies_(std::move(accuracies)) {}

  /// The validation accuracy of each of `l2s`, in their order.
  [[nodiscard]] const std::vector<double>& accuracies() const { return accuracies_; }

 private:
  std::vector<double> accuracies_;
};

namespace detail {

inline constexpr std::string_view logistic_probe_search = "jessl::eval::LogisticProbeSearch";

inline void check_search(const LogisticProbeSearch& settings) {
  check_list(logistic_probe_search, "l2s", settings.l2s, ">= 0", [](double l2) { return l2 >= 0; });
  check_minimiser(logistic_probe_search, settings.tolerance, settings.max_iterations);
}

/// Chooses by the rows from `training` on and fits to all rows, whose values have been checked.
template <class = void>
FittedLogisticProbeSearch search_logistic(const LogisticProbeSearch& settings, const RowMatrix& all, Labels y,
                                          Eigen::Index training, std::int64_t classes) {
  const Features x = all.topRows(training);
  const Features validation = all.bottomRows(all.rows() - training);
  const Labels y_training = y.first(static_cast<std::size_t>(training));
  const Labels y_validation = y.subspan(static_cast<std::size_t>(training));

  std::vector<std::size_t> path(settings.l2s.size());
  std::iota(path.begin(), path.end(), std::size_t{0});
  std::stable_sort(path.begin(), path.end(),
                   [&](std::size_t a, std::size_t b) { return settings.l2s[a] > settings.l2s[b]; });

  ThreadPool pool(thread_count(logistic_probe_search, settings.threads));
  SoftmaxMetric<> metric(all, classes, pool);
  LogisticProbe probe{
      .tolerance = settings.tolerance, .max_iterations = settings.max_iterations, .threads = pool.size()};
  Eigen::VectorXd parameters = Eigen::VectorXd::Zero(classes * (all.cols() + 1));
  Eigen::VectorXd best_parameters;
  double best_accuracy = -1.0;
  double best_l2 = 0.0;
  double goal = 0.0;  // that of the first fit, which starts from 0
  std::vector<double> accuracies(path.size());
  for (const std::size_t place : path) {
    probe.l2 = settings.l2s[place];
    const Minimum optimum =
        fit_softmax(logistic_probe_search, probe, x, y_training, classes, metric, pool, parameters, goal);
    if (goal == 0.0) goal = optimum.goal;
    accuracies[place] =
        accuracy(FittedLogisticProbe(probe, optimum, parameters, classes).predict(validation), y_validation);
    if (accuracies[place] <= best_accuracy) continue;
    best_accuracy = accuracies[place];
    best_l2 = probe.l2;
    best_parameters = parameters;
  }
  probe.l2 = best_l2;
  const Minimum optimum =
      fit_softmax(logistic_probe_search, probe, all, y, classes, metric, pool, best_parameters, goal);
  return {FittedLogisticProbe(probe, optimum, best_parameters, classes), std::move(accuracies)};
}

}  // namespace detail

template <class>
FittedLogisticProbeSearch LogisticProbeSearch::fit(const Features& x, Labels y) const {
  constexpr std::string_view who = detail::logistic_probe_search;
  detail::check_search(*this);
  JESSL_CHECK(validation_share > 0 && validation_share < 1, ConfigError, who, ": validation_share is ",
              validation_share, ", expected a share in (0, 1)");
  detail::check_training(who, x, y);
  const std::int64_t class_count = detail::class_count(who, y, classes);
  detail::check_finite(who, x, 0, x.rows());

  const Draw draw({.seed = seed, .operation = 3, .purpose = Purpose::selection});
  const auto kept = detail::draw_rows(y, draw, [this](std::int64_t, std::int64_t count) {
    return std::min<std::int64_t>(std::llround(validation_share * static_cast<double>(count)), count - 1);
  });
  JESSL_CHECK(!kept.empty(), DataError, who,
              ": no class of y has a row to spare at validation_share = ", validation_share,
              "; raise it, or give validation rows of your own: fit(X, y, X_validation, y_validation)");
  std::vector<Eigen::Index> order;  // rows to train with, then those kept
  order.reserve(y.size());
  for (Eigen::Index row = 0; row < x.rows(); ++row) {
    if (!std::binary_search(kept.begin(), kept.end(), row)) order.push_back(row);
  }
  const auto training = static_cast<Eigen::Index>(order.size());
  order.insert(order.end(), kept.begin(), kept.end());
  return detail::search_logistic(*this, x(order, Eigen::all), detail::labels_of(y, order), training, class_count);
}

template <class>
FittedLogisticProbeSearch LogisticProbeSearch::fit(const Features& x, Labels y, const Features& x_validation,
                                                   Labels y_validation) const {
  constexpr std::string_view who = detail::logistic_probe_search;
  constexpr std::string_view who_validation = "jessl::eval::LogisticProbeSearch, validation rows";
  detail::check_search(*this);
  detail::check_training(who, x, y);
  detail::check_training(who_validation, x_validation, y_validation);
  detail::check_columns(who_validation, x_validation, x.cols());
  const std::int64_t class_count =
      std::max(detail::class_count(who, y, classes), detail::class_count(who_validation, y_validation, classes));
  detail::check_finite(who, x, 0, x.rows());
  detail::check_finite(who_validation, x_validation, 0, x_validation.rows());

  RowMatrix all(x.rows() + x_validation.rows(), x.cols());
  all << x, x_validation;
  std::vector<std::int64_t> labels(y.begin(), y.end());
  labels.insert(labels.end(), y_validation.begin(), y_validation.end());
  return detail::search_logistic(*this, all, labels, x.rows(), class_count);
}

JESSL_INSTANTIATE(FittedLogisticProbeSearch LogisticProbeSearch::fit<void>(const Features&, Labels) const);
JESSL_INSTANTIATE(FittedLogisticProbeSearch LogisticProbeSearch::fit<void>(const Features&, Labels, const Features&,
                                                                           Labels) const);

}  // namespace jessl::eval

JESSL_OPTIONS(jessl::eval::LogisticProbeSearch, l2s, validation_share, seed, tolerance, max_iterations, classes,
              threads);
