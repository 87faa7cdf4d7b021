// SPDX-License-Identifier: Apache-2.0
// What a JPEG file says of itself before its first pixel.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

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
[[nodiscard]] inline std::optional<JPEGHeader> read_jpeg_header(std::span<const std::byte> bytes) {
  const auto at = [bytes](std::size_t i) { return std::to_integer<unsigned>(bytes[i]); };
  const std::size_t size = bytes.size();
  if (size < 4 || at(0) != 0xFF || at(1) != 0xD8) return std::nullopt;
  std::size_t place = 2;
  for (;;) {
    while (place < size && at(place) != 0xFF) ++place;  // as libjpeg, which passes over what lies between segments
    while (place < size && at(place) == 0xFF) ++place;
    if (place >= size) return std::nullopt;
    const unsigned marker = at(place++);
    if (marker == 0x00 || marker == 0x01 || (marker >= 0xD0 && marker <= 0xD8)) continue;  // no segment follows
    if (marker == 0xD9 || marker == 0xDA || size - place < 2) return std::nullopt;         // the image before its frame
    const std::size_t length = at(place) << 8U | at(place + 1);
    if (length < 2 || length > size - place) return std::nullopt;
    const bool is_frame = marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
    if (is_frame) {
      if (length < 8) return std::nullopt;
      const auto number = [&at](std::size_t i) { return static_cast<std::int64_t>(at(i) << 8U | at(i + 1)); };
      return JPEGHeader{.width = number(place + 5),
                        .height = number(place + 3),
                        .components = at(place + 7),
                        .bits = at(place + 2),
                        .process = static_cast<std::uint8_t>(marker)};
    }
    place += length;
  }
}

/// Whether ffcv decodes such a file to the right pixels; of CMYK it silently makes wrong ones.
[[nodiscard]] inline bool ffcv_decodes(const JPEGHeader& header) {
  return (header.components == 1 || header.components == 3) && header.bits == 8 && header.process <= 0xC2;
}

}  // namespace jessl::data::detail
