// SPDX-License-Identifier: Apache-2.0
// MMCR as published.
#pragma once

#include <string_view>

#include <jessl/augment/barlow_twins.hpp>
#include <jessl/core/options.hpp>
#include <jessl/loss/mmcr.hpp>
#include <jessl/method/concept.hpp>
#include <jessl/optim/lars.hpp>
#include <jessl/projector/mlp.hpp>
#include <jessl/train/options.hpp>

namespace jessl::method {

/// MMCR on ImageNet: the mean embeddings of the images fill as many dimensions as they can.
///
/// The paper also has four and eight views.
///
/// Shapes     two views [C, 224, 224]
/// Errors     none; the policies check themselves
/// Models     jessl::Method (docs/method/README.md), jessl::Options
/// Source     Yerxa et al., Learning Efficient Coding of Natural Images with Maximum Manifold Capacity Representations,
///            NeurIPS 2023, arXiv 2303.03307; ThomasYerxa/mmcr, mmcr/imagenet, pretrain_imagenet.py
/// Differs    see augment::barlow_twins; equation 3, where the official code's default also has a momentum teacher
struct MMCR {
  static constexpr std::string_view name = "MMCR";

  augment::BarlowTwinsOptions augmentation{};

  projector::MLP projector{.widths = "8192-8192-512"};
  loss::MMCR loss{};
  optim::LARS optimizer{.lr = 0.6, .weight_decay = 1e-6};
  FitOptions fit{.epochs = 100, .batch_size = 2048, .warmup_epochs = 10.0, .end_ratio = 0.001};

  /// What makes the views.
  [[nodiscard]] auto views() const { return augment::barlow_twins(augmentation); }
};

}  // namespace jessl::method

JESSL_OPTIONS(jessl::method::MMCR, augmentation, projector, loss, optimizer, fit);
