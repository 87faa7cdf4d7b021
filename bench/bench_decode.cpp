// SPDX-License-Identifier: Apache-2.0
// Photographs decoded whole and under the boxes of RandomResizedCrop, with and without restart markers, on one core.
// JESSL_BENCH_IMAGES names a folder of JPEG files; without it, pictures of waves and noise are made.
#include <benchmark/benchmark.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <jessl/augment/random_resized_crop.hpp>
#include <jessl/core/draw.hpp>
#include <jessl/data/decode.hpp>
#include <jessl/data/decode_plan.hpp>
#include <jessl/data/decode_region.hpp>
#include <jessl/data/peek.hpp>
#include <jessl/data/restart_markers.hpp>

#include "images.hpp"

namespace {

namespace data = jessl::data;
using bench::Bytes;

jessl::EncodedImage stored(const Bytes& bytes) { return {.format = jessl::ImageFormat::jpg, .bytes = bytes}; }

/// The images, as they are and rewritten.
struct Images {
  std::vector<Bytes> plain = bench::jpegs();
  std::vector<Bytes> marked{};
};

const Images& images() {
  static const Images all = [] {
    Images result;
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
  return jessl::augment::RandomResizedCrop{.scale = {least, 1.0}}.sample(draw, {header.height, header.width}).box;
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
      const std::array wanted{data::DecodePart{crop(header, 0.08, i, round, 0)},
                              data::DecodePart{crop(header, 0.08, i, round, 1)}};
      std::array<data::DecodePart, 2> parts;
      data::plan_views(header, wanted, parts);
      benchmark::DoNotOptimize(data::decode_region(image, header, parts[0].region, 3, decoder).pixels.data());
      if (parts[1] == parts[0]) {
        ++shared;
      } else {
        benchmark::DoNotOptimize(data::decode_region(image, header, parts[1].region, 3, decoder).pixels.data());
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
