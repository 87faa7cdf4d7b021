// expect: jessl::Trainer does not build predictors and teachers
// torch
// Without its teacher such a loss would collapse in silence.
#include <jessl/train/trainer.hpp>

struct Loss {
  jessl::loss::Teacher teacher{};
  template <class Group>
  [[nodiscard]] torch::Tensor operator()(const std::vector<torch::Tensor>& views,
                                         const std::vector<torch::Tensor>& targets, const Group&) const {
    return (views.at(0) - targets.at(0)).square().mean();
  }
};

struct Maker {
  static constexpr std::int64_t views = 2;
  struct Scratch {};
  [[nodiscard]] jessl::ViewShape shape(std::int64_t, std::int64_t channels) const { return {channels, 8, 8}; }
  jessl::Region region(const jessl::Extent& image, const jessl::DrawKey&) const {
    return {.height = image.height, .width = image.width};
  }
  void make(const jessl::RegionView&, const jessl::DrawKey&, Scratch&, std::span<float>) const {}
};

using Trainer =
    jessl::Trainer<Maker, jessl::BackboneArchetype, jessl::ProjectorArchetype, Loss, jessl::OptimizerArchetype>;
static_assert(sizeof(Trainer) > 0);
