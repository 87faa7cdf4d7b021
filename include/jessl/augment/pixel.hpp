// SPDX-License-Identifier: Apache-2.0
// One pixel in float, and the few functions from which colour operations are built.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace jessl::augment {

/// One pixel of a grey (C = 1) or RGB (C = 3) image; values in [0, 1] until Normalize.
///
/// `T` is float on the CPU. Operations are written for any T, so that the same source serves a vector of pixels or a
/// CUDA thread: no `if` on values, `select` instead.
///
/// Shapes     [C]
/// Errors     none
/// Models     none
/// Source     none
template <class T, std::size_t C>
struct Pixel {
  static_assert(C == 1 || C == 3, "jessl::augment::Pixel has 1 (grey) or 3 (RGB) channels");
  static constexpr std::size_t channels = C;

  T value[C];  ///< grey; or red, green, blue

  [[nodiscard]] constexpr T& operator[](std::size_t channel) { return value[channel]; }
  [[nodiscard]] constexpr const T& operator[](std::size_t channel) const { return value[channel]; }
};

namespace detail {

/// One of two values, in bits: the compiler makes branches of ?:, and of those no vectors unless there are masks (AVX-512).
[[nodiscard]] constexpr float select(bool condition, float yes, float no) {
  const std::uint32_t mask = 0U - static_cast<std::uint32_t>(condition);
  return std::bit_cast<float>((std::bit_cast<std::uint32_t>(yes) & mask) | (std::bit_cast<std::uint32_t>(no) & ~mask));
}
[[nodiscard]] constexpr float minimum(float a, float b) { return select(a < b, a, b); }
[[nodiscard]] constexpr float maximum(float a, float b) { return select(a > b, a, b); }

/// Into [0, 1].
template <class T>
[[nodiscard]] constexpr T clamped(T value) {
  return minimum(maximum(value, T(0.0F)), T(1.0F));
}

/// The whole part of a value between -2^31 and 2^31.
[[nodiscard]] constexpr float whole(float value) { return static_cast<float>(static_cast<std::int32_t>(value)); }

/// The nearest of the 256 values of an 8-bit image, as a whole number from 0 to 255, whatever the value is.
template <class T>
[[nodiscard]] constexpr T in_8_bits(T value) {
  return whole(T(255.0F) * clamped(value) + T(0.5F));
}

/// A pixel of one colour; grey is the mean of red, green and blue, as in Normalize.
template <class T, std::size_t C>
[[nodiscard]] constexpr Pixel<T, C> coloured(const std::array<double, 3>& rgb) {
  if constexpr (C == 1) {
    return {{T(static_cast<float>((rgb[0] + rgb[1] + rgb[2]) / 3.0))}};
  } else {
    return {{T(static_cast<float>(rgb[0])), T(static_cast<float>(rgb[1])), T(static_cast<float>(rgb[2]))}};
  }
}

/// Luma as torchvision weighs it; a grey pixel is its own luma.
template <class T, std::size_t C>
[[nodiscard]] constexpr T luma(const Pixel<T, C>& pixel) {
  if constexpr (C == 1) {
    return pixel[0];
  } else {
    return T(0.2989F) * pixel[0] + T(0.587F) * pixel[1] + T(0.114F) * pixel[2];
  }
}

/// factor of the pixel and 1 - factor of `other`, clamped: torchvision's _blend.
template <class T, std::size_t C>
[[nodiscard]] constexpr Pixel<T, C> blended(Pixel<T, C> pixel, T other, T factor) {
  for (std::size_t c = 0; c < C; ++c) pixel[c] = clamped(factor * pixel[c] + (T(1.0F) - factor) * other);
  return pixel;
}

}  // namespace detail
}  // namespace jessl::augment
