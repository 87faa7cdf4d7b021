// SPDX-License-Identifier: Apache-2.0
// What the contrastive losses do alike: each is a function of a row's positive and of the log sum exp of its negatives.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <jessl/core/autocast.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/loss/detail/log_sum_exp.hpp>
#include <jessl/loss/detail/views.hpp>

namespace jessl::loss::detail {

/// The mean of loss.of_pair(positive, negatives, group) over all pairs of views a, b, of unit rows V x [N, D]. positive [N]: the
/// similarity of an image's two views, over the temperature; negatives(a, b), [2, N]: the log sum exp of a row's similarities
/// to its negatives, over the temperature.
template <class L, class Group, class LogSums>
[[nodiscard]] torch::Tensor contrast(const L& loss, const std::vector<torch::Tensor>& rows, const Group& group,
                                     const LogSums& negatives) {
  return mean_over_pairs(rows.size(), [&](std::size_t a, std::size_t b) {
    return loss.of_pair((rows[a] * rows[b]).sum(1) / loss.temperature, negatives(a, b), group);
  });
}

/// The same where a row's negatives are the rows of all other images in the pair of views, of all ranks, which must be more
/// than one.
template <class L, class Group>
[[nodiscard]] torch::Tensor contrast_in_batch(const L& loss, const std::vector<torch::Tensor>& views,
                                              const Group& group) {
  const Autocast full_precision(views[0].device().type(), Precision::float32);
  const std::vector<torch::Tensor> local = unit_rows(views);      // V x [N, D]
  const std::vector<torch::Tensor> all = gathered(local, group);  // V x [W*N, D]
  // Each view's rows with each view's others, once: every pair is two of these for each of its rows.
  const auto sums = log_sum_exp(local, all, 1 / loss.temperature, group.rank(), Excluded::same_image);  // [V, V, N]
  return contrast(loss, local, group, [&](std::size_t a, std::size_t b) {
    const auto i = static_cast<std::int64_t>(a), j = static_cast<std::int64_t>(b);
    return torch::stack({at::logaddexp(sums[i][i], sums[i][j]), at::logaddexp(sums[j][i], sums[j][j])});
  });
}

}  // namespace jessl::loss::detail
