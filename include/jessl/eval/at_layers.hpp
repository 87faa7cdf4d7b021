// SPDX-License-Identifier: Apache-2.0
// Classifiers of the features of every layer of a network.
#pragma once

#include <concepts>

#include <jessl/core/matrix.hpp>
#include <jessl/core/task.hpp>
#include <jessl/eval/concept.hpp>
#include <jessl/eval/on_tasks.hpp>
#include <jessl/eval/score_table.hpp>

namespace jessl::eval {

/// The accuracy of classifiers at every layer: each is fitted to the features of `train` and asked about those of `test`.
///
///     std::cout << eval::at_layers(trainer.embed_layers(train), trainer.embed_layers(test), eval::KNN{.k = 20},
///                                  eval::standardized(eval::LogisticProbe{.l2 = 1e-3}));
///
/// The head is trained away from what the loss asks for: the layer that serves a task best is rarely the last, and
/// often not the representation either. Features may come from anywhere; a Trainer's embed_layers gives them. This is
/// on_tasks for one task of classes, whose column is called "test", without a copy of its features.
///
/// Shapes     layers: L, each [N, D] and [M, D], D the layer's own; labels [N], [M]
/// Cost       that of the classifiers, L times
/// Randomness the classifiers'
/// Errors     as on_tasks
/// Models     none
/// Source     Bordes, Balestriero, Garrido, Bardes and Vincent, Guillotine Regularization: Why removing layers is needed to
///            improve generalization in Self-Supervised Learning, TMLR 2023, arXiv 2206.13378
template <class... Probes>
[[nodiscard]] ScoreTable at_layers(const LayerEmbedding& train, const LayerEmbedding& test, const Probes&... probes) {
  static_assert(
      sizeof...(Probes) > 0 && (Classifier<Probes> && ...),
      "jessl::eval::at_layers requires one or more jessl::Classifier after the features: fit(X, labels) gives what has "
      "predict, scores, classes and dimension, as eval::KNN{}; see docs/eval/README.md");
  const RowMatrix no_targets;
  const detail::TaskPart known{"train", train, no_targets};
  const detail::TaskPart asked{"test", test, no_targets};
  detail::check_task("jessl::eval::at_layers", TaskKind::classes, known, asked);
  ScoreTable table;
  detail::add_scores(table, "test", TaskKind::classes, known, asked, probes...);
  return table;
}

/// Gives the features of a data set's images at every layer, as a jessl::Trainer does.
///
/// Errors     its own
/// Source     none
template <class T, class D>
concept EmbedsLayers = requires(T& trainer, const D& data) {
  { trainer.embed_layers(data) } -> std::same_as<LayerEmbedding>;
};

/// As above, of the layers of a trainer's network on two data sets.
template <class T, class Train, class Test, class... Probes>
requires(EmbedsLayers<T, Train>&& EmbedsLayers<T, Test>) [[nodiscard]] ScoreTable
    at_layers(T& trainer, const Train& train, const Test& test, const Probes&... probes) {
  return at_layers(trainer.embed_layers(train), trainer.embed_layers(test), probes...);
}

}  // namespace jessl::eval
