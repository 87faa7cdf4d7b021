// SPDX-License-Identifier: Apache-2.0
// Which part of a published data set.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>

#include <jessl/core/options.hpp>

namespace jessl::data {

/// The part of a data set to learn from, and the part to judge by.
enum class Split : std::uint8_t { train, test };

}  // namespace jessl::data

template <>
struct jessl::EnumNames<jessl::data::Split> {
  static constexpr std::array<std::pair<data::Split, std::string_view>, 2> value{
      {{data::Split::train, "train"}, {data::Split::test, "test"}}};
};
