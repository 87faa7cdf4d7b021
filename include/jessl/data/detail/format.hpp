// SPDX-License-Identifier: Apache-2.0
// What a stored image is, by its first bytes, and raw pixels where they lie.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/image.hpp>
#include <jessl/data/detail/channels.hpp>

namespace jessl::data::detail {

[[nodiscard]] inline bool starts_with(std::span<const std::byte> bytes, std::string_view magic) {
  return bytes.size() >= magic.size() && std::memcmp(bytes.data(), magic.data(), magic.size()) == 0;
}

/// The first bytes in hexadecimal, for messages.
[[nodiscard]] std::string first_bytes(std::span<const std::byte> bytes);

/// Whether a file is a JPEG or a PNG. The bytes decide, not what it is called: ImageNet has a PNG named .JPEG.
[[nodiscard]] ImageFormat format_of(std::span<const std::byte> bytes);

/// Raw pixels where they lie.
[[nodiscard]] ImageView view_raw(const EncodedImage& image);

}  // namespace jessl::data::detail

#if JESSL_DEFINITIONS

namespace jessl::data::detail {

JESSL_INLINE std::string first_bytes(std::span<const std::byte> bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const std::byte byte : bytes.first(std::min<std::size_t>(bytes.size(), 8))) {
    const auto value = std::to_integer<unsigned>(byte);
    text += {text.empty() ? '0' : ' ', digits[value >> 4U], digits[value & 15U]};
  }
  return text.empty() ? text : text.substr(1);
}

JESSL_INLINE ImageFormat format_of(std::span<const std::byte> bytes) {
  if (starts_with(bytes, "\xFF\xD8")) return ImageFormat::jpg;
  if (starts_with(bytes, "\x89PNG\r\n\x1A\n")) return ImageFormat::png;
  JESSL_CHECK(!bytes.empty(), DataError, "jessl::data::decode: the file is empty; expected a JPEG or PNG image");
  fail<DataError>("jessl::data::decode: neither a JPEG nor a PNG image: the first bytes are ", first_bytes(bytes),
                  ", expected ff d8 or 89 50 4e 47");
}

JESSL_INLINE ImageView view_raw(const EncodedImage& image) {
  check_image_size(image.width, image.height, "raw");
  const std::int64_t area = image.width * image.height;
  const auto size = static_cast<std::int64_t>(image.bytes.size());
  const std::int64_t channels = image.channels == 0 ? size / area : image.channels;
  JESSL_CHECK(channels == 1 || channels == 3, DataError, "jessl::data::decode: a raw image of ", image.width, " x ",
              image.height, " pixels in ", size, " bytes has ", channels, " channels, expected 1 or 3");
  JESSL_CHECK(size == area * channels, DataError, "jessl::data::decode: a raw image of ", image.width, " x ",
              image.height, " x ", channels, " has ", size, " bytes, expected ", area * channels);
  return {image.width,
          image.height,
          channels,
          {reinterpret_cast<const std::uint8_t*>(image.bytes.data()), image.bytes.size()}};
}

}  // namespace jessl::data::detail

#endif  // JESSL_DEFINITIONS
