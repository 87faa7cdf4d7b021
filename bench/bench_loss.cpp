// SPDX-License-Identifier: Apache-2.0
// Losses, forward and backward: time, and the most memory that tensors take meanwhile. Of the losses that `make bench-peers`
// measures beside others, also how far the step is from the limit: what its matrix products alone take. threads.hpp says
// what JESSL_BENCH_THREADS is.
// torch
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include <benchmark/benchmark.h>
#include <boost/hana/for_each.hpp>

#include <jessl/loss.hpp>

#include "../tests/support/peak_memory.hpp"
#include "threads.hpp"

namespace {

/// What the loss keeps from step to step; nothing where it keeps nothing.
template <class Loss>
jessl::loss::StateOrNone<Loss> state_of(const Loss& loss, std::int64_t width) {
  if constexpr (jessl::StatefulLoss<Loss>) {
    return loss.make(width);
  } else {
    return {};
  }
}

/// Products [m, k] x [k, n], so many in a step.
struct Products {
  std::int64_t m, k, n, count;
};

/// For each of two views a symmetric [side, side] product of matrices [side, length], in four strips of its upper half.
std::vector<Products> symmetric(std::int64_t side, std::int64_t length) {
  std::vector<Products> products;
  for (std::int64_t strip = 0; strip < 4; ++strip) products.push_back({side / 4, length, side - strip * side / 4, 2});
  return products;
}

/// Whether the loss takes products of images: where it is told to, or where they are fewer than `share` of the dimensions.
template <class Loss>
bool by_images(const Loss& loss, std::int64_t rows, std::int64_t width, double share) {
  using jessl::loss::Algebra;
  if (loss.algebra != Algebra::automatic) return loss.algebra == Algebra::images;
  return static_cast<double>(rows) < share * static_cast<double>(width);
}

/// What the losses' algorithms multiply, forward and backward, for two views of N x D; nothing where no one has counted.
template <class Loss>
std::vector<Products> products_of(const Loss& loss, std::int64_t rows, std::int64_t width) {
  if constexpr (std::is_same_v<Loss, jessl::loss::NTXent>) {
    // The upper half of the tiles of similarities twice, and weights times embeddings for all of them.
    const std::int64_t side = std::min(jessl::loss::detail::LogSumExp::cpu_tile_side, rows), blocks = 2 * rows / side;
    return {{side, width, side, blocks * (blocks + 1)}, {side, side, width, blocks * blocks}};
  } else if constexpr (std::is_same_v<Loss, jessl::loss::VICReg>) {
    const bool images = by_images(loss, rows, width, 1.0);
    const std::int64_t side = images ? rows : width;
    std::vector<Products> products = symmetric(side, images ? width : rows);
    products.push_back({rows, side, width, 2});
    return products;
  } else if constexpr (std::is_same_v<Loss, jessl::loss::BarlowTwins>) {
    if (!by_images(loss, rows, width, 0.9)) return {{width, rows, width, 1}, {rows, width, width, 2}};
    std::vector<Products> products = symmetric(rows, width);
    products.push_back({rows, rows, width, 2});
    return products;
  } else {
    return {};
  }
}

/// The least time of one product, in seconds, of as many as fit into a quarter of a second.
double seconds_of(const Products& product) {
  using Clock = std::chrono::steady_clock;
  const auto a = torch::randn({product.m, product.k}), b = torch::randn({product.k, product.n});
  auto result = a.mm(b);
  double least = std::numeric_limits<double>::infinity();
  for (const auto begin = Clock::now(); Clock::now() - begin < std::chrono::milliseconds(250);) {
    const auto start = Clock::now();
    at::mm_out(result, a, b);
    least = std::min(least, std::chrono::duration<double>(Clock::now() - start).count());
  }
  return least;
}

/// The loss of two views of N x D embeddings in float32, with what else it asks for (labels of 100 classes), and its gradient.
template <class Loss>
void forward_backward(benchmark::State& state, const Loss& loss) {
  torch::set_num_threads(static_cast<int>(bench::threads()));
  torch::manual_seed(0);
  const auto random = [&] { return torch::randn({state.range(0), state.range(1)}); };
  jessl::loss::Embedded given{.views = {random().requires_grad_(), random().requires_grad_()}};
  if constexpr (jessl::TargetedLoss<Loss>) given.targets = {random(), random()};
  if constexpr (jessl::SupervisedLoss<Loss>)
    given.labels = torch::randint(std::min<std::int64_t>(100, state.range(1)), {state.range(0)}, torch::kInt64);
  const auto value = [&, kept = state_of(loss, state.range(1))] {
    if constexpr (jessl::Loss<Loss> || jessl::SupervisedLoss<Loss>) {
      return jessl::loss::evaluate(loss, given, kept, jessl::SingleProcess{});
    } else {
      return loss(given.views[0], given.views[1]);
    }
  };
  const auto step = [&] {
    value().backward();
    for (torch::Tensor& view : given.views) view.mutable_grad().reset();
  };
  for (auto iteration : state) step();
  const jessl::test::PeakMemory peak;
  step();
  state.counters["peak_bytes"] = static_cast<double>(peak.bytes());
  double operations = 0.0, seconds = 0.0;
  for (const Products& product : products_of(loss, state.range(0), state.range(1))) {
    operations += 2.0 * static_cast<double>(product.m * product.k * product.n * product.count);
    seconds += seconds_of(product) * static_cast<double>(product.count);
  }
  if (operations == 0.0) return;
  state.counters["GFLOP"] = 1e-9 * operations;
  state.counters["products_GFLOP/s"] = 1e-9 * operations / seconds;
}

/// The rate of a square matrix product that is large enough for the library's best, the yardstick of all shares.
void matrix_product(benchmark::State& state) {
  torch::set_num_threads(static_cast<int>(bench::threads()));
  const auto side = state.range(0);
  const auto a = torch::randn({side, side}), b = torch::randn({side, side});
  auto result = a.mm(b);
  for (auto iteration : state) at::mm_out(result, a, b);
  state.counters["GFLOP/s"] =
      benchmark::Counter(2e-9 * static_cast<double>(side * side * side), benchmark::Counter::kIsIterationInvariantRate);
}

/// NT-Xent with the matrix of all similarities, as PyTorch code has it.
torch::Tensor plain_nt_xent(const torch::Tensor& z1, const torch::Tensor& z2) {
  const auto z = torch::cat({z1, z2});
  const auto y = z / z.norm(2, 1, true);
  const auto itself = torch::eye(y.size(0), torch::kBool);
  const auto logits = (y.mm(y.t()) / 0.5).masked_fill(itself, -INFINITY);
  return (logits.logsumexp(1) - (y * y.roll(z1.size(0), 0)).sum(1) / 0.5).mean();
}

/// VICReg's covariance term for both views with the D x D matrix, as PyTorch code has it.
torch::Tensor plain_covariance(const torch::Tensor& z1, const torch::Tensor& z2) {
  torch::Tensor total = torch::zeros({});
  for (const auto& z : {z1, z2}) {
    const auto centred = z - z.mean(0);
    const auto matrix = centred.t().mm(centred) / static_cast<double>(z.size(0) - 1);
    const auto diagonal = torch::eye(z.size(1), torch::kBool);
    total = total + matrix.masked_fill(diagonal, 0.0).square().sum() / static_cast<double>(z.size(1));
  }
  return total;
}

const bool registered = [] {
  const auto add = [](const std::string& name, const auto& loss, auto... sizes) {
    auto* const benchmark =
        benchmark::RegisterBenchmark(("loss/" + name + "/forward_backward").c_str(),
                                     [loss](benchmark::State& state) { forward_backward(state, loss); });
    benchmark->ArgNames({"N", "D"})->Unit(benchmark::kMillisecond)->UseRealTime();
    (benchmark->Args(sizes), ...);
  };
  using Size = std::vector<std::int64_t>;
  boost::hana::for_each(jessl::loss::All, [&](auto type) {
    using L = typename decltype(type)::type;
    L loss;
    if constexpr (requires { loss.prototypes; }) loss.prototypes = 3000;
    if constexpr (requires { loss.sub_batch; }) loss.sub_batch = 256;  // more images than the 128 dimensions
    add(std::string(L::name), loss, Size{2048, 128});
    if constexpr (!std::is_same_v<L, jessl::loss::WMSE>)
      add(std::string(L::name), loss, Size{256, 2048});  // needs N > D
  });
  add("VICReg", jessl::loss::VICReg{}, Size{2048, 2048}, Size{256, 8192});
  add("BarlowTwins", jessl::loss::BarlowTwins{}, Size{2048, 2048}, Size{256, 8192});
  add("NTXent", jessl::loss::NTXent{}, Size{8192, 128}, Size{16384, 128});
  add("CrossEntropy", jessl::loss::CrossEntropy{}, Size{2048, 1000});
  const auto add_ways = [&]<class L>(L loss) {
    for (const auto& [algebra, name] : jessl::EnumNames<jessl::loss::Algebra>::value) {
      loss.algebra = algebra;
      add(std::string(L::name) + "/" + std::string(name), loss, Size{512, 2048}, Size{1024, 2048}, Size{1536, 2048},
          Size{1843, 2048}, Size{2048, 2048}, Size{3072, 2048});
    }
  };
  add_ways(jessl::loss::VICReg{});
  add_ways(jessl::loss::BarlowTwins{});
  auto* const product = benchmark::RegisterBenchmark("loss/matrix_product", matrix_product);
  product->ArgName("side")->Arg(4096)->Unit(benchmark::kMillisecond)->UseRealTime();
  add("plain NT-Xent", plain_nt_xent, Size{256, 128}, Size{2048, 128});
  add("plain covariance of VICReg", plain_covariance, Size{256, 2048}, Size{256, 8192});
  return true;
}();

}  // namespace
