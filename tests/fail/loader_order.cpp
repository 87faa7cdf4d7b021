// expect: jessl::data::Loader requires its fourth argument to be a jessl::Order
#include <jessl/augment/eval.hpp>
#include <jessl/data/array_dataset.hpp>
#include <jessl/data/loader.hpp>

struct Backwards {
  static constexpr bool by_page = false;
  void arrange(std::span<std::int64_t>) const {}
};

int main() {
  const jessl::data::ArrayDataset dataset({.pixels = {1}, .height = 1, .width = 1});
  jessl::data::Loader loader{dataset, jessl::augment::eval({.size = 8}), {.batch_size = 1}, Backwards{}};
}
