// SPDX-License-Identifier: Apache-2.0
// The log of a run as JSON lines, one a step.
#pragma once

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>
#include <utility>

#include <jessl/core/error.hpp>
#include <jessl/core/options.hpp>
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
      std::error_code error;
      if (path_.has_parent_path()) std::filesystem::create_directories(path_.parent_path(), error);
      const std::string kept = first_step > 0 ? lines_until(first_step) : std::string();
      file_.open(path_, std::ios::binary | std::ios::trunc);
      JESSL_CHECK(file_.is_open(), IOError, "jessl::train::JSONLines: cannot write ", path_, ": ",
                  error ? error.message() : std::strerror(errno), "; choose a writable folder");
      write(kept);
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
    /// The whole lines of an earlier log up to and including `step`; a line cut short by a crash is dropped.
    [[nodiscard]] std::string lines_until(std::int64_t step) const {
      std::ifstream earlier(path_, std::ios::binary);
      std::string kept;
      for (std::string line; std::getline(earlier, line);) {
        const Json parsed = Json::parse(line, nullptr, /*allow_exceptions=*/false);
        if (!parsed.is_object() || !parsed.contains("step") || parsed["step"] > step) break;
        kept += line + '\n';
      }
      return kept;
    }

    void write(const std::string& text) {
      file_ << text << std::flush;
      JESSL_CHECK(file_.good(), IOError, "jessl::train::JSONLines: cannot write to ", path_, ": ", std::strerror(errno),
                  "; is the disk full?");
    }

    std::filesystem::path path_;
    std::ofstream file_;
  };

  [[nodiscard]] State start(const Run& run) const { return {path, run.first_step}; }
};

}  // namespace jessl::train

BOOST_HANA_ADAPT_STRUCT(jessl::train::JSONLines, path);
