// SPDX-License-Identifier: Apache-2.0
// A trained network: from the folder of a run, its checkpoint, or a safetensors file of a backbone.
#pragma once

#include "run.hpp"
#include "settings.hpp"

#include <memory>
#include <string>
#include <vector>

namespace cli {

struct Trained {
  std::unique_ptr<Run> network;
  Json settings;              // of the run
  bool has_projector = true;  // a file of a backbone has none
};

/// Opens what `what` names. `given` are settings that say what a file of weights alone does not: backbone.name, backbone.*,
/// augmentation.*.
[[nodiscard]] Trained open_trained(const std::string& what, const std::vector<Given>& given);

/// The flags of a command that opens what is trained.
[[nodiscard]] std::vector<std::string> trained_flags();

}  // namespace cli
