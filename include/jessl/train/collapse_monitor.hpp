// SPDX-License-Identifier: Apache-2.0
// A watch for embeddings that become the same for all images.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/log.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/train/callback.hpp>

namespace jessl::train {

/// Warns when the embeddings of a run become the same for all images, and tells after each epoch how far apart they are.
///
/// Its figure is the standard deviation of a layer's features over a batch, each scaled to length 1, as a mean over the
/// dimensions and times sqrt(width): about 1 where features point everywhere alike, 0 where all are the same. A loss can
/// look well while it goes to 0. Few dimensions in use, the other kind of collapse, are RankMonitor's.
///
/// Shapes     a layer's features [V*N, width] -> number
/// Units      threshold: share of what features in all directions would have; patience: steps
/// Precision  float32
/// Cost       a pass over the features of each step; beside a GPU it waits for the number once every `patience` steps
/// Randomness none
/// Errors     ConfigError from start() for a setting out of range
/// Models     jessl::Callback (docs/train/README.md)
/// Source     Chen and He, Exploring Simple Siamese Representation Learning, CVPR 2021, arXiv 2011.10566, figure 2
/// Differs    times sqrt(width), so that layers can be compared
struct CollapseMonitor {
  static constexpr std::string_view name = "CollapseMonitor";

  double threshold = 0.05;     ///< of the embedding: below it is a collapse, in [0, 1)
  std::int64_t patience = 50;  ///< steps over which the mean is taken before it is believed, >= 1

  class State {
   public:
    State(const CollapseMonitor& settings, const Run& run);

    void after_forward(const StepFeatures& features);

    void after_epoch(const EpochRecord&);

   private:
    static constexpr std::string_view who = "jessl::train::CollapseMonitor";

    [[nodiscard]] static torch::Tensor deviation(const torch::Tensor& output);

    void judge(std::int64_t step);

    double threshold_;
    std::int64_t patience_;
    std::function<void(const Measurement&)> report_;
    std::vector<std::string> names_{};
    torch::Tensor epoch_sum_{};  // [L]
    std::int64_t epoch_steps_ = 0;
    torch::Tensor recent_sum_{};  // of the embedding, []
    std::int64_t recent_steps_ = 0;
    bool collapsed_ = false;
  };

  [[nodiscard]] State start(const Run& run) const { return {*this, run}; }
};

}  // namespace jessl::train

JESSL_OPTIONS(jessl::train::CollapseMonitor, threshold, patience);

#if JESSL_DEFINITIONS

namespace jessl::train {

JESSL_INLINE CollapseMonitor::State::State(const CollapseMonitor& settings, const Run& run)
    : threshold_(settings.threshold), patience_(settings.patience), report_(run.report) {
  JESSL_CHECK(settings.threshold >= 0 && settings.threshold < 1, ConfigError, who, ": threshold is ",
              settings.threshold, ", expected a number in [0, 1)");
  JESSL_CHECK(settings.patience >= 1, ConfigError, who, ": patience is ", settings.patience, ", expected >= 1");
}

JESSL_INLINE void CollapseMonitor::State::after_forward(const StepFeatures& features) {
  const torch::NoGradGuard no_gradient;
  std::vector<torch::Tensor> deviations;
  for (const Layer& layer : features.layers) deviations.push_back(deviation(layer.output));
  const torch::Tensor now = torch::stack(deviations);  // [L]
  epoch_sum_ = epoch_steps_ == 0 ? now : epoch_sum_ + now;
  ++epoch_steps_;
  recent_sum_ = recent_steps_ == 0 ? now[-1] : recent_sum_ + now[-1];
  ++recent_steps_;
  names_.clear();
  for (const Layer& layer : features.layers) names_.push_back(layer.name);
  if (recent_steps_ == patience_) judge(features.step);
}

JESSL_INLINE void CollapseMonitor::State::after_epoch(const EpochRecord&) {
  const torch::Tensor means = (epoch_sum_ / static_cast<double>(epoch_steps_)).to(torch::kCPU, torch::kFloat64);
  Json values = Json::object();
  for (std::size_t i = 0; i < names_.size(); ++i)
    values[names_[i]] = {{"spread", to_json(means[static_cast<std::int64_t>(i)].item<double>())}};
  epoch_steps_ = 0;
  report_({.by = std::string(name),
           .protocol = {{"spread", "mean deviation of features of length 1, times sqrt(width)"},
                        {"images", "training views, over the steps of the epoch that this process took"}},
           .values = std::move(values)});
}

JESSL_INLINE torch::Tensor CollapseMonitor::State::deviation(const torch::Tensor& output) {
  const torch::Tensor x = output.to(torch::kFloat32);
  const torch::Tensor unit = x / x.norm(2, 1, /*keepdim=*/true).clamp_min(1e-12);
  return unit.std(0, /*unbiased=*/false).mean() * std::sqrt(static_cast<double>(x.size(1)));
}

JESSL_INLINE void CollapseMonitor::State::judge(std::int64_t step) {
  const double mean = recent_sum_.item<double>() / static_cast<double>(recent_steps_);
  recent_steps_ = 0;
  const bool collapsed = mean < threshold_;
  if (collapsed && !collapsed_) {
    warn(who, ": the embeddings have become the same for all images: their spread is ", mean, " over the last ",
         patience_, " steps up to step ", step,
         ", where 1 is that of features in all directions. What usually helps: a lower ",
         "learning rate or a longer warm-up, batch norm in the projector, larger batches; for methods without "
         "negatives ",
         "the predictor and the teacher's momentum, for VICReg the weight of the variance");
  }
  collapsed_ = collapsed;
}

}  // namespace jessl::train

#endif  // JESSL_DEFINITIONS
