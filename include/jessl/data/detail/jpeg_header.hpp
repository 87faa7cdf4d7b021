// SPDX-License-Identifier: Apache-2.0
// What a JPEG file says of itself before its first pixel.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include <jessl/core/detail/separate.hpp>
#include <jessl/data/detail/jpeg_layout.hpp>

namespace jessl::data::detail {

/// The frame header of a JPEG file.
struct JPEGHeader {
  std::int64_t width = 0;
  std::int64_t height = 0;
  std::int64_t components = 0;  // 1 grey, 3 colours, 4 inks
  std::int64_t bits = 0;        // of a sample
  std::uint8_t process = 0;     // the frame's marker: C0 baseline, C1 extended, C2 progressive, others rare
};

/// The frame header, found by walking the segments; nothing where there is none.
[[nodiscard]] std::optional<JPEGHeader> read_jpeg_header(std::span<const std::byte> bytes);

/// Whether ffcv decodes such a file to the right pixels; of CMYK it silently makes wrong ones.
[[nodiscard]] inline bool ffcv_decodes(const JPEGHeader& header) {
  return (header.components == 1 || header.components == 3) && header.bits == 8 &&
         header.process <= jpeg_code::progressive;
}

}  // namespace jessl::data::detail

#if JESSL_DEFINITIONS

namespace jessl::data::detail {

JESSL_INLINE std::optional<JPEGHeader> read_jpeg_header(std::span<const std::byte> bytes) {
  if (bytes.size() < 4 || big_endian_16(bytes, 0) != 0xFFD8) return std::nullopt;
  JPEGMarkers markers(bytes);
  JPEGMarker marker;
  while (markers.next(marker)) {
    // The image before its frame.
    if (marker.code == jpeg_code::end_of_image || marker.code == jpeg_code::start_of_scan) return std::nullopt;
    if (!is_start_of_frame(marker.code)) continue;
    if (marker.payload.size() < 6) return std::nullopt;
    return JPEGHeader{.width = big_endian_16(marker.payload, 3),
                      .height = big_endian_16(marker.payload, 1),
                      .components = byte_at(marker.payload, 5),
                      .bits = byte_at(marker.payload, 0),
                      .process = marker.code};
  }
  return std::nullopt;
}

}  // namespace jessl::data::detail

#endif  // JESSL_DEFINITIONS
