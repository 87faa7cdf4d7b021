// expect: jessl::Trainer requires an order that can be recorded in checkpoints
// torch
// A resumed run could not tell whether its order is that of the run before.
#include <jessl/data/array_dataset.hpp>
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

using Trainer = jessl::Trainer<Maker, jessl::BackboneArchetype, jessl::ProjectorArchetype, jessl::LossArchetype,
                               jessl::OptimizerArchetype>;

struct Reversed {
  static constexpr bool by_page = false;
  void arrange(const auto&, const jessl::DrawKey&, std::span<std::int64_t> indices) const {
    for (std::size_t i = 0; i < indices.size(); ++i) indices[i] = static_cast<std::int64_t>(indices.size() - 1 - i);
  }
};

jessl::FitResult fit(Trainer& trainer, const jessl::data::ArrayDataset& data) {
  return trainer.fit(data, {.epochs = 1}, Reversed{});
}
