// SPDX-License-Identifier: Apache-2.0
// Rows of each class, drawn at random.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <numeric>
#include <span>
#include <vector>

#include <Eigen/Core>

#include <jessl/core/draw.hpp>
#include <jessl/eval/concept.hpp>

namespace jessl::eval::detail {

/// Of each class of `count` rows wanted(label, count) of them, drawn without replacement, in rising order.
///
/// One random order of all rows is gone through, so that neither the numbers of the classes nor the other classes' rows
/// matter, and fewer rows of the same draw are among more.
template <class Wanted>
[[nodiscard]] std::vector<Eigen::Index> draw_rows(Labels y, Draw draw, const Wanted& wanted) {
  std::map<std::int64_t, std::int64_t> left;
  for (const std::int64_t label : y) ++left[label];
  for (auto& [label, count] : left) count = wanted(label, count);

  std::vector<Eigen::Index> order(y.size());
  std::iota(order.begin(), order.end(), Eigen::Index{0});
  draw.shuffle(std::span(order));
  std::vector<Eigen::Index> drawn;
  for (const Eigen::Index row : order) {
    std::int64_t& more = left[y[static_cast<std::size_t>(row)]];
    if (more == 0) continue;
    --more;
    drawn.push_back(row);
  }
  std::sort(drawn.begin(), drawn.end());
  return drawn;
}

/// The labels of some rows.
[[nodiscard]] inline std::vector<std::int64_t> labels_of(Labels y, std::span<const Eigen::Index> rows) {
  std::vector<std::int64_t> labels;
  labels.reserve(rows.size());
  for (const Eigen::Index row : rows) labels.push_back(y[static_cast<std::size_t>(row)]);
  return labels;
}

}  // namespace jessl::eval::detail
