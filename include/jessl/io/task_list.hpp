// SPDX-License-Identifier: Apache-2.0
// Tasks whose features lie in files, and lists of such tasks as JSON.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/matrix.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/task.hpp>
#include <jessl/io/feature_file.hpp>
#include <jessl/io/json.hpp>

namespace jessl::io {

/// A task by its files of features, as io::FeatureFile reads them.
///
/// Shapes     none
/// Errors     none; load_task_list() and load_task() check it
/// Models     jessl::Options
/// Source     none
struct TaskFiles {
  std::string name{};                 ///< what the column of a table is called
  TaskKind kind = TaskKind::classes;  ///< what is asked: of classes the files have labels, of the others targets
  std::string train{};                ///< path of the features that probes are fitted to
  std::string test{};                 ///< path of those that they are asked about
};

namespace detail {

/// The two files of a task, which fit together as far as their headers tell.
struct TaskPair {
  FeatureFile train;
  FeatureFile test;
  std::string layer;
};

}  // namespace detail

/// Reads a list of tasks, of any number, from a JSON file:
///
///     [{"name": "birds", "train": "birds_train.safetensors", "test": "birds_test.safetensors"},
///      {"name": "attributes", "kind": "several_labels", "train": "a_train.safetensors", "test": "a_test.safetensors"}]
///
/// `kind` is "classes" where it is left out, or "several_labels" or "quantities". Paths are relative to the list's
/// folder and come back as they can be opened. The headers of all files are read, so that a wrong path or kind is told
/// before the first evaluation. Features of several layers are several entries of one name.
///
/// Shapes     none
/// Cost       the headers of the files
/// Errors     each names the list and the entry. ConfigError for an entry with an unknown key (with the nearest known
///            one), a value of the wrong kind, nothing for a name or a path, a layer of a task twice and a task of two kinds; DataError for
///            a list that is no JSON, and for a file that is absent, damaged, or without labels or targets as `kind`
///            says; ShapeError for files of a task that differ in width, in their number of targets or in their text
///            "layer"
/// Models     none
/// Source     none
[[nodiscard]] std::vector<TaskFiles> load_task_list(const std::filesystem::path& path);

/// Reads the features and answers of a task into memory.
///
/// The layer is what the files' text "layer" says, as Trainer::embed_to writes it, or "features" without it.
///
/// Shapes     train: one layer [N, D], test: [M, D]; labels [N] and [M], or targets [N, T] and [M, T]
/// Errors     as load_task_list(), naming the task
/// Models     none
/// Source     none
[[nodiscard]] Task load_task(const TaskFiles& files);

}  // namespace jessl::io

JESSL_OPTIONS(jessl::io::TaskFiles, name, kind, train, test);

#if JESSL_DEFINITIONS

namespace jessl::io::detail {

JESSL_INLINE std::string layer_of(const FeatureFile& file) {
  const auto found = file.metadata().find("layer");
  return found == file.metadata().end() ? std::string(features_name) : found->second;
}

JESSL_INLINE TaskPair open_task(const std::string& who, const TaskFiles& files) {
  const auto check_text = [&](std::string_view key, const std::string& value, std::string_view expected) {
    JESSL_CHECK(!value.empty(), ConfigError, who, '.', key, " is \"\", expected ", expected);
  };
  check_text("name", files.name, "what the column of the table is to be called");
  check_text("train", files.train, "the path of a file of features");
  check_text("test", files.test, "the path of a file of features");

  const auto open = [&](const std::string& path) {
    try {
      return FeatureFile(path);
    } catch (const DataError& error) {
      fail<DataError>(who, ": ", error.what());
    }
  };
  TaskPair pair{open(files.train), open(files.test), {}};
  for (const auto& [path, file] : {std::pair(&files.train, &pair.train), std::pair(&files.test, &pair.test)}) {
    const bool answers =
        files.kind == TaskKind::classes ? !file->labels().empty() || file->size() == 0 : file->targets().cols() > 0;
    JESSL_CHECK(answers, DataError, who, ": ", *path, " has no ",
                files.kind == TaskKind::classes ? "labels, expected those of a task of classes"
                                                : "targets, expected those of a task of several_labels or quantities",
                "; is kind right?");
  }
  JESSL_CHECK(pair.train.dimension() == pair.test.dimension(), ShapeError, who, ": ", files.train, " has features [",
              pair.train.size(), ", ", pair.train.dimension(), "], ", files.test, " [", pair.test.size(), ", ",
              pair.test.dimension(), "], expected [N, D] and [M, D] of one network");
  JESSL_CHECK(files.kind == TaskKind::classes || pair.train.targets().cols() == pair.test.targets().cols(), ShapeError,
              who, ": ", files.train, " has ", pair.train.targets().cols(), " targets a row, ", files.test, ' ',
              pair.test.targets().cols(), ", expected as many");
  pair.layer = layer_of(pair.train);
  JESSL_CHECK(pair.layer == layer_of(pair.test), ShapeError, who, ": ", files.train, " has features of the layer \"",
              pair.layer, "\", ", files.test, " of \"", layer_of(pair.test), "\", expected one layer of one network");
  return pair;
}

}  // namespace jessl::io::detail

namespace jessl::io {

JESSL_INLINE std::vector<TaskFiles> load_task_list(const std::filesystem::path& path) {
  const std::string who = "jessl::io::load_task_list: " + path.string();
  auto list = from_json<std::vector<TaskFiles>>(load_json(path), who);
  std::vector<std::string> layers;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string entry = concat(who, '[', i, ']');
    for (std::string* const file : {&list[i].train, &list[i].test})
      if (!file->empty()) *file = (path.parent_path() / *file).string();
    layers.push_back(detail::open_task(entry, list[i]).layer);
    for (std::size_t j = 0; j < i; ++j) {
      if (list[j].name != list[i].name) continue;
      JESSL_CHECK(list[j].kind == list[i].kind, ConfigError, entry, ".kind is ", to_json(list[i].kind), ", but [", j,
                  "] of the same name is of ", to_json(list[j].kind),
                  ", expected one kind a task; give it another name");
      JESSL_CHECK(layers[j] != layers[i], ConfigError, entry, ".name is \"", list[i].name, "\" of the layer \"",
                  layers[i], "\", as that of [", j, "], expected each task once; give it another name");
    }
  }
  return list;
}

JESSL_INLINE Task load_task(const TaskFiles& files) {
  const detail::TaskPair pair = detail::open_task("jessl::io::load_task: " + files.name, files);
  const auto embedding = [&](const FeatureFile& file) {
    LayerEmbedding loaded;
    loaded.layers.push_back({pair.layer, file.features()});  // not from a list in braces, which would be copied
    if (files.kind == TaskKind::classes) loaded.labels.assign(file.labels().begin(), file.labels().end());
    return loaded;
  };
  Task task{.name = files.name, .kind = files.kind, .train = embedding(pair.train), .test = embedding(pair.test)};
  if (files.kind != TaskKind::classes) {
    task.train_targets = pair.train.targets();
    task.test_targets = pair.test.targets();
  }
  return task;
}

}  // namespace jessl::io

#endif  // JESSL_DEFINITIONS
