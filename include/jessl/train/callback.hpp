// SPDX-License-Identifier: Apache-2.0
// Callbacks: policies that watch a run.
#pragma once

#include <concepts>
#include <type_traits>
#include <utility>

#include <jessl/core/options.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/train/record.hpp>

namespace jessl {

/// Watches a run. The policy is its settings; `start(run)`, or `start(run, trainer)` for one that asks the trainer for features,
/// makes the state that lives as long as the run.
///
/// The state may have any of the following members; those it lacks cost nothing.
/// `after_forward(const StepFeatures&)`     what the layers made of the step's batch, after the optimizer has moved the weights
/// `after_step(const StepRecord&)`
/// `after_epoch(const EpochRecord&)`
/// `after_measurement(const Measurement&)`  what a callback, this one or another, handed to `run.report`
/// `save_point(const StepRecord&)`          after all callbacks have seen the step, and the epoch where it ends: the place to
///                                          write a checkpoint
/// `state_dict()`, `load_state_dict(dict)`  what checkpoints keep of it, as a StateDict; called before the first step of a
///                                          resumed run. The policy then has a name, under which it is kept
/// `finish()`                               after the last step; not called when the run fails
///
/// Errors     whatever a member throws ends the run and reaches the caller of fit()
/// Source     none
template <class C, class T = void>
concept Callback = requires(const C& callback, const train::Run& run) {
  callback.start(run);
}
|| requires(const C& callback, const train::Run& run, std::add_lvalue_reference_t<T> trainer) {
  callback.start(run, trainer);
};

namespace train {

/// Makes the state of a callback.
template <class C, class T>
[[nodiscard]] auto start(const C& callback, const Run& run, T& trainer) {
  if constexpr (requires { callback.start(run, trainer); }) {
    return callback.start(run, trainer);
  } else {
    return callback.start(run);
  }
}

/// A callback's state for a Trainer `T`.
template <class C, class T>
using StateOf = decltype(train::start(std::declval<const C&>(), std::declval<const Run&>(), std::declval<T&>()));

/// The callback's state sees what the layers make of each batch.
template <class State>
concept SeesFeatures = requires(State& state, const StepFeatures& features) {
  state.after_forward(features);
};

/// Checkpoints keep the callback's state.
template <class State>
concept KeptInCheckpoints = requires(State& state, const State& kept, const StateDict& saved) {
  { kept.state_dict() } -> std::convertible_to<StateDict>;
  state.load_state_dict(saved);
};

}  // namespace train

/// Says at compile time if a hook of the state of `C` has another signature than the trainer calls, and so would never run.
template <class C, class T = int>
constexpr void require_hooks() {
  using State = train::StateOf<C, T>;
  constexpr bool after_forward = !requires { &State::after_forward; }
  || train::SeesFeatures<State>;
  constexpr bool after_step = !requires { &State::after_step; }
  || requires(State & state, const train::StepRecord& record) { state.after_step(record); };
  constexpr bool save_point = !requires { &State::save_point; }
  || requires(State & state, const train::StepRecord& record) { state.save_point(record); };
  constexpr bool after_epoch = !requires { &State::after_epoch; }
  || requires(State & state, const train::EpochRecord& record) { state.after_epoch(record); };
  constexpr bool after_measurement = !requires { &State::after_measurement; }
  || requires(State & state, const train::Measurement& measurement) { state.after_measurement(measurement); };
  constexpr bool finish = !requires { &State::finish; }
  || requires(State & state) { state.finish(); };
  static_assert(after_forward && after_step && save_point && after_epoch && after_measurement && finish,
                "jessl::Trainer requires the hooks of a jessl::Callback to be after_step(const StepRecord&), "
                "save_point(const StepRecord&), after_epoch(const EpochRecord&), after_forward(const StepFeatures&), "
                "after_measurement(const Measurement&) and finish(); see docs/train/README.md");
  constexpr bool no_state_dict = !requires { &State::state_dict; }
  &&!requires { &State::load_state_dict; };
  static_assert(
      no_state_dict || (train::KeptInCheckpoints<State> && !policy_name<C>().empty()),
      "jessl::Trainer requires a jessl::Callback that is kept in checkpoints to have a name, and its state both "
      "StateDict state_dict() const and load_state_dict(const StateDict&); see docs/train/README.md");
}

/// The least a callback can be: it watches nothing.
///
/// Shapes     none
/// Errors     none
/// Models     jessl::Callback (docs/train/README.md)
/// Source     none
struct CallbackArchetype {
  struct State {};
  [[nodiscard]] State start(const train::Run&) const { return {}; }
};
static_assert(Callback<CallbackArchetype>);

}  // namespace jessl
