// SPDX-License-Identifier: Apache-2.0
// Number formats beside LibTorch's conversions.
// torch
#include <catch2/catch.hpp>

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <jessl/core/element.hpp>
#include <jessl/core/tensor.hpp>

namespace {

/// Every upper half of a float32 with lower halves about those where a rounding changes.
std::vector<float> edge_values() {
  constexpr std::array<std::uint32_t, 18> lower{0x0000, 0x0001, 0x0FFF, 0x1000, 0x1001, 0x1FFF, 0x2000, 0x2FFF, 0x3000,
                                                0x3001, 0x7FFF, 0x8000, 0x8001, 0xCFFF, 0xD000, 0xF000, 0xFFFE, 0xFFFF};
  std::vector<float> values;
  for (std::uint32_t upper = 0; upper <= 0xFFFFU; ++upper) {
    for (const std::uint32_t half : lower) values.push_back(std::bit_cast<float>(upper << 16U | half));
  }
  return values;
}

/// How many values LibTorch gives other bits. Which NaN a NaN becomes depends on its path (0x7FC0 value by value, 0xFFFF in
/// vectors), so that only being one is compared.
template <class T>
std::int64_t differences(torch::ScalarType type) {
  std::vector<float> values = edge_values();
  const auto size = static_cast<std::int64_t>(values.size());
  const torch::Tensor theirs = torch::from_blob(values.data(), {size}, torch::kFloat).to(type).view(torch::kInt16);
  std::int64_t different = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    T their;
    their.bits = static_cast<std::uint16_t>(theirs.template const_data_ptr<std::int16_t>()[i]);
    const T ours(values[i]);
    const bool both_nan = std::isnan(float{ours}) && std::isnan(float{their});
    if (std::isnan(values[i]) ? !both_nan : ours.bits != their.bits) ++different;
  }
  return different;
}

}  // namespace

TEST_CASE("BFloat16 and Float16: as LibTorch rounds", "[core][element_torch]") {
  CHECK(differences<jessl::BFloat16>(torch::kBFloat16) == 0);
  CHECK(differences<jessl::Float16>(torch::kHalf) == 0);
}
