// SPDX-License-Identifier: Apache-2.0
// A data set of one's own: pictures that are drawn when they are read, in place of files, a database or a camera.
//
// Run        build/release/examples/own_data_set
// Ends with  how well nearest neighbours tell discs, squares and crosses apart
// Time       a few seconds
// taught
// expect: 300 of 1000 pictures asked about, k-NN top-1 0?[.]?[0-9]+

#include <jessl/jessl.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <string>
#include <vector>

namespace own {

/// Grey pictures of a disc, a square or a cross, each of its own size and place. Copies are cheap, and threads share them.
class Shapes {
 public:
  explicit Shapes(std::int64_t count) : count_(count) {}

  [[nodiscard]] std::int64_t size() const { return count_; }
  [[nodiscard]] std::int64_t channels() const { return 1; }
  [[nodiscard]] std::int64_t classes() const { return 3; }

  [[nodiscard]] std::int64_t label(std::int64_t i) const {
    check(i);
    return i % 3;
  }

  [[nodiscard]] std::string describe(std::int64_t i) const { return jessl::concat("shape ", i); }

  /// Pixels, or the bytes of a JPEG or PNG file: what a loader is to decode. They lie in `storage`, whose memory is kept
  /// from image to image, or in the data set.
  [[nodiscard]] jessl::EncodedImage read(std::int64_t i, std::vector<std::byte>& storage) const {
    const std::int64_t shape = label(i);
    jessl::Draw draw({.seed = 7, .sample = static_cast<std::uint64_t>(i)});  // the same picture each time
    const double size = draw.uniform(5.0, 9.0), y0 = draw.uniform(10.0, 22.0), x0 = draw.uniform(10.0, 22.0);
    const auto shade = static_cast<std::uint8_t>(draw.uniform(120.0, 255.0));
    storage.assign(side * side, std::byte{20});
    for (std::int64_t y = 0; y < side; ++y) {
      for (std::int64_t x = 0; x < side; ++x) {
        const double dy = std::abs(static_cast<double>(y) - y0), dx = std::abs(static_cast<double>(x) - x0);
        const bool inside = shape == 0   ? std::hypot(dy, dx) < size
                            : shape == 1 ? std::max(dy, dx) < 0.9 * size
                                         : std::min(dy, dx) < 0.3 * size && std::max(dy, dx) < size;
        if (inside) storage[static_cast<std::size_t>(y * side + x)] = std::byte{shade};
      }
    }
    return {.format = jessl::ImageFormat::raw, .width = side, .height = side, .channels = 1, .bytes = storage};
  }

 private:
  static constexpr std::int64_t side = 32;

  void check(std::int64_t i) const {
    JESSL_CHECK(i >= 0 && i < count_, jessl::DataError, "Shapes: there is no picture ", i, ", expected 0 to ",
                count_ - 1);
  }

  std::int64_t count_;
};
static_assert(jessl::Dataset<Shapes>);

}  // namespace own

int main() try {
  using namespace jessl;
  const own::Shapes shapes(1000);
  const auto train = data::subset(shapes, 0, 700), test = data::subset(shapes, 700, 300);

  Trainer trainer{augment::simclr({.size = 32, .min_scale = 0.6}),
                  backbone::resnet18({.stem = backbone::Stem::small, .in_channels = 1, .width = 8}),
                  projector::MLP{"64-32"}, loss::NTXent{.temperature = 0.2}, optim::AdamW{.lr = 2e-3}};
  trainer.fit(train, {.epochs = 3, .batch_size = 100, .seed = 1});

  const Embedding bank = trainer.embed(train), query = trainer.embed(test);
  const auto knn = eval::KNN{.k = 10}.fit(bank.features, bank.labels);
  std::cout << test.size() << " of " << shapes.size() << " pictures asked about, k-NN top-1 "
            << eval::accuracy(knn.predict(query.features), query.labels) << '\n';
  return EXIT_SUCCESS;
} catch (const std::exception& error) {
  std::cerr << error.what() << '\n';
  return EXIT_FAILURE;
}
