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
/// `save_point(const StepRecord&)`   after all callbacks have seen the step: the place to write a checkpoint
/// `finish()`                        after the last step; not called when the run fails
///
/// Errors     whatever a member throws ends the run and reaches the caller of fit()
/// Source     none
template <class C>
concept Callback = requires(const C& callback, const train::Run& run) { callback.start(run); };

/// The least a callback can be: it watches nothing.
struct CallbackArchetype {
  struct State {};
  [[nodiscard]] State start(const train::Run&) const { return {}; }
};
static_assert(Callback<CallbackArchetype>);

}  // namespace jessl
