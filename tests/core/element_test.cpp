// SPDX-License-Identifier: Apache-2.0
// Number formats: every value of 16 bits, and what lies between it and the next.
#include <catch2/catch.hpp>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include <jessl/core/element.hpp>

using jessl::BFloat16;
using jessl::Float16;

namespace {

template <class T>
T from_bits(std::uint32_t bits) {
  T value;
  value.bits = static_cast<std::uint16_t>(bits);
  return value;
}

/// Every value is the nearest to itself; a value between two is the nearer's, in the middle the even one's. `infinity` is
/// the bits of infinity, `fraction` their bits below the exponent.
template <class T>
void check_all(std::uint32_t infinity) {
  constexpr float beyond = std::numeric_limits<float>::infinity();
  std::int64_t wrong = 0;
  const auto expect = [&](float value, std::uint32_t bits) {
    wrong += T(value).bits == bits ? 0 : 1;
    wrong += T(-value).bits == (bits | 0x8000U) ? 0 : 1;
  };
  for (std::uint32_t bits = 0; bits < infinity; ++bits) {
    const float value = from_bits<T>(bits);
    expect(value, bits);
    // The next value above; where there is none, what would be it with one more exponent.
    const double above =
        bits + 1 < infinity ? double{from_bits<T>(bits + 1)} : 2.0 * double{value} - double{from_bits<T>(bits - 1)};
    const auto middle = static_cast<float>((double{value} + above) / 2.0);
    if (double{middle} != (double{value} + above) / 2.0) continue;  // below float32's own precision
    expect(middle, bits + bits % 2);
    expect(std::nextafter(middle, 0.0F), bits);
    expect(std::nextafter(middle, beyond), bits + 1);
  }
  expect(beyond, infinity);
  CHECK(wrong == 0);
  CHECK(std::isinf(float{from_bits<T>(infinity)}));
  std::int64_t numbers = 0;
  for (std::uint32_t bits = infinity + 1; bits < 0x8000U; ++bits) {
    if (!std::isnan(float{from_bits<T>(bits)})) ++numbers;
    if (!std::isnan(float{T(float{from_bits<T>(bits)})})) ++numbers;
  }
  CHECK(numbers == 0);
}

}  // namespace

TEST_CASE("BFloat16: every value, and what is between it and the next", "[core][element]") {
  check_all<BFloat16>(0x7F80);
  CHECK(float{BFloat16(1.0F)} == 1.0F);
  CHECK(BFloat16(1.0F).bits == 0x3F80);  // the upper half of float32's 3F800000
  CHECK(BFloat16(std::numeric_limits<float>::max()).bits == 0x7F80);
  CHECK(BFloat16(std::numeric_limits<float>::denorm_min()).bits == 0);
  // A NaN whose upper half alone would be infinity.
  CHECK(BFloat16(std::bit_cast<float>(0x7F800001U)).bits == 0x7FC0);
  CHECK(BFloat16(std::bit_cast<float>(0xFFFFFFFFU)).bits == 0x7FC0);
}

TEST_CASE("Float16: every value, and what is between it and the next", "[core][element]") {
  check_all<Float16>(0x7C00);
  // IEEE 754's table of binary16: 1, the largest, the smallest normal and the smallest of all.
  CHECK(Float16(1.0F).bits == 0x3C00);
  CHECK(float{from_bits<Float16>(0x7BFF)} == 65504.0F);
  CHECK(float{from_bits<Float16>(0x0400)} == 0x1p-14F);
  CHECK(float{from_bits<Float16>(0x0001)} == 0x1p-24F);
  CHECK(Float16(65519.0F).bits == 0x7BFF);
  CHECK(Float16(65520.0F).bits == 0x7C00);
  CHECK(Float16(0x1p-25F).bits == 0);  // half of the smallest: to even
  CHECK(Float16(std::bit_cast<float>(0x7F800001U)).bits == 0x7E00);
  CHECK(Float16(std::bit_cast<float>(0xFFFFFFFFU)).bits == 0xFE00);
}

TEST_CASE("Element: names, sizes and types", "[core][element]") {
  CHECK(jessl::describe(jessl::Element::bfloat16) == "\"bfloat16\"");
  CHECK(jessl::describe(jessl::Layout::channels_last) == "\"channels_last\"");
  CHECK(jessl::size_of(jessl::Element::float32) == sizeof(float));
  CHECK(jessl::size_of(jessl::Element::float16) == sizeof(Float16));
  CHECK(jessl::element_of<float> == jessl::Element::float32);
  CHECK(jessl::element_of<BFloat16> == jessl::Element::bfloat16);
  CHECK(jessl::element_of<Float16> == jessl::Element::float16);
}
