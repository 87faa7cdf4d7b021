// SPDX-License-Identifier: Apache-2.0
// Named tensors as a safetensors file, which Python and many other programs read.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <ios>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <jessl/core/atomic_file.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/shape.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/io/detail/parse_json.hpp>

namespace jessl::io::safetensors {

static_assert(std::endian::native == std::endian::little,
              "jessl::io::safetensors stores what lies in memory: little-endian machines only");

/// Free texts beside the tensors, by name.
using Metadata = std::map<std::string, std::string>;

namespace detail {

inline constexpr std::string_view who = "jessl::io::safetensors";
inline constexpr std::string_view metadata_key = "__metadata__";
inline constexpr std::uint64_t max_header = 100'000'000;  // bytes; the limit of the reference implementation

/// The format's names for the element types.
inline constexpr std::array<std::pair<std::string_view, torch::ScalarType>, 10> dtypes{{{"F64", torch::kFloat64},
                                                                                        {"F32", torch::kFloat32},
                                                                                        {"F16", torch::kFloat16},
                                                                                        {"BF16", torch::kBFloat16},
                                                                                        {"I64", torch::kInt64},
                                                                                        {"I32", torch::kInt32},
                                                                                        {"I16", torch::kInt16},
                                                                                        {"I8", torch::kInt8},
                                                                                        {"U8", torch::kUInt8},
                                                                                        {"BOOL", torch::kBool}}};

[[nodiscard]] inline std::string supported() {
  std::string names;
  for (const auto& [name, type] : dtypes) names += (names.empty() ? "" : ", ") + std::string(name);
  return names;
}

/// Where a tensor lies; offsets count from the end of the header.
struct Entry {
  std::string name;
  torch::ScalarType dtype = torch::kFloat32;
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

/// The header of one open file.
class HeaderReader {
 public:
  HeaderReader(std::filesystem::path path, std::ifstream& file) : path_(std::move(path)), file_(file) {}

  [[nodiscard]] Header read() {
    std::error_code error;
    const std::uint64_t file_size = std::filesystem::file_size(path_, error);
    JESSL_CHECK(!error, DataError, at(0), "cannot be read: ", error.message());
    JESSL_CHECK(file_size >= 8, DataError, at(0), "has ", file_size,
                " bytes, expected at least the 8 of the header's length; is it truncated?");
    std::array<unsigned char, 8> prefix{};
    read_bytes(prefix.data(), prefix.size(), 0);
    const auto header_size = std::bit_cast<std::uint64_t>(prefix);
    JESSL_CHECK(header_size <= max_header, DataError, at(0), "gives its header ", header_size,
                " bytes, expected at most ", max_header, "; is it a safetensors file?");
    JESSL_CHECK(header_size <= file_size - 8, DataError, at(0), "gives its header ", header_size, " bytes, but only ",
                file_size - 8, " follow; is it truncated, or not a safetensors file?");
    std::string text(header_size, '\0');
    read_bytes(text.data(), text.size(), 8);
    const Json json = parse(text);

    Header header;
    header.data_offset = 8 + header_size;
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

  void read_bytes(void* target, std::size_t count, std::uint64_t offset) {
    file_.seekg(static_cast<std::streamoff>(offset));
    file_.read(static_cast<char*>(target), static_cast<std::streamsize>(count));
    JESSL_CHECK(static_cast<bool>(file_), DataError, at(offset), "ended while ", count,
                " bytes were being read; was it changed meanwhile?");
  }

 private:
  [[nodiscard]] std::string at(std::uint64_t offset) const {
    return concat(who, ": ", path_.string(), " (offset ", offset, ") ");
  }

  [[nodiscard]] Json parse(const std::string& text) const {
    constexpr std::size_t levels = 4;  // the format has three; one more, for lists in lists to get their own message
    Json json = io::detail::parse_json(text, levels, [&](std::size_t byte, const std::string& problem) {
      fail<DataError>(at(8 + byte), "has a header that ", problem);
    });
    JESSL_CHECK(json.is_object(), DataError, at(8), "has a header that is no JSON object; is it a safetensors file?");
    return json;
  }

  [[nodiscard]] Metadata read_metadata(const Json& value) const {
    JESSL_CHECK(value.is_object(), DataError, at(8), "has a ", metadata_key, " that is no JSON object");
    Metadata metadata;
    for (const auto& [key, text] : value.items()) {
      JESSL_CHECK(text.is_string(), DataError, at(8), "has ", metadata_key, "[\"", key, "\"] = ", text.dump(),
                  ", expected a text");
      metadata[key] = text.get<std::string>();
    }
    return metadata;
  }

  [[nodiscard]] Entry read_entry(const std::string& name, const Json& value) const {
    const auto unsigned_numbers = [](const Json& list) {
      return list.is_array() &&
             std::all_of(list.begin(), list.end(), [](const Json& item) { return item.is_number_unsigned(); });
    };
    JESSL_CHECK(value.is_object() && value.size() == 3 && value.contains("dtype") && value.contains("shape") &&
                    value.contains("data_offsets"),
                DataError, at(8), "has a tensor '", name, "' that is ", value.dump(),
                ", expected an object of dtype, shape and data_offsets");
    const Json& dtype = value["dtype"];
    const auto* known =
        std::find_if(dtypes.begin(), dtypes.end(), [&](const auto& item) { return dtype == item.first; });
    JESSL_CHECK(known != dtypes.end(), DataError, at(8), "has a tensor '", name, "' of dtype ", dtype.dump(),
                ", expected one of ", supported());
    JESSL_CHECK(unsigned_numbers(value["shape"]), DataError, at(8), "has a tensor '", name, "' of shape ",
                value["shape"].dump(), ", expected whole numbers >= 0");
    JESSL_CHECK(unsigned_numbers(value["data_offsets"]) && value["data_offsets"].size() == 2, DataError, at(8),
                "has a tensor '", name, "' with data_offsets ", value["data_offsets"].dump(),
                ", expected [begin, end]");

    Entry entry{.name = name, .dtype = known->second};
    std::uint64_t bytes = c10::elementSize(entry.dtype);
    bool fits = true;
    bool empty = false;
    for (const Json& extent : value["shape"]) {
      const auto count = extent.get<std::uint64_t>();
      empty = empty || count == 0;
      fits = fits && std::in_range<std::int64_t>(count) &&
             !__builtin_mul_overflow(bytes, std::max<std::uint64_t>(count, 1), &bytes);
      entry.extents.push_back(static_cast<std::int64_t>(count));
    }
    JESSL_CHECK(fits && std::in_range<std::int64_t>(bytes), DataError, at(8), "has a tensor '", name, "' of shape ",
                value["shape"].dump(), ", which is more than any memory holds");
    if (empty) bytes = 0;
    entry.begin = value["data_offsets"][0].get<std::uint64_t>();
    entry.end = value["data_offsets"][1].get<std::uint64_t>();
    JESSL_CHECK(entry.begin <= entry.end && entry.end - entry.begin == bytes, DataError, at(8), "has a tensor '", name,
                "' of shape ", Shape(entry.extents), " and dtype ", known->first, " at data_offsets ",
                value["data_offsets"].dump(), ", expected ", bytes, " bytes");
    return entry;
  }

  /// The tensors lie one behind the other without gaps, from the end of the header to that of the file.
  void check_layout(Header& header, std::uint64_t file_size) const {
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

  std::filesystem::path path_;
  std::ifstream& file_;
};

[[nodiscard]] inline std::ifstream open(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  JESSL_CHECK(file.is_open(), DataError, who, ": cannot open ", path.string(),
              "; is the path right, and may you read it?");
  return file;
}

}  // namespace detail

/// Writes named tensors and texts, in one step.
///
/// For weights that other programs read; a checkpoint to resume from is jessl::io::Checkpoint. Tensors are stored
/// contiguous, as they are on the CPU, by falling size of their elements, so that each is aligned.
///
/// Shapes     any
/// Cost       one copy to the CPU of tensors that are elsewhere or not contiguous, one at a time
/// Errors     ConfigError for an undefined or sparse tensor, an element type that the format or jessl lacks, a name
///            that is "__metadata__" or not UTF-8; IOError as AtomicFile
/// Models     none
/// Source     https://github.com/huggingface/safetensors (format description)
inline void save(const std::filesystem::path& path, const StateDict& tensors, const Metadata& metadata = {}) {
  using namespace detail;
  std::vector<std::pair<std::string, torch::Tensor>> ordered(tensors.begin(), tensors.end());
  for (const auto& [name, tensor] : ordered) {
    JESSL_CHECK(name != metadata_key, ConfigError, who, ": a tensor cannot be named ", metadata_key, "; rename it");
    JESSL_CHECK(tensor.defined() && tensor.layout() == torch::kStrided, ConfigError, who, ": '", name,
                "' is undefined or sparse, expected a dense tensor");
  }
  std::stable_sort(ordered.begin(), ordered.end(),
                   [](const auto& a, const auto& b) { return a.second.element_size() > b.second.element_size(); });

  Json header = Json::object();
  if (!metadata.empty()) header[std::string(metadata_key)] = metadata;
  std::uint64_t offset = 0;
  for (const auto& [name, tensor] : ordered) {
    const auto* known = std::find_if(dtypes.begin(), dtypes.end(),
                                     [&](const auto& item) { return item.second == tensor.scalar_type(); });
    JESSL_CHECK(known != dtypes.end(), ConfigError, who, ": '", name, "' is ", tensor.scalar_type(),
                ", expected one of ", supported(), "; convert it before saving");
    const std::uint64_t end =
        offset + static_cast<std::uint64_t>(tensor.numel()) * static_cast<std::uint64_t>(tensor.element_size());
    header[name] = {{"dtype", known->first}, {"shape", shape_of(tensor).extents}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const Json::type_error& error) {
    fail<ConfigError>(who, ": a tensor's name or a metadata text is not UTF-8: ", error.what());
  }
  text.append((8 - text.size() % 8) % 8, ' ');
  JESSL_CHECK(text.size() <= max_header, ConfigError, who, ": names and metadata take ", text.size(),
              " bytes, expected at most ", max_header);

  AtomicFile file(path, std::string(who));
  const std::uint64_t header_size = text.size();
  file.write(std::as_bytes(std::span(&header_size, 1)));
  file.write(text);
  for (const auto& [name, tensor] : ordered) {
    const torch::Tensor here = tensor.detach().cpu().contiguous();
    file.write(std::span(static_cast<const std::byte*>(here.const_data_ptr()), here.nbytes()));
  }
  file.commit();
}

/// Reads the named tensors of a file, on the CPU.
///
/// Shapes     as saved
/// Cost       one pass over the file; no memory is taken before the header has been checked against the file's size
/// Errors     DataError, naming the file and the offset: absent, truncated or with bytes after the last tensor; a
///            header that is too long, no JSON object, nested too deep or of another form; an unknown dtype; a shape that overflows or
///            does not fit its offsets; tensors that overlap or leave holes
/// Models     none
/// Source     as save
[[nodiscard]] inline StateDict load(const std::filesystem::path& path) {
  std::ifstream file = detail::open(path);
  detail::HeaderReader reader(path, file);
  const detail::Header header = reader.read();
  StateDict tensors;
  for (const detail::Entry& entry : header.entries) {
    torch::Tensor tensor = torch::empty(entry.extents, torch::TensorOptions().dtype(entry.dtype));
    if (tensor.nbytes() > 0)
      reader.read_bytes(tensor.mutable_data_ptr(), tensor.nbytes(), header.data_offset + entry.begin);
    tensors.emplace(entry.name, std::move(tensor));
  }
  return tensors;
}

/// Reads the texts that were saved beside the tensors; none is an empty map.
///
/// Shapes     none
/// Errors     as load
/// Models     none
/// Source     as save
[[nodiscard]] inline Metadata metadata(const std::filesystem::path& path) {
  std::ifstream file = detail::open(path);
  return detail::HeaderReader(path, file).read().metadata;
}

}  // namespace jessl::io::safetensors
