// SPDX-License-Identifier: Apache-2.0
// SimCLR's contrastive loss.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

#include <jessl/core/autocast.hpp>
#include <jessl/core/communicator.hpp>
#include <jessl/core/detail/check_setting.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/loss/concept.hpp>
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
/// Cost       O(W N^2 D) time, O(W N^2) memory per pair of views; gathers W N D numbers per view
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

    std::vector<torch::Tensor> local, all;  // V x [N, D], V x [W*N, D]
    for (const torch::Tensor& z : detail::in_full_precision(views)) {
      local.push_back(unit_rows(z));
      all.push_back(group.all_gather(local.back()));
    }
    torch::Tensor total;
    for (std::size_t a = 0; a < views.size(); ++a) {
      for (std::size_t b = a + 1; b < views.size(); ++b) {
        const auto value = pair(local[a], local[b], all[a], all[b], group.rank());
        total = total.defined() ? total + value : value;
      }
    }
    const auto pairs = static_cast<double>(views.size() * (views.size() - 1) / 2);
    return total / pairs;
  }

  template <class Group = SingleProcess>
  [[nodiscard]] torch::Tensor operator()(const torch::Tensor& z1, const torch::Tensor& z2,
                                         const Group& group = {}) const {
    return (*this)(std::vector<torch::Tensor>{z1, z2}, group);
  }

  void check() const {
    jessl::detail::check_setting(temperature > 0, "loss", name, "temperature", temperature, "a finite number > 0");
  }

 private:
  /// Rows divided by their length; a row of zeros stays zero.
  [[nodiscard]] static torch::Tensor unit_rows(const torch::Tensor& z) {
    return z / z.norm(2, /*dim=*/1, /*keepdim=*/true).clamp_min(1e-12);
  }

  /// The loss of two views: the rows of this rank against those of all ranks.
  ///
  /// log sum_{j != i} exp s_ij - s_ip is softplus(log sum_{negatives} exp(s_ij - s_ip)): so written, a small loss is
  /// not the difference of two large numbers, and value and gradient keep their digits in float32.
  [[nodiscard]] torch::Tensor pair(const torch::Tensor& a, const torch::Tensor& b, const torch::Tensor& all_a,
                                   const torch::Tensor& all_b, std::int64_t rank) const {
    const auto rows = a.size(0);
    const auto all_rows = all_a.size(0);
    const auto anchors = torch::cat({a, b}) / temperature;     // [2N, D]
    auto logits = anchors.mm(torch::cat({all_a, all_b}).t());  // [2N, 2WN]
    if (all_rows == 1) return 0 * logits.sum();                // no negatives

    // What is not a negative: a row itself and its other view, for row i of either half the columns i and i + WN.
    const auto own = rank * rows + torch::arange(rows, logits.options().dtype(torch::kInt64).requires_grad(false));
    logits.scatter_(1, torch::stack({own, own + all_rows}, 1).repeat({2, 1}), -std::numeric_limits<double>::infinity());
    const auto positive = ((a * b).sum(1) / temperature).repeat(2);  // [2N]
    return torch::softplus(logits.logsumexp(1) - positive).mean();
  }
};

}  // namespace jessl::loss

BOOST_HANA_ADAPT_STRUCT(jessl::loss::NTXent, temperature);
