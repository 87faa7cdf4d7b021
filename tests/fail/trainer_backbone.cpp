// expect: jessl::Trainer requires 'Backbone' to be a jessl::Backbone: a torch::nn::ModuleHolder with ->forward(images)
// torch
// A type without anything of a backbone.
#include <jessl/train/trainer.hpp>

struct Nothing {};

struct Maker {
  static constexpr std::int64_t views = 2;
  struct Scratch {};
  [[nodiscard]] jessl::ViewShape shape(std::int64_t, std::int64_t channels) const { return {channels, 8, 8}; }
  jessl::Region region(const jessl::Extent& image, const jessl::DrawKey&) const {
    return {.height = image.height, .width = image.width};
  }
  void make(const jessl::RegionView&, const jessl::DrawKey&, Scratch&, std::span<float>) const {}
};

void use(const Maker& maker, const Nothing& backbone) {
  jessl::Trainer trainer{maker, backbone, jessl::ProjectorArchetype{}, jessl::LossArchetype{},
                         jessl::OptimizerArchetype{}};
}
