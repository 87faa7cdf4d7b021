// SPDX-License-Identifier: Apache-2.0
// VICReg: invariance, variance and covariance.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include <jessl/core/autocast.hpp>
#include <jessl/core/communicator.hpp>
#include <jessl/core/detail/check_setting.hpp>
#include <jessl/core/detail/separate.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/loss/algebra.hpp>
#include <jessl/loss/concept.hpp>
#include <jessl/loss/detail/deviation_hinge.hpp>
#include <jessl/loss/detail/gram.hpp>
#include <jessl/loss/detail/views.hpp>
#include <jessl/loss/parts.hpp>

namespace jessl::loss {

/// Variance-invariance-covariance regularisation: equal views, spread dimensions, uncorrelated dimensions.
///
/// Needs no negatives and no teacher; wants a wide embedding (2048 to 8192) rather than a large batch.
/// loss = invariance mean (z1 - z2)^2 + variance (v(Z1) + v(Z2)) / 2 + covariance (c(Z1) + c(Z2)), where Z are the rows
/// of all ranks, v(Z) = mean_d max(0, 1 - sqrt(var_d + epsilon)), c(Z) = sum_{i != j} C_ij^2 / D, C the covariance of
/// Z's columns; var and C divide by (number of rows - 1). More than two views: the mean over all pairs.
///
/// Shapes     views: V x [N, D] -> []      N images per rank, D embedding width
/// Units      weights: dimensionless, >= 0; epsilon: squared embedding units, > 0
/// Precision  reduced in float32 under autocast; float64 stays
/// Cost       O(M D min(M, D)) time with M = W N, O(M D + min(M, D)^2) memory per view: where M < D, |C|^2 is taken from the
///            M x M Gram matrix (`algebra` forces either); gathers W N D numbers per view
/// Randomness none
/// Errors     ConfigError for a setting out of range, fewer than two views, or views of different devices or types;
///            ShapeError for views of different shapes, not [N, D], or with fewer than two images over all ranks
/// Models     jessl::Loss (docs/loss/README.md)
/// Source     Bardes, Ponce and LeCun, VICReg: Variance-Invariance-Covariance Regularization for Self-Supervised
///            Learning, ICLR 2022, arXiv 2105.04906, equations 1 to 6
/// Differs    as in the authors' code, the invariance term is a mean over images and dimensions, where equation 5 sums
///            over the dimensions (its weight there is D times as strong), and the variance term is halved over the two
///            views; the mean over pairs is ours
struct VICReg {
  static constexpr std::string_view name = "VICReg";

  double invariance = 25.0;              ///< weight of the squared distance between views, >= 0
  double variance = 25.0;                ///< weight of the hinge on each dimension's standard deviation, >= 0
  double covariance = 1.0;               ///< weight of the squared covariances, >= 0
  double epsilon = 1e-4;                 ///< added to each variance below the root, > 0
  Algebra algebra = Algebra::automatic;  ///< which matrix the squared covariances are summed from

  template <Communicator<torch::Tensor> Group = SingleProcess>
  [[nodiscard]] torch::Tensor operator()(const std::vector<torch::Tensor>& views, const Group& group = {}) const {
    check();
    detail::check_views_of_two_images(name, views, group);
    const Autocast full_precision(views[0].device().type(), Precision::float32);

    const auto z = detail::in_full_precision(views);  // V x [N, D]
    torch::Tensor total = invariance * detail::mean_over_pairs(z.size(), [&](std::size_t a, std::size_t b) {
                            return at::mse_loss(z[a], z[b]);
                          });
    tell_part("invariance", total);
    const auto count = static_cast<double>(z.size());
    for (const torch::Tensor& view : z) {
      // A view's share in the mean over pairs: half the hinge and all the covariance, in V - 1 of V (V - 1) / 2 pairs.
      const auto all = detail::gathered(view, group);  // [W*N, D]
      // The gradient to the means is 0: of a function of centred^T centred it is a sum of centred columns.
      const auto centred = all - all.mean(0).detach();  // [W*N, D]
      const auto freedom = static_cast<double>(all.size(0) - 1);
      // The covariances times `freedom`: the variances are their diagonal.
      const auto product = detail::split_product(centred, centred, detail::by_gram(algebra, centred, centred));
      const auto hinge = variance / count * detail::deviation_hinge(product.diagonal / freedom, epsilon);
      const auto squares =
          covariance * 2 / count / (freedom * freedom * static_cast<double>(all.size(1))) * product.off_squares;
      tell_part("variance", hinge);
      tell_part("covariance", squares);
      total = total + hinge + squares;
    }
    return total;
  }

  template <Communicator<torch::Tensor> Group = SingleProcess>
  [[nodiscard]] torch::Tensor operator()(const torch::Tensor& z1, const torch::Tensor& z2,
                                         const Group& group = {}) const {
    return (*this)({z1, z2}, group);
  }

  void check() const;
};

}  // namespace jessl::loss

JESSL_OPTIONS(jessl::loss::VICReg, invariance, variance, covariance, epsilon, algebra);

#if JESSL_DEFINITIONS

namespace jessl::loss {

JESSL_INLINE void VICReg::check() const {
  jessl::detail::check_setting(invariance >= 0, "loss", name, "invariance", invariance, "a finite number >= 0");
  jessl::detail::check_setting(variance >= 0, "loss", name, "variance", variance, "a finite number >= 0");
  jessl::detail::check_setting(covariance >= 0, "loss", name, "covariance", covariance, "a finite number >= 0");
  jessl::detail::check_setting(epsilon > 0, "loss", name, "epsilon", epsilon, "a finite number > 0");
}

}  // namespace jessl::loss

#endif  // JESSL_DEFINITIONS
