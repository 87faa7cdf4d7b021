// SPDX-License-Identifier: Apache-2.0
// TiCo: transformation invariance and covariance contrast.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include <jessl/core/autocast.hpp>
#include <jessl/core/communicator.hpp>
#include <jessl/core/detail/check_setting.hpp>
#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/shape.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/loss/concept.hpp>
#include <jessl/loss/detail/state.hpp>
#include <jessl/loss/detail/targets.hpp>
#include <jessl/loss/detail/views.hpp>
#include <jessl/loss/parts.hpp>
#include <jessl/loss/teacher.hpp>

namespace jessl::loss {

/// What TiCo keeps from step to step.
///
/// Shapes     covariance: [D, D], float32 unless it is converted (`state->to(torch::kFloat64)`)
/// Errors     none
/// Models     none; it is the module that jessl::StatefulLoss asks for
/// Source     none
class TiCoStateImpl : public torch::nn::Cloneable<TiCoStateImpl> {
 public:
  explicit TiCoStateImpl(std::int64_t width);

  void reset() override { covariance = register_buffer("covariance", torch::zeros({width_, width_})); }

  /// Zeros, whatever the seed.
  void initialise(std::uint64_t) { covariance.zero_(); }

  torch::Tensor covariance{};  ///< [D, D], symmetric: the moving average of the embeddings' second moments

 private:
  std::int64_t width_;
};
TORCH_MODULE(TiCoState);

/// Transformation invariance and covariance contrast: each view close to the momentum teacher's embedding of another one, and
/// away from the directions in which embeddings have lain.
///
/// The moving average stands for a memory of all batches past: small batches do. With y = z / |z| of the rows of all views
/// and t those of the targets: C <- beta C + (1 - beta) mean_i y_i y_i^T, over the images of all ranks, without gradient;
/// then loss = 1 - mean <y, t> + rho mean_i y_i^T C y_i, where <y, t> goes over all targets and the embeddings of other views
/// than theirs. Each call changes the state.
///
/// Shapes     views: V x [N, D], targets: T x [N, D], T <= V, of the first T views, state for width D -> []      N images per
///            rank, D embedding width
/// Units      beta in [0, 1], rho >= 0: dimensionless; those of Teacher
/// Precision  reduced in float32 under autocast; float64 stays, but for the covariance, which has its own type
/// Cost       O(V N D^2) time, O((T + V) N D) memory beside the D x D covariance and as much again for its update, which is
///            what the ranks communicate
/// Randomness none
/// Errors     ConfigError for a setting out of range, fewer than two views, no targets or more than views, tensors of
///            different devices or types, an empty state, or make() of a width below 1; ShapeError for tensors of different
///            shapes or not [N, D], or a state of another width
/// Models     jessl::Loss, with teacher and state (docs/loss/README.md)
/// Source     Zhu et al., TiCo: Transformation Invariance and Covariance Contrast for Self-Supervised Visual Representation
///            Learning, 2022, arXiv 2206.10698; the value is that of lightly's TiCoLoss, beta and rho are its ImageNet benchmark's
/// Differs    views and targets both ways round share one update of C, where lightly's loss takes one direction a call; C is a
///            constant to the gradient, the batch's own share of it too. The 1 is lightly's, the teacher's default momentum BYOL's
struct TiCo {
  static constexpr std::string_view name = "TiCo";

  double beta = 0.9;  ///< share of itself that the covariance keeps in a step, in [0, 1]
  double rho = 8.0;   ///< weight of the covariance term, >= 0
  Teacher teacher{};  ///< which makes the targets

  /// The state for embeddings of a width.
  [[nodiscard]] TiCoState make(std::int64_t width) const;

  template <Communicator<torch::Tensor> Group = SingleProcess>
  [[nodiscard]] torch::Tensor operator()(const std::vector<torch::Tensor>& views,
                                         const std::vector<torch::Tensor>& targets, TiCoState state,
                                         const Group& group = {}) const {
    check();
    detail::check_views_and_targets(name, views, targets);
    check_state(state, views[0]);
    const Autocast full_precision(views[0].device().type(), Precision::float32);

    const auto unit = detail::unit_rows(views);  // V x [N, D]
    const auto cosine = detail::mean_cosine(unit, detail::unit_rows(detail::detached(targets)));
    return sum_of(1 - cosine, rho * contrast(torch::cat(unit), state, group));
  }

  /// One direction of two views: `z1` is what is penalised, `z2` what it shall be like. Both have a gradient, where they ask
  /// for one. Without a state: the first step.
  template <Communicator<torch::Tensor> Group = SingleProcess>
  [[nodiscard]] torch::Tensor operator()(const torch::Tensor& z1, const torch::Tensor& z2, TiCoState state,
                                         const Group& group = {}) const {
    check();
    const std::vector<torch::Tensor> views{z1, z2};
    detail::check_views(name, views, 1);
    check_state(state, z1);
    const Autocast full_precision(z1.device().type(), Precision::float32);

    const auto unit = detail::unit_rows(views);  // 2 x [N, D]
    return sum_of(1 - (unit[0] * unit[1]).sum(1).mean(), rho * contrast(unit[0], state, group));
  }

  template <Communicator<torch::Tensor> Group = SingleProcess>
  [[nodiscard]] torch::Tensor operator()(const torch::Tensor& z1, const torch::Tensor& z2,
                                         const Group& group = {}) const {
    detail::check_views(name, {z1, z2}, 1);
    TiCoState state = make(z1.size(1));
    state->to(z1.device(), z1.scalar_type() == torch::kFloat64 ? torch::kFloat64 : torch::kFloat32);
    return (*this)(z1, z2, state, group);
  }

  void check() const;

 private:
  [[nodiscard]] static torch::Tensor sum_of(const torch::Tensor& invariance, const torch::Tensor& covariance);

  static void check_state(const TiCoState& state, const torch::Tensor& view);

  /// The mean of y^T C y over the unit rows y [M, D], with the gradient of a constant C, which moves on before.
  template <class Group>
  [[nodiscard]] torch::Tensor contrast(const torch::Tensor& rows, const TiCoState& state, const Group& group) const {
    const auto fixed = rows.detach();
    auto projected = fixed;
    {
      const torch::NoGradGuard no_grad;
      torch::Tensor covariance = state->covariance;
      const auto own = fixed.to(covariance.scalar_type());  // [M, D]
      const auto moments = own.t().mm(own).div_(own.size(0));
      covariance.mul_(beta).add_(group.all_reduce_mean(moments), 1 - beta);
      projected = own.mm(covariance).to(rows.scalar_type());
    }
    // The gradient of y^T C y is 2 C y, twice what autograd sees in <y, C y> with a constant second factor. So written, the
    // graph keeps [M, D] numbers, and not C, which the next call will change.
    const auto value = (rows * projected).sum(1).mean();
    return 2 * value - value.detach();
  }
};
static_assert(StatefulLoss<TiCo> && TaughtLoss<TiCo>);

}  // namespace jessl::loss

JESSL_OPTIONS(jessl::loss::TiCo, beta, rho, teacher);

#if JESSL_DEFINITIONS

namespace jessl::loss {

JESSL_INLINE TiCoStateImpl::TiCoStateImpl(std::int64_t width) : width_(width) { reset(); }

JESSL_INLINE torch::Tensor TiCo::sum_of(const torch::Tensor& invariance, const torch::Tensor& covariance) {
  tell_part("invariance", invariance);
  tell_part("covariance", covariance);
  return invariance + covariance;
}

JESSL_INLINE TiCoState TiCo::make(std::int64_t width) const {
  JESSL_CHECK(width >= 1, ConfigError, "jessl::loss::TiCo.make: width is ", width, ", expected >= 1");
  return TiCoState(width);
}

JESSL_INLINE void TiCo::check() const {
  jessl::detail::check_setting(beta >= 0 && beta <= 1, "loss", name, "beta", beta, "a number in [0, 1]");
  jessl::detail::check_setting(rho >= 0, "loss", name, "rho", rho, "a finite number >= 0");
  teacher.check(name);
}

JESSL_INLINE void TiCo::check_state(const TiCoState& state, const torch::Tensor& view) {
  detail::check_state(name, state, view);
  const torch::Tensor& covariance = state->covariance;
  JESSL_CHECK(covariance.size(0) == view.size(1), ShapeError, "jessl::loss::TiCo: the state's covariance is ",
              shape_of(covariance), ", expected [D, D] with D = ", view.size(1), ", the width of views[0]");
}

}  // namespace jessl::loss

#endif  // JESSL_DEFINITIONS
