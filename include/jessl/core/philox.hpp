// SPDX-License-Identifier: Apache-2.0
// Philox4x32-10: the counter-based random function under every draw of jessl.
#pragma once

#include <array>
#include <cstdint>

namespace jessl {

/// One block of Philox4x32-10: four 32-bit words that are a pure function of a 128-bit counter and a 64-bit key.
///
/// Shapes     none
/// Randomness none: no state, the same on every platform
/// Errors     none
/// Models     none
/// Source     Salmon, Moraes, Dror, Shaw: Parallel Random Numbers: As Easy as 1, 2, 3. SC 2011 (Random123)
struct Philox {
  using Counter = std::array<std::uint32_t, 4>;
  using Key = std::array<std::uint32_t, 2>;

  static constexpr int rounds = 10;

  [[nodiscard]] static constexpr Counter block(Counter counter, Key key) {
    for (int round = 0; round < rounds; ++round) {
      const std::uint64_t product0 = std::uint64_t{0xD2511F53U} * counter[0];
      const std::uint64_t product1 = std::uint64_t{0xCD9E8D57U} * counter[2];
      counter = {
          static_cast<std::uint32_t>(product1 >> 32U) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(product1),
          static_cast<std::uint32_t>(product0 >> 32U) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(product0)};
      key[0] += 0x9E3779B9U;  // The Weyl constants of the paper: golden ratio and sqrt(3) - 1.
      key[1] += 0xBB67AE85U;
    }
    return counter;
  }
};

}  // namespace jessl
