// SPDX-License-Identifier: Apache-2.0
// Named tensors as a safetensors file, which Python and many other programs read.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <ios>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <jessl/core/atomic_file.hpp>
#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/io/detail/safetensors_header.hpp>

namespace jessl::io::safetensors {

namespace detail {

inline constexpr std::string_view who = "jessl::io::safetensors";

/// LibTorch's names for the element types.
inline constexpr std::array<std::pair<Dtype, torch::ScalarType>, 10> scalar_types{{{Dtype::f64, torch::kFloat64},
                                                                                   {Dtype::f32, torch::kFloat32},
                                                                                   {Dtype::f16, torch::kFloat16},
                                                                                   {Dtype::bf16, torch::kBFloat16},
                                                                                   {Dtype::i64, torch::kInt64},
                                                                                   {Dtype::i32, torch::kInt32},
                                                                                   {Dtype::i16, torch::kInt16},
                                                                                   {Dtype::i8, torch::kInt8},
                                                                                   {Dtype::u8, torch::kUInt8},
                                                                                   {Dtype::boolean, torch::kBool}}};
static_assert(scalar_types.size() == dtypes.size());

/// An open file.
class InputFile {
 public:
  explicit InputFile(std::filesystem::path path);

  [[nodiscard]] Header header();

  void read_bytes(void* target, std::size_t count, std::uint64_t offset);

 private:
  std::filesystem::path path_;
  std::ifstream file_;
};

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
void save(const std::filesystem::path& path, const StateDict& tensors, const Metadata& metadata = {});

/// Reads the named tensors of a file, on the CPU.
///
/// Shapes     as saved
/// Cost       one pass over the file; no memory is taken before the header has been checked against the file's size
/// Errors     DataError, naming the file and the offset: absent, truncated or with bytes after the last tensor; a
///            header that is too long, no JSON object, nested too deep or of another form; an unknown dtype; a shape that overflows or
///            does not fit its offsets; tensors that overlap or leave holes
/// Models     none
/// Source     as save
[[nodiscard]] StateDict load(const std::filesystem::path& path);

/// Reads the texts that were saved beside the tensors; none is an empty map.
///
/// Shapes     none
/// Errors     as load
/// Models     none
/// Source     as save
[[nodiscard]] Metadata metadata(const std::filesystem::path& path);

}  // namespace jessl::io::safetensors

#if JESSL_DEFINITIONS

namespace jessl::io::safetensors::detail {

JESSL_INLINE InputFile::InputFile(std::filesystem::path path) : path_(std::move(path)), file_(path_, std::ios::binary) {
  JESSL_CHECK(file_.is_open(), DataError, who, ": cannot open ", path_.string(),
              "; is the path right, and may you read it?");
}

JESSL_INLINE Header InputFile::header() {
  std::error_code error;
  const std::uint64_t size = std::filesystem::file_size(path_, error);
  JESSL_CHECK(!error, DataError, place(who, path_.string(), 0), "cannot be read: ", error.message());
  return HeaderReader(who, path_.string()).read(size, [this](void* target, std::size_t count, std::uint64_t offset) {
    read_bytes(target, count, offset);
  });
}

JESSL_INLINE void InputFile::read_bytes(void* target, std::size_t count, std::uint64_t offset) {
  file_.seekg(static_cast<std::streamoff>(offset));
  file_.read(static_cast<char*>(target), static_cast<std::streamsize>(count));
  JESSL_CHECK(static_cast<bool>(file_), DataError, place(who, path_.string(), offset), "ended while ", count,
              " bytes were being read; was it changed meanwhile?");
}

}  // namespace jessl::io::safetensors::detail

namespace jessl::io::safetensors {

JESSL_INLINE void save(const std::filesystem::path& path, const StateDict& tensors, const Metadata& metadata) {
  using namespace detail;
  std::vector<std::pair<std::string, torch::Tensor>> ordered(tensors.begin(), tensors.end());
  for (const auto& [name, tensor] : ordered) {
    JESSL_CHECK(name != metadata_key, ConfigError, who, ": a tensor cannot be named ", metadata_key, "; rename it");
    JESSL_CHECK(tensor.defined() && tensor.layout() == torch::kStrided, ConfigError, who, ": '", name,
                "' is undefined or sparse, expected a dense tensor");
  }
  std::stable_sort(ordered.begin(), ordered.end(),
                   [](const auto& a, const auto& b) { return a.second.element_size() > b.second.element_size(); });

  std::vector<Entry> entries;
  std::uint64_t offset = 0;
  for (const auto& [name, tensor] : ordered) {
    const auto* known = std::find_if(scalar_types.begin(), scalar_types.end(),
                                     [&](const auto& item) { return item.second == tensor.scalar_type(); });
    JESSL_CHECK(known != scalar_types.end(), ConfigError, who, ": '", name, "' is ", tensor.scalar_type(),
                ", expected one of ", supported(), "; convert it before saving");
    const std::uint64_t end =
        offset + static_cast<std::uint64_t>(tensor.numel()) * static_cast<std::uint64_t>(tensor.element_size());
    entries.push_back({name, known->first, shape_of(tensor).extents, offset, end});
    offset = end;
  }
  std::string text = header_text(who, entries, metadata);
  const std::uint64_t data_offset = round_up(prefix_size + text.size(), 8);

  AtomicFile file(path, std::string(who));
  file.write(framed(std::move(text), data_offset));
  for (const auto& [name, tensor] : ordered) {
    const torch::Tensor here = tensor.detach().cpu().contiguous();
    file.write(std::span(static_cast<const std::byte*>(here.const_data_ptr()), here.nbytes()));
  }
  file.commit();
}

JESSL_INLINE StateDict load(const std::filesystem::path& path) {
  detail::InputFile file(path);
  const detail::Header header = file.header();
  StateDict tensors;
  for (const detail::Entry& entry : header.entries) {
    const auto* const type = std::find_if(detail::scalar_types.begin(), detail::scalar_types.end(),
                                          [&](const auto& item) { return item.first == entry.dtype; });
    torch::Tensor tensor = torch::empty(entry.extents, torch::TensorOptions().dtype(type->second));
    if (tensor.nbytes() > 0)
      file.read_bytes(tensor.mutable_data_ptr(), tensor.nbytes(), header.data_offset + entry.begin);
    tensors.emplace(entry.name, std::move(tensor));
  }
  return tensors;
}

JESSL_INLINE Metadata metadata(const std::filesystem::path& path) { return detail::InputFile(path).header().metadata; }

}  // namespace jessl::io::safetensors

#endif  // JESSL_DEFINITIONS
