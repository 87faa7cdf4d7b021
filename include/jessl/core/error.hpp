// SPDX-License-Identifier: Apache-2.0
// Errors: every failure of jessl is a jessl::Error that says what was wrong, where, and what to do.
#pragma once

#include <array>
#include <charconv>
#include <concepts>
#include <initializer_list>
#include <locale>
#include <ostream>
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

/// Another process of the run is gone, does not come in time, or cannot be found.
class DistributedError : public Error {
 public:
  using Error::Error;
};

/// A run was asked to end before its last step, and did.
class InterruptedError : public Error {
 public:
  using Error::Error;
};

/// An invariant of jessl itself does not hold: a fault of the library, not of its caller.
class InternalError : public Error {
 public:
  using Error::Error;
};

namespace detail {

template <class T>
void print(std::ostream& out, const void* value) {
  const T& typed = *static_cast<const T*>(value);
  if constexpr (std::floating_point<T>) {
    std::array<char, 64> digits;  // 64: more than the shortest form of any number has, so that it always fits
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), typed).ptr;
    out << std::string_view(digits.data(), end);
  } else {
    out << typed;
  }
}

/// A part of a message: a value, which has to outlive it, and how it is printed. Checks are everywhere in jessl, and a function
/// template of all parts' types in each of them would take the compiler longer than what they guard.
class Part {
 public:
  // Not explicit, so that a list of values is one of parts.
  Part(const char* text)
      : value_(text), print_([](std::ostream& out, const void* value) { out << static_cast<const char*>(value); }) {}
  template <class T>
  Part(const T& value) : value_(&value), print_(print<T>) {}

  void operator()(std::ostream& out) const { print_(out, value_); }

 private:
  const void* value_;
  void (*print_)(std::ostream&, const void*);
};

[[nodiscard]] inline std::string joined(std::initializer_list<Part> parts) {
  std::ostringstream text;
  text.imbue(std::locale::classic());
  for (const Part& part : parts) part(text);
  return std::move(text).str();
}

template <class E>
[[noreturn, gnu::cold, gnu::noinline]] void raise(std::initializer_list<Part> parts) {
  throw E(joined(parts));
}

}  // namespace detail

/// Joins its arguments into one string: numbers that are not whole with as few digits as tell them from all others,
/// everything else as operator<< prints it, in no language's manner.
template <class... Parts>
[[nodiscard]] std::string concat(const Parts&... parts) {
  return detail::joined({parts...});
}

/// Throws an `E` whose message is its arguments joined. It, JESSL_CHECK and JESSL_ASSERT are the only ways in which jessl throws.
template <class E, class... Parts>
[[noreturn]] void fail(const Parts&... parts) {
  detail::raise<E>({parts...});
}

}  // namespace jessl

/// JESSL_CHECK(condition, jessl::DataError, "jessl::data::IDX: ", path, " is ...") guards against the caller's mistakes.
#define JESSL_CHECK(condition, ErrorType, ...)          \
  do {                                                  \
    if (!(condition)) [[unlikely]]                      \
      ::jessl::detail::raise<ErrorType>({__VA_ARGS__}); \
  } while (false)

/// JESSL_ASSERT(condition, "text") guards against our own.
#define JESSL_ASSERT(condition, ...)                                                                          \
  do {                                                                                                        \
    if (!(condition)) [[unlikely]]                                                                            \
      ::jessl::detail::raise<::jessl::InternalError>(                                                         \
          {"jessl internal error at ", __FILE__, ":", __LINE__, ": ", __VA_ARGS__, " (please report this)"}); \
  } while (false)
