// SPDX-License-Identifier: Apache-2.0
// From stored bytes to pixels: raw, JPEG and PNG images of any flavour become 8-bit grey or RGB.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/image.hpp>
#include <jessl/data/detail/channels.hpp>
#include <jessl/data/detail/format.hpp>
#include <jessl/data/detail/jpeg_reader.hpp>
#include <jessl/data/detail/png_reader.hpp>

namespace jessl::data {

using Image = jessl::Image;

namespace detail {

/// As the public decode, where 0 channels means those that are stored.
[[nodiscard]] ImageView decode(const EncodedImage& image, std::int64_t channels, Image& scratch);

}  // namespace detail

/// Decodes a stored image to 8-bit pixels with 1 (grey) or 3 (RGB) channels.
///
/// Raw pixels that have these channels already are not copied; everything else is decoded into `scratch`, whose memory
/// is kept from image to image. The result is what PIL's convert("RGB") or convert("L") gives: grey is repeated, RGB
/// becomes ITU-R 601 luma, palettes are looked up, alpha is dropped, 16 bits keep the upper 8, and CMYK is converted
/// (inverted, as Adobe's programs write it). An orientation in EXIF is ignored, as torchvision's ImageFolder does.
/// Whether the bytes are a JPEG or a PNG is read from them.
///
/// Shapes     image -> [H, W, channels]
/// Cost       one decode; nothing is allocated once `scratch` has held the largest image, apart from what libjpeg and
///            libpng take and return inside
/// Errors     DataError for bytes that are neither a JPEG nor a PNG, for damaged or truncated images (libjpeg's
///            warnings about lost data too), for more than max_image_pixels pixels, for a size other than the data set
///            says; ConfigError for channels other than 1 and 3. Safe on several threads, with a `scratch` each
/// Models     none
/// Source     none
[[nodiscard]] ImageView decode(const EncodedImage& image, std::int64_t channels, Image& scratch);

/// Decodes a stored image to an image of its own, grey or RGB as it is stored.
///
/// Errors     as above
[[nodiscard]] Image decode(const EncodedImage& image);

}  // namespace jessl::data

#if JESSL_DEFINITIONS

namespace jessl::data::detail {

/// Into `image`, with 1 or 3 channels as stored.
JESSL_INLINE void decode_file(std::span<const std::byte> bytes, Image& image) {
  format_of(bytes) == ImageFormat::jpg ? JPEGReader().read(bytes, image) : PNGReader(bytes).read(image);
}

JESSL_INLINE ImageView decode(const EncodedImage& image, std::int64_t channels, Image& scratch) {
  if (image.format == ImageFormat::raw) {
    const ImageView raw = view_raw(image);
    if (channels == 0 || channels == raw.channels) return raw;
    scratch.resize(raw.width, raw.height, raw.channels);
    std::copy(raw.pixels.begin(), raw.pixels.end(), scratch.pixels.begin());
  } else {
    decode_file(image.bytes, scratch);
    JESSL_CHECK(
        (image.width == 0 || image.width == scratch.width) && (image.height == 0 || image.height == scratch.height),
        DataError, "jessl::data::decode: the image has ", scratch.width, " x ", scratch.height, " pixels, expected ",
        image.width, " x ", image.height, " as the data set says");
  }
  if (channels != 0) convert_channels(scratch, channels);
  return scratch.view();
}

}  // namespace jessl::data::detail

namespace jessl::data {

JESSL_INLINE ImageView decode(const EncodedImage& image, std::int64_t channels, Image& scratch) {
  JESSL_CHECK(channels == 1 || channels == 3, ConfigError, "jessl::data::decode: channels is ", channels,
              ", expected 1 (grey) or 3 (RGB)");
  return detail::decode(image, channels, scratch);
}

JESSL_INLINE Image decode(const EncodedImage& image) {
  Image result;
  const ImageView view = detail::decode(image, 0, result);
  if (view.pixels.data() == result.pixels.data()) return result;
  result.resize(view.width, view.height, view.channels);
  std::copy(view.pixels.begin(), view.pixels.end(), result.pixels.begin());
  return result;
}

}  // namespace jessl::data

#endif  // JESSL_DEFINITIONS
