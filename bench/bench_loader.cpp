// SPDX-License-Identifier: Apache-2.0
// Views from stored photographs to batches, by data::Loader: reading, decoding, augmenting. One iteration is one epoch.
// JESSL_BENCH_IMAGES names a folder of JPEG files (without it, pictures are made), JESSL_BENCH_THREADS the number of
// threads (default: all). The .beton file is packed from the same images by pack's defaults for JPEGs.
#include <benchmark/benchmark.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <span>
#include <string>
#include <system_error>
#include <vector>

#include <jessl/augment.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/thread_pool.hpp>
#include <jessl/core/views.hpp>
#include <jessl/data/beton.hpp>
#include <jessl/data/image_folder.hpp>
#include <jessl/data/loader.hpp>
#include <jessl/data/pack.hpp>
#include <jessl/data/subset.hpp>

#include "images.hpp"

namespace {

namespace augment = jessl::augment;
namespace data = jessl::data;

/// The photographs as a folder and as a .beton file, in a temporary folder that goes with the program.
class Stored {
 public:
  Stored() {
    std::string pattern = (std::filesystem::temp_directory_path() / "jessl-bench-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) jessl::fail<jessl::IOError>("cannot make a folder like ", pattern);
    place_ = pattern;
    std::filesystem::create_directory(place_ / "folder");
    const auto& jpegs = bench::jpegs();
    for (std::size_t i = 0; i < jpegs.size(); ++i) {
      std::ofstream file(place_ / "folder" / (std::to_string(i) + ".jpg"), std::ios::binary);
      file.write(reinterpret_cast<const char*>(jpegs[i].data()), static_cast<std::streamsize>(jpegs[i].size()));
      if (!file.flush()) jessl::fail<jessl::IOError>("cannot write image ", i, " into ", place_.string());
    }
    data::pack(folder(), beton_path(), {.mode = data::PackMode::jpg, .progress = false});
  }
  Stored(const Stored&) = delete;
  Stored& operator=(const Stored&) = delete;
  ~Stored() {
    std::error_code ignored;
    std::filesystem::remove_all(place_, ignored);
  }

  [[nodiscard]] data::ImageFolder folder() const { return data::ImageFolder((place_ / "folder").string()); }
  [[nodiscard]] data::Beton beton() const { return data::Beton(beton_path()); }

 private:
  [[nodiscard]] std::string beton_path() const { return (place_ / "images.beton").string(); }

  std::filesystem::path place_;
};

const Stored& stored() {
  static const Stored files;
  return files;
}

std::int64_t threads() {
  const char* const text = std::getenv("JESSL_BENCH_THREADS");
  return text == nullptr ? jessl::hardware_threads() : std::stoll(text);
}

/// Two views as the FFCV-SSL paper's runs make them: crop, flip, jitter, grey, blur, solarize.
auto simclr(std::int64_t size) {
  return augment::two_views(augment::compose(
      augment::RandomResizedCrop{.size = size}, augment::RandomHorizontalFlip{},
      augment::ColorJitter{.brightness = 0.4, .contrast = 0.4, .saturation = 0.2, .hue = 0.1, .p = 0.8},
      augment::RandomGrayscale{.p = 0.2}, augment::GaussianBlur{.sigma = {0.1, 2.0}, .p = 0.5},
      augment::RandomSolarize{.p = 0.2}, augment::Normalize{}));
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

/// The images over and over, 512 at least, so that the ends of epochs, where threads wait for each other, are few.
template <class D>
auto repeated(const D& dataset) {
  std::vector<std::int64_t> indices;
  while (indices.size() < 512) {
    indices.resize(indices.size() + static_cast<std::size_t>(dataset.size()));
    std::iota(indices.end() - static_cast<std::ptrdiff_t>(dataset.size()), indices.end(), std::int64_t{0});
  }
  return data::subset(dataset, std::move(indices));
}

template <class D, class A>
void run(benchmark::State& state, const D& dataset, const A& maker) {
  data::Loader loader{repeated(dataset), maker, {.batch_size = 32, .workers = threads(), .drop_last = false}};
  std::int64_t epoch = 0;
  std::int64_t views = 0;
  // Google Benchmark's rates go by the time of the calling thread, which sleeps here, unless the name says otherwise.
  const auto start = std::chrono::steady_clock::now();
  for (auto step : state) {
    for (const data::Batch& batch : loader.epoch(epoch)) {
      benchmark::DoNotOptimize(batch.views[0].data());
      views += A::views * batch.size();
    }
    ++epoch;
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  state.counters["views_per_second"] = static_cast<double>(views) / seconds.count();
  state.counters["threads"] = static_cast<double>(threads());
}

[[maybe_unused]] const bool registered = [] {
  const auto add = [](const std::string& name, const auto& function) {
    benchmark::RegisterBenchmark(name.c_str(), function)->Unit(benchmark::kMillisecond);
  };
  for (const std::int64_t size : {224, 160, 96}) {
    const std::string name = "loader/simclr/" + std::to_string(size);
    add(name + "/folder", [size](benchmark::State& state) { run(state, stored().folder(), simclr(size)); });
    add(name + "/beton", [size](benchmark::State& state) { run(state, stored().beton(), simclr(size)); });
    add(name + "/beton_decoded_whole",
        [size](benchmark::State& state) { run(state, stored().beton(), FromWhole{simclr(size)}); });
  }
  add("loader/rrc/224/folder", [](benchmark::State& state) { run(state, stored().folder(), crop(224)); });
  add("loader/rrc/224/beton", [](benchmark::State& state) { run(state, stored().beton(), crop(224)); });
  add("loader/multicrop/2x224+6x96/beton",
      [](benchmark::State& state) { run(state, stored().beton(), augment::swav()); });
  add("decode/full/folder", [](benchmark::State& state) { run(state, stored().folder(), Whole{}); });
  return true;
}();

}  // namespace
