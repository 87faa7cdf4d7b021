// SPDX-License-Identifier: Apache-2.0
// The learning rate's course over a run: linear warm-up, then half a cosine.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>
#include <string_view>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/options.hpp>

namespace jessl::optim {

/// Linear warm-up followed by cosine decay, a value for every step.
///
/// With W = warmup_steps and T = total_steps, at step s (counted from 0):
///     s < W:           base_lr (s + 1) / W
///     W <= s < T - 1:  base_lr (end_ratio + (1 - end_ratio) (1 + cos(pi (s - W) / (T - 1 - W))) / 2)
///     s >= T - 1:      base_lr end_ratio
/// Step W - 1 has base_lr in full, and no step is wasted at 0; after the last step it stays at base_lr end_ratio.
///
/// Shapes     none
/// Units      steps of the optimizer; base_lr in the optimizer's unit; end_ratio dimensionless
/// Precision  float64
/// Cost       none
/// Randomness none
/// Errors     ConfigError for a setting out of range or a negative step
/// Models     none
/// Source     Goyal et al., Accurate, Large Minibatch SGD, 2017, arXiv 1706.02677 (warm-up); Loshchilov and Hutter,
///            SGDR, ICLR 2017, arXiv 1608.03983, equation 5 (cosine)
/// Differs    the warm-up starts at base_lr / W, not at 0
struct WarmupCosine {
  static constexpr std::string_view name = "WarmupCosine";

  double base_lr = 0.1;           ///< the highest learning rate, >= 0
  std::int64_t warmup_steps = 0;  ///< in [0, total_steps]
  std::int64_t total_steps = 1;   ///< >= 1
  double end_ratio = 0.001;       ///< last learning rate over base_lr, in [0, 1]

  /// The learning rate of step `step`.
  [[nodiscard]] double at(std::int64_t step) const;

  void check() const;
};

}  // namespace jessl::optim

JESSL_OPTIONS(jessl::optim::WarmupCosine, base_lr, warmup_steps, total_steps, end_ratio);

#if JESSL_DEFINITIONS

namespace jessl::optim {

JESSL_INLINE double WarmupCosine::at(std::int64_t step) const {
  check();
  JESSL_CHECK(step >= 0, ConfigError, "jessl::optim::WarmupCosine: step is ", step, ", expected >= 0");
  if (step < warmup_steps) return base_lr * static_cast<double>(step + 1) / static_cast<double>(warmup_steps);
  if (step >= total_steps - 1) return base_lr * end_ratio;
  const double progress =
      static_cast<double>(step - warmup_steps) / static_cast<double>(total_steps - 1 - warmup_steps);
  return base_lr * (end_ratio + (1 - end_ratio) * 0.5 * (1 + std::cos(std::numbers::pi * progress)));
}

JESSL_INLINE void WarmupCosine::check() const {
  JESSL_CHECK(std::isfinite(base_lr) && base_lr >= 0, ConfigError, "jessl::optim::WarmupCosine: base_lr is ", base_lr,
              ", expected a finite number >= 0");
  JESSL_CHECK(total_steps >= 1, ConfigError, "jessl::optim::WarmupCosine: total_steps is ", total_steps,
              ", expected >= 1");
  JESSL_CHECK(warmup_steps >= 0 && warmup_steps <= total_steps, ConfigError,
              "jessl::optim::WarmupCosine: warmup_steps is ", warmup_steps, ", expected in [0, total_steps] = [0, ",
              total_steps, ']');
  JESSL_CHECK(end_ratio >= 0 && end_ratio <= 1, ConfigError, "jessl::optim::WarmupCosine: end_ratio is ", end_ratio,
              ", expected in [0, 1]");
}

}  // namespace jessl::optim

#endif  // JESSL_DEFINITIONS
