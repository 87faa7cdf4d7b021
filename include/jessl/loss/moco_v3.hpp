// SPDX-License-Identifier: Apache-2.0
// MoCo v3: contrast with a momentum teacher's embeddings of the batch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include <jessl/core/autocast.hpp>
#include <jessl/core/communicator.hpp>
#include <jessl/core/detail/check_setting.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/loss/concept.hpp>
#include <jessl/loss/detail/log_sum_exp.hpp>
#include <jessl/loss/detail/targets.hpp>
#include <jessl/loss/detail/views.hpp>
#include <jessl/loss/predictor.hpp>
#include <jessl/loss/teacher.hpp>

namespace jessl::loss {

/// Momentum contrast without a queue: each prediction must find its image among the teacher's embeddings of the batch.
///
/// The batch is its supply of negatives: it wants large ones (1024 and more). With q = p / |p|, k = t / |t| and
/// s_ij = <q_i, k_j> / temperature over the W N targets of another view:
/// loss = 2 temperature (mean_i (log sum_j exp s1_ij - s1_ii) + mean_i (log sum_j exp s2_ij - s2_ii)), where s1 compares the
/// first view's predictions with the second one's targets, s2 the other way round. More views: twice the mean over all
/// targets and the predictions of other views than theirs.
///
/// Shapes     predictions: V x [N, D], targets: T x [N, D], T <= V, of the first T views -> []      N images per rank, D
///            embedding width
/// Units      temperature: dimensionless, > 0; those of Predictor and Teacher
/// Precision  reduced in float32 under autocast; float64 stays
/// Cost       O(T V W N^2 D) time, O((V + T W) N D) memory; gathers W N D numbers per target, without gradient
/// Randomness none
/// Errors     ConfigError for a setting out of range, fewer than two views, no targets or more than views, or tensors of
///            different devices or types; ShapeError for tensors of different shapes or not [N, D]
/// Models     jessl::Loss, with predictor and teacher (docs/loss/README.md)
/// Source     Chen, Xie and He, An Empirical Study of Training Self-Supervised Vision Transformers, ICCV 2021,
///            arXiv 2104.02057, algorithm 1
/// Differs    none for two views. The authors' code takes the temperature 1.0 for its ResNet-50 and 0.2 for its transformers
struct MoCoV3 {
  static constexpr std::string_view name = "MoCoV3";

  double temperature = 0.2;                                  ///< divides the cosine similarities; dimensionless, > 0
  Predictor predictor{.hidden = "4096"};                     ///< which makes the predictions
  Teacher teacher{.momentum = 0.99, .final_momentum = 1.0};  ///< which makes the targets

  template <Communicator<torch::Tensor> Group = SingleProcess>
  [[nodiscard]] torch::Tensor operator()(const std::vector<torch::Tensor>& predictions,
                                         const std::vector<torch::Tensor>& targets, const Group& group = {}) const {
    check();
    detail::check_views_and_targets(name, predictions, targets);
    const Autocast full_precision(predictions[0].device().type(), Precision::float32);

    const auto queries = detail::unit_rows(predictions);            // V x [N, D]
    const auto own = detail::unit_rows(detail::detached(targets));  // T x [N, D]
    const auto keys = detail::gathered(own, group);                 // T x [W*N, D]
    return 2 * detail::mean_over_targets(keys.size(), queries.size(), [&](std::size_t t, std::size_t v) {
             return 2 * temperature * detail::info_nce_among(queries[v], own[t], keys[t], temperature, group.rank());
           });
  }

  template <Communicator<torch::Tensor> Group = SingleProcess>
  [[nodiscard]] torch::Tensor operator()(const torch::Tensor& p1, const torch::Tensor& p2, const torch::Tensor& t1,
                                         const torch::Tensor& t2, const Group& group = {}) const {
    return (*this)({p1, p2}, {t1, t2}, group);
  }

  void check() const {
    predictor.check(name);
    jessl::detail::check_setting(temperature > 0, "loss", name, "temperature", temperature, "a finite number > 0");
    teacher.check(name);
  }
};

}  // namespace jessl::loss

JESSL_OPTIONS(jessl::loss::MoCoV3, temperature, predictor, teacher);
