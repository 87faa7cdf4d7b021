// SPDX-License-Identifier: Apache-2.0
// Errors: every failure of jessl is a jessl::Error that says what was wrong, where, and what to do.
#pragma once

#include <array>
#include <charconv>
#include <concepts>
#include <locale>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace jessl {

/// The base of every exception that jessl throws.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A tensor, matrix or image has another shape than the operation needs.
class ShapeError : public Error {
 public:
  using Error::Error;
};

/// A setting is outside its valid range, or settings do not fit together.
class ConfigError : public Error {
 public:
  using Error::Error;
};

/// Input data is absent, damaged or of an unsupported kind.
class DataError : public Error {
 public:
  using Error::Error;
};

/// The operating system refused to write, flush or rename a file.
class IOError : public Error {
 public:
  using Error::Error;
};

/// Training left the finite numbers; the parameters are those before the offending step.
class DivergenceError : public Error {
 public:
  using Error::Error;
};

/// An invariant of jessl itself does not hold: a fault of the library, not of its caller.
class InternalError : public Error {
 public:
  using Error::Error;
};

namespace detail {

template <class Part>
void print(std::ostringstream& text, const Part& part) {
  if constexpr (std::floating_point<Part>) {
    std::array<char, 64> digits;  // 64: more than the shortest form of any number has, so that it always fits
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), part).ptr;
    text << std::string_view(digits.data(), end);
  } else {
    text << part;
  }
}

}  // namespace detail

/// Joins its arguments into one string: numbers that are not whole with as few digits as tell them from all others,
/// everything else as operator<< prints it, in no language's manner.
template <class... Parts>
[[nodiscard]] std::string concat(const Parts&... parts) {
  std::ostringstream text;
  text.imbue(std::locale::classic());
  (detail::print(text, parts), ...);
  return std::move(text).str();
}

/// Throws an `E` whose message is its arguments joined; the one place where jessl throws.
template <class E, class... Parts>
[[noreturn]] void fail(const Parts&... parts) {
  throw E(concat(parts...));
}

}  // namespace jessl

/// JESSL_CHECK(condition, jessl::DataError, "jessl::data::IDX: ", path, " is ...") guards against the caller's mistakes.
#define JESSL_CHECK(condition, ErrorType, ...) \
  do {                                         \
    if (!(condition)) [[unlikely]]             \
      ::jessl::fail<ErrorType>(__VA_ARGS__);   \
  } while (false)

/// JESSL_ASSERT(condition, "text") guards against our own.
#define JESSL_ASSERT(condition, ...)                                                                                \
  do {                                                                                                              \
    if (!(condition)) [[unlikely]]                                                                                  \
      ::jessl::fail<::jessl::InternalError>("jessl internal error at ", __FILE__, ":", __LINE__, ": ", __VA_ARGS__, \
                                            " (please report this)");                                               \
  } while (false)
