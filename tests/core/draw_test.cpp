// SPDX-License-Identifier: Apache-2.0
// Draws: their numbers, their distributions, and that a key names a stream of its own.
#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <numeric>
#include <set>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <jessl/core/draw.hpp>

using jessl::Draw;
using jessl::DrawKey;
using jessl::Purpose;

TEST_CASE("Draw: gives the numbers of an independent implementation", "[core][draw]") {
  std::ifstream file(JESSL_TEST_DATA "/reference/core/draws.json");
  const auto draws = nlohmann::json::parse(file);
  REQUIRE(draws.size() == 5);
  for (const auto& expected : draws) {
    const DrawKey key{.seed = expected["seed"],
                      .epoch = expected["epoch"],
                      .sample = expected["sample"],
                      .view = expected["view"],
                      .operation = expected["operation"],
                      .purpose = static_cast<Purpose>(expected["purpose"].get<int>())};
    Draw bits(key);
    for (const std::uint32_t word : expected["bits"]) CHECK(bits.bits() == word);
    Draw uniform(key);
    for (const double value : expected["uniform"]) CHECK(uniform.uniform() == value);
    Draw order(key);
    std::vector<int> items(10);
    std::iota(items.begin(), items.end(), 0);
    order.shuffle(std::span(items));
    CHECK(items == expected["permutation"].get<std::vector<int>>());
  }
}

TEST_CASE("Draw: each part of the key names another stream", "[core][draw]") {
  const DrawKey base{.seed = 1, .epoch = 2, .sample = 3, .view = 4, .operation = 5, .purpose = Purpose::augmentation};
  std::vector<DrawKey> keys(8, base);
  keys[1].seed = 2;
  keys[2].seed = base.seed + (std::uint64_t{1} << 32U);
  keys[3].epoch = 3;
  keys[4].sample = base.sample + (std::uint64_t{1} << 32U);
  keys[5].view = 5;
  keys[6].operation = 6;
  keys[7].purpose = Purpose::order;
  std::set<std::uint32_t> first;
  for (const DrawKey& key : keys) first.insert(Draw(key).bits());
  CHECK(first.size() == keys.size());
  CHECK(Draw(base).bits() == Draw(base).bits());
}

TEST_CASE("Draw: refuses a sample index that would run into the view", "[core][draw]") {
  CHECK_NOTHROW(Draw({.sample = (std::uint64_t{1} << 40U) - 1}));
  CHECK_THROWS_AS(Draw({.sample = std::uint64_t{1} << 40U}), jessl::ConfigError);
  CHECK_THROWS_WITH(Draw({.sample = std::uint64_t{1} << 40U}),
                    "jessl::Draw: sample index 1099511627776 is not below 2^40 = 1099511627776");
}

TEST_CASE("Draw: uniform numbers fill [0, 1) evenly", "[core][draw]") {
  Draw draw({.seed = 11});
  std::array<int, 20> counts{};
  constexpr int draws = 20000;
  for (int i = 0; i < draws; ++i) {
    const double value = draw.uniform();
    REQUIRE(value >= 0.0);
    REQUIRE(value < 1.0);
    ++counts[static_cast<std::size_t>(value * 20)];
  }
  double chi_square = 0;
  for (const int count : counts) chi_square += (count - draws / 20.0) * (count - draws / 20.0) / (draws / 20.0);
  CHECK(chi_square < 43.8);  // 99.9 % point of chi-square with 19 degrees of freedom
  CHECK(Draw({.seed = 5}).uniform(2.0, 6.0) == 2.0 + 4.0 * Draw({.seed = 5}).uniform());
}

TEST_CASE("Draw: below(n) gives each of 0 to n - 1 equally often", "[core][draw]") {
  Draw draw({.seed = 12});
  std::array<int, 7> counts{};
  constexpr int draws = 14000;
  for (int i = 0; i < draws; ++i) ++counts.at(static_cast<std::size_t>(draw.below(7)));
  double chi_square = 0;
  for (const int count : counts) chi_square += (count - 2000.0) * (count - 2000.0) / 2000.0;
  CHECK(chi_square < 22.5);  // 99.9 % point, 6 degrees of freedom
  CHECK(draw.below(1) == 0);
  CHECK_THROWS_AS(draw.below(0), jessl::ConfigError);
  CHECK_THROWS_WITH(draw.below(-3), "jessl::Draw::below: count is -3, expected at least 1");
}

TEST_CASE("Draw: normal numbers have mean 0, variance 1 and the normal's fourth moment", "[core][draw]") {
  Draw draw({.seed = 13});
  constexpr int draws = 40000;
  double mean = 0, square = 0, fourth = 0;
  for (int i = 0; i < draws; ++i) {
    const double value = draw.normal();
    REQUIRE(std::isfinite(value));
    mean += value / draws;
    square += value * value / draws;
    fourth += value * value * value * value / draws;
  }
  // Four standard errors: 1 / sqrt(n), sqrt(2 / n), sqrt(96 / n).
  CHECK(std::abs(mean) < 0.02);
  CHECK(std::abs(square - 1) < 0.0283);
  CHECK(std::abs(fourth - 3) < 0.196);
}

TEST_CASE("Draw: bernoulli(p) is true with probability p", "[core][draw]") {
  Draw draw({.seed = 14});
  int hits = 0;
  for (int i = 0; i < 10000; ++i) hits += draw.bernoulli(0.3) ? 1 : 0;
  CHECK(std::abs(hits - 3000) < 184);  // four standard deviations, sqrt(10000 * 0.3 * 0.7)
  CHECK_FALSE(draw.bernoulli(0.0));
  CHECK(draw.bernoulli(1.0));
}

TEST_CASE("Draw: shuffle gives all orders of three things equally often", "[core][draw]") {
  std::array<int, 6> counts{};
  constexpr int draws = 6000;
  for (std::uint32_t i = 0; i < draws; ++i) {
    std::array<int, 3> items{0, 1, 2};
    Draw({.epoch = i, .purpose = Purpose::order}).shuffle(std::span<int>(items));
    const int rank = items[0] * 2 + (items[1] > items[2] ? 1 : 0);
    ++counts.at(static_cast<std::size_t>(rank));
  }
  double chi_square = 0;
  for (const int count : counts) chi_square += (count - 1000.0) * (count - 1000.0) / 1000.0;
  CHECK(chi_square < 20.5);  // 99.9 % point, 5 degrees of freedom
}
