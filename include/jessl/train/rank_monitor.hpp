// SPDX-License-Identifier: Apache-2.0
// How many dimensions the layers use during a run.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/matrix.hpp>
#include <jessl/core/options.hpp>
#include <jessl/eval/at_layers.hpp>
#include <jessl/eval/rank_me.hpp>
#include <jessl/train/callback.hpp>

namespace jessl::train {

template <class D>
struct RankMonitorOn;

/// Tells every so many epochs how many dimensions each layer uses: RankMe of its features of some images. Labels are not asked for.
///
/// It sees the collapse that CollapseMonitor does not: features that differ and lie in few dimensions. Images that the network has
/// seen serve as well as others; RankMe's paper takes 25,600 of them, and values of different numbers of images do not compare.
///
///     trainer.fit(train, options, train::Progress{}, train::RankMonitor{.epochs = 5}.on(images));
///
/// Shapes     none
/// Units      epochs: passes over the training data between two looks; the last epoch is always looked at
/// Cost       the images through the network, and eval::rank_me at each layer
/// Randomness none; the run's losses stay as they are, bit for bit
/// Errors     ConfigError for a setting out of range or without images
/// Models     none; what on() gives is a jessl::Callback (docs/train/README.md)
/// Source     as eval::rank_me
struct RankMonitor {
  static constexpr std::string_view name = "RankMonitor";

  std::int64_t epochs = 1;  ///< between two looks, >= 1

  /// The callback on the images of `data`.
  template <class D>
  [[nodiscard]] RankMonitorOn<D> on(const D& data) const {
    return {*this, data};
  }
};

namespace detail {

void check_rank_monitor(const RankMonitor& settings, std::int64_t images);

/// RankMe of each layer.
[[nodiscard]] Measurement rank_by_layer(const LayerEmbedding& embedding);

}  // namespace detail

/// What RankMonitor::on gives.
///
/// Shapes     none
/// Errors     as RankMonitor
/// Models     jessl::Callback (docs/train/README.md)
/// Source     as eval::rank_me
template <class D>
struct RankMonitorOn {
  static constexpr std::string_view name = RankMonitor::name;

  RankMonitor monitor;  ///< its settings
  D data;               ///< images to embed

  template <class T>
  class State {
   public:
    State(const RankMonitorOn& settings, const Run& run, T& trainer)
        : settings_(settings.monitor),
          data_(settings.data),
          epochs_(run.epochs),
          report_(run.report),
          trainer_(trainer) {
      detail::check_rank_monitor(settings_, data_.size());
    }

    void after_epoch(const EpochRecord& epoch) {
      if ((epoch.epoch + 1) % settings_.epochs != 0 && epoch.epoch + 1 != epochs_) return;
      report_(detail::rank_by_layer(trainer_.embed_layers(data_)));
    }

   private:
    RankMonitor settings_;
    const D& data_;
    std::int64_t epochs_;  // of the run
    std::function<void(const Measurement&)> report_;
    T& trainer_;
  };

  template <class T>
  requires eval::EmbedsLayers<T, D>
  [[nodiscard]] State<T> start(const Run& run, T& trainer) const { return {*this, run, trainer}; }
};

}  // namespace jessl::train

JESSL_OPTIONS(jessl::train::RankMonitor, epochs);

#if JESSL_DEFINITIONS

namespace jessl::train::detail {

JESSL_INLINE void check_rank_monitor(const RankMonitor& settings, std::int64_t images) {
  constexpr std::string_view who = "jessl::train::RankMonitor";
  JESSL_CHECK(settings.epochs >= 1, ConfigError, who, ": epochs is ", settings.epochs, ", expected >= 1");
  JESSL_CHECK(images >= 1, ConfigError, who, ": the data set has no images");
}

JESSL_INLINE Measurement rank_by_layer(const LayerEmbedding& embedding) {
  Json values = Json::object();
  for (const auto& [layer, features] : embedding.layers) values[layer] = {{"rank_me", eval::rank_me(features)}};
  return {.by = std::string(RankMonitor::name),
          .protocol = {{"views", "of evaluation, in evaluation mode"}, {"images", embedding.labels.size()}},
          .values = std::move(values)};
}

}  // namespace jessl::train::detail

#endif  // JESSL_DEFINITIONS
