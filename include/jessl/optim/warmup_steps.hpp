// SPDX-License-Identifier: Apache-2.0
// The learning rate's course over a run: linear warm-up, then a constant that falls at given steps.
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

/// Linear warm-up followed by a learning rate that is multiplied by drop_ratio at each of some steps.
///
/// With W = warmup_steps, at step s (counted from 0):
///     s < W:   base_lr (s + 1) / W
///     s >= W:  base_lr drop_ratio^(number of drops <= s)
/// Drops within the warm-up count from its end on. Without drops it is constant.
///
/// Shapes     none
/// Units      steps of the optimizer; base_lr in the optimizer's unit; drop_ratio dimensionless
/// Precision  float64
/// Cost       none
/// Randomness none
/// Errors     ConfigError for a setting out of range or a negative step
/// Models     none
/// Source     Goyal et al., Accurate, Large Minibatch SGD, 2017, arXiv 1706.02677, sections 2.2 and 5.1
/// Differs    the warm-up starts at base_lr / W, as WarmupCosine's
struct WarmupSteps {
  static constexpr std::string_view name = "WarmupSteps";

  double base_lr = 0.1;               ///< the highest learning rate, >= 0
  std::int64_t warmup_steps = 0;      ///< >= 0
  std::vector<std::int64_t> drops{};  ///< steps >= 0, in their order
  double drop_ratio = 0.1;            ///< in (0, 1]

  /// The learning rate of step `step`.
  [[nodiscard]] double at(std::int64_t step) const;

  void check() const;
};

}  // namespace jessl::optim

JESSL_OPTIONS(jessl::optim::WarmupSteps, base_lr, warmup_steps, drops, drop_ratio);

#if JESSL_DEFINITIONS

namespace jessl::optim {

JESSL_INLINE double WarmupSteps::at(std::int64_t step) const {
  check();
  JESSL_CHECK(step >= 0, ConfigError, "jessl::optim::WarmupSteps: step is ", step, ", expected >= 0");
  if (step < warmup_steps) return base_lr * static_cast<double>(step + 1) / static_cast<double>(warmup_steps);
  double lr = base_lr;
  for (const std::int64_t drop : drops) {
    if (drop <= step) lr *= drop_ratio;
  }
  return lr;
}

JESSL_INLINE void WarmupSteps::check() const {
  JESSL_CHECK(std::isfinite(base_lr) && base_lr >= 0, ConfigError, "jessl::optim::WarmupSteps: base_lr is ", base_lr,
              ", expected a finite number >= 0");
  JESSL_CHECK(warmup_steps >= 0, ConfigError, "jessl::optim::WarmupSteps: warmup_steps is ", warmup_steps,
              ", expected >= 0");
  JESSL_CHECK(std::is_sorted(drops.begin(), drops.end()) && (drops.empty() || drops.front() >= 0), ConfigError,
              "jessl::optim::WarmupSteps: drops is ", to_json(drops).dump(), ", expected steps >= 0 in their order");
  JESSL_CHECK(drop_ratio > 0 && drop_ratio <= 1, ConfigError, "jessl::optim::WarmupSteps: drop_ratio is ", drop_ratio,
              ", expected in (0, 1]");
}

}  // namespace jessl::optim

#endif  // JESSL_DEFINITIONS
