// SPDX-License-Identifier: Apache-2.0
// Errors of regressions by hand and against scikit-learn.
#include <catch2/catch.hpp>

#include <limits>

#include <jessl/eval/r2_score.hpp>

#include "eval/reference.hpp"

namespace {

using Catch::Matchers::Contains;
using jessl::RowMatrix;
using jessl::eval::mean_squared_error;
using jessl::eval::r2_score;

}  // namespace

TEST_CASE("r2_score: a case worked out by hand", "[eval][r2_score]") {
  // Targets 1, 2, 3: squared deviations from the mean add up to 2. Errors 0, 1, 0: 1 - 1/2.
  const RowMatrix targets = (RowMatrix(3, 1) << 1, 2, 3).finished();
  const RowMatrix predicted = (RowMatrix(3, 1) << 1, 3, 3).finished();
  CHECK(r2_score(predicted, targets) == Approx(0.5).epsilon(1e-15));
  CHECK(mean_squared_error(predicted, targets) == Approx(1.0 / 3.0).epsilon(1e-15));
  CHECK(r2_score(targets, targets) == 1.0);
  CHECK(r2_score(RowMatrix::Constant(3, 1, 2.0F), targets) == 0.0);
  CHECK(r2_score(RowMatrix::Zero(3, 1), targets) == Approx(-6.0).epsilon(1e-15));  // 1 - 14/2
}

TEST_CASE("r2_score: values of several targets are scikit-learn's", "[eval][r2_score]") {
  const auto& expected = reference::probes()["regression"];
  const RowMatrix targets = reference::matrix(reference::probes()["targets"]);
  const RowMatrix predicted = reference::matrix(expected["predicted"]);
  CHECK(r2_score(predicted, targets) == Approx(expected["r2_score"].get<double>()).epsilon(1e-12));
  CHECK(mean_squared_error(predicted, targets) == Approx(expected["mean_squared_error"].get<double>()).epsilon(1e-12));
}

TEST_CASE("r2_score: a constant target counts 1 when it is predicted exactly, else 0", "[eval][r2_score]") {
  const RowMatrix targets = RowMatrix::Constant(1001, 1, 0.1F);
  CHECK(r2_score(targets, targets) == 1.0);
  CHECK(r2_score(RowMatrix::Constant(1001, 1, 0.2F), targets) == 0.0);
  const RowMatrix with_another = (RowMatrix(2, 2) << 1, 0, 1, 4).finished();
  CHECK(r2_score((RowMatrix(2, 2) << 2, 0, 2, 4).finished(), with_another) == 0.5);
}

TEST_CASE("r2_score: shapes and numbers that cannot be used are errors", "[eval][r2_score]") {
  const RowMatrix numbers = RowMatrix::Identity(3, 2);
  CHECK_THROWS_AS(r2_score(numbers, RowMatrix::Zero(3, 1)), jessl::ShapeError);
  CHECK_THROWS_WITH(mean_squared_error(numbers, RowMatrix::Zero(3, 1)),
                    Contains("predicted is [3, 2] but targets is [3, 1], expected the same shape"));
  CHECK_THROWS_AS(mean_squared_error(RowMatrix(0, 2), RowMatrix(0, 2)), jessl::DataError);
  CHECK_THROWS_WITH(r2_score(numbers.topRows(1), numbers.topRows(1)),
                    "jessl::eval::r2_score: targets is [1, 2], expected at least 2 rows and one column");
  CHECK(mean_squared_error(numbers.topRows(1), numbers.topRows(1)) == 0.0);
  RowMatrix broken = numbers;
  broken(1, 1) = std::numeric_limits<float>::infinity();
  CHECK_THROWS_AS(r2_score(broken, numbers), jessl::DataError);
  CHECK_THROWS_WITH(r2_score(broken, numbers), Contains("predicted(1, 1) is inf, expected a finite number"));
  CHECK_THROWS_WITH(mean_squared_error(numbers, broken), Contains("targets(1, 1) is inf, expected a finite number"));
}
