// SPDX-License-Identifier: Apache-2.0
// Layer-wise adaptive rate scaling, for large batches.
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

/// Layer-wise adaptive rate scaling: momentum SGD whose gradients are rescaled to a fixed share of their weights' norm.
///
/// What SimCLR, Barlow Twins, BYOL and VICReg train convolutional networks with, at batches of 256 and more.
/// For parameters of two or more dimensions: g <- g + weight_decay p;  g <- g eta |p| / |g| (1 where a norm is 0).
/// For all: v <- momentum v + g;  p <- p - lr v.
/// With `clip`, the decayed gradient is rescaled by min(1, eta |p| / (|g| + weight_decay |p|) / lr), |g| before the decay.
///
/// Shapes     any
/// Units      all settings are dimensionless
/// Precision  the parameters' own
/// Cost       two passes for the norms, one for the scaling, one fused for the rest; a temporary copy of the gradients;
///            one tensor of state per parameter. The host never waits for the device.
/// Randomness none
/// Errors     ConfigError from attach() for a setting out of range
/// Models     jessl::Optimizer (docs/optim/README.md)
/// Source     You, Gitman and Ginsburg, Large Batch Training of Convolutional Networks, 2017, arXiv 1708.03888,
///            algorithm 1, as in the code of Zbontar et al., Barlow Twins, ICML 2021, arXiv 2103.03230
/// Differs    the trust ratio does not include the learning rate, and the decayed gradient's norm is its denominator,
///            as in that code, or, with `clip`, both as in the code of solo-learn, where no step is longer than SGD's; biases and norms' parameters skip decay and adaptation unless decay_norm_and_bias is set
struct LARS {
  static constexpr std::string_view name = "LARS";

  double lr = 0.2;                   ///< learning rate, >= 0
  double momentum = 0.9;             ///< share of the last step that is kept, in [0, 1)
  double weight_decay = 1e-6;        ///< factor of the parameter added to its gradient, >= 0
  double eta = 0.001;                ///< trust coefficient: step length over weight norm, > 0
  bool clip = false;                 ///< solo-learn's form (its clip_lr), whose eta is 0.02
  bool decay_norm_and_bias = false;  ///< decay and adapt biases and norms' scales and shifts too

  static constexpr std::array<Slot, 1> slots{{{.name = "momentum"}}};

  template <class Parameters>
  [[nodiscard]] Attached<LARS> attach(const Parameters& parameters) const {
    check();
    return optim::attach(*this, parameters);
  }

  void update(const Batch& batch, double rate) const;

  void check() const;

 private:
  /// The decayed gradients, each rescaled.
  [[nodiscard]] std::vector<torch::Tensor> adapted(const Batch& batch, double rate) const;

  /// What the decayed gradients are rescaled by, with `clip`: [P].
  [[nodiscard]] torch::Tensor clipped_ratios(const Batch& batch, double rate) const;
};

JESSL_INSTANTIATE(class Attached<LARS>);

}  // namespace jessl::optim

JESSL_OPTIONS(jessl::optim::LARS, lr, momentum, weight_decay, eta, clip, decay_norm_and_bias);

#if JESSL_DEFINITIONS

namespace jessl::optim {

JESSL_INLINE void LARS::update(const Batch& batch, double rate) const {
  detail::momentum_step(batch, batch.regularised ? adapted(batch, rate) : batch.gradients, /*weight_decay=*/0.0,
                        momentum, rate,
                        /*nesterov=*/false);
}

JESSL_INLINE void LARS::check() const {
  jessl::detail::check_setting(lr >= 0, "optim", name, "lr", lr, "a finite number >= 0");
  jessl::detail::check_setting(momentum >= 0 && momentum < 1, "optim", name, "momentum", momentum,
                               "a number in [0, 1)");
  jessl::detail::check_setting(weight_decay >= 0, "optim", name, "weight_decay", weight_decay, "a finite number >= 0");
  jessl::detail::check_setting(eta > 0, "optim", name, "eta", eta, "a finite number > 0");
}

JESSL_INLINE std::vector<torch::Tensor> LARS::adapted(const Batch& batch, double rate) const {
  std::vector<torch::Tensor> directions = at::_foreach_add(batch.gradients, batch.parameters, weight_decay);
  detail::rescale(directions,
                  clip ? clipped_ratios(batch, rate) : detail::trust_ratios(batch.parameters, directions, eta));
  return directions;
}

JESSL_INLINE torch::Tensor LARS::clipped_ratios(const Batch& batch, double rate) const {
  constexpr double least = 1e-8;  // in the denominator, as there
  const torch::Tensor weight = torch::stack(at::_foreach_norm(batch.parameters));
  const torch::Tensor gradient = torch::stack(at::_foreach_norm(batch.gradients));
  const torch::Tensor ratios = (eta * weight / (gradient + weight_decay * weight + least) / rate).clamp_max(1.0);
  // There a gradient of zeros is not decayed, and a weight of zeros takes the plain step.
  return torch::where(weight > 0, torch::where(gradient > 0, ratios, 0.0), 1.0).to(weight.scalar_type());
}

}  // namespace jessl::optim

#endif  // JESSL_DEFINITIONS
