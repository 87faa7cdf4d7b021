// expect: jessl::data::Loader requires its second argument to be a jessl::ViewMaker
// The maker does not say which region of the image it needs.
#include <jessl/data/loader.hpp>

struct Images {
  std::int64_t size() const { return 1; }
  std::int64_t channels() const { return 1; }
  std::int64_t classes() const { return 0; }
  std::int64_t label(std::int64_t) const { return -1; }
  jessl::EncodedImage read(std::int64_t, std::vector<std::byte>&) const { return {}; }
  std::string describe(std::int64_t) const { return "image"; }
};

struct OneView {
  static constexpr std::int64_t views = 1;
  struct Scratch {};
  jessl::ViewShape shape(std::int64_t, std::int64_t channels) const { return {channels, 1, 1}; }
  void make(const jessl::RegionView&, const jessl::DrawKey&, Scratch&, std::span<float>) const {}
};

int main() { jessl::data::Loader loader{Images{}, OneView{}, {.batch_size = 1}}; }
