// SPDX-License-Identifier: Apache-2.0
// Average precision on rankings that can be counted by hand, and against scikit-learn.
#include <catch2/catch.hpp>

#include <cmath>
#include <limits>
#include <vector>

#include <jessl/core/draw.hpp>
#include <jessl/eval/mean_average_precision.hpp>

#include "eval/reference.hpp"

namespace {

using Catch::Matchers::Contains;
using jessl::RowMatrix;
using jessl::eval::average_precision;
using jessl::eval::mean_average_precision;

/// The average precision of one label whose images have these scores.
double precision_of(const std::vector<float>& ranks, const std::vector<float>& targets) {
  const auto rows = static_cast<Eigen::Index>(ranks.size());
  return average_precision(Eigen::Map<const RowMatrix>(ranks.data(), rows, 1),
                           Eigen::Map<const RowMatrix>(targets.data(), rows, 1))[0];
}

}  // namespace

TEST_CASE("mean_average_precision: rankings counted by hand", "[eval][mean_average_precision]") {
  CHECK(precision_of({4, 3, 2, 1}, {1, 1, 0, 0}) == 1.0);
  // Positives at ranks 1 and 3: precisions 1/1 and 2/3 at a recall of 1/2 more each.
  CHECK(precision_of({4, 3, 2, 1}, {1, 0, 1, 0}) == Approx(0.5 * (1.0 + 2.0 / 3.0)).epsilon(1e-15));
  CHECK(precision_of({4, 3, 2, 1}, {0, 0, 0, 1}) == 0.25);
  CHECK(precision_of({1, 2}, {1, 1}) == 1.0);
}

TEST_CASE("mean_average_precision: images with equal scores count together", "[eval][mean_average_precision]") {
  // One score for all: the precision is the share of positives, in whatever order they stand.
  CHECK(precision_of({1, 1, 1, 1}, {1, 0, 0, 0}) == 0.25);
  CHECK(precision_of({1, 1, 1, 1}, {0, 0, 0, 1}) == 0.25);
  // A positive alone, then three of which one is positive: 1/2 * 1 + 1/2 * 2/4.
  CHECK(precision_of({9, 5, 5, 5}, {1, 0, 1, 0}) == 0.75);
  CHECK(precision_of({0.0F, -0.0F}, {1, 0}) == 0.5);
  constexpr float infinity = std::numeric_limits<float>::infinity();
  CHECK(precision_of({-infinity, 3, infinity}, {0, 1, 1}) == 1.0);
}

TEST_CASE("mean_average_precision: precisions and their mean are scikit-learn's", "[eval][mean_average_precision]") {
  const auto& expected = reference::probes()["precision"];
  const RowMatrix scores = reference::matrix(expected["scores"]);
  const RowMatrix targets = reference::matrix(expected["targets"]);
  const auto precisions = average_precision(scores, targets);
  REQUIRE(precisions.size() == 5);
  for (std::size_t c = 0; c < 4; ++c)
    CHECK(precisions[c] == Approx(expected["average_precision"][c].get<double>()).epsilon(1e-13));
  CHECK(std::isnan(precisions[4]));  // no image has the last label, and the mean is that of the others
  CHECK(mean_average_precision(scores, targets) ==
        Approx(expected["mean_average_precision"].get<double>()).epsilon(1e-13));
}

TEST_CASE("mean_average_precision: neither the order of the images nor a rising function of the scores matters",
          "[eval][mean_average_precision]") {
  const auto& expected = reference::probes()["precision"];
  const RowMatrix scores = reference::matrix(expected["scores"]);
  const RowMatrix targets = reference::matrix(expected["targets"]);
  const double value = mean_average_precision(scores, targets);
  CHECK(mean_average_precision(scores.colwise().reverse(), targets.colwise().reverse()) == value);
  CHECK(mean_average_precision(RowMatrix(scores.array() * 8.0F - 1.0F), targets) == value);
}

TEST_CASE("mean_average_precision: shapes, targets and scores that cannot be used are errors",
          "[eval][mean_average_precision]") {
  const RowMatrix scores = RowMatrix::Zero(3, 2);
  const RowMatrix targets = RowMatrix::Identity(3, 2);
  CHECK_THROWS_AS(mean_average_precision(scores, RowMatrix::Zero(2, 2)), jessl::ShapeError);
  CHECK_THROWS_WITH(
      mean_average_precision(scores, RowMatrix::Zero(2, 2)),
      "jessl::eval::mean_average_precision: scores is [3, 2] but targets is [2, 2], expected the same shape");
  CHECK_THROWS_AS(mean_average_precision(RowMatrix(0, 2), RowMatrix(0, 2)), jessl::DataError);
  CHECK_THROWS_AS(average_precision(RowMatrix(3, 0), RowMatrix(3, 0)), jessl::DataError);
  CHECK_THROWS_AS(mean_average_precision(scores, RowMatrix::Zero(3, 2)), jessl::DataError);
  CHECK_THROWS_WITH(mean_average_precision(scores, RowMatrix::Zero(3, 2)),
                    Contains("targets has no 1, expected at least one image with a label"));
  RowMatrix soft = targets;
  soft(2, 1) = 0.5F;
  CHECK_THROWS_AS(mean_average_precision(scores, soft), jessl::DataError);
  CHECK_THROWS_WITH(average_precision(scores, soft),
                    Contains("jessl::eval::average_precision: targets(2, 1) is 0.5, expected 1 for an image"));
  RowMatrix broken = scores;
  broken(1, 0) = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_WITH(mean_average_precision(broken, targets), Contains("scores(1, 0) is nan, expected a number"));
}
