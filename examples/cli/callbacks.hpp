// SPDX-License-Identifier: Apache-2.0
// What a run of the program calls on its way.
#pragma once

#include "run.hpp"

#include <jessl/train/callback.hpp>
#include <jessl/train/checkpoint_every.hpp>
#include <jessl/train/json_lines.hpp>
#include <jessl/train/knn_monitor.hpp>
#include <jessl/train/online_probe.hpp>
#include <jessl/train/progress.hpp>
#include <jessl/train/rank_monitor.hpp>

#include <functional>
#include <optional>
#include <string_view>

namespace cli {

/// A callback that may be off.
template <class C>
struct When {
  static constexpr std::string_view name = C::name;

  std::optional<C> callback;

  // Of what the callback keeps and not of the trainer, so that it is compiled once where that does not know the trainer.
  template <class Inner>
  struct State {
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
  [[nodiscard]] State<jessl::train::StateOf<C, T>> start(const jessl::train::Run& run, T& trainer) const {
    State<jessl::train::StateOf<C, T>> state;
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

/// The callbacks of a Watch.
struct Callbacks {
  explicit Callbacks(const Watch& watch);

  When<jessl::train::OnlineProbe> probe{};
  When<jessl::train::KNNMonitorOn<AnyDataset, AnyDataset>> neighbours{};
  When<jessl::train::RankMonitorOn<AnyDataset>> rank{};
  When<jessl::train::Progress> progress{};
  When<jessl::train::JSONLines> log{};
  When<jessl::train::CheckpointEvery> checkpoints{};
  EachStep each_step{};
};

/// What a run tells at its end.
[[nodiscard]] Json in_json(const jessl::FitResult& result);

}  // namespace cli
