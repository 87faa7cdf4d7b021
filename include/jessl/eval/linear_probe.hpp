// SPDX-License-Identifier: Apache-2.0
// The linear probe for every kind of task, its penalties chosen by the training rows.
#pragma once

#include <string_view>

#include <jessl/core/options.hpp>
#include <jessl/eval/concept.hpp>
#include <jessl/eval/logistic_probe_search.hpp>
#include <jessl/eval/ridge_probe.hpp>
#include <jessl/eval/ridge_probe_search.hpp>

namespace jessl::eval {

/// A linear probe that answers whatever is asked: logistic regression for classes, ridge regression for targets.
///
/// For tasks of several kinds in one table (eval::on_tasks), where a probe is a row: this one has a figure at every
/// task. RidgeProbeSearch alone answers all kinds as well, but it is not what papers print for classes. Put
/// eval::standardized around it, as the penalties are one number for features of any scale.
///
/// Shapes     fit: X [N, D] and y [N], or targets [N, T]
/// Precision  as LogisticProbeSearch and RidgeProbeSearch
/// Cost       as the one that is asked
/// Randomness as LogisticProbeSearch
/// Errors     as the one that is asked
/// Models     jessl::Classifier, jessl::Regressor (docs/eval/README.md)
/// Source     as LogisticProbeSearch and RidgeProbeSearch
struct LinearProbe {
  static constexpr std::string_view name = "LinearProbe";

  LogisticProbeSearch logistic{};  ///< of classes
  RidgeProbeSearch ridge{};        ///< of several labels and of quantities

  template <class = void>
  [[nodiscard]] FittedLogisticProbeSearch fit(const Features& x, Labels y) const {
    return logistic.fit(x, y);
  }
  template <class = void>
  [[nodiscard]] FittedRidgeSearch<FittedRidgeRegression> fit(const Features& x, const Features& targets) const {
    return ridge.fit(x, targets);
  }
};

}  // namespace jessl::eval

JESSL_OPTIONS(jessl::eval::LinearProbe, logistic, ridge);
