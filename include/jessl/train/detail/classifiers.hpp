// SPDX-License-Identifier: Apache-2.0
// What training on labels is made of beside a Trainer: a frozen network, linear classifiers of its layers, their judgement.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <jessl/augment/evaluation.hpp>
#include <jessl/augment/pipeline.hpp>
#include <jessl/augment/random_horizontal_flip.hpp>
#include <jessl/augment/random_resized_crop.hpp>
#include <jessl/backbone/concept.hpp>
#include <jessl/core/autocast.hpp>
#include <jessl/core/communicator.hpp>
#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/matrix.hpp>
#include <jessl/core/module_state.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/core/views.hpp>
#include <jessl/data/concept.hpp>
#include <jessl/eval/accuracy.hpp>
#include <jessl/io/checkpoint.hpp>
#include <jessl/loss/cross_entropy.hpp>
#include <jessl/train/callback.hpp>
#include <jessl/train/detail/network.hpp>
#include <jessl/train/options.hpp>

namespace jessl::train::detail {

/// What makes the views from which classifiers learn, where nobody says another: a crop and a flip, in the size and with the
/// normalisation of `maker`'s first view.
template <class Maker>
[[nodiscard]] auto crop_and_flip(const Maker& maker, double min_scale) {
  static_assert(
      requires { normalization(maker); },
      "jessl::train requires an augmentation whose normalization(augmentation) is known, or a view maker as fourth "
      "argument; see docs/train/linear_evaluation.md");
  const ViewShape shape = maker.shape(0, 1);
  return augment::compose(
      augment::RandomResizedCrop{.size = shape.height, .width = shape.width, .scale = {min_scale, 1.0}},
      augment::RandomHorizontalFlip{}, normalization(maker));
}

/// Says whether classes can be learned from the one data set and asked for on the other.
template <Dataset Train, Dataset Test>
void check_labels(std::string_view who, const Train& train, const Test& test) {
  JESSL_CHECK(train.classes() >= 2, ConfigError, who, ": the training images have ", train.classes(),
              " classes, expected at least two; are they without labels?");
  JESSL_CHECK(test.size() >= 1, ConfigError, who, ": there are no test images");
  JESSL_CHECK(test.classes() >= 1 && test.classes() <= train.classes(), ConfigError, who, ": the test images have ",
              test.classes(), " classes, expected 1 to those of the training images, ", train.classes());
  JESSL_CHECK(test.channels() == train.channels(), ConfigError, who, ": the test images have ", test.channels(),
              " channels, expected as many as the training images, ", train.channels());
  const auto check = [&](std::string_view which, const auto& data) {
    for (std::int64_t i = 0; i < data.size(); ++i) {
      const std::int64_t label = data.label(i);
      JESSL_CHECK(label >= 0 && label < train.classes(), ConfigError, who, ": the label of ", which, " image ", i, " (",
                  data.describe(i), ") is ", label, ", expected 0 to ", train.classes() - 1,
                  "; leave images without a label out, by data::filter for instance");
    }
  };
  check("training", train);
  check("test", test);
}

/// A backbone of its own with the same weights.
template <class B>
[[nodiscard]] B copy_of(const B& net) {
  static_assert(Copyable<B>,
                "jessl::train::FineTuning requires a backbone that holds a torch::nn::Cloneable, of which it trains a "
                "copy; see docs/backbone/README.md");
  auto copy = std::dynamic_pointer_cast<ModuleIn<B>>(net->clone());
  JESSL_CHECK(copy != nullptr, ConfigError,
              "jessl::train::FineTuning: the backbone's clone() makes another class than the backbone's; derive the ",
              "class itself from torch::nn::Cloneable");
  return B(std::move(copy));
}

/// A module on a device and in evaluation mode for the life of the guard, and then where and how it was.
class Lent {
 public:
  Lent(std::shared_ptr<torch::nn::Module> module, const torch::Device& device);
  Lent(const Lent&) = delete;
  Lent& operator=(const Lent&) = delete;
  ~Lent();

 private:
  [[nodiscard]] static torch::Device device_of(const torch::nn::Module& module, const torch::Device& otherwise);

  std::shared_ptr<torch::nn::Module> module_;
  torch::Device home_;
  EvaluationMode mode_;
};

/// What tells two networks of one architecture apart: FNV-1a of the checksums of all their tensors.
[[nodiscard]] std::uint64_t fingerprint(const std::vector<std::shared_ptr<torch::nn::Module>>& modules);

/// JSON that is made already, in the place of settings.
struct MadeJson {
  Json document{};
  [[nodiscard]] Json to_json() const { return document; }
};

/// A backbone, with its projector or without, of which nothing changes, as a backbone whose features are those of every layer,
/// side by side.
///
/// The modules are no submodules: no optimizer sees their weights, no step puts them into training mode, and no checkpoint of who
/// learns from them holds them, but their fingerprint, by which a run that goes on knows them again.
template <class B, class H>
class FrozenImpl : public torch::nn::Module {
 public:
  static constexpr bool casts_images = jessl::backbone::casts_images<B>();

  FrozenImpl(const B& net, const H& head, bool every_layer, const ViewShape& view, const torch::Device& device,
             const Json& configuration)
      : backbone_(net), projector_(head), every_layer_(every_layer) {
    const torch::NoGradGuard no_gradient;
    try {
      for (const torch::Tensor& output : layers(torch::zeros({2, view.channels, view.height, view.width}, device)))
        widths.push_back(output.size(1));
    } catch (const c10::Error& error) {
      const std::string reason = error.what_without_backtrace();
      fail<ShapeError>("jessl::train: the network does not take views of shape ", view, ": ",
                       reason.substr(0, reason.find('\n')), "; are they of the images that it was made for?");
    }
    feature_dim = std::accumulate(widths.begin(), widths.end(), std::int64_t{0});
    std::vector<std::shared_ptr<torch::nn::Module>> modules{backbone_.ptr()};
    options.document = {{"name", "Frozen"}, {"backbone", configuration["backbone"]}};
    if (every_layer_) {
      options.document["projector"] = configuration["projector"];
      modules.push_back(projector_.ptr());
    }
    options.document["weights"] = fingerprint(modules);
  }

  [[nodiscard]] torch::Tensor forward(const torch::Tensor& images) {
    const torch::NoGradGuard no_gradient;
    std::vector<torch::Tensor> outputs = layers(images);
    for (torch::Tensor& output : outputs) output = output.to(torch::kFloat32);
    return torch::cat(outputs, 1);  // [N, sum of the widths]
  }

  void initialise(std::uint64_t /*seed*/) {}  // the weights are somebody else's

  MadeJson options{};
  std::vector<std::int64_t> widths{};  // of the layers
  std::int64_t feature_dim = 0;

 private:
  [[nodiscard]] std::vector<torch::Tensor> layers(const torch::Tensor& images) {
    std::vector<torch::Tensor> outputs{backbone_->forward(images)};
    if (every_layer_) {
      for (torch::Tensor& output : projector_->layers(outputs.front())) outputs.push_back(std::move(output));
    }
    return outputs;
  }

  B backbone_;
  H projector_;
  bool every_layer_;
};

/// Linear classifiers of features that lie side by side, one of each layer's: the scores of all, side by side. They start
/// from zeros, and compute in float32.
class LinearClassifiersHeadImpl : public torch::nn::Module {
 public:
  LinearClassifiersHeadImpl(const std::vector<std::int64_t>& widths, std::int64_t classes);

  void initialise(std::uint64_t /*seed*/);

  [[nodiscard]] torch::Tensor forward(const torch::Tensor& features);
  [[nodiscard]] std::vector<torch::Tensor> layers(const torch::Tensor& features);

  [[nodiscard]] std::shared_ptr<torch::nn::LinearImpl> of_layer(std::size_t i) const;

  torch::nn::ModuleList classifiers;
  std::int64_t out_features;

 private:
  std::vector<std::int64_t> widths_;
};
TORCH_MODULE(LinearClassifiersHead);

/// Makes linear classifiers of layers of these widths.
struct LinearClassifiers {
  static constexpr std::string_view name = "LinearClassifiers";

  std::vector<std::int64_t> widths{};  ///< of the layers' features
  std::int64_t classes = 0;

  [[nodiscard]] LinearClassifiersHead make(std::int64_t /*in_features*/) const;
};

/// The cross-entropy of each layer's scores, which lie side by side, summed over the layers: so none learns from another.
struct LayerwiseCrossEntropy {
  static constexpr std::string_view name = "LayerwiseCrossEntropy";

  std::int64_t layers = 1;

  template <Communicator<torch::Tensor> Group = SingleProcess>
  [[nodiscard]] torch::Tensor operator()(const std::vector<torch::Tensor>& views, const torch::Tensor& labels,
                                         const Group& group = {}) const {
    torch::Tensor sum;
    for (std::int64_t layer = 0; layer < layers; ++layer) {
      std::vector<torch::Tensor> scores;
      for (const torch::Tensor& view : views) {
        const std::int64_t classes = view.size(1) / layers;
        scores.push_back(view.narrow(1, layer * classes, classes));
      }
      const torch::Tensor own = loss::CrossEntropy{}(scores, labels, group);
      sum = layer == 0 ? own : sum + own;
    }
    return sum;
  }
};

/// How often a layer's classifier was right.
struct Accuracy {
  double top1 = 0.0;
  std::optional<double> top5{};  // where there are more than five classes
};

/// Judges a trainer's classifiers on images that nothing learns from, when the run is over, and reports it with its protocol.
template <class Test>
struct AccuracyAtEnd {
  std::string by;                     // the policy's name
  std::string classifier;             // what was trained, in words
  std::vector<std::string> layers;    // whose scores lie side by side
  Test test;                          // images
  EmbedOptions options;               // of the pass over them
  std::vector<Accuracy>* accuracies;  // one a layer; the caller's

  template <class T>
  class State {
   public:
    State(const AccuracyAtEnd& settings, const Run& run, T& trainer)
        : settings_(settings), run_(run), trainer_(trainer) {}

    void after_epoch(const EpochRecord& epoch) {
      if (epoch.epoch + 1 < run_.epochs) return;
      judge();
      report();
    }

    /// Of a run that was over when it was resumed: it has been reported.
    void finish() {
      if (settings_.accuracies->empty()) judge();
    }

   private:
    void judge() {
      constexpr std::int64_t first_few = 5;
      const Embedding scores = trainer_.project(settings_.test, settings_.options);
      for (std::size_t i = 0; i < settings_.layers.size(); ++i) {
        const auto own = scores.features.middleCols(static_cast<std::int64_t>(i) * run_.classes, run_.classes);
        Accuracy accuracy{.top1 = eval::top_k(own, scores.labels, 1)};
        if (run_.classes > first_few) accuracy.top5 = eval::top_k(own, scores.labels, first_few);
        settings_.accuracies->push_back(accuracy);
      }
    }

    void report() const {
      const Json& run = run_.configuration.at("run");
      Json protocol{{"classifier", settings_.classifier},
                    {"optimizer", run_.configuration.at("optimizer")},
                    {"augmentation", run_.configuration.at("augmentation")}};
      for (const char* name : {"epochs", "batch_size", "scale_lr", "warmup_epochs", "end_ratio", "precision", "seed"})
        protocol[name] = run.at(name);
      protocol["training_images"] = run.at("images");
      protocol["images"] = settings_.test.size();
      protocol["classes"] = run_.classes;
      protocol["views"] = "of evaluation, in evaluation mode";
      Json values = Json::object();
      for (std::size_t i = 0; i < settings_.layers.size(); ++i) {
        const Accuracy& accuracy = (*settings_.accuracies)[i];
        Json& figures = values[settings_.layers[i]] = {{"top1", accuracy.top1}};
        if (accuracy.top5) figures["top5"] = *accuracy.top5;
      }
      run_.report({.by = settings_.by, .protocol = std::move(protocol), .values = {{"test", std::move(values)}}});
    }

    const AccuracyAtEnd& settings_;
    Run run_;
    T& trainer_;
  };

  template <class T>
  [[nodiscard]] State<T> start(const Run& run, T& trainer) const {
    return {*this, run, trainer};
  }
};

/// How test images go through a network that was trained with these settings: no more at once than there was memory for.
[[nodiscard]] EmbedOptions embed_options(const FitOptions& fit);

}  // namespace jessl::train::detail

JESSL_OPTIONS(jessl::train::detail::LinearClassifiers, widths, classes);
JESSL_OPTIONS(jessl::train::detail::LayerwiseCrossEntropy, layers);

#if JESSL_DEFINITIONS

namespace jessl::train::detail {

JESSL_INLINE Lent::Lent(std::shared_ptr<torch::nn::Module> module, const torch::Device& device)
    : module_(module), home_(device_of(*module, device)), mode_(module) {
  module_->to(device);
  to_channels_last(*module_);  // as every pass of a trainer leaves it
}

JESSL_INLINE Lent::~Lent() { module_->to(home_); }

JESSL_INLINE torch::Device Lent::device_of(const torch::nn::Module& module, const torch::Device& otherwise) {
  const std::vector<torch::Tensor> parameters = module.parameters();
  return parameters.empty() ? otherwise : parameters.front().device();
}

JESSL_INLINE std::uint64_t fingerprint(const std::vector<std::shared_ptr<torch::nn::Module>>& modules) {
  std::uint64_t hash = 0xCBF29CE484222325U;
  for (const auto& module : modules) {
    for (const auto& [name, tensor] : module_state(*module))
      hash = (hash ^ static_cast<std::uint64_t>(io::detail::checksum(tensor))) * 0x100000001B3U;
  }
  return hash;
}

JESSL_INLINE LinearClassifiersHeadImpl::LinearClassifiersHeadImpl(const std::vector<std::int64_t>& widths,
                                                                  std::int64_t classes)
    : out_features(static_cast<std::int64_t>(widths.size()) * classes), widths_(widths) {
  for (const std::int64_t width : widths) classifiers->push_back(torch::nn::Linear(width, classes));
  register_module("classifiers", classifiers);
}

JESSL_INLINE void LinearClassifiersHeadImpl::initialise(std::uint64_t /*seed*/) {
  const torch::NoGradGuard no_gradient;
  for (torch::Tensor& parameter : parameters()) parameter.zero_();
}

JESSL_INLINE torch::Tensor LinearClassifiersHeadImpl::forward(const torch::Tensor& features) {
  const Autocast full_precision(features.device().type(), Precision::float32);
  const std::vector<torch::Tensor> parts = features.split_with_sizes(widths_, 1);
  std::vector<torch::Tensor> scores;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto& classifier = *of_layer(i);
    scores.push_back(torch::linear(parts[i], classifier.weight, classifier.bias));  // [N, classes]
  }
  return torch::cat(scores, 1);  // [N, layers * classes]
}

JESSL_INLINE std::vector<torch::Tensor> LinearClassifiersHeadImpl::layers(const torch::Tensor& features) {
  return {forward(features)};
}

JESSL_INLINE std::shared_ptr<torch::nn::LinearImpl> LinearClassifiersHeadImpl::of_layer(std::size_t i) const {
  return classifiers->ptr<torch::nn::LinearImpl>(i);
}

JESSL_INLINE LinearClassifiersHead LinearClassifiers::make(std::int64_t /*in_features*/) const {
  return LinearClassifiersHead(widths, classes);
}

JESSL_INLINE EmbedOptions embed_options(const FitOptions& fit) {
  const std::int64_t at_once = fit.micro_batch > 0 ? fit.micro_batch : fit.batch_size;
  return {.batch_size = std::min(at_once, EmbedOptions{}.batch_size),
          .precision = fit.precision,
          .threads = fit.threads,
          .on_corrupt = fit.on_corrupt,
          .max_corrupt_share = fit.max_corrupt_share};
}

}  // namespace jessl::train::detail

#endif  // JESSL_DEFINITIONS
