// SPDX-License-Identifier: Apache-2.0
// SwAV as published.
#pragma once

#include <cstddef>
#include <string_view>

#include <jessl/augment/swav.hpp>
#include <jessl/core/options.hpp>
#include <jessl/loss/swav.hpp>
#include <jessl/method/concept.hpp>
#include <jessl/optim/lars.hpp>
#include <jessl/projector/mlp.hpp>
#include <jessl/train/options.hpp>

namespace jessl::method {

/// SwAV on ImageNet: predict to which prototypes the other large view of an image was assigned, from views of two sizes.
///
/// For batches of 256 the official code takes 200 or 400 epochs, no warm-up, a learning rate of 0.6 and a queue of 3840 from
/// epoch 15.
///
/// Shapes     two views [C, 224, 224], six [C, 96, 96]
/// Errors     none; the policies check themselves
/// Models     jessl::Method (docs/method/README.md), jessl::Options
/// Source     Caron et al., Unsupervised Learning of Visual Features by Contrasting Cluster Assignments, NeurIPS 2020,
///            arXiv 2006.09882, appendix A; facebookresearch/swav, main_swav.py, src/resnet50.py, scripts/
/// Differs    see augment::swav; the warm-up starts at 0, not at a sixteenth of the learning rate
struct SwAV {
  static constexpr std::string_view name = "SwAV";

  augment::SwAVOptions augmentation{};

  projector::MLP projector{.widths = "2048-128", .output_bias = true};
  loss::SwAV loss{};
  optim::LARS optimizer{.lr = 0.3, .weight_decay = 1e-6, .decay_norm_and_bias = true};
  FitOptions fit{.epochs = 800, .batch_size = 4096, .warmup_epochs = 10.0, .end_ratio = 0.001};

  /// What makes the views; `Locals` of them are small.
  template <std::size_t Locals = 6>
  [[nodiscard]] auto views() const {
    return augment::swav<Locals>(augmentation);
  }
};

}  // namespace jessl::method

JESSL_OPTIONS(jessl::method::SwAV, augmentation, projector, loss, optimizer, fit);
