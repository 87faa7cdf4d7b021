// SPDX-License-Identifier: Apache-2.0
// Probes on tasks of several kinds: the figures are those of the probes alone, and what does not fit is told before any
// fit.
#include <catch2/catch.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <ranges>
#include <sstream>
#include <string>
#include <vector>

#include <jessl/eval.hpp>

#include "eval/reference.hpp"

namespace {

using Catch::Contains;
using jessl::RowMatrix;
using jessl::Task;
using jessl::TaskKind;
using jessl::eval::KNN;
using jessl::eval::LinearProbe;
using jessl::eval::LogisticProbeSearch;
using jessl::eval::RidgeProbeSearch;
using jessl::eval::ScoreTable;
namespace eval = jessl::eval;

/// Clusters at two layers, their classes, and what can be asked about the classes and the features.
struct Asked {
  jessl::LayerEmbedding embedding;
  RowMatrix attributes;  // [N, 3]: even classes, classes above 0, the last class
  RowMatrix sizes;       // [N, 2]: not linear in the features, but nearly

  Asked(std::uint64_t seed, Eigen::Index rows) {
    const reference::Clusters clusters(seed, rows, 24, 4);
    embedding = {.layers = {{"representation", clusters.x}, {"projector.0", clusters.x.leftCols(4)}},
                 .labels = clusters.y};
    attributes.resize(rows, 3);
    sizes.resize(rows, 2);
    for (Eigen::Index i = 0; i < rows; ++i) {
      const std::int64_t y = clusters.y[static_cast<std::size_t>(i)];
      attributes.row(i) << (y % 2 == 0 ? 1.0F : 0.0F), (y > 0 ? 1.0F : 0.0F), (y == 3 ? 1.0F : 0.0F);
      sizes.row(i) << clusters.x(i, 0) + 0.1F * std::sin(clusters.x(i, 1)), static_cast<float>(y);
    }
  }
};

Task birds() { return {.name = "birds", .train = Asked(11, 300).embedding, .test = Asked(12, 120).embedding}; }

Task attributes() {
  const Asked bank(13, 240), query(14, 100);
  return {.name = "attributes",
          .kind = TaskKind::several_labels,
          .train = bank.embedding,
          .test = query.embedding,
          .train_targets = bank.attributes,
          .test_targets = query.attributes};
}

Task sizes() {
  const Asked bank(15, 200), query(16, 90);
  return {.name = "sizes",
          .kind = TaskKind::quantities,
          .train = bank.embedding,
          .test = query.embedding,
          .train_targets = bank.sizes,
          .test_targets = query.sizes};
}

/// What on_tasks says of a task that is like `task` but for `change`, with a probe that must not be fitted before.
template <class Error, class Change>
std::string refusal_of(Task task, Change change) {
  change(task);
  try {
    (void)eval::on_tasks(std::vector{task}, RidgeProbeSearch{});
  } catch (const Error& error) {
    return error.what();
  } catch (const jessl::Error& error) {
    return std::string("another type of error: ") + error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("on_tasks: the example of the documentation runs", "[eval][on_tasks]") {
  const Asked of_bank(13, 240), of_query(14, 100);
  const jessl::LayerEmbedding &bank = of_bank.embedding, &query = of_query.embedding;
  const RowMatrix &bank_attributes = of_bank.attributes, &query_attributes = of_query.attributes;
  const RowMatrix &bank_sizes = of_bank.sizes, &query_sizes = of_query.sizes;
  // [example]
  const std::vector<jessl::Task> tasks{
      {.name = "classes", .train = bank, .test = query},  // as Trainer::embed_layers gives them, labels included
      {.name = "attributes",
       .kind = jessl::TaskKind::several_labels,
       .train = bank,
       .test = query,
       .train_targets = bank_attributes,  // [N, T] of 0 and 1
       .test_targets = query_attributes},
      {.name = "sizes",
       .kind = jessl::TaskKind::quantities,
       .train = bank,
       .test = query,
       .train_targets = bank_sizes,  // [N, T] of real numbers
       .test_targets = query_sizes}};
  const auto table = jessl::eval::on_tasks(tasks, jessl::eval::standardized(jessl::eval::LinearProbe{}));
  // [/example]
  CHECK(table.rows().size() == 2);
  CHECK(table.tasks() == std::vector<std::string>{"classes", "attributes", "sizes"});
}

TEST_CASE("on_tasks: the figures are those of each probe on each layer and task", "[eval][on_tasks]") {
  const std::vector<Task> tasks{birds(), attributes(), sizes()};
  const LinearProbe settings{.logistic = {.l2s = {1e-2, 1e-4}}, .ridge = {.lambdas = {1e-1, 1e1}}};
  const auto linear = eval::standardized(settings);
  const RidgeProbeSearch ridge{.lambdas = {1.0, 100.0}};
  const ScoreTable table = eval::on_tasks(tasks, linear, ridge);
  REQUIRE(table.rows().size() == 4);
  CHECK(table.metric("birds") == "top1");
  CHECK(table.metric("attributes") == "mAP");
  CHECK(table.metric("sizes") == "R2");
  for (std::size_t i = 0; i < 2; ++i) {
    for (const Task& task : tasks) {
      INFO(task.name << ", layer " << i);
      const auto& [layer, x] = task.train.layers[i];
      const RowMatrix& asked = task.test.layers[i].features;
      const auto scale = eval::Standardize{}.fit(x);
      const auto expected = [&](const auto& classifier, const auto& regressor, const RowMatrix& x_train,
                                const RowMatrix& x_test) {
        if (task.kind == TaskKind::classes)
          return eval::accuracy(classifier.fit(x_train, task.train.labels).predict(x_test), task.test.labels);
        const RowMatrix predicted = regressor.fit(x_train, task.train_targets).predict(x_test);
        return task.kind == TaskKind::several_labels ? eval::mean_average_precision(predicted, task.test_targets)
                                                     : eval::r2_score(predicted, task.test_targets);
      };
      CHECK(table.value({layer, jessl::describe(linear)}, task.name) ==
            expected(LogisticProbeSearch{.l2s = {1e-2, 1e-4}}, RidgeProbeSearch{.lambdas = {1e-1, 1e1}},
                     scale.transform(x), scale.transform(asked)));
      CHECK(table.value({layer, jessl::describe(ridge)}, task.name) == expected(ridge, ridge, x, asked));
    }
  }
}

TEST_CASE("on_tasks: a row is one over all kinds of tasks, with mean and rank, and headings say the metrics",
          "[eval][on_tasks]") {
  const std::vector<Task> tasks{birds(), attributes(), sizes()};
  const auto linear = eval::standardized(LinearProbe{});
  const ScoreTable table = eval::on_tasks(tasks, linear, eval::NearestCentroid{});
  const ScoreTable::Row whole{"representation", jessl::describe(linear)};
  const ScoreTable::Row part{"projector.0", jessl::describe(linear)};
  double sum = 0.0, ranks = 0.0;
  for (const Task& task : tasks) {
    CHECK(table.value(whole, task.name).value() >
          table.value(part, task.name).value());  // 24 dimensions, and 4 of them
    sum += table.value(whole, task.name).value();
    // Of all rows at "birds", of the two linear ones elsewhere.
    double better = 0.0, equal = 0.0;
    for (const ScoreTable::Row& row : table.rows()) {
      better += table.value(row, task.name) > table.value(whole, task.name) ? 1.0 : 0.0;
      equal += table.value(row, task.name) == table.value(whole, task.name) ? 1.0 : 0.0;
    }
    ranks += better + (equal + 1.0) / 2.0;
  }
  CHECK(table.mean(whole).value() == sum / 3.0);
  CHECK(table.rank(whole).value() == ranks / 3.0);
  // A classifier answers classes alone.
  const ScoreTable::Row centroid{"representation", jessl::describe(eval::NearestCentroid{})};
  CHECK(table.value(centroid, "birds").has_value());
  CHECK_FALSE(table.value(centroid, "attributes").has_value());
  CHECK_FALSE(table.value(centroid, "sizes").has_value());
  CHECK_FALSE(table.mean(centroid).has_value());
  std::ostringstream text;
  text << table;
  CHECK_THAT(text.str(), Contains("birds (top1)  attributes (mAP)  sizes (R2)") && Contains("mean  rank\n"));
  CHECK(eval::to_json(table)[1]["metric"] == "mAP");
}

TEST_CASE("on_tasks: the number of threads changes no bit", "[eval][on_tasks]") {
  const std::vector<Task> tasks{birds(), attributes(), sizes()};
  const auto values = [&](std::int64_t threads) {
    LinearProbe probe;
    probe.logistic.threads = threads;
    probe.ridge.threads = threads;
    std::vector<double> all;
    for (const eval::Score& score : eval::on_tasks(tasks, eval::standardized(probe)).scores())
      all.push_back(score.value);
    return all;
  };
  const std::vector<double> expected = values(1);
  CHECK(expected.size() == 6);
  for (const std::int64_t threads : {0, 2, 3}) CHECK(values(threads) == expected);
}

TEST_CASE("on_tasks: tasks may be made one by one, and a task may come in parts", "[eval][on_tasks]") {
  const std::vector<Task> tasks{birds(), attributes()};
  std::vector<int> made;
  const auto one_by_one = std::views::iota(0, 2) | std::views::transform([&](int i) {
                            made.push_back(i);
                            return tasks[static_cast<std::size_t>(i)];
                          });
  const RidgeProbeSearch ridge;
  const ScoreTable table = eval::on_tasks(one_by_one, ridge);
  CHECK(made == std::vector{0, 1});  // each once
  CHECK(eval::to_json(table) == eval::to_json(eval::on_tasks(tasks, ridge)));

  std::vector<Task> parts{birds(), birds()};
  parts[0].train.layers.pop_back();
  parts[0].test.layers.pop_back();
  parts[1].train.layers.erase(parts[1].train.layers.begin());
  parts[1].test.layers.erase(parts[1].test.layers.begin());
  CHECK(eval::to_json(eval::on_tasks(parts, ridge)) == eval::to_json(eval::on_tasks(std::vector{birds()}, ridge)));

  CHECK(eval::on_tasks(std::vector<Task>{}, ridge).rows().empty());
}

TEST_CASE("on_tasks: probes are whatever classifies or regresses", "[eval][on_tasks]") {
  static_assert(eval::Probe<jessl::ClassifierArchetype>);
  static_assert(eval::Probe<jessl::RegressorArchetype>);
  static_assert(jessl::Classifier<LinearProbe> && jessl::Regressor<LinearProbe>);
  static_assert(jessl::Classifier<RidgeProbeSearch> && jessl::Regressor<RidgeProbeSearch>);
  static_assert(jessl::Regressor<eval::RidgeProbe> && !jessl::Regressor<LogisticProbeSearch>);
  static_assert(jessl::Classifier<eval::Standardized<LinearProbe>> &&
                jessl::Regressor<eval::Standardized<LinearProbe>>);
  static_assert(jessl::Classifier<KNN> && jessl::Regressor<KNN>);
  static_assert(!jessl::Regressor<eval::Standardized<LogisticProbeSearch>>);
  static_assert(!eval::Probe<int>);
  CHECK(jessl::from_json<LinearProbe>(jessl::to_json(LinearProbe{.ridge = {.lambdas = {3.0}}})).ridge.lambdas ==
        std::vector{3.0});
  const auto model = eval::standardized(LinearProbe{})
                         .fit(Asked(11, 60).embedding.layers[0].features, jessl::eval::Features(Asked(11, 60).sizes));
  CHECK(model.dimension() == 24);
  CHECK(model.model().targets() == 2);
}

TEST_CASE("on_tasks: what does not fit together is an error that names the task", "[eval][on_tasks]") {
  using jessl::ConfigError;
  using jessl::DataError;
  using jessl::ShapeError;
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  const std::string birds_are = "jessl::eval::on_tasks: task \"birds\": ";
  const std::string sizes_are = "jessl::eval::on_tasks: task \"sizes\": ";
  const std::string attributes_are = "jessl::eval::on_tasks: task \"attributes\": ";

  CHECK_THAT(refusal_of<ConfigError>(birds(), [](Task& t) { t.name.clear(); }), Contains("a task has no name"));
  // Layers.
  CHECK(refusal_of<ShapeError>(birds(), [](Task& t) { t.test.layers.pop_back(); }) ==
        birds_are + "train has 2 layers, test 1, expected those of one network");
  CHECK_THAT(refusal_of<ShapeError>(birds(), [](Task& t) { t.test.layers[1].layer = "projector.1"; }),
             Contains(birds_are + "layer 1 of train is \"projector.0\", of test \"projector.1\""));
  CHECK_THAT(refusal_of<ShapeError>(birds(), [](Task& t) { t.test.layers[1].features.setZero(120, 5); }),
             Contains(birds_are + "\"projector.0\" is [300, 4] of train and [120, 5] of test"));
  CHECK_THAT(refusal_of<DataError>(birds(), [](Task& t) { t.train.layers.clear(), t.test.layers.clear(); }),
             Contains("train and test have no layers"));
  // Features.
  CHECK_THAT(refusal_of<DataError>(birds(), [](Task& t) { t.test.layers[0].features.resize(0, 24); }),
             Contains(birds_are + "test at \"representation\" is [0, 24], expected at least one row and one column"));
  CHECK_THAT(refusal_of<DataError>(birds(), [](Task& t) { t.test.layers[1].features(7, 2) = nan; }),
             Contains(birds_are + "test at \"projector.0\"(7, 2) is nan, expected a finite number"));
  // Classes.
  CHECK_THAT(refusal_of<ShapeError>(birds(), [](Task& t) { t.train.labels.pop_back(); }),
             Contains(birds_are + "train at \"representation\" is [300, 24] but train has 299 labels"));
  CHECK_THAT(refusal_of<DataError>(birds(), [](Task& t) { t.test.labels[5] = -1; }),
             Contains("task \"birds\": test: labels[5] is -1") && Contains("leave images without a label out"));
  CHECK_THAT(refusal_of<ConfigError>(birds(), [](Task& t) { t.train_targets.setZero(300, 2); }),
             Contains(birds_are + "train_targets is [300, 2] but kind is classes") && Contains("set kind to"));
  // Targets.
  CHECK_THAT(refusal_of<ShapeError>(sizes(), [](Task& t) { t.test_targets.conservativeResize(89, 2); }),
             Contains(sizes_are + "test at \"representation\" is [90, 24] but test_targets is [89, 2]"));
  CHECK_THAT(refusal_of<ShapeError>(sizes(), [](Task& t) { t.train_targets.resize(200, 0); }),
             Contains("train_targets is [200, 0], expected [N, T]"));
  CHECK_THAT(refusal_of<ShapeError>(sizes(), [](Task& t) { t.test_targets.setZero(90, 3); }),
             Contains(sizes_are + "train_targets is [200, 2] and test_targets [90, 3]"));
  CHECK_THAT(refusal_of<DataError>(sizes(), [](Task& t) { t.test_targets(3, 1) = nan; }),
             Contains(sizes_are + "test_targets(3, 1) is nan, expected a finite number"));
  CHECK_THAT(refusal_of<DataError>(attributes(), [](Task& t) { t.train_targets(9, 2) = 0.5F; }),
             Contains(attributes_are + "train_targets(9, 2) is 0.5, expected 1 for an image that has the label"));
  CHECK_THAT(refusal_of<DataError>(attributes(), [](Task& t) { t.train_targets(9, 2) = nan; }), Contains("is nan"));
  CHECK_THAT(refusal_of<DataError>(attributes(), [](Task& t) { t.test_targets.setZero(); }),
             Contains(attributes_are + "test_targets has no 1"));
  CHECK_THAT(refusal_of<DataError>(sizes(),
                                   [](Task& t) {
                                     for (auto& layer : t.test.layers)
                                       layer.features.conservativeResize(1, Eigen::NoChange);
                                     t.test_targets.conservativeResize(1, 2);
                                   }),
             Contains(sizes_are + "test at \"representation\" is [1, 24], expected at least 2 rows"));
  // Several tasks.
  CHECK_THROWS_AS(eval::on_tasks(std::vector{birds(), birds()}, KNN{}), ConfigError);
  CHECK_THROWS_WITH(eval::on_tasks(std::vector{birds(), birds()}, KNN{}),
                    Contains("task \"birds\" has the layer \"representation\" twice"));
  Task other_kind = sizes();
  other_kind.name = "birds";
  CHECK_THROWS_AS(eval::on_tasks(std::vector{birds(), other_kind}, KNN{}), ConfigError);
  CHECK_THROWS_WITH(eval::on_tasks(std::vector{birds(), other_kind}, KNN{}),
                    Contains("task \"birds\" comes twice, with two kinds"));
  // Tasks that are all there are checked before the first fit, whose own error would come first otherwise.
  Task damaged = birds();
  damaged.name = "more birds";
  damaged.test.labels[0] = -1;
  CHECK_THROWS_WITH(eval::on_tasks(std::vector{birds(), damaged}, KNN{.k = 301}),
                    Contains("task \"more birds\": test"));
  // A kind that nobody answers is no table without its column.
  CHECK_THROWS_AS(eval::on_tasks(std::vector{sizes()}, eval::NearestCentroid{}), ConfigError);
  CHECK_THROWS_WITH(eval::on_tasks(std::vector{sizes()}, eval::NearestCentroid{}),
                    Contains("task \"sizes\" asks for \"quantities\", which no probe of the call answers"));
  // What a probe does not take is its own error.
  CHECK_THROWS_WITH(eval::on_tasks(std::vector{birds()}, KNN{.k = 301}), Contains("jessl::eval::KNN: k is 301"));
}
