// SPDX-License-Identifier: Apache-2.0
// VICReg as published.
#pragma once

#include <string_view>

#include <jessl/augment/barlow_twins.hpp>
#include <jessl/core/options.hpp>
#include <jessl/loss/vicreg.hpp>
#include <jessl/method/concept.hpp>
#include <jessl/optim/lars.hpp>
#include <jessl/projector/mlp.hpp>
#include <jessl/train/options.hpp>

namespace jessl::method {

/// VICReg on ImageNet: views close, each dimension spread, no two dimensions alike.
///
/// For 100 epochs the official code takes batches of 512 and a learning rate of 0.3. The augmentation is that of the official code, Barlow Twins'; augment::vicreg has the paper's.
///
/// Shapes     two views [C, 224, 224]
/// Errors     none; the policies check themselves
/// Models     jessl::Method (docs/method/README.md), jessl::Options
/// Source     Bardes, Ponce and LeCun, VICReg, ICLR 2022, arXiv 2105.04906, section 4.2; facebookresearch/vicreg,
///            README.md, main_vicreg.py, augmentations.py
/// Differs    see augment::barlow_twins
struct VICReg {
  static constexpr std::string_view name = "VICReg";

  augment::BarlowTwinsOptions augmentation{};

  projector::MLP projector{.widths = "8192-8192-8192"};
  loss::VICReg loss{};
  optim::LARS optimizer{.lr = 0.2, .weight_decay = 1e-6};
  FitOptions fit{.epochs = 1000, .batch_size = 2048, .warmup_epochs = 10.0, .end_ratio = 0.001};

  /// What makes the views.
  [[nodiscard]] auto views() const { return augment::barlow_twins(augmentation); }
};

}  // namespace jessl::method

JESSL_OPTIONS(jessl::method::VICReg, augmentation, projector, loss, optimizer, fit);
