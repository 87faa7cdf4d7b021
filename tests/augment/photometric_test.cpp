// SPDX-License-Identifier: Apache-2.0
// Posterize, invert, equalize, autocontrast, sharpness, the models of hue, and erasing against torchvision's results on
// the same parameters; tests/reference/augment/make_photometric.py made the numbers.
#include "recording.hpp"
#include "statistics.hpp"
#include "support.hpp"

#include <array>
#include <cmath>
#include <functional>
#include <map>
#include <numbers>
#include <string>

#include <catch2/catch.hpp>

using namespace augment_test;
using namespace jessl::augment;

namespace {

/// A pixel operation with given parameters on the whole image.
template <class Op>
std::vector<float> on_whole(const jessl::Image& image, const Op& operation, const typename Op::Params& params) {
  const CenterCrop whole{.size = image.height, .width = image.width};
  return view_with(compose(whole, operation), image, {CenterCrop::Params{}, params});
}

std::vector<float> hue_turned(const jessl::Image& image, HueModel model, double turns) {
  ColorJitter::Params params;
  params.count = 1;
  params.order[0] = Adjustment::hue;
  params.hue = turns;
  return on_whole(image, ColorJitter{.hue_model = model}, params);
}

std::vector<float> computed(const jessl::Json& entry, const jessl::Image& image) {
  const std::string op = entry["op"];
  if (op == "posterize") return on_whole(image, RandomPosterize{.bits = entry["bits"]}, {true});
  if (op == "invert") return on_whole(image, RandomInvert{}, {true});
  if (op == "equalize") return on_whole(image, RandomEqualize{}, {true});
  if (op == "autocontrast") return on_whole(image, RandomAutocontrast{}, {true});
  if (op == "sharpness") return on_whole(image, RandomAdjustSharpness{.sharpness = entry["factor"]}, {true});
  if (op == "hue_yiq") return hue_turned(image, HueModel::yiq, entry["value"]);
  if (op == "hue_grey_axis") return hue_turned(image, HueModel::grey_axis, entry["value"]);
  REQUIRE(op == "normalize_erase");
  const auto three = [&](const char* name) {
    const auto values = entry[name].get<std::vector<double>>();
    return values.size() == 3 ? std::array{values[0], values[1], values[2]}
                              : std::array{values[0], values[0], values[0]};
  };
  const auto box = entry["box"].get<std::array<std::int64_t, 4>>();
  const auto pipeline =
      compose(CenterCrop{.size = image.height, .width = image.width},
              Normalize{.mean = three("mean"), .std = three("std")}, RandomErasing{.value = three("value")});
  auto params = pipeline.sample({}, {image.height, image.width});
  std::get<2>(params) = {.applied = true, .box = {box[0], box[1], box[2], box[3]}};
  return view_with(pipeline, image, params);
}

/// How far a float result may lie from torchvision's 8 bits, in units of 1/255: what torchvision rounds.
double rounding(const jessl::Json& entry) {
  if (entry["op"] == "autocontrast") return 1.0;  // its last step cuts the fraction off
  if (entry["op"] == "sharpness") {               // the mean is rounded before it is weighed, and the fraction cut off
    return 1.0 + 0.5 * std::abs(1.0 - entry["factor"].get<double>());
  }
  return 0.0;
}

double as_double(std::int64_t value) { return static_cast<double>(value); }

}  // namespace

TEST_CASE("Photometric operations: every case equals torchvision's result", "[augment][photometric]") {
  const Recording reference("photometric");
  std::map<std::string, int> counted;
  for (const jessl::Json& entry : reference.list("cases")) {
    INFO(entry.dump());
    const jessl::Image image = reference.image(entry["image"]);
    const std::vector<float> actual = computed(entry, image);
    if (entry.contains("bytes")) {
      const auto bytes = reference.values<std::uint8_t>(entry["bytes"], actual.size());
      std::vector<float> expected(bytes.begin(), bytes.end());
      for (float& value : expected) value /= 255.0F;
      CHECK(largest_difference(actual, expected) <= rounding(entry) / 255.0 + 1e-6);  // and float32
    }
    if (entry.contains("floats")) {
      const double low = entry["low"];
      const double step = (entry["high"].get<double>() - low) / 65535.0;
      std::vector<float> expected;
      for (const std::uint16_t q : reference.values<std::uint16_t>(entry["floats"], actual.size()))
        expected.push_back(static_cast<float>(low + q * step));
      // Half a step of the stored 16-bit numbers, and float32 rounding in another order, up to four times magnified.
      // The published matrix of YIQ has six digits, and agrees with YIQ's definition to four.
      CHECK(largest_difference(actual, expected) < 0.5 * step + (entry["op"] == "hue_yiq" ? 1e-4 : 5e-6));
    }
    ++counted[entry["op"]];
  }
  CHECK(counted.size() == 8);
}

TEST_CASE("RandomEqualize, RandomPosterize: resampled values count as their nearest of 8 bits",
          "[augment][photometric]") {
  const jessl::Image image = noise_image(50, 40, 3);
  const Resize smaller{.size = 21, .width = 26};
  jessl::Image rounded(26, 21, 3);
  const std::vector<float> resized = view(compose(smaller), image);
  const std::size_t plane = resized.size() / 3;
  for (std::size_t i = 0; i < resized.size(); ++i)
    rounded.pixels[i % plane * 3 + i / plane] = static_cast<std::uint8_t>(std::lround(255.0F * resized[i]));
  const auto same = [&](const auto& operation) {
    const auto fused = view_with(compose(smaller, operation), image, {Resize::Params{}, {true}});
    CHECK(largest_difference(fused, on_whole(rounded, operation, {true})) < 1e-6);
  };
  same(RandomEqualize{});
  same(RandomPosterize{.bits = 3});
}

TEST_CASE("RandomAutocontrast: float rounding of a flat image is not stretched", "[augment][photometric]") {
  jessl::Image image(31, 29, 3);
  std::fill(image.pixels.begin(), image.pixels.end(), std::uint8_t{77});
  const auto pipeline = compose(Resize{.size = 17, .width = 19}, GaussianBlur{.p = 1.0}, RandomAutocontrast{.p = 1.0});
  for (const float value : view(pipeline, image))
    REQUIRE(static_cast<double>(value) == Approx(77.0 / 255.0).margin(1e-6));
}

TEST_CASE("ColorJitter: each hue model keeps grey and what it says, and turns red towards green",
          "[augment][photometric]") {
  const jessl::Image image = noise_image(16, 16, 3);
  jessl::Image muted = image;  // near grey, so that nothing is clamped
  for (std::uint8_t& value : muted.pixels) value = static_cast<std::uint8_t>(110 + value / 8);
  const std::size_t plane = muted.pixels.size() / 3;
  const auto before = view(compose(CenterCrop{.size = 16}), muted);
  for (const HueModel model : {HueModel::yiq, HueModel::grey_axis}) {
    const bool yiq = model == HueModel::yiq;
    const std::array<double, 3> weights = yiq ? std::array{0.299, 0.587, 0.114} : std::array{1.0, 1.0, 1.0};
    const auto kept = [&](const std::vector<float>& values, std::size_t i) {
      double sum = 0.0;
      for (std::size_t c = 0; c < 3; ++c) sum += weights[c] * static_cast<double>(values[c * plane + i]);
      return sum;
    };
    const auto after = hue_turned(muted, model, 0.3);
    for (std::size_t i = 0; i < plane; ++i) REQUIRE(kept(after, i) == Approx(kept(before, i)).margin(1e-6));
    CHECK(largest_difference(hue_turned(muted, model, 0.0), before) < 1e-6);
    jessl::Image red(1, 1, 3);
    red.pixels = {200, 60, 60};
    for (const HueModel any : {HueModel::hsv, model}) {
      const auto forward = hue_turned(red, any, 0.1);
      const auto backward = hue_turned(red, any, -0.1);
      CHECK(forward[1] > forward[2]);  // towards green
      CHECK(backward[1] < backward[2]);
    }
    jessl::Image grey(1, 1, 3);
    grey.pixels = {90, 90, 90};
    for (const float value : hue_turned(grey, model, 0.4))
      CHECK(static_cast<double>(value) == Approx(90.0 / 255.0).margin(1e-6));
  }
  const jessl::Image one_channel = noise_image(9, 9, 1);
  CHECK(hue_turned(one_channel, HueModel::yiq, 0.3) == view(compose(CenterCrop{.size = 9}), one_channel));
}

TEST_CASE("ColorJitter: the hue is drawn on both sides, whatever its model", "[augment][photometric]") {
  for (const HueModel model : {HueModel::hsv, HueModel::yiq, HueModel::grey_axis}) {
    const ColorJitter jitter{.hue = 0.3, .p = 1.0, .hue_model = model};
    std::vector<double> hues;
    for (std::uint64_t sample = 0; sample < 5000; ++sample) {
      jessl::Draw draw({.seed = 9, .sample = sample});
      hues.push_back(jitter.sample(draw).hue);
    }
    CHECK(distance_from_uniform(hues, -0.3, 0.3) < 1.95 / std::sqrt(5000.0));
  }
}

TEST_CASE("Photometric operations: each is applied with its probability", "[augment][photometric]") {
  const auto check = [](const auto& make) {
    constexpr int count = 20000;
    for (const double p : {0.0, 0.2, 0.5, 1.0}) {
      int applied = 0;
      for (std::uint64_t sample = 0; sample < count; ++sample) {
        jessl::Draw draw({.seed = 12, .sample = sample});
        applied += make(p).sample(draw).applied ? 1 : 0;
      }
      CHECK(std::abs(applied - p * count) <= 3.3 * std::sqrt(p * (1.0 - p) * count));
    }
  };
  check([](double p) { return RandomPosterize{.p = p}; });
  check([](double p) { return RandomInvert{.p = p}; });
  check([](double p) { return RandomEqualize{.p = p}; });
  check([](double p) { return RandomAutocontrast{.p = p}; });
  check([](double p) { return RandomAdjustSharpness{.p = p}; });
}

TEST_CASE("RandomErasing: boxes have torchvision's distribution, tries and rounding included",
          "[augment][photometric]") {
  const Recording reference("photometric");
  constexpr int count = 20000;
  int compared = 0;
  for (const jessl::Json& entry : reference.list("draws")) {
    if (entry["op"] != "erasing") continue;
    INFO(entry.dump());
    const RandomErasing erasing{.p = 1.0, .scale = entry["scale"], .ratio = entry["ratio"]};
    const Extent extent{entry["height"], entry["width"]};
    // Without a box, torchvision's numbers are the whole image's; compared are those that have one, and how many.
    std::array<std::vector<double>, 6> ours;
    std::array<std::vector<double>, 6> theirs;
    const auto add = [](auto& columns, double top, double left, double height, double width) {
      const std::array values{top, left, height, width, height * width, height / std::max(width, 0.5)};
      for (std::size_t i = 0; i < values.size(); ++i) columns[i].push_back(values[i]);
    };
    for (std::uint64_t sample = 0; sample < count; ++sample) {
      jessl::Draw draw({.seed = 3, .sample = sample});
      const RandomErasing::Params params = erasing.sample(draw, extent);
      const jessl::Region& box = params.box;
      if (!params.applied) continue;
      REQUIRE((box.top >= 0 && box.left >= 0 && box.bottom() <= extent.height && box.right() <= extent.width));
      add(ours, as_double(box.top), as_double(box.left), as_double(box.height), as_double(box.width));
    }
    const std::size_t rows = entry["count"];
    const auto values = reference.values<std::uint16_t>(entry["values"], 5 * rows);
    for (std::size_t row = 0; row < rows; ++row) {
      const auto* const one = &values[5 * row];
      if (one[0] != 0) add(theirs, one[1], one[2], one[3], one[4]);
    }
    const double share = static_cast<double>(theirs[0].size()) / static_cast<double>(rows);
    CHECK(std::abs(static_cast<double>(ours[0].size()) / count - share) <=
          3.3 * std::sqrt(share * (1.0 - share) / static_cast<double>(rows)) + 3.3 * std::sqrt(0.25 / count));
    const double bound =
        1.95 * std::sqrt(1.0 / static_cast<double>(ours[0].size()) + 1.0 / static_cast<double>(theirs[0].size()));
    for (std::size_t i = 0; i < ours.size(); ++i) {
      INFO("column " << i);
      CHECK(distance(ours[i], theirs[i]) < bound);
    }
    ++compared;
  }
  CHECK(compared == 2);
}

TEST_CASE("RandomErasing: is applied with its probability; noise is standard normal, and its parameters tell it",
          "[augment][photometric]") {
  constexpr int count = 20000;
  int applied = 0;
  for (std::uint64_t sample = 0; sample < count; ++sample) {
    jessl::Draw draw({.seed = 4, .sample = sample});
    applied += RandomErasing{.p = 0.3}.sample(draw, {50, 50}).applied ? 1 : 0;
  }
  CHECK(std::abs(applied - 0.3 * count) <= 3.3 * std::sqrt(0.3 * 0.7 * count));

  const jessl::Image image = noise_image(130, 130, 3);
  const auto pipeline = compose(CenterCrop{.size = 130}, Normalize{}, RandomErasing{.filling = Filling::noise});
  auto params = pipeline.sample({}, {130, 130});
  std::get<2>(params) = {.applied = true, .box = {2, 3, 120, 110}, .key = {5, 6}};
  const auto noisy = view_with(pipeline, image, params);
  CHECK(noisy == view_with(pipeline, image, params));
  std::get<2>(params).applied = false;
  const auto plain = view_with(pipeline, image, params);
  std::vector<double> normal;
  for (std::size_t i = 0; i < noisy.size(); ++i) {
    const auto y = static_cast<std::int64_t>(i / 130 % 130);
    const auto x = static_cast<std::int64_t>(i % 130);
    if (inside({2, 3, 120, 110}, y, x)) {
      normal.push_back(0.5 * std::erfc(-static_cast<double>(noisy[i]) / std::numbers::sqrt2));
    } else {
      REQUIRE(noisy[i] == plain[i]);
    }
  }
  CHECK(normal.size() == 3U * 120U * 110U);
  CHECK(distance_from_uniform(normal, 0.0, 1.0) < 1.95 / std::sqrt(static_cast<double>(normal.size())));
}

TEST_CASE("Cutout: the middle of its square is uniform over the image, and the border cuts it off",
          "[augment][photometric]") {
  constexpr int count = 40000;
  const Extent extent{12, 9};
  std::map<std::array<std::int64_t, 4>, int> boxes;
  for (std::uint64_t sample = 0; sample < count; ++sample) {
    jessl::Draw draw({.seed = 8, .sample = sample});
    const jessl::Region box = Cutout{.size = 5}.sample(draw, extent).box;
    ++boxes[{box.top, box.left, box.height, box.width}];
  }
  // One box for each place of the middle: (y, x) covers the rows from y - 2 to y + 2 that there are.
  REQUIRE(boxes.size() == 12U * 9U);
  double chi_squared = 0.0;
  const double expected = count / 108.0;
  for (std::int64_t y = 0; y < 12; ++y) {
    for (std::int64_t x = 0; x < 9; ++x) {
      const std::int64_t top = std::max<std::int64_t>(0, y - 2);
      const std::int64_t left = std::max<std::int64_t>(0, x - 2);
      const auto found =
          boxes.find({top, left, std::min<std::int64_t>(12, y + 3) - top, std::min<std::int64_t>(9, x + 3) - left});
      REQUIRE(found != boxes.end());
      chi_squared += (found->second - expected) * (found->second - expected) / expected;
    }
  }
  CHECK(chi_squared < 158.0);  // 0.999 quantile, 107 degrees of freedom
}

TEST_CASE("Cutout: covers its box with its colour, and a grey image with the mean of the three",
          "[augment][photometric]") {
  const jessl::Region box{3, 2, 4, 7};
  for (const std::int64_t channels : {1, 3}) {
    const jessl::Image image = noise_image(13, 11, channels);
    const auto plain = view(compose(CenterCrop{.size = 11, .width = 13}), image);
    const auto covered = on_whole(image, Cutout{.fill = {0.1, 0.6, 0.8}}, {box});
    const std::array<float, 3> colour = {0.1F, 0.6F, 0.8F};
    for (std::size_t i = 0; i < covered.size(); ++i) {
      const auto y = static_cast<std::int64_t>(i / 13 % 11);
      const auto x = static_cast<std::int64_t>(i % 13);
      const float expected = !inside(box, y, x) ? plain[i] : channels == 1 ? 0.5F : colour[i / (11 * 13)];
      REQUIRE(static_cast<double>(covered[i]) == Approx(static_cast<double>(expected)).margin(1e-7));
    }
  }
  // A square larger than the image covers all of it, or all but what its place leaves.
  jessl::Draw draw(jessl::DrawKey{});
  CHECK(Cutout{.size = 100}.sample(draw, {11, 13}).box == jessl::Region{0, 0, 11, 13});
}
