// SPDX-License-Identifier: Apache-2.0
#include "training.hpp"

#include <jessl/core/atomic_file.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/log.hpp>
#include <jessl/core/version.hpp>
#include <jessl/data/channel_statistics.hpp>
#include <jessl/data/subset.hpp>
#include <jessl/io/json.hpp>
#include <jessl/io/png.hpp>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <map>
#include <string>
#include <utility>

namespace cli {

namespace {

namespace fs = std::filesystem;
using jessl::ConfigError;
using jessl::data::Split;

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
  if (settings["measure_statistics"] == true) {
    const auto statistics = jessl::data::channel_statistics(train.images, {.images = 10000});
    settings["augmentation"]["mean"] = jessl::to_json(statistics.mean);
    settings["augmentation"]["std"] = jessl::to_json(statistics.std);
    settings["measure_statistics"] = false;  // a run of these settings need not do it again
  }
  if (settings["loss"].contains("patch")) {
    if (!is_set("loss", "channels")) settings["loss"]["channels"] = train.images.channels();
    for (const char* name : {"mean", "std"}) {
      if (!is_set("loss", name)) settings["loss"][name] = settings["augmentation"][name];
    }
  }
  Json& fit = settings["fit"];
  const Json& warmup = fit["warmup_epochs"];
  if (!is_set("fit", "warmup_epochs") && warmup.is_number() && fit["epochs"].is_number_integer() &&
      warmup.get<double>() > fit["epochs"].get<double>())
    fit["warmup_epochs"] = fit["epochs"].get<double>() / 10.0;  // as FitOptions has it where nobody says
}

/// The checkpoint to go on from, "" for a new run, which must not lie over an old one.
std::string checkpoint_to_resume(const std::string& resume, const fs::path& out, const Ranks& ranks) {
  const fs::path own = out / "checkpoint.pt";
  if (resume == "auto") {
    // What stands there otherwise is of a run that ended before its first checkpoint.
    return fs::exists(own) ? own.string() : "";
  }
  // What another rank finds there may be what the first one has just written.
  if (ranks.is_first() && (resume.empty() || !fs::exists(own) || !fs::equivalent(own, resume))) {
    for (const char* name : {"checkpoint.pt", "config.toml", "config.json", "metrics.jsonl", "summary.json",
                             "views.png", "weights.safetensors"})
      JESSL_CHECK(!fs::exists(out / name), ConfigError, "--out: ", out.string(), " has a ", name,
                  " in it already, of a run or of yours; go on with a run by --resume auto, or choose another folder");
  }
  JESSL_CHECK(resume.empty() || fs::exists(resume), jessl::DataError, "--resume: there is no file ", resume,
              "; expected a checkpoint, or auto for the one in --out");
  return resume;
}

Watch watch_of(const Training& training) {
  const RunSettings& run = training.run;
  Watch watch{.resume = training.checkpoint,
              .log = training.out / "metrics.jsonl",
              .checkpoint = training.out / "checkpoint.pt",
              .checkpoint_epochs = run.checkpoint_every,
              .checkpoint_steps = run.checkpoint_steps,
              .online_probe = run.online_probe,
              .knn_every = run.knn_every,
              .rank_every = run.rank_every};
  JESSL_CHECK(run.knn_every == 0 || !run.test_data.empty(), ConfigError, "--knn-every is ", run.knn_every,
              " and there is no --test-data; name images with labels, whose neighbours are looked for");
  const AnyDataset& images = training.train.images;
  if (!run.test_data.empty()) {
    watch.queries = training.test_images().images;
    watch.bank = images;
  }
  constexpr std::int64_t most = 25600;
  watch.rank_images = AnyDataset(jessl::data::subset(images, 0, std::min(most, images.size())));
  return watch;
}

/// The first images of each class.
AnyDataset first_of_each_class(const AnyDataset& images, std::int64_t most) {
  JESSL_CHECK(images.classes() > 0, ConfigError, "--images-per-class is ", most,
              ", and the images have no labels; leave it away");
  std::map<std::int64_t, std::int64_t> taken;
  return AnyDataset(
      jessl::data::filter(images, [&](std::int64_t, std::int64_t label) { return taken[label]++ < most; }));
}

/// A picture of some images and their views. A damaged image costs the picture, not the run.
void save_views(const Run& network, const AnyDataset& images, const Json& settings, const fs::path& file) {
  try {
    const auto seed = settings.at("fit").at("seed").get<std::uint64_t>();
    jessl::io::save_png(file, network.views(images, {.seed = seed}).view());
  } catch (const jessl::DataError& error) {
    jessl::warn("there is no ", file.string(), ": ", error.what());
  }
}

}  // namespace

Opened Training::test_images() const {
  Opened test = open_data("--test-data", run.test_data, run.data_kind, Split::test, run.channels);
  check_train_and_test("--data", train, "--test-data", test);
  return test;
}

Training prepare(Resolved resolved) {
  const RunSettings run = run_settings(resolved.settings);
  Opened train = open_data("--data", run.data, run.data_kind, Split::train, run.channels);
  JESSL_CHECK(run.images_per_class >= 0, ConfigError, "--images-per-class is ", run.images_per_class,
              ", expected a whole number >= 0, 0 being all");
  if (run.images_per_class > 0) train.images = first_of_each_class(train.images, run.images_per_class);
  fit_to_data(resolved, train);
  std::unique_ptr<Run> network = make_run_of(*resolved.method, resolved.settings);
  return {.resolved = std::move(resolved), .run = run, .train = std::move(train), .network = std::move(network)};
}

Training prepare(Resolved resolved, const fs::path& out, const std::string& resume, const Ranks& ranks) {
  const std::string checkpoint = checkpoint_to_resume(resume, out, ranks);  // the quicker error first
  Training training = prepare(std::move(resolved));
  training.network->join(ranks);
  training.ranks = ranks;
  training.out = out;
  training.checkpoint = checkpoint;
  return training;
}

void Training::check() const {
  (void)watch_of(*this);
  network->check(train.images, checkpoint);
}

void train(Training& training) {
  const Json& settings = training.resolved.settings;
  const fs::path& out = training.out;
  const Watch watch = watch_of(training);
  if (!training.ranks.is_first()) {
    (void)training.network->fit(training.train.images, watch);
    return;
  }
  jessl::io::make_folder(out);
  jessl::write_file(out / "config.toml", to_toml(settings));
  jessl::io::save_json(out / "config.json", settings);
  save_views(*training.network, training.train.images, settings, out / "views.png");

  Json result = training.network->fit(training.train.images, watch);
  const Json settled = result.at("resolved");
  result.erase("resolved");
  training.network->save_backbone(out / "weights.safetensors", {{"config", settings}});
  jessl::io::save_json(out / "summary.json", {{"jessl", std::string(jessl::version)},
                                              {"method", training.run.method},
                                              {"data", in_words(training.train)},
                                              {"result", result},
                                              {"resolved", settled}});
}

}  // namespace cli
