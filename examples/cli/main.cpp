// SPDX-License-Identifier: Apache-2.0
// The program jessl: pretraining, evaluation and features without writing C++ (docs/cli/README.md).
#include "commands.hpp"
#include "settings.hpp"

#include <jessl/core/error.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/version.hpp>

#include <exception>
#include <iostream>
#include <string>
#include <vector>

namespace {

constexpr int wrong_command_line = 2;
constexpr int lost_ranks = 75;    // EX_TEMPFAIL: the same again may work
constexpr int interrupted = 143;  // as of a process that SIGTERM ended

/// The name of a subcommand must be a known one; CLI11's own message does not say which is near.
void check_command(const CLI::App& app, int argc, char** argv) {
  if (argc < 2 || argv[1][0] == '-') return;
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands(nullptr)) names.push_back(command->get_name());
  for (const std::string& name : names) {
    if (name == argv[1]) return;
  }
  jessl::detail::fail_unknown("jessl", argv[1], names);
}

int run(int argc, char** argv) {
  CLI::App app("Joint-embedding self-supervised learning: learns features of images without labels.", "jessl");
  app.set_version_flag("--version", std::string(jessl::version));
  app.require_subcommand(1);
  app.footer(
      "Examples:\n"
      "  jessl pretrain --method BYOL --data photos --augmentation.size 64 --epochs 100 --out out/photos\n"
      "  jessl evaluate out/photos --train photos --test more_photos\n"
      "  jessl embed out/photos --data photos --out features.npy\n"
      "  jessl report out/photos out/earlier\n"
      "Exit codes: 0 fine, 1 an error while running, 2 a wrong flag, value or file of settings, 75 another process was "
      "lost, "
      "143 ended by SIGTERM after a checkpoint.");
  cli::add_pretrain(app);
  cli::add_sweep(app);
  cli::add_views(app);
  cli::add_evaluate(app);
  cli::add_embed(app);
  cli::add_map(app);
  cli::add_pack(app);
  cli::add_inspect(app);
  cli::add_report(app);
  cli::add_bench_data(app);
  cli::add_doctor(app);
  cli::add_completion(app);
  check_command(app, argc, argv);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& wish) {  // --help and --version
    return app.exit(wish);
  } catch (const CLI::ParseError& error) {
    std::cerr << "jessl: " << error.what() << "; jessl --help says what there is\n";
    return wrong_command_line;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const jessl::ConfigError& error) {
    std::cerr << "jessl: " << cli::in_flags(error.what()) << '\n';
    return wrong_command_line;
  } catch (const jessl::DistributedError& error) {
    std::cerr << "jessl: " << error.what() << '\n';
    return lost_ranks;
  } catch (const jessl::InterruptedError& error) {
    std::cerr << "jessl: " << error.what() << '\n';
    return interrupted;
  } catch (const std::exception& error) {
    std::cerr << "jessl: " << error.what() << '\n';
    return 1;
  }
}
