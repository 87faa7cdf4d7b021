// SPDX-License-Identifier: Apache-2.0
// Batches as tensors, in a loop of one's own and in the trainer's.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "train/fixtures.hpp"

using namespace jessl;
using Catch::Contains;

namespace {

/// The colours of a picture of 7 x 5 pixels that no two have in common.
data::ArrayDataset coloured(std::int64_t count = 6) {
  std::vector<std::uint8_t> pixels;
  for (std::int64_t i = 0; i < count * 7 * 5 * 3; ++i) pixels.push_back(static_cast<std::uint8_t>(i * 31 % 251));
  return data::ArrayDataset{{.pixels = std::move(pixels),
                             .height = 5,
                             .width = 7,
                             .channels = 3,
                             .labels = std::vector<std::int64_t>(static_cast<std::size_t>(count), 1)}};
}

auto crops() {
  return augment::with_parameters(
      augment::two_views(augment::compose(augment::RandomResizedCrop{.size = 4}, augment::Normalize{})));
}

/// A residual network whose images are float32 also under autocast.
struct FloatResNetImpl : backbone::ResNetImpl {
  static constexpr bool casts_images = false;
  using backbone::ResNetImpl::ResNetImpl;
};

template <class Net>
std::vector<std::string> bfloat16_losses(Net net, const std::string& path) {
  Trainer trainer{augment::simclr({.size = 16, .min_scale = 0.6, .jitter = 0.25, .grayscale = 0.0, .blur = 0.0}),
                  std::move(net), projector::MLP{"32-16"}, loss::NTXent{.temperature = 0.2}, optim::AdamW{.lr = 1e-2}};
  FitOptions options = fixtures::small_run();
  options.precision = Precision::bfloat16;
  trainer.fit(fixtures::stripes(), options, train::JSONLines{path});
  return fixtures::losses(path);
}

}  // namespace

TEST_CASE("to_tensors: a loop of one's own learns the brightness that a view was given", "[train][tensors]") {
  // [loop]
  // One view of each image, brighter or darker, and the factor with it.
  const auto pipeline = augment::compose(
      augment::CenterCrop{.size = 16},
      augment::ColorJitter{.brightness = 0.5, .contrast = 0.0, .saturation = 0.0, .hue = 0.0, .p = 1.0},
      augment::Normalize{});
  data::Loader loader{fixtures::stripes(), augment::with_parameters(pipeline), {.batch_size = 32, .seed = 1}};

  const auto network = backbone::resnet({.layers = {1, 1, 1, 1}, .width = 8, .in_channels = 1});
  torch::nn::Sequential model(network.ptr(), torch::nn::Linear(network.feature_dim, 1));
  auto optimizer = optim::AdamW{.lr = 3e-3}.attach(model);

  double error = 0.0;
  for (std::int64_t epoch = 0; epoch < 20; ++epoch) {
    for (const data::Batch& batch : loader.epoch(epoch)) {
      const auto& names = batch.parameter_names(0);
      const auto column = std::find(names.begin(), names.end(), "color_jitter.brightness") - names.begin();

      const train::BatchTensors tensors = train::to_tensors(batch);                     // nothing is copied
      const torch::Tensor factor = tensors.parameters[0].select(/*dim=*/1, column);     // [B]
      const torch::Tensor guess = model->forward(tensors.views[0]).squeeze(/*dim=*/1);  // [B, C, H, W] -> [B]
      const torch::Tensor loss = (guess - factor).square().mean();
      optimizer.zero_grad();
      loss.backward();
      optimizer.step();
      error = loss.item<double>();
    }
  }
  // [/loop]
  CHECK(error < 0.06);  // the factor's variance is 1/12; 0.012 with one order of the sums, 0.036 with another
}

TEST_CASE("to_tensors: views, parameters, labels and indices are the batch's own memory", "[train][tensors]") {
  const auto loader = [](Element element, Layout layout) {
    return data::Loader{coloured(), crops(), {.batch_size = 4, .seed = 2, .element = element, .layout = layout}};
  };
  const auto floats = *loader(Element::float32, Layout::channels_first).epoch(0).next();
  for (const Layout layout : {Layout::channels_first, Layout::channels_last}) {
    const auto order =
        layout == Layout::channels_first ? torch::MemoryFormat::Contiguous : torch::MemoryFormat::ChannelsLast;
    for (const Element element : {Element::float32, Element::bfloat16, Element::float16}) {
      const auto batch = *loader(element, layout).epoch(0).next();
      const train::BatchTensors tensors = train::to_tensors(batch);
      REQUIRE(tensors.views.size() == 2);
      REQUIRE(tensors.parameters.size() == 2);
      for (std::size_t v = 0; v < 2; ++v) {
        const torch::Tensor& view = tensors.views[v];
        CHECK(view.sizes() == at::IntArrayRef{4, 3, 4, 4});
        CHECK(view.scalar_type() == train::scalar_type(element));
        CHECK(view.is_contiguous(order));
        CHECK(view.data_ptr() == static_cast<void*>(batch.bytes(static_cast<std::int64_t>(v)).data()));
        // LibTorch's own rounding of the float32 view.
        CHECK(torch::equal(view, train::to_tensors(floats).views[v].to(view.scalar_type())));
        CHECK(tensors.parameters[v].sizes() == at::IntArrayRef{4, 4});
        CHECK(tensors.parameters[v].data_ptr<float>() == batch.parameters[v].data());
      }
      CHECK(tensors.labels.equal(torch::ones({4}, torch::kLong)));
      CHECK(tensors.indices.const_data_ptr<std::int64_t>() == batch.indices.data());
    }
  }
}

TEST_CASE("to_tensors: tensors of a batch that was given away own it", "[train][tensors]") {
  std::vector<torch::Tensor> kept;
  torch::Tensor copy;
  const void* memory = nullptr;
  {
    data::Loader loader{coloured(), crops(), {.batch_size = 2, .workers = 1, .ahead = 1}};
    auto epoch = loader.epoch(0);
    data::Batch batch = *epoch.next();
    memory = batch.bytes(0).data();
    kept.push_back(train::to_tensors(std::move(batch)).views[0]);
    copy = kept[0].clone();
    kept.push_back(train::to_tensors(*epoch.next()).views[0]);
    kept.push_back(train::to_tensors(*epoch.next()).views[0]);
    CHECK(kept[1].data_ptr() != memory);
    CHECK(kept[2].data_ptr() != memory);
  }
  CHECK(kept[0].data_ptr() == memory);
  CHECK(torch::equal(kept[0], copy));
}

TEST_CASE("to_tensors: a batch without parameters has no tensors of them", "[train][tensors]") {
  data::Loader loader{fixtures::stripes(8), augment::simclr({.size = 16}), {.batch_size = 8}};
  CHECK(train::to_tensors(*loader.epoch(0).next()).parameters.empty());
}

TEST_CASE("Trainer: views that the loader rounds give the losses of views that autocast rounds", "[train][tensors]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  static_assert(backbone::casts_images<backbone::ResNet>());
  static_assert(!backbone::casts_images<backbone::Holder<FloatResNetImpl>>());
  const backbone::ResNetLayout layout{
      .layers = {1, 1, 1, 1}, .width = 8, .stem = backbone::Stem::small, .in_channels = 1};
  const auto rounded = bfloat16_losses(backbone::resnet(layout), folder / "rounded");
  CHECK(rounded.size() == 12);
  CHECK(rounded == bfloat16_losses(backbone::Holder<FloatResNetImpl>(layout), folder / "floats"));
}

TEST_CASE("PinnedMemory: without a GPU no memory can be locked, and that is said", "[train][tensors]") {
  if (torch::cuda::is_available()) {
    WARN("skipped: there is a CUDA device here");
    return;
  }
  train::PinnedMemory pinned;
  CHECK_THROWS_AS(pinned.allocate(64, 64), ConfigError);
  CHECK_THROWS_WITH(pinned.allocate(64, 64), Contains("jessl::train::PinnedMemory: 64 bytes cannot be locked: "));
}

TEST_CASE("PinnedMemory: batches lie in page-locked memory and reach the GPU as they are", "[train][tensors][cuda]") {
  if (!torch::cuda::is_available()) {
    WARN("skipped: there is no CUDA device here");
    return;
  }
  const auto dataset = coloured();
  const auto maker = crops();
  torch::Tensor sum = torch::zeros({2, 3, 4, 4}, torch::kCUDA);
  // [pinned]
  train::PinnedMemory pinned;
  data::Loader loader{dataset, maker, {.batch_size = 2}, data::order::Shuffled{}, &pinned};
  for (const data::Batch& batch : loader.epoch(0)) {
    const train::BatchTensors tensors = train::to_tensors(batch);
    const torch::Tensor view = tensors.views[0].to(torch::kCUDA, /*non_blocking=*/true);
    sum += view;
    torch::cuda::synchronize();  // before the batch goes; so does whatever reads a result, such as loss.item()
  }
  // [/pinned]
  torch::Tensor expected = torch::zeros({2, 3, 4, 4});
  data::Loader pageable{dataset, maker, {.batch_size = 2}};
  for (const data::Batch& batch : pageable.epoch(0)) expected += train::to_tensors(batch).views[0];
  CHECK(torch::equal(sum.cpu(), expected));
  const data::Batch batch = *loader.epoch(0).next();
  CHECK(train::to_tensors(batch).views[0].is_pinned());
}
