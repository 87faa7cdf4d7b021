// SPDX-License-Identifier: Apache-2.0
// Errors: their types and how their messages are put together.
#include <catch2/catch.hpp>

#include <stdexcept>
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

TEST_CASE("fail: joins its parts as a stream prints them", "[core][error]") {
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
