// SPDX-License-Identifier: Apache-2.0
// Batch norm + residual + ReLU, forward and backward, channels-last on the CPU: ours in one pass against LibTorch's operations.
// torch
#include <benchmark/benchmark.h>

#include <jessl/backbone.hpp>

namespace {

/// One step of relu(norm(x) + residual): forward, then backward to x, the residual, scale and shift.
template <bool fused>
void batch_norm(benchmark::State& state) {
  const auto type = state.range(3) == 0 ? torch::kFloat32 : torch::kBFloat16;
  const auto make = [&] {
    return torch::randn({state.range(0), state.range(1), state.range(2), state.range(2)})
        .to(type)
        .contiguous(torch::MemoryFormat::ChannelsLast)
        .requires_grad_();
  };
  torch::Tensor x = make();
  torch::Tensor residual = make();
  const torch::Tensor gradient = torch::ones_like(x);
  jessl::BatchNorm2d norm(state.range(1));
  for (auto step : state) {
    torch::Tensor y;
    if constexpr (fused) {
      y = jessl::backbone::detail::normalise_relu(*norm, x, residual);
    } else {
      y = (norm->forward(x) + residual).relu_();
    }
    y.backward(gradient);
    x.mutable_grad().reset();
    residual.mutable_grad().reset();
    norm->zero_grad();
  }
  // What must move at least: x and residual in, y out; backward: gradient, y and x in, two gradients out.
  const std::int64_t bytes = 8 * x.numel() * static_cast<std::int64_t>(x.element_size());
  state.SetBytesProcessed(state.iterations() * bytes);
}

void arguments(benchmark::internal::Benchmark* registered) {
  registered->ArgNames({"N", "C", "side", "bfloat16"})->Unit(benchmark::kMillisecond)->UseRealTime();
  for (const std::int64_t type : {0, 1}) {
    registered->Args({1024, 32, 14, type})->Args({1024, 64, 7, type});
  }
}

}  // namespace

BENCHMARK_TEMPLATE(batch_norm, true)->Name("batch_norm/jessl")->Apply(arguments);
BENCHMARK_TEMPLATE(batch_norm, false)->Name("batch_norm/libtorch")->Apply(arguments);
