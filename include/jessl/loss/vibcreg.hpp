// SPDX-License-Identifier: Apache-2.0
// VIbCReg: VICReg with a better covariance.
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

/// VICReg whose covariance term is one of correlations: it does not depend on how large the embeddings are.
///
/// loss = invariance mean (z1 - z2)^2 + variance (v(Z1) + v(Z2)) + covariance (c(Z1) + c(Z2)), where Z are the rows of
/// all ranks, v(Z) = mean_d max(0, 1 - sqrt(var_d + epsilon)), c(Z) = sum_{i != j} R_ij^2 / D^2, R the correlation of Z's
/// columns; var divides by (number of rows - 1). More than two views: the mean over all pairs.
///
/// Shapes     views: V x [N, D] -> []      N images per rank, D embedding width
/// Units      weights: dimensionless, >= 0; epsilon: squared embedding units, > 0
/// Precision  reduced in float32 under autocast; float64 stays
/// Cost       O(M D min(M, D)) time with M = W N, O(M D + min(M, D)^2) memory per view, as for VICReg; gathers W N D numbers per view
/// Randomness none
/// Errors     ConfigError for a setting out of range, fewer than two views, or views of different devices or types;
///            ShapeError for views of different shapes, not [N, D], or with fewer than two images over all ranks
/// Models     jessl::Loss (docs/loss/README.md)
/// Source     Lee and Aune, VIbCReg: Variance-Invariance-better-Covariance Regularization for Self-Supervised Learning on
///            Time Series, arXiv 2109.00783; weights and the mean over D^2 as in solo-learn
/// Differs    the paper also whitens the projector's output (IterNorm): that is the projector's part; the mean over pairs is ours
struct VIbCReg {
  static constexpr std::string_view name = "VIbCReg";

  double invariance = 25.0;              ///< weight of the squared distance between views, >= 0
  double variance = 25.0;                ///< weight of the hinge on each dimension's standard deviation, >= 0
  double covariance = 200.0;             ///< weight of the squared correlations, >= 0
  double epsilon = 1e-4;                 ///< added to each variance below the root, > 0
  Algebra algebra = Algebra::automatic;  ///< which matrix the squared correlations are summed from

  template <Communicator<torch::Tensor> Group = SingleProcess>
  [[nodiscard]] torch::Tensor operator()(const std::vector<torch::Tensor>& views, const Group& group = {}) const {
    check();
    detail::check_views_of_two_images(name, views, group);
    const Autocast full_precision(views[0].device().type(), Precision::float32);

    const auto z = detail::in_full_precision(views);  // V x [N, D]
    torch::Tensor total = invariance * detail::mean_over_pairs(z.size(), [&](std::size_t a, std::size_t b) {
                            return (z[a] - z[b]).square().mean();
                          });
    tell_part("invariance", total);
    for (const torch::Tensor& view : z) {
      // A view's share in the mean over pairs: it is in V - 1 of V (V - 1) / 2.
      const auto all = detail::gathered(view, group);  // [W*N, D]
      const auto share = 2 / static_cast<double>(z.size());
      const auto hinge = share * variance * detail::deviation_hinge(all.var(0), epsilon);
      const auto squares = share * covariance * correlation(all);
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

 private:
  /// c(Z): the squared correlations of different dimensions, per pair of dimensions.
  [[nodiscard]] torch::Tensor correlation(const torch::Tensor& all) const;
};

}  // namespace jessl::loss

JESSL_OPTIONS(jessl::loss::VIbCReg, invariance, variance, covariance, epsilon, algebra);

#if JESSL_DEFINITIONS

namespace jessl::loss {

JESSL_INLINE void VIbCReg::check() const {
  jessl::detail::check_setting(invariance >= 0, "loss", name, "invariance", invariance, "a finite number >= 0");
  jessl::detail::check_setting(variance >= 0, "loss", name, "variance", variance, "a finite number >= 0");
  jessl::detail::check_setting(covariance >= 0, "loss", name, "covariance", covariance, "a finite number >= 0");
  jessl::detail::check_setting(epsilon > 0, "loss", name, "epsilon", epsilon, "a finite number > 0");
}

JESSL_INLINE torch::Tensor VIbCReg::correlation(const torch::Tensor& all) const {
  const auto columns = detail::unit_rows((all - all.mean(0)).t()).t();  // [W*N, D]
  const auto width = static_cast<double>(all.size(1));
  return detail::split_product(columns, columns, detail::by_gram(algebra, columns, columns)).off_squares /
         (width * width);
}

}  // namespace jessl::loss

#endif  // JESSL_DEFINITIONS
