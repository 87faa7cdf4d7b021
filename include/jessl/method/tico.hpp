// SPDX-License-Identifier: Apache-2.0
// TiCo as published.
#pragma once

#include <string_view>

#include <jessl/augment/byol.hpp>
#include <jessl/core/options.hpp>
#include <jessl/loss/tico.hpp>
#include <jessl/method/concept.hpp>
#include <jessl/optim/lars.hpp>
#include <jessl/projector/mlp.hpp>
#include <jessl/train/options.hpp>

namespace jessl::method {

/// TiCo on ImageNet: views close, and away from the directions that earlier batches used most.
///
/// There is no official code; what other implementations take over from BYOL is BYOL's here, and rho is 8, where two of them
/// have 20. lightly reports that its own like settings
/// learn less at batches of 256 than other methods'.
///
/// Shapes     two views [C, 224, 224]
/// Errors     none; the policies check themselves
/// Models     jessl::Method (docs/method/README.md), jessl::Options
/// Source     Zhu et al., TiCo: Transformation Invariance and Covariance Contrast, 2022, arXiv 2206.10698; the momentum as in
///            lightly
/// Differs    see augment::byol
struct TiCo {
  static constexpr std::string_view name = "TiCo";

  augment::BYOLOptions augmentation{};

  projector::MLP projector{.widths = "4096-256", .output_bias = true};
  loss::TiCo loss{.teacher = {.momentum = 0.99, .final_momentum = 1.0}};
  optim::LARS optimizer{.lr = 0.2, .weight_decay = 1.5e-6};
  FitOptions fit{.epochs = 1000, .batch_size = 4096, .warmup_epochs = 10.0, .end_ratio = 0.0};

  /// What makes the views.
  [[nodiscard]] auto views() const { return augment::byol(augmentation); }
};

}  // namespace jessl::method

JESSL_OPTIONS(jessl::method::TiCo, augmentation, projector, loss, optimizer, fit);
