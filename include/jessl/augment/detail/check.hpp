// SPDX-License-Identifier: Apache-2.0
// The checks of settings that several operations share.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include <jessl/core/error.hpp>
#include <jessl/core/options.hpp>

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

/// A colour of any range.
inline void check_fill(std::string_view who, std::string_view setting, const std::array<double, 3>& colour) {
  for (std::size_t c = 0; c < colour.size(); ++c) {
    JESSL_CHECK(std::isfinite(colour[c]), ConfigError, "jessl::augment::", who, ": ", setting, "[", c,
                "] = ", colour[c], ", expected a finite number");
  }
}

/// A colour between black and white.
inline void check_colour(std::string_view who, std::string_view setting, const std::array<double, 3>& colour) {
  for (std::size_t c = 0; c < colour.size(); ++c) {
    JESSL_CHECK(colour[c] >= 0.0 && colour[c] <= 1.0, ConfigError, "jessl::augment::", who, ": ", setting, "[", c,
                "] = ", colour[c], ", expected a fraction of white, in [0, 1]; 8-bit 128 is 0.5");
  }
}

/// Whether a colour lies outside [0, 1], as it may after Normalize.
[[nodiscard]] inline bool leaves_range(const std::array<double, 3>& colour) {
  return std::any_of(colour.begin(), colour.end(), [](double value) { return value < 0.0 || value > 1.0; });
}

/// The greatest angle of a rotation on either side.
inline void check_degrees(std::string_view who, std::string_view setting, double degrees) {
  JESSL_CHECK(degrees >= 0.0 && degrees <= 360.0, ConfigError, "jessl::augment::", who, ": ", setting, " = ", degrees,
              ", expected 0 to 360 degrees; angles are drawn from -", setting, " to ", setting);
}

/// The point that a warp turns about, where one is given.
inline void check_center(std::string_view who, std::string_view setting,
                         const std::optional<std::array<double, 2>>& center) {
  JESSL_CHECK(!center || (std::isfinite((*center)[0]) && std::isfinite((*center)[1])), ConfigError,
              "jessl::augment::", who, ": ", setting, " = {", (*center)[0], ", ", (*center)[1],
              "}, expected {x, y} in pixels, or nothing for the middle of the image");
}

/// A value of an enumeration that has a name.
template <NamedEnum E>
void check_named(std::string_view who, std::string_view setting, E value) {
  constexpr auto& known = EnumNames<E>::value;
  JESSL_CHECK(std::any_of(known.begin(), known.end(), [&](const auto& entry) { return entry.first == value; }),
              ConfigError, "jessl::augment::", who, ": ", setting, " = ", static_cast<std::int64_t>(value),
              ", which is none of its ", known.size(), " values");
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
