// SPDX-License-Identifier: Apache-2.0
// The checks of settings that several operations share.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <string_view>

#include <jessl/core/error.hpp>

namespace jessl::augment::detail {

inline void check_probability(std::string_view who, std::string_view setting, double p) {
  JESSL_CHECK(p >= 0.0 && p <= 1.0, ConfigError, "jessl::augment::", who, ": ", setting, " = ", p,
              " is not a probability; choose a value in [0, 1]");
}

/// 0 < low <= high < infinity.
inline void check_range(std::string_view who, std::string_view setting, const std::array<double, 2>& range) {
  JESSL_CHECK(range[0] > 0.0 && range[0] <= range[1] && std::isfinite(range[1]), ConfigError, "jessl::augment::", who,
              ": ", setting, " = {", range[0], ", ", range[1], "}, expected {low, high} with 0 < low <= high");
}

/// The size of an output: `size` alone, or {size, width}.
inline void check_size(std::string_view who, std::int64_t size, std::int64_t width) {
  constexpr std::int64_t largest = 1 << 15;
  JESSL_CHECK(size >= 1 && size <= largest, ConfigError, "jessl::augment::", who, ": size = ", size, ", expected 1 to ",
              largest, " pixels");
  JESSL_CHECK(width >= 0 && width <= largest, ConfigError, "jessl::augment::", who, ": width = ", width,
              ", expected 0 (as size says) or 1 to ", largest, " pixels");
}

}  // namespace jessl::augment::detail
