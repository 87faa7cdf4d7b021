// SPDX-License-Identifier: Apache-2.0
// An augmentation of one's own: an operation that turns some pictures into their negatives, in SimCLR's views.
//
// Run        build/release/examples/own_augmentation
// Ends with  how well nearest neighbours know the classes, and the picture of the views
// Writes     out/own_augmentation/views.png: images, and two views of each
// Time       a minute on 2 cores
// Wants     Fashion-MNIST (apt-get install dataset-fashion-mnist)
// taught
// expect: k-NN top-1 0[.][0-9]+, views are in out/own_augmentation/views.png

#include <jessl/jessl.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <string_view>

namespace own {

/// A pointwise operation: each pixel by itself, with what was drawn once for the view.
struct RandomNegative {
  static constexpr std::string_view name = "RandomNegative";

  double p = 0.2;  ///< probability

  /// What is drawn for a view.
  struct Params {
    bool applied = false;
  };

  void check() const {
    JESSL_CHECK(p >= 0.0 && p <= 1.0, jessl::ConfigError, name, ": p is ", p, ", expected a probability in [0, 1]");
  }

  // All randomness comes from the Draw, so that a view is a function of the seed, whatever thread makes it.
  [[nodiscard]] Params sample(jessl::Draw& draw) const { return {draw.bernoulli(p)}; }

  [[nodiscard]] bool active(const Params& params) const { return params.applied; }

  // For any number of channels and any kind of vector: the library runs it with what the processor has.
  template <class T, std::size_t C>
  [[nodiscard]] jessl::augment::Pixel<T, C> apply(jessl::augment::Pixel<T, C> pixel, const Params&) const {
    for (std::size_t c = 0; c < C; ++c) pixel[c] = T(1.0F) - pixel[c];
    return pixel;
  }
};

}  // namespace own
JESSL_OPTIONS(own::RandomNegative, p);  // its settings stand in logs and checkpoints

int main() try {
  using namespace jessl;
  const auto images = data::IDX::fashion_mnist(data::Split::train);
  const auto train = data::subset(images, 0, std::min<std::int64_t>(images.size(), 5000));
  const auto test = data::IDX::fashion_mnist(data::Split::test);

  const auto views = augment::two_views(augment::compose(augment::RandomResizedCrop{.size = 28, .scale = {0.3, 1.0}},
                                                         augment::RandomHorizontalFlip{}, own::RandomNegative{.p = 0.2},
                                                         augment::Normalize{}));

  io::make_folder("out/own_augmentation");
  io::save_png("out/own_augmentation/views.png", train::view_grid(train, views).view());

  Trainer trainer{views, backbone::resnet18({.stem = backbone::Stem::small, .in_channels = 1, .width = 16}),
                  projector::MLP{"128-64"}, loss::NTXent{.temperature = 0.2}, optim::AdamW{.lr = 1e-3}};
  trainer.fit(train, {.epochs = 2, .batch_size = 128, .seed = 1});

  const Embedding bank = trainer.embed(train), query = trainer.embed(test);
  const auto knn = eval::KNN{.k = 20}.fit(bank.features, bank.labels);
  std::cout << "k-NN top-1 " << eval::accuracy(knn.predict(query.features), query.labels)
            << ", views are in out/own_augmentation/views.png\n";
  return EXIT_SUCCESS;
} catch (const std::exception& error) {
  std::cerr << error.what() << '\n';
  return EXIT_FAILURE;
}
