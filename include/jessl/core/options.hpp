// SPDX-License-Identifier: Apache-2.0
// Options: one description of a policy's settings, from which printing, comparing and JSON both ways follow.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <numeric>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <boost/hana/accessors.hpp>
#include <boost/hana/concept/struct.hpp>
#include <boost/hana/core/to.hpp>
#include <boost/hana/first.hpp>
#include <boost/hana/for_each.hpp>
#include <boost/hana/pair.hpp>
#include <boost/hana/second.hpp>
#include <boost/hana/string.hpp>
#include <boost/hana/tuple.hpp>
#include <boost/preprocessor/seq/enum.hpp>
#include <boost/preprocessor/seq/transform.hpp>
#include <boost/preprocessor/variadic/to_seq.hpp>
#include <nlohmann/json.hpp>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>

/// Adapts an aggregate by the names of its settings, at most 64, in the order of their declaration; outside of namespaces,
/// and with a name of the type that has no comma:
///
///     JESSL_OPTIONS(jessl::loss::NTXent, temperature);
///
/// Does what BOOST_HANA_ADAPT_STRUCT does, but the compiler makes tuples of the settings only where they are asked for. That
/// takes it 40 ms for seven of them, and a program that includes all of jessl meets 150 types, whether it asks for them or not.
#define JESSL_OPTIONS(Type, ...)                                                                       \
  template <>                                                                                          \
  struct boost::hana::accessors_impl<Type> {                                                           \
    template <class = void>                                                                            \
    static constexpr auto apply() {                                                                    \
      return boost::hana::make_tuple(__VA_OPT__(BOOST_PP_SEQ_ENUM(                                     \
          BOOST_PP_SEQ_TRANSFORM(JESSL_DETAIL_OPTION, Type, BOOST_PP_VARIADIC_TO_SEQ(__VA_ARGS__))))); \
    }                                                                                                  \
  }
// The size is asked for so that a name that the type has not is an error where it is written, not where it is used.
#define JESSL_DETAIL_OPTION(s, Type, member)                                                    \
  boost::hana::make_pair((static_cast<void>(sizeof(Type::member)), BOOST_HANA_STRING(#member)), \
                         [](auto&& options) -> auto&& { return static_cast<decltype(options)>(options).member; })

namespace jessl {

namespace hana = boost::hana;

/// JSON that keeps the order in which settings are declared.
using Json = nlohmann::ordered_json;

/// The names of an enumeration's values; specialise it beside the enumeration:
///
///     template <> struct jessl::EnumNames<jessl::backbone::Stem> {
///       static constexpr std::array<std::pair<backbone::Stem, std::string_view>, 2> value{{{...}, {...}}};
///     };
template <class E>
struct EnumNames;

/// An enumeration whose values have names.
template <class E>
concept NamedEnum = std::is_enum_v<E> && requires {
  EnumNames<E>::value;
};

/// An aggregate adapted once with JESSL_OPTIONS (or BOOST_HANA_ADAPT_STRUCT, of <boost/hana/adapt_struct.hpp>).
template <class T>
concept Options = hana::Struct<T>::value;

/// A type that describes itself, for compositions whose members are not plain settings.
template <class T>
concept SelfDescribing = requires(const T& value) {
  { value.to_json() } -> std::same_as<Json>;
};

/// A type whose settings go into logs and checkpoints.
template <class T>
concept Recorded = Options<T> || SelfDescribing<T>;

namespace detail {

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;

template <class T>
concept Sequence = !std::convertible_to<T, std::string_view> && requires(const T& values) {
  typename T::value_type;
  values.begin();
  values.end();
};

/// Number of single-character edits between two words, upper and lower case being equal, for "did you mean".
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);

[[nodiscard]] std::string joined(const std::vector<std::string>& names);

[[noreturn]] void fail_unknown(const std::string& where, const std::string& given,
                               const std::vector<std::string>& known);

}  // namespace detail

/// Calls visit(name, value) for each setting, in the order of declaration. `value` is a reference: settings that are not
/// const can be changed by it.
template <Options T, class Visit>
void for_each_option(T&& options, Visit&& visit) {
  hana::for_each(hana::accessors<std::remove_cvref_t<T>>(), [&](auto accessor) {
    visit(std::string_view(hana::to<const char*>(hana::first(accessor))), hana::second(accessor)(options));
  });
}

/// The names of the settings.
template <Options T>
[[nodiscard]] std::vector<std::string> option_names() {
  std::vector<std::string> names;
  hana::for_each(hana::accessors<T>(),
                 [&](auto accessor) { names.emplace_back(hana::to<const char*>(hana::first(accessor))); });
  return names;
}

/// The policy's own name (the constant `T::name`), or "" where it has none; a setting called `name` is no such
/// constant.
template <class T>
[[nodiscard]] constexpr std::string_view policy_name() {
  if constexpr (requires {
                  std::string_view(T::name);
                  requires !std::is_member_object_pointer_v<decltype(&T::name)>;
                }) {
    return T::name;
  } else {
    return "";
  }
}

/// Settings as JSON. A policy with a name gets it as its first member, "name".
///
/// Infinities and NaN become the strings "inf", "-inf", "nan".
///
/// Errors     ConfigError for a value of an enumeration that has no name
template <class T>
[[nodiscard]] Json to_json(const T& value) {
  if constexpr (SelfDescribing<T>) {
    return value.to_json();
  } else if constexpr (Options<T>) {
    Json object = Json::object();
    if (!policy_name<T>().empty()) object["name"] = policy_name<T>();
    for_each_option(value,
                    [&](std::string_view name, const auto& member) { object[std::string(name)] = to_json(member); });
    return object;
  } else if constexpr (NamedEnum<T>) {
    for (const auto& [known, name] : EnumNames<T>::value) {
      if (known == value) return std::string(name);
    }
    std::vector<std::string> known;
    for (const auto& entry : EnumNames<T>::value) known.emplace_back(entry.second);
    fail<ConfigError>("jessl::to_json: a setting has the value ", static_cast<std::int64_t>(value),
                      " of an enumeration, expected one with a name: ", detail::joined(known));
  } else if constexpr (detail::is_optional<T>) {
    return value ? to_json(*value) : Json(nullptr);
  } else if constexpr (std::floating_point<T>) {
    if (std::isnan(value)) return "nan";
    if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
    return value;
  } else if constexpr (detail::Sequence<T>) {
    Json array = Json::array();
    for (const auto& item : value) array.push_back(to_json(item));
    return array;
  } else {
    return value;
  }
}

namespace detail {

template <class T>
void read_json(const Json& json, T& value, const std::string& where);

template <std::floating_point T>
void read_number(const Json& json, T& value, const std::string& where) {
  if (json.is_string()) {
    const auto& word = json.get_ref<const std::string&>();
    if (word == "inf") return void(value = std::numeric_limits<T>::infinity());
    if (word == "-inf") return void(value = -std::numeric_limits<T>::infinity());
    if (word == "nan") return void(value = std::numeric_limits<T>::quiet_NaN());
  }
  JESSL_CHECK(json.is_number(), ConfigError, where, " is ", json.dump(), ", expected a number");
  value = json.get<T>();
}

template <std::integral T>
void read_number(const Json& json, T& value, const std::string& where) {
  JESSL_CHECK(json.is_number_integer(), ConfigError, where, " is ", json.dump(), ", expected a whole number");
  if (json.is_number_unsigned()) {
    const auto wide = json.get<std::uint64_t>();
    JESSL_CHECK(std::in_range<T>(wide), ConfigError, where, " is ", wide, ", which does not fit its type");
    value = static_cast<T>(wide);
  } else {
    const auto wide = json.get<std::int64_t>();
    JESSL_CHECK(std::in_range<T>(wide), ConfigError, where, " is ", wide, ", which does not fit its type");
    value = static_cast<T>(wide);
  }
}

template <class T>
void read_json(const Json& json, T& value, const std::string& where) {
  if constexpr (Options<T>) {
    JESSL_CHECK(json.is_object(), ConfigError, where, " is ", json.dump(), ", expected an object of settings");
    for (const auto& [key, unused] : json.items()) {
      if (key == "name" && !policy_name<T>().empty()) {
        JESSL_CHECK(unused == policy_name<T>(), ConfigError, where, " is a ", unused.dump(), ", expected a \"",
                    policy_name<T>(), '"');
        continue;
      }
      const auto known = option_names<T>();
      if (std::find(known.begin(), known.end(), key) == known.end()) fail_unknown(where, key, known);
    }
    for_each_option(value, [&](std::string_view name, auto& member) {
      const auto found = json.find(std::string(name));
      if (found != json.end()) read_json(*found, member, where + "." + std::string(name));
    });
  } else if constexpr (NamedEnum<T>) {
    JESSL_CHECK(json.is_string(), ConfigError, where, " is ", json.dump(), ", expected a name");
    const auto given = json.get<std::string>();
    std::vector<std::string> known;
    for (const auto& [candidate, name] : EnumNames<T>::value) {
      if (name == given) return void(value = candidate);
      known.emplace_back(name);
    }
    fail_unknown(where, given, known);
  } else if constexpr (is_optional<T>) {
    if (json.is_null()) return void(value = std::nullopt);
    read_json(json, value.emplace(), where);
  } else if constexpr (std::same_as<T, bool>) {
    JESSL_CHECK(json.is_boolean(), ConfigError, where, " is ", json.dump(), ", expected true or false");
    value = json.get<bool>();
  } else if constexpr (std::is_arithmetic_v<T>) {
    read_number(json, value, where);
  } else if constexpr (std::same_as<T, std::string>) {
    JESSL_CHECK(json.is_string(), ConfigError, where, " is ", json.dump(), ", expected a text");
    value = json.get<std::string>();
  } else if constexpr (requires { value.resize(std::size_t{}); }) {
    JESSL_CHECK(json.is_array(), ConfigError, where, " is ", json.dump(), ", expected a list");
    value.resize(json.size());
    for (std::size_t i = 0; i < json.size(); ++i) read_json(json[i], value[i], concat(where, '[', i, ']'));
  } else {
    static_assert(Sequence<T>, "jessl::from_json: this type of setting has no JSON form; see jessl/core/options.hpp");
    JESSL_CHECK(json.is_array() && json.size() == value.size(), ConfigError, where, " is ", json.dump(),
                ", expected a list of ", value.size());
    for (std::size_t i = 0; i < json.size(); ++i) read_json(json[i], value[i], concat(where, '[', i, ']'));
  }
}

}  // namespace detail

/// Settings from JSON: what is absent keeps its default.
///
/// Errors     ConfigError for an unknown name (with the nearest known one), a value of the wrong kind or out of its
///            type's range, another policy's "name"; `where` names the place in the message
template <class T>
[[nodiscard]] T from_json(const Json& json, const std::string& where = std::string(policy_name<T>())) {
  T value{};
  detail::read_json(json, value, where.empty() ? "settings" : where);
  return value;
}

namespace detail {

/// Whether the setting of that name is a text, whose value is taken as it is written: out=2024 is a folder.
template <Options T>
[[nodiscard]] bool is_text_option(std::string_view name) {
  bool text = false;
  for_each_option(T{}, [&](std::string_view option, const auto& member) {
    text = text || (option == name && std::same_as<std::remove_cvref_t<decltype(member)>, std::string>);
  });
  return text;
}

}  // namespace detail

/// Settings in words: NTXent{temperature = 0.2}.
template <class T>
[[nodiscard]] std::string describe(const T& value) {
  if constexpr (Options<T> && !SelfDescribing<T>) {
    std::string text(policy_name<T>());
    text += '{';
    bool first = true;
    for_each_option(value, [&](std::string_view name, const auto& member) {
      text += (first ? "" : ", ") + std::string(name) + " = " + describe(member);
      first = false;
    });
    return text + "}";
  } else {
    return to_json(value).dump();
  }
}

/// Settings from a program's arguments, each as name=value; what is not named keeps its default.
///
/// A value is read as JSON where it is JSON (12, 0.5, true, [1,2]), and as a text otherwise.
///
/// Errors     ConfigError, with all settings and their defaults, for an argument without '=', as --help; for a setting given
///            twice; and as from_json
template <Options T>
[[nodiscard]] T options_from_arguments(int argc, char** argv) {
  Json given = Json::object();
  std::map<std::string, std::string> arguments;  // by name
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const std::size_t equals = argument.find('=');
    JESSL_CHECK(equals != std::string::npos, ConfigError, "argument \"", argument,
                "\" is not of the form name=value; settings and their defaults: ", describe(T{}));
    const std::string name = argument.substr(0, equals);
    const auto [before, is_new] = arguments.emplace(name, argument);
    JESSL_CHECK(is_new, ConfigError, "\"", name, "\" is given twice, as ", before->second, " and as ", argument,
                "; leave one away");
    const std::string value = argument.substr(equals + 1);
    const Json parsed = Json::parse(value, nullptr, /*allow_exceptions=*/false);
    given[name] = parsed.is_discarded() || detail::is_text_option<T>(name) ? Json(value) : parsed;
  }
  return from_json<T>(given, "arguments");
}

/// Whether all settings of two policies of one type are equal.
template <class T>
[[nodiscard]] bool same_options(const T& a, const T& b) {
  return to_json(a) == to_json(b);
}

}  // namespace jessl

#if JESSL_DEFINITIONS

namespace jessl::detail {

JESSL_INLINE std::size_t edit_distance(std::string_view a, std::string_view b) {
  const auto lower = [](char letter) {
    return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
  };
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substitution = diagonal + (lower(a[i - 1]) == lower(b[j - 1]) ? 0U : 1U);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substitution});
    }
  }
  return row[b.size()];
}

JESSL_INLINE std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) {
    const bool has_comma = name.find(',') != std::string::npos;
    text += (text.empty() ? "" : ", ") + (has_comma ? '"' + name + '"' : name);
  }
  return text;
}

JESSL_INLINE void fail_unknown(const std::string& where, const std::string& given,
                               const std::vector<std::string>& known) {
  const auto nearest = std::min_element(known.begin(), known.end(), [&](const std::string& a, const std::string& b) {
    return edit_distance(given, a) < edit_distance(given, b);
  });
  if (nearest == known.end()) fail<ConfigError>(where, ": unknown name \"", given, "\"; there is nothing to set here");
  fail<ConfigError>(where, ": unknown name \"", given, "\"; did you mean \"", *nearest, "\"? Known: ", joined(known));
}

}  // namespace jessl::detail

#endif  // JESSL_DEFINITIONS
