// SPDX-License-Identifier: Apache-2.0
// What the metrics of features need to know of the rows of a matrix: that they are finite, their mean, their lengths.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <Eigen/Core>

#include <jessl/core/error.hpp>
#include <jessl/core/matrix.hpp>
#include <jessl/core/thread_pool.hpp>
#include <jessl/eval/concept.hpp>
#include <jessl/eval/detail/checks.hpp>

namespace jessl::eval::detail {

/// Calls work(first, count) for the blocks of [0, size), on the pool's threads. Blocks depend on `size` alone: where no
/// two of them add to the same number, the number of threads changes no bit.
template <class Work>
void for_each_block(ThreadPool& pool, Eigen::Index size, Eigen::Index block, const Work& work) {
  pool.parallel_for((size + block - 1) / block, [&](std::int64_t index, std::int64_t) {
    const Eigen::Index first = index * block;
    work(first, std::min(block, size - first));
  });
}

/// How many rows a thread takes in one go where each is looked at once: partial sums belong to such a block.
inline constexpr Eigen::Index rows_a_block = 1024;

[[nodiscard]] inline std::int64_t block_count(Eigen::Index rows) { return (rows + rows_a_block - 1) / rows_a_block; }

/// Calls body(first, count, block) for each block of rows, on several threads.
template <class Body>
void for_each_block(ThreadPool& pool, Eigen::Index rows, const Body& body) {
  for_each_block(pool, rows, rows_a_block, [&](Eigen::Index first, Eigen::Index count) {
    body(first, count, static_cast<std::size_t>(first / rows_a_block));
  });
}

/// A power of two that brings `largest` into [1, 2), so that squares neither overflow nor vanish; 1 for 0.
[[nodiscard]] inline double scale_of(float largest) {
  return largest > 0.0F ? std::ldexp(1.0, -std::ilogb(largest)) : 1.0;
}

/// Where a cloud of points lies, and how large its numbers are.
struct Centre {
  Eigen::RowVectorXd mean;  // [D]
  double scale = 1.0;       // of the values, as scale_of

  /// Points [first, first + out.rows()) from the mean, scaled.
  template <class Out>
  void write_rows(const Features& x, Eigen::Index first, Out&& out) const {
    using Scalar = typename std::remove_cvref_t<Out>::Scalar;
    out = ((x.middleRows(first, out.rows()).template cast<double>().rowwise() - mean) * scale).template cast<Scalar>();
  }

  /// The same for columns [first, first + out.rows()): a column of x is a row of `out`.
  template <class Out>
  void write_columns(const Features& x, Eigen::Index first, Out&& out) const {
    using Scalar = typename std::remove_cvref_t<Out>::Scalar;
    const auto columns = x.middleCols(first, out.rows()).template cast<double>();
    out = ((columns.rowwise() - mean.segment(first, out.rows())) * scale).template cast<Scalar>().transpose();
  }
};

/// The mean of the rows, which are checked to be finite.
template <class = void>
[[nodiscard]] Centre centre_of(std::string_view who, const Features& x, ThreadPool& pool, std::string_view name = "X") {
  struct Part {
    Eigen::RowVectorXd sum;
    float largest = 0.0F;
  };
  std::vector<Part> parts(static_cast<std::size_t>(block_count(x.rows())));
  for_each_block(pool, x.rows(), [&](Eigen::Index first, Eigen::Index count, std::size_t block) {
    parts[block].sum.setZero(x.cols());
    for (Eigen::Index row = first; row < first + count; ++row) {
      check_finite(who, x, row, 1, name);
      parts[block].sum += x.row(row).cast<double>();
      parts[block].largest = std::max(parts[block].largest, x.row(row).cwiseAbs().maxCoeff());
    }
  });
  Centre centre;
  centre.mean.setZero(x.cols());
  float largest = 0.0F;
  for (const Part& part : parts) {
    centre.mean += part.sum;
    largest = std::max(largest, part.largest);
  }
  centre.mean /= static_cast<double>(x.rows());
  centre.scale = scale_of(largest);
  return centre;
}

/// 1 over the length of each row, which is checked to be finite; 0 for a row of zeros, which has no direction.
template <class = void>
[[nodiscard]] Eigen::VectorXd inverse_lengths(std::string_view who, const Features& x, ThreadPool& pool,
                                              std::string_view name = "X") {
  Eigen::VectorXd inverse(x.rows());
  for_each_block(pool, x.rows(), [&](Eigen::Index first, Eigen::Index count, std::size_t) {
    for (Eigen::Index row = first; row < first + count; ++row) {
      const double length = x.row(row).cast<double>().norm();
      if (!std::isfinite(length)) fail_not_finite(who, x, row, name);
      inverse(row) = length > 0.0 ? 1.0 / length : 0.0;
    }
  });
  return inverse;
}

/// The rows scaled to length 1, [N, D]; those of zeros stay.
template <class = void>
[[nodiscard]] RowMatrix unit_rows(const Features& x, const Eigen::VectorXd& inverse, ThreadPool& pool) {
  RowMatrix unit(x.rows(), x.cols());
  for_each_block(pool, x.rows(), [&](Eigen::Index first, Eigen::Index count, std::size_t) {
    for (Eigen::Index row = first; row < first + count; ++row)
      unit.row(row) = (x.row(row).cast<double>() * inverse(row)).cast<float>();
  });
  return unit;
}

/// Which tile of a lower triangle is the index-th, row by row: (0, 0), (1, 0), (1, 1), (2, 0), ...
[[nodiscard]] inline std::pair<Eigen::Index, Eigen::Index> tile_of(std::int64_t index) {
  auto row = static_cast<Eigen::Index>((std::sqrt(8.0 * static_cast<double>(index) + 1.0) - 1.0) / 2.0);
  while (row * (row + 1) / 2 > index) --row;  // the square root is rounded
  while ((row + 1) * (row + 2) / 2 <= index) ++row;
  return {row, index - row * (row + 1) / 2};
}

}  // namespace jessl::eval::detail
