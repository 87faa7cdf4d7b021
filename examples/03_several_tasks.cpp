// SPDX-License-Identifier: Apache-2.0
// Several tasks in one table: how much of an image's class, attributes and measures is in what stands for the image.
//
// Run        build/release/examples/several_tasks                         (Fashion-MNIST: pixels, and components of them)
//            build/release/examples/several_tasks out=out/several_tasks   (writes their files and the list of them, too)
//            build/release/examples/several_tasks tasks=out/several_tasks/tasks.json   (files of features, of any network)
// Ends with  a row for each layer and probe, a column for each task, their mean and the mean rank
// Time       3 seconds on 2 cores
// plain
// test: images=512 test_images=256 components=8 out=several_tasks_output
// expect: layer +probe +class .top1. +worn .mAP. +box .R2. +mean +rank\npixels .*\npixels .*\ncomponents .*\ncomponents

#include <jessl/core/options.hpp>
#include <jessl/core/task.hpp>
#include <jessl/data/idx.hpp>
#include <jessl/data/pixels.hpp>
#include <jessl/data/subset.hpp>
#include <jessl/eval/knn.hpp>
#include <jessl/eval/linear_probe.hpp>
#include <jessl/eval/on_tasks.hpp>
#include <jessl/eval/pca.hpp>
#include <jessl/eval/standardize.hpp>
#include <jessl/io/feature_file.hpp>
#include <jessl/io/json.hpp>
#include <jessl/io/task_list.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iostream>
#include <ranges>
#include <span>
#include <string>
#include <vector>

using namespace jessl;

struct Settings {
  std::string tasks = "";           // a list of tasks by their files; "": three tasks on Fashion-MNIST
  std::int64_t images = 5000;       // to fit to, from the start of the training set
  std::int64_t test_images = 2000;  // to ask about
  std::int64_t components = 32;     // principal components of the pixels
  std::string out = "";             // folder to write the tasks' files and their list to; "": nowhere
};
JESSL_OPTIONS(Settings, tasks, images, test_images, components, out);

/// Where a thing is worn, [N, 3]: on the upper body, on the legs, on the feet. A dress is worn on two of them, a bag on
/// none.
RowMatrix worn(const std::vector<std::int64_t>& classes) {
  const std::vector<std::vector<std::int64_t>> wearing{{0, 2, 3, 4, 6}, {1, 3}, {5, 7, 9}};
  RowMatrix targets(static_cast<Eigen::Index>(classes.size()), 3);
  for (Eigen::Index i = 0; i < targets.rows(); ++i) {
    for (std::size_t t = 0; t < wearing.size(); ++t) {
      const bool has = std::ranges::count(wearing[t], classes[static_cast<std::size_t>(i)]) > 0;
      targets(i, static_cast<Eigen::Index>(t)) = has ? 1.0F : 0.0F;
    }
  }
  return targets;
}

/// Width and height of the box around what is not background, [N, 2], in pixels of an image of 28 x 28.
RowMatrix boxes(const RowMatrix& pixels) {
  constexpr Eigen::Index side = 28;
  RowMatrix targets(pixels.rows(), 2);
  for (Eigen::Index i = 0; i < pixels.rows(); ++i) {
    const Eigen::Map<const RowMatrix> image(pixels.row(i).data(), side, side);
    targets.row(i) << static_cast<float>((image.colwise().maxCoeff().array() > 0.2F).count()),
        static_cast<float>((image.rowwise().maxCoeff().array() > 0.2F).count());
  }
  return targets;
}

/// Fashion-MNIST as three tasks of one data set. With a network, trainer.embed_layers(images) gives the layers and
/// labels.
std::vector<Task> fashion_tasks(const Settings& settings) {
  const Embedding train = data::pixels(data::subset(data::IDX::fashion_mnist(data::Split::train), 0, settings.images));
  const Embedding test =
      data::pixels(data::subset(data::IDX::fashion_mnist(data::Split::test), 0, settings.test_images));
  const auto pca = eval::PCA{.components = settings.components}.fit(train.features);
  const auto layers = [&](const Embedding& images) {
    return LayerEmbedding{.layers = {{"pixels", images.features}, {"components", pca.transform(images.features)}},
                          .labels = images.labels};
  };
  const Task classes{.name = "class", .train = layers(train), .test = layers(test)};
  Task several = classes;
  several.name = "worn";
  several.kind = TaskKind::several_labels;
  several.train_targets = worn(train.labels);  // [N, 3] of 0 and 1
  several.test_targets = worn(test.labels);
  Task quantities = classes;
  quantities.name = "box";
  quantities.kind = TaskKind::quantities;
  quantities.train_targets = boxes(train.features);  // [N, 2], pixels
  quantities.test_targets = boxes(test.features);
  return {classes, several, quantities};
}

/// One file for the training images and one for the test images of each task and layer, and the list of all of them.
void write(const std::vector<Task>& tasks, const std::filesystem::path& folder) {
  io::make_folder(folder);
  std::vector<io::TaskFiles> list;
  for (const Task& task : tasks) {
    const auto write_part = [&](const std::string& part, const LayerFeatures& layer, const LayerEmbedding& images,
                                const RowMatrix& targets) {
      const std::string name = concat(task.name, '_', layer.layer, '_', part, ".safetensors");
      io::FeatureFileWriter file(folder / name, {.dimension = layer.features.cols(),
                                                 .rows = layer.features.rows(),
                                                 .targets = targets.cols(),
                                                 .metadata = {{"layer", layer.layer}}});
      file.append(layer.features, images.labels, targets);
      file.commit();
      return name;
    };
    for (std::size_t i = 0; i < task.train.layers.size(); ++i) {
      list.push_back({.name = task.name,
                      .kind = task.kind,
                      .train = write_part("train", task.train.layers[i], task.train, task.train_targets),
                      .test = write_part("test", task.test.layers[i], task.test, task.test_targets)});
    }
  }
  io::save_json(folder / "tasks.json", to_json(list));
  std::cout << "the list of tasks is " << (folder / "tasks.json").string() << '\n';
}

int run(const Settings& settings) {
  // A probe that answers every kind of question has a row over all tasks; the penalties are chosen on the training
  // images.
  const auto linear = eval::standardized(eval::LinearProbe{.logistic = {.l2s = {1e-1, 1e-2, 1e-3}, .tolerance = 1e-3},
                                                           .ridge = {.lambdas = {1e1, 1e2, 1e3}}});
  const eval::KNN neighbours{.k = 20};
  if (settings.tasks.empty()) {
    const std::vector<Task> tasks = fashion_tasks(settings);
    if (!settings.out.empty()) write(tasks, settings.out);
    std::cout << eval::on_tasks(tasks, linear, neighbours);
  } else {
    const std::vector<io::TaskFiles> list = io::load_task_list(settings.tasks);
    std::cout << eval::on_tasks(list | std::views::transform(io::load_task), linear, neighbours);
  }
  return EXIT_SUCCESS;
}

int main(int argc, char** argv) {
  try {
    return run(options_from_arguments<Settings>(argc, argv));
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return EXIT_FAILURE;
  }
}
