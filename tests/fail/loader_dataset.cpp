// expect: jessl::data::Loader requires its first argument to be a jessl::Dataset
#include <jessl/data/loader.hpp>

struct Images {
  std::int64_t size() const { return 1; }
};

struct OneView {
  static constexpr std::int64_t views = 1;
  struct Scratch {};
  jessl::ViewShape shape(std::int64_t, std::int64_t channels) const { return {channels, 1, 1}; }
  jessl::Region region(const jessl::Extent& image, const jessl::DrawKey&) const {
    return {.height = image.height, .width = image.width};
  }
  void make(const jessl::RegionView&, const jessl::DrawKey&, Scratch&, std::span<float>) const {}
};

int main() { jessl::data::Loader loader{Images{}, OneView{}, {.batch_size = 1}}; }
