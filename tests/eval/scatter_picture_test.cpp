// SPDX-License-Identifier: Apache-2.0
// Maps of points: where the discs are, in which colours and order, how their edges look, and what is refused.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include <jessl/core/draw.hpp>
#include <jessl/eval/pca.hpp>
#include <jessl/eval/scatter_picture.hpp>

#include "eval/pixels.hpp"
#include "eval/reference.hpp"

namespace {

using Catch::Matchers::Contains;
using jessl::Image;
using jessl::RowMatrix;
using jessl::eval::class_colour;
using jessl::eval::palette;
using jessl::eval::RGB;
using jessl::eval::scatter_picture;
using Classes = std::vector<std::int64_t>;

RowMatrix points(std::initializer_list<std::initializer_list<float>> rows) {
  RowMatrix result(static_cast<Eigen::Index>(rows.size()), 2);
  Eigen::Index i = 0;
  for (const auto& row : rows) {
    result(i, 0) = row.begin()[0];
    result(i++, 1) = row.begin()[1];
  }
  return result;
}

}  // namespace

TEST_CASE("scatter_picture: the example of the documentation runs", "[eval][scatter_picture]") {
  const reference::Clusters clusters(1, 200, 12, 3);
  const RowMatrix& features = clusters.x;
  const std::vector<std::int64_t>& labels = clusters.y;
  // [example]
  const jessl::RowMatrix plane = jessl::eval::PCA{.components = 2}.fit(features).transform(features);
  const jessl::Image map = jessl::eval::scatter_picture(plane, labels, {.size = 320, .radius = 3.0});
  // [/example]
  CHECK(map.height == 320);
  CHECK(map.width == 320 + 8 + 10);
  for (std::int64_t c = 0; c < 3; ++c) CHECK(pixels::count(map, class_colour(c)) > 64);  // more than the legend has
  CHECK(pixels::count(map, class_colour(3)) == 0);
}

TEST_CASE("scatter_picture: discs lie at one scale on both axes, y upwards, in their class's colour",
          "[eval][scatter_picture]") {
  // The inside is 320 - 2 (10 + 4) = 292 pixels for the range 4 of x: 73 a unit, about the middle (2, 0.5).
  const RowMatrix x = points({{0, 0}, {4, 1}, {2, 0}, {2, 1}});
  const Image map = scatter_picture(x, Classes{0, 1, 2, 3}, {.size = 320, .radius = 4.0});
  REQUIRE(map.channels == 3);
  const auto centre = [&](double px, double py) {
    return std::pair{160.0 + 73.0 * (px - 2.0), 160.0 - 73.0 * (py - 0.5)};  // column and row
  };
  for (Eigen::Index i = 0; i < 4; ++i) {
    const auto [column, row] = centre(x(i, 0), x(i, 1));
    const auto left = static_cast<std::int64_t>(column);
    const auto top = static_cast<std::int64_t>(row);
    CHECK(pixels::at(map, top, left) == class_colour(i));
    CHECK(pixels::at(map, top + 3, left) == class_colour(i));
    CHECK(pixels::at(map, top - 3, left - 1) == class_colour(i));
    CHECK(pixels::at(map, top + 5, left) == pixels::white);
    CHECK(pixels::at(map, top, left - 6) == pixels::white);
    CHECK(pixels::at(map, top - 4, left - 4) == pixels::white);  // a disc, no square
  }
  CHECK(pixels::at(map, 160, 160) == pixels::white);
  // The extreme discs end at the margin of 10 pixels, to within a pixel's smoothing.
  CHECK(pixels::count(map, {.height = 320, .width = 10}, pixels::white) == 3200);
  CHECK(pixels::count(map, {.height = 320, .width = 11}, pixels::white) < 3520);
}

TEST_CASE("scatter_picture: the edge of a disc is smooth, and as much is covered as a disc has",
          "[eval][scatter_picture]") {
  for (const double radius : {1.0, 1.7, 2.5, 7.3}) {
    INFO("radius " << radius);
    const Image map = scatter_picture(points({{0.3F, 0.7F}}), Classes{-1}, {.size = 64, .radius = radius});
    REQUIRE(map.width == 64);  // no class, no legend
    double covered = 0.0;
    std::int64_t partly = 0;
    for (std::int64_t y = 0; y < 64; ++y) {
      for (std::int64_t x = 0; x < 64; ++x) {
        const double share = (255.0 - pixels::at(map, y, x)[0]) / (255.0 - jessl::eval::unlabelled_colour[0]);
        covered += share;
        partly += share > 0.05 && share < 0.95 ? 1 : 0;
      }
    }
    CHECK(covered == Approx(3.14159 * radius * radius).epsilon(0.08));
    CHECK(partly >= 4);
  }
  // A single point is in the middle, between four pixels: the picture is its own mirror image.
  const Image map = scatter_picture(points({{5, 5}}), Classes{0}, {.size = 64, .radius = 5.0});
  for (std::int64_t y = 0; y < 64; ++y) {
    for (std::int64_t x = 0; x < 64; ++x) {
      CHECK(pixels::at(map, y, x) == pixels::at(map, y, 63 - x));
      CHECK(pixels::at(map, y, x) == pixels::at(map, x, y));
    }
  }
}

TEST_CASE("scatter_picture: points lie over each other in the order of the seed, those without a label below",
          "[eval][scatter_picture]") {
  // Many at one place: the last to be drawn is seen. It is the shuffled order's last one that has a label.
  constexpr std::int64_t count = 50;
  const RowMatrix x = RowMatrix::Zero(count, 2);
  Classes labels(count);
  for (std::int64_t i = 0; i < count; ++i) labels[static_cast<std::size_t>(i)] = i % 11 - 1;
  Classes seen;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    std::vector<std::size_t> order(labels.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    jessl::Draw({.seed = seed, .operation = 1, .purpose = jessl::Purpose::order}).shuffle(std::span(order));
    std::int64_t expected = -1;
    for (const std::size_t row : order) {
      if (labels[row] >= 0) expected = labels[row];
    }
    const Image map = scatter_picture(x, labels, {.size = 64, .seed = seed});
    CHECK(pixels::at(map, 32, 32) == class_colour(expected));
    CHECK(scatter_picture(x, labels, {.size = 64, .seed = seed}).pixels == map.pixels);
    seen.push_back(expected);
  }
  std::sort(seen.begin(), seen.end());
  CHECK(std::unique(seen.begin(), seen.end()) - seen.begin() > 3);  // no class is always on top
}

TEST_CASE("scatter_picture: the legend has the classes' squares from the top, at most ten", "[eval][scatter_picture]") {
  // Squares of 16 pixels, 8 between them, from row 20 on, in the columns after the map.
  const Image map = scatter_picture(points({{0, 0}, {1, 1}}), Classes{3, 0}, {.size = 640});
  REQUIRE(map.width == 640 + 16 + 20);
  REQUIRE(map.height == 640);
  for (std::int64_t c = 0; c < 4; ++c) {
    const jessl::Region square{.top = 20 + 24 * c, .left = 640, .height = 16, .width = 16};
    CHECK(pixels::count(map, square, palette[static_cast<std::size_t>(c)]) == 256);
    CHECK(pixels::at(map, square.top - 1, 648) == pixels::white);
    CHECK(pixels::at(map, square.bottom(), 648) == pixels::white);
  }
  CHECK(pixels::count(map, {.top = 116, .left = 640, .height = 640 - 116, .width = 36}, pixels::white) ==
        (640 - 116) * 36);
  CHECK(pixels::at(map, 20, 656) == pixels::white);

  const std::int64_t far = std::numeric_limits<std::int64_t>::max();
  for (const std::int64_t size : {64, 97, 640}) {  // ten fit into the smallest picture
    const Image many = scatter_picture(points({{0, 0}, {1, 1}}), Classes{far, 0}, {.size = size, .radius = 1.0});
    const std::int64_t square = std::max<std::int64_t>(4, size / 40);
    REQUIRE(many.width == size + square + size / 32);
    for (const RGB& colour : palette)
      CHECK(pixels::count(many, {.left = size, .height = size, .width = square}, colour) == square * square);
  }
}

TEST_CASE("scatter_picture: equal points, and coordinates of any size", "[eval][scatter_picture]") {
  for (const float scale : {1e-40F, 1e-3F, 1e37F}) {
    const Image map = scatter_picture(scale * points({{-3, 0}, {3, 0}, {0, 0}}), Classes{0, 1, 2}, {.size = 64});
    CHECK(pixels::at(map, 32, 4) == palette[0]);
    CHECK(pixels::at(map, 32, 59) == palette[1]);
    CHECK(pixels::at(map, 32, 32) == palette[2]);
  }
  const Image equal = scatter_picture(points({{7, -2}, {7, -2}}), Classes{4, 4}, {.size = 64});
  CHECK(pixels::at(equal, 31, 31) == palette[4]);
}

TEST_CASE("scatter_picture: other shapes, labels, settings and NaN are errors", "[eval][scatter_picture]") {
  const RowMatrix x = points({{0, 0}, {1, 1}});
  CHECK_THROWS_AS(scatter_picture(RowMatrix::Zero(4, 3), Classes(4)), jessl::ShapeError);
  CHECK_THROWS_WITH(scatter_picture(RowMatrix::Zero(4, 3), Classes(4)),
                    Contains("jessl::eval::scatter_picture: points is [4, 3], expected [N, 2]"));
  CHECK_THROWS_AS(scatter_picture(x, Classes(3)), jessl::ShapeError);
  CHECK_THROWS_WITH(scatter_picture(x, Classes(3)), Contains("points is [2, 2] but there are 3 labels"));
  CHECK_THROWS_AS(scatter_picture(RowMatrix(0, 2), Classes()), jessl::DataError);
  CHECK_THROWS_WITH(scatter_picture(RowMatrix(0, 2), Classes()),
                    Contains("points is [0, 2], expected at least one row"));
  RowMatrix broken = x;
  broken(1, 0) = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_AS(scatter_picture(broken, Classes(2)), jessl::DataError);
  CHECK_THROWS_WITH(scatter_picture(broken, Classes(2)), Contains("points(1, 0) is nan"));
  CHECK_THROWS_AS(scatter_picture(x, Classes(2), {.size = 63}), jessl::ConfigError);
  CHECK_THROWS_WITH(scatter_picture(x, Classes(2), {.size = 16385}), Contains("size is 16385, expected 64 to 16384"));
  for (const double radius : {0.9, 8.1, -1.0, std::numeric_limits<double>::quiet_NaN()}) {
    CHECK_THROWS_AS(scatter_picture(x, Classes(2), {.size = 64, .radius = radius}), jessl::ConfigError);
    CHECK_THROWS_WITH(scatter_picture(x, Classes(2), {.size = 64, .radius = radius}),
                      Contains("expected 1 to 8, an eighth of size"));
  }
}
