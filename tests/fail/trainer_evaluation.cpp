// expect: jessl::Trainer::embed requires evaluation(augmentation), or a view maker after the options
// torch
// The trainer cannot know which view of a user's own view maker is without chance.
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

jessl::Embedding embed(Trainer& trainer, const jessl::data::ArrayDataset& data) { return trainer.embed(data); }
