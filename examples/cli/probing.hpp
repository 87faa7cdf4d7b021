// SPDX-License-Identifier: Apache-2.0
// What features know of the classes of images: classifiers fitted to those of some images and asked about those of others.
#pragma once

#include "run.hpp"

#include <jessl/eval/score_table.hpp>

#include <string>
#include <vector>

namespace cli {

/// What is asked of a network.
struct Questions {
  std::vector<std::string> probes{};  // names of probe_names()
  bool projector = false;             // the projector's layers, too
  bool blocks = false;                // the backbone's blocks, too
  Json embedding{};                   // jessl::EmbedOptions; blocks are those above
};

/// What --probes takes.
[[nodiscard]] const std::vector<std::string>& probe_names();

/// Ends with an error that has `flag` in it where a name is none of them.
void check_probes(const std::vector<std::string>& names, const std::string& flag);

/// The accuracies on `test` of the probes fitted to `train`, by layer; a table for each probe, in the order asked for.
[[nodiscard]] std::vector<jessl::eval::ScoreTable> ask(Run& network, const AnyDataset& train, const AnyDataset& test,
                                                       const Questions& questions);

}  // namespace cli
