// SPDX-License-Identifier: Apache-2.0
// NNCLR as published.
#pragma once

#include <string_view>

#include <jessl/augment/byol.hpp>
#include <jessl/core/options.hpp>
#include <jessl/loss/nnclr.hpp>
#include <jessl/method/concept.hpp>
#include <jessl/optim/lars.hpp>
#include <jessl/projector/mlp.hpp>
#include <jessl/train/options.hpp>

namespace jessl::method {

/// NNCLR on ImageNet: an embedding's nearest neighbour among earlier ones stands for it.
///
/// There is no official code, and the figures were not checked against one: the queue's size, learning rate, weight decay and
/// batch are the paper's as they are commonly given, the head is as lightly quotes it.
///
/// Shapes     two views [C, 224, 224]
/// Errors     none; the policies check themselves
/// Models     jessl::Method (docs/method/README.md), jessl::Options
/// Source     Dwibedi et al., With a Little Help from My Friends, ICCV 2021, arXiv 2104.14548; the predictor's bias
///            and the augmentation as in solo-learn
/// Differs    see augment::byol
struct NNCLR {
  static constexpr std::string_view name = "NNCLR";

  augment::BYOLOptions augmentation{};

  projector::MLP projector{.widths = "2048-2048-256", .output_norm = projector::OutputNorm::affine};
  loss::NNCLR loss{.queue_size = 98304, .predictor = {.hidden = "4096", .output_bias = true}};
  optim::LARS optimizer{.lr = 0.3, .weight_decay = 1e-6};
  FitOptions fit{.epochs = 1000, .batch_size = 4096, .warmup_epochs = 10.0, .end_ratio = 0.0};

  /// What makes the views.
  [[nodiscard]] auto views() const { return augment::byol(augmentation); }
};

}  // namespace jessl::method

JESSL_OPTIONS(jessl::method::NNCLR, augmentation, projector, loss, optimizer, fit);
