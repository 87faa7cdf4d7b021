// SPDX-License-Identifier: Apache-2.0
// evaluation: the view without chance that fits a training pipeline.
#pragma once

#include <tuple>
#include <type_traits>

#include <jessl/augment/eval.hpp>
#include <jessl/augment/normalize.hpp>
#include <jessl/augment/pipeline.hpp>
#include <jessl/augment/progressive.hpp>
#include <jessl/augment/views.hpp>
#include <jessl/core/error.hpp>

namespace jessl::augment {

/// The Normalize of a pipeline; the one that changes nothing where there is none.
///
/// Errors     none
/// Models     none
/// Source     none
template <class... Ops>
[[nodiscard]] Normalize normalization(const Pipeline<Ops...>& pipeline) {
  Normalize found{.mean = {0.0, 0.0, 0.0}, .std = {1.0, 1.0, 1.0}};
  const auto look = [&found](const auto& operation) {
    if constexpr (std::is_same_v<std::remove_cvref_t<decltype(operation)>, Normalize>) found = operation;
  };
  std::apply([&](const auto&... operation) { (look(operation), ...); }, pipeline.operations());
  return found;
}

/// The Normalize of the first view.
///
/// Errors     none
/// Models     none
/// Source     none
template <class... Pipelines>
[[nodiscard]] Normalize normalization(const Views<Pipelines...>& views) {
  return normalization(views.template pipeline<0>());
}

/// The Normalize of the first view.
///
/// Errors     none
/// Models     none
/// Source     none
template <class Maker>
requires requires(const Maker& maker) { normalization(maker); }
[[nodiscard]] Normalize normalization(const Progressive<Maker>& progressive) {
  return normalization(progressive.largest());
}

/// The maker of the view by which an encoder trained on `maker`'s first view is evaluated: the same size and
/// normalisation, no chance. Trainer::embed uses it.
///
/// Shapes     one view [C, size, size]
/// Errors     ConfigError when the first view is not square: there is then no habit to follow
/// Models     gives a jessl::ViewMaker
/// Source     as eval()
template <class Maker>
requires requires(const Maker& maker) { normalization(maker); }
[[nodiscard]] auto evaluation(const Maker& maker) {
  const ViewShape shape = maker.shape(0, 1);
  JESSL_CHECK(shape.height == shape.width, ConfigError, "jessl::augment::evaluation: the first view is ", shape.height,
              'x', shape.width, ", not square; give Trainer::embed a view maker of your own");
  const Normalize normalize = normalization(maker);
  return eval({.size = shape.height, .mean = normalize.mean, .std = normalize.std});
}

}  // namespace jessl::augment
