// SPDX-License-Identifier: Apache-2.0
// The noise that presets can add to their views.
#pragma once

#include <jessl/augment/gaussian_noise.hpp>

namespace jessl::augment::detail {

/// Noise of this deviation in every view; none for 0.
[[nodiscard]] inline GaussianNoise noise(double sigma) { return {.sigma = sigma, .p = sigma == 0.0 ? 0.0 : 1.0}; }

}  // namespace jessl::augment::detail
