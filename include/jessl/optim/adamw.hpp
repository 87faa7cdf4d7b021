// SPDX-License-Identifier: Apache-2.0
// Adam with decoupled weight decay.
#pragma once

#include <array>
#include <string_view>

#include <jessl/core/detail/check_setting.hpp>
#include <jessl/core/detail/separate.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/optim/attached.hpp>

namespace jessl::optim {

/// Adam with decoupled weight decay.
///
/// The usual choice for vision transformers, and a forgiving one elsewhere.
/// p <- p - lr weight_decay p;  m <- beta1 m + (1 - beta1) g;  v <- beta2 v + (1 - beta2) g^2;
/// p <- p - lr (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon), with t the number of this parameter's updates
///
/// Shapes     any
/// Units      all settings are dimensionless
/// Precision  the parameters' own
/// Cost       one fused pass; two tensors of state per parameter
/// Randomness none
/// Errors     ConfigError from attach() for a setting out of range
/// Models     jessl::Optimizer (docs/optim/README.md)
/// Source     Loshchilov and Hutter, Decoupled Weight Decay Regularization, ICLR 2019, arXiv 1711.05101, algorithm 2
/// Differs    parameters of at most one dimension are not decayed unless decay_norm_and_bias is set
struct AdamW {
  static constexpr std::string_view name = "AdamW";

  double lr = 1e-3;                  ///< learning rate, >= 0
  double beta1 = 0.9;                ///< decay of the gradient's mean, in [0, 1)
  double beta2 = 0.999;              ///< decay of the squared gradient's mean, in [0, 1)
  double epsilon = 1e-8;             ///< added to the denominator, > 0
  double weight_decay = 0.01;        ///< relative decay per step, before the factor lr, >= 0
  bool decay_norm_and_bias = false;  ///< decay biases and norms' scales and shifts too

  static constexpr std::array<Slot, 3> slots{
      {{.name = "exp_avg"}, {.name = "exp_avg_sq"}, {.name = "updates", .scalar = true}}};

  template <class Parameters>
  [[nodiscard]] Attached<AdamW> attach(const Parameters& parameters) const {
    check();
    return optim::attach(*this, parameters);
  }

  void update(const Batch& batch, double rate) const;

  void check() const;
};

JESSL_INSTANTIATE(class Attached<AdamW>);

}  // namespace jessl::optim

JESSL_OPTIONS(jessl::optim::AdamW, lr, beta1, beta2, epsilon, weight_decay, decay_norm_and_bias);

#if JESSL_DEFINITIONS

namespace jessl::optim {

JESSL_INLINE void AdamW::update(const Batch& batch, double rate) const {
  at::_foreach_add_(batch.slots[2], 1);
  at::_fused_adamw_(batch.parameters, batch.gradients, batch.slots[0], batch.slots[1], /*max_exp_avg_sqs=*/{},
                    batch.slots[2], rate, beta1, beta2, batch.regularised ? weight_decay : 0.0, epsilon,
                    /*amsgrad=*/false,
                    /*maximize=*/false);
}

JESSL_INLINE void AdamW::check() const {
  jessl::detail::check_setting(lr >= 0, "optim", name, "lr", lr, "a finite number >= 0");
  jessl::detail::check_setting(beta1 >= 0 && beta1 < 1, "optim", name, "beta1", beta1, "a number in [0, 1)");
  jessl::detail::check_setting(beta2 >= 0 && beta2 < 1, "optim", name, "beta2", beta2, "a number in [0, 1)");
  jessl::detail::check_setting(epsilon > 0, "optim", name, "epsilon", epsilon, "a finite number > 0");
  jessl::detail::check_setting(weight_decay >= 0, "optim", name, "weight_decay", weight_decay, "a finite number >= 0");
}

}  // namespace jessl::optim

#endif  // JESSL_DEFINITIONS
