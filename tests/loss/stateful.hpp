// SPDX-License-Identifier: Apache-2.0
// What the tests of losses with prototypes do alike: compare with reference cases, compare ranks, measure memory.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include <jessl/core/module_state.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/loss/concept.hpp>
#include <loss/pair_of_ranks.hpp>
#include <loss/reference.hpp>
#include <support/peak_memory.hpp>
#include <support/safetensors.hpp>

namespace jessl::test {

/// The same state once more, sharing nothing.
template <class State>
[[nodiscard]] State copy_of(const State& state) {
  using Module = std::decay_t<decltype(*state)>;
  return State(std::dynamic_pointer_cast<Module>(state->clone()));
}

/// The cases of tests/reference/loss/<file>: value, gradients and the state afterwards; float64 to rounding, float32 to 1e-5.
template <class L>
void check_state_cases(const std::string& file) {
  std::ifstream stream(JESSL_TEST_DATA "/reference/loss/" + file);
  REQUIRE(stream);
  const auto read = [](const nlohmann::json& numbers) {
    return to_tensor(numbers["values"], numbers["shape"].get<std::vector<std::int64_t>>());
  };
  for (const auto& entry : Json::parse(stream)) {
    INFO(entry["settings"]);
    const auto loss = from_json<L>(entry["settings"]);
    for (const auto& [type, tolerance] : {std::pair{torch::kFloat64, 1e-12}, std::pair{torch::kFloat32, 1e-5}}) {
      INFO(type);
      loss::Embedded embedded;
      for (const auto& view : entry["views"]) embedded.views.push_back(read(view).to(type).requires_grad_());
      for (const auto& target : entry["targets"]) embedded.targets.push_back(read(target).to(type));
      auto state = loss.make(embedded.views[0].size(1));
      state->to(type);
      if (entry.contains("epoch")) state->set_progress({.epoch = entry["epoch"]});
      StateDict before;
      for (const auto& [name, numbers] : entry["state"].items()) before[name] = read(numbers);
      load_module_state(*state, before, "the test");

      const auto value = loss::evaluate(loss, embedded, state, SingleProcess{});
      value.backward();
      CHECK(value.dim() == 0);
      CHECK(value.scalar_type() == type);
      CHECK(value.template item<double>() == Approx(entry["value"].get<double>()).epsilon(tolerance));
      for (std::size_t v = 0; v < embedded.views.size(); ++v) {
        INFO("view " << v);
        CHECK(relative_error(embedded.views[v].grad(), read(entry["gradients"][v])) < tolerance);
      }
      CHECK(relative_error(state->prototypes.grad(), read(entry["grad_prototypes"])) < tolerance);
      for (const auto& [name, tensor] : module_state(*state)) {
        INFO(name);
        CHECK(relative_error(tensor, read(entry["after"][name])) < tolerance);
      }
    }
  }
}

/// Takes `steps` steps on 6 images, together and as 3 on each of two ranks; call(views, state, group) is the loss of some
/// views, [N, 4]. Values, gradients averaged over the ranks and states must be the same.
template <class State, class Call>
void check_ranks(const State& start, std::size_t views, int steps, const Call& call) {
  auto state = copy_of(start);
  const std::array<State, 2> states{copy_of(start), copy_of(start)};
  for (int step = 0; step < steps; ++step) {
    std::vector<torch::Tensor> joint, split;
    for (std::size_t v = 0; v < views; ++v) {
      const auto z = embeddings(6, 4, static_cast<double>(v) + 0.3 * step);
      joint.push_back(z.clone().requires_grad_());
      split.push_back(z.clone().requires_grad_());
    }
    const auto value = call(joint, state, SingleProcess{});
    value.backward();

    std::array<torch::Tensor, 2> values;
    PairOfRanks pair;
    pair.run([&](const auto& rank) {
      std::vector<torch::Tensor> own;
      for (const torch::Tensor& z : split) own.push_back(z.narrow(0, 3 * rank.rank(), 3));
      const auto r = static_cast<std::size_t>(rank.rank());
      values[r] = call(own, states[r], rank);
    });
    const auto mean = (values[0] + values[1]) / 2;
    mean.backward();
    CHECK(mean.template item<double>() == Approx(value.template item<double>()).epsilon(1e-12));
    for (std::size_t v = 0; v < views; ++v) CHECK(relative_error(split[v].grad(), joint[v].grad()) < 1e-11);
    const auto both = states[0]->prototypes.grad() + states[1]->prototypes.grad();
    CHECK(relative_error(both, state->prototypes.grad()) < 1e-11);
    for (const auto& [name, tensor] : module_state(*state)) {
      INFO(name);
      CHECK(torch::equal(module_state(*states[0])[name], module_state(*states[1])[name]));
      CHECK(relative_error(module_state(*states[0])[name], tensor) < 1e-12);
    }
  }
}

/// The most bytes at once, beyond what there was, in call(views, state) and backward, for `views` views [64, 8] in float32.
template <class State, class Call>
[[nodiscard]] std::ptrdiff_t peak_bytes(const State& state, std::size_t views, const Call& call) {
  std::vector<torch::Tensor> z;
  for (std::size_t v = 0; v < views; ++v) {
    z.push_back(embeddings(64, 8, static_cast<double>(v)).to(torch::kFloat32).requires_grad_());
  }
  const PeakMemory peak;
  call(z, state).backward();
  return peak.bytes();
}

}  // namespace jessl::test
