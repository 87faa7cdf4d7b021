// SPDX-License-Identifier: Apache-2.0
// TensorBoard's event files: records with checksums, of messages in the encoding of Protocol Buffers.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

#include <jessl/core/detail/separate.hpp>
#include <jessl/data/detail/little_endian.hpp>

namespace jessl::train::detail {

/// The cyclic redundancy check with Castagnoli's polynomial: RFC 3720, appendix B.4.
[[nodiscard]] std::uint32_t crc32c(std::string_view bytes);

/// As record files store it, so that the check of data that hold checks stays one.
[[nodiscard]] constexpr std::uint32_t masked(std::uint32_t crc) { return std::rotr(crc, 15) + 0xa282ead8U; }

/// A message of Protocol Buffers that is written field by field.
class Message {
 public:
  Message& whole(std::uint32_t field, std::uint64_t value);
  Message& float64(std::uint32_t field, double value);
  Message& float32(std::uint32_t field, float value);
  Message& bytes(std::uint32_t field, std::string_view value);
  Message& message(std::uint32_t field, const Message& value) { return bytes(field, value.encoded_); }

  [[nodiscard]] const std::string& encoded() const { return encoded_; }

 private:
  void varint(std::uint64_t value);

  std::string encoded_{};
};

/// Reads the fields of a message one after another.
class Fields {
 public:
  explicit Fields(std::string_view message) : rest_(message) {}

  /// Goes on to the next field; false at the end of the message, or where it is damaged.
  [[nodiscard]] bool next();

  [[nodiscard]] std::uint32_t field() const { return field_; }
  [[nodiscard]] std::uint64_t whole() const { return whole_; }           // of the last field, if it is a whole number
  [[nodiscard]] std::string_view bytes() const { return bytes_; }        // if it is a text or a message
  [[nodiscard]] std::optional<float> float32() const { return float_; }  // if it has 32 bits

 private:
  [[nodiscard]] bool varint(std::uint64_t& value);
  [[nodiscard]] bool take(std::size_t size);

  std::string_view rest_;
  std::uint32_t field_ = 0;
  std::uint64_t whole_ = 0;
  std::string_view bytes_{};
  std::optional<float> float_{};
};

/// A record as it stands in the file: how long it is, the check of that, the bytes, and their check.
[[nodiscard]] std::string event_record(std::string_view bytes);

/// Reads the records of a file up to the first that a crash has cut short or that is damaged.
class EventReader {
 public:
  explicit EventReader(const std::filesystem::path& path);

  [[nodiscard]] bool is_open() const { return file_.is_open(); }

  /// The next record; false where there is none.
  [[nodiscard]] bool next(std::string& bytes);

 private:
  std::ifstream file_;
  std::uint64_t left_ = 0;
};

#if JESSL_DEFINITIONS

JESSL_INLINE std::uint32_t crc32c(std::string_view bytes) {
  static const std::array<std::uint32_t, 256> table = [] {
    std::array<std::uint32_t, 256> made{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      std::uint32_t value = i;
      for (int bit = 0; bit < 8; ++bit) value = (value >> 1U) ^ ((value & 1U) != 0 ? 0x82f63b78U : 0U);
      made[i] = value;
    }
    return made;
  }();
  std::uint32_t crc = 0xffffffffU;
  for (const char c : bytes) crc = table[(crc ^ static_cast<unsigned char>(c)) & 0xffU] ^ (crc >> 8U);
  return ~crc;
}

template <class T>
[[nodiscard]] std::string little_endian(T value) {
  std::array<std::byte, sizeof value> bytes{};
  data::detail::store(bytes.data(), value);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// What little_endian() wrote.
template <class T>
[[nodiscard]] T from_little_endian(std::string_view bytes) {
  return data::detail::load<T>(std::as_bytes(std::span(bytes)).data());
}

JESSL_INLINE void Message::varint(std::uint64_t value) {
  for (; value >= 0x80; value >>= 7U) encoded_ += static_cast<char>((value & 0x7fU) | 0x80U);
  encoded_ += static_cast<char>(value);
}

JESSL_INLINE Message& Message::whole(std::uint32_t field, std::uint64_t value) {
  varint(std::uint64_t{field} << 3U);
  varint(value);
  return *this;
}

JESSL_INLINE Message& Message::float64(std::uint32_t field, double value) {
  varint(std::uint64_t{field} << 3U | 1U);
  encoded_ += little_endian(std::bit_cast<std::uint64_t>(value));
  return *this;
}

JESSL_INLINE Message& Message::float32(std::uint32_t field, float value) {
  varint(std::uint64_t{field} << 3U | 5U);
  encoded_ += little_endian(std::bit_cast<std::uint32_t>(value));
  return *this;
}

JESSL_INLINE Message& Message::bytes(std::uint32_t field, std::string_view value) {
  varint(std::uint64_t{field} << 3U | 2U);
  varint(value.size());
  encoded_ += value;
  return *this;
}

JESSL_INLINE bool Fields::varint(std::uint64_t& value) {
  value = 0;
  for (std::uint32_t shift = 0; shift < 64; shift += 7) {
    if (rest_.empty()) return false;
    const auto byte = static_cast<unsigned char>(rest_.front());
    rest_.remove_prefix(1);
    value |= static_cast<std::uint64_t>(byte & 0x7fU) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

JESSL_INLINE bool Fields::take(std::size_t size) {
  if (rest_.size() < size) return false;
  bytes_ = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return true;
}

JESSL_INLINE bool Fields::next() {
  bytes_ = {};
  whole_ = 0;
  float_.reset();
  std::uint64_t key = 0;
  if (!varint(key)) return false;
  field_ = static_cast<std::uint32_t>(key >> 3U);
  switch (key & 7U) {
    case 0:
      return varint(whole_);
    case 1:
      return take(sizeof(double));
    case 2: {
      std::uint64_t size = 0;
      return varint(size) && take(size);
    }
    case 5:
      if (!take(sizeof(float))) return false;
      float_ = std::bit_cast<float>(from_little_endian<std::uint32_t>(bytes_));
      return true;
    default:
      return false;
  }
}

JESSL_INLINE std::string event_record(std::string_view bytes) {
  const std::string length = little_endian(std::uint64_t{bytes.size()});
  std::string record = length + little_endian(masked(crc32c(length)));
  record += bytes;
  return record + little_endian(masked(crc32c(bytes)));
}

JESSL_INLINE EventReader::EventReader(const std::filesystem::path& path) : file_(path, std::ios::binary) {
  std::error_code failure;
  const auto size = std::filesystem::file_size(path, failure);
  if (!failure) left_ = size;
}

JESSL_INLINE bool EventReader::next(std::string& bytes) {
  constexpr std::uint64_t head = 12;
  constexpr std::uint64_t tail = 4;
  if (left_ < head + tail) return false;
  bytes.resize(head);
  if (!file_.read(bytes.data(), head)) return false;
  const auto length = from_little_endian<std::uint64_t>(bytes);
  const auto check_of_length = from_little_endian<std::uint32_t>(std::string_view(bytes).substr(8));
  if (check_of_length != masked(crc32c(std::string_view(bytes).substr(0, 8))) || length > left_ - head - tail)
    return false;
  bytes.resize(length + tail);
  if (!file_.read(bytes.data(), static_cast<std::streamsize>(bytes.size()))) return false;
  const auto check = from_little_endian<std::uint32_t>(std::string_view(bytes).substr(length));
  bytes.resize(length);
  left_ -= head + length + tail;
  return check == masked(crc32c(bytes));
}

#endif  // JESSL_DEFINITIONS

}  // namespace jessl::train::detail
