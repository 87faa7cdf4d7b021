// SPDX-License-Identifier: Apache-2.0
// CLID's sum over models, worked out by hand.
#include <catch2/catch.hpp>

#include <cmath>
#include <limits>
#include <vector>

#include <jessl/eval/clid.hpp>
#include <jessl/eval/cluster_learnability.hpp>
#include <jessl/eval/intrinsic_dimension.hpp>

#include "eval/features.hpp"

namespace {

using Catch::Matchers::Contains;
using jessl::eval::clid;

}  // namespace

TEST_CASE("clid: the example of the documentation runs", "[eval][clid]") {
  const std::vector<jessl::RowMatrix> features_of_models = {
      reference::gaussian(1, 300, 4), reference::gaussian(2, 300, 12), reference::gaussian(3, 300, 60)};
  // [example]
  std::vector<double> learnabilities;
  std::vector<double> dimensions;
  for (const jessl::RowMatrix& features : features_of_models) {
    learnabilities.push_back(jessl::eval::cluster_learnability(features));
    dimensions.push_back(jessl::eval::intrinsic_dimension(features));
  }
  const std::vector<double> scores = jessl::eval::clid(learnabilities, dimensions);  // one a model
  // [/example]
  REQUIRE(scores.size() == 3);
  CHECK(learnabilities[0] > learnabilities[2]);
  CHECK(dimensions[0] < dimensions[2]);
}

TEST_CASE("clid: is the sum of standardised parts, worked out by hand", "[eval][clid]") {
  // Learnabilities: mean 0.5, variance 0.02 / 3. Dimensions: mean 20, deviations of -10, 0 and 10, variance 200 / 3.
  const std::vector<double> scores = clid(std::vector{0.4, 0.6, 0.5}, std::vector{10.0, 20.0, 30.0});
  const double deviation = std::sqrt(0.02 / 3.0);
  const double dimension = std::sqrt(200.0 / 3.0);
  REQUIRE(scores.size() == 3);
  CHECK(scores[0] == Approx(-0.1 / deviation - 10.0 / dimension).epsilon(1e-12));
  CHECK(scores[1] == Approx(0.1 / deviation).epsilon(1e-12));
  CHECK(scores[2] == Approx(10.0 / dimension).epsilon(1e-12));
  CHECK(scores[0] + scores[1] + scores[2] == Approx(0.0).margin(1e-12));
}

TEST_CASE("clid: a common scale and shift of a part do not matter, and an equal part adds nothing", "[eval][clid]") {
  const std::vector<double> learnabilities = {0.1, 0.3, 0.2, 0.9};
  const std::vector<double> dimensions = {5.0, 4.0, 11.0, 7.0};
  std::vector<double> moved = dimensions;
  for (double& value : moved) value = 3.0 * value + 100.0;
  const auto expected = clid(learnabilities, dimensions);
  const auto scores = clid(learnabilities, moved);
  for (std::size_t i = 0; i < 4; ++i) CHECK(scores[i] == Approx(expected[i]).epsilon(1e-12));
  CHECK(clid(std::vector(3, 0.1), std::vector(3, 7.3)) == std::vector(3, 0.0));
}

TEST_CASE("clid: lengths that differ, one model and numbers that are none are errors", "[eval][clid]") {
  CHECK_THROWS_AS(clid(std::vector{0.1, 0.2}, std::vector{1.0}), jessl::ShapeError);
  CHECK_THROWS_WITH(clid(std::vector{0.1, 0.2}, std::vector{1.0}),
                    "jessl::eval::clid: 2 learnabilities but 1 dimensions, expected one each of every model");
  CHECK_THROWS_AS(clid(std::vector{0.1}, std::vector{1.0}), jessl::DataError);
  CHECK_THROWS_WITH(clid(std::vector<double>{}, std::vector<double>{}), Contains("there are 0 models"));
  const double infinite = std::numeric_limits<double>::infinity();
  CHECK_THROWS_WITH(clid(std::vector{0.1, 0.2}, std::vector{1.0, infinite}), Contains("dimensions[1] is inf"));
  CHECK_THROWS_AS(clid(std::vector{std::nan(""), 0.2}, std::vector{1.0, 2.0}), jessl::DataError);
}
