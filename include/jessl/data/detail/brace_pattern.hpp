// SPDX-License-Identifier: Apache-2.0
// Names of many files in one: "train-{000..015}.tar".
#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>

namespace jessl::data::detail {

/// What braces stand for, as a shell expands them: a list, "{a,b}", or a range of numbers, "{8..11}", whose numbers all
/// have as many digits as the longer end where one of them begins with a zero. Braces may stand in lists, and several in
/// a row, of which the last runs fastest. Braces that are neither stay.
class BracePattern {
 public:
  /// The texts that `pattern` stands for, in order.
  ///
  /// Errors     ConfigError for more than a million, or more than a thousand braces
  [[nodiscard]] static std::vector<std::string> expand(std::string_view pattern, std::string_view who);

 private:
  static constexpr std::size_t most = 1'000'000;
  static constexpr std::ptrdiff_t most_braces = 1000;  // each is a call within the one before

  BracePattern(std::string_view pattern, std::string_view who) : pattern_(pattern), who_(who) {}

  [[nodiscard]] std::vector<std::string> expand(std::string_view text) const;

  /// Where the brace at `open` is closed.
  [[nodiscard]] static std::size_t closing(std::string_view text, std::size_t open);

  /// What stands between two braces; nothing where it is neither a list nor a range.
  [[nodiscard]] std::optional<std::vector<std::string>> alternatives(std::string_view inside) const;

  [[nodiscard]] std::optional<std::vector<std::string>> range(std::string_view inside) const;

  /// A whole number of at most 18 digits.
  [[nodiscard]] static std::optional<std::int64_t> number(std::string_view text);

  void check_count(std::size_t count, std::size_t times) const;

  std::string_view pattern_;
  std::string_view who_;
};

}  // namespace jessl::data::detail

#if JESSL_DEFINITIONS

namespace jessl::data::detail {

JESSL_INLINE std::vector<std::string> BracePattern::expand(std::string_view pattern, std::string_view who) {
  const auto braces = std::count(pattern.begin(), pattern.end(), '{');
  JESSL_CHECK(braces <= most_braces, ConfigError, who, ": the pattern has ", braces, " braces, expected at most ",
              most_braces, "; give a list of paths instead");
  return BracePattern(pattern, who).expand(pattern);
}

JESSL_INLINE std::vector<std::string> BracePattern::expand(std::string_view text) const {
  for (std::size_t open = text.find('{'); open != std::string_view::npos; open = text.find('{', open + 1)) {
    const std::size_t close = closing(text, open);
    if (close == std::string_view::npos) continue;
    const auto middles = alternatives(text.substr(open + 1, close - open - 1));
    if (!middles) continue;
    const std::vector<std::string> rests = expand(text.substr(close + 1));
    check_count(middles->size(), rests.size());
    std::vector<std::string> all;
    all.reserve(middles->size() * rests.size());
    for (const std::string& middle : *middles) {
      for (const std::string& rest : rests) all.push_back(std::string(text.substr(0, open)) + middle + rest);
    }
    return all;
  }
  return {std::string(text)};
}

JESSL_INLINE std::size_t BracePattern::closing(std::string_view text, std::size_t open) {
  std::int64_t depth = 0;
  for (std::size_t i = open; i < text.size(); ++i) {
    depth += (text[i] == '{' ? 1 : 0) - (text[i] == '}' ? 1 : 0);
    if (depth == 0) return i;
  }
  return std::string_view::npos;
}

JESSL_INLINE std::optional<std::vector<std::string>> BracePattern::alternatives(std::string_view inside) const {
  std::vector<std::string> all;
  std::int64_t depth = 0;
  std::size_t begin = 0;
  bool list = false;
  for (std::size_t i = 0; i <= inside.size(); ++i) {
    const char c = i < inside.size() ? inside[i] : ',';
    depth += (c == '{' ? 1 : 0) - (c == '}' ? 1 : 0);
    if (c != ',' || depth != 0) continue;
    list = list || i < inside.size();
    if (!list) return range(inside);
    for (std::string& text : expand(inside.substr(begin, i - begin))) all.push_back(std::move(text));
    check_count(all.size(), 1);
    begin = i + 1;
  }
  return all;
}

JESSL_INLINE std::optional<std::vector<std::string>> BracePattern::range(std::string_view inside) const {
  const std::size_t dots = inside.find("..");
  if (dots == std::string_view::npos) return std::nullopt;
  const std::string_view first = inside.substr(0, dots);
  const std::string_view last = inside.substr(dots + 2);
  const std::optional<std::int64_t> from = number(first);
  const std::optional<std::int64_t> to = number(last);
  if (!from || !to) return std::nullopt;
  const bool padded = (first.size() > 1 && first[0] == '0') || (last.size() > 1 && last[0] == '0');
  const std::size_t digits = padded ? std::max(first.size(), last.size()) : 1;
  check_count(static_cast<std::size_t>(*to > *from ? *to - *from : *from - *to) + 1, 1);
  std::vector<std::string> all;
  for (std::int64_t value = *from;; value += *to > *from ? 1 : -1) {
    const std::string text = std::to_string(value);
    all.push_back(std::string(digits - std::min(digits, text.size()), '0') + text);
    if (value == *to) return all;
  }
}

JESSL_INLINE std::optional<std::int64_t> BracePattern::number(std::string_view text) {
  if (text.empty() || text.size() > 18 || text.find_first_not_of("0123456789") != std::string_view::npos) {
    return std::nullopt;
  }
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

JESSL_INLINE void BracePattern::check_count(std::size_t count, std::size_t times) const {
  JESSL_CHECK(count <= most / times, ConfigError, who_, ": \"", pattern_, "\" stands for more than ", most, " paths");
}

}  // namespace jessl::data::detail

#endif  // JESSL_DEFINITIONS
