// SPDX-License-Identifier: Apache-2.0
// BYOL: predict what a momentum teacher makes of another view.
#pragma once

#include <string_view>
#include <vector>

#include <jessl/core/autocast.hpp>
#include <jessl/core/communicator.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/loss/concept.hpp>
#include <jessl/loss/detail/targets.hpp>
#include <jessl/loss/detail/views.hpp>
#include <jessl/loss/predictor.hpp>
#include <jessl/loss/teacher.hpp>

namespace jessl::loss {

/// Bootstrap your own latent: each view's prediction close to the momentum teacher's embedding of another view.
///
/// No negatives: small batches do. What keeps it from collapsing is the predictor and the slow teacher, not the loss, whose
/// value says little about the representation. loss = mean_i (2 - 2 cos(p1_i, t2_i)) + mean_i (2 - 2 cos(p2_i, t1_i)), in
/// [0, 8]. More views: twice the mean over all targets and the predictions of other views than theirs.
///
/// Shapes     predictions: V x [N, D], targets: T x [N, D], T <= V, of the first T views -> []      N images per rank, D
///            embedding width
/// Units      none of its own; those of Predictor and Teacher
/// Precision  reduced in float32 under autocast; float64 stays
/// Cost       O(T V N D) time, O((T + V) N D) memory; communicates nothing
/// Randomness none
/// Errors     ConfigError for a setting out of range, fewer than two views, no targets or more than views, or tensors of
///            different devices or types; ShapeError for tensors of different shapes or not [N, D]
/// Models     jessl::Loss, with predictor and teacher (docs/loss/README.md)
/// Source     Grill et al., Bootstrap Your Own Latent: A New Approach to Self-Supervised Learning, NeurIPS 2020,
///            arXiv 2006.07733, equation 2 and section 3.1
/// Differs    none for two views; others halve the sum, or leave out the 2
struct BYOL {
  static constexpr std::string_view name = "BYOL";

  Predictor predictor{.hidden = "4096"};                      ///< which makes the predictions
  Teacher teacher{.momentum = 0.996, .final_momentum = 1.0};  ///< which makes the targets

  template <Communicator<torch::Tensor> Group = SingleProcess>
  [[nodiscard]] torch::Tensor operator()(const std::vector<torch::Tensor>& predictions,
                                         const std::vector<torch::Tensor>& targets, const Group& = {}) const {
    check();
    detail::check_views_and_targets(name, predictions, targets);
    const Autocast full_precision(predictions[0].device().type(), Precision::float32);
    return 4 - 4 * detail::mean_cosine(detail::unit_rows(predictions), detail::unit_rows(detail::detached(targets)));
  }

  template <Communicator<torch::Tensor> Group = SingleProcess>
  [[nodiscard]] torch::Tensor operator()(const torch::Tensor& p1, const torch::Tensor& p2, const torch::Tensor& t1,
                                         const torch::Tensor& t2, const Group& group = {}) const {
    return (*this)({p1, p2}, {t1, t2}, group);
  }

  void check() const {
    predictor.check(name);
    teacher.check(name);
  }
};

}  // namespace jessl::loss

JESSL_OPTIONS(jessl::loss::BYOL, predictor, teacher);
