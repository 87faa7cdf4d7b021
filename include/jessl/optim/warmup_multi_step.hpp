// SPDX-License-Identifier: Apache-2.0
// The learning rate's course over a run: linear warm-up, then a constant that falls at milestones.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string_view>
#include <vector>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/options.hpp>

namespace jessl::optim {

/// Linear warm-up followed by a learning rate that is multiplied by gamma at each of some steps.
///
/// With W = warmup_steps, at step s (counted from 0):
///     s < W:   base_lr (s + 1) / W
///     s >= W:  base_lr gamma^(number of milestones <= s)
/// Milestones within the warm-up count from its end on. Without milestones it is constant.
///
/// Shapes     none
/// Units      steps of the optimizer; base_lr in the optimizer's unit; gamma dimensionless
/// Precision  float64
/// Cost       none
/// Randomness none
/// Errors     ConfigError for a setting out of range or a negative step
/// Models     none
/// Source     Goyal et al., Accurate, Large Minibatch SGD, 2017, arXiv 1706.02677, sections 2.2 and 5.1
/// Differs    the warm-up starts at base_lr / W, as WarmupCosine's
struct WarmupMultiStep {
  static constexpr std::string_view name = "WarmupMultiStep";

  double base_lr = 0.1;                    ///< the highest learning rate, >= 0
  std::int64_t warmup_steps = 0;           ///< >= 0
  std::vector<std::int64_t> milestones{};  ///< steps >= 0, in their order
  double gamma = 0.1;                      ///< in (0, 1]

  /// The learning rate of step `step`.
  [[nodiscard]] double at(std::int64_t step) const;

  void check() const;
};

}  // namespace jessl::optim

JESSL_OPTIONS(jessl::optim::WarmupMultiStep, base_lr, warmup_steps, milestones, gamma);

#if JESSL_DEFINITIONS

namespace jessl::optim {

JESSL_INLINE double WarmupMultiStep::at(std::int64_t step) const {
  check();
  JESSL_CHECK(step >= 0, ConfigError, "jessl::optim::WarmupMultiStep: step is ", step, ", expected >= 0");
  if (step < warmup_steps) return base_lr * static_cast<double>(step + 1) / static_cast<double>(warmup_steps);
  double lr = base_lr;
  for (const std::int64_t milestone : milestones) {
    if (milestone <= step) lr *= gamma;
  }
  return lr;
}

JESSL_INLINE void WarmupMultiStep::check() const {
  JESSL_CHECK(std::isfinite(base_lr) && base_lr >= 0, ConfigError, "jessl::optim::WarmupMultiStep: base_lr is ",
              base_lr, ", expected a finite number >= 0");
  JESSL_CHECK(warmup_steps >= 0, ConfigError, "jessl::optim::WarmupMultiStep: warmup_steps is ", warmup_steps,
              ", expected >= 0");
  JESSL_CHECK(std::is_sorted(milestones.begin(), milestones.end()) && (milestones.empty() || milestones.front() >= 0),
              ConfigError, "jessl::optim::WarmupMultiStep: milestones is ", to_json(milestones).dump(),
              ", expected steps >= 0 in their order");
  JESSL_CHECK(gamma > 0 && gamma <= 1, ConfigError, "jessl::optim::WarmupMultiStep: gamma is ", gamma,
              ", expected in (0, 1]");
}

}  // namespace jessl::optim

#endif  // JESSL_DEFINITIONS
