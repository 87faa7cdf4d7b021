// SPDX-License-Identifier: Apache-2.0
// A task by which representations are judged: features of images, and what is asked about them.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <jessl/core/matrix.hpp>
#include <jessl/core/options.hpp>

namespace jessl {

/// What a task asks of an image.
enum class TaskKind : std::uint8_t {
  classes,         ///< the one class that it is of
  several_labels,  ///< which of T labels it has: none, one or many
  quantities       ///< T real numbers: a width, a position, an age
};

/// A data set by which representations are judged: what a network made of its images, at every layer, and the right
/// answers.
///
///     const Task birds{.name = "birds", .train = trainer.embed_layers(train), .test = trainer.embed_layers(test)};
///
/// Classes are the labels of `train` and `test`. For the other kinds the answers are targets, a row an image: 1 where
/// the image has the label and 0 where it has not, or the quantities. eval::on_tasks asks probes about any number of
/// tasks; io::load_task reads one from files.
///
/// Shapes     train: L layers [N, D], test: the same layers [M, D]; labels [N] and [M], or targets [N, T] and [M, T]
/// Errors     none; eval::on_tasks checks it
/// Models     none
/// Source     none
struct Task {
  std::string name{};                 ///< what the column of a table is called
  TaskKind kind = TaskKind::classes;  ///< what is asked
  LayerEmbedding train{};             ///< what probes are fitted to
  LayerEmbedding test{};              ///< what they are asked about
  RowMatrix train_targets{};          ///< [N, T]; none for classes
  RowMatrix test_targets{};           ///< [M, T]; none for classes
};

}  // namespace jessl

template <>
struct jessl::EnumNames<jessl::TaskKind> {
  static constexpr std::array<std::pair<jessl::TaskKind, std::string_view>, 3> value{
      {{jessl::TaskKind::classes, "classes"},
       {jessl::TaskKind::several_labels, "several_labels"},
       {jessl::TaskKind::quantities, "quantities"}}};
};
