// SPDX-License-Identifier: Apache-2.0
// Photographs decoded whole and under the boxes of RandomResizedCrop, with and without restart markers, on one core.
// JESSL_BENCH_IMAGES names a folder of JPEG files; without it, pictures of waves and noise are made.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <vector>

#include <jessl/augment/random_resized_crop.hpp>
#include <jessl/core/draw.hpp>
#include <jessl/data/decode.hpp>
#include <jessl/data/decode_plan.hpp>
#include <jessl/data/decode_region.hpp>
#include <jessl/data/detail/jpeg_writer.hpp>
#include <jessl/data/peek.hpp>
#include <jessl/data/restart_markers.hpp>

namespace {

namespace data = jessl::data;
using Bytes = std::vector<std::byte>;

jessl::EncodedImage stored(const Bytes& bytes) { return {.format = jessl::ImageFormat::jpg, .bytes = bytes}; }

/// A picture with structure at all scales, as a JPEG of quality 90; every fourth one has 4:2:0, the others 4:4:4.
Bytes made_up(std::int64_t width, std::int64_t height, std::uint64_t number) {
  jessl::Draw draw({.seed = number, .purpose = jessl::Purpose::initialisation});
  jessl::Image image(width, height, 3);
  for (std::int64_t y = 0; y < height; ++y) {
    for (std::int64_t x = 0; x < width; ++x) {
      const double wave = 60.0 * std::sin(static_cast<double>(x) / 31.0) * std::cos(static_cast<double>(y) / 23.0) +
                          30.0 * std::sin(static_cast<double>(x * y) / 997.0);
      for (std::int64_t c = 0; c < 3; ++c) {
        image.pixels[static_cast<std::size_t>((y * width + x) * 3 + c)] =
            static_cast<std::uint8_t>(110 + 12 * c + std::lround(wave) + draw.below(16));
      }
    }
  }
  data::detail::JPEGWriter writer;
  const auto file = writer.write(image.view(), 90, /*full_chroma=*/number % 4 != 0);
  return {file.begin(), file.end()};
}

/// The images, as they are and rewritten.
struct Images {
  std::vector<Bytes> plain{};
  std::vector<Bytes> marked{};
};

const Images& images() {
  static const Images all = [] {
    Images result;
    const char* const folder = std::getenv("JESSL_BENCH_IMAGES");
    if (folder == nullptr) {
      for (std::uint64_t i = 0; i < 40; ++i)
        result.plain.push_back(made_up(400 + static_cast<std::int64_t>(i % 3) * 50, 375, i));
    } else {
      std::vector<std::string> paths;
      for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
        if (entry.is_regular_file()) paths.push_back(entry.path().string());
      }
      std::sort(paths.begin(), paths.end());
      for (const std::string& path : paths) {
        std::ifstream file(path, std::ios::binary);
        const std::string text{std::istreambuf_iterator<char>(file), {}};
        const auto bytes = std::as_bytes(std::span(text));
        if (text.starts_with("\xFF\xD8")) result.plain.emplace_back(bytes.begin(), bytes.end());
      }
    }
    for (const Bytes& bytes : result.plain) result.marked.push_back(data::add_restart_markers(bytes));
    return result;
  }();
  return all;
}

const std::vector<Bytes>& files(bool marked) { return marked ? images().marked : images().plain; }

/// The box of RandomResizedCrop for a view of an image, in one round through all of them.
jessl::Region crop(const data::ImageHeader& header, double least, std::size_t image, std::int64_t round,
                   std::uint8_t view) {
  jessl::Draw draw({.epoch = static_cast<std::uint32_t>(round), .sample = image, .view = view});
  const auto box =
      jessl::augment::RandomResizedCrop{.scale = {least, 1.0}}.sample(draw, {header.height, header.width}).box;
  return {box.top, box.left, box.height, box.width};
}

void count(benchmark::State& state, std::int64_t decoded) {
  state.counters["images_per_second"] = benchmark::Counter(static_cast<double>(decoded), benchmark::Counter::kIsRate);
}

void whole(benchmark::State& state, bool marked) {
  (void)images();  // made before the clock runs
  data::Image scratch;
  std::int64_t decoded = 0;
  for (auto step : state) {
    for (const Bytes& bytes : files(marked)) {
      benchmark::DoNotOptimize(data::decode(stored(bytes), 3, scratch).pixels.data());
      ++decoded;
    }
  }
  count(state, decoded);
}

/// One box an image: area in percent from state.range(0) to 100.
void region(benchmark::State& state, bool marked) {
  data::Decoder decoder;
  std::int64_t decoded = 0;
  std::int64_t round = 0;
  for (auto step : state) {
    for (std::size_t i = 0; i < files(marked).size(); ++i) {
      const jessl::EncodedImage image = stored(files(marked)[i]);
      const data::ImageHeader header = data::peek(image);
      const jessl::Region box = crop(header, static_cast<double>(state.range(0)) / 100.0, i, round, 0);
      benchmark::DoNotOptimize(data::decode_region(image, header, box, 3, decoder).pixels.data());
      ++decoded;
    }
    ++round;
  }
  count(state, decoded);
}

/// Two boxes an image, decoded apart or together as the model says.
void two_views(benchmark::State& state, bool marked) {
  data::Decoder decoder;
  std::int64_t decoded = 0;
  std::int64_t round = 0;
  std::int64_t shared = 0;
  for (auto step : state) {
    for (std::size_t i = 0; i < files(marked).size(); ++i) {
      const jessl::EncodedImage image = stored(files(marked)[i]);
      const data::ImageHeader header = data::peek(image);
      const std::array boxes{crop(header, 0.08, i, round, 0), crop(header, 0.08, i, round, 1)};
      std::array<jessl::Region, 2> regions;
      data::plan_views(header, boxes, regions);
      benchmark::DoNotOptimize(data::decode_region(image, header, regions[0], 3, decoder).pixels.data());
      if (regions[1] == regions[0]) {
        ++shared;
      } else {
        benchmark::DoNotOptimize(data::decode_region(image, header, regions[1], 3, decoder).pixels.data());
      }
      ++decoded;
    }
    ++round;
  }
  count(state, decoded);
  state.counters["shared"] = static_cast<double>(shared) / static_cast<double>(decoded);
}

void peek(benchmark::State& state) {
  for (auto step : state) {
    for (const Bytes& bytes : files(false)) benchmark::DoNotOptimize(data::peek(stored(bytes)));
  }
  count(state, state.iterations() * static_cast<std::int64_t>(files(false).size()));
}

/// The search for restart markers alone.
void search(benchmark::State& state) {
  std::vector<data::detail::Offset> markers;
  std::vector<data::ImageHeader> headers;
  std::int64_t bytes_a_round = 0;
  for (const Bytes& bytes : files(true)) {
    headers.push_back(data::peek(stored(bytes)));
    bytes_a_round += static_cast<std::int64_t>(bytes.size());
  }
  for (auto step : state) {
    for (std::size_t i = 0; i < headers.size(); ++i)
      benchmark::DoNotOptimize(data::detail::find_segments(files(true)[i], headers[i].jpeg, markers));
  }
  state.SetBytesProcessed(state.iterations() * bytes_a_round);
}

void rewrite(benchmark::State& state) {
  std::int64_t before = 0;
  std::int64_t after = 0;
  for (auto step : state) {
    for (const Bytes& bytes : files(false)) {
      const Bytes marked = data::add_restart_markers(bytes, {.segments_per_row = state.range(0)});
      before += static_cast<std::int64_t>(bytes.size());
      after += static_cast<std::int64_t>(marked.size());
    }
  }
  count(state, state.iterations() * static_cast<std::int64_t>(files(false).size()));
  state.counters["bytes_after_to_before"] = static_cast<double>(after) / static_cast<double>(before);
}

}  // namespace

BENCHMARK_CAPTURE(whole, plain, false)->Name("decode/whole/plain")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(whole, marked, true)->Name("decode/whole/marked")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(region, plain, false)
    ->Name("decode/region/plain")
    ->ArgName("least_percent")
    ->Arg(8)
    ->Arg(25)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(region, marked, true)
    ->Name("decode/region/marked")
    ->ArgName("least_percent")
    ->Arg(8)
    ->Arg(25)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(two_views, plain, false)->Name("decode/two_views/plain")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(two_views, marked, true)->Name("decode/two_views/marked")->Unit(benchmark::kMillisecond);
BENCHMARK(peek)->Name("decode/peek")->Unit(benchmark::kMicrosecond);
BENCHMARK(search)->Name("decode/search")->Unit(benchmark::kMicrosecond);
BENCHMARK(rewrite)
    ->Name("decode/rewrite")
    ->ArgName("segments")
    ->Arg(1)
    ->Arg(4)
    ->Arg(8)
    ->Arg(16)
    ->Unit(benchmark::kMillisecond)
    ->Iterations(1);
