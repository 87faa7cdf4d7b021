// SPDX-License-Identifier: Apache-2.0
// The log of a run as JSON lines, one a step.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <unistd.h>

#include <jessl/core/atomic_file.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/log.hpp>
#include <jessl/core/options.hpp>
#include <jessl/io/json.hpp>
#include <jessl/train/callback.hpp>

namespace jessl::train {

/// Writes a line of JSON after each step: {"step", "epoch", "loss", "learning_rate", "images_per_second", "loader_seconds"}.
///
/// A line is handed to the operating system before the step's checkpoint is written, so a killed process loses none
/// that its checkpoint knows of. Lines that a full disk refuses are kept and tried again after each step: a warning, not
/// the end of the run. A resumed run keeps the lines up to the step it resumes from and drops later ones: no step stands
/// twice. A new run starts the file anew, with its first step.
///
/// Shapes     none
/// Cost       one write a step
/// Randomness none
/// Errors     IOError before the first step when the folder or file cannot be written, or an earlier log not be read; at
///            the end when lines are still unwritten
/// Models     jessl::Callback (docs/train/README.md)
/// Source     none
struct JSONLines {
  static constexpr std::string_view name = "JSONLines";

  std::string path = "metrics.jsonl";  ///< file; its folder is created

  class State {
   public:
    State(std::filesystem::path path, std::int64_t first_step) : path_(std::move(path)) {
      if (path_.has_parent_path()) io::make_folder(path_.parent_path());
      AtomicFile probe(path_, std::string(who));  // An unwritable place is known before the first step.
      if (first_step > 0) earlier_ = lines_until(first_step);
    }

    void after_step(const StepRecord& record) {
      const double seconds = record.step_seconds + record.loader_seconds;
      const Json line{{"step", record.step},
                      {"epoch", record.epoch},
                      {"loss", to_json(record.loss)},
                      {"learning_rate", record.learning_rate},
                      {"images_per_second", seconds > 0.0 ? static_cast<double>(record.images) / seconds : 0.0},
                      {"loader_seconds", record.loader_seconds}};
      pending_ += line.dump() + '\n';
      try {
        write_pending();
        refused_ = false;
      } catch (const IOError& error) {
        if (!std::exchange(refused_, true)) warn(error.what(), " Its lines are kept until it can be written.");
      }
    }

    /// IOError where lines are still unwritten.
    void finish() {
      if (!pending_.empty()) write_pending();
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
      JESSL_CHECK(earlier.is_open(), IOError, who, ": cannot read ", path_,
                  " of the run that is resumed: ", std::strerror(errno));
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
      if (last != step)
        warn(who, ": ", path_, " ends at step ", last, ", the run is resumed after step ", step, "; lines are missing");
      return kept;
    }

    void open() {
      // In one step, so that a full disk or a kill at this point does not cost the lines that are there.
      write_file(path_, earlier_, std::string(who));
      earlier_.clear();
      file_.reset(std::fopen(path_.c_str(), "ab"));
      JESSL_CHECK(file_ != nullptr, IOError, who, ": cannot write ", path_, ": ", std::strerror(errno),
                  "; choose a writable folder.");
    }

    void write_pending() {
      if (file_ == nullptr) open();
      while (!pending_.empty()) {
        const ssize_t written = ::write(::fileno(file_.get()), pending_.data(), pending_.size());
        JESSL_CHECK(written >= 0 || errno == EINTR, IOError, who, ": cannot write ",
                    std::count(pending_.begin(), pending_.end(), '\n'), " lines to ", path_, ": ", std::strerror(errno),
                    "; is the disk full?");
        if (written > 0) pending_.erase(0, static_cast<std::size_t>(written));
      }
    }

    struct Close {
      void operator()(std::FILE* file) const noexcept { std::fclose(file); }
    };

    std::filesystem::path path_;
    std::string earlier_{};  // the lines of the run that is resumed, until the file is begun
    std::unique_ptr<std::FILE, Close> file_{};
    std::string pending_{};  // whole lines, the first perhaps without its beginning
    bool refused_ = false;   // the last write failed, and this was said
  };

  [[nodiscard]] State start(const Run& run) const { return {path, run.first_step}; }
};

}  // namespace jessl::train

BOOST_HANA_ADAPT_STRUCT(jessl::train::JSONLines, path);
