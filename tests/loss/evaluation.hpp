// SPDX-License-Identifier: Apache-2.0
// Calls any loss as a trainer does, with made-up embeddings for all that it asks for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <catch2/catch.hpp>

#include <jessl/core/communicator.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/loss/concept.hpp>
#include <loss/reference.hpp>

namespace jessl::test {

/// The default of a loss, but what it keeps from step to step is small, and so are random draws.
template <class L>
[[nodiscard]] L small_loss() {
  L loss;
  if constexpr (requires { loss.queue_size; }) loss.queue_size = 24;  // twice and four times the batches of the laws
  if constexpr (requires { loss.queue_epoch; }) loss.queue_epoch = 1;
  if constexpr (requires { loss.prototypes; }) loss.prototypes = 7;
  if constexpr (requires { loss.slices; }) loss.slices = 16;
  return loss;
}

/// Embeddings of `rows` images: `views` views, and what else the loss `L` asks for, a target for each view among it.
template <class L>
[[nodiscard]] loss::Embedded example(std::int64_t rows, std::int64_t width, std::size_t views = 2, double phase = 0,
                                     torch::ScalarType type = torch::kFloat64) {
  loss::Embedded given;
  for (std::size_t v = 0; v < views; ++v) {
    const double own = phase + static_cast<double>(v);
    given.views.push_back(embeddings(rows, width, own).to(type));
    if constexpr (TargetedLoss<L>) given.targets.push_back(embeddings(rows, width, own + 0.3).to(type));
  }
  if constexpr (ImagesLoss<L>) given.images = embeddings(3, width, phase + 5).to(type);
  return given;
}

/// The same with change(tensor) in place of each view and each target.
template <class Change>
[[nodiscard]] loss::Embedded changed(loss::Embedded given, const Change& change) {
  for (torch::Tensor& view : given.views) view = change(view);
  for (torch::Tensor& target : given.targets) target = change(target);
  return given;
}

/// The views with gradients, as leaves; targets and the rest as they are.
[[nodiscard]] inline loss::Embedded with_leaves(loss::Embedded given) {
  for (torch::Tensor& view : given.views) view = view.detach().clone().requires_grad_();
  return given;
}

/// The parameters and buffers of a loss's state; nothing for a loss without one.
template <class State>
[[nodiscard]] std::vector<torch::Tensor> tensors_of(const State& state) {
  std::vector<torch::Tensor> all;
  if constexpr (requires { state.ptr(); }) {
    all = state.ptr()->parameters();
    for (const torch::Tensor& buffer : state.ptr()->buffers()) all.push_back(buffer);
  }
  return all;
}

/// The state of a loss as it is after a step, the same each time; its real numbers are of `type`.
template <class L>
[[nodiscard]] loss::StateOrNone<L> used_state(const L& loss, std::int64_t width,
                                              torch::ScalarType type = torch::kFloat64) {
  if constexpr (StatefulLoss<L>) {
    auto state = loss.make(width);
    state->initialise(1);
    for (torch::Tensor& tensor : tensors_of(state)) {
      if (tensor.is_floating_point()) tensor.set_data(tensor.to(type));
    }
    const torch::NoGradGuard no_grad;
    (void)loss::evaluate(loss, example<L>(6, width, 2, 0.5, type), state, SingleProcess{});
    return state;
  } else {
    return {};
  }
}

/// The value of a loss. A loss that draws draws the same in each call: a law compares calls.
template <class L, class Group = SingleProcess>
[[nodiscard]] torch::Tensor value_of(const L& loss, const loss::Embedded& given, const loss::StateOrNone<L>& state,
                                     const Group& group = {}) {
  torch::manual_seed(0);
  return loss::evaluate(loss, given, state, group);
}

/// The same in its second step.
template <class L>
[[nodiscard]] torch::Tensor value_of(const L& loss, const loss::Embedded& given) {
  const torch::Tensor& view = given.views[0];
  return value_of(
      loss, given,
      used_state(loss, view.size(1), view.scalar_type() == torch::kFloat64 ? torch::kFloat64 : torch::kFloat32));
}

/// Checks that value, gradients and state are finite in five steps on the same embeddings [N, D], which a state comes to hold.
template <class L>
void check_finite(const L& loss, const loss::Embedded& given) {
  const auto state = used_state(loss, given.views[0].size(1), torch::kFloat32);
  for (int step = 0; step < 5; ++step) {
    const loss::Embedded leaves = with_leaves(given);
    const auto value = value_of(loss, leaves, state);
    CHECK(value.isfinite().template item<bool>());
    value.backward();
    for (const torch::Tensor& view : leaves.views) CHECK(gradient_of(view).isfinite().all().template item<bool>());
    for (const torch::Tensor& tensor : tensors_of(state)) CHECK(tensor.isfinite().all().template item<bool>());
  }
}

}  // namespace jessl::test
