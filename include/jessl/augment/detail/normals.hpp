// SPDX-License-Identifier: Apache-2.0
// Normal numbers as a pure function of a key and an index.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>

#include <jessl/core/philox.hpp>

namespace jessl::augment::detail {

/// Three independent standard normal numbers, a pure function of the key and the index, by Box and Muller.
[[nodiscard]] inline std::array<float, 3> normals_at(const Philox::Key& key, std::int64_t index) {
  const auto counter = static_cast<std::uint64_t>(index);
  const Philox::Counter words =
      Philox::block({static_cast<std::uint32_t>(counter), static_cast<std::uint32_t>(counter >> 32U), 0U, 0U}, key);
  const auto uniform = [&](std::size_t i) { return (static_cast<float>(words[i] >> 8U) + 0.5F) * 0x1p-24F; };  // (0, 1)
  constexpr float circle = 2.0F * std::numbers::pi_v<float>;
  const float radius01 = std::sqrt(-2.0F * std::log(uniform(0)));
  const float radius2 = std::sqrt(-2.0F * std::log(uniform(2)));
  return {radius01 * std::cos(circle * uniform(1)), radius01 * std::sin(circle * uniform(1)),
          radius2 * std::cos(circle * uniform(3))};
}

}  // namespace jessl::augment::detail
