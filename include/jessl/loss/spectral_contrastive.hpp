// SPDX-License-Identifier: Apache-2.0
// The spectral contrastive loss.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include <jessl/core/autocast.hpp>
#include <jessl/core/communicator.hpp>
#include <jessl/core/detail/check_setting.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/loss/algebra.hpp>
#include <jessl/loss/concept.hpp>
#include <jessl/loss/detail/gram.hpp>
#include <jessl/loss/detail/views.hpp>
#include <jessl/loss/parts.hpp>

namespace jessl::loss {

/// Positives aligned, other images orthogonal: a low-rank factorisation of the graph of augmentations.
///
/// With y = sqrt(mu) z / |z|: loss = -2 mean_i <y1_i, y2_i> + mean_{i != j} <y1_i, y2_j>^2 over the images of all ranks.
/// More than two views: the mean over all pairs.
///
/// Shapes     views: V x [N, D] -> []      N images per rank, D embedding width
/// Units      mu: squared embedding units, > 0
/// Precision  reduced in float32 under autocast; float64 stays
/// Cost       O(W N D min(N, D)) time, O(W N D) memory per pair of views: the squares are summed from the D x D Gram matrices
///            where there are more images than dimensions (`algebra` forces either); gathers W N D numbers per view
/// Randomness none
/// Errors     ConfigError for a setting out of range, fewer than two views, or views of different devices or types;
///            ShapeError for views of different shapes, not [N, D], or with fewer than two images over all ranks
/// Models     jessl::Loss (docs/loss/README.md)
/// Source     HaoChen et al., Provable Guarantees for Self-Supervised Deep Learning with Spectral Contrastive Loss,
///            NeurIPS 2021, arXiv 2106.04156, equation 6
/// Differs    the authors' code shortens the embeddings longer than sqrt(mu) and leaves the others; ours all get that length
struct SpectralContrastive {
  static constexpr std::string_view name = "SpectralContrastive";

  double mu = 1.0;                       ///< squared length that the embeddings are given, > 0
  Algebra algebra = Algebra::automatic;  ///< which matrix the squared similarities are summed from

  template <Communicator<torch::Tensor> Group = SingleProcess>
  [[nodiscard]] torch::Tensor operator()(const std::vector<torch::Tensor>& views, const Group& group = {}) const {
    check();
    detail::check_views_of_two_images(name, views, group);
    const Autocast full_precision(views[0].device().type(), Precision::float32);

    const auto local = detail::unit_rows(views);      // V x [N, D]
    const auto all = detail::gathered(local, group);  // V x [W*N, D]
    const double pairs_of_views = static_cast<double>(views.size() * (views.size() - 1)) / 2;
    return detail::mean_over_pairs(views.size(), [&](std::size_t a, std::size_t b) {
      const auto positive = (local[a] * local[b]).sum(1);    // [N]
      const auto first = local[a].t(), second = all[b].t();  // [D, N] and [D, W*N]
      const bool by_gram = detail::by_gram(algebra, first, second, /*rows=*/Algebra::dimensions);
      const auto squares = detail::split_product(first, second, by_gram, group.rank() * positive.size(0))
                               .off_squares;  // of other images
      const auto pairs = static_cast<double>(local[a].size(0) * (all[b].size(0) - 1));
      const auto others = mu * mu / pairs * squares;
      const auto same = 2 * mu * positive.mean();
      tell_part("others", others, 1 / pairs_of_views);
      tell_part("same", same, -1 / pairs_of_views);
      return others - same;
    });
  }

  template <Communicator<torch::Tensor> Group = SingleProcess>
  [[nodiscard]] torch::Tensor operator()(const torch::Tensor& z1, const torch::Tensor& z2,
                                         const Group& group = {}) const {
    return (*this)({z1, z2}, group);
  }

  void check() const { jessl::detail::check_setting(mu > 0, "loss", name, "mu", mu, "a finite number > 0"); }
};

}  // namespace jessl::loss

JESSL_OPTIONS(jessl::loss::SpectralContrastive, mu, algebra);
