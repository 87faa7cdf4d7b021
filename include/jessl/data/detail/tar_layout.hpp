// SPDX-License-Identifier: Apache-2.0
// Where things stand in a tar file: a member's header, its numbers, and pax records.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <jessl/core/detail/separate.hpp>

namespace jessl::data::detail {

// A tar file is blocks of 512 bytes: for each member a header, then its bytes, filled up with zeros to a whole block.
// Two blocks of zeros end it. Numbers are octal texts, or big-endian where their first bit is set. A member of a type of
// its own may precede another and say more about it: a long name (GNU), or records of key and value (pax).

inline constexpr std::uint64_t tar_block = 512;

/// A part of a header.
struct TarField {
  std::size_t offset;
  std::size_t size;
};

inline constexpr TarField tar_name{0, 100};
inline constexpr TarField tar_mode{100, 8};
inline constexpr TarField tar_owner{108, 8};
inline constexpr TarField tar_group{116, 8};
inline constexpr TarField tar_size{124, 12};
inline constexpr TarField tar_time{136, 12};
inline constexpr TarField tar_checksum{148, 8};
inline constexpr std::size_t tar_type = 156;
inline constexpr TarField tar_magic{257, 8};  // with the version
inline constexpr TarField tar_prefix{345, 155};

/// What a member is, by the letter in its header.
namespace tar_type_of {
inline constexpr char file = '0';
inline constexpr char old_file = '\0';
inline constexpr char contiguous_file = '7';
inline constexpr char folder = '5';
inline constexpr char gnu_folder = 'D';  // with a listing as its bytes
inline constexpr char gnu_long_name = 'L';
inline constexpr char gnu_long_link = 'K';
inline constexpr char gnu_volume = 'V';
inline constexpr char gnu_sparse = 'S';
inline constexpr char gnu_continued = 'M';  // begun in another file
inline constexpr char pax = 'x';
inline constexpr char pax_old = 'X';  // Solaris
inline constexpr char pax_global = 'g';
}  // namespace tar_type_of

/// A block of a tar file that is there in full.
class TarHeader {
 public:
  explicit TarHeader(std::span<const std::byte> block) : block_(block.first(tar_block)) {}

  [[nodiscard]] bool is_zero() const {
    return std::all_of(block_.begin(), block_.end(), [](std::byte byte) { return byte == std::byte{0}; });
  }

  [[nodiscard]] char type() const { return static_cast<char>(block_[tar_type]); }

  /// The member's path. Only POSIX's own headers have a prefix: GNU's keep other things there, and old ones nothing.
  [[nodiscard]] std::string name() const;

  /// The number of bytes that follow; nothing where that is no number.
  [[nodiscard]] std::optional<std::uint64_t> size() const { return number(tar_size); }

  /// What the header says to be the sum of its bytes; nothing where that is no number.
  [[nodiscard]] std::optional<std::uint64_t> stored_sum() const { return number(tar_checksum); }

  /// The sum of its bytes, those of the checksum as blanks.
  [[nodiscard]] std::uint64_t sum() const;

  /// The same of signed bytes, as some old programs have it; negative where it is.
  [[nodiscard]] std::int64_t signed_sum() const;

  /// Whether it says its own sum.
  [[nodiscard]] bool sum_is_right() const {
    const std::optional<std::uint64_t> stored = stored_sum();
    return stored &&
           (*stored == sum() || (*stored <= 128 * tar_block && static_cast<std::int64_t>(*stored) == signed_sum()));
  }

 private:
  [[nodiscard]] static bool is_checksum(std::size_t i) {
    return i >= tar_checksum.offset && i < tar_checksum.offset + tar_checksum.size;
  }

  [[nodiscard]] std::string_view raw(TarField field) const {
    return {reinterpret_cast<const char*>(block_.data()) + field.offset, field.size};
  }

  [[nodiscard]] std::string_view text(TarField field) const {
    const std::string_view all = raw(field);
    return all.substr(0, all.find('\0'));
  }

  [[nodiscard]] std::optional<std::uint64_t> number(TarField field) const;

  std::span<const std::byte> block_;
};

/// A record of a pax header: "<length> <key>=<value>\n", whose length counts all of it.
struct PaxRecord {
  std::string_view key{};
  std::string_view value{};
  std::size_t length = 0;
};

/// The record at the beginning of `text`; nothing where there is none.
[[nodiscard]] std::optional<PaxRecord> read_pax_record(std::string_view text);

/// The name of a compressed format that a file begins like, or "".
[[nodiscard]] std::string_view compression_of(std::span<const std::byte> begin);

}  // namespace jessl::data::detail

#if JESSL_DEFINITIONS

namespace jessl::data::detail {

JESSL_INLINE std::string TarHeader::name() const {
  std::string path(text(tar_name));
  const std::string_view prefix = text(tar_prefix);
  if (!prefix.empty() && raw(tar_magic).substr(0, 6) == std::string_view("ustar\0", 6)) {
    path = std::string(prefix) + "/" + path;
  }
  return path;
}

JESSL_INLINE std::uint64_t TarHeader::sum() const {
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < tar_block; ++i) {
    total += is_checksum(i) ? std::uint64_t{' '} : std::to_integer<std::uint64_t>(block_[i]);
  }
  return total;
}

JESSL_INLINE std::int64_t TarHeader::signed_sum() const {
  std::int64_t total = 0;
  for (std::size_t i = 0; i < tar_block; ++i) {
    total += is_checksum(i) ? std::int64_t{' '} : std::int64_t{static_cast<std::int8_t>(block_[i])};
  }
  return total;
}

JESSL_INLINE std::optional<std::uint64_t> TarHeader::number(TarField field) const {
  const std::string_view all = raw(field);
  const auto first = static_cast<unsigned char>(all[0]);
  if ((first & 0x80U) != 0) {
    if (first != 0x80U) return std::nullopt;  // negative, or of more bits than anything has
    std::uint64_t value = 0;
    for (const char c : all.substr(1)) {
      if (value >> 55U != 0) return std::nullopt;  // what may be added to stays below 2^63
      value = value << 8U | static_cast<unsigned char>(c);
    }
    return value;
  }
  const std::size_t begin = std::min(all.find_first_not_of(' '), all.size());
  const std::size_t end = std::min(all.find_first_of(std::string_view(" \0", 2), begin), all.size());
  std::uint64_t value = 0;  // at most 12 digits of 3 bits
  const auto [stop, error] = std::from_chars(all.data() + begin, all.data() + end, value, 8);
  if (error != std::errc() || stop != all.data() + end) return std::nullopt;
  return value;
}

JESSL_INLINE std::optional<PaxRecord> read_pax_record(std::string_view text) {
  std::size_t length = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), length);
  const auto digits = static_cast<std::size_t>(stop - text.data());
  if (error != std::errc() || length > text.size() || length < digits + 3) return std::nullopt;  // " =\n"
  if (text[digits] != ' ' || text[length - 1] != '\n') return std::nullopt;
  const std::string_view pair = text.substr(digits + 1, length - digits - 2);
  const std::size_t equals = pair.find('=');
  if (equals == std::string_view::npos || equals == 0) return std::nullopt;
  return PaxRecord{pair.substr(0, equals), pair.substr(equals + 1), length};
}

JESSL_INLINE std::string_view compression_of(std::span<const std::byte> begin) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 4> known{{{"\x1f\x8b", "gzip"},
                                                                                {"BZh", "bzip2"},
                                                                                {"\xfd"
                                                                                 "7zXZ",
                                                                                 "xz"},
                                                                                {"\x28\xb5\x2f\xfd", "zstd"}}};
  for (const auto& [magic, format] : known) {
    if (begin.size() >= magic.size() && std::memcmp(begin.data(), magic.data(), magic.size()) == 0) return format;
  }
  return "";
}

}  // namespace jessl::data::detail

#endif  // JESSL_DEFINITIONS
