// SPDX-License-Identifier: Apache-2.0
// BYOL as published.
#pragma once

#include <string_view>

#include <jessl/augment/byol.hpp>
#include <jessl/core/options.hpp>
#include <jessl/loss/byol.hpp>
#include <jessl/method/concept.hpp>
#include <jessl/optim/lars.hpp>
#include <jessl/projector/mlp.hpp>
#include <jessl/train/options.hpp>

namespace jessl::method {

/// BYOL on ImageNet: predict what a slow teacher makes of the other view.
///
/// Shorter runs in the official code: for 300 epochs a learning rate of 0.3, for 100 of 0.45, both with weight decay 1e-6 and
/// the teacher's momentum from 0.99.
///
/// Shapes     two views [C, 224, 224]
/// Errors     none; the policies check themselves
/// Models     jessl::Method (docs/method/README.md), jessl::Options
/// Source     Grill et al., Bootstrap Your Own Latent, NeurIPS 2020, arXiv 2006.07733, section 3.3; deepmind-research/byol,
///            configs/byol.py, utils/
/// Differs    see augment::byol; brightness multiplies (there it adds); the teacher starts as the student, not with weights of
///            its own
struct BYOL {
  static constexpr std::string_view name = "BYOL";

  augment::BYOLOptions augmentation{};

  projector::MLP projector{.widths = "4096-256"};
  loss::BYOL loss{};
  optim::LARS optimizer{.lr = 0.2, .weight_decay = 1.5e-6};
  FitOptions fit{.epochs = 1000, .batch_size = 4096, .warmup_epochs = 10.0, .end_ratio = 0.0};

  /// What makes the views.
  [[nodiscard]] auto views() const { return augment::byol(augmentation); }
};

}  // namespace jessl::method

JESSL_OPTIONS(jessl::method::BYOL, augmentation, projector, loss, optimizer, fit);
