// SPDX-License-Identifier: Apache-2.0
// The log of a run as an event file, which TensorBoard reads.
#pragma once

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <jessl/core/atomic_file.hpp>
#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/file_lock.hpp>
#include <jessl/core/log.hpp>
#include <jessl/core/options.hpp>
#include <jessl/io/detail/parse_json.hpp>
#include <jessl/io/json.hpp>
#include <jessl/train/callback.hpp>
#include <jessl/train/detail/appended_file.hpp>
#include <jessl/train/detail/event_record.hpp>
#include <jessl/train/detail/figures.hpp>

namespace jessl::train {

/// Writes the run to an event file for TensorBoard, which draws it while it goes on: `tensorboard --logdir <folder>`.
///
/// After each step the scalars train/loss, train/learning_rate, train/images_per_second and train/loader_seconds, and
/// loss/<name> for each term that the loss tells (loss::tell_part); for what a callback measures, one for each figure, called by the callback and the figure's place:
/// OnlineProbe/test/representation/top1, with the protocol as the description. The configuration and what the run resolved are
/// texts. Values are float32, as TensorBoard's are.
///
/// The folder is the run's own, and TensorBoard calls the run by it. Event files only grow, and TensorBoard keeps its place in
/// them: a resumed run therefore begins a file of its own, with the mark by which TensorBoard forgets all that it has
/// read of that step and later ones. The event files of another run are moved to `<folder>/previous`, or `previous-2` and so on
/// where that is taken, where TensorBoard shows them as runs of that name. A resumed run knows its own, there or in the
/// folder, by the loss of the step that it goes on from, and takes them back. While it lives the run holds a lock,
/// `<folder>/event_files.lock`.
///
/// Records that a full disk refuses are kept and tried again. A killed run leaves whole records and at most one cut short, at
/// the end of its file, which every reader leaves out.
///
/// Shapes     none
/// Units      flush_steps: steps; flush_seconds: seconds
/// Cost       one write of some 200 bytes a step, and 60 for each term of the loss
/// Randomness none
/// Errors     ConfigError from start() for a setting out of range; IOError before the first step when the folder cannot be written, earlier
///            event files not be read, or another run writes to the same folder; at the end when records are still
///            unwritten. ConfigError for a name that is not UTF-8
/// Models     jessl::Callback (docs/train/README.md)
/// Source     TensorFlow's event.proto, summary.proto and record_writer, as TensorBoard 2.21 reads them
struct TensorBoard {
  static constexpr std::string_view name = "TensorBoard";

  std::string folder = "tensorboard";  ///< of the event files; it is created
  std::int64_t flush_steps = 1;        ///< records are handed to the operating system after so many steps, >= 1
  double flush_seconds = 10.0;         ///< or after a step that ends so many seconds after the last time, >= 0

  class State {
   public:
    State(const TensorBoard& settings, const Run& run);

    void after_step(const StepRecord& record);
    void after_measurement(const Measurement& measurement);

    /// IOError where records are still unwritten.
    void finish();

   private:
    static constexpr std::string_view who = "jessl::train::TensorBoard";
    static constexpr std::string_view loss_tag = "train/loss";
    static constexpr std::string_view prefix = "events.out.tfevents.";

    /// What event files know of a run.
    struct Logged {
      std::int64_t last = 0;                                 // step up to the one that was asked for
      float loss = std::numeric_limits<float>::quiet_NaN();  // of that step
    };

    [[nodiscard]] static std::vector<std::filesystem::path> event_files(const std::filesystem::path& folder);
    [[nodiscard]] static Logged logged_until(const std::filesystem::path& folder, std::int64_t step);
    [[nodiscard]] static detail::Message event(std::int64_t step);
    [[nodiscard]] static detail::Message text(std::string_view tag, const Json& document);
    static void move(const std::vector<std::filesystem::path>& files, const std::filesystem::path& folder);

    [[nodiscard]] std::filesystem::path previous(int number) const;
    [[nodiscard]] detail::Message scalar(const std::string& tag, double value, const std::string& description);
    void take_up(const Run& run);
    void open();
    void write();
    void write_or_keep();

    std::int64_t flush_steps_;
    double flush_seconds_;
    std::filesystem::path folder_;
    std::optional<FileLock> lock_{};
    bool are_of_another_run_ = true;                     // the event files in the folder
    std::optional<std::filesystem::path> comes_back_{};  // the folder in which the resumed run's own are
    std::string head_{};                                 // the records with which the file begins
    std::set<std::string> described_{};                  // tags whose description is written
    std::int64_t unwritten_steps_ = 0;
    std::chrono::steady_clock::time_point written_ = std::chrono::steady_clock::now();
    detail::AppendedFile file_{who};
    bool refused_ = false;  // the last write failed, and this was said
  };

  [[nodiscard]] State start(const Run& run) const;
};

#if JESSL_DEFINITIONS

JESSL_INLINE TensorBoard::State TensorBoard::start(const Run& run) const {
  JESSL_CHECK(flush_steps >= 1, ConfigError, "jessl::train::TensorBoard: flush_steps is ", flush_steps,
              ", expected at least 1 step");
  JESSL_CHECK(flush_seconds >= 0, ConfigError, "jessl::train::TensorBoard: flush_seconds is ", flush_seconds,
              ", expected at least 0 seconds");
  return {*this, run};
}

JESSL_INLINE TensorBoard::State::State(const TensorBoard& settings, const Run& run)
    : flush_steps_(settings.flush_steps),
      flush_seconds_(settings.flush_seconds),
      folder_(settings.folder.empty() ? "." : settings.folder) {
  io::make_folder(folder_);
  lock_.emplace(folder_ / "event_files", who);
  AtomicFile(folder_ / "event_files", std::string(who))
      .discard();  // An unwritable place is known before the first step.
  if (run.first_step > 0) take_up(run);

  // event.proto: 3 is file_version, 5 summary, 7 session_log, whose 1 is status and START = 1.
  head_ = detail::event_record(event(0).bytes(3, "brain.Event:2").encoded());
  const std::int64_t first = run.first_step > 0 ? run.first_step + 1 : 0;
  // TensorBoard takes the first START of a folder for the beginning, and the others for restarts: a new run has one, too.
  head_ += detail::event_record(event(first).message(7, detail::Message().whole(1, 1)).encoded());
  const detail::Message texts = detail::Message()
                                    .message(1, text("configuration", run.configuration))
                                    .message(1, text("resolved", jessl::to_json(run.resolved)));
  head_ += detail::event_record(event(first).message(5, texts).encoded());
}

JESSL_INLINE void TensorBoard::State::after_step(const StepRecord& record) {
  const double seconds = record.step_seconds + record.loader_seconds;
  const double rate = seconds > 0.0 ? static_cast<double>(record.images) / seconds : 0.0;
  detail::Message summary;
  summary.message(1, scalar(std::string(loss_tag), record.loss, "of the step's batch"))
      .message(1, scalar("train/learning_rate", record.learning_rate, "used in the step"))
      .message(1, scalar("train/images_per_second", rate, "images over the seconds of the step and of the loader"))
      .message(1, scalar("train/loader_seconds", record.loader_seconds,
                         "waited for the batch, or, on a CPU, spent on making it"));
  for (const auto& [name, value] : record.parts)
    summary.message(1, scalar("loss/" + name, value, "a term of train/loss, with its weight"));
  file_.add(detail::event_record(event(record.step).message(5, summary).encoded()));
  ++unwritten_steps_;
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - written_;
  if (unwritten_steps_ >= flush_steps_ || elapsed.count() >= flush_seconds_) write_or_keep();
}

JESSL_INLINE void TensorBoard::State::after_measurement(const Measurement& measurement) {
  constexpr std::string_view what = "jessl::train::TensorBoard: a measurement";
  static_cast<void>(io::detail::dump_json({measurement.by, measurement.values}, -1, what));
  // Markdown, in which four spaces make what follows a block of code.
  const std::string description =
      measurement.protocol.is_null() ? "" : "    " + io::detail::dump_json(measurement.protocol, -1, what);
  detail::Message summary;
  detail::for_each_figure(
      measurement.values,
      [&](const std::string& place, const std::string& figure, double value) {
        summary.message(1, scalar(place + '/' + figure, value, description));
      },
      measurement.by);
  file_.add(detail::event_record(event(measurement.step).message(5, summary).encoded()));
  write_or_keep();
}

JESSL_INLINE void TensorBoard::State::finish() {
  if (file_.is_pending()) write();
}

/// The event files of a folder, in the order in which TensorBoard reads them.
JESSL_INLINE std::vector<std::filesystem::path> TensorBoard::State::event_files(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  std::error_code failure;
  for (std::filesystem::directory_iterator entry(folder, failure), end; !failure && entry != end;
       entry.increment(failure)) {
    std::error_code other;
    if (entry->is_regular_file(other) && entry->path().filename().string().find("tfevents") != std::string::npos)
      files.push_back(entry->path());
  }
  JESSL_CHECK(!failure, IOError, who, ": cannot list ", folder, ": ", failure.message(),
              "; choose a folder that you may read");
  std::sort(files.begin(), files.end());
  return files;
}

/// What the folder's event files say of the step.
JESSL_INLINE TensorBoard::State::Logged TensorBoard::State::logged_until(const std::filesystem::path& folder,
                                                                         std::int64_t step) {
  Logged logged;
  for (const std::filesystem::path& path : event_files(folder)) {
    detail::EventReader reader(path);
    JESSL_CHECK(reader.is_open(), IOError, who, ": cannot read ", path, " of an earlier run: ", std::strerror(errno),
                "; move it away, or write to another folder");
    for (std::string record; reader.next(record);) {
      std::int64_t of = 0;
      std::optional<float> loss;
      bool begins = false;
      for (detail::Fields event(record); event.next();) {
        if (event.field() == 2) of = static_cast<std::int64_t>(event.whole());
        if (event.field() == 7) begins = true;  // jessl writes no other session_log than START
        if (event.field() != 5) continue;
        for (detail::Fields summary(event.bytes()); summary.next();) {
          std::string_view tag;
          std::optional<float> value;
          for (detail::Fields one(summary.bytes()); one.next();) {
            if (one.field() == 1) tag = one.bytes();
            if (one.field() == 2) value = one.float32();
          }
          if (tag == loss_tag) loss = value;
        }
      }
      if (begins && of > 0 && of <= logged.last) logged = {.last = of - 1};
      if (!loss || of > step) continue;
      logged = {.last = of, .loss = *loss};
    }
  }
  return logged;
}

JESSL_INLINE detail::Message TensorBoard::State::event(std::int64_t step) {
  const std::chrono::duration<double> now = std::chrono::system_clock::now().time_since_epoch();
  detail::Message message;
  message.float64(1, now.count());  // wall_time
  if (step != 0) message.whole(2, static_cast<std::uint64_t>(step));
  return message;
}

/// A value of the plugin for scalars. Its description stands with the first of a tag alone: TensorBoard keeps that.
JESSL_INLINE detail::Message TensorBoard::State::scalar(const std::string& tag, double value,
                                                        const std::string& description) {
  detail::Message message;
  message.bytes(1, tag).float32(2, static_cast<float>(value));
  if (described_.insert(tag).second) {
    message.message(9, detail::Message()
                           .message(1, detail::Message().bytes(1, "scalars"))
                           .bytes(3, description)
                           .whole(4, 1));  // DATA_CLASS_SCALAR
  }
  return message;
}

/// A value of the plugin for texts, which are Markdown: the document as a block of code.
JESSL_INLINE detail::Message TensorBoard::State::text(std::string_view tag, const Json& document) {
  std::string block = "    ";
  for (const char c : io::detail::dump_json(document, 2, "jessl::train::TensorBoard: the run's configuration")) {
    block += c;
    if (c == '\n') block += "    ";
  }
  detail::Message tensor;
  tensor.whole(1, 7).message(2, {}).bytes(8, block);  // DT_STRING, of no dimension
  return detail::Message().bytes(1, tag).message(8, tensor).message(
      9, detail::Message().message(1, detail::Message().bytes(1, "text")).whole(4, 2));  // DATA_CLASS_TENSOR
}

JESSL_INLINE void TensorBoard::State::move(const std::vector<std::filesystem::path>& files,
                                           const std::filesystem::path& folder) {
  io::make_folder(folder);
  for (const std::filesystem::path& file : files) {
    std::error_code failure;
    std::filesystem::rename(file, folder / file.filename(), failure);
    JESSL_CHECK(!failure, IOError, who, ": cannot move ", file, " to ", folder, ": ", failure.message(),
                "; move it yourself, or write to another folder");
  }
}

JESSL_INLINE std::filesystem::path TensorBoard::State::previous(int number) const {
  return folder_ / (number == 1 ? "previous" : concat("previous-", number));
}

/// Finds the event files of the run that is resumed.
JESSL_INLINE void TensorBoard::State::take_up(const Run& run) {
  const auto is_its_log = [&](const Logged& logged) {
    return logged.last == run.first_step &&
           (std::isnan(run.resumed_loss) || logged.loss == static_cast<float>(run.resumed_loss));
  };
  const Logged here = logged_until(folder_, run.first_step);
  if (is_its_log(here)) {
    are_of_another_run_ = false;
    return;
  }
  for (int number = 1; std::filesystem::is_directory(previous(number)); ++number) {
    if (!is_its_log(logged_until(previous(number), run.first_step))) continue;
    comes_back_ = previous(number);
    return;
  }
  if (here.last > 0 && here.last < run.first_step) {
    warn(who, ": the event files in ", folder_, " end at step ", here.last, ", the run is resumed after step ",
         run.first_step, "; steps are missing");
    are_of_another_run_ = false;
  } else {
    warn(who, ": there are no event files of the run that is resumed in ", folder_, "; they begin after step ",
         run.first_step);
  }
}

JESSL_INLINE void TensorBoard::State::open() {
  if (are_of_another_run_) {
    if (const auto others = event_files(folder_); !others.empty()) {
      int number = 1;
      while (std::filesystem::exists(std::filesystem::symlink_status(previous(number)))) ++number;
      move(others, previous(number));
      note("the event files of an earlier run are now in ", previous(number));
    }
    are_of_another_run_ = false;
  }
  if (comes_back_) {
    move(event_files(*comes_back_), folder_);
    note("the event files of the run that is resumed were in ", *comes_back_);
    std::error_code failure;
    std::filesystem::remove(*comes_back_, failure);  // where nothing else is in it
    comes_back_.reset();
  }
  // The files of a run are read in the order of their names.
  std::int64_t number =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  for (const std::filesystem::path& file : event_files(folder_)) {
    const std::string other = file.filename().string();
    std::int64_t earlier = 0;
    if (!other.starts_with(prefix)) continue;
    const auto [end, failure] = std::from_chars(other.data() + prefix.size(), other.data() + other.size(), earlier);
    if (failure == std::errc()) number = std::max(number, earlier + 1);
  }
  file_.open(folder_ / concat(prefix, number, ".jessl"), head_);
}

JESSL_INLINE void TensorBoard::State::write() {
  if (!file_.is_open()) open();
  file_.write();
  unwritten_steps_ = 0;
  written_ = std::chrono::steady_clock::now();
}

JESSL_INLINE void TensorBoard::State::write_or_keep() {
  try {
    write();
    refused_ = false;
  } catch (const IOError& error) {
    if (!std::exchange(refused_, true)) warn(error.what(), " Its records are kept until it can be written.");
  }
}

#endif  // JESSL_DEFINITIONS

}  // namespace jessl::train

JESSL_OPTIONS(jessl::train::TensorBoard, folder, flush_steps, flush_seconds);
