// SPDX-License-Identifier: Apache-2.0
// The decoupled contrastive loss with weighted positives.
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

/// DCL that asks more of the positives that lie far apart.
///
/// As DCL, but with the positive weighted: loss = mean_i ( log sum_j exp s_ij - w_i s_ip ), where
/// w = 2 - exp(<y1, y2> / sigma) / mean exp(<y1, y2> / sigma) over the images of all ranks, without a gradient. More than
/// two views: the mean over all pairs.
///
/// Shapes     views: V x [N, D] -> []      N images per rank, D embedding width
/// Units      temperature, sigma: dimensionless, > 0
/// Precision  reduced in float32 under autocast; float64 stays
/// Cost       O(V^2 W N^2 D) time, O(V W N D) memory: pairs of views share their similarities; gathers W N D
///            numbers per view and W N per pair
/// Randomness none
/// Errors     ConfigError for a setting out of range, fewer than two views, or views of different devices or types;
///            ShapeError for views of different shapes, not [N, D], or with fewer than two images over all ranks
/// Models     jessl::Loss (docs/loss/README.md)
/// Source     Yeh et al., Decoupled Contrastive Learning, ECCV 2022, arXiv 2110.06848, equation 6 and section 3.3
/// Differs    none for two views; the mean over pairs of views is ours
struct DCLW {
  static constexpr std::string_view name = "DCLW";

  double temperature = 0.1;  ///< divides the cosine similarities; dimensionless, > 0
  double sigma = 0.5;        ///< divides the cosine similarities in the weights; dimensionless, > 0

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
  [[nodiscard]] Against<DCLW, N> against(N negatives) const {
    return {*this, std::move(negatives)};
  }

  /// The loss of one pair of views: of the similarity of each image's two rows, [N], and of the log sum exp of each row's
  /// similarities to its negatives, [2, N], both over the temperature.
  template <class Group>
  [[nodiscard]] torch::Tensor of_pair(const torch::Tensor& positive, const torch::Tensor& negatives,
                                      const Group& group) const {
    const auto likeness = detail::gathered(positive.detach(), group) * (temperature / sigma);  // [W*N]
    const auto images = positive.size(0);
    const auto weights =
        (2 - static_cast<double>(likeness.size(0)) * likeness.softmax(0)).narrow(0, group.rank() * images, images);
    return (negatives - weights * positive).mean();
  }

  void check() const {
    jessl::detail::check_setting(temperature > 0, "loss", name, "temperature", temperature, "a finite number > 0");
    jessl::detail::check_setting(sigma > 0, "loss", name, "sigma", sigma, "a finite number > 0");
  }
};

}  // namespace jessl::loss

JESSL_OPTIONS(jessl::loss::DCLW, temperature, sigma);
