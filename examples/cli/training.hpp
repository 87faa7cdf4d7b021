// SPDX-License-Identifier: Apache-2.0
// A run from its settings: the data are opened, the network is made and trained, and what a run leaves is written.
#pragma once

#include "data_sets.hpp"
#include "run.hpp"
#include "settings.hpp"

#include <filesystem>
#include <memory>
#include <string>

namespace cli {

/// A run before it begins. Nothing is written yet.
struct Training {
  Resolved resolved{};
  RunSettings run{};
  std::filesystem::path out{};
  std::string checkpoint{};  // to go on from; "": a new run
  Ranks ranks{};             // of which the first writes the run's files
  Opened train;
  std::unique_ptr<Run> network{};

  /// Ends with an error where the run could not go on as it is set.
  void check() const;

  /// The images with labels that nothing learns from.
  [[nodiscard]] Opened test_images() const;
};

/// The data opened and the network made, for no folder yet.
[[nodiscard]] Training prepare(Resolved resolved);

/// The same, to be trained in a folder. `resume` is "", a checkpoint, or "auto": the one in `out`, where there is one.
[[nodiscard]] Training prepare(Resolved resolved, const std::filesystem::path& out, const std::string& resume,
                               const Ranks& ranks = {});

/// Trains, and leaves the run's files in its folder.
void train(Training& training);

}  // namespace cli
