// SPDX-License-Identifier: Apache-2.0
// The decoupled contrastive loss.
#pragma once

#include <string_view>
#include <utility>
#include <vector>

#include <jessl/core/communicator.hpp>
#include <jessl/core/detail/check_setting.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/loss/against.hpp>
#include <jessl/loss/concept.hpp>
#include <jessl/loss/detail/contrastive.hpp>
#include <jessl/loss/detail/views.hpp>

namespace jessl::loss {

/// NT-Xent without the positive in its denominator, which lets small batches learn as fast as large ones.
///
/// With y = z / |z| and s_ij = <y_i, y_j> / temperature over the 2 W N embeddings of a pair of views:
/// loss = mean_i ( log sum_j exp s_ij - s_ip ), p the other view of i, j over the rows of all other images. More than two
/// views: the mean over all pairs. It has no lower bound at 0.
///
/// Shapes     views: V x [N, D] -> []      N images per rank, D embedding width
/// Units      temperature: dimensionless, > 0
/// Precision  reduced in float32 under autocast; float64 stays
/// Cost       O(V^2 W N^2 D) time, O(V W N D) memory: pairs of views share their similarities; gathers W N D numbers per view
/// Randomness none
/// Errors     ConfigError for a setting out of range, fewer than two views, or views of different devices or types;
///            ShapeError for views of different shapes, not [N, D], or with fewer than two images over all ranks
/// Models     jessl::Loss (docs/loss/README.md)
/// Source     Yeh et al., Decoupled Contrastive Learning, ECCV 2022, arXiv 2110.06848, equation 5
/// Differs    none for two views; the mean over pairs of views is ours
struct DCL {
  static constexpr std::string_view name = "DCL";

  double temperature = 0.1;  ///< divides the cosine similarities; dimensionless, > 0

  template <Communicator<torch::Tensor> Group = SingleProcess>
  [[nodiscard]] torch::Tensor operator()(const std::vector<torch::Tensor>& views, const Group& group = {}) const {
    check();
    detail::check_views_of_two_images(name, views, group);
    return detail::contrast_in_batch(*this, views, group);
  }

  template <Communicator<torch::Tensor> Group = SingleProcess>
  [[nodiscard]] torch::Tensor operator()(const torch::Tensor& z1, const torch::Tensor& z2,
                                         const Group& group = {}) const {
    return (*this)({z1, z2}, group);
  }

  /// The same loss with negatives from elsewhere (docs/loss/against.md).
  template <class N>
  [[nodiscard]] Against<DCL, N> against(N negatives) const {
    return {*this, std::move(negatives)};
  }

  /// The loss of one pair of views: of the similarity of each image's two rows, [N], and of the log sum exp of each row's
  /// similarities to its negatives, [2, N], both over the temperature.
  template <class Group>
  [[nodiscard]] torch::Tensor of_pair(const torch::Tensor& positive, const torch::Tensor& negatives,
                                      const Group&) const {
    return (negatives - positive).mean();
  }

  void check() const {
    jessl::detail::check_setting(temperature > 0, "loss", name, "temperature", temperature, "a finite number > 0");
  }
};

}  // namespace jessl::loss

JESSL_OPTIONS(jessl::loss::DCL, temperature);
