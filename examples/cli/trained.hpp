// SPDX-License-Identifier: Apache-2.0
// A trained network: from the folder of a run, its checkpoint, or a safetensors file of a backbone.
#pragma once

#include "run.hpp"
#include "settings.hpp"

#include <CLI/CLI.hpp>

#include <cstdint>
#include <memory>
#include <string>

namespace cli {

struct Trained {
  std::unique_ptr<Run> network;
  Json settings;              // of the run
  bool has_projector = true;  // a file of a backbone has none

  /// Of the images to show it: those that are asked for, or the run's where that is 0.
  [[nodiscard]] std::int64_t channels(std::int64_t asked) const {
    return asked != 0 ? asked : settings.at("channels").get<std::int64_t>();
  }
};

/// Opens what `what` names. `backbone`, if any, and what `command` left unparsed, --backbone.width 16 and the like, say what a file
/// of weights alone does not.
[[nodiscard]] Trained open_trained(const std::string& what, const std::string& backbone, const CLI::App& command);

}  // namespace cli
