// SPDX-License-Identifier: Apache-2.0
// Figures of an evaluation as one table: layers and probes down, tasks across.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <map>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/options.hpp>

namespace jessl::eval {

/// One figure of an evaluation.
///
/// Shapes     none
/// Errors     none
/// Models     jessl::Options
/// Source     none
struct Score {
  static constexpr std::string_view name = "Score";

  std::string layer{};   ///< of the network: "representation", "projector.0", ...
  std::string task{};    ///< data set that was asked about
  std::string probe{};   ///< who was asked, with its settings: the protocol
  std::string metric{};  ///< what the value is: "top1", "mAP", "R2", ...
  double value = 0.0;    ///< the higher the better
};

/// Figures of an evaluation: a row for each layer and probe, a column for each task, and over several tasks their mean and the
/// mean rank among the rows. One accuracy misleads; a row that is good at every task and in its rank does so less.
///
/// A figure that is added again replaces the one that was there. Rows and columns stand in the order in which they first came. Ranks
/// count from 1, the best, and rows of equal value share the mean of their ranks. A row without a figure for some task has
/// neither mean nor rank. A task has one metric, which its column's heading says: where metrics differ the mean adds up
/// what has different units, and it is the rank that compares.
///
/// Shapes     none
/// Errors     DataError from add() for a value that is not finite; ConfigError from add() for a second metric of a
///            task, and from value(), metric(), mean() and rank() for what the table does not have
/// Models     none
/// Source     Bordes, Balestriero and Vincent, Towards Democratizing Joint-Embedding Self-Supervised Learning, 2023,
///            arXiv 2303.01986, section 4 (several tasks and every layer)
class ScoreTable {
 public:
  /// What a row stands for.
  struct Row {
    std::string layer;
    std::string probe;

    friend bool operator==(const Row&, const Row&) = default;
  };

  void add(const Score& score) {
    JESSL_CHECK(std::isfinite(score.value), DataError, "jessl::eval::ScoreTable: the ", score.metric, " of ",
                score.probe, " at ", score.layer, " on ", score.task, " is ", score.value,
                ", expected a finite number; leave out what has none");
    const auto known = std::find(tasks_.begin(), tasks_.end(), score.task);
    const auto j = static_cast<std::size_t>(known - tasks_.begin());
    if (known == tasks_.end()) {
      tasks_.push_back(score.task);
      metrics_.push_back(score.metric);
    }
    JESSL_CHECK(metrics_[j] == score.metric, ConfigError, "jessl::eval::ScoreTable: the task ", score.task,
                " is measured by ", metrics_[j], " and gets a figure of ", score.metric,
                ", expected one metric a task; give the second one a task's name of its own");
    const Row row{score.layer, score.probe};
    const auto found = std::find(rows_.begin(), rows_.end(), row);
    const auto i = static_cast<std::size_t>(found - rows_.begin());
    if (found == rows_.end()) rows_.push_back(row);
    values_[{i, j}] = score.value;
  }

  /// Adds all figures of another table, of another task or network; none where one of them can't be added.
  void add(const ScoreTable& other) {
    ScoreTable joined = *this;
    for (const Score& score : other.scores()) joined.add(score);
    *this = std::move(joined);
  }

  /// All figures, row by row.
  [[nodiscard]] std::vector<Score> scores() const {
    std::vector<Score> all;
    for (const auto& [where, value] : values_) {
      const Row& row = rows_[where.first];
      all.push_back({row.layer, tasks_[where.second], row.probe, metrics_[where.second], value});
    }
    return all;
  }

  [[nodiscard]] const std::vector<Row>& rows() const { return rows_; }
  [[nodiscard]] const std::vector<std::string>& tasks() const { return tasks_; }

  /// What the figures of a task are.
  [[nodiscard]] const std::string& metric(const std::string& task) const {
    return metrics_[index(tasks_, task, "task")];
  }

  /// The figure of a row at a task; nothing where it was not added.
  [[nodiscard]] std::optional<double> value(const Row& row, const std::string& task) const {
    const auto found = values_.find({index(rows_, row, "row"), index(tasks_, task, "task")});
    return found == values_.end() ? std::nullopt : std::optional(found->second);
  }

  /// The mean of a row over all tasks.
  [[nodiscard]] std::optional<double> mean(const Row& row) const {
    return over_tasks(index(rows_, row, "row"), [this](std::size_t i, std::size_t j) { return values_.at({i, j}); });
  }

  /// The mean over all tasks of a row's rank among the rows that have a figure for the task.
  [[nodiscard]] std::optional<double> rank(const Row& row) const {
    return over_tasks(index(rows_, row, "row"), [this](std::size_t i, std::size_t j) { return rank_at(i, j); });
  }

  /// The table in words, a task's metric beside its name; shares as they are, in [0, 1].
  friend std::ostream& operator<<(std::ostream& out, const ScoreTable& table) {
    std::vector<std::vector<std::string>> cells{{"layer", "probe"}};
    const bool several = table.tasks_.size() > 1;
    for (const std::string& task : table.tasks_) cells[0].push_back(task + " (" + table.metric(task) + ")");
    if (several) cells[0].insert(cells[0].end(), {"mean", "rank"});
    for (const Row& row : table.rows_) {
      std::vector<std::string>& line = cells.emplace_back(std::vector<std::string>{row.layer, row.probe});
      for (const std::string& task : table.tasks_) line.push_back(text(table.value(row, task), "%.4f"));
      if (several) line.insert(line.end(), {text(table.mean(row), "%.4f"), text(table.rank(row), "%.2f")});
    }
    std::vector<std::size_t> widths(cells[0].size());
    for (const auto& line : cells) {
      for (std::size_t j = 0; j < line.size(); ++j) widths[j] = std::max(widths[j], line[j].size());
    }
    for (const auto& line : cells) {
      for (std::size_t j = 0; j < line.size(); ++j) {
        const std::string space(widths[j] - line[j].size(), ' ');
        const bool is_text = j < 2;
        out << (j == 0 ? "" : "  ") << (is_text ? line[j] + space : space + line[j]);
      }
      out << '\n';
    }
    return out;
  }

 private:
  template <class T>
  [[nodiscard]] static std::size_t index(const std::vector<T>& list, const T& item, std::string_view what) {
    const auto found = std::find(list.begin(), list.end(), item);
    JESSL_CHECK(found != list.end(), ConfigError, "jessl::eval::ScoreTable: there is no such ", what, " among the ",
                list.size(), " of the table");
    return static_cast<std::size_t>(found - list.begin());
  }

  template <class Value>
  [[nodiscard]] std::optional<double> over_tasks(std::size_t i, const Value& value) const {
    double sum = 0.0;
    for (std::size_t j = 0; j < tasks_.size(); ++j) {
      if (!values_.contains({i, j})) return std::nullopt;
      sum += value(i, j);
    }
    return sum / static_cast<double>(tasks_.size());
  }

  [[nodiscard]] double rank_at(std::size_t i, std::size_t j) const {
    const double own = values_.at({i, j});
    double better = 0.0, equal = 0.0;
    for (std::size_t row = 0; row < rows_.size(); ++row) {
      const auto found = values_.find({row, j});
      if (found == values_.end()) continue;
      better += found->second > own ? 1.0 : 0.0;
      equal += found->second == own ? 1.0 : 0.0;
    }
    return better + (equal + 1.0) / 2.0;
  }

  [[nodiscard]] static std::string text(const std::optional<double>& value, const char* format) {
    if (!value) return "-";
    char digits[32];
    std::snprintf(digits, sizeof digits, format, *value);
    return digits;
  }

  std::vector<Row> rows_;
  std::vector<std::string> tasks_;
  std::vector<std::string> metrics_;                              // one a task
  std::map<std::pair<std::size_t, std::size_t>, double> values_;  // by row and task
};

/// A table as JSON: a list of its figures, each with its protocol.
template <class = void>
[[nodiscard]] Json to_json(const ScoreTable& table) {
  Json list = Json::array();
  for (const Score& score : table.scores()) {
    list.push_back({{"layer", score.layer},
                    {"task", score.task},
                    {"probe", score.probe},
                    {"metric", score.metric},
                    {"value", jessl::to_json(score.value)}});
  }
  return list;
}

JESSL_INSTANTIATE(Json to_json<void>(const ScoreTable&));

}  // namespace jessl::eval

JESSL_OPTIONS(jessl::eval::Score, layer, task, probe, metric, value);
