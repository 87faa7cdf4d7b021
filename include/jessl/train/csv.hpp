// SPDX-License-Identifier: Apache-2.0
// The log of a run as tables: a row a step, and a row a figure that was measured.
#pragma once

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
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
#include <jessl/train/detail/figures.hpp>

namespace jessl::train {

/// Writes two tables of comma-separated values, for pandas, R and spreadsheets: in `path` a row after each step, and beside it, in
/// `<stem>.measurements.csv`, a row for each figure that a callback measured.
///
/// The first has the columns step, epoch, loss, learning_rate, images_per_second and loader_seconds, and loss/<name> for each
/// term that the loss tells (loss::tell_part) in the first step; a resumed run keeps the columns of its file. The second has
/// step, epoch, measured_by, place, figure, value and protocol, one figure a row, because callbacks measure different things at different times: a table
/// with a column for each would be new with every one, and mostly empty. Numbers have the digits that tell them from
/// all others and a decimal point; one that is none (NaN) is an empty field.
///
/// The files live as that of JSONLines does: a row is handed to the operating system before the step's checkpoint is
/// written, rows that a full disk refuses are kept and tried again, a resumed run keeps the rows up to the step that it
/// goes on from and drops later ones, and the files of another run become `<path>.previous`, or `.previous-2` and so on. While it lives the
/// run holds a lock, `<path>.lock`.
///
/// Shapes     none
/// Cost       one write a step
/// Randomness none
/// Errors     IOError before the first step when the folder or a file cannot be written, an earlier log not be read, or
///            another run writes the same file; at the end when rows are still unwritten. ConfigError for a name that is not UTF-8
/// Models     jessl::Callback (docs/train/README.md)
/// Source     Shafranovich, Common Format and MIME Type for Comma-Separated Values (CSV) Files, RFC 4180, 2005
/// Differs    lines end with a line feed alone
struct CSV {
  static constexpr std::string_view name = "CSV";

  std::string path = "metrics.csv";  ///< file of the steps; its folder is created

  class State {
   public:
    State(std::filesystem::path path, const Run& run);

    void after_step(const StepRecord& record);
    void after_measurement(const Measurement& measurement);

    /// IOError where rows are still unwritten.
    void finish();

   private:
    static constexpr std::string_view who = "jessl::train::CSV";
    static constexpr std::string_view step_columns = "step,epoch,loss,learning_rate,images_per_second,loader_seconds";
    static constexpr std::string_view part_prefix = "loss/";  // of a column for a term of the loss
    static constexpr std::string_view figure_columns = "step,epoch,measured_by,place,figure,value,protocol";

    /// The whole rows of a table up to and including a step.
    struct Rows {
      std::string text{};     // the header with them
      std::int64_t last = 0;  // step
      double loss = 0.0;      // of that step
    };

    /// A number as a field.
    [[nodiscard]] static std::string field(double value);

    /// A text as a field: in quotes where it has to be.
    [[nodiscard]] static std::string quoted(std::string_view text);

    /// Where the record ends that begins at `begin`: behind its line feed, or npos where it was cut short.
    [[nodiscard]] static std::size_t end_of_record(std::string_view text, std::size_t begin);

    /// The numbers of a record's first fields.
    [[nodiscard]] static std::optional<std::int64_t> whole_number(std::string_view record);
    [[nodiscard]] static double number(std::string_view record, std::size_t column);

    /// Nothing where there is no such file. A row cut short by a crash is dropped, and so is all of a file with other columns:
    /// those, and of steps the terms of the loss behind them.
    [[nodiscard]] static std::optional<Rows> rows_until(const std::filesystem::path& path, std::string_view columns,
                                                        std::int64_t step);

    [[nodiscard]] static std::filesystem::path numbered(const std::filesystem::path& path, int number);

    [[nodiscard]] static bool is_taken(const std::filesystem::path& path);

    [[nodiscard]] static std::vector<std::string> parts_in(std::string_view columns);

    void take_up(const Run& run);
    void take_rows(Rows steps, const std::filesystem::path& figures, std::int64_t step);
    void keep_previous_pair();
    void set_columns(std::vector<std::string> parts);
    void open();
    void write();
    void write_or_keep();

    std::filesystem::path steps_path_;
    std::filesystem::path figures_path_;
    std::optional<FileLock> lock_{};
    bool is_of_another_run_ = true;  // what may stand at the paths
    std::string earlier_steps_{};    // rows of the run that is resumed, or the header alone, until the files are begun
    std::string earlier_figures_;
    std::optional<std::vector<std::string>> parts_{};  // the loss's terms that have a column, once it is known which
    std::set<std::string> without_column_{};           // and those that have none
    detail::AppendedFile steps_{who};
    detail::AppendedFile figures_{who};
    bool refused_ = false;  // the last write failed, and this was said
  };

  [[nodiscard]] State start(const Run& run) const { return {path, run}; }
};

#if JESSL_DEFINITIONS

JESSL_INLINE CSV::State::State(std::filesystem::path path, const Run& run)
    : steps_path_(std::move(path)), figures_path_(steps_path_), earlier_figures_(concat(figure_columns, '\n')) {
  figures_path_.replace_filename(steps_path_.stem().string() + ".measurements.csv");
  if (steps_path_.has_parent_path()) io::make_folder(steps_path_.parent_path());
  lock_.emplace(steps_path_, who);
  AtomicFile(steps_path_, std::string(who)).discard();  // An unwritable place is known before the first step.
  AtomicFile(figures_path_, std::string(who)).discard();
  if (run.first_step > 0) take_up(run);
}

JESSL_INLINE void CSV::State::after_step(const StepRecord& record) {
  const double seconds = record.step_seconds + record.loader_seconds;
  const double rate = seconds > 0.0 ? static_cast<double>(record.images) / seconds : 0.0;
  if (!parts_) {
    std::vector<std::string> names;
    for (const loss::Part& part : record.parts) names.push_back(part.name);
    set_columns(std::move(names));
  }
  std::string row = concat(record.step, ',', record.epoch, ',', field(record.loss), ',', field(record.learning_rate),
                           ',', field(rate), ',', field(record.loader_seconds));
  for (const std::string& name : *parts_) {
    const auto part =
        std::find_if(record.parts.begin(), record.parts.end(), [&](const loss::Part& one) { return one.name == name; });
    row += ',' + (part == record.parts.end() ? std::string() : field(part->value));
  }
  for (const loss::Part& part : record.parts) {
    if (std::find(parts_->begin(), parts_->end(), part.name) != parts_->end() ||
        !without_column_.insert(part.name).second)
      continue;
    warn(who, ": ", steps_path_, " has no column ", part_prefix, part.name, " and is not given one: its header stands");
  }
  steps_.add(row + '\n');
  write_or_keep();
}

JESSL_INLINE void CSV::State::after_measurement(const Measurement& measurement) {
  // A table is UTF-8 as a whole.
  static_cast<void>(
      io::detail::dump_json({measurement.by, measurement.values}, -1, "jessl::train::CSV: a measurement"));
  const std::string protocol =
      measurement.protocol.is_null()
          ? std::string()
          : io::detail::dump_json(measurement.protocol, -1, "jessl::train::CSV: a measurement's protocol");
  const std::string first = concat(measurement.step, ',', measurement.epoch, ',', quoted(measurement.by), ',');
  detail::for_each_figure(measurement.values, [&](const std::string& place, const std::string& figure, double value) {
    figures_.add(concat(first, quoted(place), ',', quoted(figure), ',', field(value), ',', quoted(protocol), '\n'));
  });
  write_or_keep();
}

JESSL_INLINE void CSV::State::finish() {
  if (!parts_) set_columns({});
  if (steps_.is_pending() || figures_.is_pending()) write();
}

JESSL_INLINE std::string CSV::State::field(double value) { return std::isnan(value) ? "" : concat(value); }

JESSL_INLINE std::string CSV::State::quoted(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
  std::string field = "\"";
  for (const char c : text) {
    if (c == '"') field += '"';
    field += c;
  }
  return field + '"';
}

JESSL_INLINE std::size_t CSV::State::end_of_record(std::string_view text, std::size_t begin) {
  bool in_quotes = false;
  for (std::size_t i = begin; i < text.size(); ++i) {
    if (text[i] == '"') {
      in_quotes = !in_quotes;  // a doubled one is twice
    } else if (text[i] == '\n' && !in_quotes) {
      return i + 1;
    }
  }
  return std::string_view::npos;
}

JESSL_INLINE std::optional<std::int64_t> CSV::State::whole_number(std::string_view record) {
  const double value = number(record, 0);
  if (!(value >= 0.0 && value < 9e15) || value != std::floor(value)) return std::nullopt;
  return static_cast<std::int64_t>(value);
}

JESSL_INLINE double CSV::State::number(std::string_view record, std::size_t column) {
  for (; column > 0; --column) {
    const std::size_t comma = record.find(',');
    if (comma == std::string_view::npos) return std::numeric_limits<double>::quiet_NaN();
    record.remove_prefix(comma + 1);
  }
  double value = 0.0;
  const auto field = record.substr(0, record.find_first_of(",\r\n"));
  const auto [end, failure] = std::from_chars(field.data(), field.data() + field.size(), value);
  return failure == std::errc() && end == field.data() + field.size() && !field.empty()
             ? value
             : std::numeric_limits<double>::quiet_NaN();
}

JESSL_INLINE std::optional<CSV::State::Rows> CSV::State::rows_until(const std::filesystem::path& path,
                                                                    std::string_view columns, std::int64_t step) {
  std::ifstream earlier(path, std::ios::binary);
  const int reason = errno;
  std::error_code failure;
  if (!earlier.is_open() && !std::filesystem::exists(path, failure) && !failure) return std::nullopt;
  JESSL_CHECK(earlier.is_open(), IOError, who, ": cannot read ", path, " of an earlier run: ", std::strerror(reason),
              "; move it away, or write to another folder");
  const std::string text{std::istreambuf_iterator<char>(earlier), std::istreambuf_iterator<char>()};
  JESSL_CHECK(!earlier.bad(), IOError, who, ": cannot read ", path, " to its end: ", std::strerror(errno));
  Rows kept{.text = concat(columns, '\n')};
  std::size_t begin = end_of_record(text, 0);
  if (begin == std::string::npos || !text.starts_with(columns)) return kept;
  const bool has_more = text[columns.size()] == ',' && columns == step_columns;  // terms of the loss
  if (text[columns.size()] != '\n' && !has_more) return kept;
  kept.text = text.substr(0, begin);
  for (std::size_t end = 0; (end = end_of_record(text, begin)) != std::string::npos; begin = end) {
    const auto record = std::string_view(text).substr(begin, end - begin);
    const auto of = whole_number(record);
    if (!of) continue;
    if (*of > step) break;
    kept.last = *of;
    kept.loss = number(record, 2);
    kept.text += record;
  }
  return kept;
}

JESSL_INLINE std::filesystem::path CSV::State::numbered(const std::filesystem::path& path, int number) {
  return number == 1 ? path.string() + ".previous" : concat(path.string(), ".previous-", number);
}

JESSL_INLINE bool CSV::State::is_taken(const std::filesystem::path& path) {
  std::error_code failure;
  return std::filesystem::exists(std::filesystem::symlink_status(path, failure));
}

/// The names in the rest of a header, ",loss/a,loss/b\n".
JESSL_INLINE std::vector<std::string> CSV::State::parts_in(std::string_view columns) {
  std::vector<std::string> names;
  columns = columns.substr(0, columns.find('\n'));
  while (!columns.empty()) {
    columns.remove_prefix(1);  // the comma
    std::string_view column = columns.substr(0, columns.find(','));
    columns.remove_prefix(column.size());
    if (column.ends_with('\r')) column.remove_suffix(1);  // of a spreadsheet
    if (column.starts_with(part_prefix)) column.remove_prefix(part_prefix.size());
    names.emplace_back(column);
  }
  return names;
}

/// Finds the log of the run that is resumed, and takes its rows up to the step that it goes on from.
JESSL_INLINE void CSV::State::take_up(const Run& run) {
  const auto is_its_log = [&](const Rows& rows) {
    return rows.last == run.first_step && (std::isnan(run.resumed_loss) || rows.loss == run.resumed_loss);
  };
  std::optional<Rows> here = rows_until(steps_path_, step_columns, run.first_step);
  if (here && is_its_log(*here)) {
    take_rows(std::move(*here), figures_path_, run.first_step);
    is_of_another_run_ = false;
    return;
  }
  for (int number = 1; is_taken(numbered(steps_path_, number)) || is_taken(numbered(figures_path_, number)); ++number) {
    std::optional<Rows> there = rows_until(numbered(steps_path_, number), step_columns, run.first_step);
    if (!there || !is_its_log(*there)) continue;
    note("the log goes on from the rows of ", numbered(steps_path_, number));
    take_rows(std::move(*there), numbered(figures_path_, number), run.first_step);
    return;
  }
  if (here && here->last > 0 && here->last < run.first_step) {
    warn(who, ": ", steps_path_, " ends at step ", here->last, ", the run is resumed after step ", run.first_step,
         "; rows are missing");
    take_rows(std::move(*here), figures_path_, run.first_step);
    is_of_another_run_ = false;
  } else {
    warn(who, ": there is no log of the run that is resumed at ", steps_path_, "; it begins after step ",
         run.first_step);
  }
}

JESSL_INLINE void CSV::State::take_rows(Rows steps, const std::filesystem::path& figures, std::int64_t step) {
  parts_ = parts_in(std::string_view(steps.text).substr(step_columns.size()));
  earlier_steps_ = std::move(steps.text);
  if (auto measured = rows_until(figures, figure_columns, step)) earlier_figures_ = std::move(measured->text);
}

/// Moves both files away, under one number: they belong together.
JESSL_INLINE void CSV::State::keep_previous_pair() {
  if (!is_taken(steps_path_) && !is_taken(figures_path_)) return;
  int number = 1;
  while (is_taken(numbered(steps_path_, number)) || is_taken(numbered(figures_path_, number))) ++number;
  for (const std::filesystem::path& path : {figures_path_, steps_path_}) {
    if (!is_taken(path)) continue;
    std::error_code failure;
    std::filesystem::rename(path, numbered(path, number), failure);
    JESSL_CHECK(!failure, IOError, who, ": cannot move the earlier ", path, " to ", numbered(path, number), ": ",
                failure.message(), "; move it yourself, or write to another folder");
    note("the log of an earlier run is now ", numbered(path, number));
  }
}

JESSL_INLINE void CSV::State::set_columns(std::vector<std::string> parts) {
  earlier_steps_ = step_columns;
  for (const std::string& name : parts) earlier_steps_ += concat(',', part_prefix, name);
  earlier_steps_ += '\n';
  parts_ = std::move(parts);
}

JESSL_INLINE void CSV::State::open() {
  if (is_of_another_run_) keep_previous_pair();
  is_of_another_run_ = false;
  // In one step each, so that a full disk or a kill at this point does not cost the rows that are there.
  write_file(figures_path_, earlier_figures_, std::string(who));
  write_file(steps_path_, earlier_steps_, std::string(who));
  figures_.open(figures_path_);
  steps_.open(steps_path_);
  earlier_steps_.clear();  // not before: the next try writes them again
  earlier_figures_.clear();
}

JESSL_INLINE void CSV::State::write() {
  if (!parts_) return;  // a measurement before the first step waits for it
  if (!steps_.is_open()) open();
  figures_.write();
  steps_.write();
}

JESSL_INLINE void CSV::State::write_or_keep() {
  try {
    write();
    refused_ = false;
  } catch (const IOError& error) {
    if (!std::exchange(refused_, true)) warn(error.what(), " Its rows are kept until it can be written.");
  }
}

#endif  // JESSL_DEFINITIONS

}  // namespace jessl::train

JESSL_OPTIONS(jessl::train::CSV, path);
