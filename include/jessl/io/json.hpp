// SPDX-License-Identifier: Apache-2.0
// JSON documents as files: summaries and records.
#pragma once

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <system_error>

#include <jessl/core/atomic_file.hpp>
#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/options.hpp>
#include <jessl/io/detail/parse_json.hpp>

namespace jessl::io {

/// Writes a JSON document, indented by two, in one step.
///
/// Errors     ConfigError for text that is not UTF-8, which JSON can't hold; IOError as AtomicFile
/// Source     none
void save_json(const std::filesystem::path& path, const Json& document);

/// Reads a JSON document.
///
/// Errors     DataError when the file is absent, not JSON or nested deeper than 64 levels, with the place
/// Source     none
[[nodiscard]] Json load_json(const std::filesystem::path& path);

/// Makes a folder and those above it, where they are missing.
///
/// Errors     IOError with the operating system's reason
/// Source     none
void make_folder(const std::filesystem::path& folder);

}  // namespace jessl::io

#if JESSL_DEFINITIONS

namespace jessl::io {

JESSL_INLINE void save_json(const std::filesystem::path& path, const Json& document) {
  const std::string text = detail::dump_json(document, 2, "jessl::io::save_json: the document for " + path.string());
  write_file(path, text + '\n', "jessl::io::save_json");
}

JESSL_INLINE Json load_json(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  JESSL_CHECK(file.is_open(), DataError, "jessl::io::load_json: cannot open ", path, "; is the path right?");
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  constexpr std::size_t levels = 64;
  return detail::parse_json(text, levels, [&](std::size_t byte, const std::string& problem) {
    fail<DataError>("jessl::io::load_json: ", path, " (offset ", byte, ") ", problem);
  });
}

JESSL_INLINE void make_folder(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  JESSL_CHECK(!error && std::filesystem::is_directory(folder), IOError, "jessl::io::make_folder: cannot create ",
              folder, ": ", error ? error.message() : "a file of that name is in the way",
              "; choose a folder that you may write to");
}

}  // namespace jessl::io

#endif  // JESSL_DEFINITIONS
