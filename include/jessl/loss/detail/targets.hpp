// SPDX-License-Identifier: Apache-2.0
// What the losses do alike with targets: check them, take them without gradient, and compare each with the other views.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/loss/detail/views.hpp>

namespace jessl::loss::detail {

/// Checks V x [N, D], V >= 2, as check_views(), and T x [N, D], 1 <= T <= V, which belong to the first T of them: floating, of the
/// views' shape, device and type.
void check_views_and_targets(std::string_view loss, const std::vector<torch::Tensor>& views,
                             const std::vector<torch::Tensor>& targets);

/// The targets without gradient, whoever made them.
[[nodiscard]] std::vector<torch::Tensor> detached(std::vector<torch::Tensor> targets);

/// The mean of pair(t, v) over the targets t < `targets` and the views v < `views` that are not the target's own, v != t.
template <class Pair>
[[nodiscard]] torch::Tensor mean_over_targets(std::size_t targets, std::size_t views, const Pair& pair) {
  torch::Tensor total;
  for (std::size_t t = 0; t < targets; ++t) {
    for (std::size_t v = 0; v < views; ++v) {
      if (v == t) continue;
      const torch::Tensor value = pair(t, v);
      total = total.defined() ? total + value : value;
    }
  }
  return total / static_cast<double>(targets * (views - 1));
}

/// The mean cosine of a view and another view's target, over images and pairs; that of a row of zeros is 0. The views are
/// V x [N, D], the targets T x [N, D], all of unit length.
[[nodiscard]] torch::Tensor mean_cosine(const std::vector<torch::Tensor>& views,
                                        const std::vector<torch::Tensor>& targets);

}  // namespace jessl::loss::detail

#if JESSL_DEFINITIONS

namespace jessl::loss::detail {

JESSL_INLINE void check_views_and_targets(std::string_view loss, const std::vector<torch::Tensor>& views,
                                          const std::vector<torch::Tensor>& targets) {
  check_views(loss, views, 1);
  JESSL_CHECK(!targets.empty() && targets.size() <= views.size(), ConfigError, "jessl::loss::", loss, ": there are ",
              targets.size(), " targets, expected 1 to ", views.size(), ", for the first of the views");
  check_embeddings(loss, "targets", targets, views[0]);
}

JESSL_INLINE std::vector<torch::Tensor> detached(std::vector<torch::Tensor> targets) {
  for (torch::Tensor& target : targets) target = target.detach();
  return targets;
}

JESSL_INLINE torch::Tensor mean_cosine(const std::vector<torch::Tensor>& views,
                                       const std::vector<torch::Tensor>& targets) {
  return mean_over_targets(targets.size(), views.size(),
                           [&](std::size_t t, std::size_t v) { return (views[v] * targets[t]).sum(1).mean(); });
}

}  // namespace jessl::loss::detail

#endif  // JESSL_DEFINITIONS
