// SPDX-License-Identifier: Apache-2.0
// SimCLR's contrastive loss.
#pragma once

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
/// Cost       O(W N^2 D) time, O(W N D) memory per pair of views; gathers W N D numbers per view
/// Randomness none
/// Errors     ConfigError for a temperature that is not > 0, fewer than two views, or views of different devices or
///            types; ShapeError for views of different shapes or not [N, D]
/// Models     jessl::Loss (docs/loss/README.md)
/// Source     Chen et al., A Simple Framework for Contrastive Learning of Visual Representations, ICML 2020,
///            arXiv 2002.05709, equation 1
/// Differs    none for two views; the mean over pairs of views is ours
struct NTXent {
  static constexpr std::string_view name = "NTXent";

  double temperature = 0.5;  ///< divides the cosine similarities; dimensionless, > 0

  template <class Group = SingleProcess>
  [[nodiscard]] torch::Tensor operator()(const std::vector<torch::Tensor>& views, const Group& group = {}) const {
    check();
    detail::check_views(name, views, 1);
    const Autocast full_precision(views[0].device().type(), Precision::float32);

    const auto local = detail::unit_rows(views);      // V x [N, D]
    const auto all = detail::gathered(local, group);  // V x [W*N, D]
    return detail::mean_over_pairs(views.size(), [&](std::size_t a, std::size_t b) -> torch::Tensor {
      if (all[a].size(0) == 1) return 0 * (local[a] + local[b]).sum();  // no negatives
      const auto [positive, negatives] =
          detail::contrast(local[a], local[b], all[a], all[b], temperature, group.rank());
      // log sum_{j != i} exp s_ij - s_ip is log(1 + exp(negatives - s_ip)), a log sigmoid: so written, a small loss is
      // not the difference of two large numbers, and value and gradient keep their digits in float32.
      return -at::log_sigmoid(positive - negatives).mean();
    });
  }

  template <class Group = SingleProcess>
  [[nodiscard]] torch::Tensor operator()(const torch::Tensor& z1, const torch::Tensor& z2,
                                         const Group& group = {}) const {
    return (*this)(std::vector<torch::Tensor>{z1, z2}, group);
  }

  void check() const {
    jessl::detail::check_setting(temperature > 0, "loss", name, "temperature", temperature, "a finite number > 0");
  }
};

}  // namespace jessl::loss

BOOST_HANA_ADAPT_STRUCT(jessl::loss::NTXent, temperature);
