// SPDX-License-Identifier: Apache-2.0
// jessl pretrain: a run of a method, from flags or a file of settings.
#include "commands.hpp"
#include "run.hpp"
#include "run_flags.hpp"
#include "settings.hpp"
#include "training.hpp"

#include <jessl/core/error.hpp>

#include <filesystem>
#include <iostream>
#include <memory>
#include <string>

namespace cli {

namespace {

namespace fs = std::filesystem;
using jessl::ConfigError;

/// What the command line says.
struct PretrainArguments {
  RunFlags flags{};
  std::string config = "";
  std::string out = "";
  std::string resume = "";
  double rank_timeout = 600.0;
  bool help_all = false;
};

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

void pretrain(const CLI::App& command, const PretrainArguments& arguments) {
  JESSL_CHECK(arguments.resume != "auto" || !arguments.out.empty(), ConfigError,
              "--resume is auto and there is no --out; name the folder of the run that is to go on");
  std::string config = arguments.config;
  if (config.empty() && arguments.resume == "auto" && fs::exists(fs::path(arguments.out) / "config.toml"))
    config = (fs::path(arguments.out) / "config.toml").string();
  with_settings(arguments.flags, command, config, [&](const Resolved& resolved) {
    if (arguments.help_all) return list_settings(resolved.settings);
    const std::string method = resolved.method->name;
    Training training = prepare(resolved, arguments.out.empty() ? fs::path("out") / method : fs::path(arguments.out),
                                arguments.resume, Ranks::meet(arguments.rank_timeout));
    training.check();
    if (!training.ranks.is_first()) return train(training);
    if (arguments.resume == "auto" && training.checkpoint.empty())
      std::cout << "there is no checkpoint in " << training.out.string() << " yet: the run starts anew\n";
    std::cout << to_toml(training.resolved.settings) << "\n# " << in_words(training.train) << std::endl;
    train(training);
    std::cout << "the run is in " << training.out.string() << "; next: jessl evaluate " << training.out.string()
              << " --train DATA --test DATA\n";
  });
}

}  // namespace

void add_pretrain(CLI::App& app) {
  CLI::App* const command =
      app.add_subcommand("pretrain", "Trains a network without labels, and leaves it in a folder.");
  const auto arguments = std::make_shared<PretrainArguments>();
  arguments->flags.add_to(*command);
  command->add_option("--config", arguments->config, "TOML or .json file of settings; flags win over it");
  command->add_option("--out", arguments->out, "Folder for what the run leaves; by default out/<method>");
  command->add_option("--resume", arguments->resume,
                      "A checkpoint to go on from, or auto: the one in --out, where there is one");
  command->add_option("--rank-timeout", arguments->rank_timeout,
                      "Seconds to wait for the other processes that torchrun, srun or mpirun started with this one");
  command->add_flag("--help-all", arguments->help_all,
                    "Lists every setting of the method and the backbone with its default");
  command->footer(
      "Every other setting is a flag --table.name value, the tables being augmentation, projector, loss, optimizer, "
      "fit, ramp and backbone.\n"
      "Examples:\n"
      "  jessl pretrain --method SimCLR --data photos --augmentation.size 64 --loss.temperature 0.2 --out out/run\n"
      "  jessl pretrain --help-all --method BYOL\n"
      "  jessl pretrain --config out/run/config.toml --fit.seed 2 --out out/again\n"
      "  jessl pretrain --resume auto --out out/run\n"
      "  torchrun --no-python --nproc-per-node 8 --max-restarts 3 jessl pretrain --config run.toml --out out/run "
      "--resume auto\n"
      "Leaves in --out: config.toml, config.json, metrics.jsonl, checkpoint.pt, views.png, weights.safetensors, "
      "summary.json.");
  command->callback([command, arguments] { pretrain(*command, *arguments); });
}

}  // namespace cli
