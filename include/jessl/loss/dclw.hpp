// SPDX-License-Identifier: Apache-2.0
// The decoupled contrastive loss with weighted positives.
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

/// DCL that asks more of the positives that lie far apart.
///
/// As DCL, but with the positive weighted: loss = mean_i ( log sum_j exp s_ij - w_i s_ip ), where
/// w = 2 - exp(<y1, y2> / sigma) / mean exp(<y1, y2> / sigma) over the images of all ranks, without a gradient. More than
/// two views: the mean over all pairs.
///
/// Shapes     views: V x [N, D] -> []      N images per rank, D embedding width
/// Units      temperature, sigma: dimensionless, > 0
/// Precision  reduced in float32 under autocast; float64 stays
/// Cost       O(W N^2 D) time, O(W N D) memory per pair of views; gathers W N D numbers per view
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

  template <class Group = SingleProcess>
  [[nodiscard]] torch::Tensor operator()(const std::vector<torch::Tensor>& views, const Group& group = {}) const {
    check();
    detail::check_views(name, views, group.size() > 1 ? 1 : 2);
    const Autocast full_precision(views[0].device().type(), Precision::float32);

    const auto local = detail::unit_rows(views);      // V x [N, D]
    const auto all = detail::gathered(local, group);  // V x [W*N, D]
    return detail::mean_over_pairs(views.size(), [&](std::size_t a, std::size_t b) {
      const auto [positive, negatives] =
          detail::contrast(local[a], local[b], all[a], all[b], temperature, group.rank());
      const auto likeness = (all[a] * all[b]).detach().sum(1) / sigma;  // [W*N]
      const auto images = likeness.size(0);
      const auto weights = (2 - static_cast<double>(images) * likeness.softmax(0))
                               .narrow(0, group.rank() * positive.size(0), positive.size(0));
      return (negatives - weights * positive).mean();
    });
  }

  template <class Group = SingleProcess>
  [[nodiscard]] torch::Tensor operator()(const torch::Tensor& z1, const torch::Tensor& z2,
                                         const Group& group = {}) const {
    return (*this)(std::vector<torch::Tensor>{z1, z2}, group);
  }

  void check() const {
    jessl::detail::check_setting(temperature > 0, "loss", name, "temperature", temperature, "a finite number > 0");
    jessl::detail::check_setting(sigma > 0, "loss", name, "sigma", sigma, "a finite number > 0");
  }
};

}  // namespace jessl::loss

BOOST_HANA_ADAPT_STRUCT(jessl::loss::DCLW, temperature, sigma);
