// SPDX-License-Identifier: Apache-2.0
// Pictures of confusion matrices: a cell has the colour of its share, in its place, and nothing else is drawn.
#include <catch2/catch.hpp>

#include <cstdint>
#include <vector>

#include <jessl/eval/confusion_matrix.hpp>
#include <jessl/eval/confusion_picture.hpp>

#include "eval/pixels.hpp"

namespace {

using Catch::Matchers::Contains;
using jessl::Image;
using jessl::eval::confusion_picture;
using jessl::eval::ConfusionMatrix;
using jessl::eval::viridis;

}  // namespace

TEST_CASE("confusion_picture: the example of the documentation runs", "[eval][confusion_picture]") {
  const std::vector<std::int64_t> labels{0, 0, 0, 1}, predicted{0, 0, 1, 1};
  // [example]
  const auto counts = jessl::eval::confusion_matrix(predicted, labels, 2);
  const jessl::Image picture = jessl::eval::confusion_picture(counts, {.zoom = 24});
  // [/example]
  CHECK(picture.width == 48);
  CHECK(picture.height == 48);
  CHECK(pixels::at(picture, 0, 0) == viridis(2.0 / 3.0));
  CHECK(pixels::at(picture, 0, 24) == viridis(1.0 / 3.0));
  CHECK(pixels::at(picture, 24, 0) == viridis(0.0));
  CHECK(pixels::at(picture, 24, 24) == viridis(1.0));
}

TEST_CASE("confusion_picture: every pixel of a cell has the colour of its share of the row",
          "[eval][confusion_picture]") {
  // Row sums 4, 1000 and 0: rows are compared by shares, and a class without images has none.
  const ConfusionMatrix counts = (ConfusionMatrix(3, 3) << 1, 3, 0, 250, 0, 750, 0, 0, 0).finished();
  for (const std::int64_t zoom : {1, 5}) {
    const Image picture = confusion_picture(counts, {.zoom = zoom});
    REQUIRE(picture.channels == 3);
    REQUIRE(picture.width == 3 * zoom);
    REQUIRE(picture.height == 3 * zoom);
    const auto cell = [&](std::int64_t i, std::int64_t j) {
      return jessl::Region{.top = i * zoom, .left = j * zoom, .height = zoom, .width = zoom};
    };
    const double shares[2][3] = {{0.25, 0.75, 0.0}, {0.25, 0.0, 0.75}};
    for (std::int64_t j = 0; j < 3; ++j) {
      for (std::int64_t i = 0; i < 2; ++i)
        CHECK(pixels::count(picture, cell(i, j), viridis(shares[i][j])) == zoom * zoom);
      CHECK(pixels::count(picture, cell(2, j), jessl::eval::unlabelled_colour) == zoom * zoom);
    }
  }
  CHECK(confusion_picture(counts).width == 48);                                    // 16 pixels a cell,
  CHECK(confusion_picture(ConfusionMatrix::Identity(500, 500)).width == 500 * 8);  // fewer where there are many
}

TEST_CASE("confusion_picture: counts of any size", "[eval][confusion_picture]") {
  const std::int64_t many = std::int64_t{1} << 62U;  // the sum of a row would not fit 64 bits
  const ConfusionMatrix counts = ConfusionMatrix::Constant(4, 4, many);
  CHECK(pixels::count(confusion_picture(counts, {.zoom = 1}), viridis(0.25)) == 16);
}

TEST_CASE("confusion_picture: what is no confusion matrix, or too large a picture, is an error",
          "[eval][confusion_picture]") {
  CHECK_THROWS_AS(confusion_picture(ConfusionMatrix::Zero(2, 3)), jessl::ShapeError);
  CHECK_THROWS_WITH(confusion_picture(ConfusionMatrix::Zero(2, 3)),
                    Contains("jessl::eval::confusion_picture: counts is [2, 3], expected [C, C]"));
  CHECK_THROWS_AS(confusion_picture(ConfusionMatrix(0, 0)), jessl::ShapeError);
  ConfusionMatrix counts = ConfusionMatrix::Identity(2, 2);
  CHECK_THROWS_AS(confusion_picture(counts, {.zoom = -1}), jessl::ConfigError);
  CHECK_THROWS_WITH(confusion_picture(counts, {.zoom = 8193}), Contains("zoom is 8193, expected 0 to 8192"));
  counts(1, 0) = -3;
  CHECK_THROWS_AS(confusion_picture(counts), jessl::DataError);
  CHECK_THROWS_WITH(confusion_picture(counts), Contains("counts(1, 0) is -3, expected a number of images"));
}
