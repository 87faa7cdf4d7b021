// SPDX-License-Identifier: Apache-2.0
// Classifiers of the features of every layer of a network.
#pragma once

#include <concepts>
#include <cstddef>
#include <string>
#include <string_view>

#include <jessl/core/error.hpp>
#include <jessl/core/matrix.hpp>
#include <jessl/core/options.hpp>
#include <jessl/eval/accuracy.hpp>
#include <jessl/eval/concept.hpp>
#include <jessl/eval/score_table.hpp>

namespace jessl::eval {

/// What `at_layers` leaves open.
///
/// Shapes     none
/// Errors     none
/// Models     jessl::Options
/// Source     none
struct AtLayersOptions {
  static constexpr std::string_view name = "AtLayersOptions";

  std::string task = "test";  ///< the column of the table
};

/// The accuracy of classifiers at every layer: each is fitted to the features of `train` and asked about those of `test`.
///
///     std::cout << eval::at_layers(trainer.embed_layers(train), trainer.embed_layers(test), eval::KNN{.k = 20},
///                                  eval::standardized(eval::LogisticProbe{.l2 = 1e-3}));
///
/// The head is trained away from what the loss asks for: the layer that serves a task best is rarely the last, and often
/// not the representation either. Features may come from anywhere; a Trainer's embed_layers gives them.
///
/// Shapes     layers: L, each [N, D] and [M, D], D the layer's own; labels [N], [M]
/// Cost       that of the classifiers, L times
/// Randomness the classifiers'
/// Errors     ShapeError when the two do not have the same layers; as the classifiers
/// Models     none
/// Source     Bordes, Balestriero, Garrido, Bardes and Vincent, Guillotine Regularization: Why removing layers is needed to
///            improve generalization in Self-Supervised Learning, TMLR 2023, arXiv 2206.13378
template <Classifier... Probes>
[[nodiscard]] ScoreTable at_layers(const LayerEmbedding& train, const LayerEmbedding& test,
                                   const AtLayersOptions& options, const Probes&... probes) {
  JESSL_CHECK(train.layers.size() == test.layers.size(), ShapeError, "jessl::eval::at_layers: train has ",
              train.layers.size(), " layers, test ", test.layers.size(), ", expected those of one network");
  ScoreTable table;
  for (std::size_t i = 0; i < train.layers.size(); ++i) {
    const auto& [layer, features] = train.layers[i];
    JESSL_CHECK(layer == test.layers[i].layer, ShapeError, "jessl::eval::at_layers: layer ", i, " of train is \"",
                layer, "\", of test \"", test.layers[i].layer, "\", expected those of one network");
    const auto ask = [&](const auto& probe) {
      const auto model = probe.fit(features, train.labels);
      table.add({.layer = layer,
                 .task = options.task,
                 .probe = describe(probe),
                 .metric = "top1",
                 .value = accuracy(model.predict(test.layers[i].features), test.labels)});
    };
    (ask(probes), ...);
  }
  return table;
}

/// As above, with the column called "test".
template <Classifier... Probes>
[[nodiscard]] ScoreTable at_layers(const LayerEmbedding& train, const LayerEmbedding& test, const Probes&... probes) {
  return at_layers(train, test, AtLayersOptions{}, probes...);
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
template <class T, class Train, class Test, Classifier... Probes>
requires(EmbedsLayers<T, Train>&& EmbedsLayers<T, Test>) [[nodiscard]] ScoreTable
    at_layers(T& trainer, const Train& train, const Test& test, const Probes&... probes) {
  return at_layers(trainer.embed_layers(train), trainer.embed_layers(test), AtLayersOptions{}, probes...);
}

}  // namespace jessl::eval

JESSL_OPTIONS(jessl::eval::AtLayersOptions, task);
