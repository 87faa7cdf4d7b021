// SPDX-License-Identifier: Apache-2.0
// Images in memory.
#include <catch2/catch.hpp>

#include <cstdint>
#include <utility>
#include <vector>

#include <jessl/data/array_dataset.hpp>
#include <jessl/data/decode.hpp>

using jessl::data::ArrayDataset;
using jessl::data::ImageArray;

TEST_CASE("ArrayDataset: hands out the images of an array with their labels", "[data][array_dataset]") {
  // [array]
  const std::vector<std::uint8_t> pixels{0, 1, 2, 3, 4, 5, 6, 7};  // [N, H, W, C] = [2, 2, 2, 1]
  const jessl::data::ArrayDataset data{{.pixels = pixels, .height = 2, .width = 2, .labels = {3, 0}, .title = "toy"}};
  // [/array]
  CHECK(data.size() == 2);
  CHECK(data.channels() == 1);
  CHECK(data.classes() == 4);
  CHECK(data.label(0) == 3);
  CHECK(data.describe(1) == "toy, image 1");
  std::vector<std::byte> storage;
  CHECK(jessl::data::decode(data.read(1, storage)).pixels == std::vector<std::uint8_t>{4, 5, 6, 7});
}

TEST_CASE("ArrayDataset: labels and classes may be absent, and classes may be more than the labels show",
          "[data][array_dataset]") {
  const ArrayDataset unlabelled{{.pixels = std::vector<std::uint8_t>(12), .height = 2, .width = 2, .channels = 3}};
  CHECK(unlabelled.size() == 1);
  CHECK(unlabelled.classes() == 0);
  CHECK(unlabelled.label(0) == -1);
  const ArrayDataset labelled{
      {.pixels = std::vector<std::uint8_t>(1), .height = 1, .width = 1, .labels = {2}, .classes = 10}};
  CHECK(labelled.classes() == 10);
}

TEST_CASE("ArrayDataset: extents, labels and pixels that do not fit are refused", "[data][array_dataset]") {
  const std::vector<std::uint8_t> pixels(13);
  CHECK_THROWS_AS(ArrayDataset({.pixels = pixels, .height = 2, .width = 3}), jessl::ShapeError);
  CHECK_THROWS_WITH(
      ArrayDataset({.pixels = pixels, .height = 2, .width = 3}),
      "jessl::data::ArrayDataset: 13 bytes of pixels are no whole number of images of 2 x 3 x 1 = 6 bytes");
  CHECK_THROWS_WITH(ArrayDataset({.pixels = pixels, .height = 1, .width = 1, .channels = 2}),
                    Catch::Contains("[1, 1, 2]"));
  CHECK_THROWS_AS(ArrayDataset({.pixels = pixels}), jessl::ShapeError);
  constexpr std::int64_t wide = std::int64_t{1}
                                << 32U;  // its square is 0 in 64 bits, three times half of it less than 0
  CHECK_THROWS_AS(ArrayDataset({.pixels = pixels, .height = wide, .width = wide}), jessl::ShapeError);
  CHECK_THROWS_WITH(ArrayDataset({.pixels = pixels, .height = wide, .width = wide / 2, .channels = 3}),
                    Catch::Contains("4294967296 x 2147483648 x 3 bytes is more than any memory holds"));
  CHECK_THROWS_AS(ArrayDataset({.height = wide, .width = wide}), jessl::ShapeError);
  CHECK_THROWS_WITH(ArrayDataset({.pixels = pixels, .height = 13, .width = 1, .labels = {1, 2}}),
                    Catch::Contains("2 labels for 1 images"));
  CHECK_THROWS_AS(ArrayDataset({.pixels = pixels, .height = 13, .width = 1, .labels = {-1}}), jessl::DataError);
  CHECK_THROWS_WITH(ArrayDataset({.pixels = pixels, .height = 13, .width = 1, .labels = {5}, .classes = 5}),
                    "jessl::data::ArrayDataset: the label of image 0 is 5, expected 0 to 4");
  CHECK_THROWS_WITH(ArrayDataset({.pixels = pixels, .height = 13, .width = 1, .labels = {INT64_MAX}}),
                    "jessl::data::ArrayDataset: the label of image 0 is 9223372036854775807, expected 0 to 2147483648");
  const ArrayDataset data({.pixels = pixels, .height = 13, .width = 1});
  CHECK_THROWS_WITH(data.label(1), "jessl::data::ArrayDataset: there is no image 1; the images are 0 to 0");
}
