// SPDX-License-Identifier: Apache-2.0
// Errors: their types and how their messages are put together.
#include <catch2/catch.hpp>

#include <limits>
#include <locale>
#include <stdexcept>
#include <string>
#include <type_traits>

#include <jessl/core/error.hpp>

TEST_CASE("Error: every kind is a jessl::Error and a std::runtime_error", "[core][error]") {
  static_assert(std::is_base_of_v<std::runtime_error, jessl::Error>);
  static_assert(std::is_base_of_v<jessl::Error, jessl::ShapeError>);
  static_assert(std::is_base_of_v<jessl::Error, jessl::ConfigError>);
  static_assert(std::is_base_of_v<jessl::Error, jessl::DataError>);
  static_assert(std::is_base_of_v<jessl::Error, jessl::IOError>);
  static_assert(std::is_base_of_v<jessl::Error, jessl::DivergenceError>);
  static_assert(std::is_base_of_v<jessl::Error, jessl::InternalError>);
  SUCCEED();
}

TEST_CASE("concat: numbers are told from all others, whatever language the program speaks", "[core][error]") {
  CHECK(jessl::concat(1.0000001, ' ', 0.1, ' ', 0.1F, ' ', 1.0 / 3.0) == "1.0000001 0.1 0.1 0.3333333333333333");
  CHECK(jessl::concat(224.0, ' ', 1e-5, ' ', -2.5e300, ' ', 0.0) == "224 1e-05 -2.5e+300 0");
  constexpr double infinity = std::numeric_limits<double>::infinity();
  CHECK(jessl::concat(infinity, ' ', -infinity, ' ', std::numeric_limits<float>::quiet_NaN()) == "inf -inf nan");
  CHECK(jessl::concat(std::numeric_limits<long double>::denorm_min()).size() < 64);

  struct German : std::numpunct<char> {
    char do_decimal_point() const override { return ','; }
    char do_thousands_sep() const override { return '.'; }
    std::string do_grouping() const override { return "\3"; }
  };
  const std::locale before = std::locale::global(std::locale(std::locale::classic(), new German));
  const std::string text = jessl::concat(60000, " images, ", 0.5);
  std::locale::global(before);
  CHECK(text == "60000 images, 0.5");
}

TEST_CASE("fail: joins its parts", "[core][error]") {
  CHECK(jessl::concat("k is ", 3, ", expected ", 0.5, '!') == "k is 3, expected 0.5!");
  CHECK_THROWS_AS(jessl::fail<jessl::DataError>("x"), jessl::DataError);
  CHECK_THROWS_WITH(jessl::fail<jessl::DataError>("file ", 7, " ends at byte ", 12), "file 7 ends at byte 12");
}

TEST_CASE("JESSL_CHECK: throws its message if the condition is false, and evaluates it only then", "[core][error]") {
  int printed = 0;
  const auto print = [&printed] { return ++printed; };
  JESSL_CHECK(1 < 2, jessl::ConfigError, "number ", print());
  CHECK(printed == 0);
  CHECK_THROWS_AS([&] { JESSL_CHECK(2 < 1, jessl::ConfigError, "number ", print()); }(), jessl::ConfigError);
  CHECK(printed == 1);
}

TEST_CASE("JESSL_ASSERT: names the place and asks for a report", "[core][error]") {
  CHECK_THROWS_AS([] { JESSL_ASSERT(false, "queue is empty"); }(), jessl::InternalError);
  CHECK_THROWS_WITH([] { JESSL_ASSERT(false, "queue is empty"); }(), Catch::Contains("error_test.cpp:") &&
                                                                         Catch::Contains("queue is empty") &&
                                                                         Catch::Contains("please report"));
}
