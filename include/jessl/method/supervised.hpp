// SPDX-License-Identifier: Apache-2.0
// The supervised baseline: a classifier of ImageNet.
#pragma once

#include <string_view>

#include <jessl/augment/simclr.hpp>
#include <jessl/core/options.hpp>
#include <jessl/loss/cross_entropy.hpp>
#include <jessl/method/concept.hpp>
#include <jessl/optim/sgd.hpp>
#include <jessl/projector/mlp.hpp>
#include <jessl/train/options.hpp>

namespace jessl::method {

/// A classifier of ImageNet, learned from labels on crops and flips: what methods without labels are compared with.
///
/// The projector's width is the number of classes.
///
/// Shapes     one view [C, 224, 224]
/// Errors     none; the policies check themselves
/// Models     jessl::Method (docs/method/README.md), jessl::Options
/// Source     Goyal et al., Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour, 2017, arXiv 1706.02677, section 5.1
/// Differs    a cosine, where the learning rate is divided by 10 after 30, 60 and 80 epochs; the classifier starts uniformly,
///            and its biases don't decay
struct Supervised {
  static constexpr std::string_view name = "Supervised";

  augment::SimCLROptions augmentation{.jitter_p = 0.0, .grayscale = 0.0, .blur = 0.0};

  projector::MLP projector{.widths = "1000", .output_bias = true};  // the number of classes
  loss::CrossEntropy loss{};
  optim::SGD optimizer{.lr = 0.1, .weight_decay = 1e-4, .nesterov = true};
  FitOptions fit{.epochs = 90, .batch_size = 256, .warmup_epochs = 5.0, .end_ratio = 0.0};

  /// What makes the views.
  [[nodiscard]] auto views() const { return augment::simclr(augmentation).pipeline<0>(); }
};

}  // namespace jessl::method

JESSL_OPTIONS(jessl::method::Supervised, augmentation, projector, loss, optimizer, fit);
