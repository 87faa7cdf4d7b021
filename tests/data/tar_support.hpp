// SPDX-License-Identifier: Apache-2.0
// Tar files byte by byte, also such as no program writes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "data/support.hpp"

namespace data_test {

/// What a member's header says beside its name.
struct TarKind {
  char type = '0';
  std::string magic = std::string(
      "ustar\0"
      "00",
      8);
  std::string prefix{};
  std::optional<std::uint64_t> size{};  ///< where it is not that of the content
  bool binary_size = false;             ///< as a number of 95 bits, as GNU tar writes those that need it
  bool signed_sum = false;
};

inline const std::string gnu_magic("ustar  \0", 8);

inline std::string as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Puts the right checksum into a header of 512 bytes.
inline void sign_tar_header(char* header, bool signed_sum = false) {
  std::fill_n(header + 148, 8, ' ');
  std::int64_t sum = 0;
  for (int i = 0; i < 512; ++i) {
    sum += signed_sum ? std::int64_t{static_cast<signed char>(header[i])}
                      : std::int64_t{static_cast<unsigned char>(header[i])};
  }
  std::snprintf(header + 148, 8, "%06o", static_cast<unsigned>(sum));
}

inline std::string tar_header(const std::string& name, std::uint64_t size, const TarKind& kind = {}) {
  std::string header(512, '\0');
  const auto put = [&header](std::size_t offset, std::string_view text) { header.replace(offset, text.size(), text); };
  put(0, name.substr(0, 100));
  put(100, std::string("0000644\0"
                       "0000000\0"
                       "0000000\0",
                       24));
  if (kind.binary_size) {
    header[124] = '\x80';
    for (std::size_t i = 0; i < 8; ++i) header[135 - i] = static_cast<char>(size >> (8 * i));
  } else {
    std::snprintf(header.data() + 124, 12, "%011llo", static_cast<unsigned long long>(size));
  }
  put(136, std::string("00000000000\0", 12));
  header[156] = kind.type;
  put(257, kind.magic);
  put(345, kind.prefix);
  sign_tar_header(header.data(), kind.signed_sum);
  return header;
}

inline std::string tar_member(const std::string& name, const std::string& content, const TarKind& kind = {}) {
  std::string member = tar_header(name, kind.size.value_or(content.size()), kind) + content;
  member.resize((member.size() + 511) / 512 * 512, '\0');
  return member;
}

inline std::string tar_member(const std::string& name, std::span<const std::byte> content, const TarKind& kind = {}) {
  return tar_member(name, as_text(content), kind);
}

/// A member of GNU tar's that gives the next one a name of any length.
inline std::string tar_long_name(const std::string& name, char type = 'L') {
  return tar_member("././@LongLink", name + '\0', {.type = type, .magic = gnu_magic});
}

inline std::string pax_record(const std::string& key, const std::string& value) {
  const std::size_t rest = key.size() + value.size() + 3;
  std::size_t length = rest + 1;
  while (std::to_string(length).size() + rest != length) length = std::to_string(length).size() + rest;
  return std::to_string(length) + " " + key + "=" + value + "\n";
}

inline std::string pax_header(const std::string& records, char type = 'x') {
  return tar_member("PaxHeaders/x", records, {.type = type});
}

inline std::string tar_end() { return std::string(1024, '\0'); }

/// A sample of a picture and its class.
inline std::string tar_sample(const std::string& key, std::int64_t number, std::int64_t label) {
  return tar_member(key + ".png", to_png(picture(4, 3, 3, number))) + tar_member(key + ".cls", std::to_string(label));
}

}  // namespace data_test
