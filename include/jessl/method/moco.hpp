// SPDX-License-Identifier: Apache-2.0
// MoCo v2 as published.
#pragma once

#include <string_view>

#include <jessl/augment/simclr.hpp>
#include <jessl/core/options.hpp>
#include <jessl/loss/moco.hpp>
#include <jessl/method/concept.hpp>
#include <jessl/optim/sgd.hpp>
#include <jessl/projector/mlp.hpp>
#include <jessl/train/options.hpp>

namespace jessl::method {

/// MoCo v2 on ImageNet: a view against a teacher's embeddings of earlier images, so that small batches have many negatives.
///
/// On one device the published shuffling of batches between devices, which keeps the teacher's batch norms from telling the
/// right answer, has no counterpart; loss.teacher.statistics = followed has the same purpose.
///
/// Shapes     two views [C, 224, 224]
/// Errors     none; the policies check themselves
/// Models     jessl::Method (docs/method/README.md), jessl::Options
/// Source     Chen et al., Improved Baselines with Momentum Contrastive Learning, 2020, arXiv 2003.04297;
///            facebookresearch/moco, README.md, main_moco.py, moco/builder.py
/// Differs    see augment::simclr; the learning rate changes with every step instead of every epoch
struct MoCo {
  static constexpr std::string_view name = "MoCo";

  augment::SimCLROptions augmentation{.min_scale = 0.2, .jitter = 0.5};

  projector::MLP projector{.widths = "2048-128", .hidden_norm = false, .output_bias = true};
  loss::MoCo loss{.symmetric = false};
  optim::SGD optimizer{.lr = 0.03, .weight_decay = 1e-4, .decay_norm_and_bias = true};
  FitOptions fit{.epochs = 200, .batch_size = 256, .warmup_epochs = 0.0, .end_ratio = 0.0};

  /// What makes the views.
  [[nodiscard]] auto views() const { return augment::simclr(augmentation); }
};

}  // namespace jessl::method

JESSL_OPTIONS(jessl::method::MoCo, augmentation, projector, loss, optimizer, fit);
