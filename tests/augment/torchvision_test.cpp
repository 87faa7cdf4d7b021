// SPDX-License-Identifier: Apache-2.0
// Operations against torchvision's on the same parameters; tests/reference/augment/make.py made the numbers.
#include "recording.hpp"
#include "support.hpp"

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

using namespace augment_test;
using namespace jessl::augment;

namespace {

/// The expected [C, H, W].
std::vector<float> expected_by(const Recording& reference, const jessl::Json& entry) {
  const double low = entry["low"];
  const double high = entry["high"];
  const std::size_t count =
      entry["channels"].get<std::size_t>() * entry["height"].get<std::size_t>() * entry["width"].get<std::size_t>();
  std::vector<float> values;
  for (const std::uint16_t quantised : reference.values<std::uint16_t>(entry["offset"], count))
    values.push_back(static_cast<float>(low + quantised * (high - low) / 65535.0));
  return values;
}

/// The mean absolute difference of a view from what Pillow makes, in units of 1/255.
double difference_from_pillow(const Recording& reference, const jessl::Json& entry, const std::vector<float>& view) {
  const std::size_t channels = entry["channels"];
  const std::size_t plane = view.size() / channels;
  const auto bytes = reference.values<std::uint8_t>(entry["pillow"], view.size());
  double sum = 0.0;
  for (std::size_t c = 0; c < channels; ++c) {
    for (std::size_t i = 0; i < plane; ++i)
      sum += std::abs(255.0 * static_cast<double>(view[c * plane + i]) - bytes[i * channels + c]);
  }
  return sum / static_cast<double>(view.size());
}

/// A pixel operation with given parameters on the whole image.
template <class Op>
std::vector<float> on_whole(const jessl::Image& image, const Op& operation, const typename Op::Params& params) {
  const CenterCrop whole{.size = image.height, .width = image.width};
  return view_with(compose(whole, operation), image, {CenterCrop::Params{}, params});
}

std::vector<float> jittered(const jessl::Image& image, const std::vector<std::string>& order,
                            const std::vector<double>& values) {
  ColorJitter::Params params;
  for (std::size_t i = 0; i < order.size(); ++i) {
    const auto set = [&](Adjustment adjustment, double& member) {
      params.order[i] = adjustment;
      member = values[i];
    };
    if (order[i] == "brightness") set(Adjustment::brightness, params.brightness);
    if (order[i] == "contrast") set(Adjustment::contrast, params.contrast);
    if (order[i] == "saturation") set(Adjustment::saturation, params.saturation);
    if (order[i] == "hue") set(Adjustment::hue, params.hue);
  }
  params.count = static_cast<int>(order.size());
  return on_whole(image, ColorJitter{}, params);
}

std::vector<float> computed(const jessl::Json& entry, const jessl::Image& image) {
  const std::string op = entry["op"];
  const auto side = [&](std::size_t axis) { return entry["size"][axis].get<std::int64_t>(); };
  if (op == "resized_crop") {
    const auto box = entry["box"].get<std::array<std::int64_t, 4>>();
    const auto pipeline = compose(RandomResizedCrop{.size = side(0), .width = side(1)}, RandomHorizontalFlip{});
    return view_with(pipeline, image, {{{box[0], box[1], box[2], box[3]}}, {entry["flip"].get<bool>()}});
  }
  if (op == "resize") {
    const bool exact = entry["size"].size() == 2;
    const Resize resize = exact ? Resize{.size = side(0), .width = side(1)} : Resize{.size = side(0)};
    // CenterCrop to the size that Resize must have given changes nothing; another size would not match.
    return view(compose(resize, CenterCrop{.size = entry["height"], .width = entry["width"]}), image);
  }
  if (op == "center_crop") return view(compose(CenterCrop{.size = side(0), .width = side(1)}), image);
  if (op == "resize_center_crop") {
    return view(compose(Resize{.size = entry["resize"]}, CenterCrop{.size = side(0), .width = side(1)}), image);
  }
  if (op == "solarize") return on_whole(image, RandomSolarize{}, {true});
  if (op == "grayscale") return on_whole(image, RandomGrayscale{}, {true});
  if (op == "gaussian_blur") return on_whole(image, GaussianBlur{.kernel_size = entry["size"]}, {true, entry["sigma"]});
  if (op == "normalize")
    return view(compose(CenterCrop{.size = image.height, .width = image.width}, Normalize{}), image);
  if (op == "color_jitter") return jittered(image, entry["order"], entry["values"]);
  return jittered(image, {op}, {entry["value"].get<double>()});
}

}  // namespace

TEST_CASE("Operations: every case equals torchvision's float result", "[augment][torchvision]") {
  const Recording reference("torchvision");
  std::map<std::string, int> counted;
  for (const jessl::Json& entry : reference.list("cases")) {
    INFO(entry.dump());
    const std::vector<float> expected = expected_by(reference, entry);
    const std::vector<float> actual = computed(entry, reference.image(entry["image"]));
    // Half a step of the stored 16-bit numbers, and float32 rounding in another order.
    const double step = (entry["high"].get<double>() - entry["low"].get<double>()) / 65535.0;
    CHECK(largest_difference(actual, expected) < 0.5 * step + 5e-6);
    ++counted[entry["op"]];
  }
  CHECK(counted.size() == 13);
}

TEST_CASE("Operations: resampling equals Pillow's, up to its rounding to 8 bits", "[augment][torchvision]") {
  const Recording reference("torchvision");
  int compared = 0;
  for (const jessl::Json& entry : reference.list("cases")) {
    if (!entry.contains("pillow")) continue;
    INFO(entry.dump());
    // Pillow rounds after the horizontal and after the vertical pass: 1/4 on average each.
    CHECK(difference_from_pillow(reference, entry, computed(entry, reference.image(entry["image"]))) < 0.5);
    ++compared;
  }
  CHECK(compared >= 20);
}
