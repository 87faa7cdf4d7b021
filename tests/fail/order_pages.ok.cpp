#include <jessl/data/order.hpp>

struct Images {
  std::int64_t size() const { return 1; }
  std::int64_t channels() const { return 1; }
  std::int64_t classes() const { return 0; }
  std::int64_t label(std::int64_t) const { return -1; }
  jessl::EncodedImage read(std::int64_t, std::vector<std::byte>&) const { return {}; }
  std::string describe(std::int64_t) const { return ""; }
  std::int64_t page(std::int64_t) const { return 0; }
};

int main() {
  std::vector<std::int64_t> indices(1);
  jessl::data::order::QuasiRandom{}.arrange(Images{}, {}, indices);
}
