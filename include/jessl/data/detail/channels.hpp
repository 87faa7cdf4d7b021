// SPDX-License-Identifier: Apache-2.0
// What every kind of stored image needs: the check of its claimed size, and conversions between channels in place.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/image.hpp>

namespace jessl::data {

/// Larger images are refused before memory is taken for them: what claims to be one is damaged or an attack.
inline constexpr std::int64_t max_image_pixels = std::int64_t{1} << 27U;

}  // namespace jessl::data

namespace jessl::data::detail {

void check_image_size(std::int64_t width, std::int64_t height, std::string_view format);

/// ITU-R 601 luma, rounded as PIL's convert("L") does.
[[nodiscard]] inline std::uint8_t luma(unsigned red, unsigned green, unsigned blue) {
  return static_cast<std::uint8_t>((red * 19595U + green * 38470U + blue * 7471U + 0x8000U) >> 16U);
}

void rgb_to_grey(Image& image);

void grey_to_rgb(Image& image);

/// CMYK as Adobe's programs store it in JPEG files, inverted (255 is no ink), to RGB as PIL's convert("RGB") does.
void inverted_cmyk_to_rgb(Image& image);

/// To 1 (grey) or 3 (RGB) channels, in place.
inline void convert_channels(Image& image, std::int64_t channels) {
  if (image.channels == channels) return;
  channels == 1 ? rgb_to_grey(image) : grey_to_rgb(image);
}

}  // namespace jessl::data::detail

#if JESSL_DEFINITIONS

namespace jessl::data::detail {

JESSL_INLINE void check_image_size(std::int64_t width, std::int64_t height, std::string_view format) {
  // Division, so that no claim of a damaged header overflows.
  JESSL_CHECK(width >= 1 && height >= 1 && height <= max_image_pixels / width, DataError, "jessl::data::decode: the ",
              format, " image claims to have ", width, " x ", height, " pixels; from 1 to ", max_image_pixels,
              " are decoded");
}

JESSL_INLINE void rgb_to_grey(Image& image) {
  std::uint8_t* pixels = image.pixels.data();
  const auto count = static_cast<std::size_t>(image.width * image.height);
  for (std::size_t i = 0; i < count; ++i) pixels[i] = luma(pixels[3 * i], pixels[3 * i + 1], pixels[3 * i + 2]);
  image.resize(image.width, image.height, 1);
}

JESSL_INLINE void grey_to_rgb(Image& image) {
  image.resize(image.width, image.height, 3);
  std::uint8_t* pixels = image.pixels.data();
  // From the back: the grey values lie in the first third.
  for (auto i = static_cast<std::size_t>(image.width * image.height); i-- > 0;) {
    const std::uint8_t grey = pixels[i];
    std::fill_n(pixels + 3 * i, 3, grey);
  }
}

JESSL_INLINE void inverted_cmyk_to_rgb(Image& image) {
  std::uint8_t* pixels = image.pixels.data();
  const auto count = static_cast<std::size_t>(image.width * image.height);
  for (std::size_t i = 0; i < count; ++i) {
    const unsigned light = pixels[4 * i + 3];
    for (std::size_t ink = 0; ink < 3; ++ink) {
      const unsigned product = (255U - pixels[4 * i + ink]) * light + 128U;
      const unsigned absorbed = (product + (product >> 8U)) >> 8U;  // product / 255, rounded
      pixels[3 * i + ink] = static_cast<std::uint8_t>(light - absorbed);
    }
  }
  image.resize(image.width, image.height, 3);
}

}  // namespace jessl::data::detail

#endif  // JESSL_DEFINITIONS
