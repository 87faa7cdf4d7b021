// torch
#include <jessl/train/trainer.hpp>

struct Loss {
  template <class Group>
  [[nodiscard]] torch::Tensor operator()(const std::vector<torch::Tensor>& views, const Group&) const {
    return (views.at(0) - views.at(1)).square().mean();
  }
  [[nodiscard]] torch::Tensor operator()(const torch::Tensor& one, const torch::Tensor& other) const {
    return (*this)({one, other}, jessl::SingleProcess{});
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
