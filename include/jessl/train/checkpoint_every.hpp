// SPDX-License-Identifier: Apache-2.0
// Checkpoints during a run.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include <jessl/core/atomic_file.hpp>
#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/file_lock.hpp>
#include <jessl/core/log.hpp>
#include <jessl/core/options.hpp>
#include <jessl/io/json.hpp>
#include <jessl/train/callback.hpp>

namespace jessl::train {

/// Writes the whole state of the run to one file, every so many steps or epochs, when a signal asks for it
/// (FitOptions::heed_signals), and at the end.
///
/// A checkpoint that can't be written in mid-run (a full disk) costs a warning, not the run: the last good file stays
/// and the next try may succeed. Only when the last one fails too does fit() throw; the trained weights are then still
/// in the trainer, and Trainer::save_weights() writes them elsewhere.
///
/// The checkpoint before the last one stays as `<path>.before`: a run that is to go on from a damaged one goes on from that, with a
/// warning.
///
/// Before its first checkpoint a run moves one that it finds at `path` to `<path>.previous`, or `.previous-2` and so on where
/// that is taken, unless it is the one that the run was resumed from: a run started by mistake loses nothing. Where the first
/// one can't be written the earlier one is moved back. While it lives the run holds a lock, `<path>.lock`: a second run with
/// the same file is refused.
///
/// Shapes     none
/// Units      steps, epochs: 0 turns that rhythm off
/// Cost       one copy of the state to the disk, flushed; at the start the disk is asked for room for the weights, and given it back
/// Randomness none
/// Errors     IOError before the first step when the folder cannot be written, the disk has no room for the weights, or another
///            run writes the same file; IOError at the end as above; ConfigError for a negative rhythm
/// Models     jessl::Callback (docs/train/README.md)
/// Source     none
struct CheckpointEvery {
  static constexpr std::string_view name = "CheckpointEvery";

  std::string path = "checkpoint.pt";  ///< file, replaced each time; its folder is created
  std::int64_t epochs = 1;             ///< >= 0
  std::int64_t steps = 0;              ///< >= 0

  class State {
   public:
    State(const CheckpointEvery& settings, const Run& run);

    void save_point(const StepRecord& record);

   private:
    /// The first checkpoint, in whose place one of another run may stand.
    void save_first();

    /// A later one; that which it replaces stays beside it.
    void save_next();

    static constexpr std::string_view who = "jessl::train::CheckpointEvery";

    [[nodiscard]] static bool is_same_file(const std::filesystem::path& a, const std::filesystem::path& b);

    [[nodiscard]] static bool due(std::int64_t count, std::int64_t period) { return period > 0 && count % period == 0; }

    std::filesystem::path path_;
    std::int64_t period_in_steps_;
    std::int64_t period_in_epochs_;
    std::int64_t steps_per_epoch_;
    std::int64_t total_steps_;
    bool is_of_another_run_;  // what may stand at path_
    bool is_damaged_;         // what stands at path_, so that the run was resumed from the one before
    std::function<void(const std::filesystem::path&)> save_;
    std::optional<FileLock> lock_{};
  };

  [[nodiscard]] State start(const Run& run) const { return {*this, run}; }
};

}  // namespace jessl::train

JESSL_OPTIONS(jessl::train::CheckpointEvery, path, epochs, steps);

#if JESSL_DEFINITIONS

namespace jessl::train {

JESSL_INLINE CheckpointEvery::State::State(const CheckpointEvery& settings, const Run& run)
    : path_(settings.path),
      period_in_steps_(settings.steps),
      period_in_epochs_(settings.epochs),
      steps_per_epoch_(run.steps_per_epoch),
      total_steps_(run.total_steps()),
      is_of_another_run_(!is_same_file(path_, run.resumed_from) &&
                         !is_same_file(checkpoint_before(path_), run.resumed_from)),
      is_damaged_(is_same_file(checkpoint_before(path_), run.resumed_from)),
      save_(run.save) {
  JESSL_CHECK(settings.epochs >= 0 && settings.steps >= 0, ConfigError, who, ": epochs is ", settings.epochs,
              " and steps is ", settings.steps, ", expected both >= 0");
  if (path_.has_parent_path()) io::make_folder(path_.parent_path());
  lock_.emplace(path_, who);
  // An unwritable place, and a disk without room for the weights, are known before the first step.
  AtomicFile probe(path_, std::string(who));
  probe.require_room(run.least_checkpoint_bytes);
}

JESSL_INLINE void CheckpointEvery::State::save_point(const StepRecord& record) {
  const bool last = record.step == total_steps_;
  const bool epoch_ends = record.step % steps_per_epoch_ == 0;
  if (!last && !record.save_asked && !due(record.step, period_in_steps_) &&
      !(epoch_ends && due(record.step / steps_per_epoch_, period_in_epochs_)))
    return;
  try {
    if (is_of_another_run_) {
      save_first();
    } else {
      save_next();
    }
  } catch (const IOError& error) {
    if (last)
      fail<IOError>(error.what(),
                    " The trained weights are still in the trainer: save_weights() writes them elsewhere.");
    warn("no checkpoint at step ", record.step, ", training goes on: ", error.what());
  }
}

JESSL_INLINE void CheckpointEvery::State::save_first() {
  const std::optional<std::filesystem::path> moved = keep_previous(path_, who);
  (void)keep_previous(checkpoint_before(path_), who);
  try {
    save_(path_);
  } catch (...) {
    std::error_code failure;
    const bool written = std::filesystem::exists(path_, failure);  // and its folder could not be flushed
    if (!written && moved) std::filesystem::rename(*moved, path_, failure);
    if (written || failure) {
      is_of_another_run_ = false;
      if (moved) warn("the checkpoint of an earlier run is now ", *moved);
    }
    throw;
  }
  is_of_another_run_ = false;
  if (moved) note("the checkpoint of an earlier run is now ", *moved);
}

JESSL_INLINE void CheckpointEvery::State::save_next() {
  // The new one is whole before the old ones are touched, and there is a checkpoint at path_ all the time: the last one stays beside it by
  // a second name, which it has not where the file system has no such names.
  const std::filesystem::path next = path_.string() + ".next";
  save_(next);
  std::error_code refused;
  if (!is_damaged_) {
    const std::filesystem::path before = checkpoint_before(path_);
    std::filesystem::remove(before, refused);
    std::filesystem::create_hard_link(path_, before, refused);
  }
  std::filesystem::rename(next, path_, refused);
  JESSL_CHECK(!refused, IOError, who, ": cannot rename ", next, " to ", path_, ": ", refused.message());
  is_damaged_ = false;
}

JESSL_INLINE bool CheckpointEvery::State::is_same_file(const std::filesystem::path& a, const std::filesystem::path& b) {
  std::error_code absent;
  return !b.empty() && std::filesystem::equivalent(a, b, absent);
}

}  // namespace jessl::train

#endif  // JESSL_DEFINITIONS
