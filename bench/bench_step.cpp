// SPDX-License-Identifier: Apache-2.0
// A training step of the quickstart's network on the CPU, and the convolution of tiny maps beside LibTorch's.
// torch
#include <benchmark/benchmark.h>

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

/// The last convolution of that network for 256 pairs of views, forward and backward.
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
BENCHMARK_TEMPLATE(convolution, true)->Name("convolution/2x2x256/jessl")->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK_TEMPLATE(convolution, false)
    ->Name("convolution/2x2x256/libtorch")
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
