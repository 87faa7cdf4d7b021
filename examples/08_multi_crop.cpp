// SPDX-License-Identifier: Apache-2.0
// Multi-crop: two views of most of an image and four of small parts of it, which SwAV assigns to the same prototypes.
//
// Run        build/release/examples/multi_crop
// Ends with  the views' shapes, and how well nearest neighbours know the classes
// Time       a minute on 2 cores
// Wants     Fashion-MNIST (apt-get install dataset-fashion-mnist)
// taught
// expect: 2 views of 28 pixels and 4 of 14: k-NN top-1 0[.][0-9]+

#include <jessl/jessl.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <iostream>

int main() try {
  using namespace jessl;
  const auto images = data::IDX::fashion_mnist(data::Split::train);
  const auto train = data::subset(images, 0, std::min<std::int64_t>(images.size(), 5000));
  const auto test = data::IDX::fashion_mnist(data::Split::test);

  // All six are made from one decoding of the image, and the network sees views of one size together.
  const auto global = augment::compose(augment::RandomResizedCrop{.size = 28, .scale = {0.4, 1.0}},
                                       augment::RandomHorizontalFlip{}, augment::Normalize{});
  const auto local = augment::compose(augment::RandomResizedCrop{.size = 14, .scale = {0.1, 0.4}},
                                      augment::RandomHorizontalFlip{}, augment::Normalize{});
  const auto views = augment::multi_crop<2, 4>(global, local);

  Trainer trainer{views, backbone::resnet18({.stem = backbone::Stem::small, .in_channels = 1, .width = 16}),
                  projector::MLP{"128-64"}, loss::SwAV{.prototypes = 60}, optim::AdamW{.lr = 1e-3}};
  trainer.fit(train, {.epochs = 2, .batch_size = 128, .seed = 1});

  const Embedding bank = trainer.embed(train), query = trainer.embed(test);
  const auto knn = eval::KNN{.k = 20}.fit(bank.features, bank.labels);
  std::cout << "2 views of " << views.shape(0, 1).width << " pixels and 4 of " << views.shape(5, 1).width
            << ": k-NN top-1 " << eval::accuracy(knn.predict(query.features), query.labels) << '\n';
  return EXIT_SUCCESS;
} catch (const std::exception& error) {
  std::cerr << error.what() << '\n';
  return EXIT_FAILURE;
}
