// SPDX-License-Identifier: Apache-2.0
// A number of a run's log over its steps.
#pragma once

#include <filesystem>
#include <fstream>
#include <limits>
#include <string>
#include <string_view>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/options.hpp>
#include <jessl/eval/curve_picture.hpp>

namespace jessl::train {

/// A number that train::JSONLines wrote after each step, over the steps: "loss", "learning_rate", "images_per_second" or
/// "loader_seconds", for eval::curve_picture.
///
/// What was not finite is NaN. Lines of measurements are left out, and one that a crash has cut short.
///
/// Shapes     x: [steps], y: [steps]
/// Errors     DataError where the file can't be read, or no line in it has a step and that number
/// Models     none
/// Source     none
[[nodiscard]] eval::Curve logged_curve(const std::filesystem::path& path, const std::string& number = "loss");

}  // namespace jessl::train

#if JESSL_DEFINITIONS

namespace jessl::train {

JESSL_INLINE eval::Curve logged_curve(const std::filesystem::path& path, const std::string& number) {
  constexpr std::string_view who = "jessl::train::logged_curve";
  std::ifstream file(path, std::ios::binary);
  JESSL_CHECK(file.is_open(), DataError, who, ": cannot open ", path, "; is the path right?");
  eval::Curve curve{.y = {}};
  for (std::string line; std::getline(file, line);) {
    const Json parsed = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!parsed.is_object()) continue;
    const auto step = parsed.find("step");
    const auto value = parsed.find(number);
    if (step == parsed.end() || !step->is_number() || value == parsed.end()) continue;
    if (!value->is_number() && !value->is_null()) continue;
    curve.x.push_back(step->get<double>());
    curve.y.push_back(value->is_null() ? std::numeric_limits<double>::quiet_NaN() : value->get<double>());
  }
  JESSL_CHECK(!curve.y.empty(), DataError, who, ": no line of ", path, " has a step and a number \"", number,
              "\", expected a file of train::JSONLines");
  return curve;
}

}  // namespace jessl::train

#endif  // JESSL_DEFINITIONS
