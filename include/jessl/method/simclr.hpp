// SPDX-License-Identifier: Apache-2.0
// SimCLR as published.
#pragma once

#include <string_view>

#include <jessl/augment/simclr.hpp>
#include <jessl/core/options.hpp>
#include <jessl/loss/nt_xent.hpp>
#include <jessl/method/concept.hpp>
#include <jessl/optim/lars.hpp>
#include <jessl/projector/mlp.hpp>
#include <jessl/train/options.hpp>

namespace jessl::method {

/// SimCLR on ImageNet: the two views of an image against those of all others in a large batch.
///
/// The paper's best weights trained for 1000 epochs. For other batches the official code advises a learning rate of
/// 0.075 sqrt(batch): for 256 images 1.2 at batches of 256, 0.85 at 512, 0.42 at 2048.
///
/// Shapes     two views [C, 224, 224]
/// Errors     none; the policies check themselves
/// Models     jessl::Method (docs/method/README.md), jessl::Options
/// Source     Chen et al., A Simple Framework for Contrastive Learning of Visual Representations, ICML 2020, arXiv 2002.05709,
///            section 2.2; google-research/simclr, README.md, run.py, model_util.py
/// Differs    see augment::simclr; LARS has the learning rate outside of the momentum; the projector's hidden linear layers
///            have biases, its last norm a shift, and its weights start uniformly; the weight decay is the paper's, 1e-4 is
///            the present code's default
struct SimCLR {
  static constexpr std::string_view name = "SimCLR";

  augment::SimCLROptions augmentation{};

  projector::MLP projector{.widths = "2048-128", .output_norm = projector::OutputNorm::affine};
  loss::NTXent loss{.temperature = 0.1};
  optim::LARS optimizer{.lr = 0.3, .weight_decay = 1e-6};
  FitOptions fit{.epochs = 100, .batch_size = 4096, .warmup_epochs = 10.0, .end_ratio = 0.0};

  /// What makes the views.
  [[nodiscard]] auto views() const { return augment::simclr(augmentation); }
};

}  // namespace jessl::method

JESSL_OPTIONS(jessl::method::SimCLR, augmentation, projector, loss, optimizer, fit);
