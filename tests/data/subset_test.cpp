// SPDX-License-Identifier: Apache-2.0
// Subsets: by indices, by range, by function, by label, by share, of subsets.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <vector>

#include <jessl/data/subset.hpp>

#include "data/support.hpp"

using jessl::data::by_label;
using jessl::data::filter;
using jessl::data::fraction;
using jessl::data::subset;

namespace {

template <class D>
std::vector<std::int64_t> indices_of(const jessl::data::Subset<D>& part) {
  std::vector<std::int64_t> indices;
  for (std::int64_t i = 0; i < part.size(); ++i) indices.push_back(part.index(i));
  return indices;
}

/// `sizes[c]` images of class c, one class after the other.
jessl::data::ArrayDataset of_classes(const std::vector<std::int64_t>& sizes) {
  jessl::data::ImageArray array{.height = 1, .width = 1, .classes = static_cast<std::int64_t>(sizes.size())};
  for (std::size_t c = 0; c < sizes.size(); ++c)
    array.labels.insert(array.labels.end(), static_cast<std::size_t>(sizes[c]), static_cast<std::int64_t>(c));
  array.pixels.resize(array.labels.size());
  return jessl::data::ArrayDataset(std::move(array));
}

std::vector<std::int64_t> count_by_class(const jessl::data::Subset<jessl::data::ArrayDataset>& part) {
  std::vector<std::int64_t> counts(static_cast<std::size_t>(part.classes()));
  for (std::int64_t i = 0; i < part.size(); ++i) ++counts[static_cast<std::size_t>(part.label(i))];
  return counts;
}

}  // namespace

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
  CHECK_THROWS_WITH(subset(whole, 8, 3),
                    "jessl::data::subset: 3 images from 8 on, of a data set of 10; it has images 0 to 9");
  CHECK_THROWS_AS(subset(whole, -1, 3), jessl::DataError);
  CHECK_THROWS_AS(subset(whole, 0, -3), jessl::DataError);
  CHECK_THROWS_WITH(subset(subset(whole, {1, 2, 3}), {3}),
                    "jessl::data::subset: indices[0] is 3, expected 0 to 2, the images of the data set");
}

TEST_CASE("filter: by index and label, in the order of the data set", "[data][subset]") {
  const auto whole = data_test::pictures(12);
  // [filter]
  const auto even = jessl::data::filter(whole, [](std::int64_t index, std::int64_t) { return index % 2 == 0; });
  const auto first_two = jessl::data::by_label(whole, {1, 0});  // classes 0 and 1
  // [/filter]
  CHECK(indices_of(even) == std::vector<std::int64_t>{0, 2, 4, 6, 8, 10});
  CHECK(indices_of(first_two) == std::vector<std::int64_t>{0, 1, 5, 6, 10, 11});
  CHECK(first_two.classes() == 5);
  CHECK(filter(whole, [](std::int64_t, std::int64_t label) { return label == 7; }).size() == 0);
  const auto both = filter(even, [](std::int64_t index, std::int64_t label) { return index > 0 && label < 3; });
  static_assert(std::is_same_v<decltype(both), const jessl::data::Subset<jessl::data::ArrayDataset>>);
  CHECK(indices_of(both) == std::vector<std::int64_t>{2, 6, 10});
}

TEST_CASE("by_label: labels that the data set cannot have are refused", "[data][subset]") {
  const auto whole = data_test::pictures(12);
  CHECK(by_label(whole, {}).size() == 0);
  CHECK(by_label(whole, {4, 4}).size() == 2);
  CHECK_THROWS_AS(by_label(whole, {0, 5}), jessl::DataError);
  CHECK_THROWS_WITH(by_label(whole, {0, 5}),
                    "jessl::data::by_label: labels[1] is 5, expected 0 to 4, the classes of the data set");
  CHECK_THROWS_AS(by_label(whole, {-1}), jessl::DataError);
  const jessl::data::ArrayDataset unlabelled({.pixels = {1, 2, 3}, .height = 1, .width = 1});
  CHECK_THROWS_WITH(by_label(unlabelled, {0}), "jessl::data::by_label: the data set has no labels");
}

TEST_CASE("fraction: a share of each class, and a smaller one is part of a larger one", "[data][subset]") {
  const auto whole = of_classes({1000, 0, 40, 1, 305});
  // [fraction]
  const auto tenth = jessl::data::fraction(whole, 0.1);
  const auto hundredth = jessl::data::fraction(whole, 0.01);  // of the same images
  // [/fraction]
  CHECK(count_by_class(tenth) == std::vector<std::int64_t>{100, 0, 4, 1, 31});
  CHECK(count_by_class(hundredth) == std::vector<std::int64_t>{10, 0, 1, 1, 3});
  std::vector<std::int64_t> smaller;
  for (const double share : {0.0, 0.001, 0.01, 0.1, 0.11, 0.5, 0.999, 1.0}) {
    const std::vector<std::int64_t> larger = indices_of(fraction(whole, share, 3));
    CHECK(std::is_sorted(larger.begin(), larger.end()));
    CHECK(std::includes(larger.begin(), larger.end(), smaller.begin(), smaller.end()));
    smaller = larger;
  }
  CHECK(fraction(whole, 0.0).size() == 0);
  CHECK(fraction(whole, 1.0).size() == whole.size());
}

TEST_CASE("fraction: a function of the labels and the seed, uniform over the images", "[data][subset]") {
  const auto whole = of_classes({50, 50});
  CHECK(indices_of(fraction(whole, 0.2, 1)) == indices_of(fraction(whole, 0.2, 1)));
  CHECK(indices_of(fraction(whole, 0.2, 1)) != indices_of(fraction(whole, 0.2, 2)));
  // Another class before it does not change which images of a class are chosen, but for their numbers.
  std::vector<std::int64_t> shifted = indices_of(fraction(of_classes({50, 50, 9}), 0.2, 1));
  shifted.resize(20);
  CHECK(shifted == indices_of(fraction(whole, 0.2, 1)));
  // Classes of one size are not chosen from alike.
  std::vector<std::int64_t> chosen = indices_of(fraction(whole, 0.2, 1));
  for (std::size_t i = 10; i < 20; ++i) chosen[i] -= 50;
  CHECK_FALSE(std::equal(chosen.begin(), chosen.begin() + 10, chosen.begin() + 10));

  std::vector<double> times(100);
  constexpr int seeds = 1000;
  for (int seed = 0; seed < seeds; ++seed) {
    for (const std::int64_t i : indices_of(fraction(whole, 0.2, static_cast<std::uint64_t>(seed))))
      times[static_cast<std::size_t>(i)] += 1.0;
  }
  // Each image is chosen 200 times of 1000, with a standard deviation of 12.6; five of them bound a hundred images.
  for (const double count : times) CHECK(count == Approx(200.0).margin(63.0));
}

TEST_CASE("fraction: without labels all images are of one class, and shares outside [0, 1] are refused",
          "[data][subset]") {
  const jessl::data::ArrayDataset unlabelled({.pixels = std::vector<std::uint8_t>(30), .height = 1, .width = 1});
  CHECK(fraction(unlabelled, 0.5).size() == 15);
  for (const double share : {-0.1, 1.1, std::numeric_limits<double>::quiet_NaN()})
    CHECK_THROWS_AS(fraction(unlabelled, share), jessl::ConfigError);
  CHECK_THROWS_WITH(fraction(unlabelled, 10.0), "jessl::data::fraction: share is 10, expected one in [0, 1]");
}
