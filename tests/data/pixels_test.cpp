// SPDX-License-Identifier: Apache-2.0
// Pixels as features.
#include <catch2/catch.hpp>

#include <cstdint>
#include <string>
#include <vector>

#include <jessl/data/image_folder.hpp>
#include <jessl/data/pixels.hpp>

#include "data/support.hpp"

TEST_CASE("pixels: each image is a row of numbers from 0 to 1, with its label", "[data][pixels]") {
  const jessl::data::ArrayDataset data{
      {.pixels = {0, 51, 102, 153, 204, 255}, .height = 1, .width = 1, .channels = 3, .labels = {4, 2}}};
  const jessl::Embedding embedding = jessl::data::pixels(data);
  REQUIRE(embedding.features.rows() == 2);
  REQUIRE(embedding.features.cols() == 3);
  for (int i = 0; i < 6; ++i) CHECK(embedding.features(i / 3, i % 3) == Approx(0.2 * i).epsilon(1e-6));
  CHECK(embedding.labels == std::vector<std::int64_t>{4, 2});
}

TEST_CASE("pixels: images of different sizes are refused, with the one that differs", "[data][pixels]") {
  const data_test::TemporaryFolder folder;
  folder.write("1.png", data_test::to_png(data_test::picture(3, 2, 3)));
  folder.write("2.png", data_test::to_png(data_test::picture(3, 3, 3)));
  const jessl::data::ImageFolder data(folder.path());
  CHECK_THROWS_AS(jessl::data::pixels(data), jessl::ShapeError);
  CHECK_THROWS_WITH(jessl::data::pixels(data),
                    Catch::Contains(folder / "2.png has 27 values, the images before it 18"));
}
