// SPDX-License-Identifier: Apache-2.0
// Views that grow with the epochs: the sizes of the ramp, and a loader that follows them in the memory it has.
#include "support.hpp"

#include <algorithm>
#include <cstdint>
#include <set>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include <jessl/data/loader.hpp>

#include "data/support.hpp"

using namespace augment_test;
using jessl::augment::Ramp;

namespace {

/// A maker whose views outgrow what it says of the largest.
struct Lying {
  struct Scratch {};
  static constexpr std::int64_t views = 1;
  jessl::ViewShape shape(std::int64_t, std::int64_t channels) const { return {channels, 2, 2}; }
  jessl::ViewShape shape(std::int64_t, std::int64_t channels, std::int64_t epoch) const {
    return {channels, 2 + epoch, 2};
  }
  jessl::Region region(const jessl::Extent&, const jessl::DrawKey&) const { return {.height = 1, .width = 1}; }
  void make(const jessl::RegionView&, const jessl::DrawKey&, Scratch&, std::span<float>) const {}
};

auto simclr_of(std::int64_t size) { return augment::simclr({.size = size}); }

}  // namespace

TEST_CASE("progressive: the ramp has the sizes of FFCV-SSL's recipe", "[augment][progressive]") {
  // numpy: int(np.round(np.interp(e, [start, end], [min, max]) / 32)) * 32, halves to even
  const Ramp resnet50{.min = 160, .max = 192, .start = 70, .end = 85};
  CHECK(resnet50.at(0) == 160);
  CHECK(resnet50.at(77) == 160);
  CHECK(resnet50.at(78) == 192);
  CHECK(resnet50.at(1000) == 192);
  const Ramp usual{.min = 64, .max = 224, .start = 10, .end = 30};
  const std::vector<std::pair<std::int64_t, std::int64_t>> sizes = {{9, 64},   {12, 64},  {13, 96},  {16, 128},
                                                                    {18, 128}, {19, 128}, {20, 128}, {22, 160},
                                                                    {24, 192}, {26, 192}, {29, 224}};
  for (const auto& [epoch, size] : sizes) {
    CAPTURE(epoch);
    CHECK(usual.at(epoch) == size);
  }
}

TEST_CASE("progressive: a loader follows the ramp, each epoch as with a maker of that size", "[augment][progressive]") {
  const auto dataset = data_test::pictures(9, 30, 3);
  // [example]
  const auto growing =
      jessl::augment::progressive({.min = 8, .max = 24, .start = 1, .end = 3, .step = 8},
                                  [](std::int64_t size) { return jessl::augment::simclr({.size = size}); });
  jessl::data::Loader loader{dataset, growing, {.batch_size = 4, .workers = 2, .ahead = 1, .seed = 5}};
  // [/example]
  static_assert(jessl::ViewMaker<std::remove_const_t<decltype(growing)>>);
  CHECK(loader.shape(0) == jessl::ViewShape{3, 24, 24});
  CHECK(jessl::augment::evaluation(growing).shape(0, 3) == jessl::ViewShape{3, 24, 24});
  CHECK(growing.to_json()["ramp"]["max"] == 24);

  std::set<const float*> memory;
  const std::vector<std::int64_t> expected = {8, 8, 16, 24, 24};
  for (const std::int64_t epoch : {0, 1, 2, 3, 4, 0}) {  // back again, too
    const std::int64_t size = expected[static_cast<std::size_t>(epoch)];
    jessl::data::Loader fixed{dataset, simclr_of(size), loader.options()};
    auto plain = fixed.epoch(epoch);
    for (const jessl::data::Batch& batch : loader.epoch(epoch)) {
      const auto same = plain.next();
      REQUIRE(same);
      for (std::int64_t v = 0; v < 2; ++v) {
        CHECK(batch.shape(v) == jessl::ViewShape{3, size, size});
        const auto pixels = batch.views[static_cast<std::size_t>(v)];
        CHECK(std::ranges::equal(pixels, same->views[static_cast<std::size_t>(v)]));
        memory.insert(pixels.data());
      }
    }
    CHECK(!plain.next());
  }
  CHECK(memory.size() <= 4);  // two slots of two views, whatever the size
}

TEST_CASE("progressive: makers that differ in any size have another record", "[augment][progressive]") {
  const auto record = [](double min_scale) {
    const auto of = [&](std::int64_t size) {
      return augment::simclr({.size = size, .min_scale = size < 16 ? min_scale : 0.08});
    };
    return augment::progressive({.min = 8, .max = 16, .start = 1, .end = 3, .step = 8}, of).to_json();
  };
  CHECK(record(0.2) == record(0.2));
  CHECK(record(0.2) != record(0.5));
  CHECK(record(0.2)["makers"].size() == 2);
  CHECK(record(0.2)["makers"].back() == augment::simclr({.size = 16}).to_json());
}

TEST_CASE("progressive: a ramp out of its ranges is an error", "[augment][progressive]") {
  const auto refuses = [](const Ramp& ramp, const char* message) {
    CHECK_THROWS_AS(augment::progressive(ramp, simclr_of), jessl::ConfigError);
    CHECK_THROWS_WITH(augment::progressive(ramp, simclr_of), message);
  };
  refuses({.min = 8, .max = 16, .step = 0}, "jessl::augment::Ramp: step is 0, expected at least 1");
  refuses({.min = 12, .max = 16, .step = 8}, "jessl::augment::Ramp: min is 12, expected a multiple of step = 8");
  refuses({.min = 16, .max = 8, .step = 8},
          "jessl::augment::Ramp: max is 8, expected a multiple of step = 8 and at least min = 16");
  refuses({.min = 8, .max = 16, .start = 3, .end = 3, .step = 8},
          "jessl::augment::Ramp: start is 3 and end is 3, expected 0 <= start < end");
}

TEST_CASE("progressive: an epoch of larger views than shape() says is an error and not an overrun",
          "[augment][progressive]") {
  jessl::data::Loader loader{data_test::pictures(4), Lying{}, {.batch_size = 2, .workers = 1, .ahead = 1}};
  CHECK(loader.epoch(0).next());
  CHECK_THROWS_WITH(loader.epoch(1), Catch::Contains("view 0 is [1, 3, 2] in epoch 1, expected no more values than "
                                                     "[1, 2, 2], its largest shape, has"));
}

TEST_CASE("progressive: tells the parameters of the epoch's views", "[augment][progressive]") {
  const auto of = [](std::int64_t size) { return augment::with_parameters(simclr_of(size)); };
  const auto growing = augment::progressive({.min = 8, .max = 16, .start = 0, .end = 1, .step = 8}, of);
  static_assert(jessl::DescribingViewMaker<std::remove_const_t<decltype(growing)>>);
  static_assert(!jessl::DescribingViewMaker<augment::Progressive<decltype(simclr_of(8))>>);
  CHECK(growing.parameters(1) == of(8).parameters(1));
  for (const std::uint32_t epoch : {0U, 1U}) {
    const jessl::DrawKey key{.seed = 3, .epoch = epoch, .view = 1};
    std::vector<float> told(growing.parameters(1).size());
    std::vector<float> expected(told.size());
    growing.describe({30, 40}, key, told);
    of(epoch == 0 ? 8 : 16).describe({30, 40}, key, expected);
    CHECK(told == expected);
  }
}
