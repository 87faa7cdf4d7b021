// SPDX-License-Identifier: Apache-2.0
// Runs of networks that are no residual ones: what they draw, what copies them, and views of several sizes.
#include <cstdint>
#include <memory>
#include <vector>

#include <catch2/catch.hpp>

#include "train/fixtures.hpp"

using namespace jessl;
using Catch::Contains;

namespace {

backbone::ViT tiny_vit() {
  return backbone::vit({.width = 16,
                        .depth = 3,
                        .heads = 2,
                        .patch_size = 4,
                        .image_size = 16,
                        .in_channels = 1,
                        .pooling = backbone::Pooling::mean,
                        .drop_path = 0.5,
                        .layer_scale = 0.5});
}

backbone::ConvNeXt tiny_convnext() {
  return backbone::convnext({.widths = {8, 8, 16, 16},
                             .layers = {1, 1, 2, 1},
                             .stem_size = 1,
                             .in_channels = 1,
                             .drop_path = 0.5,
                             .layer_scale = 1.0});
}

/// Knows nothing of jessl, can't be cloned by itself, and draws in training.
struct DrawingNetImpl : torch::nn::Module {
  torch::Tensor forward(const torch::Tensor& images) {
    const torch::Tensor x = torch::relu(norm->forward(convolution->forward(images))).mean({2, 3});
    return at::dropout(x, 0.5, is_training());
  }

  torch::nn::Conv2d convolution = register_module("convolution", torch::nn::Conv2d(1, 16, 3));
  torch::nn::BatchNorm2d norm = register_module("norm", torch::nn::BatchNorm2d(16));
};

auto drawing_net() {
  return backbone::wrap({.feature_dim = 16, .network = "drawing"}, [] { return std::make_shared<DrawingNetImpl>(); });
}

template <class B, class L>
auto trainer_of(B net, L loss) {
  return Trainer{augment::simclr({.size = 16, .min_scale = 0.6, .jitter = 0.25, .grayscale = 0.0, .blur = 0.0}), net,
                 projector::MLP{"16-8"}, loss, optim::AdamW{.lr = 1e-3}};
}

/// Stops a run, goes on, and compares with one that was never stopped.
template <class MakeTrainer>
void check_resumed(const MakeTrainer& make_trainer, FitOptions options) {
  const fixtures::TemporaryFolder folder;
  const auto data = fixtures::stripes();
  make_trainer().fit(data, options, train::JSONLines{folder / "whole"});
  const train::JSONLines metrics{folder / "resumed"};
  const train::CheckpointEvery checkpoint{.path = folder / "checkpoint.pt", .epochs = 0, .steps = 3};
  CHECK_THROWS_WITH(make_trainer().fit(data, options, metrics, checkpoint, fixtures::StopAfter{5}),
                    Contains("stopped after step 5"));
  torch::manual_seed(99);  // what others drew must not matter
  options.resume = folder / "checkpoint.pt";
  make_trainer().fit(data, options, metrics, checkpoint);
  CHECK(fixtures::losses(folder / "resumed") == fixtures::losses(folder / "whole"));
}

}  // namespace

TEST_CASE("backbones: runs of networks that draw go on with the same losses, under a teacher and in parts, too",
          "[train][backbones]") {
  const fixtures::CapturedLog log;
  FitOptions options = fixtures::small_run();
  options.epochs = 2;
  for (const Precision precision : {Precision::float32, Precision::bfloat16}) {
    options.precision = precision;
    check_resumed([] { return trainer_of(tiny_vit(), loss::NTXent{}); }, options);
    check_resumed([] { return trainer_of(tiny_convnext(), loss::NTXent{}); }, options);
  }
  options.micro_batch = 8;
  check_resumed([] { return trainer_of(tiny_vit(), loss::NTXent{}); }, options);
  options.micro_batch = 0;
  check_resumed([] { return trainer_of(drawing_net(), loss::BYOL{.predictor = {.hidden = "8"}}); }, options);
}

TEST_CASE("backbones: a step in parts drops the same branches in both of its passes", "[train][backbones]") {
  std::vector<torch::Tensor> views;
  for (const double phase : {0.0, 0.4})
    views.push_back(torch::sin(0.37 * torch::arange(8 * 256, torch::kFloat32) + phase).view({8, 1, 16, 16}));
  Trainer trainer{augment::simclr({.size = 16}), tiny_vit(), projector::Identity{}, loss::NTXent{},
                  optim::SGD{.lr = 1.0, .momentum = 0.0, .weight_decay = 0.0}};
  trainer.initialise(1);
  auto net = trainer.backbone();
  const StateDict before = fixtures::copy_of(module_state(*net));

  // The same loss in one graph, of features that are drawn part by part.
  net->train();
  torch::manual_seed(7);
  std::vector<torch::Tensor> one, two;
  for (const std::int64_t begin : {0, 4}) {
    const torch::Tensor features = net->forward(at::cat({views[0].narrow(0, begin, 4), views[1].narrow(0, begin, 4)}));
    one.push_back(features.narrow(0, 0, 4));
    two.push_back(features.narrow(0, 4, 4));
  }
  loss::NTXent{}({at::cat(one), at::cat(two)}).backward();
  StateDict gradients;
  for (const auto& entry : net->named_parameters()) gradients[entry.key()] = entry.value().grad().clone();
  net->zero_grad();

  torch::manual_seed(7);
  trainer.step(views, {.micro_batch = 4});
  torch::Tensor largest = torch::zeros({}), difference = torch::zeros({});
  for (const auto& [name, tensor] : module_state(*net)) {
    largest = torch::max(largest, gradients.at(name).abs().max());
    difference = torch::max(difference, (before.at(name) - tensor.detach() - gradients.at(name)).abs().max());
  }
  CHECK(largest.item<double>() > 1e-3);
  // A weight near 1 is rounded to 6e-8.
  CHECK(difference.item<double>() < 1e-5 * largest.item<double>() + 1e-6);
}

TEST_CASE("backbones: a transformer takes the small views of multi-crop", "[train][backbones]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  FitOptions options = fixtures::small_run();
  options.epochs = 1;
  const auto crop = [](std::int64_t size) { return augment::compose(augment::RandomResizedCrop{.size = size}); };
  Trainer trainer{augment::multi_crop<2, 2>(crop(16), crop(8)), tiny_vit(), projector::MLP{"16-8"}, loss::NTXent{},
                  optim::SGD{.lr = 1e-3}};
  CHECK(trainer.fit(fixtures::stripes(), options, train::JSONLines{folder / "log"}).steps == 4);
  Trainer uneven{augment::multi_crop<2, 2>(crop(16), crop(10)), tiny_vit(), projector::MLP{"16-8"}, loss::NTXent{},
                 optim::SGD{.lr = 1e-3}};
  CHECK_THROWS_WITH(uneven.check(fixtures::stripes(), options), Contains("multiples of patch_size = 4"));
}
