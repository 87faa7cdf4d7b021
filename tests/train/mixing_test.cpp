// SPDX-License-Identifier: Apache-2.0
// MixUp and CutMix on tensors: that they are those on spans, and that a classifier learns from mixed batches.
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "train/fixtures.hpp"

using namespace jessl;

namespace {

/// Mixings of every kind that MixUp and CutMix draw, for five images.
std::vector<augment::Mixing> mixings(const Extent& extent) {
  std::vector<augment::Mixing> all;
  for (std::uint64_t batch = 0; batch < 8; ++batch) {
    Draw draw({.seed = 2, .sample = batch, .purpose = Purpose::mixing});
    const bool per_image = batch % 2 == 1;
    all.push_back(augment::MixUp{.per_image = per_image}.sample(draw, 5, extent));
    all.push_back(augment::CutMix{.per_image = per_image}.sample(draw, 5, extent));
  }
  return all;
}

}  // namespace

TEST_CASE("mix: tensors are mixed as spans are, on the same draws", "[train][mixing]") {
  torch::manual_seed(1);
  for (const std::int64_t channels : {1, 3}) {
    const ViewShape shape{channels, 7, 9};
    const torch::Tensor images = torch::randn({5, channels, 7, 9});
    const std::vector<std::int64_t> labels = {2, 0, 3, -1, 3};
    for (const augment::Mixing& mixing : mixings({7, 9})) {
      torch::Tensor expected = torch::empty_like(images);
      const auto count = static_cast<std::size_t>(images.numel());
      augment::mix({images.data_ptr<float>(), count}, shape, mixing, {expected.data_ptr<float>(), count});
      CHECK((train::mix(images, mixing) - expected).abs().max().item<double>() < 1e-6);
      // However the images lie in memory.
      const torch::Tensor last = images.contiguous(torch::MemoryFormat::ChannelsLast);
      CHECK((train::mix(last, mixing) - expected).abs().max().item<double>() < 1e-6);

      std::vector<float> targets(5 * 4);
      augment::mixed_targets(labels, 4, mixing, targets);
      const torch::Tensor mixed = train::mixed_targets(labels, 4, mixing);
      CHECK(mixed.sizes() == torch::IntArrayRef({5, 4}));
      CHECK(torch::equal(mixed, torch::from_blob(targets.data(), {5, 4}, torch::kFloat)));
    }
  }
}

TEST_CASE("mix: keeps the type of the images, and lets gradients through", "[train][mixing]") {
  const augment::Mixing evenly{.partner = {1, 0}, .lambda = {0.5, 0.5}};
  const torch::Tensor images = torch::ones({2, 1, 2, 2}, torch::kBFloat16).requires_grad_();
  const torch::Tensor mixed = train::mix(images, evenly);
  CHECK(mixed.scalar_type() == torch::kBFloat16);
  mixed.sum().backward();
  CHECK(torch::equal(images.grad(), torch::ones_like(images)));
}

TEST_CASE("mix, mixed_targets: what does not fit together is refused with where", "[train][mixing]") {
  using Catch::Matchers::Contains;
  const augment::Mixing pair{.partner = {1, 0}, .lambda = {0.5, 0.5}};
  CHECK_THROWS_WITH(train::mix(torch::zeros({3, 1, 2, 2}), pair),
                    Contains("train::mix: images is [3, 1, 2, 2], expected floats [N, C, H, W] with N = 2"));
  CHECK_THROWS_WITH(train::mix(torch::zeros({2, 4}), pair), Contains("images is [2, 4]"));
  CHECK_THROWS_WITH(train::mix(torch::zeros({2, 1, 2, 2}, torch::kLong), pair), Contains("expected floats"));
  CHECK_THROWS_WITH(train::mix({}, pair), Contains("images is no tensor"));
  CHECK_THROWS_WITH(train::mix(torch::zeros({2, 1, 2, 2}), {.partner = {1, 2}, .lambda = {0.5, 0.5}}),
                    Contains("train::mix: partner[1] is 2, expected 0 to 1"));
  CHECK_THROWS_WITH(train::mix(torch::zeros({2, 1, 2, 2}),
                               {.partner = {1, 0}, .lambda = {0.5, 0.5}, .box = {{0, 0, 1, 1}, {0, 0, 3, 1}}}),
                    Contains("train::mix: box[1] has 3 rows"));
  CHECK_THROWS_WITH(train::mixed_targets(std::vector<std::int64_t>{0, 1}, 0, pair), Contains("classes is 0"));
  CHECK_THROWS_WITH(train::mixed_targets(std::vector<std::int64_t>{0, 7}, 4, pair), Contains("labels[1] is 7"));
}

TEST_CASE("mix, mixed_targets: a classifier learns from mixed batches of the loader", "[train][mixing]") {
  const auto train_set = fixtures::stripes(96);
  torch::manual_seed(3);
  // [example]
  const auto maker = augment::compose(augment::RandomCrop{.size = 16, .padding = 1}, augment::Normalize{});
  data::Loader loader{train_set, maker, {.batch_size = 24, .seed = 1}};
  torch::nn::Sequential classifier(torch::nn::Conv2d(torch::nn::Conv2dOptions(1, 16, 5)), torch::nn::ReLU(),
                                   torch::nn::Flatten(), torch::nn::Linear(16 * 12 * 12, train_set.classes()));
  auto optimizer = optim::AdamW{.lr = 2e-3}.attach(classifier);
  const torch::Device device = torch::kCPU;  // or torch::kCUDA

  for (std::int64_t epoch = 0; epoch < 12; ++epoch) {
    for (const data::Batch& batch : loader.epoch(epoch)) {
      const ViewShape shape = batch.shape(0);
      const torch::Tensor images =
          torch::from_blob(batch.views[0].data(), {batch.size(), shape.channels, shape.height, shape.width}).to(device);
      // One draw for each batch: the same whatever the threads do, and after a restart.
      Draw draw({.seed = 1,
                 .epoch = static_cast<std::uint32_t>(batch.epoch),
                 .sample = static_cast<std::uint64_t>(batch.number),
                 .purpose = Purpose::mixing});
      const auto mixing = augment::CutMix{}.sample(draw, batch.size(), {shape.height, shape.width});
      const torch::Tensor targets = train::mixed_targets(batch.labels, train_set.classes(), mixing, device);

      optimizer.zero_grad();
      const torch::Tensor logits = classifier->forward(train::mix(images, mixing));
      const torch::Tensor loss = -(targets * logits.log_softmax(1)).sum(1).mean();  // cross-entropy
      loss.backward();
      optimizer.step();
    }
  }
  // [/example]
  const torch::NoGradGuard no_grad;
  std::int64_t right = 0;
  data::Loader all{train_set,
                   augment::compose(augment::CenterCrop{.size = 16}, augment::Normalize{}),
                   {.batch_size = 96, .seed = 1}};
  for (const data::Batch& batch : all.epoch(0)) {
    const torch::Tensor images = torch::from_blob(batch.views[0].data(), {batch.size(), 1, 16, 16});
    const torch::Tensor predicted = classifier->forward(images).argmax(1);
    for (std::int64_t i = 0; i < batch.size(); ++i)
      right += predicted[i].item<std::int64_t>() == batch.labels[static_cast<std::size_t>(i)] ? 1 : 0;
  }
  CHECK(right >= 86);  // of 96 images of four classes; by chance, 24
}
