// SPDX-License-Identifier: Apache-2.0
// Barlow Twins as published.
#pragma once

#include <string_view>

#include <jessl/augment/barlow_twins.hpp>
#include <jessl/core/options.hpp>
#include <jessl/loss/barlow_twins.hpp>
#include <jessl/method/concept.hpp>
#include <jessl/optim/lars.hpp>
#include <jessl/projector/mlp.hpp>
#include <jessl/train/options.hpp>

namespace jessl::method {

/// Barlow Twins on ImageNet: the cross-correlation of the two views' dimensions close to the identity.
///
/// Shapes     two views [C, 224, 224]
/// Errors     none; the policies check themselves
/// Models     jessl::Method (docs/method/README.md), jessl::Options
/// Source     Zbontar et al., Barlow Twins, ICML 2021, arXiv 2103.03230, section 2.2; facebookresearch/barlowtwins, main.py
/// Differs    see augment::barlow_twins; biases and norms have the weights' learning rate, in the official code 0.0048
struct BarlowTwins {
  static constexpr std::string_view name = "BarlowTwins";

  augment::BarlowTwinsOptions augmentation{};

  projector::MLP projector{.widths = "8192-8192-8192"};
  loss::BarlowTwins loss{};
  optim::LARS optimizer{.lr = 0.2, .weight_decay = 1e-6};
  FitOptions fit{.epochs = 1000, .batch_size = 2048, .warmup_epochs = 10.0, .end_ratio = 0.001};

  /// What makes the views.
  [[nodiscard]] auto views() const { return augment::barlow_twins(augmentation); }
};

}  // namespace jessl::method

JESSL_OPTIONS(jessl::method::BarlowTwins, augmentation, projector, loss, optimizer, fit);
