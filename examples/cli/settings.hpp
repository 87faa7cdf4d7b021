// SPDX-License-Identifier: Apache-2.0
// Settings of a run as one JSON document: from flags, from a TOML or JSON file, and back to TOML.
#pragma once

#include "run.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace cli {

/// A value that was given on the command line: where it belongs ("loss.temperature"), its text, and the flag that gave it.
struct Given {
  std::string path;
  std::string text;
  std::string flag;
};

/// A flag and the setting that it stands for.
struct Flag {
  std::string name;  // --epochs
  std::string path;  // fit.epochs
  std::string help;
};

/// How views grow: jessl::augment::Ramp, up to the augmentation's size.
struct RampSettings {
  std::int64_t min = 0;     // pixels, until epoch `start`; 0: views do not grow
  std::int64_t start = 10;  // epoch
  std::int64_t end = 30;    // epoch, the first of the whole size
  std::int64_t step = 32;   // pixels
};

/// What of a run's settings belongs to no policy.
struct RunSettings {
  std::string method = "SimCLR";      // name of one of methods()
  std::string data = "";              // images to train on
  std::string data_kind = "auto";     // how they are stored
  std::string test_data = "";         // images that nothing learns from
  std::int64_t channels = 3;          // that images are decoded to
  std::int64_t checkpoint_every = 1;  // epochs
  std::int64_t checkpoint_steps = 0;  // 0: none within an epoch
  std::int64_t knn_every = 0;         // epochs, 0: none
  std::int64_t rank_every = 0;        // epochs, 0: none
  std::int64_t images_per_class = 0;  // to train on, the first of each; 0: all
  bool small_views = true;            // of multi-crop
  RampSettings ramp{};
  bool online_probe = false;
  bool measure_statistics = false;  // normalise by the data's own mean and deviation
};

/// The settings of a run that belong to no policy, out of all of them.
[[nodiscard]] RunSettings run_settings(const Json& settings);

/// The short flags of a run: every other setting is --table.name.
[[nodiscard]] const std::vector<Flag>& run_flags();

/// The defaults of a run of a method on a backbone, all of it.
[[nodiscard]] Json default_settings(const MethodEntry& method, const BackboneEntry& backbone);

/// What is left of the command line, --table.name value or --table.name=value, each with its value. `others` are the
/// names of the flags that the command has besides.
[[nodiscard]] std::vector<Given> dotted_flags(const std::vector<std::string>& words,
                                              const std::vector<std::string>& others);

/// The settings of a run: the defaults, then those of the file, then those that were given.
struct Resolved {
  const MethodEntry* method = nullptr;
  Json settings{};
  Json chosen{};  // what the file and the flags set, of it
};
[[nodiscard]] Resolved resolve_settings(const std::filesystem::path& file, const std::vector<Given>& given,
                                        const std::vector<std::string>& others);

/// The same where the document is read already; `where` is what messages call it.
[[nodiscard]] Resolved resolve_settings(const Json& document, const std::string& where, const std::vector<Given>& given,
                                        const std::vector<std::string>& others);

/// A TOML or JSON file as JSON.
[[nodiscard]] Json read_settings(const std::filesystem::path& file);

/// A document as TOML. What is null is left out, for TOML has no such value.
[[nodiscard]] std::string to_toml(const Json& document);

/// The paths of all settings and their values: {"loss.temperature", 0.1}, ...
[[nodiscard]] std::vector<std::pair<std::string, Json>> flattened(const Json& document);

/// A message in the words of the command line: settings.loss.temperature becomes --loss.temperature, and the flag is named of
/// the setting that is complained of, as it was given or, where it was not, as it is among `settings`.
[[nodiscard]] std::string in_flags(std::string message, const std::vector<Given>& given = {},
                                   const Json& settings = Json::object());

/// The network and the method of these settings.
[[nodiscard]] std::unique_ptr<Run> make_run_of(const MethodEntry& method, const Json& settings);

}  // namespace cli

JESSL_OPTIONS(cli::RampSettings, min, start, end, step);
JESSL_OPTIONS(cli::RunSettings, method, data, data_kind, test_data, channels, checkpoint_every, checkpoint_steps,
              knn_every, rank_every, images_per_class, small_views, ramp, online_probe, measure_statistics);
