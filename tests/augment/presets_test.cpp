// SPDX-License-Identifier: Apache-2.0
// The published pipelines: their settings, their shapes, and a recipe for small grey images.
#include "support.hpp"

#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include <catch2/catch.hpp>

#include <jessl/core/views.hpp>

using namespace augment_test;
using namespace jessl::augment;

namespace {

/// The settings of operation `name` in view `view` of a maker.
template <class Maker>
jessl::Json settings(const Maker& maker, std::size_t view, const std::string& name) {
  const jessl::Json json = maker.to_json();
  for (const jessl::Json& operation : json["views"][view]["operations"]) {
    if (operation["name"] == name) return operation;
  }
  return {};
}

/// Every view of noise has the right size, finite values, and differs from the other view.
template <class Maker>
void check_pair(const Maker& maker, std::int64_t size) {
  static_assert(jessl::ViewMaker<Maker>);
  static_assert(Maker::views == 2);
  for (const std::int64_t channels : {1, 3}) {
    const jessl::Image image = noise_image(37, 30, channels);
    for (std::int64_t v = 0; v < 2; ++v) CHECK(maker.shape(v, channels) == jessl::ViewShape{channels, size, size});
    const auto first = view(maker, image, {.view = 0});
    const auto second = view(maker, image, {.view = 1});
    CHECK(first != second);
    for (const float value : first) REQUIRE(std::abs(value) < 3.0F);  // ImageNet's range after Normalize is [-2.2, 2.7]
  }
}

/// A maker of one view that does not tell its settings: the number of the view.
struct Silent {
  using Scratch = jessl::augment::Scratch;
  static constexpr std::int64_t views = 1;
  jessl::ViewShape shape(std::int64_t, std::int64_t) const { return {1, 1, 1}; }
  jessl::Region region(const jessl::Extent&, const jessl::DrawKey&) const { return {.height = 1, .width = 1}; }
  void make(const jessl::RegionView&, const jessl::DrawKey& key, Scratch&, std::span<float> out) const {
    out[0] = key.view;
  }
};

}  // namespace

TEST_CASE("simclr: has the paper's settings, the same for both views", "[augment][presets]") {
  const auto maker = simclr({.size = 24});
  check_pair(maker, 24);
  for (std::size_t v = 0; v < 2; ++v) {
    CHECK(settings(maker, v, "RandomResizedCrop")["scale"] == jessl::Json{0.08, 1.0});
    CHECK(settings(maker, v, "ColorJitter") ==
          jessl::to_json(ColorJitter{.brightness = 0.8, .contrast = 0.8, .saturation = 0.8, .hue = 0.2, .p = 0.8}));
    CHECK(settings(maker, v, "RandomGrayscale")["p"] == 0.2);
    CHECK(settings(maker, v, "GaussianBlur")["p"] == 0.5);
    CHECK(settings(maker, v, "RandomSolarize").is_null());
  }
  CHECK(simclr().shape(0, 3) == jessl::ViewShape{3, 224, 224});
}

TEST_CASE("byol, barlow_twins, dino: the first view is blurred, the second solarized", "[augment][presets]") {
  const auto check = [](const auto& maker, double least_area) {
    check_pair(maker, 20);
    CHECK(settings(maker, 0, "RandomResizedCrop")["scale"][0] == least_area);
    CHECK(settings(maker, 0, "ColorJitter") ==
          jessl::to_json(ColorJitter{.brightness = 0.4, .contrast = 0.4, .saturation = 0.2, .hue = 0.1, .p = 0.8}));
    CHECK(settings(maker, 0, "GaussianBlur")["p"] == 1.0);
    CHECK(settings(maker, 1, "GaussianBlur")["p"] == 0.1);
    CHECK(settings(maker, 0, "RandomSolarize")["p"] == 0.0);
    CHECK(settings(maker, 1, "RandomSolarize")["p"] == 0.2);
  };
  check(byol({.size = 20}), 0.08);
  check(barlow_twins({.size = 20}), 0.08);
  check(dino({.size = 20}), 0.4);
}

TEST_CASE("vicreg: has the paper's settings, the same for both views", "[augment][presets]") {
  const auto maker = vicreg({.size = 20});
  check_pair(maker, 20);
  for (std::size_t v = 0; v < 2; ++v) {
    CHECK(settings(maker, v, "ColorJitter") ==
          jessl::to_json(ColorJitter{.brightness = 0.4, .contrast = 0.4, .saturation = 0.2, .hue = 0.1, .p = 0.8}));
    CHECK(settings(maker, v, "GaussianBlur")["p"] == 0.5);
    CHECK(settings(maker, v, "RandomSolarize")["p"] == 0.1);
  }
}

TEST_CASE("multi_crop: global views first, then the local ones, each with its own draws", "[augment][presets]") {
  // [multi_crop]
  using namespace jessl::augment;
  const auto global = compose(RandomResizedCrop{.size = 32, .scale = {0.25, 1.0}}, RandomHorizontalFlip{}, Normalize{});
  const auto local = compose(RandomResizedCrop{.size = 12, .scale = {0.05, 0.25}}, RandomHorizontalFlip{}, Normalize{});
  const auto maker = multi_crop<2, 6>(global, local);  // [C, 32, 32] twice, and [C, 12, 12] six times
  // [/multi_crop]
  static_assert(jessl::ViewMaker<std::remove_const_t<decltype(maker)>>);
  static_assert(decltype(maker)::views == 8);
  const jessl::Image image = noise_image(60, 50, 3);
  std::set<std::vector<float>> different;
  for (std::uint8_t v = 0; v < 8; ++v) {
    const std::int64_t size = v < 2 ? 32 : 12;
    CHECK(maker.shape(v, 3) == jessl::ViewShape{3, size, size});
    const jessl::Region region = maker.region({50, 60}, {.view = v});
    const double share = static_cast<double>(region.area()) / (50.0 * 60.0);
    CHECK((v < 2 ? share > 0.23 : share < 0.27));  // crops are of whole pixels
    different.insert(view(maker, image, {.view = v}));
  }
  CHECK(different.size() == 8);

  // Global views may differ, and there may be no local ones.
  const auto mixed = multi_crop<1>(views(global, local, global), local);
  static_assert(decltype(mixed)::views == 4);
  for (std::int64_t v = 0; v < 4; ++v) CHECK(mixed.shape(v, 1).height == (v % 2 == 0 ? 32 : 12));
  static_assert(std::is_same_v<decltype(multi_crop<2, 0>(global, local)), decltype(two_views(global))>);
}

TEST_CASE("views: a maker of one view may itself be views, and need not tell its settings", "[augment][presets]") {
  const auto global = compose(RandomResizedCrop{.size = 16}, Normalize{});
  const jessl::Image image = noise_image(40, 30, 3);
  const auto nested = multi_crop<2, 1>(views(global), global);
  const auto plain = multi_crop<2, 1>(global, global);
  for (std::uint8_t v = 0; v < 3; ++v) CHECK(view(nested, image, {.view = v}) == view(plain, image, {.view = v}));
  CHECK_THROWS_WITH(view(plain, image, {.view = 3}),
                    "jessl::augment::Views: view 3 was asked for, but there are 3 (0 to 2)");

  const auto silent = two_views(Silent{});
  static_assert(jessl::ViewMaker<std::remove_const_t<decltype(silent)>>);
  static_assert(!jessl::Recorded<std::remove_const_t<decltype(silent)>>);
  CHECK(view(silent, image, {.view = 1}) == std::vector<float>{1.0F});
}

TEST_CASE("swav: has the paper's settings, and views of two sizes", "[augment][presets]") {
  const auto maker = swav();
  static_assert(decltype(maker)::views == 8);
  for (std::size_t v = 0; v < 8; ++v) {
    const bool is_global = v < 2;
    const std::int64_t size = is_global ? 224 : 96;
    CHECK(maker.shape(static_cast<std::int64_t>(v), 3) == jessl::ViewShape{3, size, size});
    CHECK(settings(maker, v, "RandomResizedCrop")["scale"] ==
          (is_global ? jessl::Json{0.14, 1.0} : jessl::Json{0.05, 0.14}));
    CHECK(settings(maker, v, "ColorJitter") ==
          jessl::to_json(ColorJitter{.brightness = 0.8, .contrast = 0.8, .saturation = 0.8, .hue = 0.2, .p = 0.8}));
    CHECK(settings(maker, v, "RandomGrayscale")["p"] == 0.2);
    CHECK(settings(maker, v, "GaussianBlur")["p"] == 0.5);
  }
  static_assert(decltype(swav<4>())::views == 6);
  CHECK_THROWS_AS(swav({.local_size = 0}), jessl::ConfigError);
}

TEST_CASE("dino: local views are blurred half of the time and never solarized", "[augment][presets]") {
  const auto maker = dino<8>({.size = 20, .local_size = 10});
  static_assert(decltype(maker)::views == 10);
  CHECK(settings(maker, 0, "GaussianBlur")["p"] == 1.0);
  CHECK(settings(maker, 1, "RandomSolarize")["p"] == 0.2);
  for (std::size_t v = 2; v < 10; ++v) {
    CHECK(maker.shape(static_cast<std::int64_t>(v), 3) == jessl::ViewShape{3, 10, 10});
    CHECK(settings(maker, v, "RandomResizedCrop")["scale"] == jessl::Json{0.05, 0.4});
    CHECK(settings(maker, v, "GaussianBlur")["p"] == 0.5);
    CHECK(settings(maker, v, "RandomSolarize")["p"] == 0.0);
    CHECK(settings(maker, v, "ColorJitter") == settings(maker, 0, "ColorJitter"));
  }
  const auto quarter = dino<6>(dino_quarter);
  CHECK(settings(quarter, 0, "RandomResizedCrop")["scale"] == jessl::Json{0.25, 1.0});
  CHECK(settings(quarter, 2, "RandomResizedCrop")["scale"] == jessl::Json{0.05, 0.25});
}

TEST_CASE("simclr, byol: noise is in every view, or in none", "[augment][presets]") {
  // Without crop, colours and blur, a grey image is only normalised.
  const auto views = [](double noise) {
    SimCLROptions plain{.size = 32, .min_scale = 1.0, .flip = 0.0, .jitter_p = 0.0, .grayscale = 0.0, .blur = 0.0};
    plain.noise = noise;
    plain.mean = {0.5, 0.5, 0.5};
    plain.std = {0.25, 0.25, 0.25};
    BYOLOptions other{.size = 32, .min_scale = 1.0, .flip = 0.0, .jitter_p = 0.0, .grayscale = 0.0, .blur = 0.0};
    other.second_blur = other.second_solarize = 0.0;
    other.noise = noise;
    other.mean = plain.mean;
    other.std = plain.std;
    jessl::Image grey;
    grey.resize(32, 32, 1);
    std::fill(grey.pixels.begin(), grey.pixels.end(), std::uint8_t{128});
    return std::array{view(simclr(plain), grey, {.view = 0}), view(simclr(plain), grey, {.view = 1}),
                      view(byol(other), grey, {.view = 0}), view(byol(other), grey, {.view = 1})};
  };
  const auto still = views(0.0);
  const auto noisy = views(0.1);
  for (std::size_t v = 0; v < 4; ++v) {
    for (const float value : still[v]) REQUIRE(value == Approx((128.0 / 255.0 - 0.5) / 0.25).epsilon(1e-4));
    double squares = 0.0;
    for (std::size_t i = 0; i < still[v].size(); ++i) squares += std::pow(noisy[v][i] - still[v][i], 2);
    CHECK(std::sqrt(squares / 1024.0) * 0.25 ==
          Approx(0.1).epsilon(0.1));  // 1024 values: four deviations of the estimate
    for (std::size_t w = 0; w < v; ++w) CHECK(noisy[v] != noisy[w]);
  }
  const auto check_all = [](const auto& maker) {
    for (std::size_t v = 0; v < std::decay_t<decltype(maker)>::views; ++v)
      CHECK(settings(maker, v, "GaussianNoise") == jessl::to_json(GaussianNoise{.sigma = 0.2, .p = 1.0}));
  };
  check_all(vicreg({.noise = 0.2}));
  check_all(barlow_twins({.noise = 0.2}));
  check_all(swav<2>({.noise = 0.2}));
  check_all(dino<2>({.noise = 0.2}));
  CHECK_THROWS_WITH(simclr({.noise = -0.1}), Catch::Contains("sigma = -0.1"));
}

TEST_CASE("simclr: a recipe for small grey images can be written down", "[augment][presets]") {
  // [recipe]
  const auto maker = jessl::augment::simclr({.size = 28,
                                             .min_scale = 0.4,
                                             .flip = 0.5,
                                             .jitter = 0.5,
                                             .grayscale = 0.0,
                                             .blur = 0.0,
                                             .mean = {0.286, 0.286, 0.286},
                                             .std = {0.353, 0.353, 0.353}});
  // [/recipe]
  const jessl::Image image = noise_image(28, 28, 1);
  const auto out = view(maker, image);
  CHECK(out.size() == 28 * 28);
  CHECK(*std::min_element(out.begin(), out.end()) >= static_cast<float>(-0.286 / 0.353) - 1e-5F);
  CHECK(*std::max_element(out.begin(), out.end()) <= static_cast<float>((1.0 - 0.286) / 0.353) + 1e-5F);
}

TEST_CASE("eval: shows large images' middle and all of small ones, without chance", "[augment][presets]") {
  static_assert(jessl::ViewMaker<decltype(eval())>);
  static_assert(decltype(eval())::views == 1);
  const auto operation = [](const auto& maker, std::size_t i) { return maker.to_json()["operations"][i]; };
  CHECK(operation(eval(), 0) == jessl::to_json(Resize{.size = 256}));
  CHECK(operation(eval({.size = 64}), 0) == jessl::to_json(Resize{.size = 73}));
  CHECK(operation(eval({.size = 32}), 0) == jessl::to_json(Resize{.size = 32, .width = 32}));

  const jessl::Image image = noise_image(28, 28, 1);
  const auto out = view(eval({.size = 28, .mean = {0.5, 0.5, 0.5}, .std = {0.5, 0.5, 0.5}}), image,
                        {.seed = 3, .epoch = 4, .sample = 5});
  for (std::size_t i = 0; i < out.size(); ++i) REQUIRE(out[i] == Approx(image.pixels[i] / 127.5 - 1.0).margin(1e-6));
  CHECK(eval({.size = 28}).shape(0, 1) == jessl::ViewShape{1, 28, 28});
  CHECK(eval().shape(0, 3) == jessl::ViewShape{3, 224, 224});
}

TEST_CASE("identity: shows all of the image, without chance", "[augment][presets]") {
  const jessl::Image image = noise_image(32, 32, 3);
  const auto maker = views(simclr({.size = 24}).pipeline<0>(),
                           identity({.size = 32, .mean = {0.0, 0.0, 0.0}, .std = {1.0, 1.0, 1.0}}));
  static_assert(decltype(maker)::views == 2);
  CHECK(maker.shape(0, 3) == jessl::ViewShape{3, 24, 24});
  const auto out = view(maker, image, {.seed = 3, .epoch = 4, .sample = 5, .view = 1});
  for (std::int64_t y = 0; y < 32; ++y) {
    for (std::int64_t x = 0; x < 32; ++x) {
      for (std::int64_t c = 0; c < 3; ++c) {
        REQUIRE(static_cast<double>(out[static_cast<std::size_t>((c * 32 + y) * 32 + x)]) ==
                Approx(image.view().at(y, x, c) / 255.0).margin(1e-6));
      }
    }
  }
  // From 64 pixels on, eval() cuts the border off, and identity() doesn't: a bright frame is seen by one of them alone.
  jessl::Image framed(70, 80, 1);
  for (std::int64_t y = 0; y < 80; ++y) {
    for (std::int64_t x = 0; x < 70; ++x) {
      if (y < 4 || y >= 76 || x < 3 || x >= 67) framed.pixels[static_cast<std::size_t>(y * 70 + x)] = 255;
    }
  }
  const auto corner = [&](const auto& made) { return view(made, framed).front(); };
  CHECK(corner(identity({.size = 64, .mean = {0.0, 0.0, 0.0}, .std = {1.0, 1.0, 1.0}})) == Approx(1.0).margin(1e-6));
  CHECK(corner(eval({.size = 64, .mean = {0.0, 0.0, 0.0}, .std = {1.0, 1.0, 1.0}})) < 0.5F);
}

TEST_CASE("evaluation: finds the Normalize that RandomErasing follows", "[augment][presets]") {
  const Normalize normalize{.mean = {0.1, 0.2, 0.3}, .std = {0.4, 0.5, 0.6}};
  const auto maker = two_views(compose(RandomResizedCrop{.size = 16}, normalize, RandomErasing{}));
  CHECK(jessl::to_json(evaluation(maker)) ==
        jessl::to_json(eval({.size = 16, .mean = normalize.mean, .std = normalize.std})));
}

TEST_CASE("compose: an own pipeline reads like a configuration", "[augment][presets]") {
  // [compose]
  using namespace jessl::augment;
  const auto weak = compose(RandomResizedCrop{.size = 32, .scale = {0.5, 1.0}}, RandomHorizontalFlip{}, Normalize{});
  const auto strong =
      compose(RandomResizedCrop{.size = 32}, RandomHorizontalFlip{}, ColorJitter{.brightness = 0.4, .hue = 0.1},
              RandomSolarize{.p = 0.2}, GaussianNoise{.sigma = 0.05, .p = 0.5}, Normalize{});
  const auto maker = two_views(weak, strong);

  const jessl::Image image(40, 30, 3);
  std::vector<float> out(static_cast<std::size_t>(maker.shape(1, image.channels).count()));
  Scratch scratch;  // one a thread
  const jessl::DrawKey key{.seed = 1, .epoch = 0, .sample = 17, .view = 1};
  maker.make(image.view(), key, scratch, out);  // float [3, 32, 32]

  const auto params = strong.sample(key, {image.height, image.width});  // what was done to it
  const Region seen = std::get<0>(params).box;
  // [/compose]
  CHECK((seen.width >= 1 && seen.width <= 40));
  CHECK(out == view_with(strong, image, params));
}
