// SPDX-License-Identifier: Apache-2.0
// What the header of a stored image says, without decoding it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/image.hpp>
#include <jessl/data/detail/format.hpp>
#include <jessl/data/detail/jpeg_layout.hpp>

namespace jessl::data {

/// What the header of a stored image says.
///
/// Shapes     the image: [height, width, channels]
/// Errors     none
/// Models     none
/// Source     none
struct ImageHeader {
  ImageFormat format = ImageFormat::raw;  ///< as the bytes tell
  std::int64_t width = 0;                 ///< pixels
  std::int64_t height = 0;                ///< pixels
  std::int64_t channels = 0;              ///< 1 or 3: as the image decodes where it may choose
  std::int64_t coded_bytes = 0;           ///< stored bytes after the header
  bool interlaced = false;                ///< of a PNG: its passes go over the whole image
  detail::JPEGLayout jpeg{};              ///< of a JPEG: how its coded bytes are laid out

  /// The whole image.
  [[nodiscard]] Region region() const { return {.height = height, .width = width}; }
};

/// Reads the header of a stored image: its size, its channels, and what the ways to decode it depend on.
///
/// For who must know the size first: a loader asks the augmentation for the boxes that its views will need of an image
/// of that size, and decodes only these (decode_region).
///
/// Shapes     none
/// Cost       below 1 us; of a JPEG the markers before the first scan are read, of a PNG the first 29 bytes
/// Errors     DataError for bytes that are neither a JPEG nor a PNG, a header that is cut off or gives no size, more
///            than max_image_pixels pixels, a size other than the data set says
/// Models     none
/// Source     none
[[nodiscard]] ImageHeader peek(const EncodedImage& image);

}  // namespace jessl::data

#if JESSL_DEFINITIONS

namespace jessl::data::detail {

JESSL_INLINE ImageHeader peek_jpeg(std::span<const std::byte> bytes) {
  ImageHeader header{.format = ImageFormat::jpg, .jpeg = read_jpeg_layout(bytes)};
  header.width = header.jpeg.width;
  header.height = header.jpeg.height;
  header.channels = header.jpeg.components == 1 ? 1 : 3;
  header.coded_bytes = static_cast<std::int64_t>(bytes.size() - header.jpeg.scan);
  return header;
}

JESSL_INLINE ImageHeader peek_png(std::span<const std::byte> bytes) {
  constexpr std::size_t size = 29;  // magic, then the length, name and values of IHDR
  JESSL_CHECK(bytes.size() >= size && starts_with(bytes.subspan(12), "IHDR"), DataError, "jessl::data::peek: a PNG of ",
              bytes.size(), " bytes without IHDR at byte 12; it is damaged or cut off");
  const auto extent = [&](std::size_t place) {
    return std::int64_t{big_endian_16(bytes, place)} << 16U | big_endian_16(bytes, place + 2);
  };
  const bool colour = (byte_at(bytes, 25) & 2U) != 0;
  return {.format = ImageFormat::png,
          .width = extent(16),
          .height = extent(20),
          .channels = colour ? 3 : 1,
          .coded_bytes = static_cast<std::int64_t>(bytes.size() - size),
          .interlaced = byte_at(bytes, 28) != 0};
}

}  // namespace jessl::data::detail

namespace jessl::data {

JESSL_INLINE ImageHeader peek(const EncodedImage& image) {
  if (image.format == ImageFormat::raw) {
    const ImageView raw = detail::view_raw(image);
    return {.format = ImageFormat::raw,
            .width = raw.width,
            .height = raw.height,
            .channels = raw.channels,
            .coded_bytes = static_cast<std::int64_t>(image.bytes.size())};
  }
  const bool is_jpeg = detail::format_of(image.bytes) == ImageFormat::jpg;
  const ImageHeader header = is_jpeg ? detail::peek_jpeg(image.bytes) : detail::peek_png(image.bytes);
  detail::check_image_size(header.width, header.height, is_jpeg ? "JPEG" : "PNG");
  JESSL_CHECK((image.width == 0 || image.width == header.width) && (image.height == 0 || image.height == header.height),
              DataError, "jessl::data::peek: the image has ", header.width, " x ", header.height, " pixels, expected ",
              image.width, " x ", image.height, " as the data set says");
  return header;
}

}  // namespace jessl::data

#endif  // JESSL_DEFINITIONS
