// SPDX-License-Identifier: Apache-2.0
// jessl evaluate: what a trained network's features know of the classes of images.
#include "commands.hpp"
#include "data_sets.hpp"
#include "probing.hpp"
#include "trained.hpp"

#include <jessl/core/atomic_file.hpp>
#include <jessl/core/error.hpp>
#include <jessl/eval/score_table.hpp>
#include <jessl/io/json.hpp>

#include <cstdint>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

namespace cli {

namespace {

namespace eval = jessl::eval;
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

void evaluate(const CLI::App& command, const EvaluateArguments& arguments) {
  check_probes(arguments.probes, "--probes");
  // A place that can't be written is known before the work.
  if (!arguments.json.empty()) jessl::AtomicFile(arguments.json, "jessl evaluate: --json").discard();
  const Trained trained = open_trained(arguments.what, arguments.backbone, command);
  JESSL_CHECK(!arguments.layers || trained.has_projector, jessl::ConfigError, "--layers: ", arguments.what,
              " holds a backbone alone; name the folder of the run, or leave --layers away");
  const std::int64_t channels = trained.channels(arguments.channels);
  const Opened train = open_data("--train", arguments.train, arguments.kind, Split::train, channels);
  const Opened test = open_data("--test", arguments.test, arguments.kind, Split::test, channels);
  check_train_and_test("--train", train, "--test", test);
  std::cout << "train: " << in_words(train) << "\ntest:  " << in_words(test) << std::endl;

  const Questions questions{
      .probes = arguments.probes,
      .projector = arguments.layers,
      .blocks = arguments.blocks,
      .embedding = {
          {"batch_size", arguments.batch_size}, {"precision", arguments.precision}, {"threads", arguments.threads}}};
  eval::ScoreTable table;
  for (const eval::ScoreTable& one : ask(*trained.network, train.images, test.images, questions)) table.add(one);
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
  command->add_option("--probes", arguments->probes, "Some of " + joined(probe_names(), ", ") + ", joined by commas")
      ->delimiter(',')
      ->allow_extra_args(false);  // the network may follow
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
