// SPDX-License-Identifier: Apache-2.0
// A training step of the quickstart's network and of ResNet-18 on the CPU, what online probes add to it, and the convolution of
// tiny maps beside LibTorch's.
// torch
#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>
#include <vector>

#include <jessl/jessl.hpp>

namespace {

using namespace jessl;

/// Forward, backward and optimizer for both views of a batch; what the loader does is not in it.
void step(benchmark::State& state) {
  Trainer trainer{
      augment::simclr({.size = 28}),
      backbone::resnet({.layers = {1, 1, 1, 1}, .width = 32, .stem = backbone::Stem::medium, .in_channels = 1}),
      projector::MLP{"512-128"}, loss::NTXent{.temperature = 0.2}, optim::AdamW{.lr = 1e-3}};
  jessl::detail::keep_freed_memory();  // as fit() does
  const std::vector<torch::Tensor> views{torch::rand({state.range(0), 1, 28, 28}),
                                         torch::rand({state.range(0), 1, 28, 28})};
  for (auto iteration : state) trainer.step(views);
  state.counters["images/s"] =
      benchmark::Counter(static_cast<double>(state.range(0)), benchmark::Counter::kIsIterationInvariantRate);
}

/// Forward, backward and optimizer of ResNet-18 for both views of a batch of 32 x 32 images.
void step_resnet18(benchmark::State& state) {
  Trainer trainer{augment::simclr({.size = 32}), backbone::resnet18({.stem = backbone::Stem::small}),
                  projector::MLP{"2048-2048-128"}, loss::NTXent{.temperature = 0.2}, optim::SGD{.lr = 1e-3}};
  jessl::detail::keep_freed_memory();  // as fit() does
  const std::vector<torch::Tensor> views{torch::rand({state.range(0), 3, 32, 32}),
                                         torch::rand({state.range(0), 3, 32, 32})};
  for (auto iteration : state) trainer.step(views);
}

/// What OnlineProbe adds to that step: its classifiers of so many classes on the four layers.
void online_probe(benchmark::State& state) {
  const train::Run run{.epochs = 1, .steps_per_epoch = 1, .batch_size = state.range(0), .classes = state.range(1)};
  auto probes = train::OnlineProbe{}.start(run);
  train::StepFeatures features{.step = 1,
                               .labels = torch::randint(state.range(1), {2 * state.range(0)}, torch::kInt64)};
  for (const std::int64_t width : {512, 2048, 2048, 128})
    features.layers.push_back({std::to_string(features.layers.size()), torch::rand({2 * state.range(0), width})});
  for (auto iteration : state) probes.after_forward(features);
}

/// The last convolution of the quickstart's network for 256 pairs of views, forward and backward.
template <bool small>
void convolution(benchmark::State& state) {
  torch::nn::Conv2d layer(torch::nn::Conv2dOptions(256, 256, 3).padding(1).bias(false));
  layer->weight.set_data(layer->weight.contiguous(torch::MemoryFormat::ChannelsLast));
  torch::Tensor x = torch::randn({512, 256, 2, 2}).contiguous(torch::MemoryFormat::ChannelsLast).requires_grad_();
  const torch::Tensor gradient = torch::ones_like(x);
  for (auto iteration : state) {
    const torch::Tensor y = small ? backbone::detail::convolve(*layer, x) : layer->forward(x);
    y.backward(gradient);
    x.mutable_grad().reset();
    layer->zero_grad();
  }
}

}  // namespace

BENCHMARK(step)
    ->Name("step/quickstart")
    ->ArgName("batch")
    ->Arg(64)
    ->Arg(256)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK(step_resnet18)
    ->Name("step/resnet18")
    ->ArgName("batch")
    ->Arg(64)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK(online_probe)
    ->Name("step/online_probe")
    ->ArgNames({"batch", "classes"})
    ->Args({64, 10})
    ->Args({64, 1000})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK_TEMPLATE(convolution, true)->Name("convolution/2x2x256/jessl")->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK_TEMPLATE(convolution, false)
    ->Name("convolution/2x2x256/libtorch")
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
