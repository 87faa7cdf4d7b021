// SPDX-License-Identifier: Apache-2.0
// The draws of the operations have the distributions that torchvision's have. Seeds are fixed: nothing here is left to
// chance; the bounds are those that a right generator passes for 999 seeds of 1000.
#include "statistics.hpp"
#include "support.hpp"

#include <array>
#include <cmath>
#include <functional>
#include <map>
#include <random>

#include <catch2/catch.hpp>

using namespace augment_test;
using namespace jessl::augment;

namespace {

constexpr int count = 20000;

const double one_sample_bound = 1.95 / std::sqrt(static_cast<double>(count));
const double two_sample_bound = 1.95 * std::sqrt(2.0 / static_cast<double>(count));
/// For a correlation of independent values: 3.3 standard deviations.
const double correlation_bound = 3.3 / std::sqrt(static_cast<double>(count));

double correlation(const std::vector<double>& a, const std::vector<double>& b) {
  const auto n = static_cast<double>(a.size());
  double ma = 0, mb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    ma += a[i] / n;
    mb += b[i] / n;
  }
  double ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    ab += (a[i] - ma) * (b[i] - mb);
    aa += (a[i] - ma) * (a[i] - ma);
    bb += (b[i] - mb) * (b[i] - mb);
  }
  return ab / std::sqrt(aa * bb);
}

/// What `draw(sample)` gives for many samples.
std::vector<double> collect(const std::function<double(std::uint64_t)>& draw) {
  std::vector<double> values;
  for (std::uint64_t sample = 0; sample < count; ++sample) values.push_back(draw(sample));
  return values;
}

std::vector<Region> boxes(const RandomResizedCrop& crop, Extent extent, std::uint64_t seed) {
  std::vector<Region> result;
  for (std::uint64_t sample = 0; sample < count; ++sample) {
    jessl::Draw draw({.seed = seed, .sample = sample});
    result.push_back(crop.sample(draw, extent).box);
  }
  return result;
}

/// torchvision's RandomResizedCrop.get_params, written again with the standard library's generator.
std::vector<Region> torchvision_boxes(Extent extent, std::array<double, 2> scale, std::array<double, 2> ratio) {
  std::mt19937_64 engine(11);
  const auto uniform = [&](double low, double high) {
    return std::uniform_real_distribution<double>(low, high)(engine);
  };
  const auto below = [&](std::int64_t n) { return std::uniform_int_distribution<std::int64_t>(0, n - 1)(engine); };
  const auto height = static_cast<double>(extent.height);
  const auto width = static_cast<double>(extent.width);
  std::vector<Region> result;
  while (result.size() < static_cast<std::size_t>(count)) {
    Region box;
    for (int attempt = 0; attempt < 10 && box.width == 0; ++attempt) {
      const double area = height * width * uniform(scale[0], scale[1]);
      const double aspect = std::exp(uniform(std::log(ratio[0]), std::log(ratio[1])));
      const auto w = static_cast<std::int64_t>(std::nearbyint(std::sqrt(area * aspect)));
      const auto h = static_cast<std::int64_t>(std::nearbyint(std::sqrt(area / aspect)));
      if (w > 0 && h > 0 && w <= extent.width && h <= extent.height) {
        box = {below(extent.height - h + 1), below(extent.width - w + 1), h, w};
      }
    }
    if (box.width == 0) box = {0, 0, extent.height, extent.width};  // right for square images
    result.push_back(box);
  }
  return result;
}

std::vector<double> of(const std::vector<Region>& all, const std::function<double(const Region&)>& value) {
  std::vector<double> values;
  for (const Region& box : all) values.push_back(value(box));
  return values;
}

double as_double(std::int64_t value) { return static_cast<double>(value); }

}  // namespace

TEST_CASE("RandomResizedCrop: area, log ratio and place are uniform", "[augment][distribution]") {
  // At most half the area and at most 4:3, so that every first try fits; 4000 pixels, so that rounding is not seen.
  constexpr double side = 4000.0;
  const auto all = boxes({.scale = {0.08, 0.5}}, {4000, 4000}, 1);
  CHECK(distance_from_uniform(of(all, [](const Region& b) { return as_double(b.height * b.width) / (side * side); }),
                              0.08, 0.5) < one_sample_bound);
  const double widest = std::log(4.0 / 3.0);
  const auto log_ratio = of(all, [](const Region& b) { return std::log(as_double(b.width) / as_double(b.height)); });
  CHECK(distance_from_uniform(log_ratio, -widest, widest) < one_sample_bound + 1e-3);
  const auto left =
      of(all, [](const Region& b) { return (as_double(b.left) + 0.5) / (side - as_double(b.width) + 1.0); });
  const auto top =
      of(all, [](const Region& b) { return (as_double(b.top) + 0.5) / (side - as_double(b.height) + 1.0); });
  CHECK(distance_from_uniform(left, 0.0, 1.0) < one_sample_bound);
  CHECK(distance_from_uniform(top, 0.0, 1.0) < one_sample_bound);
  CHECK(std::abs(correlation(left, top)) < correlation_bound);
  CHECK(std::abs(correlation(left, log_ratio)) < correlation_bound);
}

TEST_CASE("RandomResizedCrop: boxes in small images have torchvision's distribution, tries and rounding included",
          "[augment][distribution]") {
  for (const std::int64_t side : {28, 32, 224}) {
    const auto ours = boxes({}, {side, side}, 2);
    const auto theirs = torchvision_boxes({side, side}, {0.08, 1.0}, {3.0 / 4.0, 4.0 / 3.0});
    INFO("side " << side);
    for (const auto& value : std::vector<std::function<double(const Region&)>>{
             [](const Region& b) { return as_double(b.width); }, [](const Region& b) { return as_double(b.height); },
             [](const Region& b) { return as_double(b.width * b.height); },
             [](const Region& b) { return as_double(b.left); }, [](const Region& b) { return as_double(b.top); },
             [](const Region& b) { return as_double(b.width) / as_double(b.height); }}) {
      CHECK(distance(of(ours, value), of(theirs, value)) < two_sample_bound);
    }
    for (const Region& box : ours) {
      REQUIRE((box.top >= 0 && box.left >= 0 && box.height >= 1 && box.width >= 1));
      REQUIRE((box.top + box.height <= side && box.left + box.width <= side));
    }
  }
}

TEST_CASE("RandomResizedCrop: crops are wide as often as high, and seldom square", "[augment][distribution]") {
  int wide = 0;
  int high = 0;
  for (const Region& box : boxes({}, {500, 500}, 3)) {
    wide += box.width > box.height ? 1 : 0;
    high += box.width < box.height ? 1 : 0;
  }
  CHECK(wide + high > 0.98 * count);
  CHECK(std::abs(wide - high) < 3.3 * std::sqrt(static_cast<double>(count)));
}

TEST_CASE("RandomResizedCrop: where no try fits, the largest central box of an allowed ratio is taken",
          "[augment][distribution]") {
  jessl::Draw draw(jessl::DrawKey{});
  const RandomResizedCrop crop{.scale = {0.9, 1.0}};
  CHECK(crop.sample(draw, {10, 1000}).box == Region{0, 493, 10, 13});  // 13 = round(10 * 4/3), 493 = (1000 - 13) / 2
  CHECK(crop.sample(draw, {1000, 9}).box == Region{494, 0, 12, 9});    // 12 = 9 / (3/4), 494 = (1000 - 12) / 2
  // 10 x 10 fits the ratios, but no box of ratio 1.2 and 99 % of the area does.
  CHECK(RandomResizedCrop{.scale = {0.99, 0.99}, .ratio = {1.2, 1.2}}.sample(draw, {10, 10}).box ==
        Region{1, 0, 8, 10});
}

TEST_CASE("RandomHorizontalFlip: flips with its probability", "[augment][distribution]") {
  for (const double p : {0.0, 0.3, 0.5, 1.0}) {
    const auto flips = collect([&](std::uint64_t sample) {
      jessl::Draw draw({.sample = sample});
      return RandomHorizontalFlip{.p = p}.sample(draw, {4, 4}).applied ? 1.0 : 0.0;
    });
    double sum = 0.0;
    for (const double flip : flips) sum += flip;
    CHECK(std::abs(sum - p * count) <= 3.3 * std::sqrt(p * (1.0 - p) * count));
  }
}

TEST_CASE("ColorJitter: factors are uniform in torchvision's ranges, hue on both sides", "[augment][distribution]") {
  const ColorJitter jitter{.brightness = 0.4, .contrast = 1.5, .saturation = 1.0, .hue = 0.3, .p = 1.0};
  const auto drawn = [&](auto member) {
    return collect([&](std::uint64_t sample) {
      jessl::Draw draw({.seed = 4, .sample = sample});
      return jitter.sample(draw).*member;
    });
  };
  using Params = ColorJitter::Params;
  const auto brightness = drawn(&Params::brightness);
  const auto hue = drawn(&Params::hue);
  CHECK(distance_from_uniform(brightness, 0.6, 1.4) < one_sample_bound);
  CHECK(distance_from_uniform(drawn(&Params::contrast), 0.0, 2.5) < one_sample_bound);
  CHECK(distance_from_uniform(drawn(&Params::saturation), 0.0, 2.0) < one_sample_bound);
  CHECK(distance_from_uniform(hue, -0.3, 0.3) < one_sample_bound);
  CHECK(std::abs(correlation(brightness, hue)) < correlation_bound);
}

TEST_CASE("ColorJitter: its 24 orders are equally frequent, and it is applied with its probability",
          "[augment][distribution]") {
  std::map<std::array<Adjustment, 4>, int> orders;
  int applied = 0;
  for (std::uint64_t sample = 0; sample < count; ++sample) {
    jessl::Draw draw({.seed = 5, .sample = sample});
    const auto params = ColorJitter{.p = 0.8}.sample(draw);
    if (params.count == 0) continue;
    ++applied;
    ++orders[params.order];
  }
  CHECK(std::abs(applied - 0.8 * count) < 3.3 * std::sqrt(0.8 * 0.2 * count));
  REQUIRE(orders.size() == 24);
  double chi_squared = 0.0;
  const double expected = applied / 24.0;
  for (const auto& [order, times] : orders) chi_squared += (times - expected) * (times - expected) / expected;
  CHECK(chi_squared < 49.7);  // 0.999 quantile, 23 degrees of freedom
}

TEST_CASE("ColorJitter: a setting of 0 leaves its adjustment out", "[augment][distribution]") {
  jessl::Draw draw(jessl::DrawKey{});
  const auto params =
      ColorJitter{.brightness = 0.0, .contrast = 0.0, .saturation = 0.5, .hue = 0.0, .p = 1.0}.sample(draw);
  CHECK(params.count == 1);
  CHECK(params.order[0] == Adjustment::saturation);
}

TEST_CASE("GaussianBlur: sigma is uniform in its range; the kernel is a tenth of the image",
          "[augment][distribution]") {
  const GaussianBlur blur{.sigma = {0.1, 2.0}, .p = 1.0};
  const auto sigmas = collect([&](std::uint64_t sample) {
    jessl::Draw draw({.seed = 6, .sample = sample});
    return blur.sample(draw).sigma;
  });
  CHECK(distance_from_uniform(sigmas, 0.1, 2.0) < one_sample_bound);
  CHECK(blur.radius({224, 300}) == 11);
  CHECK(blur.radius({32, 32}) == 1);
  CHECK(blur.radius({28, 28}) == 1);
  CHECK(blur.radius({5, 5}) == 1);
  CHECK(GaussianBlur{.kernel_size = 9}.radius({224, 224}) == 4);
}

TEST_CASE("GaussianNoise: has its mean and deviation, and no two values share their noise", "[augment][distribution]") {
  jessl::Image image(150, 150, 3);
  std::fill(image.pixels.begin(), image.pixels.end(), std::uint8_t{102});  // 0.4: six deviations from 0 and from 1
  const auto noisy = view(compose(CenterCrop{.size = 150}, GaussianNoise{.mean = 0.1, .sigma = 0.05}), image);
  const auto n = static_cast<double>(noisy.size());
  double mean = 0.0;
  for (const float value : noisy) mean += static_cast<double>(value) / n;
  double variance = 0.0;
  for (const float value : noisy)
    variance += (static_cast<double>(value) - mean) * (static_cast<double>(value) - mean) / n;
  CHECK(mean == Approx(0.5).margin(3.3 * 0.05 / std::sqrt(n)));
  CHECK(std::sqrt(variance) == Approx(0.05).margin(3.3 * 0.05 / std::sqrt(2.0 * n)));

  const std::vector<double> values(noisy.begin(), noisy.end());
  const auto plane = static_cast<std::ptrdiff_t>(values.size() / 3);
  for (const std::ptrdiff_t lag : {std::ptrdiff_t{1}, std::ptrdiff_t{150}, plane, 2 * plane}) {
    CHECK(std::abs(correlation({values.begin(), values.end() - lag}, {values.begin() + lag, values.end()})) <
          3.3 / std::sqrt(n / 3.0));
  }

  const auto strong = view(compose(CenterCrop{.size = 150}, GaussianNoise{.sigma = 2.0}), image);
  CHECK(*std::min_element(strong.begin(), strong.end()) == 0.0F);
  CHECK(*std::max_element(strong.begin(), strong.end()) == 1.0F);
}

TEST_CASE("Pipeline: operations, views and epochs are independent of each other", "[augment][distribution]") {
  // Equal operations side by side: the case in which streams seeded alike would agree completely.
  const auto pipeline = compose(CenterCrop{.size = 4}, RandomGrayscale{.p = 0.5}, RandomSolarize{.p = 0.5},
                                RandomGrayscale{.p = 0.5}, GaussianBlur{.p = 1.0}, GaussianBlur{.p = 1.0});
  const auto params = [&](std::uint64_t sample, std::uint8_t view_index = 0, std::uint32_t epoch = 0,
                          std::uint64_t seed = 0) {
    return pipeline.sample({.seed = seed, .epoch = epoch, .sample = sample, .view = view_index}, {8, 8});
  };
  const auto grey = collect([&](std::uint64_t s) { return std::get<1>(params(s)).applied ? 1.0 : 0.0; });
  const auto solarized = collect([&](std::uint64_t s) { return std::get<2>(params(s)).applied ? 1.0 : 0.0; });
  const auto grey_again = collect([&](std::uint64_t s) { return std::get<3>(params(s)).applied ? 1.0 : 0.0; });
  const auto blur = collect([&](std::uint64_t s) { return std::get<4>(params(s)).sigma; });
  const auto blur_again = collect([&](std::uint64_t s) { return std::get<5>(params(s)).sigma; });
  const auto blur_second_view = collect([&](std::uint64_t s) { return std::get<4>(params(s, 1)).sigma; });
  const auto blur_next_epoch = collect([&](std::uint64_t s) { return std::get<4>(params(s, 0, 1)).sigma; });
  const auto blur_next_seed = collect([&](std::uint64_t s) { return std::get<4>(params(s, 0, 0, 1)).sigma; });
  const auto blur_next_sample = collect([&](std::uint64_t s) { return std::get<4>(params(s + 1)).sigma; });
  CHECK(std::abs(correlation(grey, solarized)) < correlation_bound);
  CHECK(std::abs(correlation(grey, grey_again)) < correlation_bound);
  CHECK(std::abs(correlation(grey, blur)) < correlation_bound);
  CHECK(std::abs(correlation(blur, blur_again)) < correlation_bound);
  CHECK(std::abs(correlation(blur, blur_second_view)) < correlation_bound);
  CHECK(std::abs(correlation(blur, blur_next_epoch)) < correlation_bound);
  CHECK(std::abs(correlation(blur, blur_next_seed)) < correlation_bound);
  CHECK(std::abs(correlation(blur, blur_next_sample)) < correlation_bound);
}
