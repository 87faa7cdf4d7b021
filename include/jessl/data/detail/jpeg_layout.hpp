// SPDX-License-Identifier: Apache-2.0
// How a JPEG file is laid out: its markers, its restart segments, and a smaller JPEG put together from some of them.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/image.hpp>

namespace jessl::data::detail {

/// The codes that follow FF in a JPEG file, as far as they matter here.
namespace jpeg_code {
inline constexpr std::uint8_t baseline = 0xC0;     // start of frame, sequential, 8 bits
inline constexpr std::uint8_t extended = 0xC1;     // the same with more tables
inline constexpr std::uint8_t progressive = 0xC2;  // start of frame, progressive
inline constexpr std::uint8_t huffman_tables = 0xC4;
inline constexpr std::uint8_t jpg = 0xC8;
inline constexpr std::uint8_t arithmetic_tables = 0xCC;
inline constexpr std::uint8_t restart = 0xD0;  // and the seven that follow
inline constexpr std::uint8_t start_of_image = 0xD8;
inline constexpr std::uint8_t end_of_image = 0xD9;
inline constexpr std::uint8_t start_of_scan = 0xDA;
inline constexpr std::uint8_t quantization_tables = 0xDB;
inline constexpr std::uint8_t restart_interval = 0xDD;
inline constexpr std::uint8_t application = 0xE0;     // APP0, JFIF; up to APP15
inline constexpr std::uint8_t colour_profile = 0xE2;  // APP2
inline constexpr std::uint8_t adobe = 0xEE;           // APP14
}  // namespace jpeg_code

[[nodiscard]] inline unsigned byte_at(std::span<const std::byte> bytes, std::size_t place) {
  return std::to_integer<unsigned>(bytes[place]);
}

[[nodiscard]] inline unsigned big_endian_16(std::span<const std::byte> bytes, std::size_t place) {
  return byte_at(bytes, place) << 8U | byte_at(bytes, place + 1);
}

/// One marker with what belongs to it.
struct JPEGMarker {
  std::uint8_t code = 0;
  std::size_t begin = 0;                 ///< of its FF, in the file
  std::size_t end = 0;                   ///< of the first byte after it
  std::span<const std::byte> payload{};  ///< after the length; empty where there is none
};

/// The markers of a JPEG file one after the other, up to the first scan. Bytes that belong to no marker are passed over
/// as libjpeg does.
class JPEGMarkers {
 public:
  /// `bytes` begin with FF D8.
  explicit JPEGMarkers(std::span<const std::byte> bytes) : bytes_(bytes) {}

  /// False at the end, and where the file is cut off in the middle of a marker.
  [[nodiscard]] bool next(JPEGMarker& marker);

 private:
  std::span<const std::byte> bytes_;
  std::size_t place_ = 2;
};

/// What the header of a JPEG file says.
struct JPEGLayout {
  std::int64_t width = 0;   ///< pixels
  std::int64_t height = 0;  ///< pixels
  int components = 0;       ///< 1 to 255
  int max_horizontal = 1;   ///< the largest sampling factor along a row
  int max_vertical = 1;     ///< the largest sampling factor along a column
  bool subsampled = false;  ///< some component has fewer samples than the largest
  bool regular = false;     ///< sampling factors that libjpeg crops without error: 1 and 2, one component 1 x 1
  bool sequential = false;  ///< Huffman coded, 8 bits, not progressive
  bool one_scan = false;    ///< the first scan holds all components
  std::int64_t restart_interval = 0;  ///< units; 0 where there are no restart markers
  std::size_t scan = 0;               ///< where the entropy-coded bytes begin; 0 where there is no scan

  // The unit: the smallest rectangle of pixels that is coded as one (MCU).
  [[nodiscard]] std::int64_t unit_width() const { return components == 1 ? 8 : 8 * std::int64_t{max_horizontal}; }
  [[nodiscard]] std::int64_t unit_height() const { return components == 1 ? 8 : 8 * std::int64_t{max_vertical}; }
  [[nodiscard]] std::int64_t unit_columns() const { return (width + unit_width() - 1) / unit_width(); }
  [[nodiscard]] std::int64_t unit_rows() const { return (height + unit_height() - 1) / unit_height(); }

  /// Restart segments in a row of units; 0 where the image cannot be put together from segments.
  [[nodiscard]] std::int64_t segment_columns() const {
    const bool usable = sequential && one_scan && regular && scan != 0 && restart_interval != 0;
    return usable && unit_columns() % restart_interval == 0 ? unit_columns() / restart_interval : 0;
  }
};

[[nodiscard]] inline bool is_start_of_frame(std::uint8_t code) {
  return code >= jpeg_code::baseline && code <= 0xCF && code != jpeg_code::huffman_tables && code != jpeg_code::jpg &&
         code != jpeg_code::arithmetic_tables;
}

/// Reads the header up to the first scan. Only the size is sure to be there afterwards; whatever else is odd leaves
/// `scan` or `regular` unset, so that libjpeg alone judges the file.
///
/// Errors     DataError where no frame of one pixel or more is found before the first scan or the end
[[nodiscard]] JPEGLayout read_jpeg_layout(std::span<const std::byte> bytes);

/// The next place in `bytes` from `place` on where FF is followed by a marker's code; bytes.size() where there is none.
[[nodiscard]] std::size_t find_marker(std::span<const std::byte> bytes, std::size_t place);

/// A place in a file, of which there are many.
using Offset = std::uint32_t;

/// Finds the segments of the file's only scan: segment i lies in [markers[i] + 2, markers[i + 1]) where markers[0] + 2 is
/// the scan's beginning. False where their number or their numbering is not what the header promises: bytes are lost or
/// damaged then, and nobody can say to which part of the image a segment belongs.
[[nodiscard]] bool find_segments(std::span<const std::byte> bytes, const JPEGLayout& layout,
                                 std::vector<Offset>& markers);

/// Some segments of an image: columns of segments and rows of units, half open.
struct SegmentRange {
  std::int64_t first_row = 0;
  std::int64_t last_row = 0;
  std::int64_t first_column = 0;
  std::int64_t last_column = 0;

  [[nodiscard]] std::int64_t count() const { return (last_row - first_row) * (last_column - first_column); }
};

/// The pixels that a range of segments holds.
[[nodiscard]] Region pixels_of(const JPEGLayout& layout, const SegmentRange& range);

/// The fewest pixels along a row with which libjpeg upsamples as it does in a large image (it repeats samples in smaller
/// ones), so that a part of an image comes out as in the whole.
[[nodiscard]] inline std::int64_t least_width(const JPEGLayout& layout) {
  return layout.subsampled ? 2 * std::int64_t{layout.max_horizontal} + 1 : 1;
}

/// The segments from which the pixels of `box`, in `layout`'s image, come out as from the whole image, also when it is
/// shrunk.
[[nodiscard]] SegmentRange covering(const JPEGLayout& layout, const Region& box, std::int64_t shrink);

/// Puts a JPEG file together from a range of the segments that find_segments() found: the header with the size of the
/// part, without application data that says nothing about the pixels, and the segments with their markers numbered
/// anew. `file` keeps its memory.
[[nodiscard]] std::span<const std::byte> assemble(std::span<const std::byte> bytes, const JPEGLayout& layout,
                                                  std::span<const Offset> markers, const SegmentRange& range,
                                                  std::vector<std::byte>& file);

}  // namespace jessl::data::detail

#if JESSL_DEFINITIONS

namespace jessl::data::detail {

JESSL_INLINE bool JPEGMarkers::next(JPEGMarker& marker) {
  for (;;) {
    while (place_ < bytes_.size() && bytes_[place_] != std::byte{0xFF}) ++place_;
    while (place_ < bytes_.size() && bytes_[place_] == std::byte{0xFF}) ++place_;
    if (place_ >= bytes_.size()) return false;
    const auto code = std::to_integer<std::uint8_t>(bytes_[place_++]);
    if (code == 0) continue;
    marker = {.code = code, .begin = place_ - 2, .end = place_};
    const bool alone = code == 0x01 || (code >= jpeg_code::restart && code <= jpeg_code::end_of_image);
    if (alone) return true;
    if (bytes_.size() - place_ < 2) return false;
    const std::size_t length = big_endian_16(bytes_, place_);
    if (length < 2 || length > bytes_.size() - place_) return false;
    marker.payload = bytes_.subspan(place_ + 2, length - 2);
    marker.end = place_ += length;
    return true;
  }
}

JESSL_INLINE JPEGLayout read_jpeg_layout(std::span<const std::byte> bytes) {
  JPEGLayout layout;
  JPEGMarkers markers(bytes);
  JPEGMarker marker;
  bool odd = false;
  int frames = 0;
  while (markers.next(marker)) {
    const std::span<const std::byte> payload = marker.payload;
    if (is_start_of_frame(marker.code) && ++frames == 1) {
      if (payload.size() < 6) break;
      layout.height = big_endian_16(payload, 1);
      layout.width = big_endian_16(payload, 3);
      layout.components = static_cast<int>(byte_at(payload, 5));
      odd = payload.size() != 6 + 3 * static_cast<std::size_t>(layout.components) || layout.components > 4;
      layout.sequential =
          (marker.code == jpeg_code::baseline || marker.code == jpeg_code::extended) && byte_at(payload, 0) == 8;
      int smallest_horizontal = 15;
      int smallest_vertical = 15;
      for (std::size_t at = 7; at < payload.size() && !odd; at += 3) {
        const auto horizontal = static_cast<int>(byte_at(payload, at) >> 4U);
        const auto vertical = static_cast<int>(byte_at(payload, at) & 15U);
        odd = horizontal < 1 || horizontal > 4 || vertical < 1 || vertical > 4;
        layout.max_horizontal = std::max(layout.max_horizontal, horizontal);
        layout.max_vertical = std::max(layout.max_vertical, vertical);
        smallest_horizontal = std::min(smallest_horizontal, horizontal);
        smallest_vertical = std::min(smallest_vertical, vertical);
      }
      layout.subsampled = smallest_horizontal < layout.max_horizontal || smallest_vertical < layout.max_vertical;
      const int largest = std::max(layout.max_horizontal, layout.max_vertical);
      layout.regular = !odd && largest <= (layout.components == 1 ? 1 : 2);
    } else if (marker.code == jpeg_code::restart_interval && payload.size() == 2) {
      layout.restart_interval = big_endian_16(payload, 0);
    } else if (marker.code == jpeg_code::start_of_scan) {
      const bool sound = frames == 1 && !odd && !payload.empty() &&
                         payload.size() == 4 + 2 * static_cast<std::size_t>(byte_at(payload, 0));
      layout.one_scan = sound && static_cast<int>(byte_at(payload, 0)) == layout.components;
      layout.scan = sound ? marker.end : 0;
      break;
    } else if (marker.code == jpeg_code::start_of_image || marker.code == jpeg_code::end_of_image) {
      break;  // a thumbnail's, or nothing follows: no scan
    }
  }
  JESSL_CHECK(layout.width >= 1 && layout.height >= 1 && layout.components >= 1, DataError,
              "jessl::data::peek: a JPEG of ", bytes.size(),
              " bytes whose header gives no size; it is damaged or cut off");
  return layout;
}

JESSL_INLINE std::size_t find_marker(std::span<const std::byte> bytes, std::size_t place) {
  const auto* const data = reinterpret_cast<const std::uint8_t*>(bytes.data());
  for (; place + 1 < bytes.size(); ++place) {
    const void* const next = std::memchr(data + place, 0xFF, bytes.size() - 1 - place);
    if (next == nullptr) break;
    place = static_cast<std::size_t>(static_cast<const std::uint8_t*>(next) - data);
    if (data[place + 1] != 0 && data[place + 1] != 0xFF) return place;  // 00 is a stuffed byte, FF a filler
  }
  return bytes.size();
}

JESSL_INLINE bool find_segments(std::span<const std::byte> bytes, const JPEGLayout& layout,
                                std::vector<Offset>& markers) {
  const auto expected = static_cast<std::size_t>(layout.segment_columns() * layout.unit_rows());
  // Each segment has two bytes of marker at least, so that no header makes us reserve more than the file's own size.
  if (bytes.size() >= std::size_t{1} << 32U || expected > bytes.size()) return false;
  markers.resize(expected + 1);
  markers[0] = static_cast<Offset>(layout.scan - 2);
  std::size_t place = layout.scan;
  for (std::size_t segment = 1;; ++segment) {
    place = find_marker(bytes, place);
    if (place == bytes.size()) return false;
    const unsigned code = byte_at(bytes, place + 1);
    markers[segment] = static_cast<Offset>(place);
    place += 2;
    if (segment == expected) return code == jpeg_code::end_of_image;
    if (code != jpeg_code::restart + (segment - 1) % 8) return false;
  }
}

JESSL_INLINE Region pixels_of(const JPEGLayout& layout, const SegmentRange& range) {
  const std::int64_t columns = layout.restart_interval * layout.unit_width();
  const std::int64_t top = range.first_row * layout.unit_height();
  const std::int64_t left = range.first_column * columns;
  return {top, left, std::min(layout.height, range.last_row * layout.unit_height()) - top,
          std::min(layout.width, range.last_column * columns) - left};
}

JESSL_INLINE SegmentRange covering(const JPEGLayout& layout, const Region& box, std::int64_t shrink) {
  // Upsampling mixes in the neighbours, and knows none beyond the border of what it is given. A pixel of the shrunk image
  // that the box touches is needed whole.
  const std::int64_t margin = layout.subsampled ? shrink : 0;
  const std::int64_t columns = layout.restart_interval * layout.unit_width();
  const std::int64_t rows = layout.unit_height();
  const auto before = [&](std::int64_t first) { return std::max<std::int64_t>(0, first / shrink * shrink - margin); };
  const auto after = [&](std::int64_t last, std::int64_t extent) {
    return std::min(extent, (last + shrink - 1) / shrink * shrink + margin);
  };
  SegmentRange range{.first_row = before(box.top) / rows,
                     .last_row = (after(box.bottom(), layout.height) + rows - 1) / rows,
                     .first_column = before(box.left) / columns,
                     .last_column = (after(box.right(), layout.width) + columns - 1) / columns};
  if (range.first_column > 0 && pixels_of(layout, range).width < shrink * least_width(layout)) --range.first_column;
  return range;
}

JESSL_INLINE std::span<const std::byte> assemble(std::span<const std::byte> bytes, const JPEGLayout& layout,
                                                 std::span<const Offset> markers, const SegmentRange& range,
                                                 std::vector<std::byte>& file) {
  constexpr std::size_t added = 2 + 6 + 2;  // FF D8, restart interval, FF D9
  if (file.size() < bytes.size() + added) file.resize(bytes.size() + added);
  std::size_t size = 0;
  const auto append = [&](std::span<const std::byte> part) {
    std::copy(part.begin(), part.end(), file.begin() + static_cast<std::ptrdiff_t>(size));
    size += part.size();
  };
  const auto append_marker = [&](unsigned code) { append(std::array{std::byte{0xFF}, static_cast<std::byte>(code)}); };
  const auto put_16 = [&](std::size_t place, std::int64_t value) {
    file[place] = static_cast<std::byte>(value >> 8U);
    file[place + 1] = static_cast<std::byte>(value & 0xFF);
  };

  append_marker(jpeg_code::start_of_image);
  JPEGMarkers header(bytes);
  JPEGMarker marker;
  const Region part = pixels_of(layout, range);
  while (header.next(marker)) {
    const bool names_colours = marker.code == jpeg_code::application || marker.code == jpeg_code::adobe;
    const bool is_table = marker.code == jpeg_code::quantization_tables || marker.code == jpeg_code::huffman_tables;
    const bool starts = is_start_of_frame(marker.code) || marker.code == jpeg_code::start_of_scan;
    if (!names_colours && !is_table && !starts) continue;
    if (marker.code == jpeg_code::start_of_scan) {
      append_marker(jpeg_code::restart_interval);
      size += 4;
      put_16(size - 4, 4);
      put_16(size - 2, layout.restart_interval);
    }
    append(bytes.subspan(marker.begin, marker.end - marker.begin));
    if (is_start_of_frame(marker.code)) {
      const std::size_t extents = size - marker.payload.size() + 1;
      put_16(extents, part.height);
      put_16(extents + 2, part.width);
    }
    if (marker.code == jpeg_code::start_of_scan) break;
  }

  const std::int64_t columns = layout.segment_columns();
  unsigned restarts = 0;
  for (std::int64_t row = range.first_row; row < range.last_row; ++row) {
    if (row != range.first_row) append_marker(jpeg_code::restart + restarts++ % 8);
    const auto first = static_cast<std::size_t>(row * columns + range.first_column);
    const auto last = static_cast<std::size_t>(row * columns + range.last_column);
    const std::size_t begin = markers[first] + 2;
    const std::size_t target = size;
    append(bytes.subspan(begin, markers[last] - begin));
    for (std::size_t inner = first + 1; inner < last; ++inner)
      file[target + (markers[inner] - begin) + 1] = static_cast<std::byte>(jpeg_code::restart + restarts++ % 8);
  }
  append_marker(jpeg_code::end_of_image);
  return std::span<const std::byte>(file).first(size);
}

}  // namespace jessl::data::detail

#endif  // JESSL_DEFINITIONS
