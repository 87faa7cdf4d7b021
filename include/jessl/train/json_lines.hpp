// SPDX-License-Identifier: Apache-2.0
// The log of a run as JSON lines, one a step.
#pragma once

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>

#include <jessl/core/error.hpp>
#include <jessl/core/log.hpp>
#include <jessl/core/options.hpp>
#include <jessl/io/atomic_file.hpp>
#include <jessl/io/json.hpp>
#include <jessl/train/callback.hpp>

namespace jessl::train {

/// Writes a line of JSON after each step: {"step", "epoch", "loss", "learning_rate", "images_per_second", "loader_seconds"}.
///
/// A line is handed to the operating system before the step's checkpoint is written, so a killed process loses none
/// that its checkpoint knows of. A resumed run keeps the lines up to the step it resumes from and drops later ones:
/// no step stands twice. A new run starts the file anew.
///
/// Shapes     none
/// Cost       one write a step
/// Randomness none
/// Errors     IOError when the folder or file cannot be created or written
/// Models     jessl::Callback (docs/train/README.md)
/// Source     none
struct JSONLines {
  static constexpr std::string_view name = "JSONLines";

  std::string path = "metrics.jsonl";  ///< file; its folder is created

  class State {
   public:
    State(std::filesystem::path path, std::int64_t first_step) : path_(std::move(path)) {
      if (path_.has_parent_path()) io::make_folder(path_.parent_path());
      // In one step, so that a full disk or a kill at this point does not cost the lines that are there.
      io::write_file(path_, first_step > 0 ? lines_until(first_step) : std::string(), std::string(who));
      file_.open(path_, std::ios::binary | std::ios::app);
      JESSL_CHECK(file_.is_open(), IOError, who, ": cannot write ", path_, ": ", std::strerror(errno), "; choose a writable folder");
    }

    void after_step(const StepRecord& record) {
      const double seconds = record.step_seconds + record.loader_seconds;
      const Json line{{"step", record.step},
                      {"epoch", record.epoch},
                      {"loss", to_json(record.loss)},
                      {"learning_rate", record.learning_rate},
                      {"images_per_second", seconds > 0.0 ? static_cast<double>(record.images) / seconds : 0.0},
                      {"loader_seconds", record.loader_seconds}};
      write(line.dump() + '\n');
    }

   private:
    static constexpr std::string_view who = "jessl::train::JSONLines";

    /// The whole lines of an earlier log up to and including `step`; a line cut short by a crash is dropped.
    [[nodiscard]] std::string lines_until(std::int64_t step) const {
      if (!std::filesystem::exists(path_)) {
        warn(who, ": there is no ", path_, " of the run that is resumed; the log begins after step ", step);
        return "";
      }
      std::ifstream earlier(path_, std::ios::binary);
      JESSL_CHECK(earlier.is_open(), IOError, who, ": cannot read ", path_, " of the run that is resumed: ", std::strerror(errno));
      std::string kept;
      std::int64_t last = 0;
      for (std::string line; last < step && std::getline(earlier, line);) {
        const Json parsed = Json::parse(line, nullptr, /*allow_exceptions=*/false);
        if (!parsed.is_object() || !parsed.contains("step") || !parsed["step"].is_number_integer()) continue;
        if (parsed["step"] > step) break;
        last = parsed["step"].get<std::int64_t>();
        kept += line + '\n';
      }
      JESSL_CHECK(!earlier.bad(), IOError, who, ": cannot read ", path_, " to its end: ", std::strerror(errno));
      if (last != step) warn(who, ": ", path_, " ends at step ", last, ", the run is resumed after step ", step, "; lines are missing");
      return kept;
    }

    void write(const std::string& text) {
      file_ << text << std::flush;
      JESSL_CHECK(file_.good(), IOError, who, ": cannot write to ", path_, ": ", std::strerror(errno),
                  "; is the disk full?");
    }

    std::filesystem::path path_;
    std::ofstream file_;
  };

  [[nodiscard]] State start(const Run& run) const { return {path, run.first_step}; }
};

}  // namespace jessl::train

BOOST_HANA_ADAPT_STRUCT(jessl::train::JSONLines, path);
