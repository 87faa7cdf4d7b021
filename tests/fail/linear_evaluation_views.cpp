// expect: jessl::train requires an augmentation whose normalization(augmentation) is known
// torch
// How a user's own view maker normalises, nobody can tell.
#include <jessl/train/detail/classifiers.hpp>

struct Maker {
  static constexpr std::int64_t views = 2;
  struct Scratch {};
  [[nodiscard]] jessl::ViewShape shape(std::int64_t, std::int64_t channels) const { return {channels, 8, 8}; }
  jessl::Region region(const jessl::Extent& image, const jessl::DrawKey&) const {
    return {.height = image.height, .width = image.width};
  }
  void make(const jessl::RegionView&, const jessl::DrawKey&, Scratch&, std::span<float>) const {}
};

auto views(const Maker& maker) { return jessl::train::detail::crop_and_flip(maker, 0.5); }
