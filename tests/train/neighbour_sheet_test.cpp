// SPDX-License-Identifier: Apache-2.0
// The sheet of neighbours: which image is where, what its frame says, and what is refused.
#include <catch2/catch.hpp>

#include <cstdint>
#include <initializer_list>
#include <vector>

#include <jessl/eval.hpp>

#include "eval/pixels.hpp"
#include "support/captured_log.hpp"
#include "train/fixtures.hpp"

using namespace jessl;
using Catch::Contains;

namespace {

/// The neighbours that a search would give: a row a query.
eval::Neighbours found(std::initializer_list<std::initializer_list<std::int64_t>> rows) {
  eval::Neighbours result;
  result.rows.resize(static_cast<Eigen::Index>(rows.size()), static_cast<Eigen::Index>(rows.begin()->size()));
  Eigen::Index i = 0;
  for (const auto& row : rows) {
    Eigen::Index j = 0;
    for (const std::int64_t neighbour : row) result.rows(i, j++) = neighbour;
    ++i;
  }
  return result;
}

/// The top left corner of a picture's frame, of pictures of `side` pixels with their frames.
Extent corner(std::int64_t row, std::int64_t column, std::int64_t side) {
  return {4 + row * (side + 4), 4 + column * (side + 4)};
}

/// Whether all of a frame three pixels wide has one colour.
bool is_framed(const Image& sheet, const Extent& at, std::int64_t side, const eval::RGB& colour) {
  const Region whole{.top = at.height, .left = at.width, .height = side, .width = side};
  const Region inside{.top = at.height + 3, .left = at.width + 3, .height = side - 6, .width = side - 6};
  return pixels::count(sheet, whole, colour) - pixels::count(sheet, inside, colour) == side * side - inside.area();
}

}  // namespace

TEST_CASE("neighbour_sheet: the example of the documentation runs", "[train][neighbour_sheet]") {
  const auto train = fixtures::stripes(24);
  const auto test = fixtures::stripes(12);
  const RowMatrix bank = data::pixels(train).features;
  const RowMatrix queries = data::pixels(test).features;
  // [example]
  const auto found = eval::NearestNeighbours{}.fit(bank).find(queries, 8);  // features of the two data sets
  const Image sheet = train::neighbour_sheet(test, train, found, {.images = 6, .neighbours = 8, .size = 48});
  // [/example]
  CHECK(sheet.width == 4 + 9 * (48 + 6 + 4));
  CHECK(sheet.height == 4 + 6 * (48 + 6 + 4));
  CHECK(is_framed(sheet, corner(5, 1, 54), 54, train::same_class_colour));  // the image itself is in the bank
}

TEST_CASE(
    "neighbour_sheet: a row has the query and its neighbours in their order, framed by whether the class is the "
    "query's",
    "[train][neighbour_sheet]") {
  const auto queries = fixtures::stripes(4);  // 16 x 16, of classes 0, 1, 2, 3
  const auto bank = fixtures::stripes(12);    // of classes 0, 1, 2, 3, 0, ...
  const auto neighbours = found({{0, 4, 5}, {1, 2, 9}, {7, 6, 10}, {0, 0, 0}});
  const Image sheet = train::neighbour_sheet(queries, bank, neighbours, {.images = 2, .neighbours = 3, .size = 16});
  REQUIRE(sheet.channels == 3);
  REQUIRE(sheet.width == 4 + 4 * 26);
  REQUIRE(sheet.height == 4 + 2 * 26);
  const std::int64_t shown[2][4] = {{0, 0, 4, 5}, {2, 7, 6, 10}};  // queries 0 and 2: spread evenly
  std::vector<std::byte> storage;
  Image scratch;
  for (std::int64_t row = 0; row < 2; ++row) {
    for (std::int64_t column = 0; column < 4; ++column) {
      INFO("row " << row << ", column " << column);
      const std::int64_t index = shown[row][column];
      const Extent at = corner(row, column, 22);
      const ImageView image = column == 0 ? data::decode(queries.read(index, storage), 1, scratch)
                                          : data::decode(bank.read(index, storage), 1, scratch);
      std::int64_t equal = 0;
      for (std::int64_t y = 0; y < 16; ++y) {
        for (std::int64_t x = 0; x < 16; ++x) {
          const std::uint8_t grey = image.at(y, x, 0);
          equal += pixels::at(sheet, at.height + 3 + y, at.width + 3 + x) == eval::RGB{grey, grey, grey} ? 1 : 0;
        }
      }
      CHECK(equal == 256);
      CHECK(is_framed(sheet, at, 22,
                      column == 0                  ? pixels::white
                      : index % 4 == shown[row][0] ? train::same_class_colour
                                                   : train::other_class_colour));
    }
  }
  // Fewer neighbours, and the nearest left out: what remains is the same picture's part.
  const Image fewer =
      train::neighbour_sheet(queries, bank, neighbours, {.images = 2, .neighbours = 2, .skip = 1, .size = 16});
  REQUIRE(fewer.width == 4 + 3 * 26);
  for (std::int64_t y = 0; y < fewer.height; ++y) {
    for (std::int64_t x = 0; x < 26; ++x) {
      CHECK(pixels::at(fewer, y, x) == pixels::at(sheet, y, x));
      CHECK(pixels::at(fewer, y, x + 26) == pixels::at(sheet, y, x + 52));
    }
  }
}

TEST_CASE("neighbour_sheet: images without a label are framed in grey, coloured ones are in colour and whole",
          "[train][neighbour_sheet]") {
  // Two red images, twice as wide as high, of a data set without labels.
  std::vector<std::uint8_t> red;
  for (int i = 0; i < 2 * 8 * 16; ++i) red.insert(red.end(), {200, 10, 20});
  const data::ArrayDataset unlabelled{{.pixels = red, .height = 8, .width = 16, .channels = 3}};
  const Image sheet =
      train::neighbour_sheet(unlabelled, unlabelled, found({{1}, {0}}), {.images = 2, .neighbours = 1, .size = 32});
  REQUIRE(sheet.width == 4 + 2 * (32 + 6 + 4));
  REQUIRE(sheet.height == 4 + 2 * (16 + 6 + 4));
  CHECK(pixels::count(sheet, eval::RGB{200, 10, 20}) == 4 * 32 * 16);
  CHECK(pixels::count(sheet, eval::unlabelled_colour) == 2 * (38 * 22 - 32 * 16));
  // Labels on one side only say nothing either.
  const auto labelled = fixtures::stripes(2);
  const Image half =
      train::neighbour_sheet(labelled, unlabelled, found({{0}, {1}}), {.images = 1, .neighbours = 1, .size = 16});
  CHECK(pixels::count(half, eval::unlabelled_colour) == 22 * 14 - 16 * 8);
}

TEST_CASE("neighbour_sheet: settings and neighbours that do not fit, and images that can't be read, are errors",
          "[train][neighbour_sheet]") {
  const auto data = fixtures::stripes(4);
  const auto neighbours = found({{0, 1}, {1, 2}, {2, 3}, {3, 0}});
  const auto sheet = [&](const train::NeighbourSheetOptions& options) {
    return train::neighbour_sheet(data, data, neighbours, options);
  };
  CHECK_THROWS_AS(sheet({}), ConfigError);
  CHECK_THROWS_WITH(sheet({.images = 5, .neighbours = 1}),
                    Contains("jessl::train::neighbour_sheet: images is 5, expected 1 to 4, the number of queries"));
  CHECK_THROWS_WITH(sheet({.images = 0, .neighbours = 1}), Contains("images is 0"));
  for (const auto& [shown, skipped] : {std::pair{3, 0}, std::pair{2, 1}, std::pair{0, 0}, std::pair{1, -1}}) {
    CHECK_THROWS_AS(sheet({.images = 1, .neighbours = shown, .skip = skipped}), ConfigError);
    CHECK_THROWS_WITH(sheet({.images = 1, .neighbours = shown, .skip = skipped}),
                      Contains(concat("neighbours is ", shown, " and skip is ", skipped)) && Contains("at most 2"));
  }
  CHECK_THROWS_WITH(sheet({.images = 1, .neighbours = 1, .size = 7}), Contains("size is 7, expected 8 to 1024"));
  const train::NeighbourSheetOptions one{.images = 4, .neighbours = 1};
  CHECK_THROWS_AS(train::neighbour_sheet(fixtures::stripes(5), data, neighbours, one), ShapeError);
  CHECK_THROWS_WITH(train::neighbour_sheet(fixtures::stripes(5), data, neighbours, one),
                    Contains("found has 4 rows but there are 5 queries"));
  CHECK_THROWS_AS(train::neighbour_sheet(data, fixtures::stripes(3), neighbours, one), DataError);
  CHECK_THROWS_WITH(train::neighbour_sheet(data, fixtures::stripes(3), neighbours, one),
                    Contains("found.rows(3, 0) is 3, expected a row of the bank, which has 3 images"));
  CHECK_THROWS_WITH(train::neighbour_sheet(data, data, found({{-1}, {0}, {0}, {0}}), one), Contains("is -1"));
}

TEST_CASE("neighbour_sheet: an image that can't be read costs its place, not the sheet", "[train][neighbour_sheet]") {
  const data::ArrayDataset data = fixtures::stripes(4);
  const test::TemporaryFolder folder;
  write_file(folder / "broken.jpg", "no picture");
  const data::ImageFolder broken(folder.path());
  const train::NeighbourSheetOptions one{.images = 1, .neighbours = 1, .size = 16};
  const test::CapturedLog log;
  const Image sheet = train::neighbour_sheet(broken, data, found({{0}}), one);
  REQUIRE(log.heard().size() == 1);
  CHECK_THAT(log.heard()[0], Contains("jessl::train::neighbour_sheet: image 0 (") &&
                                 Contains("broken.jpg) can't be shown: ") && Contains("its place is left blank"));
  const Image whole = train::neighbour_sheet(fixtures::stripes(1), data, found({{0}}), one);
  CHECK(sheet.width == whole.width);
  CHECK(sheet.height == whole.height);
  CHECK(sheet.pixels != whole.pixels);
}
