// SPDX-License-Identifier: Apache-2.0
// Lists of tasks by files: what is read is evaluated as what is in memory, and a mistake is told with list, entry and
// key. Compiled without LibTorch, which an evaluation of files does not need.
#include <catch2/catch.hpp>

#include <cstdint>
#include <ranges>
#include <span>
#include <string>
#include <vector>

#include <jessl/core/draw.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/matrix.hpp>
#include <jessl/core/task.hpp>
#include <jessl/eval.hpp>
#include <jessl/io/feature_file.hpp>
#include <jessl/io/json.hpp>
#include <jessl/io/task_list.hpp>

#include "support/temporary_folder.hpp"

namespace task_list_test {

namespace {

using Catch::Matchers::Contains;
using jessl::RowMatrix;
using jessl::Task;
using jessl::TaskKind;
using jessl::test::TemporaryFolder;

/// Features in which three attributes can be seen; the class is the first of them.
struct Rows {
  RowMatrix x;
  RowMatrix attributes;
  std::vector<std::int64_t> labels;

  Rows(std::uint64_t seed, Eigen::Index rows) : x(rows, 6), attributes(rows, 3) {
    jessl::Draw draw({.seed = seed, .purpose = jessl::Purpose::initialisation});
    for (Eigen::Index i = 0; i < rows; ++i) {
      for (Eigen::Index t = 0; t < 3; ++t) attributes(i, t) = draw.normal() > 0.0 ? 1.0F : 0.0F;
      for (Eigen::Index j = 0; j < 6; ++j) x(i, j) = attributes(i, j % 3) + 0.3F * static_cast<float>(draw.normal());
      labels.push_back(static_cast<std::int64_t>(attributes(i, 0)));
    }
  }

  /// Writes what is asked for; returns the path.
  std::string write(const std::string& path, bool with_labels, bool with_targets, const std::string& layer = "") const {
    jessl::io::FeatureFileWriter writer(
        path, {.dimension = x.cols(),
               .rows = x.rows(),
               .labels = with_labels,
               .targets = with_targets ? attributes.cols() : 0,
               .metadata = layer.empty() ? jessl::io::safetensors::Metadata{}
                                         : jessl::io::safetensors::Metadata{{"layer", layer}}});
    writer.append(x, with_labels ? std::span(labels) : std::span<const std::int64_t>(),
                  with_targets ? attributes : RowMatrix());
    writer.commit();
    return path;
  }
};

}  // namespace

TEST_CASE("load_task_list: the example of the documentation runs", "[io][task_list]") {
  const TemporaryFolder folder;
  Rows(1, 80).write(folder / "birds_train.safetensors", true, false);
  Rows(2, 40).write(folder / "birds_test.safetensors", true, false);
  Rows(3, 80).write(folder / "attributes_train.safetensors", false, true);
  Rows(4, 40).write(folder / "attributes_test.safetensors", false, true);
  const std::string path = folder.write("tasks.json", R"(
[{"name": "birds", "train": "birds_train.safetensors", "test": "birds_test.safetensors"},
 {"name": "attributes", "kind": "several_labels",
  "train": "attributes_train.safetensors", "test": "attributes_test.safetensors"}])");
  // [example]
  const std::vector<jessl::io::TaskFiles> list = jessl::io::load_task_list(path);
  const auto table =
      jessl::eval::on_tasks(list | std::views::transform(jessl::io::load_task),  // one in memory at a time
                            jessl::eval::standardized(jessl::eval::LinearProbe{}));
  // [/example]
  CHECK(table.rows().size() == 1);
  CHECK(table.rows()[0].layer == "features");
  CHECK(table.tasks() == std::vector<std::string>{"birds", "attributes"});
  CHECK(table.mean(table.rows()[0]).value() > 0.9);

  // The same as in memory.
  const Rows train(3, 80), test(4, 40);
  const auto in_memory = [](const Rows& rows) {
    return jessl::LayerEmbedding{.layers = {{"features", rows.x}}, .labels = {}};
  };
  const Task same{.name = "attributes",
                  .kind = TaskKind::several_labels,
                  .train = in_memory(train),
                  .test = in_memory(test),
                  .train_targets = train.attributes,
                  .test_targets = test.attributes};
  const auto expected = jessl::eval::on_tasks(std::vector{same}, jessl::eval::standardized(jessl::eval::LinearProbe{}));
  CHECK(table.value(table.rows()[0], "attributes") == expected.value(expected.rows()[0], "attributes"));
}

TEST_CASE("load_task: labels or targets as the kind says, and the layer of the file's text", "[io][task_list]") {
  const TemporaryFolder folder;
  const Rows train(1, 20), test(2, 10);
  const jessl::io::TaskFiles files{.name = "all",
                                   .kind = TaskKind::classes,
                                   .train = train.write(folder / "train", true, true, "projector.0"),
                                   .test = test.write(folder / "test", true, true, "projector.0")};
  const Task classes = jessl::io::load_task(files);
  CHECK(classes.name == "all");
  CHECK(classes.train.layers[0].layer == "projector.0");
  CHECK(classes.test.layers[0].features == test.x);
  CHECK(classes.train.labels == train.labels);
  CHECK(classes.train_targets.size() == 0);
  jessl::io::TaskFiles asked = files;
  asked.kind = TaskKind::quantities;
  const Task quantities = jessl::io::load_task(asked);
  CHECK(quantities.kind == TaskKind::quantities);
  CHECK(quantities.train.labels.empty());
  CHECK(quantities.train_targets == train.attributes);
  CHECK(quantities.test_targets == test.attributes);
}

TEST_CASE("load_task_list: paths are relative to the list, and a task may have several layers", "[io][task_list]") {
  const TemporaryFolder folder;
  folder.write("features/readme", "for the folder");
  for (const std::string layer : {"representation", "projector.0"}) {
    Rows(1, 20).write(folder / ("features/train_" + layer), true, false, layer);
    Rows(2, 10).write(folder / ("features/test_" + layer), true, false, layer);
  }
  jessl::Json document = jessl::Json::array();
  document.push_back({{"name", "birds"}, {"train", "train_representation"}, {"test", "test_representation"}});
  document.push_back(
      {{"name", "birds"}, {"train", folder / "features/train_projector.0"}, {"test", "test_projector.0"}});
  jessl::io::save_json(folder / "features/tasks.json", document);
  const auto list = jessl::io::load_task_list(folder / "features/tasks.json");
  REQUIRE(list.size() == 2);
  CHECK(list[0].train == folder / "features/train_representation");
  CHECK(list[1].train == folder / "features/train_projector.0");
  const auto table =
      jessl::eval::on_tasks(list | std::views::transform(jessl::io::load_task), jessl::eval::KNN{.k = 3});
  CHECK(table.rows().size() == 2);
  CHECK(table.tasks() == std::vector<std::string>{"birds"});
  CHECK(jessl::io::load_task_list(folder.write("none.json", "[]")).empty());
}

TEST_CASE("load_task_list: a mistake is told with the list, the entry and the key", "[io][task_list]") {
  using jessl::ConfigError;
  using jessl::DataError;
  using jessl::ShapeError;
  const TemporaryFolder folder;
  Rows(1, 20).write(folder / "labelled", true, false);
  Rows(1, 20).write(folder / "targeted", false, true);
  Rows(1, 20).write(folder / "head", true, false, "projector.0");
  const auto other = [&](const std::string& name, std::int64_t columns, std::int64_t targets) {
    jessl::io::FeatureFileWriter writer(folder / name,
                                        {.dimension = columns, .labels = targets == 0, .targets = targets});
    writer.append(RowMatrix::Ones(4, columns), std::vector<std::int64_t>(targets == 0 ? 4U : 0U),
                  RowMatrix::Ones(targets == 0 ? 0 : 4, targets));
    writer.commit();
  };
  other("wide", 7, 0);
  other("two_targets", 6, 2);
  const std::string good = R"({"name": "birds", "train": "labelled", "test": "labelled"})";
  const auto refused = [&](auto error, const std::string& text, const std::string& message) {
    using Error = decltype(error);
    INFO(text);
    const std::string path = folder.write("tasks.json", text);
    CHECK_THROWS_AS(jessl::io::load_task_list(path), Error);
    CHECK_THROWS_WITH(jessl::io::load_task_list(path), Contains(message) && Contains(path));
  };
  const auto second = [&](auto error, const std::string& entry, const std::string& message) {
    refused(error, "[" + good + "," + entry + "]", message);
  };
  const ConfigError config("");
  const DataError data("");
  const ShapeError shape("");

  CHECK_THROWS_WITH(jessl::io::load_task_list(folder / "absent.json"), Contains("cannot open"));
  refused(data, "[{]", "(offset ");
  refused(config, good, R"(, expected a list)");
  const std::string at = "jessl::io::load_task_list: ";
  const std::string entry = "tasks.json[1]";
  refused(config, "[3]", at);
  second(config, "3", entry + " is 3, expected an object of settings");
  second(config, R"({"nam": "cars"})",
         entry + R"(: unknown name "nam"; did you mean "name"? Known: name, kind, train, test)");
  second(config, R"({"name": 3})", entry + ".name is 3, expected a text");
  second(config, R"({"name": "cars", "kind": "clases"})",
         entry + R"(.kind: unknown name "clases"; did you mean "classes"?)");
  second(config, R"({"name": "cars", "kind": 1})", entry + ".kind is 1, expected a name");
  second(config, R"({"train": "labelled", "test": "labelled"})", entry + R"(.name is "", expected what the column)");
  second(config, R"({"name": "cars", "test": "labelled"})",
         entry + R"(.train is "", expected the path of a file of features)");
  second(config, R"({"name": "cars", "train": "labelled"})", entry + R"(.test is "")");
  second(config, good, entry + R"(.name is "birds" of the layer "features", as that of [0])");
  second(config, R"({"name": "birds", "kind": "quantities", "train": "targeted", "test": "targeted"})",
         entry + R"(.kind is "quantities", but [0] of the same name is of "classes")");
  second(data, R"({"name": "cars", "train": "labelled", "test": "absent"})", "absent");
  second(data, R"({"name": "cars", "train": "labelled", "test": "targeted"})",
         "targeted has no labels, expected those of a task of classes");
  second(data, R"({"name": "cars", "kind": "quantities", "train": "labelled", "test": "targeted"})",
         "labelled has no targets, expected those of a task of several_labels or quantities; is kind right?");
  second(shape, R"({"name": "cars", "train": "labelled", "test": "wide"})", "wide [4, 7], expected [N, D] and [M, D]");
  second(shape, R"({"name": "cars", "kind": "quantities", "train": "targeted", "test": "two_targets"})",
         "two_targets 2, expected as many");
  second(shape, R"({"name": "cars", "train": "labelled", "test": "head"})",
         R"(head of "projector.0", expected one layer of one network)");
  CHECK_THROWS_WITH(jessl::io::load_task({.name = "cars", .train = folder / "labelled", .test = ""}),
                    Contains("jessl::io::load_task: cars.test is \"\""));
}

}  // namespace task_list_test
