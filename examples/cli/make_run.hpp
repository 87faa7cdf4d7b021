// SPDX-License-Identifier: Apache-2.0
// A method's Run. Included by the sources that cmake writes, a few methods each.
#pragma once

#include "any_backbone.hpp"
#include "callbacks.hpp"
#include "captions.hpp"
#include "run.hpp"

#include <jessl/augment/parameters.hpp>
#include <jessl/augment/progressive.hpp>
#include <jessl/data/loader.hpp>
#include <jessl/method/make_trainer.hpp>
#include <jessl/train/collapse_monitor.hpp>
#include <jessl/train/view_grid.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace cli {

/// The views of a method, without the small ones of multi-crop where those are not wanted, and growing up to their size
/// where there is a ramp. Views that do not grow are of the same type, so that no trainer is compiled twice.
template <bool SmallViews, class M>
[[nodiscard]] auto views_of(const M& method, const std::optional<jessl::augment::Ramp>& wanted) {
  const auto of_size = [&](std::int64_t size) {
    M sized = method;
    sized.augmentation.size = size;
    if constexpr (SmallViews) {
      return sized.views();
    } else {
      return sized.template views<0>();
    }
  };
  const std::int64_t size = method.augmentation.size;
  (void)of_size(size);  // a size that is none is told as such
  jessl::augment::Ramp ramp{.min = size, .max = size, .start = 0, .end = 1, .step = size};
  if (wanted) {
    ramp = *wanted;
    ramp.max = size;
  }
  return jessl::augment::progressive(ramp, of_size);
}

// What follows knows the views and not the method, and so is compiled once for methods with views of one type.

/// How many images a second a run's loader gives, as Run::loading_rate.
template <class Views>
[[nodiscard]] double loading_rate_of(const AnyDataset& data, const Views& views, const jessl::FitOptions& fit,
                                     jessl::Element element, std::int64_t workers, double seconds) {
  using Clock = std::chrono::steady_clock;
  jessl::data::Loader loader(data, views,
                             {.batch_size = fit.batch_size,
                              .workers = workers,
                              .ahead = 0,
                              .seed = fit.seed,
                              .decoding = fit.decoding,
                              .on_corrupt = fit.on_corrupt,
                              .max_corrupt_share = fit.max_corrupt_share,
                              .element = element,
                              .layout = jessl::Layout::channels_last});
  std::optional<Clock::time_point> begin;
  std::int64_t images = 0;
  for (;;) {
    for (const jessl::data::Batch& batch : loader.epoch(0)) {
      const Clock::time_point now = Clock::now();
      if (begin) images += batch.size();
      if (!begin) begin = now;  // the first batch warms the caches
      const double elapsed = std::chrono::duration<double>(now - *begin).count();
      if (images > 0 && elapsed >= seconds) return static_cast<double>(images) / elapsed;
    }
  }
}

/// Images and the views of them, as Run::views.
template <class Views>
[[nodiscard]] jessl::Image picture_of(const AnyDataset& data, const Views& maker, const Picture& wanted) {
  const auto described = jessl::augment::with_parameters(maker);
  const std::int64_t channels = data.channels();
  const jessl::train::ViewGridOptions options = grid_options(data, maker.shape(0, channels), wanted);
  const auto caption = [&](std::int64_t view, const jessl::Extent& extent, const jessl::DrawKey& key) {
    if (!wanted.parameters) return jessl::Image();
    const std::int64_t width = maker.shape(std::max<std::int64_t>(0, view), channels).width * options.zoom;
    if (view < 0) return caption_of_image(data, static_cast<std::int64_t>(key.sample), extent, width);
    const std::vector<std::string> names = described.parameters(view);
    std::vector<float> values(names.size());
    described.describe(extent, key, values);
    return caption_of_view(names, values, width, channels);
  };
  return jessl::train::view_grid(data, maker, options, caption);
}

template <class M, bool SmallViews>
class RunOf final : public Run {
 public:
  RunOf(const Json& settings, const Json& backbone, const std::optional<jessl::augment::Ramp>& ramp)
      : method_(jessl::from_json<M>(settings, "settings")),
        trainer_(jessl::method::make_trainer(method_, make_backbone(backbone), views_of<SmallViews>(method_, ramp))) {}

  [[nodiscard]] Json configuration() const override { return trainer_.configuration(); }

  void initialise(std::uint64_t seed) override { trainer_.initialise(seed); }

  void check(const AnyDataset& data, const std::string& resume) const override {
    trainer_.check(data, options(resume));
  }

  void join(const Ranks& ranks) override {
    if (ranks.group) trainer_.join(*ranks.group);
  }

  Json fit(const AnyDataset& data, const Watch& watch) override {
    const Callbacks on(watch);
    return in_json(trainer_.fit(data, options(watch.resume), on.progress, jessl::train::CollapseMonitor{}, on.probe,
                                on.neighbours, on.rank, on.log, on.checkpoints, on.each_step));
  }

  void load(const std::filesystem::path& file) override {
    if (file.extension() == ".safetensors") {
      AnyBackbone net = trainer_.backbone();
      load_backbone(net, file.string());
    } else {
      trainer_.load_weights(file);
    }
  }

  void save_backbone(const std::filesystem::path& file, const Json& texts) const override {
    cli::save_backbone(trainer_.backbone(), file.string(), texts);
  }

  [[nodiscard]] jessl::LayerEmbedding embed_layers(const AnyDataset& data, const Json& settings) override {
    return trainer_.embed_layers(data, jessl::from_json<jessl::EmbedOptions>(settings));
  }
  [[nodiscard]] jessl::Embedding embed(const AnyDataset& data, const Json& settings) override {
    return trainer_.embed(data, jessl::from_json<jessl::EmbedOptions>(settings));
  }
  void embed_to(const AnyDataset& data, const std::filesystem::path& file, const Json& settings) override {
    trainer_.embed_to(data, file, jessl::from_json<jessl::EmbedOptions>(settings));
  }

  [[nodiscard]] double loading_rate(const AnyDataset& data, std::int64_t workers, double seconds) const override {
    const bool half = jessl::resolve(method_.fit.precision, trainer_.device().type()) == jessl::Precision::bfloat16;
    return loading_rate_of(data, trainer_.augmentation(), method_.fit,
                           half ? jessl::Element::bfloat16 : jessl::Element::float32, workers, seconds);
  }

  [[nodiscard]] jessl::Image views(const AnyDataset& data, const Picture& wanted) const override {
    return picture_of(data, trainer_.augmentation().at(wanted.epoch), wanted);
  }

 private:
  using Trainer = decltype(jessl::method::make_trainer(std::declval<const M&>(), std::declval<AnyBackbone>(),
                                                       views_of<SmallViews>(std::declval<const M&>(), std::nullopt)));

  [[nodiscard]] jessl::FitOptions options(const std::string& resume) const {
    jessl::FitOptions result = method_.fit;
    result.resume = resume;
    return result;
  }

  M method_;
  Trainer trainer_;
};

template <class M>
[[nodiscard]] std::unique_ptr<Run> make_run(const Json& settings, const Json& backbone, bool small_views,
                                            const std::optional<jessl::augment::Ramp>& ramp) {
  if constexpr (requires(const M& method) { method.template views<0>(); }) {
    if (!small_views) return std::make_unique<RunOf<M, false>>(settings, backbone, ramp);
  }
  return std::make_unique<RunOf<M, true>>(settings, backbone, ramp);
}

template <class M>
[[nodiscard]] MethodEntry entry_of() {
  return {.name = std::string(M::name),
          .defaults = jessl::to_json(M{}),
          .supervised = !jessl::Loss<decltype(M::loss)>,
          .make = &make_run<M>};
}

}  // namespace cli
