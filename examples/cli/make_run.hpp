// SPDX-License-Identifier: Apache-2.0
// A method's Run. Included by the sources that cmake writes, a few methods each.
#pragma once

#include "any_backbone.hpp"
#include "captions.hpp"
#include "run.hpp"

#include <jessl/augment/parameters.hpp>
#include <jessl/augment/progressive.hpp>
#include <jessl/data/loader.hpp>
#include <jessl/method/make_trainer.hpp>
#include <jessl/train/checkpoint_every.hpp>
#include <jessl/train/collapse_monitor.hpp>
#include <jessl/train/json_lines.hpp>
#include <jessl/train/knn_monitor.hpp>
#include <jessl/train/online_probe.hpp>
#include <jessl/train/progress.hpp>
#include <jessl/train/rank_monitor.hpp>
#include <jessl/train/view_grid.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cli {

/// A callback that may be off.
template <class C>
struct When {
  static constexpr std::string_view name = C::name;

  std::optional<C> callback;

  template <class T>
  struct State {
    using Inner = jessl::train::StateOf<C, T>;

    std::optional<Inner> inner;

    void after_forward(const jessl::train::StepFeatures& features) requires jessl::train::SeesFeatures<Inner> {
      if (inner) inner->after_forward(features);
    }
    void after_step(const jessl::train::StepRecord& record) requires requires(Inner& one) { one.after_step(record); }
    {
      if (inner) inner->after_step(record);
    }
    void after_epoch(const jessl::train::EpochRecord& record) requires requires(Inner& one) { one.after_epoch(record); }
    {
      if (inner) inner->after_epoch(record);
    }
    void after_measurement(const jessl::train::Measurement& measurement) requires requires(Inner& one) {
      one.after_measurement(measurement);
    }
    {
      if (inner) inner->after_measurement(measurement);
    }
    void save_point(const jessl::train::StepRecord& record) requires requires(Inner& one) { one.save_point(record); }
    {
      if (inner) inner->save_point(record);
    }
    void finish() requires requires(Inner& one) { one.finish(); }
    {
      if (inner) inner->finish();
    }
    [[nodiscard]] jessl::StateDict state_dict() const requires jessl::train::KeptInCheckpoints<Inner> {
      return inner ? inner->state_dict() : jessl::StateDict();
    }
    void load_state_dict(const jessl::StateDict& saved) requires jessl::train::KeptInCheckpoints<Inner> {
      if (inner && !saved.empty()) inner->load_state_dict(saved);
    }
  };

  template <class T>
  [[nodiscard]] State<T> start(const jessl::train::Run& run, T& trainer) const {
    State<T> state;
    if (callback) state.inner.emplace(jessl::train::start(*callback, run, trainer));
    return state;
  }
};

/// Hands the times of each step on.
struct EachStep {
  static constexpr std::string_view name = "EachStep";

  std::function<void(double, double)> call;

  struct State {
    std::function<void(double, double)> call;
    void after_step(const jessl::train::StepRecord& record) const {
      if (call) call(record.step_seconds, record.loader_seconds);
    }
  };
  [[nodiscard]] State start(const jessl::train::Run& /*run*/) const { return {call}; }
};

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

  Json fit(const AnyDataset& data, const Watch& watch) override {
    using namespace jessl;
    When<train::OnlineProbe> probe;
    if (watch.online_probe) probe.callback.emplace();
    When<train::KNNMonitorOn<AnyDataset, AnyDataset>> neighbours;
    if (watch.knn_every > 0)
      neighbours.callback =
          train::KNNMonitor{.k = std::min<std::int64_t>(20, watch.bank->size()), .epochs = watch.knn_every}.on(
              *watch.bank, *watch.queries);
    When<train::RankMonitorOn<AnyDataset>> rank;
    if (watch.rank_every > 0) rank.callback = train::RankMonitor{.epochs = watch.rank_every}.on(*watch.rank_images);
    When<train::Progress> progress;
    if (watch.progress) progress.callback.emplace();
    When<train::JSONLines> log;
    if (!watch.log.empty()) log.callback = train::JSONLines{watch.log.string()};
    When<train::CheckpointEvery> checkpoints;
    if (!watch.checkpoint.empty())
      checkpoints.callback = train::CheckpointEvery{
          .path = watch.checkpoint.string(), .epochs = watch.checkpoint_epochs, .steps = watch.checkpoint_steps};
    const FitResult result = trainer_.fit(data, options(watch.resume), progress, train::CollapseMonitor{}, probe,
                                          neighbours, rank, log, checkpoints, EachStep{watch.after_step});
    return {{"steps", result.steps},
            {"images", result.images},
            {"corrupt", result.corrupt},
            {"seconds", result.seconds},
            {"images_per_second", result.images_per_second},
            {"run_seconds", result.run_seconds},
            {"run_images", result.run_images},
            {"loss", to_json(result.loss)},
            {"resolved", to_json(result.resolved)}};
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
    using Clock = std::chrono::steady_clock;
    const jessl::FitOptions& fit = method_.fit;
    const bool half = jessl::resolve(fit.precision, trainer_.device().type()) == jessl::Precision::bfloat16;
    jessl::data::Loader loader(data, trainer_.augmentation(),
                               {.batch_size = fit.batch_size,
                                .workers = workers,
                                .ahead = 0,
                                .seed = fit.seed,
                                .decoding = fit.decoding,
                                .on_corrupt = fit.on_corrupt,
                                .max_corrupt_share = fit.max_corrupt_share,
                                .element = half ? jessl::Element::bfloat16 : jessl::Element::float32,
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

  [[nodiscard]] jessl::Image views(const AnyDataset& data, const Picture& wanted) const override {
    const auto& maker = trainer_.augmentation().at(wanted.epoch);
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
