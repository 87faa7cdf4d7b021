// SPDX-License-Identifier: Apache-2.0
// Callbacks: policies that watch a run.
#pragma once

#include <concepts>
#include <utility>

#include <jessl/train/record.hpp>

namespace jessl {

/// Watches a run. The policy is its settings; `start(run)` makes the state that lives as long as the run.
///
/// The state may have any of the following members; those it lacks cost nothing.
/// `after_step(const StepRecord&)`
/// `after_epoch(const EpochRecord&)`
/// `save_point(const StepRecord&)`   after all callbacks have seen the step, and the epoch where it ends: the place to
///                                   write a checkpoint
/// `finish()`                        after the last step; not called when the run fails
///
/// Errors     whatever a member throws ends the run and reaches the caller of fit()
/// Source     none
template <class C>
concept Callback = requires(const C& callback, const train::Run& run) {
  callback.start(run);
};

/// Says at compile time if a hook of `C`'s state has another signature than the trainer calls, and so would never run.
template <Callback C>
constexpr void require_hooks() {
  using State = decltype(std::declval<const C&>().start(std::declval<const train::Run&>()));
  constexpr bool after_step = !requires { &State::after_step; }
  || requires(State & state, const train::StepRecord& record) { state.after_step(record); };
  constexpr bool save_point = !requires { &State::save_point; }
  || requires(State & state, const train::StepRecord& record) { state.save_point(record); };
  constexpr bool after_epoch = !requires { &State::after_epoch; }
  || requires(State & state, const train::EpochRecord& record) { state.after_epoch(record); };
  constexpr bool finish = !requires { &State::finish; }
  || requires(State & state) { state.finish(); };
  static_assert(
      after_step && save_point && after_epoch && finish,
      "jessl::Trainer requires the hooks of a jessl::Callback to be after_step(const StepRecord&), "
      "save_point(const StepRecord&), after_epoch(const EpochRecord&) and finish(); see docs/train/README.md");
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
