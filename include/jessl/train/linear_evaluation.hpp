// SPDX-License-Identifier: Apache-2.0
// Linear evaluation: classifiers that SGD trains on the frozen features of augmented images, as papers do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <jessl/backbone/concept.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/core/views.hpp>
#include <jessl/data/concept.hpp>
#include <jessl/optim/sgd.hpp>
#include <jessl/train/detail/classifiers.hpp>
#include <jessl/train/options.hpp>
#include <jessl/train/progress.hpp>
#include <jessl/train/record.hpp>
#include <jessl/train/trainer.hpp>

namespace jessl::train {

/// What a linear evaluation found.
///
/// Shapes     layers: L; their weights [C, width], biases [C]
/// Errors     none
/// Models     none
/// Source     none
struct LinearEvaluationResult {
  /// The classifier of one layer.
  struct Layer {
    std::string name;              ///< "representation", "projector.0", ...
    double top1 = 0.0;             ///< on the test images, in [0, 1]
    std::optional<double> top5{};  ///< the same, where there are more than five classes
    torch::Tensor weight{};        ///< [C, width] float32, on the CPU
    torch::Tensor bias{};          ///< [C] float32, on the CPU
  };

  std::vector<Layer> layers{};  ///< the representation first
  FitResult fit{};              ///< of the classifiers' training; its loss is summed over the layers
};

/// Trains a linear classifier on the frozen representation of augmented images by SGD, and asks it about test images: the linear
/// evaluation of the papers, for figures that are to stand beside theirs.
///
///     train::LinearEvaluation linear;
///     linear.fit.epochs = 50;
///     const auto result = linear.run(trainer, train, test);
///     std::cout << result.layers[0].top1;  // of the representation
///
/// Network and projector are in evaluation mode and get no gradient: no bit of their weights and running statistics changes. Training
/// images are cropped and flipped, in the size and with the normalisation of the trainer's own views, or seen as a view maker given as
/// fourth argument makes them; test images by its evaluation view (resize and centre crop). By the way the same is done on every layer of
/// the projector, by classifiers that learn from the same batches, each as if it were alone.
///
/// The run is a Trainer's: callbacks are given as to Trainer::fit (without any, a progress bar shows it), `fit.resume` goes on from a
/// checkpoint of CheckpointEvery, which holds the classifiers and the fingerprint of the network. What it measures is reported as
/// "LinearEvaluation", with its protocol, so that a log tells it from OnlineProbe's figures and from those of eval::LogisticProbe,
/// which is quicker and has no learning rate to choose: take that where nothing is to be compared with a paper.
///
/// Shapes     a layer's features [N, width] -> scores [N, C]
/// Units      optimizer.lr: of a batch of 256, unless fit.scale_lr is off
/// Precision  network: fit.precision; classifiers: float32
/// Cost       a forward pass of the network for each image of each epoch; the classifiers', as of OnlineProbe; [M, L C] scores of the
///            M test images
/// Randomness order and views from fit.seed; the classifiers start from zeros. Equal seeds give equal bits, as Trainer::fit
/// Errors     ConfigError for settings out of range, a data set without labels or with some outside of the classes (-1, for instance),
///            test images of other channels or more classes, and as Trainer::check; ShapeError where the network does not take the
///            views; as Trainer::fit
/// Models     jessl::Options
/// Source     Chen, Kornblith, Norouzi, Hinton: SimCLR, ICML 2020, arXiv 2002.05709, appendices B.5, B.6 (learning rate, views, start
///            from zeros), with the 100 epochs, batches of 256 and plain momentum of Zbontar et al., Barlow Twins, ICML 2021, arXiv
///            2103.03230 (facebookresearch/barlowtwins, evaluate.py); every layer: Bordes, Balestriero and Vincent, 2023, arXiv 2303.01986
/// Differs    the cosine falls from step to step, in Barlow Twins' and VICReg's code from epoch to epoch; a last batch that is not full
///            is left out. FFCV-SSL's train_probes_only instead: AdamW, learning rate 0.0001, the views of pretraining, and batch
///            norms in training mode
struct LinearEvaluation {
  static constexpr std::string_view name = "LinearEvaluation";

  optim::SGD optimizer{.lr = 0.1};  ///< of the classifiers
  double min_scale = 0.08;  ///< least area of a training crop, fraction of the image, in (0, 1]; more for small images
  bool every_layer = true;  ///< the projector's layers, too; else the representation alone
  FitOptions fit{.epochs = 100, .batch_size = 256, .warmup_epochs = 0.0, .end_ratio = 0.0};

  /// As SimCLR: 90 epochs of batches of 4096, Nesterov's momentum.
  [[nodiscard]] static LinearEvaluation simclr() {
    LinearEvaluation settings;
    settings.optimizer.nesterov = true;
    settings.fit.epochs = 90;
    settings.fit.batch_size = 4096;
    return settings;
  }

  /// As VICReg (Bardes, Ponce, LeCun, ICLR 2022, arXiv 2105.04906; facebookresearch/vicreg): a small learning rate, weight decay.
  [[nodiscard]] static LinearEvaluation vicreg() {
    LinearEvaluation settings;
    settings.optimizer.lr = 0.02;
    settings.optimizer.weight_decay = 1e-6;
    return settings;
  }

  /// Trains on `train`, asks about `test`; training images are cropped and flipped.
  template <class T, Dataset Train, Dataset Test, class... C>
  requires(!ViewMaker<C> && ...) LinearEvaluationResult
      run(const T& trainer, const Train& train, const Test& test, const C&... callbacks)
  const { return run(trainer, train, test, detail::crop_and_flip(trainer.augmentation(), min_scale), callbacks...); }

  /// As above, on the views that `maker` makes of the training images; `min_scale` is not read.
  template <class T, Dataset Train, Dataset Test, ViewMaker M, class... C>
  LinearEvaluationResult run(const T& trainer, const Train& train, const Test& test, const M& maker,
                             const C&... callbacks) const {
    if constexpr (sizeof...(C) == 0) {
      return run(trainer, train, test, maker, Progress{});
    } else {
      detail::check_labels("jessl::train::LinearEvaluation", train, test);
      const torch::Device device = detail::resolve(fit.device);
      auto net = trainer.backbone();
      auto head = trainer.projector();
      const detail::Lent net_lent(net.ptr(), device);
      const detail::Lent head_lent(head.ptr(), device);

      using Frozen = backbone::Holder<detail::FrozenImpl<decltype(net), decltype(head)>>;
      const Frozen frozen(net, head, every_layer, maker.shape(0, train.channels()), device, trainer.configuration());
      const std::vector<std::int64_t>& widths = frozen->widths;
      Trainer classifiers{maker, frozen, detail::LinearClassifiers{.widths = widths, .classes = train.classes()},
                          detail::LayerwiseCrossEntropy{.layers = static_cast<std::int64_t>(widths.size())}, optimizer};
      classifiers.projector()->to(device);  // where the network is, before a check tries it

      std::vector<std::string> names;
      for (std::size_t i = 0; i < widths.size(); ++i) names.push_back(layer_name(i));
      std::vector<detail::Accuracy> accuracies;
      const detail::AccuracyAtEnd<Test> judge{.by = std::string(name),
                                              .classifier = "linear, trained by SGD on the frozen network's features",
                                              .layers = names,
                                              .test = test,
                                              .options = detail::embed_options(fit),
                                              .accuracies = &accuracies};
      LinearEvaluationResult result;
      result.fit = classifiers.fit(train, fit, judge, callbacks...);
      for (std::size_t i = 0; i < widths.size(); ++i) {
        const auto classifier = classifiers.projector()->of_layer(i);
        result.layers.push_back({.name = names[i],
                                 .top1 = accuracies[i].top1,
                                 .top5 = accuracies[i].top5,
                                 .weight = classifier->weight.detach().cpu(),
                                 .bias = classifier->bias.detach().cpu()});
      }
      return result;
    }
  }
};

}  // namespace jessl::train

JESSL_OPTIONS(jessl::train::LinearEvaluation, optimizer, min_scale, every_layer, fit);
