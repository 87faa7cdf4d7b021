// SPDX-License-Identifier: Apache-2.0
// What every metric of features that has no settings of its own can be told.
#pragma once

#include <cstdint>

#include <jessl/core/options.hpp>

namespace jessl::eval {

/// How a metric without settings is computed; the result does not depend on it.
///
/// Shapes     none
/// Errors     ConfigError from the metric for threads < 0
/// Models     none
/// Source     none
struct MetricOptions {
  std::int64_t threads = 0;  ///< threads to use; 0: all of the hardware
};

}  // namespace jessl::eval

JESSL_OPTIONS(jessl::eval::MetricOptions, threads);
