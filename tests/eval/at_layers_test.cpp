// SPDX-License-Identifier: Apache-2.0
// Classifiers at every layer, and the table of their figures.
#include <catch2/catch.hpp>

#include <cmath>
#include <cstdint>
#include <sstream>
#include <string>
#include <vector>

#include <jessl/eval.hpp>

#include "eval/reference.hpp"

namespace {

using Catch::Contains;
using jessl::LayerEmbedding;
using jessl::eval::KNN;
using jessl::eval::LogisticProbe;
using jessl::eval::ScoreTable;
namespace eval = jessl::eval;

/// Two layers: features of four overlapping clusters, and the first four of their dimensions.
LayerEmbedding layers(std::uint64_t seed, Eigen::Index rows) {
  const reference::Clusters all(seed, rows, 24, 4);
  return {.layers = {{"representation", all.x}, {"projector.0", all.x.leftCols(4)}}, .labels = all.y};
}

const ScoreTable::Row first{"representation", "KNN"};
const ScoreTable::Row second{"projector.0", "KNN"};

ScoreTable small_table() {
  ScoreTable table;
  table.add({.layer = "representation", .task = "birds", .probe = "KNN", .metric = "top1", .value = 0.5});
  table.add({.layer = "representation", .task = "cars", .probe = "KNN", .metric = "top1", .value = 0.25});
  table.add({.layer = "projector.0", .task = "birds", .probe = "KNN", .metric = "top1", .value = 0.75});
  table.add({.layer = "projector.0", .task = "cars", .probe = "KNN", .metric = "top1", .value = 0.25});
  return table;
}

}  // namespace

TEST_CASE("at_layers: the figures are those of each classifier on each layer", "[eval][at_layers]") {
  const LayerEmbedding train = layers(11, 400);
  const LayerEmbedding test = layers(12, 150);
  const KNN knn{.k = 5};
  const auto probe = eval::standardized(LogisticProbe{.l2 = 1e-2});
  const ScoreTable table = eval::at_layers(train, test, knn, probe);
  REQUIRE(table.rows().size() == 4);
  CHECK(table.tasks() == std::vector<std::string>{"test"});
  for (std::size_t i = 0; i < 2; ++i) {
    const auto& [layer, x] = train.layers[i];
    const jessl::RowMatrix& asked = test.layers[i].features;
    CHECK(table.value({layer, jessl::describe(knn)}, "test") ==
          eval::accuracy(knn.fit(x, train.labels).predict(asked), test.labels));
    const auto scale = eval::Standardize{}.fit(x);
    const auto model = LogisticProbe{.l2 = 1e-2}.fit(scale.transform(x), train.labels);
    CHECK(table.value({layer, jessl::describe(probe)}, "test") ==
          eval::accuracy(model.predict(scale.transform(asked)), test.labels));
  }
  std::ostringstream text;
  text << table;
  CHECK_THAT(text.str(), Contains("representation  KNN{k = 5, temperature = 0.07"));
}

TEST_CASE("at_layers: whatever embeds data sets at every layer is asked for both", "[eval][at_layers]") {
  struct Network {
    std::vector<std::uint64_t> asked{};
    LayerEmbedding embed_layers(std::uint64_t data) {
      asked.push_back(data);
      return layers(data, 80);
    }
  };
  Network network;
  const ScoreTable table =
      eval::at_layers(network, std::uint64_t{11}, std::uint64_t{12}, KNN{.k = 3}, eval::NearestCentroid{});
  CHECK(network.asked.size() == 2);
  CHECK(eval::to_json(table) ==
        eval::to_json(eval::at_layers(layers(11, 80), layers(12, 80), KNN{.k = 3}, eval::NearestCentroid{})));
}

TEST_CASE("at_layers: layers of two networks are refused", "[eval][at_layers]") {
  const LayerEmbedding train = layers(11, 40);
  LayerEmbedding test = layers(12, 20);
  test.layers[1].layer = "projector.1";
  CHECK_THROWS_AS(eval::at_layers(train, test, KNN{.k = 1}), jessl::ShapeError);
  CHECK_THROWS_WITH(eval::at_layers(train, test, KNN{.k = 1}),
                    Contains("layer 1 of train is \"projector.0\", of test \"projector.1\""));
  test.layers.pop_back();
  CHECK_THROWS_WITH(eval::at_layers(train, test, KNN{.k = 1}), Contains("train has 2 layers, test 1"));
}

TEST_CASE("Standardized: a classifier as any other, with its settings on record", "[eval][at_layers]") {
  static_assert(jessl::Classifier<eval::Standardized<LogisticProbe>>);
  const LayerEmbedding train = layers(11, 100);
  const auto model = eval::standardized(KNN{.k = 3}).fit(train.layers[0].features, train.labels);
  CHECK(model.classes() == 4);
  CHECK(model.dimension() == 24);
  CHECK(eval::top_k(model.scores(train.layers[0].features), train.labels, 1) ==
        eval::accuracy(model.predict(train.layers[0].features), train.labels));
  CHECK(jessl::to_json(eval::standardized(KNN{.k = 3}))["classifier"]["k"] == 3);
  CHECK_THROWS_AS(model.predict(jessl::RowMatrix::Zero(2, 5)), jessl::ShapeError);
}

TEST_CASE("ScoreTable: mean and rank over tasks, ties sharing their ranks", "[eval][at_layers]") {
  const ScoreTable table = small_table();
  CHECK(table.mean(first) == 0.375);
  CHECK(table.mean(second) == 0.5);
  CHECK(table.rank(first) == 1.75);   // 2 at birds, 1.5 at cars
  CHECK(table.rank(second) == 1.25);  // 1 at birds, 1.5 at cars
  std::ostringstream text;
  text << table;
  CHECK(text.str() ==
        "layer           probe  birds (top1)  cars (top1)    mean  rank\n"
        "representation  KNN          0.5000       0.2500  0.3750  1.75\n"
        "projector.0     KNN          0.7500       0.2500  0.5000  1.25\n");
  CHECK(
      eval::to_json(table)[2] ==
      jessl::Json{{"layer", "projector.0"}, {"task", "birds"}, {"probe", "KNN"}, {"metric", "top1"}, {"value", 0.75}});
}

TEST_CASE("ScoreTable: a missing figure is a dash, and its row has no mean", "[eval][at_layers]") {
  ScoreTable table = small_table();
  table.add({.layer = "layer1.0", .task = "birds", .probe = "KNN", .metric = "top1", .value = 0.625});
  const ScoreTable::Row row{"layer1.0", "KNN"};
  CHECK_FALSE(table.value(row, "cars").has_value());
  CHECK_FALSE(table.mean(row).has_value());
  CHECK_FALSE(table.rank(row).has_value());
  CHECK(table.rank(first) == 2.25);  // 3 at birds now
  std::ostringstream text;
  text << table;
  CHECK_THAT(text.str(), Contains("layer1.0        KNN          0.6250            -       -     -\n"));
  CHECK_THROWS_AS(table.add({.layer = "layer1.0", .task = "cars", .probe = "KNN", .metric = "top1", .value = NAN}),
                  jessl::DataError);
  CHECK_THROWS_AS(table.value(row, "planes"), jessl::ConfigError);
  CHECK_THROWS_WITH(table.mean({"layer9.0", "KNN"}), Contains("there is no such row among the 3"));
}

TEST_CASE("ScoreTable: tables of several tasks are one", "[eval][at_layers]") {
  const LayerEmbedding train = layers(11, 60);
  const auto asked = [&](const std::string& name, std::uint64_t seed) {
    return eval::on_tasks(std::vector{jessl::Task{.name = name, .train = train, .test = layers(seed, 50)}},
                          KNN{.k = 3});
  };
  ScoreTable table = asked("birds", 12);
  table.add(asked("cars", 13));
  CHECK(table.tasks() == std::vector<std::string>{"birds", "cars"});
  CHECK(table.rows().size() == 2);
  CHECK(table.scores().size() == 4);
  table.add({.layer = "representation", .task = "cars", .probe = jessl::describe(KNN{.k = 3}), .metric = "top1"});
  CHECK(table.scores().size() == 4);  // replaced
  const eval::Score other{.layer = "representation", .task = "cars", .probe = "KNN", .metric = "mAP", .value = 0.5};
  CHECK_THROWS_AS(table.add(other), jessl::ConfigError);
  CHECK_THROWS_WITH(table.add(other), Contains("the task cars is measured by top1 and gets a figure of mAP"));
  CHECK(table.scores().size() == 4);
  CHECK(table.metric("cars") == "top1");
}
