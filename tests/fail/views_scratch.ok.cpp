#include <span>

#include <jessl/augment.hpp>

struct Black {
  using Scratch = jessl::augment::Scratch;
  static constexpr std::int64_t views = 1;
  jessl::ViewShape shape(std::int64_t, std::int64_t channels) const { return {channels, 1, 1}; }
  jessl::Region region(const jessl::Extent&, const jessl::DrawKey&) const { return {.height = 1, .width = 1}; }
  void make(const jessl::RegionView&, const jessl::DrawKey&, Scratch&, std::span<float> out) const { out[0] = 0.0F; }
};

const auto maker = jessl::augment::two_views(Black{});
