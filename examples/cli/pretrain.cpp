// SPDX-License-Identifier: Apache-2.0
// jessl pretrain: a run of a method, from flags or a file of settings.
#include "commands.hpp"
#include "data_sets.hpp"
#include "run.hpp"
#include "settings.hpp"

#include <jessl/core/atomic_file.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/log.hpp>
#include <jessl/core/version.hpp>
#include <jessl/data/channel_statistics.hpp>
#include <jessl/data/subset.hpp>
#include <jessl/io/json.hpp>
#include <jessl/io/png.hpp>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace cli {

namespace {

namespace fs = std::filesystem;
using jessl::ConfigError;
using jessl::data::Split;

/// What the command line says.
struct PretrainArguments {
  std::vector<std::string> texts{};  // of run_flags(), in their order
  std::vector<CLI::Option*> options{};
  std::string config = "";
  std::string out = "";
  std::string resume = "";
  bool help_all = false;
};

/// A flag that needs no value.
bool is_switch(const Flag& flag) { return flag.help.starts_with("true: "); }

std::vector<std::string> flag_names() {
  std::vector<std::string> names{"--config", "--out", "--resume", "--help", "--help-all"};
  for (const Flag& flag : run_flags()) names.push_back(flag.name);
  return names;
}

std::vector<Given> given_flags(const CLI::App& command, const PretrainArguments& arguments) {
  std::vector<Given> given;
  for (std::size_t i = 0; i < run_flags().size(); ++i) {
    const Flag& flag = run_flags()[i];
    if (arguments.options[i]->count() == 0) continue;
    const bool is_bare = is_switch(flag) && arguments.texts[i].empty();
    given.push_back({flag.path, is_bare ? "true" : arguments.texts[i], flag.name});
  }
  const std::vector<Given> dotted = dotted_flags(command.remaining(), flag_names());
  given.insert(given.end(), dotted.begin(), dotted.end());
  return given;
}

/// All settings with their defaults, for --help-all.
void list_settings(const Json& settings) {
  std::cout << "Settings of " << settings.at("method").get<std::string>() << " on "
            << settings.at("backbone").at("name").get<std::string>()
            << ", each a flag --table.name value, or name = value below [table] in a TOML file:\n";
  for (const auto& [path, value] : flattened(settings)) {
    if (path.find('.') != std::string::npos && path != "backbone.name")
      std::cout << "  --" << path << ' ' << value.dump() << '\n';
  }
}

/// What follows from the data and the length of the run where nobody set it: the network's channels and stem, a
/// classifier's width, the normalisation, the warm-up.
void fit_to_data(Resolved& resolved, const Opened& train) {
  Json& settings = resolved.settings;
  const auto is_set = [&](const char* table, const char* name) {
    return resolved.chosen.contains(table) && resolved.chosen[table].contains(name);
  };
  Json& backbone = settings["backbone"];
  if (!is_set("backbone", "in_channels")) backbone["in_channels"] = train.images.channels();
  const Json& size = settings["augmentation"]["size"];
  if (!is_set("backbone", "stem") && backbone.contains("stem") && size.is_number_integer())
    backbone["stem"] = size.get<std::int64_t>() <= 64 ? "small" : "large";
  if (resolved.method->supervised && !is_set("projector", "widths"))
    settings["projector"]["widths"] = std::to_string(train.images.classes());
  Json& fit = settings["fit"];
  const Json& warmup = fit["warmup_epochs"];
  if (!is_set("fit", "warmup_epochs") && warmup.is_number() && fit["epochs"].is_number_integer() &&
      warmup.get<double>() > fit["epochs"].get<double>())
    fit["warmup_epochs"] = fit["epochs"].get<double>() / 10.0;  // as FitOptions has it where nobody says
  if (settings["measure_statistics"] == true) {
    const auto statistics = jessl::data::channel_statistics(train.images, {.images = 10000});
    settings["augmentation"]["mean"] = jessl::to_json(statistics.mean);
    settings["augmentation"]["std"] = jessl::to_json(statistics.std);
    settings["measure_statistics"] = false;  // a run of these settings need not do it again
  }
}

/// The checkpoint to go on from, "" for a new run, which must not lie over an old one.
std::string checkpoint_to_resume(const std::string& resume, const fs::path& out) {
  const fs::path own = out / "checkpoint.pt";
  if (resume == "auto") {
    // What stands there then is of a run that ended before its first checkpoint.
    if (!fs::exists(own)) std::cout << "there is no " << own.string() << " yet: the run starts anew\n";
    return fs::exists(own) ? own.string() : "";
  }
  if (resume.empty() || !fs::exists(own) || !fs::equivalent(own, resume)) {
    for (const char* name : {"checkpoint.pt", "config.toml", "config.json", "metrics.jsonl", "summary.json",
                             "views.png", "weights.safetensors"})
      JESSL_CHECK(!fs::exists(out / name), ConfigError, "--out: ", out.string(), " has a ", name,
                  " in it already, of a run or of yours; go on with a run by --resume auto, or choose another folder");
  }
  JESSL_CHECK(resume.empty() || fs::exists(resume), jessl::DataError, "--resume: there is no file ", resume,
              "; expected a checkpoint, or auto for the one in --out");
  return resume;
}

Watch watch_of(const RunSettings& run, const fs::path& out, const std::string& resume, const Opened& train) {
  Watch watch{.resume = resume,
              .log = out / "metrics.jsonl",
              .checkpoint = out / "checkpoint.pt",
              .checkpoint_epochs = run.checkpoint_every,
              .checkpoint_steps = run.checkpoint_steps,
              .online_probe = run.online_probe,
              .knn_every = run.knn_every,
              .rank_every = run.rank_every};
  JESSL_CHECK(run.knn_every == 0 || !run.test_data.empty(), ConfigError, "--knn-every is ", run.knn_every,
              " and there is no --test-data; name images with labels, whose neighbours are looked for");
  if (!run.test_data.empty()) {
    const Opened test = open_data("--test-data", run.test_data, run.data_kind, Split::test, run.channels);
    check_train_and_test("--data", train, "--test-data", test);
    watch.queries = test.images;
    watch.bank = train.images;
  }
  constexpr std::int64_t most = 25600;
  const std::int64_t count = std::min(most, train.images.size());
  watch.rank_images = AnyDataset(jessl::data::subset(train.images, 0, count));
  return watch;
}

/// A picture of some images and their views. A damaged image costs the picture, not the run.
void save_views(const Run& network, const AnyDataset& images, const Json& settings, const fs::path& file) {
  constexpr std::int64_t most = 8;
  try {
    const auto seed = settings.at("fit").at("seed").get<std::uint64_t>();
    jessl::io::save_png(file, network.views(images, std::min(most, images.size()), seed).view());
  } catch (const jessl::DataError& error) {
    jessl::warn("there is no ", file.string(), ": ", error.what());
  }
}

void pretrain(const CLI::App& command, const PretrainArguments& arguments) {
  const std::vector<Given> given = given_flags(command, arguments);
  JESSL_CHECK(arguments.resume != "auto" || !arguments.out.empty(), ConfigError,
              "--resume is auto and there is no --out; name the folder of the run that is to go on");
  std::string config = arguments.config;
  if (config.empty() && arguments.resume == "auto" && fs::exists(fs::path(arguments.out) / "config.toml"))
    config = (fs::path(arguments.out) / "config.toml").string();
  Resolved resolved;
  try {
    resolved = resolve_settings(config, given, flag_names());
    if (arguments.help_all) return list_settings(resolved.settings);
    const RunSettings run = run_settings(resolved.settings);
    const fs::path out = arguments.out.empty() ? fs::path("out") / run.method : fs::path(arguments.out);
    const std::string resume = checkpoint_to_resume(arguments.resume, out);
    const Opened train = open_data("--data", run.data, run.data_kind, Split::train, run.channels);
    fit_to_data(resolved, train);
    const std::unique_ptr<Run> network =
        resolved.method->make(method_settings(resolved.settings), resolved.settings.at("backbone"));
    network->check(train.images, resume);
    const Watch watch = watch_of(run, out, resume, train);

    const std::string text = to_toml(resolved.settings);
    std::cout << text << "\n# " << in_words(train) << std::endl;
    jessl::io::make_folder(out);
    jessl::write_file(out / "config.toml", text);
    jessl::io::save_json(out / "config.json", resolved.settings);
    save_views(*network, train.images, resolved.settings, out / "views.png");

    Json result = network->fit(train.images, watch);
    const Json settled = result.at("resolved");
    result.erase("resolved");
    network->save_backbone(out / "weights.safetensors", {{"config", resolved.settings}});
    jessl::io::save_json(out / "summary.json", {{"jessl", std::string(jessl::version)},
                                                {"method", run.method},
                                                {"data", in_words(train)},
                                                {"result", result},
                                                {"resolved", settled}});
    std::cout << "the run is in " << out.string() << "; next: jessl evaluate " << out.string()
              << " --train DATA --test DATA\n";
  } catch (const ConfigError& error) {
    jessl::fail<ConfigError>(in_flags(error.what(), given, resolved.settings));
  }
}

}  // namespace

void add_pretrain(CLI::App& app) {
  CLI::App* const command =
      app.add_subcommand("pretrain", "Trains a network without labels, and leaves it in a folder.");
  const auto arguments = std::make_shared<PretrainArguments>();
  arguments->texts.resize(run_flags().size());
  for (std::size_t i = 0; i < run_flags().size(); ++i) {
    const Flag& flag = run_flags()[i];
    std::string help = flag.help;
    if (flag.name == "--method") help = "One of " + names_of(methods());
    if (flag.name == "--backbone") help = "One of " + names_of(backbones());
    CLI::Option* const option = command->add_option(flag.name, arguments->texts[i], help);
    if (is_switch(flag)) option->expected(0, 1);
    arguments->options.push_back(option);
  }
  command->add_option("--config", arguments->config, "TOML or .json file of settings; flags win over it");
  command->add_option("--out", arguments->out, "Folder for what the run leaves; by default out/<method>");
  command->add_option("--resume", arguments->resume,
                      "A checkpoint to go on from, or auto: the one in --out, where there is one");
  command->add_flag("--help-all", arguments->help_all,
                    "Lists every setting of the method and the backbone with its default");
  command->allow_extras();
  command->footer(
      "Every other setting is a flag --table.name value, the tables being augmentation, projector, loss, optimizer, "
      "fit and "
      "backbone.\n"
      "Examples:\n"
      "  jessl pretrain --method SimCLR --data photos --augmentation.size 64 --loss.temperature 0.2 --out out/run\n"
      "  jessl pretrain --help-all --method BYOL\n"
      "  jessl pretrain --config out/run/config.toml --fit.seed 2 --out out/again\n"
      "  jessl pretrain --resume auto --out out/run\n"
      "Leaves in --out: config.toml, config.json, metrics.jsonl, checkpoint.pt, views.png, weights.safetensors, "
      "summary.json.");
  command->callback([command, arguments] { pretrain(*command, *arguments); });
}

}  // namespace cli
