// SPDX-License-Identifier: Apache-2.0
// Little-endian numbers at any byte offset, on any machine.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>

namespace jessl::data::detail {

/// The number whose bytes start at `from`.
template <std::integral T>
[[nodiscard]] T load(const std::byte* from) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) value |= std::to_integer<std::uint64_t>(from[i]) << (8 * i);
  return static_cast<T>(value);
}

/// Writes a number's bytes from `target` on.
template <std::integral T>
void store(std::byte* target, T number) {
  const auto value = static_cast<std::uint64_t>(number);
  for (std::size_t i = 0; i < sizeof(T); ++i) target[i] = static_cast<std::byte>((value >> (8 * i)) & 0xFFU);
}

}  // namespace jessl::data::detail
