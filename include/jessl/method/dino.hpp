// SPDX-License-Identifier: Apache-2.0
// DINO as published for ResNet-50.
#pragma once

#include <cstddef>
#include <string_view>

#include <jessl/augment/dino.hpp>
#include <jessl/core/options.hpp>
#include <jessl/loss/dino.hpp>
#include <jessl/method/concept.hpp>
#include <jessl/optim/sgd.hpp>
#include <jessl/projector/mlp.hpp>
#include <jessl/train/options.hpp>

namespace jessl::method {

/// DINO on ImageNet with a ResNet-50: predict the distribution that a slow teacher gives the image's large views.
///
/// The teacher's temperature is constant, as is the official code's default; that of loss::DINO rises. For batches of 256 that
/// code advises a teacher's momentum from 0.9995.
///
/// Shapes     two views [C, 224, 224], eight [C, 96, 96]
/// Errors     none; the policies check themselves
/// Models     jessl::Method (docs/method/README.md), jessl::Options
/// Source     Caron et al., Emerging Properties in Self-Supervised Vision Transformers, ICCV 2021, arXiv 2104.14294;
///            facebookresearch/dino, README.md (ResNet-50 on one node), main_dino.py, vision_transformer.py
/// Differs    see augment::dino; gradients are not clipped
struct DINO {
  static constexpr std::string_view name = "DINO";

  augment::DINOOptions augmentation{.min_scale = 0.14, .local_max_scale = 0.14};

  projector::MLP projector{.widths = "2048-2048-256",
                           .hidden_norm = false,
                           .activation = projector::Activation::gelu,
                           .output_bias = true,
                           .start = projector::LinearStart::normal};
  loss::DINO loss{.teacher_temperature = 0.04, .warmup_epochs = 0.0};
  optim::SGD optimizer{.lr = 0.03, .weight_decay = 1e-4};
  FitOptions fit{.epochs = 100, .batch_size = 512, .warmup_epochs = 10.0, .end_ratio = 1.7e-5};  // to 1e-6

  /// What makes the views; `Locals` of them are small.
  template <std::size_t Locals = 8>
  [[nodiscard]] auto views() const {
    return augment::dino<Locals>(augmentation);
  }
};

}  // namespace jessl::method

JESSL_OPTIONS(jessl::method::DINO, augmentation, projector, loss, optimizer, fit);
