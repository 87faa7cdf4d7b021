// SPDX-License-Identifier: Apache-2.0
// The concept of a view maker: its archetype satisfies it, and what misses a part does not.
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include <jessl/core/views.hpp>

namespace {

// [archetype]
/// A view maker that offers what the concept asks for and nothing else: one view of one pixel, the image's first.
struct ViewMakerArchetype {
  struct Scratch {};
  static constexpr std::int64_t views = 1;
  [[nodiscard]] jessl::ViewShape shape(std::int64_t, std::int64_t channels) const { return {channels, 1, 1}; }
  [[nodiscard]] jessl::Region region(const jessl::Extent&, const jessl::DrawKey&) const {
    return {.height = 1, .width = 1};
  }
  void make(const jessl::RegionView& part, const jessl::DrawKey&, Scratch&, std::span<float> out) const {
    for (std::size_t c = 0; c < out.size(); ++c)
      out[c] = static_cast<float>(part.at(0, 0, static_cast<std::int64_t>(c))) / 255.0F;
  }
};
// [/archetype]

/// What a maker offers in addition that says its parameters: here the key's sample.
struct DescribingArchetype : ViewMakerArchetype {
  [[nodiscard]] std::vector<std::string> parameters(std::int64_t) const { return {"sample"}; }
  void describe(const jessl::Extent&, const jessl::DrawKey& key, std::span<float> out) const {
    out[0] = static_cast<float>(key.sample);
  }
};

struct WithoutScratch {
  static constexpr std::int64_t views = 1;
  [[nodiscard]] jessl::ViewShape shape(std::int64_t, std::int64_t channels) const { return {channels, 1, 1}; }
  [[nodiscard]] jessl::Region region(const jessl::Extent&, const jessl::DrawKey&) const { return {}; }
};

struct WithoutRegion {
  struct Scratch {};
  static constexpr std::int64_t views = 1;
  [[nodiscard]] jessl::ViewShape shape(std::int64_t, std::int64_t channels) const { return {channels, 1, 1}; }
  void make(const jessl::RegionView&, const jessl::DrawKey&, Scratch&, std::span<float>) const {}
};

}  // namespace

TEST_CASE("ViewMaker: the archetype is one, and a type that misses something is not", "[core][views]") {
  static_assert(jessl::ViewMaker<ViewMakerArchetype>);
  static_assert(!jessl::ViewMaker<WithoutScratch>);
  static_assert(!jessl::ViewMaker<WithoutRegion>);
  static_assert(!jessl::ViewMaker<int>);
  static_assert(jessl::DescribingViewMaker<DescribingArchetype>);
  static_assert(!jessl::DescribingViewMaker<ViewMakerArchetype>);
  CHECK(ViewMakerArchetype().shape(0, 3) == jessl::ViewShape{3, 1, 1});
}

TEST_CASE("ViewMaker: takes an image for the part that is the whole", "[core][views]") {
  jessl::Image image(2, 2, 3);
  image.pixels[1] = 255;
  ViewMakerArchetype::Scratch scratch;
  std::array<float, 3> out{};
  ViewMakerArchetype().make(image.view(), {}, scratch, out);
  CHECK(out == std::array{0.0F, 1.0F, 0.0F});
}
