// SPDX-License-Identifier: Apache-2.0
// Where a file's bytes lie: mapped, in memory, or nowhere until they are asked for.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>

#include <jessl/core/options.hpp>

namespace jessl {

/// Where the bytes of a file lie between opening it and reading a sample.
enum class Storage : std::uint8_t {
  mapped,  ///< the file as memory, shared with the system's cache; must not become shorter while it is open
  memory,  ///< a copy, read from front to back when the file is opened
  reads    ///< nowhere: a sample's bytes, and no others, are read when they are asked for
};

}  // namespace jessl

template <>
struct jessl::EnumNames<jessl::Storage> {
  static constexpr std::array<std::pair<Storage, std::string_view>, 3> value{
      {{Storage::mapped, "mapped"}, {Storage::memory, "memory"}, {Storage::reads, "reads"}}};
};
