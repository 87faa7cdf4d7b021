// SPDX-License-Identifier: Apache-2.0
// SimSiam: predict one's own embedding of another view.
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

namespace jessl::loss {

/// Simple Siamese learning: BYOL with the network itself for a teacher.
///
/// Neither negatives nor a teacher: small batches do, and a run needs one network. What keeps it from collapsing is that the
/// targets have no gradient. loss = (mean_i -cos(p1_i, t2_i) + mean_i -cos(p2_i, t1_i)) / 2, in [-1, 1], where t is what the
/// prediction p is made from, without gradient. More views: the mean over all targets and the predictions of other views
/// than theirs.
///
/// Shapes     predictions: V x [N, D], targets: T x [N, D], T <= V, of the first T views -> []      N images per rank, D
///            embedding width
/// Units      none of its own; those of Predictor
/// Precision  reduced in float32 under autocast; float64 stays
/// Cost       O(T V N D) time, O((T + V) N D) memory; communicates nothing
/// Randomness none
/// Errors     ConfigError for fewer than two views, no targets or more than views, or tensors of different devices or types;
///            ShapeError for tensors of different shapes or not [N, D]
/// Models     jessl::Loss, with predictor (docs/loss/README.md)
/// Source     Chen and He, Exploring Simple Siamese Representation Learning, CVPR 2021, arXiv 2011.10566, equations 2 to 4;
///            section 4.2 for the predictor's constant learning rate
/// Differs    none for two views; the mean over pairs of views is ours
struct SimSiam {
  static constexpr std::string_view name = "SimSiam";

  Predictor predictor{.hidden = "512", .output_bias = true, .constant_lr = true};  ///< which makes the predictions

  template <Communicator<torch::Tensor> Group = SingleProcess>
  [[nodiscard]] torch::Tensor operator()(const std::vector<torch::Tensor>& predictions,
                                         const std::vector<torch::Tensor>& targets, const Group& = {}) const {
    check();
    detail::check_views_and_targets(name, predictions, targets);
    const Autocast full_precision(predictions[0].device().type(), Precision::float32);
    return -detail::mean_cosine(detail::unit_rows(predictions), detail::unit_rows(detail::detached(targets)));
  }

  template <Communicator<torch::Tensor> Group = SingleProcess>
  [[nodiscard]] torch::Tensor operator()(const torch::Tensor& p1, const torch::Tensor& p2, const torch::Tensor& t1,
                                         const torch::Tensor& t2, const Group& group = {}) const {
    return (*this)({p1, p2}, {t1, t2}, group);
  }

  void check() const { predictor.check(name); }
};

}  // namespace jessl::loss

JESSL_OPTIONS(jessl::loss::SimSiam, predictor);
