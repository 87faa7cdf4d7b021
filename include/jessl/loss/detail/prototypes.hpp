// SPDX-License-Identifier: Apache-2.0
// Embeddings compared with prototypes: how these start, what losses check of them, and the cross-entropy with assignments.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/shape.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/loss/concept.hpp>
#include <jessl/loss/detail/first_order.hpp>
#include <jessl/loss/detail/state.hpp>

namespace jessl::loss::detail {

/// Fills [K, D] uniformly in +-1/sqrt(D), as LibTorch starts a linear layer. Drawn on the CPU in row order, so that device
/// and type of the target change nothing.
void draw_prototypes(torch::Tensor& target, std::uint64_t seed);

/// Checks that a state's prototypes [K, D] are those of settings with `expected` of them, and fit `view` [N, D].
template <class State>
void check_prototypes(std::string_view loss, const State& state, std::int64_t expected, const torch::Tensor& view) {
  check_state(loss, state, view);
  const torch::Tensor& prototypes = state->prototypes;
  JESSL_CHECK(prototypes.size(0) == expected, ConfigError, "jessl::loss::", loss, ": the state has ",
              prototypes.size(0), " prototypes, expected ", expected,
              " as in the settings; let make() of this loss make the state");
  JESSL_CHECK(prototypes.size(1) == view.size(1), ShapeError, "jessl::loss::", loss, ": views[0] is ", shape_of(view),
              ", expected [N, D] with D = ", prototypes.size(1), ", for which the state was made");
}

/// Checks that prototypes which stay as they are for so long learn within the run.
void check_frozen(std::string_view loss, double freeze_epochs, const BatchShape& batch);

/// The mean cross-entropy between the softmax of <y_v, p> / temperature and the assignments of the other views.
///
/// mean over (i, v), v != i, and n of -sum_k q_ink log softmax_k(<y_vn, p_k> / temperature), for `views` y [V, N, D], `prototypes` p
/// [K, D] and `targets` q: T x [N, K], T <= V, the assignments of the first T views; each row sums to 1. The gradient is
/// computed with the value, view by view, so that memory is O(N K) and not O(V N K).
class PrototypeCrossEntropy : public torch::autograd::Function<PrototypeCrossEntropy> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context, const torch::Tensor& views,
                               const torch::Tensor& prototypes, const std::vector<torch::Tensor>& targets,
                               double temperature, bool learning);

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients);

 private:
  /// The sum of all targets but the one of view `left_out`; undefined where there is no other.
  [[nodiscard]] static torch::Tensor sum_without(const std::vector<torch::Tensor>& targets, std::size_t left_out);
};

/// PrototypeCrossEntropy, with a gradient where one is wanted.
[[nodiscard]] torch::Tensor prototype_cross_entropy(const torch::Tensor& views, const torch::Tensor& prototypes,
                                                    const std::vector<torch::Tensor>& targets, double temperature);

}  // namespace jessl::loss::detail

#if JESSL_DEFINITIONS

namespace jessl::loss::detail {

JESSL_INLINE void draw_prototypes(torch::Tensor& target, std::uint64_t seed) {
  const auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  const double bound = 1.0 / std::sqrt(static_cast<double>(target.size(1)));
  target.copy_(torch::empty(target.sizes(), torch::kFloat32).uniform_(-bound, bound, generator));
}

JESSL_INLINE void check_frozen(std::string_view loss, double freeze_epochs, const BatchShape& batch) {
  JESSL_CHECK(batch.epochs == 0 || freeze_epochs <= batch.last_epoch, ConfigError, "jessl::loss::", loss,
              ": freeze_epochs is ", freeze_epochs, " and the run has ", batch.epochs,
              " epochs, so that the prototypes would never learn; set freeze_epochs below that, 0 for a short run");
}

JESSL_INLINE torch::Tensor PrototypeCrossEntropy::forward(torch::autograd::AutogradContext* context,
                                                          const torch::Tensor& views, const torch::Tensor& prototypes,
                                                          const std::vector<torch::Tensor>& targets, double temperature,
                                                          bool learning) {
  const auto count = static_cast<std::size_t>(views.size(0));
  const auto pairs = static_cast<double>(targets.size() * (count - 1));
  const double share = 1 / (pairs * static_cast<double>(views.size(1)));  // of one image in one pair
  auto to_views = learning && views.requires_grad() ? torch::empty_like(views) : torch::Tensor();
  auto to_prototypes = learning && prototypes.requires_grad() ? torch::zeros_like(prototypes) : torch::Tensor();
  auto value = torch::zeros({}, views.options().requires_grad(false));
  torch::Tensor assigned;  // [N, K]: the sum of the targets that the view is compared with
  for (std::size_t v = 0; v < count; ++v) {
    if (v <= targets.size()) assigned = sum_without(targets, v);  // views without a target of their own have all
    const auto row = static_cast<std::int64_t>(v);
    if (!assigned.defined()) {
      if (to_views.defined()) to_views.select(0, row).zero_();
      continue;
    }
    const auto y = views.select(0, row);
    auto log_p = y.mm(prototypes.t()).div_(temperature).log_softmax(1);  // [N, K]
    value.sub_((assigned * log_p).sum(), share);
    if (!to_views.defined() && !to_prototypes.defined()) continue;
    const auto compared = static_cast<double>(targets.size() - (v < targets.size() ? 1 : 0));
    const auto to_scores = log_p.exp_().mul_(compared).sub_(assigned).mul_(share / temperature);
    if (to_views.defined()) to_views.select(0, row).copy_(to_scores.mm(prototypes));
    if (to_prototypes.defined()) to_prototypes.addmm_(to_scores.t(), y);
  }
  context->save_for_backward({to_views, to_prototypes});
  return value;
}

JESSL_INLINE torch::autograd::variable_list PrototypeCrossEntropy::backward(
    torch::autograd::AutogradContext* context, const torch::autograd::variable_list& gradients) {
  check_first_order();
  const auto saved = context->get_saved_variables();
  const auto scaled = [&](const torch::Tensor& x) { return x.defined() ? x * gradients[0] : torch::Tensor(); };
  return {scaled(saved[0]), scaled(saved[1]), {}, {}, {}};
}

JESSL_INLINE torch::Tensor PrototypeCrossEntropy::sum_without(const std::vector<torch::Tensor>& targets,
                                                              std::size_t left_out) {
  torch::Tensor sum;
  for (std::size_t i = 0; i < targets.size(); ++i) {
    if (i != left_out) sum = sum.defined() ? sum + targets[i] : targets[i];
  }
  return sum;
}

JESSL_INLINE torch::Tensor prototype_cross_entropy(const torch::Tensor& views, const torch::Tensor& prototypes,
                                                   const std::vector<torch::Tensor>& targets, double temperature) {
  return PrototypeCrossEntropy::apply(views, prototypes, targets, temperature, torch::GradMode::is_enabled());
}

}  // namespace jessl::loss::detail

#endif  // JESSL_DEFINITIONS
