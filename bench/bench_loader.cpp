// SPDX-License-Identifier: Apache-2.0
// Views from stored photographs, and from small images in memory, to batches, by data::Loader: reading, decoding,
// augmenting. One iteration is one epoch. images.hpp says what JESSL_BENCH_IMAGES is, threads.hpp what JESSL_BENCH_THREADS.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <fstream>
#include <span>
#include <string>
#include <utility>

#include <malloc.h>
#include <unistd.h>

#include <jessl/augment.hpp>
#include <jessl/core/draw.hpp>
#include <jessl/core/element.hpp>
#include <jessl/core/image.hpp>
#include <jessl/core/views.hpp>
#include <jessl/data/array_dataset.hpp>
#include <jessl/data/loader.hpp>

#include "images.hpp"
#include "threads.hpp"

namespace {

namespace augment = jessl::augment;
namespace data = jessl::data;

/// Two views as the FFCV-SSL paper's runs make them: crop, flip, jitter, grey, blur, solarize.
auto simclr(std::int64_t size) {
  return augment::two_views(augment::compose(
      augment::RandomResizedCrop{.size = size}, augment::RandomHorizontalFlip{},
      augment::ColorJitter{.brightness = 0.4, .contrast = 0.4, .saturation = 0.2, .hue = 0.1, .p = 0.8},
      augment::RandomGrayscale{.p = 0.2}, augment::GaussianBlur{.sigma = {0.1, 2.0}, .p = 0.5},
      augment::RandomSolarize{.p = 0.2}, augment::Normalize{}));
}

/// The same for small images: without the blur.
auto simclr_small(std::int64_t size) {
  return augment::two_views(augment::compose(
      augment::RandomResizedCrop{.size = size}, augment::RandomHorizontalFlip{},
      augment::ColorJitter{.brightness = 0.4, .contrast = 0.4, .saturation = 0.2, .hue = 0.1, .p = 0.8},
      augment::RandomGrayscale{.p = 0.2}, augment::RandomSolarize{.p = 0.2}, augment::Normalize{}));
}

/// One view as supervised training makes it.
auto crop(std::int64_t size) {
  return augment::compose(augment::RandomResizedCrop{.size = size}, augment::RandomHorizontalFlip{},
                          augment::Normalize{});
}

/// One view for which the whole image is decoded and next to nothing done with it: what decoding alone costs.
struct Whole {
  struct Scratch {};
  static constexpr std::int64_t views = 1;
  [[nodiscard]] jessl::ViewShape shape(std::int64_t, std::int64_t channels) const { return {channels, 1, 1}; }
  [[nodiscard]] jessl::Region region(const jessl::Extent& extent, const jessl::DrawKey&) const {
    return {.height = extent.height, .width = extent.width};
  }
  void make(const jessl::RegionView& part, const jessl::DrawKey&, Scratch&, std::span<float> out) const {
    for (std::size_t c = 0; c < out.size(); ++c) out[c] = part.at(0, 0, static_cast<std::int64_t>(c));
  }
};

/// Another maker's views, from whole decoded images: what decoding less is worth.
template <class A>
struct FromWhole {
  using Scratch = typename A::Scratch;
  static constexpr std::int64_t views = A::views;
  A maker;

  [[nodiscard]] jessl::ViewShape shape(std::int64_t view, std::int64_t channels) const {
    return maker.shape(view, channels);
  }
  [[nodiscard]] jessl::Region region(const jessl::Extent& extent, const jessl::DrawKey&) const {
    return {.height = extent.height, .width = extent.width};
  }
  void make(const jessl::RegionView& part, const jessl::DrawKey& key, Scratch& scratch, std::span<float> out) const {
    maker.make(part, key, scratch, out);
  }
};

/// One epoch after another; the first, in which memory is taken, is not counted.
template <class D, class A>
void run(benchmark::State& state, const D& dataset, const A& maker, std::int64_t batch_size,
         data::Decoding decoding = data::Decoding::exact) {
  // The calling thread is one of the workers: Google Benchmark counts its time, and would run for ages while it slept.
  data::Loader loader{
      dataset,
      maker,
      {.batch_size = batch_size, .workers = bench::threads(), .ahead = 0, .drop_last = false, .decoding = decoding}};
  std::int64_t epoch = 0;
  std::int64_t views = 0;
  const auto make_all = [&] {
    for (const data::Batch& batch : loader.epoch(epoch)) {
      benchmark::DoNotOptimize(batch.views[0].data());
      views += A::views * batch.size();
    }
    ++epoch;
  };
  make_all();
  views = 0;
  // Google Benchmark's own rates would go by the time that the calling thread computes.
  const auto start = std::chrono::steady_clock::now();
  for (auto step : state) make_all();
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  state.counters["views_per_second"] = static_cast<double>(views) / seconds.count();
  state.counters["threads"] = static_cast<double>(bench::threads());
}

template <class D, class A>
void run_stored(benchmark::State& state, const D& dataset, const A& maker,
                data::Decoding decoding = data::Decoding::exact) {
  run(state, bench::repeated(dataset), maker, 64, decoding);
}

/// 32x32 RGB images in memory, of random pixels.
data::ArrayDataset small_images() {
  data::ImageArray array{.height = 32, .width = 32, .channels = 3};
  array.pixels.resize(std::size_t{4096} * 32 * 32 * 3);
  jessl::Draw draw({.purpose = jessl::Purpose::initialisation});
  for (std::uint8_t& value : array.pixels) value = static_cast<std::uint8_t>(draw.below(256));
  return data::ArrayDataset(std::move(array));
}

/// Since this process was started, to a hundredth of a second.
double seconds_since_start() {
  std::ifstream file("/proc/self/stat");
  std::string field;
  for (int number = 0; number < 22; ++number) file >> field;
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec) -
         std::stod(field) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

/// What a program waits for before its first step: the process, the data set, the loader, one batch of 256. It says so
/// where this is all that the program runs, and the photographs need not be made.
void first_batch(benchmark::State& state) {
  for (auto step : state) {
    data::Loader loader{
        bench::repeated(bench::folder()), simclr(224), {.batch_size = 256, .workers = bench::threads()}};
    benchmark::DoNotOptimize((*loader.epoch(0).begin()).views[0].data());
    state.counters["seconds_since_start"] = seconds_since_start();
  }
}

/// The memory of this process that is not a file's, in MB.
double own_memory() {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("RssAnon:")) return std::stod(line.substr(8)) / 1000.0 * 1.024;
  }
  return 0.0;
}

/// An epoch of batches of 256, made when they are asked for; the memory that the loader takes beside the mapped file.
void memory(benchmark::State& state, jessl::Element element) {
  const auto dataset = bench::repeated(bench::beton());
  malloc_trim(0);  // what packing left free would serve the loader unseen
  const double before = own_memory();
  double most = before;
  double batch_bytes = 0.0;
  for (auto step : state) {
    data::Loader loader{
        dataset, simclr(224), {.batch_size = 256, .workers = bench::threads(), .ahead = 0, .element = element}};
    for (const data::Batch& batch : loader.epoch(0)) {
      most = std::max(most, own_memory());
      batch_bytes = static_cast<double>(2 * batch.bytes(0).size());
    }
  }
  state.counters["loader_MB"] = most - before;
  state.counters["of_these_the_batch_MB"] = batch_bytes / 1e6;
}

[[maybe_unused]] const bool registered = [] {
  const auto add = [](const std::string& name, const auto& function) {
    return benchmark::RegisterBenchmark(name.c_str(), function)->Unit(benchmark::kMillisecond);
  };
  for (const std::int64_t size : {224, 160, 96}) {
    const std::string name = "loader/simclr/" + std::to_string(size);
    add(name + "/folder", [size](benchmark::State& state) { run_stored(state, bench::folder(), simclr(size)); });
    add(name + "/beton", [size](benchmark::State& state) { run_stored(state, bench::beton(), simclr(size)); });
    add(name + "/beton_recompressed",
        [size](benchmark::State& state) { run_stored(state, bench::recompressed_beton(), simclr(size)); });
    add(name + "/folder_fast",
        [size](benchmark::State& state) { run_stored(state, bench::folder(), simclr(size), data::Decoding::fast); });
    add(name + "/beton_fast",
        [size](benchmark::State& state) { run_stored(state, bench::beton(), simclr(size), data::Decoding::fast); });
    add(name + "/beton_decoded_whole",
        [size](benchmark::State& state) { run_stored(state, bench::beton(), FromWhole{simclr(size)}); });
  }
  add("loader/rrc/224/folder", [](benchmark::State& state) { run_stored(state, bench::folder(), crop(224)); });
  add("loader/rrc/224/beton", [](benchmark::State& state) { run_stored(state, bench::beton(), crop(224)); });
  add("loader/rrc/224/beton_recompressed",
      [](benchmark::State& state) { run_stored(state, bench::recompressed_beton(), crop(224)); });
  add("loader/multicrop/2x224+6x96/beton",
      [](benchmark::State& state) { run_stored(state, bench::beton(), augment::swav()); });
  add("loader/first_batch/simclr/224/folder", first_batch)->Iterations(1);
  add("loader/memory/simclr/224/beton", [](benchmark::State& state) {
    memory(state, jessl::Element::float32);
  })->Iterations(1);
  add("loader/memory/simclr/224/beton/bfloat16", [](benchmark::State& state) {
    memory(state, jessl::Element::bfloat16);
  })->Iterations(1);
  add("augment/simclr/32/memory", [](benchmark::State& state) { run(state, small_images(), simclr_small(32), 256); });
  add("decode/full/folder", [](benchmark::State& state) { run_stored(state, bench::folder(), Whole{}); });
  return true;
}();

}  // namespace
