// SPDX-License-Identifier: Apache-2.0
// The laws of an operation, for every operation of the family.
#include "support.hpp"

#include <array>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <type_traits>

#include <boost/hana/for_each.hpp>
#include <catch2/catch.hpp>

using namespace augment_test;
using namespace jessl::augment;

namespace {

template <class F>
void for_each_operation(const F& f) {
  boost::hana::for_each(All, [&](auto type) { f(typename decltype(type)::type{}); });
}

/// The operation in a pipeline with a fixed size.
template <class Op>
auto alone(const Op& operation) {
  if constexpr (GeometricOperation<Op>) {
    return compose(operation, CenterCrop{.size = 18, .width = 16});
  } else {
    return compose(CenterCrop{.size = 18, .width = 16}, operation);  // more than 255 pixels: fewer can't be equalized
  }
}

template <class Op>
constexpr bool is_random =
    !std::is_same_v<Op, Resize> && !std::is_same_v<Op, CenterCrop> && !std::is_same_v<Op, Normalize>;

/// Makes a setting absurd: NaN, -1 for a count, a value without a name for an enumeration.
void spoil(double& value) { value = std::numeric_limits<double>::quiet_NaN(); }
void spoil(std::int64_t& value) { value = -1; }
template <jessl::NamedEnum E>
void spoil(E& value) {
  value = static_cast<E>(99);
}
template <std::size_t N>
void spoil(std::array<double, N>& values) {
  spoil(values.back());
}
template <class T>
void spoil(std::optional<T>& value) {
  spoil(value.emplace());
}

}  // namespace

TEST_CASE("Operations: each is an Operation of exactly one kind, with a name of its own", "[augment][law]") {
  std::set<std::string> names;
  for_each_operation([&](auto operation) {
    using Op = decltype(operation);
    INFO(Op::name);
    CHECK(int{GeometricOperation<Op>} + int{PointwiseOperation<Op>} + int{IndexedOperation<Op>} +
              int{AdaptiveOperation<Op>} + int{ColourOperation<Op>} + int{FilterOperation<Op>} +
              int{WarpOperation<Op>} ==
          1);
    CHECK(names.insert(std::string(Op::name)).second);
  });
}

TEST_CASE("Operations: the same key gives the same bytes, whatever the scratch was used for", "[augment][law]") {
  for (const std::int64_t channels : {1, 3}) {
    const jessl::Image image = noise_image(19, 17, channels, 1);
    const jessl::Image other = noise_image(33, 45, 3, 2);
    for_each_operation([&](auto operation) {
      INFO(operation.name << ", " << channels << " channels");
      const auto pipeline = alone(operation);
      augment::Scratch scratch;
      std::vector<float> out(static_cast<std::size_t>(pipeline.shape(0, channels).count()));
      std::vector<float> unused(static_cast<std::size_t>(pipeline.shape(0, 3).count()));
      for (std::uint64_t sample = 0; sample < 6; ++sample) {
        pipeline.make(other.view(), {.sample = sample + 1}, scratch, unused);
        pipeline.make(image.view(), {.sample = sample}, scratch, out);
        CHECK(out == view(pipeline, image, {.sample = sample}));
      }
    });
  }
}

TEST_CASE("Operations: the region that is asked for gives the bytes of the whole image", "[augment][law]") {
  for (const std::int64_t channels : {1, 3}) {
    const jessl::Image image = noise_image(41, 37, channels);
    const jessl::Region whole{.height = image.height, .width = image.width};
    for_each_operation([&](auto operation) {
      const auto pipeline = alone(operation);
      for (std::uint64_t sample = 0; sample < 12; ++sample) {
        const jessl::DrawKey key{.sample = sample};
        const jessl::Region region = pipeline.region({image.height, image.width}, key);
        INFO(operation.name << ", " << channels << " channels, sample " << sample);
        REQUIRE(region.area() >= 1);
        REQUIRE(whole.contains(region));
        CHECK(view_of_part(pipeline, image, region, key) == view(pipeline, image, key));
      }
    });
  }
}

TEST_CASE("Operations: other keys give other views where chance is involved, and only there", "[augment][law]") {
  const jessl::Image image = noise_image(19, 17, 3);
  for_each_operation([&](auto operation) {
    INFO(operation.name);
    const auto pipeline = alone(operation);
    std::set<std::vector<float>> distinct;
    for (std::uint64_t sample = 0; sample < 40; ++sample) distinct.insert(view(pipeline, image, {.sample = sample}));
    CHECK((distinct.size() > 1) == is_random<decltype(operation)>);
  });
}

TEST_CASE("Operations: the declared output is the real one", "[augment][law]") {
  for_each_operation([&](auto operation) {
    using Op = decltype(operation);
    if constexpr (GeometricOperation<Op>) {
      for (const Extent extent : {Extent{17, 19}, Extent{300, 7}, Extent{1, 1}, Extent{224, 224}}) {
        jessl::Draw draw({.sample = 4});
        INFO(Op::name << " of " << extent);
        CHECK(operation.place(operation.sample(draw, extent), extent).size == operation.output(extent));
        const Extent unknown = operation.output({});
        CHECK((!unknown.known() || unknown == operation.output(extent)));
      }
    }
  });
}

TEST_CASE("Operations: defaults pass the check, and every setting is checked by name", "[augment][law]") {
  for_each_operation([&](auto operation) {
    using Op = decltype(operation);
    CHECK_NOTHROW(operation.check());
    for (const std::string& setting : jessl::option_names<Op>()) {
      Op bad;
      jessl::for_each_option(bad, [&](std::string_view name, auto& value) {
        if (name == setting) spoil(value);
      });
      INFO(Op::name << "." << setting);
      CHECK_THROWS_AS(bad.check(), jessl::ConfigError);
      CHECK_THROWS_WITH(bad.check(),
                        Catch::Matchers::Contains(std::string(Op::name)) && Catch::Matchers::Contains(setting));
    }
  });
}

TEST_CASE("Operations: settings survive JSON", "[augment][law]") {
  for_each_operation([&](auto operation) {
    using Op = decltype(operation);
    jessl::for_each_option(operation, [](std::string_view, auto& value) {
      if constexpr (std::is_same_v<std::decay_t<decltype(value)>, double>) value = 0.375;
    });
    const jessl::Json json = jessl::to_json(operation);
    CHECK(json["name"] == Op::name);
    CHECK(jessl::same_options(jessl::from_json<Op>(json), operation));
  });
}

TEST_CASE("Operations: settings outside their range are refused", "[augment][law]") {
  CHECK_THROWS_AS((RandomResizedCrop{.size = 0}.check()), jessl::ConfigError);
  CHECK_THROWS_AS((RandomResizedCrop{.scale = {0.5, 0.4}}.check()), jessl::ConfigError);
  CHECK_THROWS_AS((RandomResizedCrop{.scale = {0.0, 0.4}}.check()), jessl::ConfigError);
  CHECK_THROWS_AS((RandomResizedCrop{.scale = {0.5, 1.1}}.check()), jessl::ConfigError);
  CHECK_THROWS_AS((RandomResizedCrop{.ratio = {-1.0, 1.0}}.check()), jessl::ConfigError);
  CHECK_THROWS_AS((RandomCrop{.padding = 1 << 20}.check()), jessl::ConfigError);
  CHECK_THROWS_AS((CenterCrop{.size = 0}.check()), jessl::ConfigError);
  CHECK_THROWS_AS((Resize{.size = 1 << 20}.check()), jessl::ConfigError);
  CHECK_THROWS_AS((RandomHorizontalFlip{.p = -0.1}.check()), jessl::ConfigError);
  CHECK_THROWS_AS((ColorJitter{.brightness = -0.1}.check()), jessl::ConfigError);
  CHECK_THROWS_AS((ColorJitter{.hue = 0.6}.check()), jessl::ConfigError);
  CHECK_THROWS_AS((GaussianBlur{.kernel_size = 4}.check()), jessl::ConfigError);
  CHECK_THROWS_AS((GaussianBlur{.sigma = {0.0, 1.0}}.check()), jessl::ConfigError);
  CHECK_THROWS_AS((GaussianBlur{.sigma = {2.0, 1.0}}.check()), jessl::ConfigError);
  CHECK_THROWS_AS((GaussianNoise{.sigma = -1.0}.check()), jessl::ConfigError);
  CHECK_THROWS_AS((RandomSolarize{.threshold = 128.0}.check()), jessl::ConfigError);
  CHECK_THROWS_AS((Normalize{.std = {1.0, 0.0, 1.0}}.check()), jessl::ConfigError);
  CHECK_THROWS_AS((RandomPosterize{.bits = 0}.check()), jessl::ConfigError);
  CHECK_THROWS_AS((RandomPosterize{.bits = 9}.check()), jessl::ConfigError);
  CHECK_THROWS_AS((RandomAdjustSharpness{.sharpness = -0.5}.check()), jessl::ConfigError);
  CHECK_THROWS_AS((Cutout{.size = 0}.check()), jessl::ConfigError);
  CHECK_THROWS_AS((RandomErasing{.scale = {0.5, 1.1}}.check()), jessl::ConfigError);
  CHECK_THROWS_AS((RandomErasing{.ratio = {2.0, 1.0}}.check()), jessl::ConfigError);
  CHECK_THROWS_AS((RandomVerticalFlip{.p = 1.1}.check()), jessl::ConfigError);
  CHECK_THROWS_AS((RandomRotation{.degrees = -5.0}.check()), jessl::ConfigError);
  CHECK_THROWS_AS((RandomTranslate{.padding = 1 << 20}.check()), jessl::ConfigError);
  CHECK_THROWS_AS((RandomAffine{.translate = {0.1, 1.5}}.check()), jessl::ConfigError);
  CHECK_THROWS_AS((RandomAffine{.scale = {0.0, 1.0}}.check()), jessl::ConfigError);
  CHECK_THROWS_AS((RandomAffine{.shear = {5.0, -5.0, 0.0, 0.0}}.check()), jessl::ConfigError);
  CHECK_THROWS_AS((RandomAffine{.shear = {0.0, 0.0, 0.0, 90.0}}.check()), jessl::ConfigError);
  CHECK_THROWS_AS((RandomPerspective{.distortion_scale = 1.5}.check()), jessl::ConfigError);
  CHECK_THROWS_WITH(
      (RandomTranslate{.fill = {0.0, 128.0, 0.0}}.check()),
      "jessl::augment::RandomTranslate: fill[1] = 128, expected a fraction of white, in [0, 1]; 8-bit 128 "
      "is 0.5");
  CHECK_THROWS_WITH((RandomRotation{.degrees = 400.0}.check()),
                    "jessl::augment::RandomRotation: degrees = 400, expected 0 to 360 degrees; angles are drawn from "
                    "-degrees to degrees");
  CHECK_THROWS_WITH((RandomHorizontalFlip{.p = 1.5}.check()),
                    "jessl::augment::RandomHorizontalFlip: p = 1.5 is not a probability; choose a value in [0, 1]");
}
