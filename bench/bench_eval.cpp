// SPDX-License-Identifier: Apache-2.0
// The classifiers and metrics of eval on random features of the size of a real evaluation.
#include <benchmark/benchmark.h>

#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include <Eigen/SVD>
#include <boost/hana/for_each.hpp>

#include <jessl/core/draw.hpp>
#include <jessl/eval.hpp>

#include "threads.hpp"

namespace {

/// Overlapping clusters, one a class, of `rows` points in `width` dimensions.
jessl::Embedding clusters(std::int64_t rows, std::int64_t width, std::uint64_t seed, std::int64_t classes = 10) {
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

/// Features as an encoder's: a mean, and deviations from it that decay by (d + 1)^-0.4.
jessl::RowMatrix decaying(std::int64_t rows, std::int64_t width) {
  jessl::Draw draw({.seed = 3, .purpose = jessl::Purpose::initialisation});
  jessl::RowMatrix x(rows, width);
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t d = 0; d < width; ++d)
      x(i, d) = static_cast<float>(0.5 + draw.normal() * std::pow(static_cast<double>(d) + 1.0, -0.4));
  }
  return x;
}

void rank_me(benchmark::State& state) {
  const jessl::RowMatrix x = decaying(state.range(0), state.range(1));
  for (auto step : state) benchmark::DoNotOptimize(jessl::eval::rank_me(x, {.threads = bench::threads()}));
}

/// What rank_me would cost by a singular value decomposition: Eigen's, in float32 and on one thread.
void decomposition(benchmark::State& state) {
  const Eigen::MatrixXf x = decaying(state.range(0), state.range(1));
  for (auto step : state) {
    const Eigen::BDCSVD<Eigen::MatrixXf> svd(x);
    benchmark::DoNotOptimize(svd.singularValues().sum());
  }
}

void uniformity(benchmark::State& state) {
  const jessl::RowMatrix x = decaying(state.range(0), state.range(1));
  for (auto step : state) benchmark::DoNotOptimize(jessl::eval::uniformity(x, {.threads = bench::threads()}));
}

void intrinsic_dimension(benchmark::State& state) {
  const jessl::RowMatrix x = decaying(state.range(0), state.range(1));
  for (auto step : state) benchmark::DoNotOptimize(jessl::eval::intrinsic_dimension(x, {.threads = bench::threads()}));
}

void cluster_learnability(benchmark::State& state) {
  const jessl::RowMatrix x = decaying(state.range(0), state.range(1));
  for (auto step : state) benchmark::DoNotOptimize(jessl::eval::cluster_learnability(x, {.threads = bench::threads()}));
}

void metric_sizes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"N", "D"})->Args({20000, 512})->Unit(benchmark::kSecond)->UseRealTime();
}
/// The fit of a classifier with its default settings.
template <class Classifier>
void fit(benchmark::State& state) {
  const jessl::Embedding bank = clusters(state.range(0), state.range(1), 1, state.range(2));
  Classifier classifier;
  classifier.threads = state.range(3);
  for (auto step : state) benchmark::DoNotOptimize(classifier.fit(bank.features, bank.labels));
}

/// A regression on as many numbers as there are classes elsewhere.
template <class Ridge>
void fit_targets(benchmark::State& state) {
  const jessl::Embedding bank = clusters(state.range(0), state.range(1), 1);
  const jessl::RowMatrix targets = bank.features.leftCols(state.range(2));
  const Ridge ridge{.threads = state.range(3)};
  for (auto step : state) benchmark::DoNotOptimize(ridge.fit(bank.features, targets));
}

/// A small evaluation, more classes of a wider encoder, and fewer rows than columns; one thread and two.
void sizes(benchmark::internal::Benchmark* made) {
  made->ArgNames({"N", "D", "C", "threads"})->Unit(benchmark::kSecond)->UseRealTime();
  for (const std::int64_t threads : {1, 2}) {
    made->Args({50000, 512, 10, threads})->Args({5000, 2048, 100, threads})->Args({1000, 2048, 10, threads});
  }
}

const bool registered = [] {
  boost::hana::for_each(jessl::eval::All, [](auto type) {
    using Classifier = typename decltype(type)::type;
    sizes(benchmark::RegisterBenchmark(jessl::concat("eval/", Classifier::name, "/fit").c_str(), fit<Classifier>));
  });
  sizes(benchmark::RegisterBenchmark("eval/RidgeProbe/fit_targets", fit_targets<jessl::eval::RidgeProbe>));
  sizes(benchmark::RegisterBenchmark("eval/RidgeProbeSearch/fit_targets", fit_targets<jessl::eval::RidgeProbeSearch>));
  return true;
}();

}  // namespace

BENCHMARK(rank_me)->Name("eval/rank_me")->Apply(metric_sizes)->Args({50000, 2048});
BENCHMARK(decomposition)->Name("eval/svd")->Apply(metric_sizes)->Args({50000, 2048});
BENCHMARK(uniformity)->Name("eval/uniformity")->Apply(metric_sizes)->Args({50000, 512});
BENCHMARK(intrinsic_dimension)->Name("eval/intrinsic_dimension")->Apply(metric_sizes);
BENCHMARK(cluster_learnability)->Name("eval/cluster_learnability")->Apply(metric_sizes);
BENCHMARK(knn)->Name("eval/knn/60000x512")->ArgName("threads")->Arg(1)->Arg(2)->Unit(benchmark::kSecond)->UseRealTime();
BENCHMARK(logistic_probe)
    ->Name("eval/logistic_probe/60000x512")
    ->ArgName("threads")
    ->Arg(1)
    ->Arg(2)
    ->Unit(benchmark::kSecond)
    ->UseRealTime();
