// SPDX-License-Identifier: Apache-2.0
// Parameters as labels: their columns, and that they are what was applied.
#include "support.hpp"

#include <array>
#include <cstdint>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include <boost/hana/for_each.hpp>
#include <catch2/catch.hpp>

#include <jessl/core/views.hpp>

using namespace augment_test;
using namespace jessl::augment;

namespace {

template <class Maker>
std::vector<float> described(const Maker& maker, const Extent& extent, const jessl::DrawKey& key) {
  std::vector<float> out(maker.parameters(key.view).size(), -100.0F);
  maker.describe(extent, key, out);
  return out;
}

}  // namespace

TEST_CASE("with_parameters: the columns of every operation have names of their own", "[augment][parameters]") {
  boost::hana::for_each(All, [](auto type) {
    using Op = typename decltype(type)::type;
    INFO(Op::name);
    const auto maker = with_parameters(compose(Op{}));
    static_assert(jessl::DescribingViewMaker<decltype(with_parameters(compose(Op{})))>);
    const std::vector<std::string> names = maker.parameters(0);
    CHECK(std::set<std::string>(names.begin(), names.end()).size() == names.size());
    CHECK(described(maker, {300, 400}, {.sample = 3}).size() == names.size());
  });
  static_assert(!jessl::DescribingViewMaker<decltype(simclr())>);
}

TEST_CASE("with_parameters: columns are named after operation and parameter", "[augment][parameters]") {
  using Names = std::vector<std::string>;
  const auto maker = with_parameters(
      views(compose(RandomResizedCrop{.size = 8}, RandomHorizontalFlip{}, ColorJitter{}, GaussianBlur{}, Normalize{}),
            compose(RandomCrop{.size = 8}, RandomHorizontalFlip{}, RandomHorizontalFlip{}, RandomErasing{})));
  CHECK(maker.parameters(0) == Names{"random_resized_crop.top", "random_resized_crop.left",
                                     "random_resized_crop.height", "random_resized_crop.width",
                                     "random_horizontal_flip.applied", "color_jitter.applied", "color_jitter.place.0",
                                     "color_jitter.place.1", "color_jitter.place.2", "color_jitter.place.3",
                                     "color_jitter.brightness", "color_jitter.contrast", "color_jitter.saturation",
                                     "color_jitter.hue", "gaussian_blur.applied", "gaussian_blur.sigma"});
  CHECK(maker.parameters(1) == Names{"random_crop.top", "random_crop.left", "random_crop.height", "random_crop.width",
                                     "random_horizontal_flip.applied", "random_horizontal_flip_2.applied",
                                     "random_erasing.applied", "random_erasing.top", "random_erasing.left",
                                     "random_erasing.height", "random_erasing.width"});
  CHECK_THROWS_WITH(maker.parameters(2), Catch::Contains("view 2"));
  std::array<float, 3> few{};
  CHECK_THROWS_WITH(maker.describe({20, 20}, {}, few), Catch::Contains("out has 3 values, expected 16"));
}

TEST_CASE("with_parameters: the views stay the same, and applying the columns gives them", "[augment][parameters]") {
  // Parameters that a float holds exactly, so that the view can be made from the columns alone.
  const auto pipeline = compose(RandomResizedCrop{.size = 12}, RandomHorizontalFlip{}, RandomSolarize{.p = 0.5},
                                Cutout{.size = 5}, RandomGrayscale{.p = 0.5});
  const auto maker = with_parameters(two_views(pipeline));
  CHECK(jessl::to_json(maker) == jessl::to_json(two_views(pipeline)));
  const jessl::Image image = noise_image(50, 40, 3);
  const Extent extent{40, 50};
  for (std::uint64_t sample = 0; sample < 40; ++sample) {
    const jessl::DrawKey key{.seed = 5, .epoch = 2, .sample = sample, .view = static_cast<std::uint8_t>(sample % 2)};
    CHECK(maker.region(extent, key) == pipeline.region(extent, key));
    const std::vector<float> row = described(maker, extent, key);
    REQUIRE(row.size() == 11);
    const auto box = [&](std::size_t first) {
      std::array<std::int64_t, 4> sides{};
      for (std::size_t i = 0; i < 4; ++i) sides[i] = static_cast<std::int64_t>(row[first + i]);
      return Region{sides[0], sides[1], sides[2], sides[3]};
    };
    const decltype(pipeline)::Params params{{box(0)}, {row[4] != 0.0F}, {row[5] != 0.0F}, {box(6)}, {row[10] != 0.0F}};
    CHECK(view_with(pipeline, image, params) == view(maker, image, key));
  }
}

TEST_CASE("with_parameters: the adjustments of ColorJitter are told by place and factor", "[augment][parameters]") {
  const ColorJitter jitter{.contrast = 0.0, .p = 0.5};
  const auto pipeline = compose(jitter);
  const auto maker = with_parameters(pipeline);
  for (std::uint64_t sample = 0; sample < 30; ++sample) {
    const auto params = std::get<0>(pipeline.sample({.sample = sample}, {9, 9}));
    const std::vector<float> row = described(maker, {9, 9}, {.sample = sample});
    CHECK(row[0] == (params.count > 0 ? 1.0F : 0.0F));
    for (int a = 0; a < ColorJitter::max_steps; ++a) {
      float place = -1.0F;
      for (int i = 0; i < params.count; ++i) {
        if (static_cast<int>(params.order[static_cast<std::size_t>(i)]) == a) place = static_cast<float>(i);
      }
      CHECK(row[static_cast<std::size_t>(1 + a)] == place);
    }
    CHECK(row[2] == -1.0F);  // contrast never happens
    CHECK(row[5] == static_cast<float>(params.brightness));
    CHECK(row[8] == static_cast<float>(params.hue));
  }
}
