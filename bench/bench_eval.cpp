// SPDX-License-Identifier: Apache-2.0
// The classifiers of eval on clustered random features of the size of a real evaluation.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <utility>
#include <vector>

#include <jessl/core/draw.hpp>
#include <jessl/eval.hpp>

namespace {

constexpr std::int64_t classes = 10;

/// Ten overlapping clusters of `rows` points in `width` dimensions.
jessl::Embedding clusters(std::int64_t rows, std::int64_t width, std::uint64_t seed) {
  jessl::Draw centre_draw({.seed = 1, .purpose = jessl::Purpose::initialisation});
  jessl::Draw draw({.seed = seed, .sample = 1, .purpose = jessl::Purpose::initialisation});
  jessl::RowMatrix centres(classes, width);
  for (float& value : centres.reshaped()) value = static_cast<float>(0.15 * centre_draw.normal());
  jessl::Embedding result{jessl::RowMatrix(rows, width), {}};
  for (std::int64_t i = 0; i < rows; ++i) {
    result.labels.push_back(i % classes);
    for (std::int64_t d = 0; d < width; ++d)
      result.features(i, d) = centres(i % classes, d) + static_cast<float>(draw.normal());
  }
  return result;
}

void knn(benchmark::State& state) {
  const jessl::Embedding bank = clusters(60000, 512, 1);
  const jessl::Embedding query = clusters(10000, 512, 2);
  const auto fitted = jessl::eval::KNN{.k = 200, .threads = state.range(0)}.fit(bank.features, bank.labels);
  for (auto step : state) benchmark::DoNotOptimize(fitted.predict(query.features, {20, 200}));
  state.counters["GFLOP/s"] =
      benchmark::Counter(2e-9 * 60000.0 * 10000.0 * 512.0, benchmark::Counter::kIsIterationInvariantRate);
}

void logistic_probe(benchmark::State& state) {
  const jessl::Embedding bank = clusters(60000, 512, 1);
  const jessl::eval::LogisticProbe probe{.threads = state.range(0)};
  for (auto step : state) benchmark::DoNotOptimize(probe.fit(bank.features, bank.labels));
}

}  // namespace

BENCHMARK(knn)->Name("eval/knn/60000x512")->ArgName("threads")->Arg(1)->Arg(2)->Unit(benchmark::kSecond)->UseRealTime();
BENCHMARK(logistic_probe)
    ->Name("eval/logistic_probe/60000x512")
    ->ArgName("threads")
    ->Arg(1)
    ->Arg(2)
    ->Unit(benchmark::kSecond)
    ->UseRealTime();
