// SPDX-License-Identifier: Apache-2.0
// The checks that all classifiers share.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/shape.hpp>
#include <jessl/core/thread_pool.hpp>
#include <jessl/eval/concept.hpp>

namespace jessl::eval::detail {

[[nodiscard]] inline Shape shape_of(const Features& x) { return Shape(std::vector<std::int64_t>{x.rows(), x.cols()}); }

/// Features with the name `name` in messages: at least `least` rows and one column.
void check_rows(std::string_view who, const Features& x, Eigen::Index least, std::string_view name = "X");

/// Training features: at least one row and one column, one label a row.
void check_training(std::string_view who, const Features& x, Labels y);

/// Labels that are counted without a number of classes: all of them are there.
inline void check_labelled(std::string_view who, Labels y) {
  for (std::size_t i = 0; i < y.size(); ++i) {
    JESSL_CHECK(y[i] >= 0, DataError, who, ": labels[", i, "] is ", y[i],
                ", expected a class >= 0; leave images without a label out");
  }
}

/// Features to classify: as many columns as the model was fitted to.
void check_columns(std::string_view who, const Features& x, std::int64_t dimension);

/// Names the first value of row `row` that is NaN or infinite; the caller knows that there is one.
[[noreturn]] inline void fail_not_finite(std::string_view who, const Features& x, Eigen::Index row,
                                         std::string_view name = "X") {
  Eigen::Index column = 0;
  while (column + 1 < x.cols() && std::isfinite(x(row, column))) ++column;
  fail<DataError>(who, ": ", name, "(", row, ", ", column, ") is ", x(row, column),
                  ", expected a finite number; has the encoder diverged? (look at the training loss)");
}

/// All values of rows [first, first + count) are finite.
void check_finite(std::string_view who, const Features& x, Eigen::Index first, Eigen::Index count,
                  std::string_view name = "X");

/// Training features and their targets: at least one row and one column of each, as many rows, and all finite.
void check_training(std::string_view who, const Features& x, const Features& targets);

/// The number of classes: the setting, or one more than the largest label; every label is checked against it.
///
/// Without the setting, a label that exceeds both the rows and any usual number of classes is taken for an identifier:
/// tables with a place for each class would be as large as that number.
[[nodiscard]] std::int64_t class_count(std::string_view who, Labels y, const std::optional<std::int64_t>& setting);

/// A list of settings to choose from: not empty, and each finite and in the range that `range` says in words.
template <class InRange>
void check_list(std::string_view who, std::string_view name, std::span<const double> values, std::string_view range,
                const InRange& in_range) {
  JESSL_CHECK(!values.empty(), ConfigError, who, ": ", name, " is empty, expected at least one number to choose from");
  for (std::size_t i = 0; i < values.size(); ++i) {
    JESSL_CHECK(std::isfinite(values[i]) && in_range(values[i]), ConfigError, who, ": ", name, "[", i, "] is ",
                values[i], ", expected a finite number ", range);
  }
}

/// 0 means all hardware threads.
[[nodiscard]] std::int64_t thread_count(std::string_view who, std::int64_t threads);

/// The column of the largest value of each row; the lowest of equal ones.
[[nodiscard]] std::vector<std::int64_t> largest_columns(const RowMatrix& scores);

#if JESSL_DEFINITIONS

JESSL_INLINE void check_rows(std::string_view who, const Features& x, Eigen::Index least, std::string_view name) {
  JESSL_CHECK(x.rows() >= least && x.cols() > 0, DataError, who, ": ", name, " is ", shape_of(x),
              ", expected at least ", least == 1 ? "one row" : concat(least, " rows"), " and one column");
}

JESSL_INLINE void check_training(std::string_view who, const Features& x, Labels y) {
  check_rows(who, x, 1);
  JESSL_CHECK(static_cast<std::size_t>(x.rows()) == y.size(), ShapeError, who, ": X is ", shape_of(x), " but y has ",
              y.size(), " labels, expected one label a row");
}

JESSL_INLINE void check_columns(std::string_view who, const Features& x, std::int64_t dimension) {
  JESSL_CHECK(x.cols() == dimension, ShapeError, who, ": X is ", shape_of(x), ", expected [N, D] = [", x.rows(), ", ",
              dimension, "], as the features it was fitted to");
}

JESSL_INLINE void check_finite(std::string_view who, const Features& x, Eigen::Index first, Eigen::Index count,
                               std::string_view name) {
  for (Eigen::Index row = first; row < first + count; ++row) {
    // The sum of squares of float32 values cannot overflow in float64: it is finite where they are.
    if (!std::isfinite(x.row(row).cast<double>().squaredNorm())) fail_not_finite(who, x, row, name);
  }
}

JESSL_INLINE void check_training(std::string_view who, const Features& x, const Features& targets) {
  check_rows(who, x, 1);
  JESSL_CHECK(targets.cols() > 0, DataError, who, ": targets is ", shape_of(targets), ", expected at least one column");
  JESSL_CHECK(x.rows() == targets.rows(), ShapeError, who, ": X is ", shape_of(x), " but targets is ",
              shape_of(targets), ", expected one row of targets a row");
  check_finite(who, x, 0, x.rows());
  for (Eigen::Index i = 0; i < targets.rows(); ++i) {
    for (Eigen::Index t = 0; t < targets.cols(); ++t) {
      JESSL_CHECK(std::isfinite(targets(i, t)), DataError, who, ": targets(", i, ", ", t, ") is ", targets(i, t),
                  ", expected a finite number; leave rows without a target out");
    }
  }
}

JESSL_INLINE std::int64_t class_count(std::string_view who, Labels y, const std::optional<std::int64_t>& setting) {
  constexpr std::int64_t most = std::int64_t{1} << 31U;
  constexpr std::int64_t usual = std::int64_t{1} << 16U;
  JESSL_CHECK(!setting || (*setting >= 1 && *setting <= most), ConfigError, who, ": classes is ", setting.value_or(0),
              ", expected 1 to ", most);
  const std::int64_t bound = setting.value_or(std::clamp(static_cast<std::int64_t>(y.size()), usual, most));
  for (std::size_t i = 0; i < y.size(); ++i) {
    if (y[i] >= 0 && y[i] < bound) continue;
    fail<DataError>(who, ": y[", i, "] is ", y[i], ", expected a class in [0, ", bound, ")",
                    y[i] == -1 ? "; -1 marks an image without a label: leave such rows out"
                               : "; set .classes to the number of classes");
  }
  return setting ? *setting : *std::max_element(y.begin(), y.end()) + 1;
}

JESSL_INLINE std::int64_t thread_count(std::string_view who, std::int64_t threads) {
  JESSL_CHECK(threads >= 0, ConfigError, who, ": threads is ", threads,
              ", expected >= 1, or 0 for all hardware threads");
  return threads == 0 ? hardware_threads() : threads;
}

JESSL_INLINE std::vector<std::int64_t> largest_columns(const RowMatrix& scores) {
  std::vector<std::int64_t> columns(static_cast<std::size_t>(scores.rows()));
  for (Eigen::Index row = 0; row < scores.rows(); ++row) {
    const float* first = scores.data() + row * scores.cols();
    columns[static_cast<std::size_t>(row)] = std::max_element(first, first + scores.cols()) - first;
  }
  return columns;
}

#endif  // JESSL_DEFINITIONS

}  // namespace jessl::eval::detail
