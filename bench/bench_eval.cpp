// SPDX-License-Identifier: Apache-2.0
// The classifiers and metrics of eval on features of the size of a real evaluation.
#include <benchmark/benchmark.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <ios>
#include <string>
#include <utility>
#include <vector>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

#include <boost/hana/for_each.hpp>

#include <jessl/core/draw.hpp>
#include <jessl/core/error.hpp>
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

/// What is beside other programs: features that JESSL_BENCH_FEATURES, a folder, has in files for all of them, or clusters.
struct Task {
  jessl::Embedding bank;
  jessl::RowMatrix queries;  // [10000, D]

  Task(std::int64_t rows, std::int64_t width, std::int64_t classes) {
    if (folder() == nullptr) {
      bank = clusters(rows, width, 1, classes);
      queries = clusters(10000, width, 2, classes).features;
      return;
    }
    bank.features = read(rows, width, "x.f32");
    bank.labels.resize(static_cast<std::size_t>(rows));
    read_into(bank.labels.data(), bank.labels.size() * sizeof(std::int64_t), "y.i64");
    queries = read(10000, width, "queries.f32");
  }

  /// Leaves what was found beside the features, as float64.
  template <class Values>
  static void keep_answer(const Values& values) {
    if (folder() == nullptr) return;
    std::ofstream file(std::filesystem::path(folder()) / "jessl.f64", std::ios::binary);
    for (const auto value : values) {
      const auto number = static_cast<double>(value);
      file.write(reinterpret_cast<const char*>(&number), sizeof number);
    }
  }

 private:
  [[nodiscard]] static const char* folder() { return std::getenv("JESSL_BENCH_FEATURES"); }

  static void read_into(void* target, std::size_t bytes, const char* name) {
    const std::filesystem::path path = std::filesystem::path(folder()) / name;
    std::ifstream file(path, std::ios::binary);
    file.read(static_cast<char*>(target), static_cast<std::streamsize>(bytes));
    JESSL_CHECK(file.good() && file.peek() == std::ifstream::traits_type::eof(), jessl::DataError, path.string(),
                " is not of ", bytes, " bytes");
  }

  [[nodiscard]] static jessl::RowMatrix read(std::int64_t rows, std::int64_t width, const char* name) {
    jessl::RowMatrix x(rows, width);
    read_into(x.data(), static_cast<std::size_t>(x.size()) * sizeof(float), name);
    return x;
  }
};

/// By how much the process grows at most while `work` runs, in MB; NaN where the kernel does not tell.
template <class Work>
double peak_megabytes(const Work& work) {
  const auto kilobytes = [](const std::string& field) {
    std::ifstream status("/proc/self/status");
    for (std::string word; status >> word;) {
      if (double value = 0; word == field && status >> value) return value;
    }
    return std::nan("");
  };
#if defined(__GLIBC__)
  malloc_trim(0);  // else it finds what it needs in pages that are free
#endif
  const bool begun =
      static_cast<bool>(std::ofstream("/proc/self/clear_refs") << '5' << std::flush);  // the most of now on
  const double before = kilobytes("VmRSS:");
  work();
  return begun ? (kilobytes("VmHWM:") - before) * 1.024e-3 : std::nan("");
}

/// k-NN, k = 200, from the features to the predictions.
template <jessl::eval::Distance distance>
void knn(benchmark::State& state) {
  const Task task(50000, 512, 1000);
  const auto predict = [&] {
    return jessl::eval::KNN{
        .k = 200, .distance = distance, .votes = jessl::eval::Votes::uniform, .threads = bench::threads()}
        .fit(task.bank.features, task.bank.labels)
        .predict(task.queries);
  };
  for (auto step : state) benchmark::DoNotOptimize(predict());
  state.counters["peak_MB"] = peak_megabytes([&] { Task::keep_answer(predict()); });
}

/// The linear probe of 50,000 x 512, to a gradient of 1e-5.
void logistic_probe(benchmark::State& state) {
  const Task task(50000, 512, state.range(0));
  const jessl::eval::LogisticProbe probe{.l2 = 1e-3, .tolerance = 1e-5, .threads = bench::threads()};
  for (auto step : state) Task::keep_answer(std::array{probe.fit(task.bank.features, task.bank.labels).objective()});
}

void rank_me_beside_others(benchmark::State& state) {
  const Task task(50000, 2048, 1000);
  for (auto step : state)
    Task::keep_answer(std::array{jessl::eval::rank_me(task.bank.features, {.threads = bench::threads()})});
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

BENCHMARK(rank_me)->Name("eval/rank_me")->Apply(metric_sizes);
BENCHMARK(uniformity)->Name("eval/uniformity")->Apply(metric_sizes)->Args({50000, 512});
BENCHMARK(intrinsic_dimension)->Name("eval/intrinsic_dimension")->Apply(metric_sizes);
BENCHMARK(cluster_learnability)->Name("eval/cluster_learnability")->Apply(metric_sizes);
BENCHMARK(knn<jessl::eval::Distance::cosine>)->Name("eval/KNN/50000x512/1000")->Unit(benchmark::kSecond)->UseRealTime();
BENCHMARK(knn<jessl::eval::Distance::euclidean>)
    ->Name("eval/KNN_euclidean/50000x512/1000")
    ->Unit(benchmark::kSecond)
    ->UseRealTime();
BENCHMARK(logistic_probe)
    ->Name("eval/LogisticProbe/50000x512")
    ->Arg(10)
    ->Arg(1000)
    ->Unit(benchmark::kSecond)
    ->UseRealTime();
BENCHMARK(rank_me_beside_others)->Name("eval/RankMe/50000x2048")->Unit(benchmark::kSecond)->UseRealTime();
