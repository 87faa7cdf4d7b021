// SPDX-License-Identifier: Apache-2.0
// Probes of features on tasks of several kinds, at every layer, as one table.
#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <optional>
#include <ranges>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <Eigen/Core>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/matrix.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/task.hpp>
#include <jessl/eval/accuracy.hpp>
#include <jessl/eval/concept.hpp>
#include <jessl/eval/detail/checks.hpp>
#include <jessl/eval/mean_average_precision.hpp>
#include <jessl/eval/r2_score.hpp>
#include <jessl/eval/score_table.hpp>

namespace jessl::eval {

/// Who can be asked about a task: a classifier about classes, a regressor about several labels and quantities.
///
/// Errors     as the classifier and the regressor
/// Source     none
template <class P>
concept Probe = Classifier<P> || Regressor<P>;

namespace detail {

/// The images of a task that probes are fitted to, or those that they are asked about.
struct TaskPart {
  std::string_view name;  // in messages
  const LayerEmbedding& embedding;
  const RowMatrix& targets;
};

/// Features, labels and targets fit together and to what is asked, and every number is one. `least` rows.
void check_part(const std::string& who, TaskKind kind, const TaskPart& part, Eigen::Index least);

/// What can be said of a task before a probe is fitted to it.
void check_task(const std::string& who, TaskKind kind, const TaskPart& train, const TaskPart& test);

/// The checks of tasks that come one after another.
class TaskChecks {
 public:
  /// Checks one more, which these probes are to be asked about.
  template <class... Probes>
  void add(const Task& task) {
    JESSL_CHECK(!task.name.empty(), ConfigError,
                "jessl::eval::on_tasks: a task has no name, expected one for its column");
    const std::string who = concat("jessl::eval::on_tasks: task \"", task.name, '"');
    const bool answered = task.kind == TaskKind::classes ? (Classifier<Probes> || ...) : (Regressor<Probes> || ...);
    JESSL_CHECK(answered, ConfigError, who, " asks for ", describe(task.kind), ", which no probe of the call answers; ",
                "add one that does, such as eval::KNN or eval::LinearProbe");
    check_task(who, task.kind, {"train", task.train, task.train_targets}, {"test", task.test, task.test_targets});
    for (const Seen& other : seen_) {
      JESSL_CHECK(other.task != task.name || other.kind == task.kind, ConfigError, who,
                  " comes twice, with two kinds, expected each task once; give the second one another name");
    }
    for (const LayerFeatures& layer : task.train.layers) {
      Seen place{task.name, layer.layer, task.kind};
      JESSL_CHECK(std::find(seen_.begin(), seen_.end(), place) == seen_.end(), ConfigError, who, " has the layer \"",
                  layer.layer, "\" twice, expected each task once; give the second one another name");
      seen_.push_back(std::move(place));
    }
  }

 private:
  struct Seen {
    std::string task;
    std::string layer;
    TaskKind kind;

    friend bool operator==(const Seen&, const Seen&) = default;
  };
  std::vector<Seen> seen_{};
};

[[nodiscard]] inline std::string_view metric_of(TaskKind kind) {
  return kind == TaskKind::classes ? "top1" : kind == TaskKind::several_labels ? "mAP" : "R2";
}

/// How well a probe answers by the features of a layer; nothing where it does not answer such questions.
template <Probe P>
[[nodiscard]] std::optional<double> ask(const P& probe, TaskKind kind, const TaskPart& train, const TaskPart& test,
                                        std::size_t layer) {
  const RowMatrix& x = train.embedding.layers[layer].features;
  const RowMatrix& asked = test.embedding.layers[layer].features;
  if (kind == TaskKind::classes) {
    if constexpr (Classifier<P>) {
      return accuracy(probe.fit(x, train.embedding.labels).predict(asked), test.embedding.labels);
    }
  } else if constexpr (Regressor<P>) {
    const RowMatrix predicted = probe.fit(x, train.targets).predict(asked);
    return kind == TaskKind::several_labels ? mean_average_precision(predicted, test.targets)
                                            : r2_score(predicted, test.targets);
  }
  return std::nullopt;
}

/// Asks the probes about a task that has been checked.
template <Probe... Probes>
void add_scores(ScoreTable& table, const std::string& task, TaskKind kind, const TaskPart& train, const TaskPart& test,
                const Probes&... probes) {
  for (std::size_t i = 0; i < train.embedding.layers.size(); ++i) {
    const auto add = [&](const auto& probe) {
      const std::optional<double> value = ask(probe, kind, train, test, i);
      if (!value) return;
      table.add({.layer = train.embedding.layers[i].layer,
                 .task = task,
                 .probe = describe(probe),
                 .metric = std::string(metric_of(kind)),
                 .value = *value});
    };
    (add(probes), ...);
  }
}

}  // namespace detail

/// Probes on any number of tasks, at every layer, as one table: a row for each layer and probe, a column for each task.
///
///     std::cout << eval::on_tasks(std::vector{birds, attributes, ages}, eval::standardized(eval::LinearProbe{}));
///
/// Each probe is fitted to the features of `train` and asked about those of `test`: about classes by its fit(X, y),
/// measured by their accuracy ("top1"); about several labels by its fit(X, targets), measured by the mean average
/// precision ("mAP"); about quantities by the same, measured by the coefficient of determination ("R2"). A probe that
/// does not answer a kind of question has no figure there, and no mean and rank over all tasks; one of them has to. The mean adds up
/// different metrics as they are; R2 has no lower end, and one bad task may outweigh the others: look at the rank.
///
/// `tasks` is a range of Task. Where they are all in memory each is checked before the first fit. A view that loads them (list |
/// std::views::transform(io::load_task)) is gone through once and holds one at a time, which is checked before its own fits. A
/// task may come in several parts with other layers.
///
/// Shapes     as Task
/// Cost       that of the probes, for each layer of each task; a pass over the features for the checks
/// Randomness the probes'
/// Errors     each names the task. ConfigError for a task without a name, one that no probe answers, one of whose layers
///            comes twice, of two kinds, and for targets where classes are asked; ShapeError when layers, features, labels and targets of
///            train and test do not fit together; DataError for no layers, no rows, NaN or infinity, a negative label,
///            targets of several labels other than 0 and 1 or without a 1 in test, and quantities of a single test
///            image; as the probes
/// Models     none
/// Source     Bordes, Balestriero and Vincent, Towards Democratizing Joint-Embedding Self-Supervised Learning, 2023,
///            arXiv 2303.01986, section 4 (several tasks and every layer); Everingham, Van Gool, Williams, Winn and
///            Zisserman: The Pascal Visual Object Classes (VOC) Challenge, IJCV 88, 2010 (mean average precision of
///            several labels)
template <std::ranges::input_range Tasks, class... Probes>
requires std::same_as<std::ranges::range_value_t<Tasks>, Task>
[[nodiscard]] ScoreTable on_tasks(Tasks&& tasks, const Probes&... probes) {
  static_assert(sizeof...(Probes) > 0 && (Probe<Probes> && ...),
                "jessl::eval::on_tasks requires one or more jessl::eval::Probe after the tasks: a Classifier with "
                "fit(X, labels) or a "
                "Regressor with fit(X, targets), such as eval::KNN{}; see docs/eval/on_tasks.md");
  detail::TaskChecks checks;
  constexpr bool all_there =
      std::ranges::forward_range<Tasks> && std::is_lvalue_reference_v<std::ranges::range_reference_t<Tasks>>;
  if constexpr (all_there) {
    for (const Task& task : tasks) checks.template add<Probes...>(task);
  }
  ScoreTable table;
  for (const Task& task : tasks) {
    if constexpr (!all_there) checks.template add<Probes...>(task);
    detail::add_scores(table, task.name, task.kind, {"train", task.train, task.train_targets},
                       {"test", task.test, task.test_targets}, probes...);
  }
  return table;
}

#if JESSL_DEFINITIONS

namespace detail {

JESSL_INLINE void check_part(const std::string& who, TaskKind kind, const TaskPart& part, Eigen::Index least) {
  const bool classes = kind == TaskKind::classes;
  const std::string targets_name = concat(part.name, "_targets");
  for (const auto& [layer, features] : part.embedding.layers) {
    const std::string features_name = concat(part.name, " at \"", layer, '"');
    check_rows(who, features, least, features_name);
    if (classes) {
      JESSL_CHECK(static_cast<std::size_t>(features.rows()) == part.embedding.labels.size(), ShapeError, who, ": ",
                  features_name, " is ", shape_of(features), " but ", part.name, " has ", part.embedding.labels.size(),
                  " labels, expected one label a row");
    } else {
      JESSL_CHECK(features.rows() == part.targets.rows() && part.targets.cols() > 0, ShapeError, who, ": ",
                  features_name, " is ", shape_of(features), " but ", targets_name, " is ", shape_of(part.targets),
                  ", expected [N, T] with a row for each image");
    }
    check_finite(who, features, 0, features.rows(), features_name);
  }
  if (classes) {
    JESSL_CHECK(part.targets.size() == 0, ConfigError, who, ": ", targets_name, " is ", shape_of(part.targets),
                " but kind is classes, which are the labels; set kind to several_labels or quantities");
    check_labelled(concat(who, ": ", part.name), part.embedding.labels);
    return;
  }
  for (Eigen::Index i = 0; i < part.targets.rows(); ++i) {
    for (Eigen::Index t = 0; t < part.targets.cols(); ++t) {
      const float value = part.targets(i, t);
      if (kind == TaskKind::quantities ? std::isfinite(value) : value == 0.0F || value == 1.0F) continue;
      fail<DataError>(who, ": ", targets_name, "(", i, ", ", t, ") is ", value, ", expected ",
                      kind == TaskKind::quantities ? "a finite number; leave images without it out"
                                                   : "1 for an image that has the label, and 0 for one that has not");
    }
  }
}

JESSL_INLINE void check_task(const std::string& who, TaskKind kind, const TaskPart& train, const TaskPart& test) {
  const auto& layers = train.embedding.layers;
  const auto& others = test.embedding.layers;
  JESSL_CHECK(layers.size() == others.size(), ShapeError, who, ": train has ", layers.size(), " layers, test ",
              others.size(), ", expected those of one network");
  JESSL_CHECK(!layers.empty(), DataError, who, ": train and test have no layers, expected features of at least one");
  for (std::size_t i = 0; i < layers.size(); ++i) {
    JESSL_CHECK(layers[i].layer == others[i].layer, ShapeError, who, ": layer ", i, " of train is \"", layers[i].layer,
                "\", of test \"", others[i].layer, "\", expected those of one network");
    JESSL_CHECK(layers[i].features.cols() == others[i].features.cols(), ShapeError, who, ": \"", layers[i].layer,
                "\" is ", shape_of(layers[i].features), " of train and ", shape_of(others[i].features),
                " of test, expected [N, D] and [M, D]");
  }
  check_part(who, kind, train, 1);
  check_part(who, kind, test, kind == TaskKind::quantities ? 2 : 1);  // a variance wants two
  JESSL_CHECK(train.targets.cols() == test.targets.cols(), ShapeError, who, ": train_targets is ",
              shape_of(train.targets), " and test_targets ", shape_of(test.targets), ", expected [N, T] and [M, T]");
  JESSL_CHECK(kind != TaskKind::several_labels || (test.targets.array() == 1.0F).any(), DataError, who,
              ": test_targets has no 1, expected at least one image with a label");
}

}  // namespace detail

#endif  // JESSL_DEFINITIONS

}  // namespace jessl::eval
