// SPDX-License-Identifier: Apache-2.0
// Stochastic gradient descent with momentum.
#pragma once

#include <array>
#include <string_view>

#include <jessl/core/detail/check_setting.hpp>
#include <jessl/core/detail/separate.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/optim/attached.hpp>

namespace jessl::optim {

/// Stochastic gradient descent with momentum.
///
/// The plain choice for moderate batches and for probes on frozen features.
/// g <- g + weight_decay p;  v <- momentum v + g;  p <- p - lr v   (Nesterov: p <- p - lr (g + momentum v))
///
/// Shapes     any
/// Units      all settings are dimensionless
/// Precision  the parameters' own
/// Cost       one fused pass over parameters, gradients and momentum; one tensor of state per parameter
/// Randomness none
/// Errors     ConfigError from attach() for a setting out of range
/// Models     jessl::Optimizer (docs/optim/README.md)
/// Source     Sutskever et al., On the importance of initialization and momentum in deep learning, ICML 2013
/// Differs    momentum as LibTorch's torch::optim::SGD applies it (lr outside of v); parameters of at most
///            one dimension are not decayed unless decay_norm_and_bias is set
struct SGD {
  static constexpr std::string_view name = "SGD";

  double lr = 0.1;                   ///< learning rate, >= 0
  double momentum = 0.9;             ///< share of the last step that is kept, in [0, 1)
  double weight_decay = 0.0;         ///< factor of the parameter added to its gradient, >= 0
  bool nesterov = false;             ///< look ahead along the momentum; needs momentum > 0
  bool decay_norm_and_bias = false;  ///< decay biases and norms' scales and shifts too

  static constexpr std::array<Slot, 1> slots{{{.name = "momentum"}}};

  template <class Parameters>
  [[nodiscard]] Attached<SGD> attach(const Parameters& parameters) const {
    check();
    return optim::attach(*this, parameters);
  }

  void update(const Batch& batch, double rate) const;

  void check() const;
};

JESSL_INSTANTIATE(class Attached<SGD>);

}  // namespace jessl::optim

JESSL_OPTIONS(jessl::optim::SGD, lr, momentum, weight_decay, nesterov, decay_norm_and_bias);

#if JESSL_DEFINITIONS

namespace jessl::optim {

JESSL_INLINE void SGD::update(const Batch& batch, double rate) const {
  detail::momentum_step(batch, batch.gradients, batch.regularised ? weight_decay : 0.0, momentum, rate, nesterov);
}

JESSL_INLINE void SGD::check() const {
  jessl::detail::check_setting(lr >= 0, "optim", name, "lr", lr, "a finite number >= 0");
  jessl::detail::check_setting(momentum >= 0 && momentum < 1, "optim", name, "momentum", momentum,
                               "a number in [0, 1)");
  jessl::detail::check_setting(weight_decay >= 0, "optim", name, "weight_decay", weight_decay, "a finite number >= 0");
  JESSL_CHECK(!nesterov || momentum > 0, ConfigError,
              "jessl::optim::SGD: nesterov is set but momentum is 0, expected momentum > 0");
}

}  // namespace jessl::optim

#endif  // JESSL_DEFINITIONS
