// SPDX-License-Identifier: Apache-2.0
// What an optimizer is: settings that, attached to parameters, give something that steps.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/tensor.hpp>

namespace jessl {

namespace optim {

/// Parameters and the names under which their state is saved.
using NamedParameters = std::vector<std::pair<std::string, torch::Tensor>>;

/// The parameters of a module, each name after `prefix`.
[[nodiscard]] NamedParameters named_parameters(const torch::nn::Module& module, const std::string& prefix = "");

/// What `attach` of the policy `O` returns.
template <class O>
using StateOf = decltype(std::declval<const O&>().attach(std::declval<const NamedParameters&>()));

}  // namespace optim

/// A rule that changes parameters by their gradients.
///
/// The policy is its settings. `attach(parameters)` (also `attach(module)`) makes the state, which has:
/// `step()`                one update; parameters without a gradient are left alone
/// `zero_grad()`           forgets the gradients
/// `set_lr(x)`, `lr()`     the learning rate of the next step
/// `state_dict()`          everything that a resumed run needs, by name
/// `load_state_dict(s)`    the reverse; refuses what is absent, unknown or of another shape
/// It may have, for runs that change it (FitOptions::weight_decay_end):
/// `set_weight_decay(x)`, `weight_decay()`  the weight decay of the next step
///
/// Errors     ConfigError or ShapeError from load_state_dict, naming the entry
/// Source     none
template <class O>
concept Optimizer = requires(optim::StateOf<O> attached, const StateDict& saved, double lr) {
  attached.step();
  attached.zero_grad();
  attached.set_lr(lr);
  { attached.lr() } -> std::convertible_to<double>;
  { attached.state_dict() } -> std::same_as<StateDict>;
  attached.load_state_dict(saved);
};

/// Says at compile time what `O` lacks to be a jessl::Optimizer.
template <class O>
constexpr void require_optimizer() {
  static_assert(
      Optimizer<O>,
      "jessl::Trainer requires 'Optimizer' to be a jessl::Optimizer: what attach(parameters) returns must have step(), "
      "zero_grad(), set_lr(double), lr(), state_dict() and load_state_dict(); see docs/optim/README.md");
}

// [archetype]
/// The least an optimizer can be: it leaves the parameters as they are.
///
/// Shapes     none
/// Errors     none
/// Models     jessl::Optimizer (docs/optim/README.md)
/// Source     none
struct OptimizerArchetype {
  struct State {
    void step() {}
    void zero_grad() {}
    void set_lr(double value) { rate = value; }
    [[nodiscard]] double lr() const { return rate; }
    [[nodiscard]] StateDict state_dict() const { return {}; }
    void load_state_dict(const StateDict&) {}

    double rate = 0.0;
  };
  [[nodiscard]] State attach(const optim::NamedParameters&) const { return {}; }
};
static_assert(Optimizer<OptimizerArchetype>);
// [/archetype]

}  // namespace jessl

#if JESSL_DEFINITIONS

namespace jessl {

namespace optim {

JESSL_INLINE NamedParameters named_parameters(const torch::nn::Module& module, const std::string& prefix) {
  NamedParameters parameters;
  for (const auto& item : module.named_parameters()) parameters.emplace_back(prefix + item.key(), item.value());
  return parameters;
}

}  // namespace optim

}  // namespace jessl

#endif  // JESSL_DEFINITIONS
