// SPDX-License-Identifier: Apache-2.0
// The hooks of the callbacks of a run, without the callbacks' types.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/log.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/io/checkpoint.hpp>
#include <jessl/train/callback.hpp>
#include <jessl/train/record.hpp>

namespace jessl::train::detail {

/// Functions to call one after another.
template <class... Arguments>
class Listeners {
 public:
  void add(std::function<void(const Arguments&...)> listener) { all_.push_back(std::move(listener)); }
  void operator()(const Arguments&... arguments) const {
    for (const auto& listener : all_) listener(arguments...);
  }
  [[nodiscard]] bool empty() const { return all_.empty(); }

 private:
  std::vector<std::function<void(const Arguments&...)>> all_{};
};

/// The states of a run's callbacks as what they listen to, in the order of the callbacks.
class Hooks {
 public:
  Listeners<StepFeatures> after_forward{};
  Listeners<StepRecord> after_step{};
  Listeners<EpochRecord> after_epoch{};
  Listeners<Measurement> after_measurement{};
  Listeners<StepRecord> save_point{};
  Listeners<> finish{};

  /// Takes in what a callback of the type C has started.
  template <class C, class State>
  void add(State started) {
    const auto state = std::make_shared<State>(std::move(started));
    states_.push_back(state);
    if constexpr (SeesFeatures<State>) {
      after_forward.add([state](const StepFeatures& features) { state->after_forward(features); });
    }
    if constexpr (requires(const StepRecord& record) { state->after_step(record); }) {
      after_step.add([state](const StepRecord& record) { state->after_step(record); });
    }
    if constexpr (requires(const EpochRecord& record) { state->after_epoch(record); }) {
      after_epoch.add([state](const EpochRecord& record) { state->after_epoch(record); });
    }
    if constexpr (requires(const Measurement& measurement) { state->after_measurement(measurement); }) {
      after_measurement.add([state](const Measurement& measurement) { state->after_measurement(measurement); });
    }
    if constexpr (requires(const StepRecord& record) { state->save_point(record); }) {
      save_point.add([state](const StepRecord& record) { state->save_point(record); });
    }
    if constexpr (requires { state->finish(); }) {
      finish.add([state] { state->finish(); });
    }
    groups_.push_back(new_group(policy_name<C>()));
    if constexpr (KeptInCheckpoints<State>) {
      kept_.push_back({groups_.back(), [state] { return static_cast<const State&>(*state).state_dict(); },
                       [state](const StateDict& saved) { state->load_state_dict(saved); }});
    }
  }

  /// Puts what checkpoints keep of the states into one.
  void save(io::Checkpoint& checkpoint) const;

  /// Gives the states what a checkpoint holds of them.
  void restore(const io::Checkpoint& checkpoint) const;

 private:
  struct KeptState {
    std::string group;
    std::function<StateDict()> state_dict;
    std::function<void(const StateDict&)> load_state_dict;
  };

  /// The group under which checkpoints keep a callback's state: "callback.OnlineProbe", and "callback.OnlineProbe-2" for a
  /// second one.
  [[nodiscard]] std::string new_group(std::string_view name) const;

  std::vector<std::shared_ptr<void>> states_{};  // also those that listen to nothing live as long as the run
  std::vector<std::string> groups_{};            // of every callback
  std::vector<KeptState> kept_{};
};

}  // namespace jessl::train::detail

#if JESSL_DEFINITIONS

namespace jessl::train::detail {

JESSL_INLINE void Hooks::save(io::Checkpoint& checkpoint) const {
  for (const KeptState& one : kept_) checkpoint.groups[one.group] = one.state_dict();
}

JESSL_INLINE void Hooks::restore(const io::Checkpoint& checkpoint) const {
  for (const KeptState& one : kept_) {
    if (checkpoint.groups.contains(one.group)) {
      one.load_state_dict(checkpoint.group(one.group));
    } else {
      warn("jessl::Trainer: the checkpoint has no \"", one.group, "\": that callback starts anew");
    }
  }
  for (const auto& [name, tensors] : checkpoint.groups) {
    if (name.starts_with("callback.") && std::find(groups_.begin(), groups_.end(), name) == groups_.end())
      warn("jessl::Trainer: the checkpoint has a \"", name,
           "\", which no callback of this run takes up; the run's own ", "checkpoints are without it");
  }
}

JESSL_INLINE std::string Hooks::new_group(std::string_view name) const {
  const std::string group = concat("callback.", name);
  const auto equal = std::count_if(groups_.begin(), groups_.end(), [&](const std::string& other) {
    return other == group || other.starts_with(group + '-');
  });
  return equal == 0 ? group : concat(group, '-', equal + 1);
}

}  // namespace jessl::train::detail

#endif  // JESSL_DEFINITIONS
