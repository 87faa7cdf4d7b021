// torch
#include <jessl/train/trainer.hpp>

struct Loss {
  jessl::loss::Teacher teacher{};
  template <class Group>
  [[nodiscard]] torch::Tensor operator()(const std::vector<torch::Tensor>& views,
                                         const std::vector<torch::Tensor>& targets, const Group&) const {
    return (views.at(0) - targets.at(1)).square().mean();
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

struct NetImpl : torch::nn::Cloneable<NetImpl> {
  [[nodiscard]] torch::Tensor forward(const torch::Tensor& images) const { return images.mean({2, 3}); }
  void reset() override {}
  void initialise(std::uint64_t) {}
  std::int64_t feature_dim = 3;
};
using Net = jessl::backbone::Holder<NetImpl>;

using Trainer = jessl::Trainer<Maker, Net, jessl::ProjectorArchetype, Loss, jessl::OptimizerArchetype>;
static_assert(sizeof(Trainer) > 0);
