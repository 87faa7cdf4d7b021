// SPDX-License-Identifier: Apache-2.0
// An optimizer at work, whatever its type.
#pragma once

#include <concepts>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include <jessl/core/tensor.hpp>
#include <jessl/optim/concept.hpp>

namespace jessl::train::detail {

/// The state that jessl::Optimizer asks for, without its type.
class AnyOptimizer {
 public:
  virtual ~AnyOptimizer() = default;
  AnyOptimizer() = default;
  AnyOptimizer(const AnyOptimizer&) = delete;
  AnyOptimizer& operator=(const AnyOptimizer&) = delete;

  virtual void step() = 0;
  virtual void zero_grad() = 0;
  virtual void set_lr(double lr) = 0;
  [[nodiscard]] virtual double lr() = 0;
  virtual void set_weight_decay(double weight_decay) = 0;

  /// Nothing where the optimizer has no weight decay that can be set.
  [[nodiscard]] virtual std::optional<double> weight_decay() = 0;
  [[nodiscard]] virtual StateDict state_dict() = 0;
  virtual void load_state_dict(const StateDict& saved) = 0;
};

template <class State>
class SomeOptimizer final : public AnyOptimizer {
 public:
  explicit SomeOptimizer(State state) : state_(std::move(state)) {}
  void step() override { state_.step(); }
  void zero_grad() override { state_.zero_grad(); }
  void set_lr(double lr) override { state_.set_lr(lr); }
  [[nodiscard]] double lr() override { return state_.lr(); }
  void set_weight_decay([[maybe_unused]] double weight_decay) override {
    if constexpr (decays) state_.set_weight_decay(weight_decay);
  }
  [[nodiscard]] std::optional<double> weight_decay() override {
    if constexpr (decays) {
      return state_.weight_decay();
    } else {
      return std::nullopt;
    }
  }
  [[nodiscard]] StateDict state_dict() override { return state_.state_dict(); }
  void load_state_dict(const StateDict& saved) override { state_.load_state_dict(saved); }

 private:
  static constexpr bool decays = requires(State & state, double weight_decay) {
    state.set_weight_decay(weight_decay);
    { state.weight_decay() } -> std::convertible_to<double>;
  };

  State state_;
};

/// Puts an optimizer to work on parameters.
using AttachOptimizer = std::function<std::unique_ptr<AnyOptimizer>(const optim::NamedParameters&)>;

/// Attaches the optimizer of a policy.
template <Optimizer O>
[[nodiscard]] AttachOptimizer attaching(std::shared_ptr<const O> policy) {
  return [policy = std::move(policy)](const optim::NamedParameters& parameters) -> std::unique_ptr<AnyOptimizer> {
    return std::make_unique<SomeOptimizer<optim::StateOf<O>>>(policy->attach(parameters));
  };
}

}  // namespace jessl::train::detail
