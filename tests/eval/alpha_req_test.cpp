// SPDX-License-Identifier: Apache-2.0
// alpha-ReQ against NumPy's weighted fit and on exact power laws.
#include <catch2/catch.hpp>

#include <cmath>

#include <jessl/eval/alpha_req.hpp>

#include "eval/features.hpp"

namespace {

using Catch::Matchers::Contains;
using jessl::RowMatrix;
using jessl::eval::alpha_req;

/// Centred rows whose covariance has exactly the eigenvalues j^-alpha, up to a factor.
RowMatrix power_law(Eigen::Index columns, double alpha) {
  RowMatrix x = RowMatrix::Zero(2 * columns, columns);
  for (Eigen::Index j = 0; j < columns; ++j) {
    x(2 * j, j) = static_cast<float>(std::pow(static_cast<double>(j) + 1.0, -0.5 * alpha));
    x(2 * j + 1, j) = -x(2 * j, j);
  }
  return x;
}

}  // namespace

TEST_CASE("alpha_req: exponents are those of NumPy's weighted fit", "[eval][alpha_req]") {
  const auto& expected = reference::metrics()["alpha_req"];
  const RowMatrix x = reference::matrix(expected["x"]);
  for (const auto& item : expected["values"]) {
    const auto first = item["first"].get<std::int64_t>();
    const auto last = item["last"].get<std::int64_t>();
    INFO(first << " to " << last);
    CHECK(alpha_req(x, {.first = first, .last = last}) == Approx(item["value"].get<double>()).epsilon(1e-4));
  }
}

TEST_CASE("alpha_req: a power law has its exponent, in any range and rotated", "[eval][alpha_req]") {
  for (const double alpha : {0.0, 0.5, 1.0, 2.0}) {
    INFO(alpha);
    const RowMatrix x = power_law(60, alpha);
    CHECK(alpha_req(x) == Approx(alpha).margin(1e-5));
    CHECK(alpha_req(x, {.first = 1, .last = 2}) == Approx(alpha).margin(1e-5));
    CHECK(alpha_req(reference::rotated(x, 1)) == Approx(alpha).margin(1e-3));  // small eigenvalues, rounded
    CHECK(alpha_req(RowMatrix(40.0F * x)) == Approx(alpha).margin(1e-5));
    CHECK(alpha_req(RowMatrix(x.array() + 0.5F)) == Approx(alpha).margin(1e-3));
  }
}

TEST_CASE("alpha_req: eigenvalues of 0 take no part", "[eval][alpha_req]") {
  RowMatrix x = RowMatrix::Zero(120, 90);
  x.leftCols(60) = power_law(60, 1.0);
  CHECK(alpha_req(x) == Approx(1.0).margin(1e-5));
}

TEST_CASE("alpha_req: too few eigenvalues and a range that is none are errors", "[eval][alpha_req]") {
  CHECK_THROWS_AS(alpha_req(reference::gaussian(2, 100, 11)), jessl::DataError);
  CHECK_THROWS_WITH(alpha_req(reference::gaussian(2, 100, 11)),
                    Contains("jessl::eval::alpha_req: 11 eigenvalues of the covariance are above 0 (up to rounding), "
                             "expected at least 12"));
  CHECK_NOTHROW(alpha_req(reference::gaussian(2, 100, 12)));
  CHECK_THROWS_WITH(alpha_req(reference::gaussian(2, 12, 100)), Contains("11 eigenvalues"));  // one is lost to the mean
  CHECK_THROWS_AS(alpha_req(RowMatrix::Ones(50, 50)), jessl::DataError);
  const auto spectrum = jessl::eval::spectrum(reference::gaussian(2, 100, 30));
  CHECK_THROWS_AS(alpha_req(spectrum, {.first = 0}), jessl::ConfigError);
  CHECK_THROWS_WITH(alpha_req(spectrum, {.first = 5, .last = 5}),
                    "jessl::eval::alpha_req: the range of ranks is 5 to 5, expected 1 <= first < last");
}

TEST_CASE("alpha_req: mistakes are errors, and threads change no bit", "[eval][alpha_req]") {
  const reference::Metric metric = [](const auto& x, auto threads) {
    return alpha_req(x, {.first = 2, .last = 50, .threads = threads});
  };
  reference::check_errors_of_input("jessl::eval::alpha_req", metric);
  reference::check_threads(metric);
}
