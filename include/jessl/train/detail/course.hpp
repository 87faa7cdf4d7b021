// SPDX-License-Identifier: Apache-2.0
// What changes from step to step of a run: the learning rate and the weight decay.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <optional>

#include <jessl/core/detail/separate.hpp>
#include <jessl/optim/warmup_cosine.hpp>
#include <jessl/optim/warmup_multi_step.hpp>
#include <jessl/train/options.hpp>

namespace jessl::train::detail {

/// The epochs of the learning rate's rise, where the options leave them open, too.
[[nodiscard]] double warmup_epochs(const FitOptions& options);

/// The course of a run, as FitOptions has it.
class Course {
 public:
  Course(const FitOptions& options, double highest_lr, std::optional<double> first_weight_decay,
         std::int64_t steps_per_epoch);

  /// The learning rate of a step, counted from 0.
  [[nodiscard]] double lr(std::int64_t step) const;

  /// The same with the warm-up alone.
  [[nodiscard]] double lr_without_decay(std::int64_t step) const;

  /// The weight decay of a step; nothing where it does not change.
  [[nodiscard]] std::optional<double> weight_decay(std::int64_t step) const;

 private:
  optim::WarmupCosine cosine_;
  std::optional<optim::WarmupMultiStep> steps_{};  // instead
  std::optional<double> first_weight_decay_;
  std::optional<double> last_weight_decay_;
};

}  // namespace jessl::train::detail

#if JESSL_DEFINITIONS

namespace jessl::train::detail {

JESSL_INLINE double warmup_epochs(const FitOptions& options) {
  return options.warmup_epochs.value_or(std::min(10.0, static_cast<double>(options.epochs) / 10.0));
}

JESSL_INLINE Course::Course(const FitOptions& options, double highest_lr, std::optional<double> first_weight_decay,
                            std::int64_t steps_per_epoch)
    : first_weight_decay_(first_weight_decay), last_weight_decay_(options.weight_decay_end) {
  const auto steps_of = [&](double epochs) {
    return static_cast<std::int64_t>(std::llround(epochs * static_cast<double>(steps_per_epoch)));
  };
  cosine_ = {.base_lr = highest_lr,
             .warmup_steps = steps_of(warmup_epochs(options)),
             .total_steps = options.epochs * steps_per_epoch,
             .end_ratio = options.end_ratio};
  if (options.lr_milestones.empty()) return;
  steps_ = {.base_lr = highest_lr, .warmup_steps = cosine_.warmup_steps, .gamma = options.lr_gamma};
  for (const double epoch : options.lr_milestones) steps_->milestones.push_back(steps_of(epoch));
}

JESSL_INLINE double Course::lr(std::int64_t step) const { return steps_ ? steps_->at(step) : cosine_.at(step); }

JESSL_INLINE double Course::lr_without_decay(std::int64_t step) const {
  return step < cosine_.warmup_steps ? lr(step) : cosine_.base_lr;
}

JESSL_INLINE std::optional<double> Course::weight_decay(std::int64_t step) const {
  if (!first_weight_decay_ || !last_weight_decay_) return std::nullopt;
  const double last_step = std::max(1.0, static_cast<double>(cosine_.total_steps - 1));
  const double remaining = 0.5 * (1 + std::cos(std::numbers::pi * static_cast<double>(step) / last_step));
  return *last_weight_decay_ + (*first_weight_decay_ - *last_weight_decay_) * remaining;
}

}  // namespace jessl::train::detail

#endif  // JESSL_DEFINITIONS
