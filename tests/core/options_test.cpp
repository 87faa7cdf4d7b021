// SPDX-License-Identifier: Apache-2.0
// Options: settings to words, to JSON and back, and what is said about JSON that does not fit.
#include <catch2/catch.hpp>

#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/hana/adapt_struct.hpp>

#include <jessl/core/options.hpp>

namespace options_test {

enum class Stem : std::uint8_t { large, small };

struct Crop {
  double low = 0.08;
  double high = 1.0;
};

struct Policy {
  static constexpr std::string_view name = "Policy";
  double temperature = 0.5;
  std::int64_t size = 28;
  std::uint8_t level = 3;
  std::uint64_t seed = 0;
  bool nesterov = false;
  std::string title = "plain";
  Stem stem = Stem::large;
  std::optional<double> dropout{};
  std::array<double, 2> betas{0.9, 0.999};
  std::vector<std::int64_t> widths{64, 128};
  Crop crop{};
};

struct Described {
  int inner = 3;
  [[nodiscard]] jessl::Json to_json() const { return jessl::Json{{"parts", {inner}}}; }
};

struct Named {
  std::string name = "nobody";  // a setting
  std::int64_t age = 0;
};

struct Nothing {
  static constexpr std::string_view name = "Nothing";
};

struct Terse {
  static constexpr const char* name = "Terse";
};

}  // namespace options_test

template <>
struct jessl::EnumNames<options_test::Stem> {
  static constexpr std::array<std::pair<options_test::Stem, std::string_view>, 2> value{
      {{options_test::Stem::large, "large"}, {options_test::Stem::small, "small"}}};
};
BOOST_HANA_ADAPT_STRUCT(options_test::Crop, low, high);  // as code that knows Hana may do it
JESSL_OPTIONS(options_test::Named, name, age);
JESSL_OPTIONS(options_test::Policy, temperature, size, level, seed, nesterov, title, stem, dropout, betas, widths,
              crop);
JESSL_OPTIONS(options_test::Nothing);

using jessl::Json;
using options_test::Policy;
using options_test::Stem;

namespace {

Policy read(const char* text) { return jessl::from_json<Policy>(Json::parse(text)); }

}  // namespace

TEST_CASE("options: JSON has the name, then the settings in the order of declaration", "[core][options]") {
  CHECK(
      jessl::to_json(Policy{}).dump() ==
      R"({"name":"Policy","temperature":0.5,"size":28,"level":3,"seed":0,"nesterov":false,"title":"plain","stem":"large",)"
      R"("dropout":null,"betas":[0.9,0.999],"widths":[64,128],"crop":{"low":0.08,"high":1.0}})");
  CHECK(jessl::option_names<options_test::Crop>() == std::vector<std::string>{"low", "high"});
  CHECK(jessl::to_json(options_test::Nothing{}).dump() == R"({"name":"Nothing"})");
}

TEST_CASE("options: JSON and back gives the same settings", "[core][options]") {
  const Policy changed{.temperature = 1.0 / 3.0,
                       .size = -5,
                       .level = 255,
                       .seed = std::numeric_limits<std::uint64_t>::max(),
                       .nesterov = true,
                       .title = "a \"quoted\" ü",
                       .stem = Stem::small,
                       .dropout = 0.1,
                       .betas = {0.5, 0.25},
                       .widths = {},
                       .crop = {.low = 0.2, .high = 0.7}};
  const auto again = jessl::from_json<Policy>(Json::parse(jessl::to_json(changed).dump()));
  CHECK(jessl::same_options(changed, again));
  CHECK(again.temperature == 1.0 / 3.0);
  CHECK(again.seed == std::numeric_limits<std::uint64_t>::max());
  CHECK(again.dropout == 0.1);
  CHECK_FALSE(jessl::same_options(changed, Policy{}));
}

TEST_CASE("options: a setting may be called name", "[core][options]") {
  static_assert(jessl::policy_name<options_test::Named>().empty());
  static_assert(jessl::policy_name<options_test::Terse>() == "Terse");
  const jessl::Json document = jessl::to_json(options_test::Named{.name = "Ada", .age = 36});
  CHECK(document.dump() == R"({"name":"Ada","age":36})");
  CHECK(jessl::from_json<options_test::Named>(document).name == "Ada");
  CHECK_THROWS_WITH(jessl::from_json<options_test::Named>(jessl::Json{{"nam", "Ada"}}),
                    Contains("did you mean \"name\""));
}

TEST_CASE("options: what JSON leaves out keeps its default", "[core][options]") {
  const Policy policy = read(R"({"size": 32, "crop": {"low": 0.5}})");
  CHECK(policy.size == 32);
  CHECK(policy.crop.low == 0.5);
  CHECK(policy.crop.high == 1.0);
  CHECK(policy.temperature == 0.5);
  CHECK(jessl::same_options(read("{}"), Policy{}));
  CHECK(read(R"({"dropout": null})").dropout == std::nullopt);
}

TEST_CASE("options: numbers that JSON does not have are words", "[core][options]") {
  Policy policy;
  policy.temperature = std::numeric_limits<double>::infinity();
  CHECK(jessl::to_json(policy)["temperature"] == "inf");
  CHECK(std::isinf(jessl::from_json<Policy>(jessl::to_json(policy)).temperature));
  policy.temperature = -policy.temperature;
  CHECK(jessl::from_json<Policy>(jessl::to_json(policy)).temperature == policy.temperature);
  policy.temperature = std::numeric_limits<double>::quiet_NaN();
  CHECK(jessl::to_json(policy)["temperature"] == "nan");
  CHECK(std::isnan(jessl::from_json<Policy>(jessl::to_json(policy)).temperature));
  CHECK(read(R"({"temperature": 2})").temperature == 2.0);
}

TEST_CASE("options: an unknown name is refused, with the nearest known one", "[core][options]") {
  CHECK_THROWS_AS(read(R"({"temprature": 0.1})"), jessl::ConfigError);
  CHECK_THROWS_WITH(
      read(R"({"temprature": 0.1})"),
      Catch::Contains(
          "Policy: unknown name \"temprature\"; did you mean \"temperature\"? Known: temperature, size, level"));
  CHECK_THROWS_WITH(read(R"({"crop": {"hi": 0.1}})"),
                    "Policy.crop: unknown name \"hi\"; did you mean \"high\"? Known: low, high");
  CHECK_THROWS_WITH(read(R"({"stem": "smal"})"),
                    "Policy.stem: unknown name \"smal\"; did you mean \"small\"? Known: large, small");
  CHECK_THROWS_WITH(jessl::from_json<options_test::Nothing>(Json::parse(R"({"x": 1})")),
                    "Nothing: unknown name \"x\"; there is nothing to set here");
}

TEST_CASE("options: a value of the wrong kind is refused, with its place", "[core][options]") {
  CHECK_THROWS_WITH(read("[]"), "Policy is [], expected an object of settings");
  CHECK_THROWS_WITH(read(R"({"temperature": "hot"})"), "Policy.temperature is \"hot\", expected a number");
  CHECK_THROWS_WITH(read(R"({"size": 2.5})"), "Policy.size is 2.5, expected a whole number");
  CHECK_THROWS_WITH(read(R"({"level": 256})"), "Policy.level is 256, which does not fit its type");
  CHECK_THROWS_WITH(read(R"({"level": -1})"), "Policy.level is -1, which does not fit its type");
  CHECK_THROWS_WITH(read(R"({"nesterov": 1})"), "Policy.nesterov is 1, expected true or false");
  CHECK_THROWS_WITH(read(R"({"title": 1})"), "Policy.title is 1, expected a text");
  CHECK_THROWS_WITH(read(R"({"stem": 1})"), "Policy.stem is 1, expected a name");
  CHECK_THROWS_WITH(read(R"({"betas": [0.9]})"), "Policy.betas is [0.9], expected a list of 2");
  CHECK_THROWS_WITH(read(R"({"widths": 3})"), "Policy.widths is 3, expected a list");
  CHECK_THROWS_WITH(read(R"({"widths": [1, "b"]})"), "Policy.widths[1] is \"b\", expected a whole number");
  CHECK_THROWS_WITH(read(R"({"name": "Other"})"), "Policy is a \"Other\", expected a \"Policy\"");
  CHECK_THROWS_WITH(jessl::from_json<options_test::Crop>(Json(3)), "settings is 3, expected an object of settings");
  CHECK_THROWS_WITH(jessl::from_json<options_test::Crop>(Json(3), "--crop"),
                    "--crop is 3, expected an object of settings");
}

TEST_CASE("options: settings in words read like code", "[core][options]") {
  CHECK(jessl::describe(options_test::Crop{.low = 0.25}) == "{low = 0.25, high = 1.0}");
  CHECK_THAT(jessl::describe(Policy{}), Catch::StartsWith("Policy{temperature = 0.5, size = 28,") &&
                                            Catch::Contains("stem = \"large\", dropout = null, betas = [0.9,0.999]") &&
                                            Catch::EndsWith("crop = {low = 0.08, high = 1.0}}"));
  CHECK(jessl::describe(options_test::Nothing{}) == "Nothing{}");
}

TEST_CASE("options: a value of an enumeration without a name is its caller's mistake", "[core][options]") {
  const auto unnamed = static_cast<options_test::Stem>(7);
  CHECK_THROWS_AS(jessl::to_json(unnamed), jessl::ConfigError);
  CHECK_THROWS_WITH(jessl::to_json(unnamed),
                    Catch::Contains("has the value 7 of an enumeration, expected one with a name: "));
}

TEST_CASE("options: a type that describes itself is asked", "[core][options]") {
  CHECK(jessl::to_json(options_test::Described{.inner = 7}).dump() == R"({"parts":[7]})");
  CHECK(jessl::describe(options_test::Described{}) == R"({"parts":[3]})");
}

TEST_CASE("options: settings can be visited, and changed, by name", "[core][options]") {
  options_test::Crop crop;
  jessl::for_each_option(crop, [](std::string_view name, double& value) {
    if (name == "high") value = 0.75;
  });
  CHECK(crop.high == 0.75);
  std::string seen;
  jessl::for_each_option(crop, [&](std::string_view name, double) { seen += std::string(name) + ' '; });
  CHECK(seen == "low high ");
}

TEST_CASE("options_from_arguments: a setting given twice and an argument that is none are refused, with what there is",
          "[core][options]") {
  using options_test::Crop;
  const auto read = [](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "program");
    std::vector<char*> pointers;
    for (std::string& argument : arguments) pointers.push_back(argument.data());
    return jessl::options_from_arguments<Crop>(static_cast<int>(pointers.size()), pointers.data());
  };
  CHECK(read({"low=0.25"}).low == 0.25);
  CHECK_THROWS_WITH(read({"low=0.25", "low=\xe9"}),
                    "\"low\" is given twice, as low=0.25 and as low=\xe9; leave one away");
  CHECK_THROWS_WITH(
      read({"--help"}),
      "argument \"--help\" is not of the form name=value; settings and their defaults: " + jessl::describe(Crop{}));
}

TEST_CASE("options: the number of edits between two words", "[core][options]") {
  using jessl::detail::edit_distance;
  CHECK(edit_distance("kitten", "sitting") == 3);
  CHECK(edit_distance("", "abc") == 3);
  CHECK(edit_distance("abc", "") == 3);
  CHECK(edit_distance("same", "same") == 0);
  CHECK(edit_distance("DINO", "dina") == 1);
}
