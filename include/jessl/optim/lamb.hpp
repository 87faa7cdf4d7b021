// SPDX-License-Identifier: Apache-2.0
// Layer-wise adaptive moments, for large batches of networks that want Adam.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>
#include <vector>

#include <jessl/core/detail/check_setting.hpp>
#include <jessl/core/detail/separate.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/optim/attached.hpp>

namespace jessl::optim {

/// Layer-wise adaptive moments: Adam whose steps are rescaled to their weights' norm.
///
/// For vision transformers at batches of thousands, where AdamW's learning rate no longer grows with the batch.
/// m <- beta1 m + (1 - beta1) g;  v <- beta2 v + (1 - beta2) g^2;
/// u = (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon), with t the number of this parameter's updates.
/// For parameters of two or more dimensions: u <- u + weight_decay p;  u <- u |p| / |u| (1 where a norm is 0).
/// For all: p <- p - lr u.
///
/// Shapes     any
/// Units      all settings are dimensionless
/// Precision  the parameters' own
/// Cost       some ten passes over lists of tensors, two of them for the norms; two temporary copies of the gradients; two
///            tensors of state per parameter. The host never waits for the device.
/// Randomness none
/// Errors     ConfigError from attach() for a setting out of range
/// Models     jessl::Optimizer (docs/optim/README.md)
/// Source     You et al., Large Batch Optimization for Deep Learning: Training BERT in 76 minutes, ICLR 2020, arXiv 1904.00962,
///            algorithm 2
/// Differs    the norm is not cut (phi is the identity), as in timm's Lamb, which by default limits the gradients' joint norm
///            before (FitOptions::max_gradient_norm does it here) and adapts nothing where weight_decay is 0; biases and norms' parameters skip decay and adaptation unless decay_norm_and_bias
///            is set
struct LAMB {
  static constexpr std::string_view name = "LAMB";

  double lr = 1e-3;                  ///< learning rate, the step's length over the weight's norm, >= 0
  double beta1 = 0.9;                ///< decay of the gradient's mean, in [0, 1)
  double beta2 = 0.999;              ///< decay of the squared gradient's mean, in [0, 1)
  double epsilon = 1e-6;             ///< added to the denominator, > 0
  double weight_decay = 0.01;        ///< factor of the parameter added to its step before that is rescaled, >= 0
  bool decay_norm_and_bias = false;  ///< decay and adapt biases and norms' scales and shifts too

  static constexpr std::array<Slot, 3> slots{
      {{.name = "exp_avg"}, {.name = "exp_avg_sq"}, {.name = "updates", .scalar = true}}};

  template <class Parameters>
  [[nodiscard]] Attached<LAMB> attach(const Parameters& parameters) const {
    check();
    return optim::attach(*this, parameters);
  }

  void update(const Batch& batch, double rate) const;

  void check() const;

 private:
  /// Adam's steps without the learning rate, of moments that have seen the gradients.
  [[nodiscard]] std::vector<torch::Tensor> adam_steps(const Batch& batch) const;
};

JESSL_INSTANTIATE(class Attached<LAMB>);

}  // namespace jessl::optim

JESSL_OPTIONS(jessl::optim::LAMB, lr, beta1, beta2, epsilon, weight_decay, decay_norm_and_bias);

#if JESSL_DEFINITIONS

namespace jessl::optim {

JESSL_INLINE void LAMB::update(const Batch& batch, double rate) const {
  at::_foreach_add_(batch.slots[2], 1);
  at::_foreach_lerp_(batch.slots[0], batch.gradients, 1 - beta1);
  at::_foreach_mul_(batch.slots[1], beta2);
  at::_foreach_addcmul_(batch.slots[1], batch.gradients, batch.gradients, 1 - beta2);
  std::vector<torch::Tensor> steps = adam_steps(batch);
  if (batch.regularised) {
    at::_foreach_add_(steps, batch.parameters, weight_decay);
    detail::rescale(steps, detail::trust_ratios(batch.parameters, steps, 1.0));
  }
  at::_foreach_add_(batch.parameters, steps, -rate);
}

JESSL_INLINE void LAMB::check() const {
  jessl::detail::check_setting(lr >= 0, "optim", name, "lr", lr, "a finite number >= 0");
  jessl::detail::check_setting(beta1 >= 0 && beta1 < 1, "optim", name, "beta1", beta1, "a number in [0, 1)");
  jessl::detail::check_setting(beta2 >= 0 && beta2 < 1, "optim", name, "beta2", beta2, "a number in [0, 1)");
  jessl::detail::check_setting(epsilon > 0, "optim", name, "epsilon", epsilon, "a finite number > 0");
  jessl::detail::check_setting(weight_decay >= 0, "optim", name, "weight_decay", weight_decay, "a finite number >= 0");
}

JESSL_INLINE std::vector<torch::Tensor> LAMB::adam_steps(const Batch& batch) const {
  const torch::Tensor updates = torch::stack(batch.slots[2]).to(torch::kFloat64);  // [P]
  const auto correction = [&](double beta) {
    return (1 - torch::pow(beta, updates)).to(batch.parameters.front().scalar_type());
  };
  std::vector<torch::Tensor> deviations = at::_foreach_div(batch.slots[1], correction(beta2).unbind());
  at::_foreach_sqrt_(deviations);
  at::_foreach_add_(deviations, epsilon);
  std::vector<torch::Tensor> steps = at::_foreach_div(batch.slots[0], correction(beta1).unbind());
  at::_foreach_div_(steps, deviations);
  return steps;
}

}  // namespace jessl::optim

#endif  // JESSL_DEFINITIONS
