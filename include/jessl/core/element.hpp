// SPDX-License-Identifier: Apache-2.0
// Number formats and orders of the values of views: float32, bfloat16, float16; channel by channel or pixel by pixel.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include <jessl/core/options.hpp>

namespace jessl {

/// The number format of values in memory.
enum class Element : std::uint8_t {
  float32,   ///< 24 significant bits
  bfloat16,  ///< 8 significant bits, float32's range
  float16    ///< IEEE's binary16: 11 significant bits, up to 65504
};

/// The order of a view's values in memory.
enum class Layout : std::uint8_t {
  channels_first,  ///< [C, H, W], one channel after the other; a batch is NCHW
  channels_last    ///< [H, W, C], one pixel after the other; a batch is NHWC
};

namespace detail {

// Written for a float and its bits, and for vectors of them: Word is std::uint32_t or Words<Count>. The result is in the
// lower half of each word.

/// The bits of the nearest bfloat16, ties to even; any NaN becomes 0x7FC0.
template <class Float, class Word>
[[gnu::always_inline]] inline void to_bfloat16(const Float& value, Word& result) {
  const Word bits = __builtin_bit_cast(Word, value);
  const Word rounded = (bits + 0x7FFFU + ((bits >> 16U) & 1U)) >> 16U;
  result = (bits & 0x7FFFFFFFU) > 0x7F800000U ? Word{} + 0x7FC0U : rounded;
}

/// The bits of the nearest float16, ties to even; any NaN becomes 0x7E00 with its sign. After F. Giesen's
/// float_to_half_fast3_rtne (public domain, 2012).
template <class Float, class Word>
[[gnu::always_inline]] inline void to_float16(const Float& value, Word& result) {
  const Word bits = __builtin_bit_cast(Word, value);
  const Word magnitude = bits & 0x7FFFFFFFU;
  // Another bias of the exponent, and 13 bits less; what rounds up to 65536 is infinity by the carry.
  const Word normal = (magnitude - 0x38000000U + 0xFFFU + ((magnitude >> 13U) & 1U)) >> 13U;
  // The last bit of 0.5 weighs 2^-24 as that of a subnormal float16, so that the processor's own addition rounds it.
  const Float sum = __builtin_bit_cast(Float, magnitude) + 0.5F;
  const Word subnormal = __builtin_bit_cast(Word, sum) - 0x3F000000U;
  const Word special = magnitude > 0x7F800000U ? Word{} + 0x7E00U : Word{} + 0x7C00U;
  const Word small = magnitude < 0x38800000U ? subnormal : normal;  // below 2^-14, or not
  const Word unsigned_bits = magnitude >= 0x47800000U ? special : small;
  result = ((bits >> 16U) & 0x8000U) | unsigned_bits;
}

/// The value of a float16, which is exact.
[[nodiscard]] inline float from_float16(std::uint16_t bits) {
  const std::uint32_t shifted = (std::uint32_t{bits} & 0x7FFFU) << 13U;
  const std::uint32_t exponent = shifted & 0x0F800000U;
  std::uint32_t result = shifted + 0x38000000U;
  if (exponent == 0x0F800000U) {
    result += 0x38000000U;  // infinity and NaN
  } else if (exponent == 0) {
    result = __builtin_bit_cast(std::uint32_t, __builtin_bit_cast(float, result + 0x00800000U) - 0x1p-14F);
  }
  return __builtin_bit_cast(float, result | (std::uint32_t{bits} & 0x8000U) << 16U);
}

}  // namespace detail

/// A value in bfloat16: float32 without the lower half of its bits.
///
/// From float it is rounded to the nearest, ties to even, as LibTorch does; a NaN stays one. It counts as a float.
///
/// Shapes     none
/// Errors     none
/// Models     none
/// Source     none
struct BFloat16 {
  std::uint16_t bits = 0;  ///< sign, 8 bits of exponent, 7 of fraction

  BFloat16() = default;
  explicit BFloat16(float value) {
    std::uint32_t word = 0;
    detail::to_bfloat16(value, word);
    bits = static_cast<std::uint16_t>(word);
  }
  operator float() const {  // NOLINT: implicit, since it is exact
    return __builtin_bit_cast(float, std::uint32_t{bits} << 16U);
  }
};

/// A value in float16, IEEE's binary16.
///
/// From float it is rounded to the nearest, ties to even, as LibTorch does: 65520 and more is infinity; a NaN stays one.
/// It counts as a float.
///
/// Shapes     none
/// Errors     none
/// Models     none
/// Source     IEEE 754-2008
struct Float16 {
  std::uint16_t bits = 0;  ///< sign, 5 bits of exponent, 10 of fraction

  Float16() = default;
  explicit Float16(float value) {
    std::uint32_t word = 0;
    detail::to_float16(value, word);
    bits = static_cast<std::uint16_t>(word);
  }
  operator float() const { return detail::from_float16(bits); }  // NOLINT: implicit, since it is exact
};

/// A type that values of some Element have in C++.
template <class T>
concept ElementType = std::same_as<T, float> || std::same_as<T, BFloat16> || std::same_as<T, Float16>;

/// The format of a type's values.
template <ElementType T>
inline constexpr Element element_of = std::same_as<T, float>      ? Element::float32
                                      : std::same_as<T, BFloat16> ? Element::bfloat16
                                                                  : Element::float16;

/// Bytes a value takes.
[[nodiscard]] constexpr std::size_t size_of(Element element) { return element == Element::float32 ? 4 : 2; }

}  // namespace jessl

template <>
struct jessl::EnumNames<jessl::Element> {
  static constexpr std::array<std::pair<Element, std::string_view>, 3> value{
      {{Element::float32, "float32"}, {Element::bfloat16, "bfloat16"}, {Element::float16, "float16"}}};
};

template <>
struct jessl::EnumNames<jessl::Layout> {
  static constexpr std::array<std::pair<Layout, std::string_view>, 2> value{
      {{Layout::channels_first, "channels_first"}, {Layout::channels_last, "channels_last"}}};
};
