// SPDX-License-Identifier: Apache-2.0
// Fine-tuning: a copy of the whole network learns from labels, from the weights of its pretraining.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <jessl/core/error.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/core/views.hpp>
#include <jessl/data/concept.hpp>
#include <jessl/loss/cross_entropy.hpp>
#include <jessl/optim/sgd.hpp>
#include <jessl/projector/mlp.hpp>
#include <jessl/train/detail/classifiers.hpp>
#include <jessl/train/detail/head_rate.hpp>
#include <jessl/train/detail/network.hpp>
#include <jessl/train/options.hpp>
#include <jessl/train/progress.hpp>
#include <jessl/train/trainer.hpp>

namespace jessl::train {

/// What fine-tuning gave.
///
/// Shapes     weight: [C, D], bias: [C]
/// Errors     none
/// Models     none
/// Source     none
template <class B>
struct FineTuningResult {
  B backbone{nullptr};           ///< fine-tuned: a copy of the trainer's
  torch::Tensor weight{};        ///< [C, D] float32, of the classifier, on the CPU
  torch::Tensor bias{};          ///< [C] float32, on the CPU
  double top1 = 0.0;             ///< on the test images, in [0, 1]
  std::optional<double> top5{};  ///< the same, where there are more than five classes
  FitResult fit{};               ///< of the training
};

/// Trains a copy of a pretrained backbone and a linear classifier on it from labels, and asks them about test images: the
/// semi-supervised evaluation of the papers, on 1 % or 10 % of the labels, or on all of them.
///
///     train::FineTuning tuning = train::FineTuning::vicreg_1_percent();
///     const auto result = tuning.run(trainer, data::fraction(train, 0.01), test);
///
/// The trainer's own network stays as it is; the copy, fine-tuned, is in the result. The projector is left out: the classifier sees the
/// representation. Views, callbacks, resuming and what is reported, here as "FineTuning", are as in LinearEvaluation; the backbone is in
/// training mode, so that batch norms see the batch and their running statistics move.
///
/// Shapes     view [N, C, H, W] -> representation [N, D] -> scores [N, C]
/// Units      optimizer.lr, head_lr: of a batch of 256, unless fit.scale_lr is off
/// Precision  fit.precision; statistics, loss and optimizer in float32
/// Cost       as training on one view; one copy of the backbone, and the optimizer's momentum
/// Randomness start of the classifier (uniform, as LibTorch's), order and views from fit.seed. Equal seeds give equal bits, as
///            Trainer::fit
/// Errors     as LinearEvaluation; ConfigError for a learning rate of the backbone that is not positive. A backbone whose module can't be
///            copied is a one-line message of the compiler
/// Models     jessl::Options
/// Source     Bardes, Ponce, LeCun: VICReg, ICLR 2022, arXiv 2105.04906 (facebookresearch/vicreg, README.md: 10 % of the labels)
/// Differs    the cosine falls from step to step there from epoch to epoch; the classifier starts uniformly, there normally with
///            deviation 0.01; a last batch that is not full is left out
struct FineTuning {
  static constexpr std::string_view name = "FineTuning";

  optim::SGD optimizer{.lr = 0.01};     ///< of all weights; its lr, > 0, is the backbone's
  std::optional<double> head_lr = 0.1;  ///< the classifier's learning rate, >= 0; unset: the backbone's
  loss::CrossEntropy loss{};            ///< of the scores
  double min_scale = 0.08;  ///< least area of a training crop, fraction of the image, in (0, 1]; more for small images
  FitOptions fit{.epochs = 20, .batch_size = 256, .warmup_epochs = 0.0, .end_ratio = 0.0};

  /// As VICReg for 1 % of ImageNet's labels.
  [[nodiscard]] static FineTuning vicreg_1_percent() {
    FineTuning settings;
    settings.optimizer.lr = 0.03;
    settings.head_lr = 0.08;
    return settings;
  }
  /// As VICReg for 10 % of ImageNet's labels: the defaults.
  [[nodiscard]] static FineTuning vicreg_10_percent() { return {}; }

  /// As Barlow Twins for 1 % of ImageNet's labels (Zbontar et al., ICML 2021, arXiv 2103.03230; facebookresearch/barlowtwins, README.md).
  [[nodiscard]] static FineTuning barlow_twins_1_percent() {
    FineTuning settings;
    settings.optimizer.lr = 0.002;
    settings.head_lr = 0.5;
    return settings;
  }

  /// As SimCLR (Chen et al., ICML 2020, arXiv 2002.05709, appendix B.5) for 10 % of ImageNet's labels; for 1 % with 60 epochs.
  [[nodiscard]] static FineTuning simclr() {
    FineTuning settings;
    settings.optimizer = {.lr = 0.05, .nesterov = true};
    settings.head_lr.reset();
    settings.fit.epochs = 30;
    settings.fit.batch_size = 4096;
    return settings;
  }

  /// Trains a copy on `train`, asks about `test`; training images are cropped and flipped.
  template <class T, Dataset Train, Dataset Test, class... C>
  requires(!ViewMaker<C> && ...) auto run(const T& trainer, const Train& train, const Test& test,
                                          const C&... callbacks) const {
    return run(trainer, train, test, detail::crop_and_flip(trainer.augmentation(), min_scale), callbacks...);
  }

  /// As above, on the views that `maker` makes of the training images; `min_scale` is not read.
  template <class T, Dataset Train, Dataset Test, ViewMaker M, class... C>
  auto run(const T& trainer, const Train& train, const Test& test, const M& maker, const C&... callbacks) const {
    if constexpr (sizeof...(C) == 0) {
      return run(trainer, train, test, maker, Progress{});
    } else {
      detail::check_labels("jessl::train::FineTuning", train, test);
      auto copy = detail::copy_of(trainer.backbone());
      using B = decltype(copy);
      Trainer network{maker, std::move(copy),
                      projector::MLP{.widths = std::to_string(train.classes()), .output_bias = true}, loss,
                      detail::HeadRate{.sgd = optimizer, .head_lr = head_lr.value_or(optimizer.lr)}};
      network.projector()->initialise(fit.seed);
      network.keep_weights();

      std::vector<detail::Accuracy> accuracies;
      const detail::AccuracyAtEnd<Test> judge{.by = std::string(name),
                                              .classifier = "linear, trained by SGD with the whole network",
                                              .layers = {layer_name(0)},
                                              .test = test,
                                              .options = detail::embed_options(fit),
                                              .accuracies = &accuracies};
      FineTuningResult<B> result;
      result.fit = network.fit(train, fit, judge, callbacks...);
      result.backbone = network.backbone();
      const auto classifier = network.projector()->named_parameters();
      result.weight = classifier["0.weight"].detach().cpu();
      result.bias = classifier["0.bias"].detach().cpu();
      result.top1 = accuracies[0].top1;
      result.top5 = accuracies[0].top5;
      return result;
    }
  }
};

}  // namespace jessl::train

JESSL_OPTIONS(jessl::train::FineTuning, optimizer, head_lr, loss, min_scale, fit);
