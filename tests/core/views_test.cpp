// SPDX-License-Identifier: Apache-2.0
// The concept of a view maker: its archetype satisfies it, and what misses a part does not.
#include <catch2/catch.hpp>

#include <jessl/core/views.hpp>

namespace {

struct ViewMakerArchetype {
  struct Scratch {};
  static constexpr std::int64_t views = 1;
  [[nodiscard]] jessl::ViewShape shape(std::int64_t, std::int64_t channels) const { return {channels, 1, 1}; }
  void make(const jessl::ImageView&, const jessl::DrawKey&, Scratch&, std::span<float>) const {}
};

struct WithoutScratch {
  static constexpr std::int64_t views = 1;
  [[nodiscard]] jessl::ViewShape shape(std::int64_t, std::int64_t channels) const { return {channels, 1, 1}; }
};

}  // namespace

TEST_CASE("ViewMaker: the archetype is one, and a type that misses something is not", "[core][views]") {
  static_assert(jessl::ViewMaker<ViewMakerArchetype>);
  static_assert(!jessl::ViewMaker<WithoutScratch>);
  static_assert(!jessl::ViewMaker<int>);
  CHECK(ViewMakerArchetype().shape(0, 3) == jessl::ViewShape{3, 1, 1});
}
