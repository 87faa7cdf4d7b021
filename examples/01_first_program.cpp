// SPDX-License-Identifier: Apache-2.0
// The smallest whole program: SimCLR by the book on Fashion-MNIST, judged by its nearest neighbours.
//
// Run        build/release/examples/first_program, once cmake --build --preset release --target first_program has built it
// Ends with  k-NN top-1: ...
// Time       hours on a CPU (a full ResNet-18, ten times over 60,000 images); minutes on a GPU
// packaged
// expect: k-NN top-1: (0[.][0-9]*[1-9]|1)
//
// Its lines are laid out for the documentation:
// clang-format off

#include <jessl/jessl.hpp>

#include <iostream>

int main() {
  auto train = jessl::data::IDX::fashion_mnist(jessl::data::Split::train);
  auto test  = jessl::data::IDX::fashion_mnist(jessl::data::Split::test);

  jessl::Trainer trainer{
      jessl::augment::simclr({.size = 28}),
      jessl::backbone::resnet18({.stem = jessl::backbone::Stem::small, .in_channels = 1}),
      jessl::projector::MLP{"2048-2048-128"},
      jessl::loss::NTXent{.temperature = 0.2},
      jessl::optim::LARS{.lr = 0.5, .weight_decay = 1e-6}};

  trainer.fit(train, {.epochs = 10, .batch_size = 256, .seed = 1});

  auto bank = trainer.embed(train);   // {features [N,D] row-major float, labels [N]}
  auto query = trainer.embed(test);
  auto knn = jessl::eval::KNN{.k = 200, .temperature = 0.07}.fit(bank.features, bank.labels);
  std::cout << "k-NN top-1: " << jessl::eval::accuracy(knn.predict(query.features), query.labels) << '\n';
}
