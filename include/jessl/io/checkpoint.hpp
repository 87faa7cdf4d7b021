// SPDX-License-Identifier: Apache-2.0
// Checkpoints: named groups of tensors and a JSON record in one file that Python's torch.load reads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <caffe2/serialize/inline_container.h>
#include <torch/csrc/jit/serialization/pickler.h>
#include <torch/serialize.h>
#include <zlib.h>

#include <jessl/core/atomic_file.hpp>
#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/core/version.hpp>
#include <jessl/io/detail/parse_json.hpp>

namespace jessl::io {

/// The whole state of a run: groups of named tensors ("backbone", "projector", "optimizer", ...) and a JSON record.
///
/// The file is the zip archive of `torch.save`. In Python, `torch.load(path, weights_only=True)["backbone"]` is a state
/// dictionary with torchvision's names, and `["jessl"]["record"]` is the record's text.
///
/// Shapes     as the tensors have; they are stored and come back on the CPU
/// Cost       two passes over the bytes (a CRC-32 guards each tensor); no second copy of the tensors in memory while writing
/// Errors     save: ConfigError for a group called "jessl", an undefined tensor or a record with text that is not UTF-8; IOError (the file that was there before stays); load: DataError when the file is absent, damaged, not
///            a checkpoint of jessl, or of a newer format
/// Models     none
/// Source     none
struct Checkpoint {
  /// Raised when a reader of the older format could no longer understand the file.
  static constexpr std::int64_t format = 1;

  Json record = Json::object();               ///< everything that is not a tensor
  std::string version{jessl::version};        ///< of the jessl that wrote it
  std::map<std::string, StateDict> groups{};  ///< tensors by group and name
  std::filesystem::path loaded_from{};        ///< the file; empty where none was loaded

  /// Writes the file in one step: whoever looks finds the old file or the complete new one.
  void save(const std::filesystem::path& path) const;

  /// Reads a file that save() wrote.
  [[nodiscard]] static Checkpoint load(const std::filesystem::path& path);

  /// The tensors of a group; DataError when the checkpoint has no such group.
  [[nodiscard]] const StateDict& group(const std::string& group_name) const;
};

namespace detail {

/// Values of any kind by name; it becomes a Python dict.
[[nodiscard]] c10::impl::GenericDict empty_dictionary();

/// CRC-32 of a tensor's values in row-major order. LibTorch's own reader does not look at the sums of the archive.
[[nodiscard]] std::int64_t checksum(const torch::Tensor& tensor);

[[nodiscard]] std::int64_t checksum(const std::string& text);

/// Pickles `value` and the tensors below it as torch.save does. The tensors' storages follow as records of their own,
/// each once, however many tensors share it.
void write_archive(const c10::IValue& value, AtomicFile& file);

}  // namespace detail

}  // namespace jessl::io

#if JESSL_DEFINITIONS

namespace jessl::io {

JESSL_INLINE const StateDict& Checkpoint::group(const std::string& group_name) const {
  const auto found = groups.find(group_name);
  if (found == groups.end()) {
    std::string names;
    for (const auto& [name, tensors] : groups) names += (names.empty() ? "\"" : ", \"") + name + '"';
    fail<DataError>("jessl::io::Checkpoint: ", loaded_from.empty() ? "there is" : loaded_from.string() + " has",
                    " no group \"", group_name, "\", only ", names.empty() ? "a record" : names,
                    "; is it the right file?");
  }
  return found->second;
}

}  // namespace jessl::io

namespace jessl::io::detail {

JESSL_INLINE c10::impl::GenericDict empty_dictionary() {
  return c10::impl::GenericDict(c10::StringType::get(), c10::AnyType::get());
}

JESSL_INLINE std::int64_t checksum(const torch::Tensor& tensor) {
  const torch::Tensor values = tensor.detach().cpu().contiguous();
  return static_cast<std::int64_t>(::crc32_z(0, static_cast<const Bytef*>(values.const_data_ptr()), values.nbytes()));
}

JESSL_INLINE std::int64_t checksum(const std::string& text) {
  return static_cast<std::int64_t>(::crc32_z(0, reinterpret_cast<const Bytef*>(text.data()), text.size()));
}

JESSL_INLINE void write_archive(const c10::IValue& value, AtomicFile& file) {
  // The archive ends itself in its destructor, where an exception would end the program: after a failure it is let
  // believe that all is well, and the failure is thrown when the archive is gone.
  std::exception_ptr failure;
  {
    caffe2::serialize::PyTorchStreamWriter archive([&](const void* bytes, std::size_t count) {
      try {
        if (!failure) file.write(std::span(static_cast<const std::byte*>(bytes), count));
      } catch (...) {
        failure = std::current_exception();
      }
      return count;
    });
    std::vector<char> pickle;
    std::unordered_map<const c10::StorageImpl*, std::string> record_of_storage;
    std::vector<torch::Tensor> storages;
    const auto record_name = [&](const torch::Tensor& tensor) {
      const auto [entry, is_new] = record_of_storage.try_emplace(tensor.storage().unsafeGetStorageImpl(),
                                                                 std::to_string(record_of_storage.size()));
      if (is_new) storages.push_back(tensor);
      return entry->second;
    };
    // Without type tags: Python's weights_only reader refuses them.
    torch::jit::Pickler pickler(
        [&](const char* bytes, std::size_t count) { pickle.insert(pickle.end(), bytes, bytes + count); }, nullptr,
        nullptr, nullptr, record_name, /*tag_aggregates=*/false);
    pickler.protocol();
    pickler.pushIValue(value);
    pickler.stop();
    archive.writeRecord("data.pkl", pickle.data(), pickle.size());
    for (const torch::Tensor& tensor : storages) {
      const auto data = torch::jit::getWriteableTensorData(tensor);
      archive.writeRecord("data/" + record_of_storage.at(tensor.storage().unsafeGetStorageImpl()), data.data(),
                          data.sizeInBytes());
    }
    archive.writeEndOfFile();
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace jessl::io::detail

namespace jessl::io {

JESSL_INLINE void Checkpoint::save(const std::filesystem::path& path) const {
  const std::string text = detail::dump_json(record, -1, "jessl::io::Checkpoint: the record for " + path.string());
  auto about = detail::empty_dictionary();
  about.insert("format", format);
  about.insert("version", version);
  about.insert("record", text);
  about.insert("record_crc32", detail::checksum(text));
  auto root = detail::empty_dictionary();
  auto sums = detail::empty_dictionary();
  for (const auto& [group_name, tensors] : groups) {
    JESSL_CHECK(group_name != "jessl", ConfigError,
                "jessl::io::Checkpoint: a group cannot be called \"jessl\", the place of the record");
    auto stored = detail::empty_dictionary();
    for (const auto& [name, tensor] : tensors) {
      JESSL_CHECK(tensor.defined(), ConfigError, "jessl::io::Checkpoint: ", group_name, '/', name,
                  " is an undefined tensor; leave it out");
      stored.insert(name, tensor.detach().cpu());
      sums.insert(group_name + '/' + name, detail::checksum(tensor));
    }
    root.insert(group_name, stored);
  }
  about.insert("crc32", sums);
  root.insert("jessl", about);
  AtomicFile file(path, "jessl::io::Checkpoint");
  detail::write_archive(root, file);
  file.commit();
}

JESSL_INLINE Checkpoint Checkpoint::load(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  JESSL_CHECK(file.is_open() && !std::filesystem::is_directory(path), DataError, "jessl::io::Checkpoint: cannot open ",
              path, "; is the path right?");
  const std::vector<char> bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  Checkpoint checkpoint;
  checkpoint.loaded_from = path;
  try {
    std::optional<c10::impl::GenericDict> about;
    const c10::impl::GenericDict root = torch::pickle_load(bytes).toGenericDict();
    for (const auto& entry : root) {
      const std::string group_name = entry.key().toStringRef();
      const auto members = entry.value().toGenericDict();
      if (group_name == "jessl") {
        about = members;
        const std::int64_t found = members.at("format").toInt();
        checkpoint.version = members.at("version").toStringRef();
        JESSL_CHECK(found >= 1 && found <= format, DataError, "jessl::io::Checkpoint: ", path, " has format ", found,
                    " (written by jessl ", checkpoint.version, "); this is jessl ", jessl::version,
                    ", which reads formats 1 to ", format, "; use a newer jessl");
        const std::string& record_text = members.at("record").toStringRef();
        JESSL_CHECK(detail::checksum(record_text) == members.at("record_crc32").toInt(), DataError,
                    "jessl::io::Checkpoint: ", path,
                    " is damaged: its record has another checksum than when it was written; use an earlier checkpoint");
        constexpr std::size_t levels = 64;
        checkpoint.record = detail::parse_json(record_text, levels, [&](std::size_t byte, const std::string& problem) {
          fail<DataError>("jessl::io::Checkpoint: ", path, " has a record that ", problem, " (byte ", byte, " of it)");
        });
        continue;
      }
      StateDict& tensors = checkpoint.groups[group_name];
      for (const auto& member : members) tensors[member.key().toStringRef()] = member.value().toTensor();
    }
    JESSL_CHECK(about, DataError, "jessl::io::Checkpoint: ", path,
                " is a PyTorch archive, but not a checkpoint of jessl: it has no entry \"jessl\"");
    const auto sums = about->at("crc32").toGenericDict();
    for (const auto& [group_name, tensors] : checkpoint.groups) {
      for (const auto& [name, tensor] : tensors) {
        JESSL_CHECK(detail::checksum(tensor) == sums.at(group_name + '/' + name).toInt(), DataError,
                    "jessl::io::Checkpoint: ", path, " is damaged: ", group_name, '/', name,
                    " has another checksum than when it was written; use an earlier checkpoint");
      }
    }
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    const std::string text = error.what();
    const bool is_cut_off = text.find("central directory") != std::string::npos;  // a zip archive's, at its end
    const std::string reason =
        is_cut_off ? "its end is missing, where the list of its parts should be" : text.substr(0, text.find('\n'));
    fail<DataError>("jessl::io::Checkpoint: ", path, " (", bytes.size(),
                    " bytes) is damaged or not a checkpoint: ", reason, "; use an earlier checkpoint");
  }
  return checkpoint;
}

}  // namespace jessl::io

#endif  // JESSL_DEFINITIONS
