// SPDX-License-Identifier: Apache-2.0
// Subsets: by indices, by range, of subsets.
#include <catch2/catch.hpp>

#include <type_traits>

#include <jessl/data/subset.hpp>

#include "data/support.hpp"

using jessl::data::subset;

TEST_CASE("subset: by indices, in their order", "[data][subset]") {
  const auto whole = data_test::pictures(10);
  // [subset]
  const auto chosen = jessl::data::subset(whole, {7, 2, 7});
  // [/subset]
  CHECK(chosen.size() == 3);
  CHECK(chosen.classes() == 5);
  CHECK(chosen.channels() == 1);
  CHECK(chosen.label(0) == 2);
  CHECK(chosen.describe(1) == "array, image 2");
  std::vector<std::byte> storage;
  CHECK(chosen.read(2, storage).bytes.data() == whole.read(7, storage).bytes.data());
  CHECK_THROWS_WITH(chosen.label(3), "jessl::data::Subset: there is no image 3; the images are 0 to 2");
}

TEST_CASE("subset: by range", "[data][subset]") {
  const auto whole = data_test::pictures(10);
  const auto part = subset(whole, 6, 4);
  CHECK(part.size() == 4);
  CHECK(part.index(3) == 9);
  CHECK(subset(whole, 10, 0).size() == 0);
}

TEST_CASE("subset: of a subset is one of the whole", "[data][subset]") {
  const auto whole = data_test::pictures(10);
  const auto part = subset(subset(subset(whole, {9, 8, 7, 6, 5}), {4, 2, 0}), 1, 2);
  static_assert(std::is_same_v<decltype(part), const jessl::data::Subset<jessl::data::ArrayDataset>>);
  CHECK(part.size() == 2);
  CHECK(part.describe(0) == "array, image 7");
  CHECK(part.describe(1) == "array, image 9");
}

TEST_CASE("subset: what is outside the data set is refused", "[data][subset]") {
  const auto whole = data_test::pictures(10);
  CHECK_THROWS_AS(subset(whole, {0, 10}), jessl::DataError);
  CHECK_THROWS_WITH(subset(whole, {0, 10}),
                    "jessl::data::subset: indices[1] is 10, expected 0 to 9, the images of the data set");
  CHECK_THROWS_AS(subset(whole, {-1}), jessl::DataError);
  CHECK_THROWS_WITH(subset(whole, 8, 3), "jessl::data::subset: 3 images from 8 on, of a data set of 10");
  CHECK_THROWS_AS(subset(whole, -1, 3), jessl::DataError);
  CHECK_THROWS_AS(subset(whole, 0, -3), jessl::DataError);
  CHECK_THROWS_WITH(subset(subset(whole, {1, 2, 3}), {3}),
                    "jessl::data::subset: indices[0] is 3, expected 0 to 2, the images of the data set");
}
