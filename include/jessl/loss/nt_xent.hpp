// SPDX-License-Identifier: Apache-2.0
// SimCLR's contrastive loss.
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

/// Normalised temperature-scaled cross-entropy: each embedding must find its other view in the whole batch.
///
/// SimCLR's loss; it wants large batches (256 and more), since the batch is its supply of negatives.
/// With y = z / |z| and s_ij = <y_i, y_j> / temperature over the 2 W N embeddings of a pair of views:
/// loss = mean_i ( log sum_{j != i} exp s_ij - s_ip ), p the other view of i. More than two views: the mean over all
/// pairs.
///
/// Shapes     views: V x [N, D] -> []      N images per rank, D embedding width
/// Units      temperature: dimensionless, > 0
/// Precision  reduced in float32 under autocast; float64 stays
/// Cost       O(V^2 W N^2 D) time, O(V W N D) memory: pairs of views share their similarities; gathers W N D numbers per view
/// Randomness none
/// Errors     ConfigError for a temperature that is not > 0, fewer than two views, or views of different devices or
///            types; ShapeError for views of different shapes or not [N, D]
/// Models     jessl::Loss (docs/loss/README.md)
/// Source     Chen et al., A Simple Framework for Contrastive Learning of Visual Representations, ICML 2020,
///            arXiv 2002.05709, equation 1
/// Differs    none for two views; the mean over pairs of views is ours
struct NTXent {
  static constexpr std::string_view name = "NTXent";
  static constexpr bool needs_negatives = true;  // without any it is 0

  double temperature = 0.5;  ///< divides the cosine similarities; dimensionless, > 0

  template <Communicator<torch::Tensor> Group = SingleProcess>
  [[nodiscard]] torch::Tensor operator()(const std::vector<torch::Tensor>& views, const Group& group = {}) const {
    check();
    detail::check_views(name, views, 1);
    const bool alone = group.size() == 1 && views[0].size(0) == 1;  // no negatives
    if (alone) return 0 * torch::stack(detail::unit_rows(views)).sum();
    return detail::contrast_in_batch(*this, views, group);
  }

  template <Communicator<torch::Tensor> Group = SingleProcess>
  [[nodiscard]] torch::Tensor operator()(const torch::Tensor& z1, const torch::Tensor& z2,
                                         const Group& group = {}) const {
    return (*this)({z1, z2}, group);
  }

  /// The same loss with negatives from elsewhere (docs/loss/against.md).
  template <class N>
  [[nodiscard]] Against<NTXent, N> against(N negatives) const {
    return {*this, std::move(negatives)};
  }

  /// The loss of one pair of views: of the similarity of each image's two rows, [N], and of the log sum exp of each row's
  /// similarities to its negatives, [2, N], both over the temperature.
  template <class Group>
  [[nodiscard]] torch::Tensor of_pair(const torch::Tensor& positive, const torch::Tensor& negatives,
                                      const Group&) const {
    return detail::info_nce(positive, negatives);
  }

  void check() const {
    jessl::detail::check_setting(temperature > 0, "loss", name, "temperature", temperature, "a finite number > 0");
  }
};

}  // namespace jessl::loss

JESSL_OPTIONS(jessl::loss::NTXent, temperature);
