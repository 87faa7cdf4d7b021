// SPDX-License-Identifier: Apache-2.0
// SimSiam as published.
#pragma once

#include <string_view>

#include <jessl/augment/simclr.hpp>
#include <jessl/core/options.hpp>
#include <jessl/loss/sim_siam.hpp>
#include <jessl/method/concept.hpp>
#include <jessl/optim/sgd.hpp>
#include <jessl/projector/mlp.hpp>
#include <jessl/train/options.hpp>

namespace jessl::method {

/// SimSiam on ImageNet: predict the other view's embedding, through which no gradient goes.
///
/// Shapes     two views [C, 224, 224]
/// Errors     none; the policies check themselves
/// Models     jessl::Method (docs/method/README.md), jessl::Options
/// Source     Chen and He, Exploring Simple Siamese Representation Learning, CVPR 2021, arXiv 2011.10566, section 3;
///            facebookresearch/simsiam, main_simsiam.py, simsiam/builder.py
/// Differs    see augment::simclr; the learning rate changes with every step instead of every epoch
struct SimSiam {
  static constexpr std::string_view name = "SimSiam";

  augment::SimCLROptions augmentation{.min_scale = 0.2, .jitter = 0.5};

  projector::MLP projector{.widths = "2048-2048-2048", .output_norm = projector::OutputNorm::plain};
  loss::SimSiam loss{};
  optim::SGD optimizer{.lr = 0.05, .weight_decay = 1e-4, .decay_norm_and_bias = true};
  FitOptions fit{.epochs = 100, .batch_size = 512, .warmup_epochs = 0.0, .end_ratio = 0.0};

  /// What makes the views.
  [[nodiscard]] auto views() const { return augment::simclr(augmentation); }
};

}  // namespace jessl::method

JESSL_OPTIONS(jessl::method::SimSiam, augmentation, projector, loss, optimizer, fit);
