// SPDX-License-Identifier: Apache-2.0
// The picture of views: its layout, and that it shows the pixels that training sees.
#include <array>
#include <cstdint>
#include <vector>

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

TEST_CASE("view_grid: refuses an epoch that there is not", "[train][view_grid]") {
  CHECK_THROWS_WITH(train::view_grid(fixtures::stripes(4), augment::simclr({.size = 16}), {.images = 1, .epoch = -1}),
                    Catch::Contains("epoch is -1, expected 0 to"));
}

TEST_CASE("view_grid: shows growing views in the size of the epoch", "[train][view_grid]") {
  const auto of = [](std::int64_t size) { return augment::simclr({.size = size}); };
  const auto growing = augment::progressive({.min = 8, .max = 16, .start = 1, .end = 2, .step = 8}, of);
  const auto data = fixtures::stripes(4);
  for (const std::int64_t epoch : {0, 2}) {
    const train::ViewGridOptions options{.images = 2, .epoch = epoch};
    CHECK(train::view_grid(data, growing, options).pixels ==
          train::view_grid(data, of(epoch == 0 ? 8 : 16), options).pixels);
  }
}

TEST_CASE("view_grid: shows views of several sizes, each in its own, and the image whole", "[train][view_grid]") {
  const auto data = fixtures::stripes(2);  // 16 x 16
  const auto maker = augment::multi_crop<1, 2>(augment::compose(augment::CenterCrop{.size = 12, .width = 24}),
                                               augment::compose(augment::CenterCrop{.size = 6}));
  const Image grid = train::view_grid(data, maker, {.images = 2, .zoom = 2});
  // The image is square: 12 x 12, as high as the first view. Widths 12, 24, 6, 6, twice as large, and five borders.
  REQUIRE(grid.width == 2 * (12 + 24 + 6 + 6) + 5 * 4);
  REQUIRE(grid.height == 2 * (12 + 12) + 3 * 4);
  std::vector<std::byte> storage;
  Image scratch;
  const ImageView image = data::decode(data.read(0, storage), 1, scratch);
  for (std::int64_t y = 0; y < 12; ++y) {
    for (std::int64_t x = 0; x < 12; ++x) {
      const std::int64_t left = 4 + 24 + 4 + 48 + 4;
      const std::uint8_t shown = grid.view().at(4 + y, left + x, 0);
      CHECK(shown == image.at(5 + y / 2, 5 + x / 2, 0));            // the middle 6 x 6 of 16 x 16
      CHECK(shown == grid.view().at(4 + y, left + 12 + 4 + x, 0));  // the other local view is the same
      CHECK(grid.view().at(4 + 12 + y, left + x, 0) == 255);        // white below it
    }
  }
}

TEST_CASE("view_grid: puts a caption under each picture and makes room for it", "[train][view_grid]") {
  const auto data = fixtures::stripes(4);
  const auto maker = augment::two_views(augment::compose(augment::CenterCrop{.size = 16}));
  std::vector<std::array<std::int64_t, 3>> asked;
  const auto caption = [&](std::int64_t view, const Extent& extent, const DrawKey& key) {
    CHECK(extent == Extent{16, 16});
    CHECK((key.seed == 3 && key.epoch == 7));
    asked.push_back({view, key.view, static_cast<std::int64_t>(key.sample)});
    return view == 1 ? Image(30, 5, 1) : Image();  // black
  };
  const Image grid = train::view_grid(data, maker, {.images = 2, .zoom = 1, .seed = 3, .epoch = 7}, caption);
  const std::vector<std::array<std::int64_t, 3>> expected = {{-1, 0, 0}, {0, 0, 0}, {1, 1, 0},
                                                             {-1, 0, 2}, {0, 0, 2}, {1, 1, 2}};
  CHECK((asked == expected));  // in parentheses: Catch2 can't print them
  REQUIRE(grid.width == 16 + 16 + 30 + 4 * 4);
  REQUIRE(grid.height == 2 * (16 + 4 + 5) + 3 * 4);
  for (const std::int64_t x : {44, 73}) {
    CHECK(grid.view().at(4 + 16 + 3, x, 0) == 255);
    CHECK(grid.view().at(4 + 16 + 4, x, 0) == 0);
    CHECK(grid.view().at(4 + 16 + 8, x, 0) == 0);
    CHECK(grid.view().at(4 + 16 + 9, x, 0) == 255);
  }
  const auto coloured = [](std::int64_t, const Extent&, const DrawKey&) { return Image(3, 3, 3); };
  CHECK_THROWS_WITH(train::view_grid(data, maker, {.images = 1}, coloured),
                    Catch::Contains("the caption has 3 channels, expected 1"));
}

TEST_CASE("view_grid: names an image that can't be read", "[train][view_grid]") {
  const test::TemporaryFolder folder;
  write_file(folder / "broken.jpg", "no picture");
  CHECK_THROWS_WITH(train::view_grid(data::ImageFolder(folder.path()), augment::simclr({.size = 16}), {.images = 1}),
                    Catch::Contains("image 0 (") && Catch::Contains("broken.jpg) can't be shown"));
}
