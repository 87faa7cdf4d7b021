// SPDX-License-Identifier: Apache-2.0
// Alignment against NumPy and worked out by hand.
#include <catch2/catch.hpp>

#include <cmath>

#include <jessl/eval/alignment.hpp>

#include "eval/features.hpp"

namespace {

using Catch::Matchers::Contains;
using jessl::RowMatrix;
using jessl::eval::alignment;

}  // namespace

TEST_CASE("alignment: values are NumPy's", "[eval][alignment]") {
  for (const auto& item : reference::metrics()["alignment"]) {
    const double alpha = item["alpha"].get<double>();
    INFO("alpha " << alpha);
    CHECK(alignment(reference::matrix(item["a"]), reference::matrix(item["b"]), {.alpha = alpha}) ==
          Approx(item["value"].get<double>()).epsilon(1e-12));
  }
}

TEST_CASE("alignment: right angles, opposite and equal directions, worked out by hand", "[eval][alignment]") {
  const RowMatrix a = (RowMatrix(3, 2) << 2, 0, 0, 3, 1, 1).finished();
  const RowMatrix b = (RowMatrix(3, 2) << 0, 5, 0, -1, 4, 4).finished();
  CHECK(alignment(a, b) == Approx((2.0 + 4.0 + 0.0) / 3.0).epsilon(1e-12));
  CHECK(alignment(a, b, {.alpha = 1.0}) == Approx((std::sqrt(2.0) + 2.0) / 3.0).epsilon(1e-12));
  CHECK(alignment(a, a) == Approx(0.0).margin(1e-30));  // one of two products may be fused with the difference
  CHECK(alignment(a, RowMatrix(-a)) == Approx(4.0).epsilon(1e-12));
}

TEST_CASE("alignment: unrelated directions in many dimensions have 2^(alpha / 2)", "[eval][alignment]") {
  const RowMatrix a = reference::gaussian(1, 1500, 400);
  const RowMatrix b = reference::gaussian(2, 1500, 400);
  CHECK(alignment(a, b) == Approx(2.0).epsilon(0.01));
  CHECK(alignment(a, b, {.alpha = 3.0}) == Approx(std::pow(2.0, 1.5)).epsilon(0.01));
}

TEST_CASE("alignment: sides, lengths and a common rotation do not matter", "[eval][alignment]") {
  const RowMatrix a = reference::gaussian(3, 50, 8);
  const RowMatrix b = a + 0.3F * reference::gaussian(4, 50, 8);
  const double expected = alignment(a, b);
  CHECK(alignment(b, a) == Approx(expected).epsilon(1e-12));
  CHECK(alignment(RowMatrix(1e30F * a), RowMatrix(1e-30F * b)) == Approx(expected).epsilon(1e-5));
  CHECK(alignment(reference::rotated(a, 5), reference::rotated(b, 5)) == Approx(expected).epsilon(1e-5));
  // Close views: the difference is taken before it is squared.
  RowMatrix close = a;
  close(0, 0) = std::nextafter(close(0, 0), 100.0F);
  CHECK(alignment(a, close) > 0.0);
}

TEST_CASE("alignment: rows of zeros are in the middle", "[eval][alignment]") {
  const RowMatrix zero = RowMatrix::Zero(2, 3);
  CHECK(alignment(zero, zero) == 0.0);
  CHECK(alignment(zero, RowMatrix::Ones(2, 3)) == Approx(1.0).epsilon(1e-12));
}

TEST_CASE("alignment: shapes that differ and a power out of range are errors", "[eval][alignment]") {
  const RowMatrix a = reference::gaussian(6, 4, 3);
  CHECK_THROWS_AS(alignment(a, a.topRows(3)), jessl::ShapeError);
  CHECK_THROWS_WITH(alignment(a, a.leftCols(2)),
                    "jessl::eval::alignment: A is [4, 3] but B is [4, 2], expected equal "
                    "shapes: a row each of every image");
  CHECK_THROWS_AS(alignment(a, a, {.alpha = 0.0}), jessl::ConfigError);
  CHECK_THROWS_WITH(alignment(a, a, {.alpha = -2.0}), Contains("alpha is -2, expected a finite number > 0"));
  RowMatrix broken = a;
  broken(2, 1) = std::nanf("");
  CHECK_THROWS_WITH(alignment(a, broken), Contains("jessl::eval::alignment: B(2, 1) is nan"));
}

TEST_CASE("alignment: mistakes are errors, and threads change no bit", "[eval][alignment]") {
  const reference::Metric metric = [](const auto& x, auto threads) {
    return alignment(x, RowMatrix(x.colwise().reverse()), {.threads = threads});
  };
  reference::check_errors_of_input("jessl::eval::alignment", metric, "A");
  reference::check_threads(metric);
}
