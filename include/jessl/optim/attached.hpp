// SPDX-License-Identifier: Apache-2.0
// An optimizer at work: its settings, the parameters it changes, and the state it keeps for each of them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/optim/concept.hpp>

namespace jessl::optim {

/// One tensor that a rule keeps for every parameter, named as it is saved: "momentum/layer1.0.conv1.weight".
///
/// Shapes     each as its parameter
/// Errors     none
/// Models     none
/// Source     none
struct Slot {
  std::string_view name;
  bool scalar = false;  ///< one float32 number; otherwise shaped like the parameter. Zero at first.
};

/// What a rule updates in one go: parameters of one device and type that all have a gradient.
///
/// Shapes     each as its parameter
/// Errors     none
/// Models     none
/// Source     none
struct Batch {
  std::vector<torch::Tensor> parameters;
  std::vector<torch::Tensor> gradients;           ///< to be read only
  std::vector<std::vector<torch::Tensor>> slots;  ///< [slot][parameter]
  bool regularised = true;                        ///< whether weight decay (and adaptation) applies to them
};

namespace detail {

/// A rule whose weight decay may change between two steps.
template <class Rule>
concept Decaying = requires(Rule& rule, double weight_decay) {
  rule.weight_decay = weight_decay;
};

/// Whether the elements of the two tensors lie in memory in the same order, as the fused operations assume.
[[nodiscard]] bool same_layout(const torch::Tensor& a, const torch::Tensor& b);

/// `tensor` with the parameter's memory order, device and type; itself where it has them already.
[[nodiscard]] torch::Tensor conform(const torch::Tensor& tensor, const torch::Tensor& parameter);

}  // namespace detail

/// An optimizer at work: what `SGD{...}.attach(module)` returns.
///
/// `Rule` is the policy: `slots` lists what it keeps for each parameter, `update(batch, lr)` is its arithmetic, `lr`
/// its first learning rate, `decay_norm_and_bias` whether parameters of at most one dimension (biases, the scales and
/// shifts of norms) are regularised like the others.
///
/// Shapes     state of a slot: as its parameter, or [] for a scalar slot
/// Units      none
/// Precision  the parameters' own
/// Cost       one tensor of the parameter's size per slot
/// Randomness none
/// Errors     ConfigError where there is nothing to optimize, a name is used twice, a gradient is sparse, the learning
///            rate is negative or not finite, or a saved state has absent or unknown entries; ShapeError where an entry
///            has another shape
/// Models     none; it is the state that jessl::Optimizer asks for (docs/optim/README.md)
/// Source     none
template <class Rule>
class Attached {
 public:
  Attached(Rule rule, const NamedParameters& parameters);

  /// One update by the gradients that are there.
  void step();

  /// Forgets the gradients; their memory is freed.
  void zero_grad();

  /// The learning rate of the next step.
  void set_lr(double lr);

  [[nodiscard]] double lr() const { return lr_; }

  /// The weight decay of the next step, of a rule with such a setting.
  void set_weight_decay(double weight_decay) requires detail::Decaying<Rule>;

  [[nodiscard]] double weight_decay() const requires detail::Decaying<Rule> { return weight_decay_; }

  /// "step" and "<slot>/<parameter>"; the tensors are copies, on the parameters' device.
  [[nodiscard]] StateDict state_dict() const;

  /// Restores what state_dict() gave. Nothing is changed when it throws.
  void load_state_dict(const StateDict& state);

  /// The settings it was made with.
  [[nodiscard]] const Rule& settings() const { return rule_; }

 private:
  struct Entry {
    std::string name;
    torch::Tensor parameter;
    std::vector<torch::Tensor> slots;
  };

  [[nodiscard]] static std::string who();

  [[nodiscard]] static std::string key(std::size_t slot, const Entry& entry);

  [[nodiscard]] static std::vector<torch::Tensor> zero_slots(const torch::Tensor& parameter);

  /// The parameters that have a gradient, grouped by what the fused operations need to be equal.
  [[nodiscard]] std::vector<Batch> batches();

  void check_state(const StateDict& state) const;

  static void check_entry(const StateDict& state, const std::string& name, const Shape& expected,
                          const std::string& where);

  Rule rule_;
  double lr_;
  double weight_decay_ = 0.0;  // of a rule that has one
  std::int64_t steps_ = 0;
  std::vector<Entry> entries_;
};

template <class Rule>
Attached<Rule>::Attached(Rule rule, const NamedParameters& parameters) : rule_(std::move(rule)), lr_(rule_.lr) {
  if constexpr (detail::Decaying<Rule>) weight_decay_ = rule_.weight_decay;
  JESSL_CHECK(!parameters.empty(), ConfigError, who(), ".attach: there are no parameters to optimize");
  std::set<std::string> names;
  for (const auto& [name, parameter] : parameters) {
    JESSL_CHECK(parameter.defined(), ConfigError, who(), ".attach: parameter \"", name, "\" is undefined");
    JESSL_CHECK(names.insert(name).second, ConfigError, who(), ".attach: two parameters are called \"", name,
                "\"; give each module a prefix of its own");
    entries_.push_back({name, parameter, zero_slots(parameter)});
  }
}

template <class Rule>
void Attached<Rule>::step() {
  const torch::NoGradGuard no_grad;
  Rule rule = rule_;
  if constexpr (detail::Decaying<Rule>) rule.weight_decay = weight_decay_;
  for (const Batch& batch : batches()) rule.update(batch, lr_);
  ++steps_;
}

template <class Rule>
void Attached<Rule>::zero_grad() {
  for (Entry& entry : entries_) entry.parameter.mutable_grad().reset();
}

template <class Rule>
void Attached<Rule>::set_lr(double lr) {
  JESSL_CHECK(std::isfinite(lr) && lr >= 0, ConfigError, who(), ".set_lr: the learning rate is ", lr,
              ", expected a finite number >= 0");
  lr_ = lr;
}

template <class Rule>
void Attached<Rule>::set_weight_decay(double weight_decay) requires detail::Decaying<Rule> {
  JESSL_CHECK(std::isfinite(weight_decay) && weight_decay >= 0, ConfigError, who(),
              ".set_weight_decay: the weight decay is ", weight_decay, ", expected a finite number >= 0");
  weight_decay_ = weight_decay;
}

template <class Rule>
StateDict Attached<Rule>::state_dict() const {
  StateDict state;
  state["step"] = torch::tensor(steps_, torch::kInt64);
  for (const Entry& entry : entries_) {
    for (std::size_t slot = 0; slot < Rule::slots.size(); ++slot) {
      state[key(slot, entry)] = entry.slots[slot].clone();
    }
  }
  return state;
}

template <class Rule>
void Attached<Rule>::load_state_dict(const StateDict& state) {
  check_state(state);
  const torch::NoGradGuard no_grad;
  steps_ = state.at("step").template item<std::int64_t>();
  for (Entry& entry : entries_) {
    for (std::size_t slot = 0; slot < Rule::slots.size(); ++slot) {
      entry.slots[slot].copy_(state.at(key(slot, entry)));
    }
  }
}

template <class Rule>
std::string Attached<Rule>::who() {
  return concat("jessl::optim::", Rule::name);
}

template <class Rule>
std::string Attached<Rule>::key(std::size_t slot, const Entry& entry) {
  return concat(Rule::slots[slot].name, '/', entry.name);
}

template <class Rule>
std::vector<torch::Tensor> Attached<Rule>::zero_slots(const torch::Tensor& parameter) {
  std::vector<torch::Tensor> slots;
  for (const Slot& slot : Rule::slots) {
    slots.push_back(slot.scalar ? torch::zeros({}, parameter.options().dtype(torch::kFloat32).requires_grad(false))
                                : torch::zeros_like(parameter.detach()));
  }
  return slots;
}

template <class Rule>
std::vector<Batch> Attached<Rule>::batches() {
  using Kind = std::tuple<bool, torch::Device, torch::ScalarType>;
  std::vector<Kind> kinds;
  std::vector<Batch> batches;
  for (Entry& entry : entries_) {
    const torch::Tensor& gradient = entry.parameter.grad();
    if (!gradient.defined()) continue;
    JESSL_CHECK(gradient.layout() == torch::kStrided, ConfigError, who(), ".step: the gradient of \"", entry.name,
                "\" is sparse; only dense gradients are supported");
    const Kind kind{entry.parameter.dim() > 1 || rule_.decay_norm_and_bias, entry.parameter.device(),
                    entry.parameter.scalar_type()};
    const auto found = std::find(kinds.begin(), kinds.end(), kind);
    const auto index = static_cast<std::size_t>(found - kinds.begin());
    if (found == kinds.end()) {
      kinds.push_back(kind);
      batches.push_back({{}, {}, std::vector<std::vector<torch::Tensor>>(Rule::slots.size()), std::get<bool>(kind)});
    }
    Batch& batch = batches[index];
    batch.parameters.push_back(entry.parameter);
    batch.gradients.push_back(detail::conform(gradient, entry.parameter));
    for (std::size_t slot = 0; slot < Rule::slots.size(); ++slot) {
      torch::Tensor& value = entry.slots[slot];
      // A module may have been moved, or its weights re-laid, since attach().
      value = Rule::slots[slot].scalar ? value.to(entry.parameter.device()) : detail::conform(value, entry.parameter);
      batch.slots[slot].push_back(value);
    }
  }
  return batches;
}

template <class Rule>
void Attached<Rule>::check_state(const StateDict& state) const {
  const auto where = who() + ".load_state_dict: ";
  std::set<std::string> expected{"step"};
  check_entry(state, "step", Shape{}, where);
  for (const Entry& entry : entries_) {
    for (std::size_t slot = 0; slot < Rule::slots.size(); ++slot) {
      const std::string name = key(slot, entry);
      check_entry(state, name, shape_of(entry.slots[slot]), where);
      expected.insert(name);
    }
  }
  for (const auto& [name, unused] : state) {
    JESSL_CHECK(expected.contains(name), ConfigError, where, "the state has \"", name,
                "\", which this optimizer does not know; it belongs to another optimizer or another model");
  }
}

template <class Rule>
void Attached<Rule>::check_entry(const StateDict& state, const std::string& name, const Shape& expected,
                                 const std::string& where) {
  const auto found = state.find(name);
  JESSL_CHECK(found != state.end() && found->second.defined(), ConfigError, where, "the state lacks \"", name,
              "\"; it belongs to another optimizer or another model");
  JESSL_CHECK(shape_of(found->second) == expected, ShapeError, where, '"', name, "\" is ", shape_of(found->second),
              ", expected ", expected);
}

namespace detail {

/// v <- momentum v + (direction + weight_decay p);  p <- p - lr v, in one pass.
void momentum_step(const Batch& batch, const std::vector<torch::Tensor>& directions, double weight_decay,
                   double momentum, double lr, bool nesterov);

/// factor |p| / |direction| for each parameter, 1 where a norm is 0: [P], on the parameters' device.
[[nodiscard]] torch::Tensor trust_ratios(const std::vector<torch::Tensor>& parameters,
                                         const std::vector<torch::Tensor>& directions, double factor);

/// Multiplies each direction by its ratio, of [P].
void rescale(std::vector<torch::Tensor>& directions, const torch::Tensor& ratios);

}  // namespace detail

/// attach() for whatever holds parameters: named parameters, a module, or a module holder.
template <class Rule>
[[nodiscard]] Attached<Rule> attach(const Rule& rule, const NamedParameters& parameters) {
  return Attached<Rule>(rule, parameters);
}
template <class Rule>
[[nodiscard]] Attached<Rule> attach(const Rule& rule, const torch::nn::Module& module) {
  return Attached<Rule>(rule, named_parameters(module));
}
template <class Rule, class Contained>
[[nodiscard]] Attached<Rule> attach(const Rule& rule, const torch::nn::ModuleHolder<Contained>& module) {
  return Attached<Rule>(rule, named_parameters(*module));
}
template <class Rule>
[[nodiscard]] Attached<Rule> attach(const Rule& rule, const std::vector<torch::Tensor>& parameters) {
  NamedParameters named;
  for (const torch::Tensor& parameter : parameters) named.emplace_back(std::to_string(named.size()), parameter);
  return Attached<Rule>(rule, named);
}

}  // namespace jessl::optim

#if JESSL_DEFINITIONS

namespace jessl::optim {

namespace detail {

JESSL_INLINE bool same_layout(const torch::Tensor& a, const torch::Tensor& b) {
  if (a.device() != b.device() || a.scalar_type() != b.scalar_type()) return false;
  for (std::int64_t axis = 0; axis < a.dim(); ++axis) {
    if (a.size(axis) > 1 && a.stride(axis) != b.stride(axis)) return false;
  }
  return true;
}

JESSL_INLINE torch::Tensor conform(const torch::Tensor& tensor, const torch::Tensor& parameter) {
  return same_layout(tensor, parameter) ? tensor : torch::empty_like(parameter).copy_(tensor);
}

JESSL_INLINE void momentum_step(const Batch& batch, const std::vector<torch::Tensor>& directions, double weight_decay,
                                double momentum, double lr, bool nesterov) {
  // The fused operation wants no momenta where it needs none. Momenta that start at zero give LibTorch's first step.
  const auto momenta = momentum > 0 ? batch.slots[0] : std::vector<torch::Tensor>{};
  at::_fused_sgd_(batch.parameters, directions, momenta, weight_decay, momentum, lr, /*dampening=*/0.0, nesterov,
                  /*maximize=*/false, /*is_first_step=*/false);
}

JESSL_INLINE torch::Tensor trust_ratios(const std::vector<torch::Tensor>& parameters,
                                        const std::vector<torch::Tensor>& directions, double factor) {
  const torch::Tensor weight = torch::stack(at::_foreach_norm(parameters));
  const torch::Tensor step = torch::stack(at::_foreach_norm(directions));
  return torch::where((weight > 0) & (step > 0), factor * weight / step, 1.0).to(weight.scalar_type());
}

JESSL_INLINE void rescale(std::vector<torch::Tensor>& directions, const torch::Tensor& ratios) {
  at::_foreach_mul_(directions, ratios.unbind());
}

}  // namespace detail

}  // namespace jessl::optim

#endif  // JESSL_DEFINITIONS
