// SPDX-License-Identifier: Apache-2.0
// The check of one number among a policy's settings.
#pragma once

#include <cmath>
#include <string_view>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>

namespace jessl::detail {

/// `in_range` is the caller's condition on `value`, which must be finite, too; `range` says it in words. The policy is
/// jessl::<family>::<policy>.
void check_setting(bool in_range, std::string_view family, std::string_view policy, std::string_view setting,
                   double value, std::string_view range);

}  // namespace jessl::detail

#if JESSL_DEFINITIONS

namespace jessl::detail {

JESSL_INLINE void check_setting(bool in_range, std::string_view family, std::string_view policy,
                                std::string_view setting, double value, std::string_view range) {
  JESSL_CHECK(std::isfinite(value) && in_range, ConfigError, "jessl::", family, "::", policy, ": ", setting, " is ",
              value, ", expected ", range);
}

}  // namespace jessl::detail

#endif  // JESSL_DEFINITIONS
