// SPDX-License-Identifier: Apache-2.0
// Images as PNG files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include <png.h>

#include <jessl/core/atomic_file.hpp>
#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/image.hpp>

namespace jessl::io {

/// A grey or RGB image as the bytes of a PNG file.
///
/// Shapes     image: [height, width, 1 or 3]
/// Errors     ShapeError for an empty image, another number of channels or of pixels than its extents say
/// Source     none
[[nodiscard]] std::string png_bytes(const ImageView& image);

/// Writes a grey or RGB image as a PNG file, in one step.
///
/// Shapes     image: [height, width, 1 or 3]
/// Errors     ShapeError as png_bytes(); IOError as AtomicFile
/// Source     none
void save_png(const std::filesystem::path& path, const ImageView& image);

}  // namespace jessl::io

#if JESSL_DEFINITIONS

namespace jessl::io {

JESSL_INLINE std::string png_bytes(const ImageView& image) {
  JESSL_CHECK(image.width > 0 && image.height > 0 && (image.channels == 1 || image.channels == 3), ShapeError,
              "jessl::io::png_bytes: the image is ", image.width, " x ", image.height, " with ", image.channels,
              " channels, expected a grey (1) or RGB (3) image that is not empty");
  constexpr std::int64_t longest = std::numeric_limits<std::int32_t>::max();  // the format's limit
  JESSL_CHECK(image.width <= longest && image.height <= longest / image.channels, ShapeError,
              "jessl::io::png_bytes: the image is ", image.width, " x ", image.height, ", more than a PNG file holds");
  const std::int64_t expected = image.width * image.height * image.channels;
  JESSL_CHECK(image.pixels.size() == static_cast<std::size_t>(expected), ShapeError,
              "jessl::io::png_bytes: ", image.pixels.size(), " bytes of pixels, expected ", expected, " for ",
              image.width, " x ", image.height, " pixels with ", image.channels, " channels");
  png_image header{};
  header.version = PNG_IMAGE_VERSION;
  header.width = static_cast<png_uint_32>(image.width);
  header.height = static_cast<png_uint_32>(image.height);
  header.format = image.channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(header);
  std::string bytes(size, '\0');
  const int written = png_image_write_to_memory(&header, bytes.data(), &size, 0, image.pixels.data(), 0, nullptr);
  JESSL_CHECK(written != 0, InternalError, "jessl::io::png_bytes: libpng says: ", header.message);
  bytes.resize(size);
  return bytes;
}

JESSL_INLINE void save_png(const std::filesystem::path& path, const ImageView& image) {
  write_file(path, png_bytes(image), "jessl::io::save_png");
}

}  // namespace jessl::io

#endif  // JESSL_DEFINITIONS
