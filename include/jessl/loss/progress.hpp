// SPDX-License-Identifier: Apache-2.0
// How far a run is, for what a loss changes in its course.
#pragma once

#include <algorithm>

namespace jessl::loss {

/// How far a run is.
///
/// Shapes     none
/// Units      epochs, with fractions
/// Errors     none
/// Models     none
/// Source     none
struct Progress {
  double epoch = 0.0;   ///< passed since the run began
  double epochs = 0.0;  ///< in the whole run; 0 where there is no plan, as in a training loop of one's own

  /// The share of the run that has passed, in [0, 1]; 0 where there is no plan.
  [[nodiscard]] double share() const { return epochs > 0.0 ? std::clamp(epoch / epochs, 0.0, 1.0) : 0.0; }
};

}  // namespace jessl::loss
