// SPDX-License-Identifier: Apache-2.0
// Images in memory: 8 bits a channel, interleaved, rows from top to bottom.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace jessl {

/// A view of somebody else's pixels: 8-bit, interleaved, 1 (grey) or 3 (RGB) channels.
///
/// Shapes     pixels: [height, width, channels]
/// Errors     none
/// Models     none
/// Source     none
struct ImageView {
  std::int64_t width = 0;                  ///< pixels
  std::int64_t height = 0;                 ///< pixels
  std::int64_t channels = 0;               ///< 1 or 3
  std::span<const std::uint8_t> pixels{};  ///< [height, width, channels], contiguous

  [[nodiscard]] std::uint8_t at(std::int64_t y, std::int64_t x, std::int64_t channel) const {
    return pixels[static_cast<std::size_t>((y * width + x) * channels + channel)];
  }
};

/// An image that owns its pixels.
///
/// Shapes     pixels: [height, width, channels]
/// Errors     none
/// Models     none
/// Source     none
struct Image {
  std::int64_t width = 0;              ///< pixels
  std::int64_t height = 0;             ///< pixels
  std::int64_t channels = 0;           ///< 1 or 3
  std::vector<std::uint8_t> pixels{};  ///< [height, width, channels], contiguous

  Image() = default;
  Image(std::int64_t image_width, std::int64_t image_height, std::int64_t image_channels)
      : width(image_width), height(image_height), channels(image_channels) {
    pixels.resize(count());
  }

  /// Takes another size; keeps the memory, so that a reused image allocates nothing once it has seen its largest.
  void resize(std::int64_t new_width, std::int64_t new_height, std::int64_t new_channels) {
    width = new_width;
    height = new_height;
    channels = new_channels;
    pixels.resize(count());
  }

  [[nodiscard]] ImageView view() const { return {width, height, channels, pixels}; }

 private:
  [[nodiscard]] std::size_t count() const { return static_cast<std::size_t>(width * height * channels); }
};

/// How the bytes of a stored image are to be read.
enum class ImageFormat : std::uint8_t {
  raw,  ///< 8-bit interleaved pixels
  jpg,  ///< a JPEG file
  png   ///< a PNG file
};

/// A stored image before it is decoded. The bytes belong to the data set (mapped file, array) or to the caller's storage.
///
/// Shapes     raw bytes: [height, width, channels]
/// Errors     none
/// Models     none
/// Source     none
struct EncodedImage {
  ImageFormat format = ImageFormat::raw;
  std::int64_t width = 0;     ///< pixels; 0 where only decoding tells
  std::int64_t height = 0;    ///< pixels; 0 where only decoding tells
  std::int64_t channels = 0;  ///< of raw pixels; 0 where only decoding tells
  std::span<const std::byte> bytes{};
};

}  // namespace jessl
