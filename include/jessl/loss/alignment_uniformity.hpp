// SPDX-License-Identifier: Apache-2.0
// Alignment and uniformity on the hypersphere.
#pragma once

#include <cmath>
#include <cstddef>
#include <string_view>
#include <vector>

#include <jessl/core/autocast.hpp>
#include <jessl/core/communicator.hpp>
#include <jessl/core/detail/check_setting.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/loss/concept.hpp>
#include <jessl/loss/detail/log_sum_exp.hpp>
#include <jessl/loss/detail/views.hpp>
#include <jessl/loss/parts.hpp>

namespace jessl::loss {

/// Two views of an image close together, all images spread evenly over the unit sphere.
///
/// With y = z / |z|: loss = mean_i |y1_i - y2_i|^alpha + uniformity (u(Y1) + u(Y2)) / 2, where
/// u(Y) = log mean_{i < j} exp(-t |y_i - y_j|^2) over the images of all ranks. More than two views: the mean over all pairs.
///
/// Shapes     views: V x [N, D] -> []      N images per rank, D embedding width
/// Units      all dimensionless; alpha >= 1, t > 0, uniformity >= 0
/// Precision  reduced in float32 under autocast; float64 stays
/// Cost       O(W N^2 D) time, O(W N D) memory per view; gathers W N D numbers and W N sums per view
/// Randomness none
/// Errors     ConfigError for a setting out of range, fewer than two views, or views of different devices or types;
///            ShapeError for views of different shapes, not [N, D], or with fewer than two images over all ranks
/// Models     jessl::Loss (docs/loss/README.md)
/// Source     Wang and Isola, Understanding Contrastive Representation Learning through Alignment and Uniformity on the
///            Hypersphere, ICML 2020, arXiv 2005.10242, section 4 and figure 5
/// Differs    none for two views; the mean over pairs of views is ours
struct AlignmentUniformity {
  static constexpr std::string_view name = "AlignmentUniformity";

  double alpha = 2.0;       ///< power of the distance between views, >= 1
  double t = 2.0;           ///< how fast the repulsion of two images falls with their squared distance, > 0
  double uniformity = 1.0;  ///< weight of the uniformity, >= 0

  template <Communicator<torch::Tensor> Group = SingleProcess>
  [[nodiscard]] torch::Tensor operator()(const std::vector<torch::Tensor>& views, const Group& group = {}) const {
    check();
    detail::check_views_of_two_images(name, views, group);
    const Autocast full_precision(views[0].device().type(), Precision::float32);

    const auto local = detail::unit_rows(views);      // V x [N, D]
    const auto all = detail::gathered(local, group);  // V x [W*N, D]
    torch::Tensor total = detail::mean_over_pairs(views.size(), [&](std::size_t a, std::size_t b) {
      const auto squared = (local[a] - local[b]).square().sum(1);  // [N]
      // Equal views have the gradient 0; below alpha = 2 the power's own derivative would be infinite there.
      return alpha == 2 ? squared.mean() : squared.clamp_min(1e-24).pow(alpha / 2).mean();
    });
    tell_part("alignment", total);
    for (std::size_t v = 0; v < views.size(); ++v) {
      // |y_i - y_j|^2 = 2 - 2 <y_i, y_j>, and each pair i < j counts twice in the sum over all i != j.
      const auto sums = detail::log_sum_exp({local[v]}, {all[v]}, 2 * t, group.rank(), detail::Excluded::itself);
      const auto images = static_cast<double>(all[v].size(0));
      const auto log_mean = group.all_gather(sums[0][0]).logsumexp(0) - 2 * t - std::log(images * (images - 1));
      const auto spread = uniformity / static_cast<double>(views.size()) * log_mean;
      tell_part("uniformity", spread);
      total = total + spread;
    }
    return total;
  }

  template <Communicator<torch::Tensor> Group = SingleProcess>
  [[nodiscard]] torch::Tensor operator()(const torch::Tensor& z1, const torch::Tensor& z2,
                                         const Group& group = {}) const {
    return (*this)({z1, z2}, group);
  }

  void check() const {
    jessl::detail::check_setting(alpha >= 1, "loss", name, "alpha", alpha, "a finite number >= 1");
    jessl::detail::check_setting(t > 0, "loss", name, "t", t, "a finite number > 0");
    jessl::detail::check_setting(uniformity >= 0, "loss", name, "uniformity", uniformity, "a finite number >= 0");
  }
};

}  // namespace jessl::loss

JESSL_OPTIONS(jessl::loss::AlignmentUniformity, alpha, t, uniformity);
