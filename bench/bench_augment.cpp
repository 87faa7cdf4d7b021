// SPDX-License-Identifier: Apache-2.0
// Views from 8-bit images in memory to normalised float32, on one core. Decoding is not included.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <vector>

#include <jessl/augment.hpp>

namespace {

template <class Maker>
void make_views(benchmark::State& state, const Maker& maker, std::int64_t width, std::int64_t height,
                std::int64_t channels) {
  jessl::Image image(width, height, channels);
  jessl::Draw draw({.purpose = jessl::Purpose::initialisation});
  for (std::uint8_t& value : image.pixels) value = static_cast<std::uint8_t>(draw.below(256));
  std::vector<float> out(static_cast<std::size_t>(maker.shape(0, channels).count()));
  typename Maker::Scratch scratch;
  std::uint64_t sample = 0;
  for (auto step : state) {
    maker.make(image.view(), {.sample = sample++}, scratch, out);
    benchmark::DoNotOptimize(out.data());
  }
  state.counters["views_per_second"] =
      benchmark::Counter(static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

void simclr_28_grey(benchmark::State& state) { make_views(state, jessl::augment::simclr({.size = 28}), 28, 28, 1); }
void simclr_32_rgb(benchmark::State& state) { make_views(state, jessl::augment::simclr({.size = 32}), 32, 32, 3); }
void simclr_224_rgb(benchmark::State& state) { make_views(state, jessl::augment::simclr({.size = 224}), 500, 400, 3); }
void eval_28_grey(benchmark::State& state) { make_views(state, jessl::augment::eval({.size = 28}), 28, 28, 1); }

/// An image that has the size of the view, and the warps after it; without any, what the view alone costs.
template <class... Warps>
void make_warped_views(benchmark::State& state, Warps... warps) {
  make_views(state, jessl::augment::compose(jessl::augment::CenterCrop{.size = 224}, warps...), 224, 224, 3);
}

void unwarped_224(benchmark::State& state) { make_warped_views(state); }
void translate_224(benchmark::State& state) { make_warped_views(state, jessl::augment::RandomTranslate{}); }
void nearest_224(benchmark::State& state) { make_warped_views(state, jessl::augment::RandomRotation{}); }
void bilinear_224(benchmark::State& state) {
  make_warped_views(state, jessl::augment::RandomRotation{.interpolation = jessl::augment::Interpolation::bilinear});
}
void perspective_224(benchmark::State& state) { make_warped_views(state, jessl::augment::RandomPerspective{.p = 1.0}); }

}  // namespace

BENCHMARK(simclr_28_grey)->Name("augment/simclr/28/grey")->Unit(benchmark::kMicrosecond);
BENCHMARK(simclr_32_rgb)->Name("augment/simclr/32/memory")->Unit(benchmark::kMicrosecond);
BENCHMARK(simclr_224_rgb)->Name("augment/simclr/224/memory")->Unit(benchmark::kMicrosecond);
BENCHMARK(eval_28_grey)->Name("augment/eval/28/grey")->Unit(benchmark::kMicrosecond);
BENCHMARK(unwarped_224)->Name("augment/warp/none/224")->Unit(benchmark::kMicrosecond);
BENCHMARK(translate_224)->Name("augment/warp/translate/224")->Unit(benchmark::kMicrosecond);
BENCHMARK(nearest_224)->Name("augment/warp/rotation/224/nearest")->Unit(benchmark::kMicrosecond);
BENCHMARK(bilinear_224)->Name("augment/warp/rotation/224/bilinear")->Unit(benchmark::kMicrosecond);
BENCHMARK(perspective_224)->Name("augment/warp/perspective/224/bilinear")->Unit(benchmark::kMicrosecond);
