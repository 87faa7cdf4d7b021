// SPDX-License-Identifier: Apache-2.0
// The linear probe in closed form, its penalty chosen by exact leave-one-out errors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/matrix.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/thread_pool.hpp>
#include <jessl/eval/concept.hpp>
#include <jessl/eval/detail/checks.hpp>
#include <jessl/eval/detail/ridge.hpp>
#include <jessl/eval/ridge_probe.hpp>

namespace jessl::eval {

template <class Fitted>
class FittedRidgeSearch;

/// A RidgeProbe whose lambda is the one of a list with the lowest leave-one-out error.
///
/// The error of a lambda is the mean, over rows and targets, of the squared error that the regression of all other rows
/// makes at a row. It needs no regression but that of all rows: t_i - f_-i(x_i) = (t_i - f(x_i)) / (1 - h_i) with the
/// leverage h_i = 1/N + z_i^T (Z^T Z + lambda I)^-1 z_i of the centred row z_i, and one eigendecomposition of
/// Z^T Z or Z Z^T serves all lambdas. So no row has to be kept apart to choose by, and all of them train. Of lambdas with
/// equal errors the largest is taken. A choice at an end of the list asks for a longer list.
///
/// Shapes     fit: X [N, D] and y [N], or targets [N, T]
/// Units      lambdas: as RidgeProbe's lambda
/// Precision  as RidgeProbe
/// Cost       as RidgeProbe, with the eigenvectors (about 9 min(N, D)^3 operations) for Cholesky's factors, and
///            2 N R (R + L T) for the errors, R = min(N, D), L the number of lambdas
/// Randomness none; the result does not depend on the number of threads, bit for bit
/// Errors     as RidgeProbe; DataError for a single row. Dependent features are no error
/// Models     jessl::Classifier, jessl::Regressor (docs/eval/README.md)
/// Source     Allen: The relationship between variable selection and data augmentation and a method for prediction,
///            Technometrics 16, 1974 (PRESS); Rifkin, Lippert: Notes on regularized least squares,
///            MIT-CSAIL-TR-2007-025, 2007
/// Differs    none
struct RidgeProbeSearch {
  static constexpr std::string_view name = "RidgeProbeSearch";

  /// strengths of the penalty to choose from, each > 0
  std::vector<double> lambdas = {1e-3, 1e-2, 1e-1, 1e0, 1e1, 1e2, 1e3, 1e4, 1e5};
  std::optional<std::int64_t> classes{};  ///< number of classes; absent: one more than the largest label
  std::int64_t threads = 0;               ///< threads to use; 0: all of the hardware

  template <class = void>
  [[nodiscard]] FittedRidgeSearch<FittedRidgeProbe> fit(const Features& x, Labels y) const;
  template <class = void>
  [[nodiscard]] FittedRidgeSearch<FittedRidgeRegression> fit(const Features& x, const Features& targets) const;
};

/// The FittedRidgeProbe (for labels) or FittedRidgeRegression (for targets) with the chosen lambda, and how the others
/// did: what RidgeProbeSearch::fit gives.
///
/// Shapes     as Fitted
/// Errors     as RidgeProbe
/// Models     jessl::FittedClassifier, where Fitted does
/// Source     as RidgeProbeSearch
template <class Fitted>
class FittedRidgeSearch : public Fitted {
 public:
  /// See RidgeProbeSearch::fit.
  FittedRidgeSearch(Fitted chosen, std::vector<double> errors)
      : Fitted(std::move(chosen)), errors_(std::move(errors)) {}

  /// The leave-one-out error of each of `lambdas`, in their order.
  [[nodiscard]] const std::vector<double>& errors() const { return errors_; }

 private:
  std::vector<double> errors_;
};

namespace detail {

/// The regression of the lambda with the lowest error, and all errors.
template <class Targets>
[[nodiscard]] FittedRidgeSearch<FittedRidgeRegression> search_ridge(const Features& x, const Targets& targets,
                                                                    const std::vector<double>& lambdas,
                                                                    ThreadPool& pool) {
  const RidgePath<Targets> path(x, targets, pool);
  std::vector<double> errors = path.leave_one_out(lambdas);
  std::size_t best = 0;
  for (std::size_t l = 1; l < lambdas.size(); ++l) {
    if (errors[l] < errors[best] || (errors[l] == errors[best] && lambdas[l] > lambdas[best])) best = l;
  }
  return {{path.at(lambdas[best]), lambdas[best], pool.size()}, std::move(errors)};
}

inline void check_search(std::string_view who, const Features& x, const std::vector<double>& lambdas) {
  check_list(who, "lambdas", lambdas, "> 0", [](double lambda) { return lambda > 0; });
  JESSL_CHECK(x.rows() != 1, DataError, who, ": X is ", shape_of(x),
              ", expected at least two rows: when one is left out there must be another to fit to");
}

}  // namespace detail

template <class>
FittedRidgeSearch<FittedRidgeProbe> RidgeProbeSearch::fit(const Features& x, Labels y) const {
  constexpr std::string_view who = "jessl::eval::RidgeProbeSearch";
  const std::int64_t thread_count = detail::thread_count(who, threads);
  detail::check_search(who, x, lambdas);
  detail::check_training(who, x, y);
  const std::int64_t class_count = detail::class_count(who, y, classes);
  detail::check_finite(who, x, 0, x.rows());
  ThreadPool pool(thread_count);
  const auto found = detail::search_ridge(x, detail::OneHotTargets<>(y, class_count), lambdas, pool);
  return {FittedRidgeProbe(found), found.errors()};
}

template <class>
FittedRidgeSearch<FittedRidgeRegression> RidgeProbeSearch::fit(const Features& x, const Features& targets) const {
  constexpr std::string_view who = "jessl::eval::RidgeProbeSearch";
  const std::int64_t thread_count = detail::thread_count(who, threads);
  detail::check_search(who, x, lambdas);
  detail::check_training(who, x, targets);
  ThreadPool pool(thread_count);
  return detail::search_ridge(x, detail::RealTargets<>(targets, pool), lambdas, pool);
}

JESSL_INSTANTIATE(FittedRidgeSearch<FittedRidgeProbe> RidgeProbeSearch::fit<void>(const Features&, Labels) const);
JESSL_INSTANTIATE(FittedRidgeSearch<FittedRidgeRegression> RidgeProbeSearch::fit<void>(const Features&, const Features&)
                      const);

}  // namespace jessl::eval

JESSL_OPTIONS(jessl::eval::RidgeProbeSearch, lambdas, classes, threads);
