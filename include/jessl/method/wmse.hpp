// SPDX-License-Identifier: Apache-2.0
// W-MSE as published for ImageNet-100.
#pragma once

#include <string_view>

#include <jessl/augment/simclr.hpp>
#include <jessl/core/options.hpp>
#include <jessl/loss/wmse.hpp>
#include <jessl/method/concept.hpp>
#include <jessl/optim/adamw.hpp>
#include <jessl/projector/mlp.hpp>
#include <jessl/train/options.hpp>

namespace jessl::method {

/// W-MSE on ImageNet-100 with a ResNet-18: whitened views of an image close.
///
/// For CIFAR-10 the official code takes "1024-64", a sub-batch of 128, a learning rate of 3e-3, 1000 epochs with a warm-up of
/// about 5, and views with min_scale 0.2, jitter 0.5, grayscale 0.1 and no blur.
///
/// Shapes     two views [C, 224, 224]
/// Errors     none; the policies check themselves
/// Models     jessl::Method (docs/method/README.md), jessl::Options
/// Source     Ermolov et al., Whitening for Self-Supervised Representation Learning, ICML 2021, arXiv 2007.06346, section 4;
///            htdt/self-supervised, README.md, cfg.py, train.py
/// Differs    see augment::simclr; a cosine to 0.04 of the learning rate, where the official code multiplies by 0.2 at 50
///            and at 25 epochs before the end; its weight decay of 1e-6, by Adam and not beside it, is left out
struct WMSE {
  static constexpr std::string_view name = "WMSE";

  augment::SimCLROptions augmentation{};

  projector::MLP projector{.widths = "1024-128", .output_bias = true};
  loss::WMSE loss{.sub_batch = 256};
  optim::AdamW optimizer{.lr = 2e-3, .weight_decay = 0.0};
  FitOptions fit{.epochs = 240, .batch_size = 512, .scale_lr = false, .warmup_epochs = 2.0, .end_ratio = 0.04};

  /// What makes the views.
  [[nodiscard]] auto views() const { return augment::simclr(augmentation); }
};

}  // namespace jessl::method

JESSL_OPTIONS(jessl::method::WMSE, augmentation, projector, loss, optimizer, fit);
