// SPDX-License-Identifier: Apache-2.0
// How far features are from each other.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>

#include <jessl/core/options.hpp>

namespace jessl::eval {

/// How far one row of features is from another.
enum class Distance : std::uint8_t {
  cosine,    ///< 1 less the cosine of the angle between them, 0 to 2; a row of zeros is at 1 of everything
  euclidean  ///< the length of their difference
};

}  // namespace jessl::eval

template <>
struct jessl::EnumNames<jessl::eval::Distance> {
  static constexpr std::array<std::pair<jessl::eval::Distance, std::string_view>, 2> value{
      {{jessl::eval::Distance::cosine, "cosine"}, {jessl::eval::Distance::euclidean, "euclidean"}}};
};
