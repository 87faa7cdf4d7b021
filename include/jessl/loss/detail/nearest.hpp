// SPDX-License-Identifier: Apache-2.0
// The nearest of many rows, without the matrix of similarities.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/loss/detail/attend.hpp>

namespace jessl::loss::detail {

/// For each of [N, D] queries which row of [M, D] has the largest inner product with it, the first of several: [N]. Row `own` + i, if
/// there is such a one, is not compared with query i.
[[nodiscard]] torch::Tensor nearest(const torch::Tensor& queries, const torch::Tensor& rows,
                                    std::optional<std::int64_t> own = {});

/// The nearest rows themselves: [N, D], without gradient.
[[nodiscard]] torch::Tensor nearest_rows(const torch::Tensor& queries, const torch::Tensor& rows);

}  // namespace jessl::loss::detail

#if JESSL_DEFINITIONS

namespace jessl::loss::detail {

JESSL_INLINE torch::Tensor nearest(const torch::Tensor& queries, const torch::Tensor& rows,
                                   std::optional<std::int64_t> own) {
  const torch::NoGradGuard no_gradient;
  const auto n = queries.size(0);
  auto best = torch::full({n}, -std::numeric_limits<double>::infinity(), queries.options());
  auto which = torch::zeros({n}, queries.options().dtype(torch::kInt64));
  for_each_tile(queries, rows.size(0),
                [&](std::int64_t query, std::int64_t count, std::int64_t row, std::int64_t width) {
                  auto tile = queries.narrow(0, query, count).mm(rows.narrow(0, row, width).t());
                  const auto shift = own.value_or(0) + query - row;  // the column of the first query's own row
                  if (own && shift > -count && shift < width)
                    tile.diagonal(shift).fill_(-std::numeric_limits<double>::infinity());
                  const auto [similarity, index] = tile.max(1);
                  auto so_far = best.narrow(0, query, count), so_far_which = which.narrow(0, query, count);
                  const auto nearer = similarity > so_far;
                  so_far.copy_(torch::where(nearer, similarity, so_far));
                  so_far_which.copy_(torch::where(nearer, index + row, so_far_which));
                });
  return which;
}

JESSL_INLINE torch::Tensor nearest_rows(const torch::Tensor& queries, const torch::Tensor& rows) {
  const torch::NoGradGuard no_gradient;
  return rows.index_select(0, nearest(queries, rows));
}

}  // namespace jessl::loss::detail

#endif  // JESSL_DEFINITIONS
