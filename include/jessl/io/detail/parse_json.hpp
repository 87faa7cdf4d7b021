// SPDX-License-Identifier: Apache-2.0
// JSON that comes from a file, which may hold anything, and JSON that goes into one.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/options.hpp>

namespace jessl::io::detail {

/// Where the first bracket stands that opens more than `levels` levels, if there is one.
[[nodiscard]] std::optional<std::size_t> deeper_than(std::string_view text, std::size_t levels);

/// Parses `text`; where it is not JSON or nested deeper than `levels`, refuse(byte, what is wrong with it) must throw.
///
/// nlohmann::json copies, compares and prints by recursion: a million brackets, one megabyte, overflow the stack.
template <class Refuse>
[[nodiscard]] Json parse_json(std::string_view text, std::size_t levels, const Refuse& refuse) {
  if (const auto byte = deeper_than(text, levels)) refuse(*byte, concat("is nested deeper than ", levels, " levels"));
  try {
    return Json::parse(text);
  } catch (const Json::parse_error& error) {
    refuse(error.byte, concat("is not JSON: ", error.what()));
  }
  return {};  // not reached
}

/// A document as text; ConfigError where it holds text that is not UTF-8. An indent of -1 is one line.
[[nodiscard]] std::string dump_json(const Json& document, int indent, std::string_view what);

}  // namespace jessl::io::detail

#if JESSL_DEFINITIONS

namespace jessl::io::detail {

JESSL_INLINE std::optional<std::size_t> deeper_than(std::string_view text, std::size_t levels) {
  std::size_t depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') ++i;  // the next one, a quote perhaps, belongs to the string
      quoted = c != '"';
    } else if (c == '"') {
      quoted = true;
    } else if (c == '[' || c == '{') {
      if (++depth > levels) return i;
    } else if ((c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
  return std::nullopt;
}

JESSL_INLINE std::string dump_json(const Json& document, int indent, std::string_view what) {
  try {
    return document.dump(indent);
  } catch (const Json::type_error& error) {
    fail<ConfigError>(what, " holds text that is not UTF-8: ", error.what(), "; give names and paths in UTF-8");
  }
}

}  // namespace jessl::io::detail

#endif  // JESSL_DEFINITIONS
