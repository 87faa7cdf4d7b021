// SPDX-License-Identifier: Apache-2.0
// Operations against torchvision's on the same parameters; tests/reference/augment/make.py made the numbers.
#include "support.hpp"

#include <array>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

#include <catch2/catch.hpp>

using namespace augment_test;
using namespace jessl::augment;

namespace {

/// torchvision.json and torchvision.bin.
class Reference {
 public:
  Reference() {
    const std::string stem = JESSL_TEST_DATA "/reference/augment/torchvision";
    std::ifstream(stem + ".json") >> index_;
    std::ifstream file(stem + ".bin", std::ios::binary);
    bytes_.assign(std::istreambuf_iterator<char>(file), {});
  }

  [[nodiscard]] const jessl::Json& cases() const { return index_["cases"]; }

  [[nodiscard]] jessl::Image image(const std::string& name) const {
    const jessl::Json& entry = index_["images"].at(name);
    jessl::Image image(entry["width"], entry["height"], entry["channels"]);
    std::memcpy(image.pixels.data(), at(entry["offset"], image.pixels.size()), image.pixels.size());
    return image;
  }

  /// The expected [C, H, W].
  [[nodiscard]] std::vector<float> expected(const jessl::Json& entry) const {
    const double low = entry["low"];
    const double high = entry["high"];
    std::vector<float> values(count(entry));
    const auto* const bytes = reinterpret_cast<const unsigned char*>(at(entry["offset"], 2 * values.size()));
    for (std::size_t i = 0; i < values.size(); ++i) {
      const int quantised = bytes[2 * i] + 256 * bytes[2 * i + 1];
      values[i] = static_cast<float>(low + quantised * (high - low) / 65535.0);
    }
    return values;
  }

  /// The mean absolute difference of a view from what Pillow makes, in units of 1/255.
  [[nodiscard]] double difference_from_pillow(const jessl::Json& entry, const std::vector<float>& view) const {
    const std::size_t channels = entry["channels"];
    const std::size_t plane = view.size() / channels;
    const auto* const bytes = reinterpret_cast<const unsigned char*>(at(entry["pillow"], view.size()));
    double sum = 0.0;
    for (std::size_t c = 0; c < channels; ++c) {
      for (std::size_t i = 0; i < plane; ++i)
        sum += std::abs(255.0 * static_cast<double>(view[c * plane + i]) - bytes[i * channels + c]);
    }
    return sum / static_cast<double>(view.size());
  }

 private:
  [[nodiscard]] static std::size_t count(const jessl::Json& entry) {
    return entry["channels"].get<std::size_t>() * entry["height"].get<std::size_t>() *
           entry["width"].get<std::size_t>();
  }

  [[nodiscard]] const char* at(std::size_t offset, std::size_t count) const {
    REQUIRE(offset + count <= bytes_.size());
    return bytes_.data() + offset;
  }

  jessl::Json index_;
  std::vector<char> bytes_;
};

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
  const Reference reference;
  std::map<std::string, int> counted;
  for (const jessl::Json& entry : reference.cases()) {
    INFO(entry.dump());
    const std::vector<float> expected = reference.expected(entry);
    const std::vector<float> actual = computed(entry, reference.image(entry["image"]));
    // Half a step of the stored 16-bit numbers, and float32 rounding in another order.
    const double step = (entry["high"].get<double>() - entry["low"].get<double>()) / 65535.0;
    CHECK(largest_difference(actual, expected) < 0.5 * step + 5e-6);
    ++counted[entry["op"]];
  }
  CHECK(counted.size() == 13);
}

TEST_CASE("Operations: resampling equals Pillow's, up to its rounding to 8 bits", "[augment][torchvision]") {
  const Reference reference;
  int compared = 0;
  for (const jessl::Json& entry : reference.cases()) {
    if (!entry.contains("pillow")) continue;
    INFO(entry.dump());
    // Pillow rounds after the horizontal and after the vertical pass: 1/4 on average each.
    CHECK(reference.difference_from_pillow(entry, computed(entry, reference.image(entry["image"]))) < 0.5);
    ++compared;
  }
  CHECK(compared >= 20);
}
