// SPDX-License-Identifier: Apache-2.0
// What residual branches are multiplied by: stochastic depth and layer scale.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/tensor.hpp>

namespace jessl::backbone::detail {

/// The probabilities with which the branches of `depth` blocks are dropped: from 0 for the first to `last` for the last.
[[nodiscard]] std::vector<double> drop_probabilities(double last, std::int64_t depth);

/// Stochastic depth (Huang et al., ECCV 2016, arXiv 1603.09382) of one pass: for each branch a factor for each image, [N], which is 0
/// with the branch's probability and 1 / (1 - probability) otherwise; an undefined tensor where the probability is 0.
///
/// All of them come from one tensor that LibTorch's default CPU generator draws, whatever the device: a trainer seeds that one, keeps
/// it in checkpoints and puts it back for a second pass.
[[nodiscard]] std::vector<torch::Tensor> draw_depth(const std::vector<double>& probabilities, std::int64_t images,
                                                    const torch::Tensor& like);

/// x + scale factor branch, in one pass over them. `scale` has a shape that x's takes, and `factor` is [N]; either may be undefined.
[[nodiscard]] torch::Tensor add_branch(const torch::Tensor& x, const torch::Tensor& branch, const torch::Tensor& scale,
                                       const torch::Tensor& factor);

}  // namespace jessl::backbone::detail

#if JESSL_DEFINITIONS
namespace jessl::backbone::detail {

JESSL_INLINE std::vector<double> drop_probabilities(double last, std::int64_t depth) {
  std::vector<double> probabilities(static_cast<std::size_t>(depth));
  for (std::size_t i = 1; i < probabilities.size(); ++i)
    probabilities[i] = last * static_cast<double>(i) / static_cast<double>(depth - 1);
  return probabilities;
}

JESSL_INLINE std::vector<torch::Tensor> draw_depth(const std::vector<double>& probabilities, std::int64_t images,
                                                   const torch::Tensor& like) {
  std::vector<torch::Tensor> factors(probabilities.size());
  std::vector<double> drawn;
  for (const double probability : probabilities) {
    if (probability > 0) drawn.push_back(probability);
  }
  if (drawn.empty()) return factors;
  const auto number = static_cast<std::int64_t>(drawn.size());
  const torch::Tensor chance = torch::tensor(drawn, torch::kFloat32).view({number, 1});  // [branches, 1]
  const torch::Tensor kept = torch::rand({number, images}, torch::kFloat32).ge(chance);  // [branches, N]
  // In float32 under autocast, too: as a branch is added in float32 there.
  const auto type = like.scalar_type() == torch::kFloat64 ? torch::kFloat64 : torch::kFloat32;
  const torch::Tensor all = (kept / (1 - chance)).to(like.device(), type);
  std::int64_t next = 0;
  for (std::size_t i = 0; i < factors.size(); ++i) {
    if (probabilities[i] > 0) factors[i] = all[next++];
  }
  return factors;
}

JESSL_INLINE torch::Tensor add_branch(const torch::Tensor& x, const torch::Tensor& branch, const torch::Tensor& scale,
                                      const torch::Tensor& factor) {
  if (!factor.defined()) return scale.defined() ? at::addcmul(x, branch, scale) : x + branch;
  std::vector<std::int64_t> shape(static_cast<std::size_t>(x.dim()), 1);
  shape[0] = x.size(0);
  const torch::Tensor factors = factor.view(shape);
  return at::addcmul(x, branch, scale.defined() ? factors * scale : factors);
}

}  // namespace jessl::backbone::detail
#endif
