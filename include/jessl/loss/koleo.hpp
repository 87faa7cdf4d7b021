// SPDX-License-Identifier: Apache-2.0
// KoLeo: the Kozachenko-Leonenko entropy of the embeddings.
#pragma once

#include <string_view>
#include <vector>

#include <jessl/core/autocast.hpp>
#include <jessl/core/communicator.hpp>
#include <jessl/core/detail/check_setting.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/loss/concept.hpp>
#include <jessl/loss/detail/nearest.hpp>
#include <jessl/loss/detail/views.hpp>

namespace jessl::loss {

/// Pushes each embedding away from its nearest neighbour, so that the batch fills the sphere.
///
/// A regulariser, to be added to another loss (DINOv2 adds it with weight 0.1 to each view): it doesn't compare views.
/// With y = z / |z|: loss = -mean_i log( min_{j != i} |y_i - y_j| + epsilon ), per view over the images of all ranks,
/// then the mean over the views.
///
/// Shapes     views: V x [N, D] -> []      N images per rank, D embedding width
/// Units      epsilon: dimensionless, > 0
/// Precision  reduced in float32 under autocast; float64 stays
/// Cost       O(W N^2 D) time, O(W N D) memory per view: neighbours are sought in blocks; gathers W N D numbers per view
/// Randomness none
/// Errors     ConfigError for a setting out of range, fewer than two views, or views of different devices or types;
///            ShapeError for views of different shapes, not [N, D], or with fewer than two images over all ranks
/// Models     jessl::Loss (docs/loss/README.md)
/// Source     Sablayrolles et al., Spreading vectors for similarity search, ICLR 2019, arXiv 1806.03198, equation 2;
///            epsilon as in DINOv2, Oquab et al., arXiv 2304.07193
/// Differs    DINOv2's code adds epsilon to each coordinate's difference as well, and looks for neighbours on its own rank only
struct KoLeo {
  static constexpr std::string_view name = "KoLeo";

  double epsilon = 1e-8;  ///< added to the distance below the logarithm, > 0

  template <Communicator<torch::Tensor> Group = SingleProcess>
  [[nodiscard]] torch::Tensor operator()(const std::vector<torch::Tensor>& views, const Group& group = {}) const {
    check();
    detail::check_views_of_two_images(name, views, group);
    const Autocast full_precision(views[0].device().type(), Precision::float32);

    torch::Tensor total;
    for (const torch::Tensor& z : detail::in_full_precision(views)) {
      const auto local = detail::unit_rows(z);
      const auto all = detail::gathered(local, group);
      const auto neighbours =
          all.index_select(0, detail::nearest(local.detach(), all.detach(), group.rank() * local.size(0)));
      const auto value = -((local - neighbours).norm(2, /*dim=*/1) + epsilon).log().mean();
      total = total.defined() ? total + value : value;
    }
    return total / static_cast<double>(views.size());
  }

  template <Communicator<torch::Tensor> Group = SingleProcess>
  [[nodiscard]] torch::Tensor operator()(const torch::Tensor& z1, const torch::Tensor& z2,
                                         const Group& group = {}) const {
    return (*this)({z1, z2}, group);
  }

  void check() const {
    jessl::detail::check_setting(epsilon > 0, "loss", name, "epsilon", epsilon, "a finite number > 0");
  }
};

}  // namespace jessl::loss

JESSL_OPTIONS(jessl::loss::KoLeo, epsilon);
