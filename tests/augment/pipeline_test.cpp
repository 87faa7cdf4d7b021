// SPDX-License-Identifier: Apache-2.0
// Tests of compose and views: fusion changes nothing, keys decide everything, nothing is allocated once warm.
#include "support.hpp"

#include <array>
#include <atomic>
#include <cstdlib>
#include <new>
#include <string>

#include <catch2/catch.hpp>

#include <jessl/core/views.hpp>

namespace {

std::atomic<bool> counting{false};
std::atomic<std::int64_t> allocations{0};

}  // namespace

// Counts allocations of the whole program while `counting` is set, and only then. Not inlined: GCC would see free()
// called on what new returned, and warn.
[[gnu::noinline]] void* operator new(std::size_t size) {
  if (counting) ++allocations;
  void* const memory = std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) std::abort();
  return memory;
}
[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return operator new(size); }
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

// [archetypes]
// Operations that offer what their concepts ask for and nothing else.
namespace archetype {

using jessl::augment::Extent;
using jessl::augment::Pixel;
using jessl::augment::Placement;

/// A geometric operation: the upper half of the image.
struct UpperHalf {
  static constexpr std::string_view name = "UpperHalf";
  struct Params {};

  [[nodiscard]] jessl::Json to_json() const { return {{"name", name}}; }
  void check() const {}
  [[nodiscard]] Extent output(Extent extent) const { return {(extent.height + 1) / 2, extent.width}; }
  [[nodiscard]] Params sample(jessl::Draw&, Extent) const { return {}; }
  [[nodiscard]] Placement place(const Params&, Extent extent) const {
    return {{0, 0, output(extent).height, extent.width}, output(extent)};
  }
};

/// A pointwise operation: the negative of the image, with a drawn strength.
struct Negative {
  static constexpr std::string_view name = "Negative";
  struct Params {
    float strength = 0.0F;
  };

  [[nodiscard]] jessl::Json to_json() const { return {{"name", name}}; }
  void check() const {}
  [[nodiscard]] Params sample(jessl::Draw& draw) const { return {static_cast<float>(draw.uniform())}; }
  [[nodiscard]] bool active(const Params&) const { return true; }

  template <class T, std::size_t C>
  [[nodiscard]] constexpr Pixel<T, C> apply(Pixel<T, C> pixel, const Params& params) const {
    for (std::size_t c = 0; c < C; ++c) pixel[c] = pixel[c] + T(params.strength) * (T(1.0F) - T(2.0F) * pixel[c]);
    return pixel;
  }
};
// [/archetypes]

/// An indexed operation: every other pixel is black.
struct Checkerboard {
  static constexpr std::string_view name = "Checkerboard";
  struct Params {};

  [[nodiscard]] jessl::Json to_json() const { return {{"name", name}}; }
  void check() const {}
  [[nodiscard]] Params sample(jessl::Draw&) const { return {}; }
  [[nodiscard]] bool active(const Params&) const { return true; }

  template <class T, std::size_t C>
  [[nodiscard]] constexpr Pixel<T, C> apply(Pixel<T, C> pixel, const Params&, std::int64_t index) const {
    for (std::size_t c = 0; c < C; ++c) pixel[c] = pixel[c] * T(static_cast<float>(index % 2));
    return pixel;
  }
};

/// A colour operation: subtracts the mean luma.
struct Centre {
  static constexpr std::string_view name = "Centre";
  static constexpr int max_steps = 1;
  struct Params {};

  [[nodiscard]] jessl::Json to_json() const { return {{"name", name}}; }
  void check() const {}
  [[nodiscard]] Params sample(jessl::Draw&) const { return {}; }
  [[nodiscard]] int steps(const Params&) const { return 1; }
  [[nodiscard]] bool needs_mean(const Params&, int) const { return true; }
  void step(const Params&, int, float mean, const auto& visit) const {
    visit([mean](auto pixel) {
      for (std::size_t c = 0; c < pixel.channels; ++c) pixel[c] = pixel[c] - mean;
      return pixel;
    });
  }
};

/// An adaptive operation: divides by the largest value.
struct Brightest {
  static constexpr std::string_view name = "Brightest";
  struct Params {};
  struct Statistics {
    float largest = 0.0F;
    void add(std::size_t, std::span<const float> values) {
      for (const float value : values) largest = std::max(largest, value);
    }
    void finish() {}
  };

  [[nodiscard]] jessl::Json to_json() const { return {{"name", name}}; }
  void check() const {}
  [[nodiscard]] Params sample(jessl::Draw&) const { return {}; }
  [[nodiscard]] bool active(const Params&) const { return true; }

  template <class T, std::size_t C>
  [[nodiscard]] constexpr Pixel<T, C> apply(Pixel<T, C> pixel, const Params&, const Statistics& seen) const {
    for (std::size_t c = 0; c < C; ++c) pixel[c] = pixel[c] / T(seen.largest);
    return pixel;
  }
};

/// A patch: the left half is black.
struct LeftHalf : Checkerboard {
  static constexpr std::string_view name = "LeftHalf";
  struct Params {
    jessl::Region half{};
  };
  [[nodiscard]] Params sample(jessl::Draw&, Extent extent) const {
    return {{.height = extent.height, .width = extent.width / 2}};
  }
  [[nodiscard]] bool active(const Params&) const { return true; }
  [[nodiscard]] jessl::Region patch(const Params& params) const { return params.half; }

  template <class T, std::size_t C>
  [[nodiscard]] constexpr Pixel<T, C> apply(Pixel<T, C>, const Params&, std::int64_t) const {
    return {};
  }
};

/// A warp: turned by half a turn.
struct HalfTurn {
  static constexpr std::string_view name = "HalfTurn";
  struct Params {};

  [[nodiscard]] jessl::Json to_json() const { return {{"name", name}}; }
  void check() const {}
  [[nodiscard]] Params sample(jessl::Draw&) const { return {}; }
  [[nodiscard]] bool active(const Params&) const { return true; }
  [[nodiscard]] jessl::augment::Warp warp(const Params&, Extent extent) const {
    const auto width = static_cast<double>(extent.width);
    const auto height = static_cast<double>(extent.height);
    return {.matrix = {-1.0, 0.0, width, 0.0, -1.0, height, 0.0, 0.0, 1.0}};
  }
};

/// A filter: the mean of three.
struct Box3 {
  static constexpr std::string_view name = "Box3";
  struct Params {};

  [[nodiscard]] jessl::Json to_json() const { return {{"name", name}}; }
  void check() const {}
  [[nodiscard]] Params sample(jessl::Draw&) const { return {}; }
  [[nodiscard]] bool active(const Params&) const { return true; }
  [[nodiscard]] std::int64_t radius(Extent) const { return 1; }
  void kernel(const Params&, std::span<float> weights) const { std::fill(weights.begin(), weights.end(), 1.0F / 3.0F); }
};

}  // namespace archetype

using namespace augment_test;
using namespace jessl::augment;

namespace {

static_assert(GeometricOperation<archetype::UpperHalf>);
static_assert(PointwiseOperation<archetype::Negative>);
static_assert(IndexedOperation<archetype::Checkerboard>);
static_assert(ColourOperation<archetype::Centre>);
static_assert(FilterOperation<archetype::Box3> && !BlendOperation<archetype::Box3>);
static_assert(AdaptiveOperation<archetype::Brightest>);
static_assert(PatchOperation<archetype::LeftHalf> && !PatchOperation<archetype::Checkerboard>);
static_assert(WarpOperation<archetype::HalfTurn>);
static_assert(!Operation<int>);

static_assert(jessl::ViewMaker<decltype(compose(CenterCrop{}))>);
static_assert(jessl::ViewMaker<decltype(two_views(compose(CenterCrop{})))>);
static_assert(decltype(compose(CenterCrop{}))::views == 1);
static_assert(decltype(two_views(compose(CenterCrop{})))::views == 2);
static_assert(decltype(views(compose(CenterCrop{}), compose(Resize{.size = 3, .width = 3}),
                             compose(CenterCrop{})))::views == 3);

/// Fusion must not be visible: for several images and keys, make equals the operations one by one.
template <class P>
void check_fusion(const P& pipeline, double tolerance = 1e-5) {
  // Both sides round to float32 at each step, in another order; noise images amplify nothing beyond a few ulps of 1,
  // and Normalize divides by at least 0.2.
  const std::array images = {noise_image(23, 31, 3), noise_image(31, 23, 1), noise_image(12, 12, 3)};
  for (const jessl::Image& image : images) {
    for (std::uint64_t sample = 0; sample < 12; ++sample) {
      const jessl::DrawKey key{.seed = 5, .epoch = 2, .sample = sample, .view = 1};
      const auto params = pipeline.sample(key, {image.height, image.width});
      INFO(pipeline.to_json().dump() << ", sample " << sample << ", " << image.channels << " channels");
      CHECK(largest_difference(view(pipeline, image, key), apply_one_by_one(pipeline, image, params)) < tolerance);
    }
  }
}

}  // namespace

TEST_CASE("Pipeline: fused operations give what they give one by one", "[augment][pipeline]") {
  SECTION("the whole of SimCLR") { check_fusion(simclr({.size = 16}).pipeline<0>()); }
  SECTION("the whole of BYOL, second view") {
    check_fusion(byol({.size = 17, .second_blur = 0.5, .second_solarize = 0.5}).pipeline<1>());
  }
  SECTION("resize, crop, flip: one resampling") {
    check_fusion(compose(Resize{.size = 18}, CenterCrop{.size = 15}, RandomHorizontalFlip{}, Normalize{}));
  }
  SECTION("two resamplings in one") {
    check_fusion(
        compose(RandomResizedCrop{.size = 19, .width = 9}, RandomHorizontalFlip{}, Resize{.size = 11, .width = 14}));
  }
  SECTION("a border, then an enlargement") {
    check_fusion(compose(CenterCrop{.size = 40}, Resize{.size = 50, .width = 44}));
  }
  SECTION("geometry after pixels") {
    check_fusion(compose(ColorJitter{.p = 1.0}, RandomResizedCrop{.size = 13}, GaussianBlur{.p = 1.0},
                         RandomHorizontalFlip{}, RandomSolarize{}, CenterCrop{.size = 11}, GaussianNoise{.sigma = 0.2},
                         Normalize{}));
  }
  SECTION("two filters and a jitter between them") {
    check_fusion(compose(CenterCrop{.size = 20}, GaussianBlur{.kernel_size = 7, .p = 1.0},
                         ColorJitter{.hue = 0.5, .p = 1.0},
                         GaussianBlur{.kernel_size = 5, .sigma = {3.0, 3.0}, .p = 1.0}, RandomGrayscale{.p = 0.5}));
  }
  SECTION("a kernel wider than the image") {
    check_fusion(compose(CenterCrop{.size = 5}, GaussianBlur{.kernel_size = 31, .sigma = {4.0, 9.0}, .p = 1.0}));
  }
  SECTION("the archetypes") {
    check_fusion(compose(CenterCrop{.size = 21}, archetype::UpperHalf{}, archetype::Negative{},
                         archetype::Checkerboard{}, archetype::Box3{}, archetype::Brightest{}, archetype::LeftHalf{},
                         archetype::HalfTurn{}, archetype::Centre{}));
  }
  SECTION("warps, among all that they may stand between") {
    // A place is a float: 30 pixels from the corner it is off by 2e-6, between neighbours up to 1 apart; there are three
    // warps, a jitter that takes it up to twice each, and Normalize.
    constexpr double tolerance = 1e-4;
    const auto bilinear = Interpolation::bilinear;
    check_fusion(
        compose(RandomRotation{.interpolation = bilinear}, RandomResizedCrop{.size = 18}, RandomVerticalFlip{},
                RandomTranslate{.fill = {0.5, 0.1, 0.9}},
                RandomAffine{.translate = {0.1, 0.2},
                             .scale = {0.6, 1.5},
                             .shear = {-9.0, 9.0, 0.0, 4.0},
                             .interpolation = bilinear},
                ColorJitter{.p = 1.0}, GaussianBlur{.p = 1.0}, RandomPerspective{.p = 1.0, .fill = {1.0, 1.0, 1.0}},
                RandomHorizontalFlip{}, CenterCrop{.size = 14, .width = 17}, Normalize{}),
        tolerance);
  }
  SECTION("what looks at the image first, what is confined to a part of it, and what follows Normalize") {
    // Posterization and equalization come first: where values have been resampled, a float rounded in another order may
    // fall to the other side of a step.
    check_fusion(compose(CenterCrop{.size = 19}, RandomPosterize{.bits = 5, .p = 0.7}, RandomInvert{},
                         RandomEqualize{.p = 0.7}, RandomAutocontrast{.p = 0.7},
                         RandomAdjustSharpness{.sharpness = 1.8, .p = 0.7}, ColorJitter{.hue_model = HueModel::yiq},
                         Cutout{.size = 8, .fill = {0.2, 0.4, 0.9}}, RandomAutocontrast{}, Normalize{},
                         RandomErasing{.p = 0.8, .filling = Filling::noise}, Cutout{.size = 3}));
  }
}

TEST_CASE("Pipeline: blocks of the cache are not visible in a large image", "[augment][pipeline]") {
  const jessl::Image image = noise_image(70, 61, 3);
  const auto pipeline = compose(Resize{.size = 47, .width = 53}, ColorJitter{.p = 1.0}, GaussianNoise{.sigma = 0.1},
                                RandomAutocontrast{.p = 1.0}, Cutout{.size = 44, .fill = {1.0, 0.5, 0.0}}, Normalize{});
  const auto params = pipeline.sample({.seed = 3}, {61, 70});
  CHECK(largest_difference(view_with(pipeline, image, params), apply_one_by_one(pipeline, image, params)) < 1e-5);
}

TEST_CASE("Pipeline: an image that has the size already keeps its pixels", "[augment][pipeline]") {
  const jessl::Image image = noise_image(9, 7, 3);
  const std::vector<float> out = view(compose(CenterCrop{.size = 7, .width = 9}), image);
  for (std::int64_t c = 0; c < 3; ++c) {
    for (std::int64_t y = 0; y < 7; ++y) {
      for (std::int64_t x = 0; x < 9; ++x) {
        REQUIRE(out[static_cast<std::size_t>((c * 7 + y) * 9 + x)] ==
                Approx(image.view().at(y, x, c) / 255.0).epsilon(1e-6));
      }
    }
  }
}

TEST_CASE("Pipeline: make applies the parameters that sample gives", "[augment][pipeline]") {
  const jessl::Image image = noise_image(20, 18, 3);
  const auto pipeline = simclr({.size = 12}).pipeline<0>();
  for (std::uint64_t sample = 0; sample < 8; ++sample) {
    const jessl::DrawKey key{.seed = 9, .sample = sample};
    CHECK(view(pipeline, image, key) == view_with(pipeline, image, pipeline.sample(key, {18, 20})));
  }
}

TEST_CASE("Pipeline: key.operation is ignored; seed, epoch, sample and view each change the view",
          "[augment][pipeline]") {
  const jessl::Image image = noise_image(20, 18, 3);
  const auto pipeline = simclr({.size = 12}).pipeline<0>();
  const auto base = view(pipeline, image, {});
  CHECK(view(pipeline, image, {.operation = 7}) == base);
  CHECK(view(pipeline, image, {.seed = 1}) != base);
  CHECK(view(pipeline, image, {.epoch = 1}) != base);
  CHECK(view(pipeline, image, {.sample = 1}) != base);
  CHECK(view(pipeline, image, {.view = 1}) != base);
}

TEST_CASE("Views: equal pipelines give different views; each view comes from its own pipeline", "[augment][pipeline]") {
  const jessl::Image image = noise_image(20, 18, 3);
  const auto pair = two_views(compose(RandomResizedCrop{.size = 12}));
  CHECK(view(pair, image, {.view = 0}) != view(pair, image, {.view = 1}));

  const auto three =
      views(compose(CenterCrop{.size = 4}), compose(CenterCrop{.size = 5, .width = 6}), compose(CenterCrop{.size = 7}));
  CHECK(three.shape(0, 3) == jessl::ViewShape{3, 4, 4});
  CHECK(three.shape(1, 1) == jessl::ViewShape{1, 5, 6});
  CHECK(view(three, image, {.view = 2}) == view(compose(CenterCrop{.size = 7}), image));
  CHECK_THROWS_MATCHES(
      three.shape(3, 3), jessl::ConfigError,
      Catch::Matchers::Message("jessl::augment::Views: view 3 was asked for, but there are 3 (0 to 2)"));
}

TEST_CASE("Pipeline: a view needs the region that its first geometric operations read", "[augment][pipeline]") {
  const Extent extent{60, 80};
  const auto region = [&](const auto& pipeline) { return pipeline.region(extent, {.seed = 2}); };
  SECTION("a random crop needs its box, flipped or not") {
    const auto pipeline = compose(RandomResizedCrop{.size = 16}, RandomHorizontalFlip{.p = 1.0}, Normalize{});
    CHECK(region(pipeline) == std::get<0>(pipeline.sample({.seed = 2}, extent)).box);
  }
  SECTION("a central crop needs its middle") {
    CHECK(region(compose(CenterCrop{.size = 20, .width = 10})) == jessl::Region{20, 35, 20, 10});
    CHECK(region(compose(CenterCrop{.size = 100, .width = 10})) == jessl::Region{0, 35, 60, 10});
  }
  SECTION("what a crop leaves of a resize, with the neighbours that its border mixes in") {
    // 60 x 80 becomes 30 x 40; its middle 10 x 10 has rows 10 to 19 and columns 15 to 24. An output o is a triangle around
    // 2 o + 1 of half-width 2: middles i + 0.5 above 2 o - 1, so that the first row is 19 and the last 40; i + 0.5 is never
    // a whole number, so that none of weight 0 is counted.
    CHECK(region(compose(Resize{.size = 30}, CenterCrop{.size = 10})) == jessl::Region{19, 29, 22, 22});
  }
  SECTION("a crop before a warp decides, and a vertical flip takes the other end") {
    const auto pipeline = compose(RandomResizedCrop{.size = 16}, RandomAffine{}, CenterCrop{.size = 4});
    CHECK(region(pipeline) == std::get<0>(pipeline.sample({.seed = 2}, extent)).box);
    CHECK(region(compose(RandomVerticalFlip{.p = 1.0}, archetype::UpperHalf{})) == jessl::Region{30, 0, 30, 80});
  }
  SECTION("all of it where something comes before, or nothing is left out") {
    const jessl::Region whole{0, 0, 60, 80};
    CHECK(region(compose(ColorJitter{}, CenterCrop{.size = 20})) == whole);
    CHECK(region(compose(RandomRotation{}, CenterCrop{.size = 20})) == whole);
    CHECK(region(compose(RandomHorizontalFlip{})) == whole);
    CHECK(region(compose(Resize{.size = 7, .width = 300})) == whole);
  }
  SECTION("a view that has no pixel of the image needs one all the same") {
    // The crop's box lies in the border that the first crop added.
    const auto corner = compose(CenterCrop{.size = 300}, archetype::UpperHalf{}, archetype::UpperHalf{},
                                archetype::UpperHalf{}, Resize{.size = 8, .width = 8});
    CHECK(region(corner) == jessl::Region{0, 0, 1, 1});
    const jessl::Image image = noise_image(80, 60, 3);
    CHECK(view_of_part(corner, image, {0, 0, 1, 1}) == view(corner, image));
  }
  SECTION("each view has its own") {
    const auto pair = two_views(compose(CenterCrop{.size = 4}), compose(CenterCrop{.size = 6}));
    CHECK(pair.region(extent, {.view = 0}) == jessl::Region{28, 38, 4, 4});
    CHECK(pair.region(extent, {.view = 1}) == jessl::Region{27, 37, 6, 6});
    CHECK_THROWS_AS(pair.region(extent, {.view = 2}), jessl::ConfigError);
  }
}

TEST_CASE("Pipeline: any part that holds the region gives the same bytes, and no other is taken",
          "[augment][pipeline]") {
  const auto check = [](const auto& pipeline, const jessl::Image& image) {
    const jessl::Region whole{.height = image.height, .width = image.width};
    jessl::Draw draw({.seed = 8, .purpose = jessl::Purpose::initialisation});
    for (std::uint64_t sample = 0; sample < 30; ++sample) {
      const jessl::DrawKey key{.seed = 4, .sample = sample};
      const jessl::Region region = pipeline.region({image.height, image.width}, key);
      INFO(pipeline.to_json().dump() << ", sample " << sample << ": " << region.height << " x " << region.width);
      REQUIRE(whole.contains(region));
      const std::vector<float> expected = view(pipeline, image, key);
      CHECK(view_of_part(pipeline, image, region, key) == expected);
      const std::int64_t top = draw.below(region.top + 1);
      const std::int64_t left = draw.below(region.left + 1);
      const jessl::Region more{top, left, region.bottom() + draw.below(whole.height - region.bottom() + 1) - top,
                               region.right() + draw.below(whole.width - region.right() + 1) - left};
      CHECK(view_of_part(pipeline, image, more, key) == expected);
      for (const jessl::Region& less : {jessl::Region{region.top + 1, region.left, region.height - 1, region.width},
                                        jessl::Region{region.top, region.left + 1, region.height, region.width - 1},
                                        jessl::Region{region.top, region.left, region.height - 1, region.width},
                                        jessl::Region{region.top, region.left, region.height, region.width - 1}}) {
        CHECK_THROWS_AS(view_of_part(pipeline, image, less, key), jessl::ShapeError);
      }
    }
  };
  for (const jessl::Image& image : {noise_image(83, 61, 3), noise_image(61, 83, 1)}) {
    check(simclr({.size = 16}).pipeline<0>(), image);
    check(compose(RandomResizedCrop{.size = 31, .scale = {0.05, 0.4}}, RandomHorizontalFlip{}), image);
    check(compose(Resize{.size = 33}, CenterCrop{.size = 20}, RandomHorizontalFlip{}), image);
    check(compose(RandomResizedCrop{.size = 40}, CenterCrop{.size = 9}, RandomResizedCrop{.size = 17},
                  GaussianBlur{.p = 1.0}, CenterCrop{.size = 5}),
          image);
    check(compose(CenterCrop{.size = 70}, RandomHorizontalFlip{}, Resize{.size = 23, .width = 140}), image);
    check(compose(Resize{.size = 91, .width = 45}, archetype::UpperHalf{}, archetype::UpperHalf{}), image);
  }
}

TEST_CASE("Pipeline: a shrunk part gives the view of the image of which its pixels are squares",
          "[augment][pipeline]") {
  const auto check = [](const auto& pipeline, std::int64_t width, std::int64_t height, std::int64_t channels) {
    for (const std::int64_t shrink : {2, 4, 8}) {
      const jessl::Image small = noise_image((width + shrink - 1) / shrink, (height + shrink - 1) / shrink, channels);
      jessl::Image large(width, height, channels);
      for (std::int64_t y = 0; y < height; ++y) {
        for (std::int64_t x = 0; x < width; ++x) {
          for (std::int64_t c = 0; c < channels; ++c)
            large.pixels[static_cast<std::size_t>((y * width + x) * channels + c)] =
                small.view().at(y / shrink, x / shrink, c);
        }
      }
      for (std::uint64_t sample = 0; sample < 10; ++sample) {
        const jessl::DrawKey key{.seed = 4, .sample = sample};
        INFO(pipeline.to_json().dump() << ", sample " << sample << ", shrink " << shrink);
        const std::vector<float> expected = view(pipeline, large, key);
        const auto from_squares = [&](const jessl::Region& squares) {
          Part part(small, squares);
          part.view.shrink = shrink;
          part.view.image_height = height;
          part.view.image_width = width;
          std::vector<float> out(expected.size());
          augment::Scratch scratch;
          pipeline.make(part.view, key, scratch, out);
          return out;
        };
        const std::vector<float> from_whole = from_squares({.height = small.height, .width = small.width});
        for (std::size_t i = 0; i < expected.size(); ++i) REQUIRE(from_whole[i] == Approx(expected[i]).margin(2e-6));
        // What decoding gives for the region: all squares that have a pixel in it.
        const jessl::Region region = pipeline.region({height, width}, key);
        const std::int64_t top = region.top / shrink;
        const std::int64_t left = region.left / shrink;
        const jessl::Region squares{top, left, (region.bottom() + shrink - 1) / shrink - top,
                                    (region.right() + shrink - 1) / shrink - left};
        CHECK(from_squares(squares) == from_whole);
      }
    }
  };
  for (const std::int64_t channels : {1, 3}) {
    check(compose(RandomResizedCrop{.size = 12}, RandomHorizontalFlip{}, Normalize{}), 83, 61, channels);
    check(compose(RandomResizedCrop{.size = 40, .scale = {0.05, 0.4}}), 61, 83, channels);  // enlarged
    check(compose(Resize{.size = 15}, CenterCrop{.size = 9}, RandomVerticalFlip{}), 77, 64, channels);
    check(compose(CenterCrop{.size = 70}), 64, 83, channels);  // nothing is resampled, and there is a border
  }
}

TEST_CASE("Pipeline: says how far its part may be shrunk", "[augment][pipeline]") {
  const Extent extent{400, 500};
  STATIC_REQUIRE(jessl::ShrinkingViewMaker<decltype(simclr())>);
  const auto shrink = [&](const auto& maker) { return jessl::shrink_of(maker, extent, {.seed = 2}); };
  const auto square = [](std::int64_t size) {  // the largest square, whatever is drawn
    return RandomResizedCrop{.size = size, .scale = {1.0, 1.0}, .ratio = {1.0, 1.0}};
  };
  CHECK(shrink(compose(square(201), RandomHorizontalFlip{})) == 1);
  CHECK(shrink(compose(square(200), RandomHorizontalFlip{})) == 2);
  CHECK(shrink(compose(square(100), ColorJitter{})) == 4);
  CHECK(shrink(two_views(compose(square(20)))) == 8);
  CHECK(shrink(augment::with_parameters(compose(square(50)))) == 8);
  CHECK(shrink(compose(CenterCrop{.size = 20})) == 1);     // cut, not shrunk
  CHECK(shrink(compose(ColorJitter{}, square(50))) == 1);  // the jitter sees the whole image
  CHECK(shrink(compose(Resize{.size = 100}, CenterCrop{.size = 50})) == 4);
}

TEST_CASE("Pipeline: a size that depends on the image is refused with what to add", "[augment][pipeline]") {
  using Catch::Matchers::Contains;
  CHECK_THROWS_WITH(
      compose(RandomHorizontalFlip{}, Normalize{}).shape(0, 3),
      Contains("compose(RandomHorizontalFlip, Normalize)") && Contains("add RandomResizedCrop{.size = ...}"));
  CHECK_THROWS_AS(compose(Resize{.size = 20}).shape(0, 3), jessl::ConfigError);
  CHECK(compose(Resize{.size = 20}, CenterCrop{.size = 18}).shape(0, 3) == jessl::ViewShape{3, 18, 18});
  CHECK(compose(Resize{.size = 20, .width = 30}, RandomHorizontalFlip{}).shape(0, 1) == jessl::ViewShape{1, 20, 30});
  CHECK_THROWS_WITH(compose(CenterCrop{}).shape(0, 4), Contains("4 channels") && Contains("1 (grey) or 3 (RGB)"));
}

TEST_CASE("Pipeline: an image or an output of the wrong size is a ShapeError", "[augment][pipeline]") {
  using Catch::Matchers::Contains;
  const auto pipeline = compose(CenterCrop{.size = 4});
  const jessl::Image image = noise_image(6, 5, 3);
  augment::Scratch scratch;
  std::vector<float> out(48);
  std::vector<float> short_out(47);
  CHECK_THROWS_AS(pipeline.make(image.view(), {}, scratch, short_out), jessl::ShapeError);
  CHECK_THROWS_WITH(pipeline.make(image.view(), {}, scratch, short_out),
                    Contains("out has 47 values, expected 48") && Contains("[3, 4, 4]"));
  jessl::ImageView cut = image.view();
  cut.pixels = cut.pixels.first(80);
  CHECK_THROWS_WITH(pipeline.make(cut, {}, scratch, out), Contains("80 bytes") && Contains("[5, 6, 3] = 90"));
  const jessl::RegionView whole = image.view();
  const auto refuses = [&](jessl::RegionView part, const std::string& text) {
    CHECK_THROWS_AS(pipeline.make(part, {}, scratch, out), jessl::ShapeError);
    CHECK_THROWS_WITH(pipeline.make(part, {}, scratch, out), Contains(text));
  };
  jessl::RegionView part = whole;
  part.shrink = 3;
  refuses(part, "the image is shrunk by 3, expected 1, 2, 4 or 8");
  part.shrink = 2;
  refuses(part, "5 rows from 0 and 6 columns from 0, expected a part of an image of 3 rows and 3 columns");
  part = whole;
  part.region.left = 1;
  refuses(part, "5 rows from 0 and 6 columns from 1, expected a part of an image of 5 rows and 6 columns");
  part = whole;
  part.stride = 17;
  refuses(part, "expected [height, width, channels] = [5, 6, 3] = 86 with 17 from row to row");
  part = whole;
  part.region.height = 3;
  part.pixels = part.pixels.first(54);
  refuses(part,
          "has rows 0 to 2 and columns 0 to 5, expected at least rows 0 to 3 and columns 1 to 4: those that region() "
          "asks for");
  jessl::ImageView two = image.view();
  two.channels = 2;
  CHECK_THROWS_AS(pipeline.make(two, {}, scratch, out), jessl::ShapeError);
  jessl::ImageView empty = image.view();
  empty.height = 0;
  CHECK_THROWS_AS(pipeline.make(empty, {}, scratch, out), jessl::ShapeError);
}

TEST_CASE("Pipeline: a bad setting is refused on construction", "[augment][pipeline]") {
  CHECK_THROWS_AS(compose(CenterCrop{}, RandomGrayscale{.p = 1.5}), jessl::ConfigError);
  CHECK_THROWS_AS(simclr({.size = 28, .jitter = 3.0}), jessl::ConfigError);
}

TEST_CASE("Pipeline: what leaves [0, 1] stands where nothing expects that range", "[augment][pipeline]") {
  using Catch::Matchers::Contains;
  const CenterCrop whole{.size = 8};
  CHECK_THROWS_AS(compose(whole, RandomErasing{.filling = Filling::noise}, Normalize{}), jessl::ConfigError);
  CHECK_THROWS_WITH(
      compose(whole, RandomErasing{.filling = Filling::noise}, Cutout{}, RandomInvert{}),
      Contains("RandomErasing: its values lie outside [0, 1], but RandomInvert") && Contains("after Normalize"));
  CHECK_THROWS_AS(compose(whole, Cutout{.fill = {0.0, 1.5, 0.0}}, RandomSolarize{}), jessl::ConfigError);
  CHECK_NOTHROW(compose(whole, Cutout{.fill = {0.0, 1.0, 0.0}}, RandomErasing{}, RandomSolarize{}));
  CHECK_NOTHROW(
      compose(whole, Normalize{}, Cutout{.fill = {-2.0, 0.0, 0.0}}, RandomErasing{.filling = Filling::noise}));
  CHECK_NOTHROW(compose(whole, RandomErasing{.filling = Filling::noise}, Cutout{}));
}

TEST_CASE("Pipeline: its JSON lists the operations in order with their settings", "[augment][pipeline]") {
  const auto pipeline = compose(CenterCrop{.size = 8}, RandomGrayscale{.p = 0.25});
  CHECK(
      jessl::to_json(pipeline).dump() ==
      R"({"name":"compose","operations":[{"name":"CenterCrop","size":8,"width":0},{"name":"RandomGrayscale","p":0.25}]})");
  CHECK(jessl::to_json(two_views(pipeline)) ==
        jessl::Json{{"name", "views"}, {"views", {jessl::to_json(pipeline), jessl::to_json(pipeline)}}});
}

TEST_CASE("Pipeline: a tiny image works", "[augment][pipeline]") {
  for (const std::int64_t channels : {1, 3}) {
    const jessl::Image image = noise_image(1, 1, channels);
    for (const float value :
         view(compose(RandomResizedCrop{.size = 6}, GaussianBlur{.p = 1.0}, RandomHorizontalFlip{}), image)) {
      const double first = image.pixels[0] / 255.0;
      if (channels == 1) CHECK(value == Approx(first).epsilon(1e-5));
      CHECK((value >= 0.0F && value <= 1.0F));
    }
    CHECK(view(simclr({.size = 1}), image).size() == static_cast<std::size_t>(channels));
  }
}

TEST_CASE("Pipeline: allocates nothing once warm, whatever the draws", "[augment][pipeline]") {
  const auto maker = two_views(
      simclr({.size = 20}).pipeline<0>(),
      compose(ColorJitter{}, RandomResizedCrop{.size = 13}, GaussianBlur{}, RandomHorizontalFlip{}, GaussianNoise{},
              RandomPosterize{}, RandomEqualize{}, RandomAutocontrast{}, RandomAdjustSharpness{}, Cutout{.size = 5},
              RandomVerticalFlip{}, RandomAffine{}, RandomPerspective{}, Normalize{}, RandomErasing{}));
  const jessl::Image image = noise_image(40, 31, 3);
  std::vector<float> first(3 * 20 * 20);
  std::vector<float> second(3 * 13 * 13);
  augment::Scratch scratch;
  const auto make = [&](std::uint64_t sample) {
    maker.make(image.view(), {.sample = sample, .view = 0}, scratch, first);
    maker.make(image.view(), {.sample = sample, .view = 1}, scratch, second);
  };
  for (std::uint64_t sample = 0; sample < 20; ++sample) make(sample);
  allocations = 0;
  counting = true;
  for (std::uint64_t sample = 20; sample < 1020; ++sample) make(sample);
  counting = false;
  CHECK(allocations == 0);
}
