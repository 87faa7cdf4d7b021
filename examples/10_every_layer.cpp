// SPDX-License-Identifier: Apache-2.0
// What each layer of a network knows: classifiers at the backbone's blocks, the representation and the projector's layers, and
// by how many dimensions they do it. Why the projector is thrown away after training can be seen in such a table.
//
// Run        build/release/examples/every_layer
// Ends with  a table layer x classifier, and RankMe of each layer
// Time       a minute on 2 cores
// Wants     Fashion-MNIST (apt-get install dataset-fashion-mnist)
// taught
// expect: representation +KNN.*[0-9.]+(.|\n)*projector[.]1(.|\n)*RankMe of representation [0-9.]+

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

  Trainer trainer{augment::simclr({.size = 28}),
                  backbone::resnet18({.stem = backbone::Stem::small, .in_channels = 1, .width = 16}),
                  projector::MLP{"128-64"}, loss::NTXent{.temperature = 0.2}, optim::AdamW{.lr = 1e-3}};
  // During training: a linear classifier at every layer, from the step's own forward pass and without gradient to the network.
  trainer.fit(train, {.epochs = 2, .batch_size = 128, .seed = 1}, train::Progress{}, train::OnlineProbe{});

  // After it: classifiers that are fitted to their optimum. One pass over the images gives the features of all layers.
  const LayerEmbedding bank = trainer.embed_layers(train, {.blocks = true});
  const LayerEmbedding query = trainer.embed_layers(test, {.blocks = true});
  std::cout << eval::at_layers(bank, query, eval::KNN{.k = 20}, eval::standardized(eval::RidgeProbe{.lambda = 100.0}));
  for (const auto& [layer, features] : bank.layers)
    std::cout << "RankMe of " << layer << ' ' << eval::rank_me(features) << '\n';
  return EXIT_SUCCESS;
} catch (const std::exception& error) {
  std::cerr << error.what() << '\n';
  return EXIT_FAILURE;
}
