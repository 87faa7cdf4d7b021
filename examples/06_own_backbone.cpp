// SPDX-License-Identifier: Apache-2.0
// A backbone of one's own, and one that knows nothing of jessl.
//
// Run        build/release/examples/own_backbone
// Ends with  how well nearest neighbours know the classes after the same run of both
// Time       a quarter of a minute on 2 cores
// Wants     Fashion-MNIST (apt-get install dataset-fashion-mnist)
// taught
// expect: own network: k-NN top-1 0[.][0-9]+\nSequential: k-NN top-1 0[.][0-9]+

#include <jessl/jessl.hpp>

#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/pooling.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <iostream>

namespace own {

/// Four convolutions, whose maps have half the size of the one before. A Cloneable, since BYOL's teacher is a copy of it: reset()
/// makes all that it is made of anew.
struct SmallNetImpl : torch::nn::Cloneable<SmallNetImpl> {
  static constexpr bool casts_images = true;  // it begins with a convolution: a loader may hand it bfloat16

  explicit SmallNetImpl(std::int64_t channels) : in_channels(channels) { reset(); }

  void reset() override {
    layers = register_module("layers", torch::nn::Sequential());
    std::int64_t from = in_channels;
    for (const std::int64_t to : {16, 32, 64, 128}) {
      layers->push_back(torch::nn::Conv2d(torch::nn::Conv2dOptions(from, to, 3).stride(2).padding(1).bias(false)));
      layers->push_back(jessl::BatchNorm2d(to));
      layers->push_back(torch::nn::ReLU());
      from = to;
    }
    initialise(0);
  }

  [[nodiscard]] torch::Tensor forward(const torch::Tensor& images) { return layers->forward(images).mean({2, 3}); }

  /// All weights as a function of the seed: a run follows from its seed alone.
  void initialise(std::uint64_t seed) {
    const torch::NoGradGuard no_gradient;
    auto generator = at::detail::createCPUGenerator(seed);
    for (const auto& [name, weight] : layers->named_parameters().pairs()) {
      if (weight.dim() != 4) continue;
      const double fan_out = static_cast<double>(weight.size(0) * 9);
      torch::Tensor(weight).copy_(torch::empty(weight.sizes()).normal_(0.0, std::sqrt(2.0 / fan_out), generator));
    }
    for (const auto& layer : *layers) {
      if (auto* norm = layer.ptr()->as<jessl::BatchNorm2d>()) norm->reset_parameters();
    }
  }

  std::int64_t in_channels;
  std::int64_t feature_dim = 128;
  torch::nn::Sequential layers{nullptr};
};
using SmallNet = jessl::backbone::Holder<SmallNetImpl>;
static_assert(jessl::Backbone<SmallNet>);

}  // namespace own

/// The same run with any backbone.
template <jessl::Backbone B>
double knn_of_run(const B& network) {
  using namespace jessl;
  const auto images = data::IDX::fashion_mnist(data::Split::train);
  const auto train = data::subset(images, 0, std::min<std::int64_t>(images.size(), 5000));
  const auto test = data::IDX::fashion_mnist(data::Split::test);
  Trainer trainer{augment::simclr({.size = 28}), network, projector::MLP{"128-64"}, loss::BYOL{},
                  optim::AdamW{.lr = 1e-3}};
  trainer.fit(train, {.epochs = 2, .batch_size = 128, .seed = 1});
  const Embedding bank = trainer.embed(train), query = trainer.embed(test);
  return eval::accuracy(eval::KNN{.k = 20}.fit(bank.features, bank.labels).predict(query.features), query.labels);
}

int main() try {
  const double own_network = knn_of_run(own::SmallNet(std::int64_t{1}));
  // Any module of LibTorch's: the function makes it, as often as a copy is wanted.
  const double theirs = knn_of_run(jessl::backbone::wrap({.feature_dim = 64, .network = "two convolutions"}, [] {
    return torch::nn::Sequential(torch::nn::Conv2d(torch::nn::Conv2dOptions(1, 32, 5).stride(2)), torch::nn::ReLU(),
                                 torch::nn::Conv2d(torch::nn::Conv2dOptions(32, 64, 5).stride(2)), torch::nn::ReLU(),
                                 torch::nn::AdaptiveAvgPool2d(1), torch::nn::Flatten());
  }));
  std::cout << "own network: k-NN top-1 " << own_network << "\nSequential: k-NN top-1 " << theirs << '\n';
  return EXIT_SUCCESS;
} catch (const std::exception& error) {
  std::cerr << error.what() << '\n';
  return EXIT_FAILURE;
}
