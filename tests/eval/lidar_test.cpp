// SPDX-License-Identifier: Apache-2.0
// LiDAR against the matrices of its definition, and where objects and views are told apart by construction.
#include <catch2/catch.hpp>

#include <cmath>

#include <jessl/eval/lidar.hpp>
#include <jessl/eval/rank_me.hpp>

#include "eval/features.hpp"

namespace {

using Catch::Matchers::Contains;
using jessl::RowMatrix;
using jessl::eval::lidar;

/// Objects that differ in the first `directions` columns; `views` of each, which differ a little in all of them.
RowMatrix views_of_objects(std::uint64_t seed, Eigen::Index objects, Eigen::Index views, Eigen::Index columns,
                           Eigen::Index directions) {
  RowMatrix x = 0.1F * reference::gaussian(seed, objects * views, columns);
  const RowMatrix means = reference::gaussian(seed + 100, objects, directions);
  for (Eigen::Index row = 0; row < x.rows(); ++row) x.row(row).head(directions) += means.row(row / views);
  return x;
}

}  // namespace

TEST_CASE("lidar: the example of the documentation runs", "[eval][lidar]") {
  const RowMatrix features = views_of_objects(1, 300, 10, 16, 5);
  // [example]
  // Row i * 10 + j is view j of object i.
  const double rank = jessl::eval::lidar(features, 10);
  // [/example]
  CHECK(rank > 4.5);  // all five directions
  CHECK(rank < 5.5);
}

TEST_CASE("lidar: values are SciPy's, with more objects than dimensions and fewer", "[eval][lidar]") {
  for (const auto& item : reference::metrics()["lidar"]) {
    const auto views = item["views"].get<std::int64_t>();
    const double delta = item["delta"].get<double>();
    INFO(views << " views, delta " << delta);
    CHECK(lidar(reference::matrix(item["x"]), views, {.delta = delta}) ==
          Approx(item["value"].get<double>()).epsilon(1e-9));
  }
}

TEST_CASE("lidar: directions in which views differ as objects do count little, unlike for RankMe", "[eval][lidar]") {
  RowMatrix x = views_of_objects(2, 400, 8, 12, 3);
  x.rightCols(6) *= 20.0F;  // noise of every view: 2, where objects differ by 1
  CHECK(lidar(x, 8) < 4.0);
  CHECK(jessl::eval::rank_me(x) > 7.0);
}

TEST_CASE("lidar: an invertible linear map and a shift do not matter where delta is small", "[eval][lidar]") {
  const RowMatrix x = views_of_objects(3, 200, 5, 8, 8);
  const double expected = lidar(x, 5, {.delta = 1e-9});
  const Eigen::MatrixXd map = reference::gaussian(4, 8, 8).cast<double>() + 3.0 * Eigen::MatrixXd::Identity(8, 8);
  const RowMatrix mapped = (x.cast<double>() * map).cast<float>();
  CHECK(lidar(mapped, 5, {.delta = 1e-9}) == Approx(expected).epsilon(1e-4));
  CHECK(lidar(RowMatrix(x.array() + 10.0F), 5, {.delta = 1e-9}) == Approx(expected).epsilon(1e-4));
  CHECK(lidar(reference::rotated(x, 5), 5) == Approx(lidar(x, 5)).epsilon(1e-5));
}

TEST_CASE("lidar: scaling features and the root of delta together does not matter", "[eval][lidar]") {
  const RowMatrix x = views_of_objects(6, 60, 4, 10, 4);
  CHECK(lidar(RowMatrix(0x1p10F * x), 4, {.delta = 1e-2 * 0x1p20}) == lidar(x, 4, {.delta = 1e-2}));
}

TEST_CASE("lidar: the order of the objects and of an object's views does not matter", "[eval][lidar]") {
  const RowMatrix x = views_of_objects(7, 50, 4, 6, 6);
  CHECK(lidar(RowMatrix(x.colwise().reverse()), 4) == Approx(lidar(x, 4)).epsilon(1e-6));
}

TEST_CASE("lidar: two objects are told apart in one direction", "[eval][lidar]") {
  // One eigenvalue, and seven zeros with 1e-7 each.
  CHECK(lidar(views_of_objects(8, 2, 30, 8, 8), 30) == Approx(1.0).epsilon(1e-4));
}

TEST_CASE("lidar: equal objects have 0; views without differences and dead columns are possible", "[eval][lidar]") {
  CHECK(lidar(RowMatrix::Constant(30, 4, 0.1F), 3) == 0.0);
  CHECK(lidar(RowMatrix::Zero(30, 4), 3) == 0.0);
  RowMatrix same = RowMatrix::Zero(40, 6);
  const RowMatrix objects = reference::gaussian(9, 20, 6);
  for (Eigen::Index row = 0; row < 40; ++row) same.row(row) = objects.row(row / 2);
  CHECK(lidar(same, 2) > 4.0);  // delta alone: the spread of the objects in six dimensions
  same.col(3).setConstant(5.0F);
  CHECK(lidar(same, 2) > 3.0);
  CHECK(lidar(same, 2) < 5.001);
}

TEST_CASE("lidar: large features without differences between views in most directions stay possible", "[eval][lidar]") {
  // The scatter of the views has rank 3 of 40 and entries of 1e24: its rounding is far above delta.
  const RowMatrix noise = 1e12F * (reference::gaussian(10, 90, 3) * reference::gaussian(11, 3, 40));
  const double rank = lidar(noise, 3);
  CHECK(rank >= 1.0);
  CHECK(rank <= 40.0);
}

TEST_CASE("lidar: views, delta and rows that do not fit are errors", "[eval][lidar]") {
  const RowMatrix x = reference::gaussian(12, 12, 3);
  CHECK_THROWS_AS(lidar(x, 1), jessl::ConfigError);
  CHECK_THROWS_WITH(lidar(x, 1), "jessl::eval::lidar: views is 1, expected at least 2 of each object");
  CHECK_THROWS_AS(lidar(x, 5), jessl::ShapeError);
  CHECK_THROWS_WITH(lidar(x, 5), Contains("X is [12, 3] with 5 views of each object, expected a multiple of 5 rows"));
  CHECK_THROWS_AS(lidar(x, 12), jessl::DataError);
  CHECK_THROWS_WITH(lidar(x, 12), Contains("X is [12, 3], expected at least 24 rows"));
  CHECK_THROWS_AS(lidar(x, 3, {.delta = 0.0}), jessl::ConfigError);
  CHECK_THROWS_WITH(lidar(x, 3, {.delta = -1.0}), Contains("delta is -1, expected a finite number > 0"));
}

TEST_CASE("lidar: mistakes are errors, and threads change no bit", "[eval][lidar]") {
  const reference::Metric metric = [](const auto& x, auto threads) { return lidar(x, 2, {.threads = threads}); };
  reference::check_errors_of_input("jessl::eval::lidar", metric);
  reference::check_threads(metric);
}
