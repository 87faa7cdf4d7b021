// SPDX-License-Identifier: Apache-2.0
// The settings of the methods that FFCV-SSL gives for batches of 256 and of 2048.
#pragma once

#include <string_view>

#include <jessl/augment/byol.hpp>
#include <jessl/core/options.hpp>
#include <jessl/loss/nt_xent.hpp>
#include <jessl/loss/vicreg.hpp>
#include <jessl/method/concept.hpp>
#include <jessl/optim/lars.hpp>
#include <jessl/projector/mlp.hpp>
#include <jessl/train/options.hpp>

namespace jessl::method::ffcv_ssl {

/// SimCLR with the settings of FFCV-SSL: `SimCLR::batch_256()`, `SimCLR::batch_2048()`.
///
/// Shapes     two views [C, 224, 224]
/// Errors     none; the policies check themselves
/// Models     jessl::Method (docs/method/README.md), jessl::Options
/// Source     Bordes, Balestriero and Vincent, Towards Democratizing Joint-Embedding Self-Supervised Learning, 2023,
///            arXiv 2303.01986; facebookresearch/FFCV-SSL, examples/train_ssl.py, README.md
/// Differs    crops have sides of any ratio and hue turns both ways, as both were meant to; each blur has a deviation of its
///            own; views have their whole size from the start: augment::progressive lets them grow
struct SimCLR {
  static constexpr std::string_view name = "SimCLR of FFCV-SSL";

  augment::BYOLOptions augmentation{.second_blur = 0.0};
  projector::MLP projector{.widths = "8192-8192-8192"};
  loss::NTXent loss{.temperature = 0.15};
  optim::LARS optimizer{.lr = 0.5, .weight_decay = 1e-6};
  FitOptions fit{.epochs = 100, .batch_size = 2048, .warmup_epochs = 10.0, .end_ratio = 0.001};

  /// For batches of 2048: the defaults.
  [[nodiscard]] static SimCLR batch_2048() { return {}; }
  /// For batches of 256, with twice the learning rate per image.
  [[nodiscard]] static SimCLR batch_256() {
    SimCLR method;
    method.optimizer.lr = 1.0;
    method.fit.batch_size = 256;
    return method;
  }

  /// What makes the views.
  [[nodiscard]] auto views() const { return augment::byol(augmentation); }
};

/// VICReg with the settings of FFCV-SSL: `VICReg::batch_256()`, `VICReg::batch_2048()`.
///
/// Shapes     two views [C, 224, 224]
/// Errors     none; the policies check themselves
/// Models     jessl::Method (docs/method/README.md), jessl::Options
/// Source     as SimCLR
/// Differs    as SimCLR
struct VICReg {
  static constexpr std::string_view name = "VICReg of FFCV-SSL";

  augment::BYOLOptions augmentation{.second_blur = 0.0};
  projector::MLP projector{.widths = "8192-8192-8192"};
  loss::VICReg loss{};
  optim::LARS optimizer{.lr = 0.5, .weight_decay = 1e-4};
  FitOptions fit{.epochs = 100, .batch_size = 2048, .warmup_epochs = 10.0, .end_ratio = 0.001};

  /// For batches of 2048: the defaults.
  [[nodiscard]] static VICReg batch_2048() { return {}; }
  /// For batches of 256, with three times the learning rate per image.
  [[nodiscard]] static VICReg batch_256() {
    VICReg method;
    method.optimizer.lr = 1.5;
    method.fit.batch_size = 256;
    return method;
  }

  /// What makes the views.
  [[nodiscard]] auto views() const { return augment::byol(augmentation); }
};

}  // namespace jessl::method::ffcv_ssl

JESSL_OPTIONS(jessl::method::ffcv_ssl::SimCLR, augmentation, projector, loss, optimizer, fit);
JESSL_OPTIONS(jessl::method::ffcv_ssl::VICReg, augmentation, projector, loss, optimizer, fit);
