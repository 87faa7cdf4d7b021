// SPDX-License-Identifier: Apache-2.0
// Images in memory, whole or in part: 8 bits a channel, interleaved, rows from top to bottom.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <ostream>
#include <span>
#include <vector>

namespace jessl {

/// Height and width of an image in pixels. {0, 0} stands for "known only when the image is".
///
/// Shapes     none
/// Errors     none
/// Models     none
/// Source     none
struct Extent {
  std::int64_t height = 0;  ///< pixels
  std::int64_t width = 0;   ///< pixels

  bool operator==(const Extent&) const = default;
  [[nodiscard]] constexpr bool known() const { return height > 0 && width > 0; }

  friend std::ostream& operator<<(std::ostream& out, const Extent& extent) {
    return out << extent.height << 'x' << extent.width;
  }
};

/// A rectangle of whole pixels in an image.
///
/// Shapes     none
/// Errors     none
/// Models     none
/// Source     none
struct Region {
  std::int64_t top = 0;     ///< first row
  std::int64_t left = 0;    ///< first column
  std::int64_t height = 0;  ///< rows
  std::int64_t width = 0;   ///< columns

  [[nodiscard]] constexpr std::int64_t bottom() const { return top + height; }  ///< the row after the last
  [[nodiscard]] constexpr std::int64_t right() const { return left + width; }   ///< the column after the last
  [[nodiscard]] constexpr std::int64_t area() const { return height * width; }  ///< pixels

  /// Whether all of `inner` lies in this one.
  [[nodiscard]] constexpr bool contains(const Region& inner) const {
    return inner.top >= top && inner.left >= left && inner.bottom() <= bottom() && inner.right() <= right();
  }

  bool operator==(const Region&) const = default;
};

/// The smallest region that holds both.
[[nodiscard]] constexpr Region hull(const Region& a, const Region& b) {
  const std::int64_t top = std::min(a.top, b.top);
  const std::int64_t left = std::min(a.left, b.left);
  return {top, left, std::max(a.bottom(), b.bottom()) - top, std::max(a.right(), b.right()) - left};
}

/// The largest of 1, 2, 4 and 8 by which `box` can be shrunk and still have height x width pixels, into which it is to be
/// resampled.
///
/// Errors     none
/// Models     none
/// Source     none
[[nodiscard]] constexpr std::int64_t largest_shrink(const Region& box, std::int64_t height, std::int64_t width) {
  std::int64_t shrink = 1;
  while (shrink < 8 && box.height >= 2 * shrink * height && box.width >= 2 * shrink * width) shrink *= 2;
  return shrink;
}

/// A view of the pixels of a part of an image, which knows where they lie in it.
///
/// Where the image was shrunk by 2, 4 or 8 while it was decoded, every pixel here stands for a square of that many
/// pixels a side, and `region` counts such squares.
///
/// Shapes     [region.height, region.width, channels], rows `stride` bytes apart
/// Errors     none
/// Models     none
/// Source     none
struct RegionView {
  Region region{};                         ///< what is here, in the coordinates of the (shrunk) image
  std::int64_t channels = 0;               ///< 1 or 3
  std::int64_t stride = 0;                 ///< bytes from one row to the next, >= region.width * channels
  std::int64_t shrink = 1;                 ///< pixels of the stored image a pixel stands for, along one side
  std::int64_t image_height = 0;           ///< of the stored image, pixels
  std::int64_t image_width = 0;            ///< of the stored image, pixels
  std::span<const std::uint8_t> pixels{};  ///< from the first pixel of the region to its last

  /// The pixel of row y and column x of the (shrunk) image; both must lie in `region`.
  [[nodiscard]] std::uint8_t at(std::int64_t y, std::int64_t x, std::int64_t channel) const {
    return pixels[static_cast<std::size_t>((y - region.top) * stride + (x - region.left) * channels + channel)];
  }

  /// Row y of the (shrunk) image, from the region's first column to its last.
  [[nodiscard]] std::span<const std::uint8_t> row(std::int64_t y) const {
    return pixels.subspan(static_cast<std::size_t>((y - region.top) * stride),
                          static_cast<std::size_t>(region.width * channels));
  }
};

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

  /// The whole image as a part of itself: who takes parts takes images.
  operator RegionView() const {  // NOLINT(google-explicit-constructor): nothing is lost and nothing copied
    return {.region = {.height = height, .width = width},
            .channels = channels,
            .stride = width * channels,
            .image_height = height,
            .image_width = width,
            .pixels = pixels};
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
