// SPDX-License-Identifier: Apache-2.0
// The numbers of what a callback measured, each with its place.
#pragma once

#include <limits>
#include <optional>
#include <string>

#include <jessl/core/options.hpp>

namespace jessl::train::detail {

/// A number as jessl::to_json gives it, which writes those that are not finite as words; nothing for anything else.
[[nodiscard]] inline std::optional<double> figure(const Json& value) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  if (value.is_number()) return value.get<double>();
  if (value.is_null() || value == "nan") return std::numeric_limits<double>::quiet_NaN();
  if (value == "inf") return infinity;
  if (value == "-inf") return -infinity;
  return std::nullopt;
}

/// Calls see(place, name, number) for each number in an object of numbers, or of objects of numbers; its place is the names of the
/// objects that it is in: "test/representation".
template <class See>
void for_each_figure(const Json& values, const See& see, const std::string& place = "") {
  for (const auto& [name, value] : values.items()) {
    if (value.is_object()) {
      for_each_figure(value, see, place.empty() ? name : place + '/' + name);
    } else if (const auto number = figure(value)) {
      see(place, name, *number);
    }
  }
}

}  // namespace jessl::train::detail
