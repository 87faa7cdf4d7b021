// expect: jessl::data::Loader requires a view maker of 1 to 255 views
#include <jessl/data/loader.hpp>

struct Images {
  std::int64_t size() const { return 1; }
  std::int64_t channels() const { return 1; }
  std::int64_t classes() const { return 0; }
  std::int64_t label(std::int64_t) const { return -1; }
  jessl::EncodedImage read(std::int64_t, std::vector<std::byte>&) const { return {}; }
  std::string describe(std::int64_t) const { return "image"; }
};

struct ManyViews {
  static constexpr std::int64_t views = 256;
  struct Scratch {};
  jessl::ViewShape shape(std::int64_t, std::int64_t channels) const { return {channels, 1, 1}; }
  jessl::Region region(const jessl::Extent& image, const jessl::DrawKey&) const {
    return {.height = image.height, .width = image.width};
  }
  void make(const jessl::RegionView&, const jessl::DrawKey&, Scratch&, std::span<float>) const {}
};

int main() { jessl::data::Loader loader{Images{}, ManyViews{}, {.batch_size = 1}}; }
