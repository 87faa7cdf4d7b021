// SPDX-License-Identifier: Apache-2.0
// jessl evaluate: what a trained network's features know of the classes of images.
#include "commands.hpp"
#include "data_sets.hpp"
#include "trained.hpp"

#include <jessl/core/error.hpp>
#include <jessl/eval/at_layers.hpp>
#include <jessl/eval/knn.hpp>
#include <jessl/eval/logistic_probe.hpp>
#include <jessl/eval/nearest_centroid.hpp>
#include <jessl/eval/ridge_probe_search.hpp>
#include <jessl/eval/score_table.hpp>
#include <jessl/eval/standardize.hpp>
#include <jessl/io/json.hpp>

#include <algorithm>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace cli {

namespace {

namespace eval = jessl::eval;
using jessl::ConfigError;
using jessl::LayerEmbedding;
using jessl::data::Split;

struct EvaluateArguments {
  std::string what = "";
  std::string train = "";
  std::string test = "";
  std::string kind = "auto";
  std::int64_t channels = 0;  // 0: as the run's
  std::vector<std::string> probes{"knn", "linear", "ridge"};
  bool layers = false;
  bool blocks = false;
  std::string json = "";
  std::string backbone = "";
  std::int64_t batch_size = 500;
  std::int64_t threads = 0;
  std::string precision = "float32";
};

struct Probe {
  std::string name;
  std::function<eval::ScoreTable(const LayerEmbedding&, const LayerEmbedding&)> ask;
};

const std::vector<Probe>& probes() {
  static const std::vector<Probe> all{
      {"knn",
       [](const LayerEmbedding& train, const LayerEmbedding& test) {
         const auto images = static_cast<std::int64_t>(train.labels.size());
         return eval::at_layers(train, test, eval::KNN{.k = std::min<std::int64_t>(20, images)});
       }},
      {"linear",
       [](const LayerEmbedding& train, const LayerEmbedding& test) {
         return eval::at_layers(train, test, eval::standardized(eval::LogisticProbe{.l2 = 1e-3}));
       }},
      {"ridge",
       [](const LayerEmbedding& train, const LayerEmbedding& test) {
         return eval::at_layers(train, test, eval::standardized(eval::RidgeProbeSearch{}));
       }},
      {"centroid", [](const LayerEmbedding& train,
                      const LayerEmbedding& test) { return eval::at_layers(train, test, eval::NearestCentroid{}); }},
  };
  return all;
}

const Probe& find_probe(const std::string& name) { return find_entry(probes(), name, "--probes"); }

/// Only the representation, where the projector is not asked for or not there.
void keep_wanted(LayerEmbedding& all, bool projector, bool others) {
  std::erase_if(all.layers, [&](const jessl::LayerFeatures& layer) {
    if (layer.layer == "representation") return false;
    return layer.layer.starts_with("projector.") ? !projector : !others;
  });
}

void evaluate(const CLI::App& command, const EvaluateArguments& arguments) {
  for (const std::string& name : arguments.probes) (void)find_probe(name);
  const Trained trained = open_trained(arguments.what, arguments.backbone, command.remaining());
  const std::int64_t channels = trained.channels(arguments.channels);
  const Opened train = open_data("--train", arguments.train, arguments.kind, Split::train, channels);
  const Opened test = open_data("--test", arguments.test, arguments.kind, Split::test, channels);
  check_train_and_test("--train", train, "--test", test);
  std::cout << "train: " << in_words(train) << "\ntest:  " << in_words(test) << std::endl;

  const Json embedding{{"batch_size", arguments.batch_size},
                       {"precision", arguments.precision},
                       {"threads", arguments.threads},
                       {"blocks", arguments.blocks}};
  LayerEmbedding bank = trained.network->embed_layers(train.images, embedding);
  LayerEmbedding queries = trained.network->embed_layers(test.images, embedding);
  for (LayerEmbedding* one : {&bank, &queries})
    keep_wanted(*one, arguments.layers && trained.has_projector, arguments.blocks);
  eval::ScoreTable table;
  for (const std::string& name : arguments.probes) table.add(find_probe(name).ask(bank, queries));
  std::cout << table;
  if (arguments.json.empty()) return;
  jessl::io::save_json(arguments.json, {{"network", arguments.what},
                                        {"train", in_words(train)},
                                        {"test", in_words(test)},
                                        {"views", "of evaluation, in evaluation mode"},
                                        {"scores", eval::to_json(table)}});
  std::cout << "the figures are in " << arguments.json << '\n';
}

}  // namespace

void add_evaluate(CLI::App& app) {
  CLI::App* const command = app.add_subcommand(
      "evaluate", "Fits classifiers to a trained network's features and asks them about test images.");
  const auto arguments = std::make_shared<EvaluateArguments>();
  command
      ->add_option("network", arguments->what, "Folder of a run, its checkpoint, or a .safetensors file of a backbone")
      ->required();
  command->add_option("--train", arguments->train, "Images with labels to fit to, as --data of pretrain")->required();
  command->add_option("--test", arguments->test, "Images with labels to ask about")->required();
  command->add_option("--data-kind", arguments->kind, "How they are stored, as for pretrain");
  command->add_option("--channels", arguments->channels, "3: RGB, 1: grey; by default as the run's");
  command->add_option("--probes", arguments->probes, "Some of knn, linear, ridge, centroid, joined by commas")
      ->delimiter(',');
  command->add_flag("--layers", arguments->layers, "Each layer of the projector, too");
  command->add_flag("--blocks", arguments->blocks, "Each block of the backbone, too");
  command->add_option("--json", arguments->json, "Also writes the figures, each with its protocol, to this file");
  command->add_option(
      "--backbone", arguments->backbone,
      "For a file of weights that does not say its network; with --backbone.* and --augmentation.size, .mean, .std");
  command->add_option("--batch-size", arguments->batch_size, "Images at once through the network");
  command->add_option("--precision", arguments->precision, "float32, bfloat16 or auto");
  command->add_option("--threads", arguments->threads, "0: all");
  command->allow_extras();
  command->footer(
      "Examples:\n"
      "  jessl evaluate out/run --train photos/train --test photos/test --layers --json out/run/scores.json\n"
      "  jessl evaluate resnet50.safetensors --backbone resnet50 --augmentation.size 224 --train a --test b --probes "
      "knn");
  command->callback([command, arguments] { evaluate(*command, *arguments); });
}

}  // namespace cli
