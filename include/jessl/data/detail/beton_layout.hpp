// SPDX-License-Identifier: Apache-2.0
// Where things stand in a .beton file: what its reader and its writer agree on.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <jessl/core/detail/separate.hpp>
#include <jessl/data/beton_field.hpp>

namespace jessl::data::detail {

// The file is a header, a descriptor a field, a record a sample, zeros up to a page, pages of values, and a table of
// those values that runs to the end of the file. All numbers are little-endian; nothing is aligned, compressed or
// protected by a checksum. Numbers read from a file stay unsigned until they are known to fit.

inline constexpr std::uint16_t beton_version = 2;
inline constexpr std::uint64_t beton_header = 24;        // u16 version, u16 fields, u32 page, u64 samples, u64 table
inline constexpr std::uint64_t beton_descriptor = 1041;  // u8 type, char[16] name, u8[1024] arguments
inline constexpr std::size_t beton_name = 16;
inline constexpr std::size_t beton_name_at = 1;
inline constexpr std::size_t beton_arguments_at = 17;
inline constexpr std::size_t beton_axes = 32;                        // u64[32] shape, in the arguments of an array
inline constexpr std::size_t beton_dtype_at = 8 * (beton_axes + 1);  // after the shape and the length of the text
inline constexpr std::size_t beton_dtype_most = 1024 - beton_dtype_at;
inline constexpr std::uint64_t beton_allocation = 24;  // u64 sample, u64 pointer, u64 size

enum class BetonType : std::uint8_t { real = 0, integer = 1, image = 2, bytes = 3, array = 4, json = 5, tensor = 6 };

/// A type of field: its number in the file, its name, and what its column in a record takes.
struct BetonKind {
  BetonType type;
  std::string_view name;
  std::uint64_t column;     // bytes
  std::uint64_t alignment;  // bytes; 1 for images, bytes and JSON, although they hold pointers
};

inline constexpr std::array<BetonKind, 7> beton_kinds{{{BetonType::real, "float", 8, 8},
                                                       {BetonType::integer, "int", 8, 8},
                                                       {BetonType::image, "image", 13, 1},
                                                       {BetonType::bytes, "bytes", 16, 1},
                                                       {BetonType::array, "array", 8, 8},
                                                       {BetonType::json, "json", 16, 1},
                                                       {BetonType::tensor, "tensor", 8, 8}}};

[[nodiscard]] inline const BetonKind* find_beton_kind(std::string_view name) {
  const auto* const found =
      std::find_if(beton_kinds.begin(), beton_kinds.end(), [name](const BetonKind& kind) { return kind.name == name; });
  return found == beton_kinds.end() ? nullptr : found;
}

[[nodiscard]] inline bool is_array(BetonType type) { return type == BetonType::array || type == BetonType::tensor; }

/// Whether values of this type lie in the pages; numbers stand in the record itself.
[[nodiscard]] inline bool is_stored(BetonType type) { return type != BetonType::real && type != BetonType::integer; }

/// A field as it lies in a record.
struct BetonColumn {
  BetonType type = BetonType::integer;
  std::uint64_t offset = 0;       // in the record
  std::uint64_t array_bytes = 0;  // of arrays and tensors: the size of a value
};

/// The smallest multiple of `unit`, a power of two, that is not below `number`.
[[nodiscard]] constexpr std::uint64_t round_up(std::uint64_t number, std::uint64_t unit) {
  return (number + unit - 1) & ~(unit - 1);
}

/// Gives the columns their offsets, as a C struct has its members; returns the size of a record.
[[nodiscard]] std::uint64_t lay_out(std::span<BetonColumn> columns);

/// The bytes of an element of numpy's type `dtype` ("<f4", "|S5", ">i2"); nothing where it is not understood.
[[nodiscard]] std::optional<std::uint64_t> dtype_bytes(std::string_view dtype);

/// The bytes of an array; nothing where an extent is below 1 or they would be more than `most`.
[[nodiscard]] std::optional<std::uint64_t> array_bytes(std::span<const std::uint64_t> shape, std::uint64_t item,
                                                       std::uint64_t most);

}  // namespace jessl::data::detail

#if JESSL_DEFINITIONS

namespace jessl::data::detail {

JESSL_INLINE std::uint64_t lay_out(std::span<BetonColumn> columns) {
  std::uint64_t end = 0;
  std::uint64_t alignment = 1;
  for (BetonColumn& column : columns) {
    const BetonKind& kind = beton_kinds[static_cast<std::size_t>(column.type)];
    column.offset = round_up(end, kind.alignment);
    end = column.offset + kind.column;
    alignment = std::max(alignment, kind.alignment);
  }
  return round_up(end, alignment);
}

JESSL_INLINE std::optional<std::uint64_t> dtype_bytes(std::string_view dtype) {
  if (dtype.size() < 3 || std::string_view("<>|").find(dtype[0]) == std::string_view::npos) return std::nullopt;
  std::uint64_t size = 0;
  const char* const end = dtype.data() + dtype.size();
  const auto [stop, error] = std::from_chars(dtype.data() + 2, end, size);
  if (error != std::errc() || stop != end || size == 0 || size > UINT32_MAX) return std::nullopt;
  const auto one_of = [size](std::initializer_list<std::uint64_t> sizes) {
    return std::find(sizes.begin(), sizes.end(), size) == sizes.end() ? std::nullopt : std::optional(size);
  };
  switch (dtype[1]) {
    case 'b':
      return one_of({1});
    case 'i':
    case 'u':
      return one_of({1, 2, 4, 8});
    case 'f':
      return one_of({2, 4, 8, 16});
    case 'c':
      return one_of({8, 16, 32});
    case 'S':
      return size;
    case 'U':
      return 4 * size;  // UTF-32
    default:
      return std::nullopt;
  }
}

JESSL_INLINE std::optional<std::uint64_t> array_bytes(std::span<const std::uint64_t> shape, std::uint64_t item,
                                                      std::uint64_t most) {
  std::uint64_t total = item;
  for (const std::uint64_t extent : shape) {
    if (extent == 0 || total > most / extent) return std::nullopt;
    total *= extent;
  }
  return total > most ? std::nullopt : std::optional(total);
}

}  // namespace jessl::data::detail

#endif  // JESSL_DEFINITIONS
