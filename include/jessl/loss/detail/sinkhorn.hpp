// SPDX-License-Identifier: Apache-2.0
// The Sinkhorn-Knopp algorithm: soft assignments that use every column alike.
#pragma once

#include <cstdint>

#include <jessl/core/tensor.hpp>

namespace jessl::loss::detail {

/// Assigns rows to columns softly, so that every column gets the same share of the rows of all ranks.
///
/// exp(scores), [M, K] on each rank, is scaled `iterations` times: its columns to equal sums over all ranks, then its rows to
/// sums of 1. `counts` [M]: 1 for a row that counts, 0 for one that doesn't; at least one row does. |scores| <= `bound`: where
/// it is so small that no product of scalings can overflow, each step is a product of a matrix and a vector; else logarithms
/// of the scalings are kept. Without a gradient. Returns the first `kept` rows.
template <class Group>
[[nodiscard]] torch::Tensor sinkhorn(const torch::Tensor& scores, double bound, const torch::Tensor& counts,
                                     std::int64_t iterations, std::int64_t kept, const Group& group) {
  const torch::NoGradGuard no_gradient;
  // With columns that are 1 on average, all sums lie within exp(+-2 bound) times their number of terms; float32 ends at
  // exp(88), float64 at exp(709).
  if (bound <= (scores.scalar_type() == torch::kFloat64 ? 300 : 30)) {
    const auto matrix = scores.exp();
    torch::Tensor rows = counts;  // [M]
    torch::Tensor columns;        // [K]
    for (std::int64_t i = 0; i < iterations; ++i) {
      if (i > 0) rows = counts / matrix.mv(columns);
      columns = 1 / group.all_reduce_sum(matrix.t().mv(rows));
      columns.div_(columns.mean());  // a factor for all changes no assignment
    }
    const auto scaled = matrix.narrow(0, 0, kept) * columns;
    return scaled / scaled.sum(1, /*keepdim=*/true);
  }
  const auto log_counts = counts.log().unsqueeze(1);
  torch::Tensor rows = log_counts;  // [M, 1]
  torch::Tensor columns;            // [1, K]
  for (std::int64_t i = 0; i < iterations; ++i) {
    if (i > 0) rows = log_counts - (scores + columns).logsumexp(1, /*keepdim=*/true);
    const auto sums = (scores + rows).logsumexp(0, /*keepdim=*/true);
    columns = -group.all_gather(sums).logsumexp(0, /*keepdim=*/true);
  }
  return (scores.narrow(0, 0, kept) + columns).softmax(1);
}

}  // namespace jessl::loss::detail
