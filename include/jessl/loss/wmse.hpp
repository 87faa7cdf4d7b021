// SPDX-License-Identifier: Apache-2.0
// W-MSE: whitened embeddings, then their distance.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include <jessl/core/autocast.hpp>
#include <jessl/core/communicator.hpp>
#include <jessl/core/detail/check_setting.hpp>
#include <jessl/core/detail/separate.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/loss/concept.hpp>
#include <jessl/loss/detail/views.hpp>

namespace jessl::loss {

/// Each view's embeddings are whitened over the batch, so that they can't collapse, then drawn together.
///
/// With x = L^-1 (z - mean), L the Cholesky factor of C' = (1 - epsilon) C + epsilon I and C the covariance over the images
/// of a sub-batch, over (its size - 1): loss = mean_i (2 - 2 cos(x1_i, x2_i)). More than two views: the mean over all pairs.
/// The batch of all ranks is cut, in its order, into as many sub-batches of at least `sub_batch` images as it holds.
///
/// Shapes     views: V x [N, D] -> []      N images per rank, D embedding width
/// Units      sub_batch: images, >= 2; epsilon: dimensionless, in [0, 1]
/// Precision  reduced in float32 under autocast, whitened in float64; float64 stays
/// Cost       O(W N D^2 + D^3) time, O(W N D + D^2) memory per sub-batch and view; gathers W N D numbers per view
/// Randomness none
/// Errors     ConfigError for a setting out of range, fewer than two views, views of different devices or types, or
///            embeddings whose C' is singular (they have collapsed, or epsilon is 0); ShapeError for views of different
///            shapes, not [N, D], or with no more than D images in a sub-batch
/// Models     jessl::Loss (docs/loss/README.md)
/// Source     Ermolov et al., Whitening for Self-Supervised Representation Learning, ICML 2021, arXiv 2007.06346,
///            section 3; sub-batch of the CIFAR experiments, whose embeddings have 64 dimensions: wider than 127 want more
/// Differs    sub-batches lie in the order of the batch, which a loader has shuffled, where the authors' code permutes it
///            anew, and their last one takes what is left over
struct WMSE {
  static constexpr std::string_view name = "WMSE";

  std::int64_t sub_batch = 128;  ///< images whitened together, at least; more than D, the paper takes 2 D; >= 2
  double epsilon = 0.0;          ///< share of the identity in the covariance, in [0, 1]

  template <Communicator<torch::Tensor> Group = SingleProcess>
  [[nodiscard]] torch::Tensor operator()(const std::vector<torch::Tensor>& views, const Group& group = {}) const {
    check();
    detail::check_views(name, views, 1);
    const Autocast full_precision(views[0].device().type(), Precision::float32);

    std::vector<torch::Tensor> white, failed;  // V x [W*N, D]; [] for each sub-batch of each view
    for (const torch::Tensor& z : detail::in_full_precision(views)) {
      const auto all = detail::gathered(z, group);
      std::vector<torch::Tensor> done;
      for (const torch::Tensor& part : all.tensor_split(parts_of(all.size(0)), 0))
        done.push_back(whiten(part, white.size(), failed));
      white.push_back(detail::unit_rows(torch::cat(done)));
    }
    check_whitened(failed, views);
    return detail::mean_over_pairs(
        views.size(), [&](std::size_t a, std::size_t b) { return (white[a] - white[b]).square().sum(1).mean(); });
  }

  template <Communicator<torch::Tensor> Group = SingleProcess>
  [[nodiscard]] torch::Tensor operator()(const torch::Tensor& z1, const torch::Tensor& z2,
                                         const Group& group = {}) const {
    return (*this)({z1, z2}, group);
  }

  /// Checks that there are more images in each sub-batch than dimensions.
  void check_batch(const BatchShape& batch) const;

  void check() const;

 private:
  /// Into how many sub-batches so many images are cut.
  [[nodiscard]] std::int64_t parts_of(std::int64_t images) const {
    return std::max<std::int64_t>(1, images / sub_batch);
  }

  /// Checks that every covariance had its inverse, all at once, for that waits for the device. Where a view is not finite there
  /// is nothing to be said of covariances: the loss is not finite.
  void check_whitened(const std::vector<torch::Tensor>& failed, const std::vector<torch::Tensor>& views) const;

  /// L^-1 (z - mean) of the rows of one sub-batch of view `view`; appends to `failed` whether there is none.
  [[nodiscard]] torch::Tensor whiten(const torch::Tensor& z, std::size_t view,
                                     std::vector<torch::Tensor>& failed) const;
};

}  // namespace jessl::loss

JESSL_OPTIONS(jessl::loss::WMSE, sub_batch, epsilon);

#if JESSL_DEFINITIONS

namespace jessl::loss {

JESSL_INLINE void WMSE::check_batch(const BatchShape& batch) const {
  const std::int64_t smallest = batch.images / parts_of(batch.images);
  JESSL_CHECK(smallest > batch.width, ConfigError, "jessl::loss::WMSE: sub_batch is ", sub_batch, " and a batch ",
              batch.images, " images, so that ", smallest, " are whitened together, expected more than the ",
              batch.width, " dimensions of the embeddings; take a larger sub_batch or batch, or let the projector ",
              "end in fewer");
}

JESSL_INLINE void WMSE::check() const {
  jessl::detail::check_setting(sub_batch >= 2, "loss", name, "sub_batch", static_cast<double>(sub_batch),
                               "an integer >= 2");
  jessl::detail::check_setting(epsilon >= 0 && epsilon <= 1, "loss", name, "epsilon", epsilon, "a number in [0, 1]");
}

JESSL_INLINE void WMSE::check_whitened(const std::vector<torch::Tensor>& failed,
                                       const std::vector<torch::Tensor>& views) const {
  const auto failures =
      torch::stack(failed).ne(0).view({static_cast<std::int64_t>(views.size()), -1}).any(1).to(torch::kCPU);
  for (std::size_t v = 0; v < views.size(); ++v) {
    const auto view = static_cast<std::int64_t>(v);
    JESSL_CHECK(!failures[view].item<bool>() || !views[v].isfinite().all().item<bool>(), ConfigError,
                "jessl::loss::WMSE: epsilon is ", epsilon, ", and the covariance of views[", v,
                "] has no inverse; expected epsilon > 0, or embeddings that vary in every dimension");
  }
}

JESSL_INLINE torch::Tensor WMSE::whiten(const torch::Tensor& z, std::size_t view,
                                        std::vector<torch::Tensor>& failed) const {
  const auto rows = z.size(0), width = z.size(1);
  JESSL_CHECK(rows > width, ShapeError, "jessl::loss::WMSE: a sub-batch of views[", view, "] is ", shape_of(z),
              ", expected [N, D] with N > D; take a larger batch or sub_batch, or a narrower embedding");
  // In float64: the factor of a covariance of small eigenvalues, and the gradient through it, lose the digits of float32.
  const auto wide = z.to(torch::kFloat64);
  const auto centred = wide - wide.mean(0);
  const auto identity = torch::eye(width, wide.options().requires_grad(false));
  const auto covariance =
      centred.t().mm(centred) * ((1 - epsilon) / static_cast<double>(rows - 1)) + epsilon * identity;
  const auto [factor, failure] = at::linalg_cholesky_ex(covariance);
  failed.push_back(failure);
  return at::linalg_solve_triangular(factor, centred.t(), /*upper=*/false).t().to(z.scalar_type());
}

}  // namespace jessl::loss

#endif  // JESSL_DEFINITIONS
