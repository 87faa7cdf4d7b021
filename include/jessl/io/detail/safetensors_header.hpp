// SPDX-License-Identifier: Apache-2.0
// The header of a safetensors file, read and written without LibTorch: which tensors lie where.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/shape.hpp>
#include <jessl/io/detail/parse_json.hpp>

namespace jessl::io::safetensors {

static_assert(std::endian::native == std::endian::little,
              "jessl::io::safetensors stores what lies in memory: little-endian machines only");

/// Free texts beside the tensors, by name.
using Metadata = std::map<std::string, std::string>;

namespace detail {

inline constexpr std::string_view metadata_key = "__metadata__";
inline constexpr std::uint64_t max_header = 100'000'000;  // bytes; the limit of the reference implementation
inline constexpr std::uint64_t prefix_size = 8;           // bytes of the header's length, with which a file begins

/// The element types of the format that jessl has.
enum class Dtype : std::uint8_t { f64, f32, f16, bf16, i64, i32, i16, i8, u8, boolean };

struct DtypeFacts {
  Dtype dtype;
  std::string_view name;  // the format's
  std::uint64_t size;     // bytes of an element
};
inline constexpr std::array<DtypeFacts, 10> dtypes{{{Dtype::f64, "F64", 8},
                                                    {Dtype::f32, "F32", 4},
                                                    {Dtype::f16, "F16", 2},
                                                    {Dtype::bf16, "BF16", 2},
                                                    {Dtype::i64, "I64", 8},
                                                    {Dtype::i32, "I32", 4},
                                                    {Dtype::i16, "I16", 2},
                                                    {Dtype::i8, "I8", 1},
                                                    {Dtype::u8, "U8", 1},
                                                    {Dtype::boolean, "BOOL", 1}}};

[[nodiscard]] constexpr std::string_view name_of(Dtype dtype) {
  return std::find_if(dtypes.begin(), dtypes.end(), [&](const auto& facts) { return facts.dtype == dtype; })->name;
}

[[nodiscard]] std::string supported();

/// Where a tensor lies; offsets count from the end of the header.
struct Entry {
  std::string name;
  Dtype dtype = Dtype::f32;
  std::vector<std::int64_t> extents{};
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

/// A file's header, checked: the entries lie one behind the other, in this order, and fill the file.
struct Header {
  std::vector<Entry> entries;
  Metadata metadata;
  std::uint64_t data_offset = 0;  // in the file
};

/// The begin of a message about a place in a file.
[[nodiscard]] std::string place(std::string_view who, std::string_view path, std::uint64_t offset);

/// Reads the header of a file that somebody else may have written.
class HeaderReader {
 public:
  /// `who` and `path` name the reader and the file in messages.
  HeaderReader(std::string_view who, std::string path) : who_(who), path_(std::move(path)) {}

  /// `read_bytes(target, count, offset)` reads from a file of `file_size` bytes, or throws.
  template <class ReadBytes>
  [[nodiscard]] Header read(std::uint64_t file_size, const ReadBytes& read_bytes) const {
    JESSL_CHECK(file_size >= prefix_size, DataError, at(0), "has ", file_size,
                " bytes, expected at least the 8 of the header's length; is it truncated?");
    std::array<unsigned char, prefix_size> prefix{};
    read_bytes(prefix.data(), prefix.size(), std::uint64_t{0});
    const auto header_size = std::bit_cast<std::uint64_t>(prefix);
    JESSL_CHECK(header_size <= max_header, DataError, at(0), "gives its header ", header_size,
                " bytes, expected at most ", max_header, "; is it a safetensors file?");
    JESSL_CHECK(header_size <= file_size - prefix_size, DataError, at(0), "gives its header ", header_size,
                " bytes, but only ", file_size - prefix_size, " follow; is it truncated, or not a safetensors file?");
    std::string text(header_size, '\0');
    read_bytes(text.data(), text.size(), prefix_size);
    const Json json = parse(text);

    Header header;
    header.data_offset = prefix_size + header_size;
    for (const auto& [name, value] : json.items()) {
      if (name == metadata_key) {
        header.metadata = read_metadata(value);
      } else {
        header.entries.push_back(read_entry(name, value));
      }
    }
    check_layout(header, file_size);
    return header;
  }

 private:
  [[nodiscard]] std::string at(std::uint64_t offset) const { return place(who_, path_, offset); }

  [[nodiscard]] Json parse(const std::string& text) const;

  [[nodiscard]] Metadata read_metadata(const Json& value) const;

  [[nodiscard]] Entry read_entry(const std::string& name, const Json& value) const;

  /// The tensors lie one behind the other without gaps, from the end of the header to that of the file.
  void check_layout(Header& header, std::uint64_t file_size) const;

  std::string_view who_;
  std::string path_;
};

/// The text of a header with these entries, which must lie one behind the other. ConfigError where it holds text that is
/// not UTF-8, or becomes too long.
[[nodiscard]] std::string header_text(std::string_view who, const std::vector<Entry>& entries,
                                      const Metadata& metadata);

/// What a file begins with so that its data begin at `data_offset`: the header's length, and the header with spaces at
/// its end.
[[nodiscard]] std::string framed(std::string text, std::uint64_t data_offset);

/// The first multiple of `alignment` from `offset` on.
[[nodiscard]] constexpr std::uint64_t round_up(std::uint64_t offset, std::uint64_t alignment) {
  return (offset + alignment - 1) / alignment * alignment;
}

}  // namespace detail

}  // namespace jessl::io::safetensors

#if JESSL_DEFINITIONS

namespace jessl::io::safetensors::detail {

JESSL_INLINE std::string supported() {
  std::string names;
  for (const DtypeFacts& facts : dtypes) names += (names.empty() ? "" : ", ") + std::string(facts.name);
  return names;
}

JESSL_INLINE std::string place(std::string_view who, std::string_view path, std::uint64_t offset) {
  return concat(who, ": ", path, " (offset ", offset, ") ");
}

JESSL_INLINE Json HeaderReader::parse(const std::string& text) const {
  constexpr std::size_t levels = 4;  // the format has three; one more, for lists in lists to get their own message
  Json json = io::detail::parse_json(text, levels, [&](std::size_t byte, const std::string& problem) {
    fail<DataError>(at(prefix_size + byte), "has a header that ", problem);
  });
  JESSL_CHECK(json.is_object(), DataError, at(prefix_size),
              "has a header that is no JSON object; is it a safetensors file?");
  return json;
}

JESSL_INLINE Metadata HeaderReader::read_metadata(const Json& value) const {
  JESSL_CHECK(value.is_object(), DataError, at(prefix_size), "has a ", metadata_key, " that is no JSON object");
  Metadata metadata;
  for (const auto& [key, text] : value.items()) {
    JESSL_CHECK(text.is_string(), DataError, at(prefix_size), "has ", metadata_key, "[\"", key, "\"] = ", text.dump(),
                ", expected a text");
    metadata[key] = text.get<std::string>();
  }
  return metadata;
}

JESSL_INLINE Entry HeaderReader::read_entry(const std::string& name, const Json& value) const {
  const auto unsigned_numbers = [](const Json& list) {
    return list.is_array() &&
           std::all_of(list.begin(), list.end(), [](const Json& item) { return item.is_number_unsigned(); });
  };
  JESSL_CHECK(value.is_object() && value.size() == 3 && value.contains("dtype") && value.contains("shape") &&
                  value.contains("data_offsets"),
              DataError, at(prefix_size), "has a tensor '", name, "' that is ", value.dump(),
              ", expected an object of dtype, shape and data_offsets");
  const Json& dtype = value["dtype"];
  const auto* known =
      std::find_if(dtypes.begin(), dtypes.end(), [&](const DtypeFacts& facts) { return dtype == facts.name; });
  JESSL_CHECK(known != dtypes.end(), DataError, at(prefix_size), "has a tensor '", name, "' of dtype ", dtype.dump(),
              ", expected one of ", supported());
  JESSL_CHECK(unsigned_numbers(value["shape"]), DataError, at(prefix_size), "has a tensor '", name, "' of shape ",
              value["shape"].dump(), ", expected whole numbers >= 0");
  JESSL_CHECK(unsigned_numbers(value["data_offsets"]) && value["data_offsets"].size() == 2, DataError, at(prefix_size),
              "has a tensor '", name, "' with data_offsets ", value["data_offsets"].dump(), ", expected [begin, end]");

  Entry entry{.name = name, .dtype = known->dtype};
  std::uint64_t bytes = known->size;
  bool fits = true;
  bool empty = false;
  for (const Json& extent : value["shape"]) {
    const auto count = extent.get<std::uint64_t>();
    empty = empty || count == 0;
    fits = fits && std::in_range<std::int64_t>(count) &&
           !__builtin_mul_overflow(bytes, std::max<std::uint64_t>(count, 1), &bytes);
    entry.extents.push_back(static_cast<std::int64_t>(count));
  }
  JESSL_CHECK(fits && std::in_range<std::int64_t>(bytes), DataError, at(prefix_size), "has a tensor '", name,
              "' of shape ", value["shape"].dump(), ", which is more than any memory holds");
  if (empty) bytes = 0;
  entry.begin = value["data_offsets"][0].get<std::uint64_t>();
  entry.end = value["data_offsets"][1].get<std::uint64_t>();
  JESSL_CHECK(entry.begin <= entry.end && entry.end - entry.begin == bytes, DataError, at(prefix_size),
              "has a tensor '", name, "' of shape ", Shape(entry.extents), " and dtype ", known->name,
              " at data_offsets ", value["data_offsets"].dump(), ", expected ", bytes, " bytes");
  return entry;
}

JESSL_INLINE void HeaderReader::check_layout(Header& header, std::uint64_t file_size) const {
  std::sort(header.entries.begin(), header.entries.end(),
            [](const Entry& a, const Entry& b) { return std::pair(a.begin, a.end) < std::pair(b.begin, b.end); });
  std::uint64_t reached = 0;
  for (const Entry& entry : header.entries) {
    JESSL_CHECK(entry.begin == reached, DataError, at(header.data_offset + reached), "has a tensor '", entry.name,
                "' that begins at byte ", entry.begin, " of the data, expected ", reached, ": it ",
                entry.begin < reached ? "overlaps the one before" : "leaves a hole");
    reached = entry.end;
  }
  const std::uint64_t present = file_size - header.data_offset;
  JESSL_CHECK(reached == present, DataError, at(header.data_offset), "holds ", present, " bytes of data, expected ",
              reached, present < reached ? "; it is truncated" : "; something follows the last tensor");
}

JESSL_INLINE std::string header_text(std::string_view who, const std::vector<Entry>& entries,
                                     const Metadata& metadata) {
  Json header = Json::object();
  if (!metadata.empty()) header[std::string(metadata_key)] = metadata;
  for (const Entry& entry : entries) {
    header[entry.name] = {
        {"dtype", name_of(entry.dtype)}, {"shape", entry.extents}, {"data_offsets", {entry.begin, entry.end}}};
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const Json::type_error& error) {
    fail<ConfigError>(who, ": a tensor's name or a metadata text is not UTF-8: ", error.what());
  }
  JESSL_CHECK(text.size() <= max_header - 1024, ConfigError, who, ": names and metadata take ", text.size(),
              " bytes, expected at most ", max_header - 1024);  // with room for spaces
  return text;
}

JESSL_INLINE std::string framed(std::string text, std::uint64_t data_offset) {
  JESSL_ASSERT(data_offset >= prefix_size + text.size(), "a header of ", text.size(), " bytes before ", data_offset);
  text.resize(static_cast<std::size_t>(data_offset - prefix_size), ' ');
  const auto length = std::bit_cast<std::array<char, prefix_size>>(std::uint64_t{text.size()});
  text.insert(text.begin(), length.begin(), length.end());
  return text;
}

}  // namespace jessl::io::safetensors::detail

#endif  // JESSL_DEFINITIONS
