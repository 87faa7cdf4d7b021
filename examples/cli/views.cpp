// SPDX-License-Identifier: Apache-2.0
// jessl views: a picture of what a run would see.
#include "commands.hpp"
#include "run.hpp"
#include "run_flags.hpp"
#include "training.hpp"

#include <jessl/io/json.hpp>
#include <jessl/io/png.hpp>

#include <cstdint>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>

namespace cli {

namespace {

namespace fs = std::filesystem;

struct ViewsArguments {
  RunFlags flags{};
  std::string config = "";
  Picture picture{};
  std::string out = "views.png";
};

void views(const CLI::App& command, const ViewsArguments& arguments) {
  with_settings(arguments.flags, command, arguments.config, [&](const Resolved& resolved) {
    const Training training = prepare(resolved);
    Picture picture = arguments.picture;
    picture.seed = training.resolved.settings.at("fit").at("seed").get<std::uint64_t>();
    const jessl::Image grid = training.network->views(training.train.images, picture);
    const fs::path out = arguments.out;
    if (out.has_parent_path()) jessl::io::make_folder(out.parent_path());
    jessl::io::save_png(out, grid.view());
    std::cout << out.string() << ": a row an image, the image itself and the views that " << training.run.method
              << " makes of it, " << grid.width << " x " << grid.height << " pixels\n# " << in_words(training.train)
              << '\n';
  });
}

}  // namespace

void add_views(CLI::App& app) {
  CLI::App* const command = app.add_subcommand("views", "Draws the views that a method makes of images.");
  const auto arguments = std::make_shared<ViewsArguments>();
  arguments->flags.add_to(*command);
  command->add_option("--config", arguments->config, "TOML or .json file of settings; flags win over it");
  command->add_option("--images", arguments->picture.images, "Rows, spread evenly over the data; 0: 8");
  command->add_option("--zoom", arguments->picture.zoom,
                      "Screen pixels a pixel; 0: such that small views are seen well");
  command->add_option("--epoch", arguments->picture.epoch, "Of the run whose views are shown");
  command->add_flag("--parameters", arguments->picture.parameters, "Writes under each view what was done to it");
  command->add_option("--out", arguments->out, "The picture, a PNG file");
  command->footer(
      "Takes the settings of pretrain, as flags or in a file, and shows what a run with them would see.\n"
      "Examples:\n"
      "  jessl views --data photos --augmentation.size 96 --parameters\n"
      "  jessl views --method DINO --data photos --images 4 --out dino.png\n"
      "  jessl views --config out/run/config.toml --epoch 50");
  command->callback([command, arguments] { views(*command, *arguments); });
}

}  // namespace cli
