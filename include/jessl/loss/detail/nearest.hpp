// SPDX-License-Identifier: Apache-2.0
// The nearest of many rows, without the matrix of similarities.
#pragma once

#include <cstdint>
#include <limits>
#include <tuple>

#include <jessl/core/tensor.hpp>
#include <jessl/loss/detail/attend.hpp>

namespace jessl::loss::detail {

/// For each of [N, D] queries the row of [M, D] with the largest inner product, the first of several: [N, D], without gradient.
[[nodiscard]] inline torch::Tensor nearest_rows(const torch::Tensor& queries, const torch::Tensor& rows) {
  const torch::NoGradGuard no_gradient;
  const auto n = queries.size(0);
  auto best = torch::full({n}, -std::numeric_limits<double>::infinity(), queries.options());
  auto which = torch::zeros({n}, queries.options().dtype(torch::kInt64));
  for_each_tile(n, rows.size(0), [&](std::int64_t query, std::int64_t count, std::int64_t row, std::int64_t width) {
    const auto tile = queries.narrow(0, query, count).mm(rows.narrow(0, row, width).t());
    const auto [similarity, index] = tile.max(1);
    auto so_far = best.narrow(0, query, count), so_far_which = which.narrow(0, query, count);
    const auto nearer = similarity > so_far;
    so_far.copy_(torch::where(nearer, similarity, so_far));
    so_far_which.copy_(torch::where(nearer, index + row, so_far_which));
  });
  return rows.index_select(0, which);
}

}  // namespace jessl::loss::detail
