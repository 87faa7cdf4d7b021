// SPDX-License-Identifier: Apache-2.0
// What a step of a loop of one's own is told.
#pragma once

#include <cstdint>
#include <optional>

#include <jessl/core/tensor.hpp>
#include <jessl/loss/progress.hpp>

namespace jessl {

/// What a step of a loop of one's own is told besides its views.
///
/// Shapes     labels: [N]
/// Errors     see Trainer::step
/// Models     none
/// Source     none
struct StepOptions {
  torch::Tensor labels{};          ///< int64, for a loss that learns from them
  std::int64_t micro_batch = 0;    ///< as FitOptions::micro_batch, but any number of images
  double max_gradient_norm = 0.0;  ///< as FitOptions::max_gradient_norm
  std::optional<loss::Progress>
      progress{};  ///< how far the run is; unset: as in the step before, and at its start in the first
};

}  // namespace jessl
