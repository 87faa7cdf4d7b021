// SPDX-License-Identifier: Apache-2.0
// jessl map: features in two dimensions, as pictures.
#include "commands.hpp"
#include "data_sets.hpp"
#include "run_flags.hpp"
#include "settings.hpp"
#include "trained.hpp"

#include <jessl/core/error.hpp>
#include <jessl/core/options.hpp>
#include <jessl/data/any_dataset.hpp>
#include <jessl/data/subset.hpp>
#include <jessl/eval/pca.hpp>
#include <jessl/eval/scatter_picture.hpp>
#include <jessl/io/feature_file.hpp>
#include <jessl/io/json.hpp>
#include <jessl/io/png.hpp>
#if defined(JESSL_HAS_UMAPPP)
#include <jessl/eval/umap.hpp>
#endif

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <memory>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace cli {

namespace {

namespace eval = jessl::eval;
namespace fs = std::filesystem;
using jessl::ConfigError;
using jessl::Embedding;
using jessl::RowMatrix;

struct MapArguments {
  std::string what = "";
  std::string data = "";
  std::string split = "test";
  std::string kind = "auto";
  std::string backbone = "";
  std::string out = "";
  std::int64_t rows = 10000;
  std::int64_t size = 640;
  std::int64_t neighbours = 15;
  double min_dist = 0.1;
  std::string distance = "cosine";
  std::uint64_t seed = 0;
};

/// At most so many of the rows, spread over all of them: files often have one class after another.
Embedding some_of(const Eigen::Ref<const RowMatrix>& features, std::span<const std::int64_t> labels,
                  std::int64_t most) {
  const Eigen::Index rows = std::min(most, features.rows());
  Embedding some{RowMatrix(rows, features.cols()), {}};
  for (Eigen::Index i = 0; i < rows; ++i) {
    const Eigen::Index row = i * features.rows() / rows;
    some.features.row(i) = features.row(row);
    some.labels.push_back(labels.empty() ? -1 : labels[static_cast<std::size_t>(row)]);
  }
  return some;
}

/// The features of a file: what is for a network is refused.
Embedding features_in(const CLI::App& command, const MapArguments& arguments) {
  const std::vector<Given> given = dotted_flags(command.remaining(), flags_of(command));
  JESSL_CHECK(given.empty(), ConfigError, given.empty() ? "" : given.front().flag,
              " is for a network, which --data goes with");
  for (const char* flag : {"--split", "--data-kind", "--backbone"})
    JESSL_CHECK(command.count(flag) == 0, ConfigError, flag, " is for a network, which --data goes with");
  const fs::path what = arguments.what;
  std::error_code ignored;
  JESSL_CHECK(fs::exists(what, ignored), jessl::DataError, "there is no ", arguments.what,
              "; expected a .safetensors file of features, as jessl embed writes it, or a network and --data");
  JESSL_CHECK(!fs::is_directory(what, ignored) && what.extension() != ".pt", ConfigError, arguments.what,
              " is a network, and there are no images to map; name them, as --data photos");
  JESSL_CHECK(what.extension() == ".safetensors", ConfigError, arguments.what,
              " is no .safetensors file of features; jessl embed --out features.safetensors writes one");
  const jessl::io::FeatureFile file(what);
  return some_of(file.features(), file.labels(), arguments.rows);
}

/// A network's features of images.
Embedding features_of(const CLI::App& command, const MapArguments& arguments) {
  const Trained trained = open_trained(arguments.what, arguments.backbone, command);
  const Opened opened =
      open_data("--data", arguments.data, arguments.kind, split_of(arguments.split), trained.channels(0));
  std::cout << in_words(opened) << std::endl;
  const std::int64_t all = opened.images.size(), rows = std::min(arguments.rows, all);
  std::vector<std::int64_t> chosen;
  for (std::int64_t i = 0; i < rows; ++i) chosen.push_back(i * all / rows);
  const jessl::data::AnyDataset some(jessl::data::subset(opened.images, std::move(chosen)));
  return trained.network->embed(some, Json::object());
}

void map(const CLI::App& command, const MapArguments& arguments) {
  JESSL_CHECK(arguments.rows >= 1, ConfigError, "--rows is ", arguments.rows, ", expected at least 1");
  const fs::path what = arguments.what;
  fs::path out = arguments.out;
  if (out.empty()) out = fs::is_directory(what) ? what : what.has_parent_path() ? what.parent_path() : fs::path(".");
#if defined(JESSL_HAS_UMAPPP)
  const Json settings{{"neighbours", arguments.neighbours},
                      {"min_dist", arguments.min_dist},
                      {"distance", arguments.distance},
                      {"seed", arguments.seed}};
  const auto umap = jessl::from_json<eval::UMAP>(settings, "jessl map");
#endif
  const auto [features, labels] =
      arguments.data.empty() ? features_in(command, arguments) : features_of(command, arguments);
  const eval::ScatterPictureOptions look{.size = arguments.size};
  jessl::io::make_folder(out);
  const auto draw = [&, &labels = labels](const char* name, const RowMatrix& plane) {
    jessl::io::save_png(out / name, eval::scatter_picture(plane, labels, look).view());
    std::cout << (out / name).string() << ": " << plane.rows() << " points" << std::endl;
  };
  draw("pca.png", eval::PCA{}.fit(features).transform(features));
#if defined(JESSL_HAS_UMAPPP)
  draw("umap.png", umap.embed(features));
#else
  std::cout << "this jessl was built without umappp, and makes no map by UMAP\n";
#endif
}

}  // namespace

void add_map(CLI::App& app) {
  CLI::App* const command = app.add_subcommand(
      "map", "Draws features in two dimensions, coloured by class: by UMAP and by principal components.");
  const auto arguments = std::make_shared<MapArguments>();
  command
      ->add_option("features", arguments->what,
                   "A .safetensors file of features (jessl embed), or with --data a network as embed takes it")
      ->required();
  command->add_option("--data", arguments->data, "Images for the network, as --data of pretrain");
  command->add_option("--split", arguments->split,
                      "train or test, of data sets that have both; by default test, which was not learned from");
  command->add_option("--data-kind", arguments->kind, "How they are stored, as for pretrain");
  command->add_option("--backbone", arguments->backbone,
                      "For a file of weights that does not say its network, as for evaluate");
  command->add_option(
      "--out", arguments->out,
      "Folder for umap.png and pca.png; by default that of the run or file, whose report then shows them");
  command->add_option("--rows", arguments->rows, "Points at most, spread over all; 10000");
  command->add_option("--size", arguments->size, "Pixels of a side; 640");
  command->add_option("--neighbours", arguments->neighbours, "Of UMAP: few for detail, many for the whole; 15");
  command->add_option("--min-dist", arguments->min_dist, "Of UMAP: up to which points are as near as can be; 0.1");
  command->add_option("--distance", arguments->distance, "Of UMAP: cosine or euclidean");
  command->add_option("--seed", arguments->seed, "Of UMAP");
  command->allow_extras();
  command->footer(
      "Examples:\n"
      "  jessl map out/run --data photos\n"
      "  jessl map features.safetensors --rows 2000 --neighbours 50 --out maps");
  command->callback([command, arguments] { map(*command, *arguments); });
}

}  // namespace cli
