// SPDX-License-Identifier: Apache-2.0
// The log of a run as JSON lines, one a step.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <unistd.h>

#include <jessl/core/atomic_file.hpp>
#include <jessl/core/detail/file_size_signal.hpp>
#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/file_lock.hpp>
#include <jessl/core/log.hpp>
#include <jessl/core/options.hpp>
#include <jessl/io/detail/parse_json.hpp>
#include <jessl/io/json.hpp>
#include <jessl/train/callback.hpp>

namespace jessl::train {

/// Writes a line of JSON after each step: {"step", "epoch", "loss", "learning_rate", "images_per_second", "loader_seconds"}, with
/// "loss/<name>" for each term that the loss tells (loss::tell_part), and one for whatever a callback measures: {"step", "epoch", "measured_by", "protocol", "values"}.
///
/// A line is handed to the operating system before the step's checkpoint is written, so a killed process loses none
/// that its checkpoint knows of. Lines that a full disk refuses are kept and tried again after each step: a warning, not
/// the end of the run. A resumed run keeps the lines up to the step it resumes from and drops later ones: no step stands
/// twice. With its first step a new run begins the file anew.
///
/// The log of another run is never lost: it becomes `<path>.previous`, or `.previous-2` and so on where that is taken. A
/// resumed run knows its own log, at `path` or among those, by the loss of the step that it goes on from. While it lives the
/// run holds a lock, `<path>.lock`: a second run with the same file is refused.
///
/// Shapes     none
/// Cost       one write a step
/// Randomness none
/// Errors     IOError before the first step when the folder or file cannot be written, an earlier log not be read, or
///            another run writes the same file; at the end when lines are still unwritten
/// Models     jessl::Callback (docs/train/README.md)
/// Source     none
struct JSONLines {
  static constexpr std::string_view name = "JSONLines";

  std::string path = "metrics.jsonl";  ///< file; its folder is created

  class State {
   public:
    State(std::filesystem::path path, const Run& run);

    void after_step(const StepRecord& record);

    void after_measurement(const Measurement& measurement);

    /// IOError where lines are still unwritten.
    void finish();

   private:
    static constexpr std::string_view who = "jessl::train::JSONLines";

    void add(const Json& line);

    /// The whole lines of a log up to and including a step.
    struct Lines {
      std::string text{};
      std::int64_t last = 0;  // step
      double loss = 0.0;      // of that step
    };

    /// Finds the log of the run that is resumed, and takes its lines up to the step that it goes on from.
    void take_up(const Run& run);

    /// Nothing where there is no such file. A line cut short by a crash is dropped.
    [[nodiscard]] static std::optional<Lines> lines_until(const std::filesystem::path& path, std::int64_t step);

    void open();

    void write_pending();

    struct Close {
      void operator()(std::FILE* file) const noexcept { std::fclose(file); }
    };

    std::filesystem::path path_;
    std::optional<FileLock> lock_{};
    bool is_of_another_run_ = true;  // what may stand at path_
    std::string earlier_{};          // the lines of the run that is resumed, until the file is begun
    std::unique_ptr<std::FILE, Close> file_{};
    std::string pending_{};  // whole lines, the first perhaps without its beginning
    bool refused_ = false;   // the last write failed, and this was said
  };

  [[nodiscard]] State start(const Run& run) const { return {path, run}; }
};

}  // namespace jessl::train

JESSL_OPTIONS(jessl::train::JSONLines, path);

#if JESSL_DEFINITIONS

namespace jessl::train {

JESSL_INLINE JSONLines::State::State(std::filesystem::path path, const Run& run) : path_(std::move(path)) {
  if (path_.has_parent_path()) io::make_folder(path_.parent_path());
  lock_.emplace(path_, who);
  AtomicFile probe(path_, std::string(who));  // An unwritable place is known before the first step.
  if (run.first_step > 0) take_up(run);
}

JESSL_INLINE void JSONLines::State::after_step(const StepRecord& record) {
  const double seconds = record.step_seconds + record.loader_seconds;
  Json line{{"step", record.step},
            {"epoch", record.epoch},
            {"loss", to_json(record.loss)},
            {"learning_rate", record.learning_rate},
            {"images_per_second", seconds > 0.0 ? static_cast<double>(record.images) / seconds : 0.0},
            {"loader_seconds", record.loader_seconds}};
  for (const auto& [name, value] : record.parts) line["loss/" + name] = to_json(value);
  add(line);
}

JESSL_INLINE void JSONLines::State::after_measurement(const Measurement& measurement) {
  add({{"step", measurement.step},
       {"epoch", measurement.epoch},
       {"measured_by", measurement.by},
       {"protocol", measurement.protocol},
       {"values", measurement.values}});
}

JESSL_INLINE void JSONLines::State::finish() {
  if (!pending_.empty()) write_pending();
}

JESSL_INLINE void JSONLines::State::add(const Json& line) {
  pending_ += io::detail::dump_json(line, -1, "jessl::train::JSONLines: a line") + '\n';
  try {
    write_pending();
    refused_ = false;
  } catch (const IOError& error) {
    if (!std::exchange(refused_, true)) warn(error.what(), " Its lines are kept until it can be written.");
  }
}

JESSL_INLINE void JSONLines::State::take_up(const Run& run) {
  const auto is_its_log = [&](const Lines& lines) {
    return lines.last == run.first_step && (std::isnan(run.resumed_loss) || lines.loss == run.resumed_loss);
  };
  const std::optional<Lines> here = lines_until(path_, run.first_step);
  if (here && is_its_log(*here)) {
    earlier_ = here->text;
    is_of_another_run_ = false;
    return;
  }
  for (int number = 1;; ++number) {
    const std::filesystem::path previous =
        number == 1 ? path_.string() + ".previous" : concat(path_.string(), ".previous-", number);
    const std::optional<Lines> there = lines_until(previous, run.first_step);
    if (!there) break;
    if (!is_its_log(*there)) continue;
    note("the log goes on from the lines of ", previous);
    earlier_ = there->text;
    return;
  }
  if (here && here->last < run.first_step) {
    warn(who, ": ", path_, " ends at step ", here->last, ", the run is resumed after step ", run.first_step,
         "; lines are missing");
    earlier_ = here->text;
    is_of_another_run_ = false;
  } else {
    warn(who, ": there is no log of the run that is resumed at ", path_, "; it begins after step ", run.first_step);
  }
}

JESSL_INLINE std::optional<JSONLines::State::Lines> JSONLines::State::lines_until(const std::filesystem::path& path,
                                                                                  std::int64_t step) {
  std::ifstream earlier(path, std::ios::binary);
  const int reason = errno;
  std::error_code failure;
  if (!earlier.is_open() && !std::filesystem::exists(path, failure) && !failure) return std::nullopt;
  JESSL_CHECK(earlier.is_open(), IOError, who, ": cannot read ", path, " of an earlier run: ", std::strerror(reason),
              "; move it away, or write to another folder");
  Lines kept;
  for (std::string line; std::getline(earlier, line);) {
    const Json parsed = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!parsed.is_object() || !parsed.contains("step") || !parsed["step"].is_number_integer()) continue;
    if (parsed["step"] > step) break;
    if (parsed.contains("measured_by")) {
      kept.text += line + '\n';
      continue;
    }
    kept.last = parsed["step"].get<std::int64_t>();
    kept.loss = parsed.contains("loss") && parsed["loss"].is_number() ? parsed["loss"].get<double>()
                                                                      : std::numeric_limits<double>::quiet_NaN();
    kept.text += line + '\n';
  }
  JESSL_CHECK(!earlier.bad(), IOError, who, ": cannot read ", path, " to its end: ", std::strerror(errno));
  return kept;
}

JESSL_INLINE void JSONLines::State::open() {
  if (is_of_another_run_) {
    if (const auto moved = keep_previous(path_, who)) note("the log of an earlier run is now ", *moved);
    is_of_another_run_ = false;
  }
  // In one step, so that a full disk or a kill at this point does not cost the lines that are there.
  write_file(path_, earlier_, std::string(who));
  file_.reset(std::fopen(path_.c_str(), "ab"));
  JESSL_CHECK(file_ != nullptr, IOError, who, ": cannot write ", path_, ": ", std::strerror(errno),
              "; choose a writable folder.");
  earlier_.clear();  // not before: the next try writes them again
}

JESSL_INLINE void JSONLines::State::write_pending() {
  if (file_ == nullptr) open();
  const jessl::detail::FileSizeSignal as_error;
  while (!pending_.empty()) {
    const ssize_t written = ::write(::fileno(file_.get()), pending_.data(), pending_.size());
    JESSL_CHECK(written >= 0 || errno == EINTR, IOError, who, ": cannot write ",
                std::count(pending_.begin(), pending_.end(), '\n'), " lines to ", path_, ": ", std::strerror(errno),
                "; is the disk full?");
    if (written > 0) pending_.erase(0, static_cast<std::size_t>(written));
  }
}

}  // namespace jessl::train

#endif  // JESSL_DEFINITIONS
