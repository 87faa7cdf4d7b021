// SPDX-License-Identifier: Apache-2.0
// Barlow Twins: the cross-correlation of two views is to be the identity.
#pragma once

#include <cstddef>
#include <string_view>
#include <tuple>
#include <vector>

#include <jessl/core/autocast.hpp>
#include <jessl/core/communicator.hpp>
#include <jessl/core/detail/check_setting.hpp>
#include <jessl/core/detail/separate.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/loss/algebra.hpp>
#include <jessl/loss/concept.hpp>
#include <jessl/loss/detail/cross_correlation.hpp>
#include <jessl/loss/detail/gram.hpp>
#include <jessl/loss/detail/views.hpp>
#include <jessl/loss/parts.hpp>

namespace jessl::loss {

/// Redundancy reduction: each dimension agrees between views, different dimensions are uncorrelated.
///
/// Needs no negatives and no teacher; wants a wide embedding (2048 to 8192) rather than a large batch.
/// With y the embeddings standardised over the rows of all ranks, y = (z - mean) / sqrt(var + epsilon), var over the
/// number of rows, and C = Y1^T Y2 / rows: loss = sum_i (1 - C_ii)^2 + lambda sum_{i != j} C_ij^2. More than two views:
/// the mean over all pairs.
///
/// Shapes     views: V x [N, D] -> []      N images per rank, D embedding width
/// Units      lambda: dimensionless, >= 0; epsilon: squared embedding units, > 0
/// Precision  reduced in float32 under autocast; float64 stays
/// Cost       O(M D min(M, D)) time with M = W N, a pair of views, and O(M D + min(M, D)^2) memory: where M < 0.9 D, |C|^2 is
///            taken from the M x M Gram matrix of each view, which all its pairs share (`algebra` forces either); gathers
///            W N D numbers per view
/// Randomness none
/// Errors     ConfigError for a setting out of range, fewer than two views, or views of different devices or types;
///            ShapeError for views of different shapes, not [N, D], or with fewer than two images over all ranks
/// Models     jessl::Loss (docs/loss/README.md)
/// Source     Zbontar et al., Barlow Twins: Self-Supervised Learning via Redundancy Reduction, ICML 2021,
///            arXiv 2103.03230, equations 1 and 2; lambda and epsilon as in the authors' code
/// Differs    none for two views; the mean over pairs of views is ours
struct BarlowTwins {
  static constexpr std::string_view name = "BarlowTwins";

  double lambda = 0.0051;                ///< weight of the correlations between different dimensions, >= 0
  double epsilon = 1e-5;                 ///< added to each variance below the root, > 0
  Algebra algebra = Algebra::automatic;  ///< which matrix the squared correlations are summed from

  template <Communicator<torch::Tensor> Group = SingleProcess>
  [[nodiscard]] torch::Tensor operator()(const std::vector<torch::Tensor>& views, const Group& group = {}) const;

  template <Communicator<torch::Tensor> Group = SingleProcess>
  [[nodiscard]] torch::Tensor operator()(const torch::Tensor& z1, const torch::Tensor& z2,
                                         const Group& group = {}) const {
    return (*this)({z1, z2}, group);
  }

  void check() const {
    jessl::detail::check_setting(lambda >= 0, "loss", name, "lambda", lambda, "a finite number >= 0");
    jessl::detail::check_setting(epsilon > 0, "loss", name, "epsilon", epsilon, "a finite number > 0");
  }
};

template <Communicator<torch::Tensor> Group>
torch::Tensor BarlowTwins::operator()(const std::vector<torch::Tensor>& views, const Group& group) const {
  check();
  detail::check_views_of_two_images(name, views, group);
  const Autocast full_precision(views[0].device().type(), Precision::float32);

  const auto joint = detail::gathered(detail::in_full_precision(views), group);  // V x [W*N, D]
  const auto rows = static_cast<double>(joint[0].size(0));
  const double pairs = static_cast<double>(views.size() * (views.size() - 1)) / 2;
  const auto of_pairs = [&](const torch::Tensor& diagonal, const torch::Tensor& off_squares) {
    const auto invariance = (1 - diagonal / rows).square().sum(-1);
    const auto redundancy = lambda / (rows * rows) * off_squares;
    tell_part("invariance", invariance, 1 / pairs);
    tell_part("redundancy", redundancy, 1 / pairs);
    return invariance + redundancy;
  };
  if (detail::by_gram(algebra, joint[0], joint[1])) {
    const auto parts = detail::CrossCorrelationFunction::apply(at::TensorList(joint), epsilon);
    return of_pairs(parts[0], parts[1]).mean();
  }

  std::vector<torch::Tensor> standardised;  // V x [W*N, D]
  for (const torch::Tensor& z : joint) {
    standardised.push_back(std::get<0>(at::native_batch_norm(z, {}, {}, {}, {}, true, 0, epsilon)));
  }
  return detail::mean_over_pairs(views.size(), [&](std::size_t a, std::size_t b) {
    const auto product = detail::split_product(standardised[a], standardised[b], /*by_gram=*/false);
    return of_pairs(product.diagonal, product.off_squares);
  });
}

JESSL_INSTANTIATE(torch::Tensor BarlowTwins::operator()<SingleProcess>(const std::vector<torch::Tensor>& views,
                                                                       const SingleProcess& group) const);

}  // namespace jessl::loss

JESSL_OPTIONS(jessl::loss::BarlowTwins, lambda, epsilon, algebra);
