// torch
#include <jessl/train/trainer.hpp>

struct Maker {
  static constexpr std::int64_t views = 2;
  struct Scratch {};
  [[nodiscard]] jessl::ViewShape shape(std::int64_t, std::int64_t channels) const { return {channels, 8, 8}; }
  jessl::Region region(const jessl::Extent& image, const jessl::DrawKey&) const {
    return {.height = image.height, .width = image.width};
  }
  void make(const jessl::RegionView&, const jessl::DrawKey&, Scratch&, std::span<float>) const {}
};

void use(const Maker& maker, const jessl::BackboneArchetype& backbone) {
  jessl::Trainer trainer{maker, backbone, jessl::ProjectorArchetype{}, jessl::LossArchetype{},
                         jessl::OptimizerArchetype{}};
}
