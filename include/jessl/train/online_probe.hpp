// SPDX-License-Identifier: Apache-2.0
// Linear classifiers that learn beside the network, one on each of its layers.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/matrix.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/shape.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/eval/at_layers.hpp>
#include <jessl/optim/adamw.hpp>
#include <jessl/optim/concept.hpp>
#include <jessl/train/callback.hpp>

namespace jessl::train {

template <class D>
struct OnlineProbeOn;

/// Trains a linear classifier on the representation and on every layer of the projector while the network learns, and tells after
/// each epoch how often they were right.
///
/// The first look at a run that costs next to nothing: the features are those that the step has computed anyway, of its large
/// views, in training mode; no gradient goes back into the network, and the run's losses stay as they are, bit for bit. Each
/// batch is judged before the classifiers learn from it. `on(test)` also judges the images of a data set that nothing learns from, by
/// their evaluation views, in evaluation mode.
///
/// These are online figures: the classifiers chase features that move, on augmented views. They tell how a run goes and which layer
/// knows most; they are not those of a classifier that is fitted to the trained network's features (eval::LogisticProbe), and
/// logs name them by this policy's name.
///
/// Shapes     a layer's features [V*N, width] -> logits [V*N, C]
/// Units      epochs: passes over the training data between two looks at the test images, 0 for never
/// Precision  float32
/// Cost       L products of [V*N, width] by [width, C] forward and once backward, and the optimizer's pass over four tensors of
///            [C, width] a layer; on(test) one pass over those images, whose features at all layers are held at once
/// Randomness none: the classifiers start from zeros
/// Errors     ConfigError when the training data have no labels, the test data have none or more classes, or a setting is out of range;
///            at the first step of a resumed run, which tells how wide the layers are, ConfigError or ShapeError when the
///            checkpoint's classifiers are of other layers or classes
/// Models     jessl::Callback (docs/train/README.md)
/// Source     Bordes, Balestriero and Vincent, Towards Democratizing Joint-Embedding Self-Supervised Learning, 2023,
///            arXiv 2303.01986 (its library's probes on every layer of the projector)
/// Differs    its library gives the first view to the network a second time for the probes, which moves the running statistics
///            twice and costs half a forward pass more; here both views of the step itself are used
struct OnlineProbe {
  static constexpr std::string_view name = "OnlineProbe";

  optim::AdamW optimizer{.weight_decay = 0.0};  ///< of the classifiers; its learning rate is constant
  std::int64_t epochs = 1;                      ///< on(test): a look at the test images every so many epochs, >= 0

  class State;

  [[nodiscard]] State start(const Run& run) const;

  /// The same, with a look at the images of `test`.
  template <class D>
  [[nodiscard]] OnlineProbeOn<D> on(const D& test) const;
};

class OnlineProbe::State {
 public:
  State(const OnlineProbe& settings, const Run& run);

  void after_forward(const StepFeatures& features);

  void after_epoch(const EpochRecord&);

  /// Judges features that nothing learns from, of a data set with labels.
  void judge(const LayerEmbedding& test);

  [[nodiscard]] bool is_due(const EpochRecord& epoch) const {
    return settings_.epochs > 0 && ((epoch.epoch + 1) % settings_.epochs == 0 || epoch.epoch + 1 == epochs_);
  }

  [[nodiscard]] StateDict state_dict() const;

  /// Takes it up at the first step, which tells how wide the layers are.
  void load_state_dict(const StateDict& dict) { saved_ = dict; }

 private:
  static constexpr std::string_view who = "jessl::train::OnlineProbe";
  static constexpr std::int64_t no_label = -1;
  static constexpr std::int64_t fields = 4;  // rows with a label; of them right at once, right within five; summed loss

  struct Probe {
    std::string name;
    torch::Tensor weight;  // [C, width]
    torch::Tensor bias;    // [C]
    torch::Tensor counts;  // [fields] float64, since the epoch began

    [[nodiscard]] torch::Tensor logits(const torch::Tensor& features) const;
  };

  /// What the rows add to a layer's counts, [fields]. Of equal logits the lower class comes first, as in eval::top_k.
  [[nodiscard]] static torch::Tensor counts(const torch::Tensor& logits, const torch::Tensor& labels,
                                            const torch::Tensor& loss);

  [[nodiscard]] Json figures(const torch::Tensor& sums) const;

  void report(std::string_view part, std::string_view views, Json values) const;

  void make(const StepFeatures& features);

  void take_up(const std::string& entry, torch::Tensor& tensor) const;

  OnlineProbe settings_;
  std::int64_t classes_;
  std::int64_t epochs_;  // of the run
  std::function<void(const Measurement&)> report_;
  std::vector<Probe> layers_{};
  std::optional<optim::StateOf<optim::AdamW>> optimizer_{};  // from the first step on
  StateDict saved_{};                                        // of a checkpoint, until the first step
};

inline OnlineProbe::State OnlineProbe::start(const Run& run) const { return {*this, run}; }

/// An OnlineProbe that also judges the images of a data set: what OnlineProbe::on gives.
///
/// Shapes     as OnlineProbe
/// Errors     as OnlineProbe
/// Models     jessl::Callback (docs/train/README.md)
/// Source     as OnlineProbe
template <class D>
struct OnlineProbeOn {
  static constexpr std::string_view name = OnlineProbe::name;

  OnlineProbe probe;  ///< its settings
  D test;             ///< images that nothing learns from

  template <class T>
  class State : public OnlineProbe::State {
   public:
    State(const OnlineProbeOn& settings, const Run& run, T& trainer)
        : OnlineProbe::State(settings.probe, run), test_(settings.test), trainer_(trainer) {
      JESSL_CHECK(test_.size() >= 1, ConfigError, "jessl::train::OnlineProbe: there are no test images");
      JESSL_CHECK(test_.classes() >= 1 && test_.classes() <= run.classes, ConfigError, "jessl::train::OnlineProbe",
                  ": the test images have ", test_.classes(), " classes, expected 1 to those of the training images, ",
                  run.classes);
    }

    void after_epoch(const EpochRecord& epoch) {
      OnlineProbe::State::after_epoch(epoch);
      if (this->is_due(epoch)) this->judge(trainer_.embed_layers(test_));
    }

   private:
    const D& test_;
    T& trainer_;
  };

  template <class T>
  requires eval::EmbedsLayers<T, D>
  [[nodiscard]] State<T> start(const Run& run, T& trainer) const { return {*this, run, trainer}; }
};

template <class D>
OnlineProbeOn<D> OnlineProbe::on(const D& data) const {
  return {*this, data};
}

}  // namespace jessl::train

JESSL_OPTIONS(jessl::train::OnlineProbe, optimizer, epochs);

#if JESSL_DEFINITIONS

namespace jessl::train {

JESSL_INLINE OnlineProbe::State::State(const OnlineProbe& settings, const Run& run)
    : settings_(settings), classes_(run.classes), epochs_(run.epochs), report_(run.report) {
  JESSL_CHECK(
      run.classes >= 1, ConfigError, who,
      ": the data set has no labels for the classifiers to learn; leave OnlineProbe out, or give the images classes");
  JESSL_CHECK(settings.epochs >= 0, ConfigError, who, ": epochs is ", settings.epochs, ", expected >= 0");
  settings.optimizer.check();
}

JESSL_INLINE void OnlineProbe::State::after_forward(const StepFeatures& features) {
  if (!optimizer_) make(features);
  optimizer_->zero_grad();
  torch::Tensor loss;
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const torch::Tensor logits = layers_[i].logits(features.layers[i].output);
    const torch::Tensor losses = torch::cross_entropy_loss(logits, features.labels, /*weight=*/{}, at::Reduction::Sum,
                                                           /*ignore_index=*/no_label);
    layers_[i].counts += counts(logits.detach(), features.labels, losses.detach());
    loss = i == 0 ? losses : loss + losses;
  }
  const torch::Tensor labelled = features.labels.ne(no_label).sum().clamp_min(1);
  (loss / labelled).backward();
  optimizer_->step();
}

JESSL_INLINE void OnlineProbe::State::after_epoch(const EpochRecord&) {
  Json train = Json::object();
  for (Probe& layer : layers_) {
    train[layer.name] = figures(layer.counts);
    layer.counts.zero_();
  }
  report("train", "of the steps, in training mode, each judged before it is learned from", std::move(train));
}

JESSL_INLINE void OnlineProbe::State::judge(const LayerEmbedding& test) {
  const torch::NoGradGuard no_gradient;
  const torch::Tensor labels = torch::tensor(test.labels, torch::kInt64);
  Json values = Json::object();
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const RowMatrix& rows = test.layers[i].features;
    const torch::Tensor features =
        torch::from_blob(const_cast<float*>(rows.data()), {rows.rows(), rows.cols()}, torch::kFloat32);  // read only
    torch::Tensor sums = torch::zeros({fields}, torch::kFloat64);
    constexpr std::int64_t rows_at_once = 4096;
    for (std::int64_t begin = 0; begin < rows.rows(); begin += rows_at_once) {
      const std::int64_t size = std::min<std::int64_t>(rows_at_once, rows.rows() - begin);
      const torch::Tensor some = labels.narrow(0, begin, size);
      const torch::Tensor logits =
          layers_[i].logits(features.narrow(0, begin, size).to(layers_[i].weight.device())).cpu();
      sums += counts(logits, some, torch::cross_entropy_loss(logits, some, {}, at::Reduction::Sum, no_label));
    }
    values[layers_[i].name] = figures(sums);
  }
  report("test", "of evaluation, in evaluation mode", std::move(values));
}

JESSL_INLINE StateDict OnlineProbe::State::state_dict() const {
  if (!optimizer_) return saved_;
  StateDict dict;
  for (const Probe& layer : layers_) {
    dict[layer.name + ".weight"] = layer.weight.detach();
    dict[layer.name + ".bias"] = layer.bias.detach();
    dict[layer.name + ".counts"] = layer.counts;
  }
  for (const auto& [name, tensor] : optimizer_->state_dict()) dict["optimizer." + name] = tensor;
  return dict;
}

JESSL_INLINE torch::Tensor OnlineProbe::State::Probe::logits(const torch::Tensor& features) const {
  return torch::linear(features.to(torch::kFloat32), weight, bias);
}

JESSL_INLINE torch::Tensor OnlineProbe::State::counts(const torch::Tensor& logits, const torch::Tensor& labels,
                                                      const torch::Tensor& loss) {
  const torch::Tensor labelled = labels.ne(no_label);
  // Comparisons with NaN are false, and a label that nothing exceeds would be right.
  const torch::Tensor judged = labelled.logical_and(logits.isfinite().all(1));
  const torch::Tensor column = labels.clamp_min(0).unsqueeze(1);  // [rows, 1]
  const torch::Tensor own = logits.gather(1, column);
  const torch::Tensor earlier = torch::arange(logits.size(1), labels.options()).lt(column);  // [rows, C]
  const torch::Tensor before = logits.gt(own).logical_or(logits.eq(own).logical_and(earlier)).sum(1);
  return torch::stack(
             {labelled.sum(), before.lt(1).logical_and(judged).sum(), before.lt(5).logical_and(judged).sum(), loss})
      .to(torch::kFloat64);
}

JESSL_INLINE Json OnlineProbe::State::figures(const torch::Tensor& sums) const {
  const torch::Tensor here = sums.cpu();
  const double* sum = here.const_data_ptr<double>();
  const double rows = std::max(sum[0], 1.0);
  Json values{{"top1", sum[1] / rows}};
  if (classes_ > 5) values["top5"] = sum[2] / rows;
  values["loss"] = jessl::to_json(sum[3] / rows);
  return values;
}

JESSL_INLINE void OnlineProbe::State::report(std::string_view part, std::string_view views, Json values) const {
  report_({.by = std::string(name),
           .protocol = {{"classifier", "linear, trained beside the network"},
                        {"optimizer", to_json(settings_.optimizer)},
                        {"classes", classes_},
                        {"views", views}},
           .values = {{std::string(part), std::move(values)}}});
}

JESSL_INLINE void OnlineProbe::State::make(const StepFeatures& features) {
  optim::NamedParameters parameters;
  for (const Layer& layer : features.layers) {
    const auto options = torch::TensorOptions(layer.output.device());
    Probe& probe = layers_.emplace_back(
        Probe{.name = layer.name,
              .weight = torch::zeros({classes_, layer.output.size(1)}, options.dtype(torch::kFloat32)),
              .bias = torch::zeros({classes_}, options.dtype(torch::kFloat32)),
              .counts = torch::zeros({fields}, options.dtype(torch::kFloat64))});
    take_up(probe.name + ".weight", probe.weight);
    take_up(probe.name + ".bias", probe.bias);
    take_up(probe.name + ".counts", probe.counts);
    parameters.emplace_back(probe.name + ".weight", probe.weight.requires_grad_());
    parameters.emplace_back(probe.name + ".bias", probe.bias.requires_grad_());
  }
  optimizer_.emplace(settings_.optimizer.attach(parameters));
  if (saved_.empty()) return;
  StateDict moments;
  constexpr std::string_view prefix = "optimizer.";
  for (const auto& [name, tensor] : saved_) {
    if (name.starts_with(prefix)) moments[name.substr(prefix.size())] = tensor;
  }
  optimizer_->load_state_dict(moments);
  saved_.clear();
}

JESSL_INLINE void OnlineProbe::State::take_up(const std::string& entry, torch::Tensor& tensor) const {
  if (saved_.empty()) return;
  const auto found = saved_.find(entry);
  JESSL_CHECK(found != saved_.end(), ConfigError, who, ": the checkpoint's probes have no \"", entry,
              "\"; was it written by a run with another projector?");
  JESSL_CHECK(found->second.sizes() == tensor.sizes(), ShapeError, who, ": the checkpoint's \"", entry, "\" is ",
              shape_of(found->second), ", expected ", shape_of(tensor), ", for this network and ", classes_,
              " classes");
  tensor.copy_(found->second);
}

}  // namespace jessl::train

#endif  // JESSL_DEFINITIONS
