// SPDX-License-Identifier: Apache-2.0
// A folder of photographs to a .beton file. images.hpp says what JESSL_BENCH_IMAGES is, threads.hpp what JESSL_BENCH_THREADS.
#include <benchmark/benchmark.h>

#include <chrono>
#include <cstdint>
#include <filesystem>

#include <jessl/data/pack.hpp>

#include "images.hpp"
#include "threads.hpp"

namespace {

namespace data = jessl::data;

/// JPEGs as they are, with restart markers added; or decoded and made anew, as ffcv's writer does.
void pack(benchmark::State& state, bool recompress) {
  const auto images = bench::repeated(bench::folder());
  const std::filesystem::path path = bench::workplace() / "packed.beton";
  std::int64_t packed = 0;
  // Google Benchmark's rates go by the time of the calling thread, unless the name says otherwise.
  const auto start = std::chrono::steady_clock::now();
  for (auto step : state) {
    packed += data::pack(images, path,
                         {.mode = data::PackMode::jpg,
                          .recompress = recompress,
                          .restart_markers = !recompress,
                          .threads = bench::threads(),
                          .progress = false})
                  .samples;
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  state.counters["images_per_second"] = static_cast<double>(packed) / seconds.count();
}

}  // namespace

BENCHMARK_CAPTURE(pack, kept, false)->Name("pack/jpg")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(pack, made, true)->Name("pack/jpg/recompressed")->Unit(benchmark::kMillisecond);
