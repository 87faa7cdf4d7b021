// SPDX-License-Identifier: Apache-2.0
// LeJEPA as published for ResNets.
#pragma once

#include <cstddef>
#include <string_view>

#include <jessl/augment/dino.hpp>
#include <jessl/core/options.hpp>
#include <jessl/loss/sigreg.hpp>
#include <jessl/method/concept.hpp>
#include <jessl/optim/adamw.hpp>
#include <jessl/projector/mlp.hpp>
#include <jessl/train/options.hpp>

namespace jessl::method {

/// LeJEPA on ImageNet with a ResNet: views close to the mean of the large ones, embeddings distributed as a Gaussian.
///
/// The official README gives the optimizer, the views and the loss's slices and points. lambda, the batch, and the projector's
/// depth and width are those of a user's run on ImageNet-100, its hidden widths MINIMAL.md's, and the warm-up is ours. The
/// official code computes in bfloat16: set fit.precision.
///
/// Shapes     two views [C, 224, 224], six [C, 98, 98]
/// Errors     none; the policies check themselves
/// Models     jessl::Method (docs/method/README.md), jessl::Options
/// Source     Balestriero and LeCun, LeJEPA, 2025, arXiv 2511.08544; rbalestr-lab/lejepa, README.md, MINIMAL.md
/// Differs    see augment::dino; small views are not solarized
struct LeJEPA {
  static constexpr std::string_view name = "LeJEPA";

  augment::DINOOptions augmentation{.min_scale = 0.3,
                                    .blur = 0.5,
                                    .solarize = 0.2,
                                    .second_blur = 0.5,
                                    .second_solarize = 0.2,
                                    .local_size = 98,
                                    .local_max_scale = 0.3};

  projector::MLP projector{.widths = "2048-2048-64", .output_bias = true};
  loss::SIGReg loss{};
  optim::AdamW optimizer{.lr = 5e-4, .weight_decay = 5e-4, .decay_norm_and_bias = true};
  FitOptions fit{.epochs = 100, .batch_size = 256, .scale_lr = false, .warmup_epochs = 10.0, .end_ratio = 0.001};

  /// What makes the views; `Locals` of them are small.
  template <std::size_t Locals = 6>
  [[nodiscard]] auto views() const {
    return augment::dino<Locals>(augmentation);
  }
};

}  // namespace jessl::method

JESSL_OPTIONS(jessl::method::LeJEPA, augmentation, projector, loss, optimizer, fit);
