// SPDX-License-Identifier: Apache-2.0
// The picture of views: its layout, and that it shows the pixels that training sees.
#include <catch2/catch.hpp>

#include "train/fixtures.hpp"

using namespace jessl;

TEST_CASE("view_grid: the first column is the image itself and the others are its views", "[train][view_grid]") {
  const auto data = fixtures::stripes(4);
  const auto maker = augment::two_views(
      augment::compose(augment::CenterCrop{.size = 16}, augment::RandomHorizontalFlip{.p = 1.0}, augment::Normalize{}));
  const Image grid = train::view_grid(data, maker, {.images = 2, .zoom = 1});
  REQUIRE(grid.width == 4 + 3 * 20);
  REQUIRE(grid.height == 4 + 2 * 20);
  std::vector<std::byte> storage;
  for (const std::int64_t row : {0, 1}) {
    Image scratch;
    const ImageView image = data::decode(data.read(2 * row, storage), 1, scratch);
    for (std::int64_t y = 0; y < 16; ++y) {
      for (std::int64_t x = 0; x < 16; ++x) {
        CHECK(grid.view().at(4 + row * 20 + y, 4 + x, 0) == image.at(y, x, 0));
        CHECK(grid.view().at(4 + row * 20 + y, 24 + x, 0) == image.at(y, 15 - x, 0));
      }
    }
  }
}

TEST_CASE("view_grid: refuses more images than there are", "[train][view_grid]") {
  CHECK_THROWS_AS(train::view_grid(fixtures::stripes(4), augment::simclr({.size = 16}), {.images = 5}), ConfigError);
}

TEST_CASE("view_grid: shows growing views at their largest", "[train][view_grid]") {
  const auto of = [](std::int64_t size) { return augment::simclr({.size = size}); };
  const auto growing = augment::progressive({.min = 8, .max = 16, .start = 1, .end = 2, .step = 8}, of);
  const auto data = fixtures::stripes(4);
  CHECK(train::view_grid(data, growing, {.images = 2}).pixels == train::view_grid(data, of(16), {.images = 2}).pixels);
}
