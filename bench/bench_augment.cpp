// SPDX-License-Identifier: Apache-2.0
// Views from 8-bit images in memory to normalised float32, on one core, and the passes that they consist of. Decoding is
// not included. Compiled for any x86-64 processor (JESSL_ARCH=none), it has a row for each instruction set.
#include <benchmark/benchmark.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <jessl/augment.hpp>
#include <jessl/augment/detail/planes.hpp>
#include <jessl/augment/detail/taps.hpp>
#include <jessl/core/detail/instruction_set.hpp>

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

namespace augment = jessl::augment;
namespace detail = jessl::augment::detail;

constexpr std::int64_t side = 224;

/// Runs pass() and counts the pixels of the view.
template <class Pass>
void measure(benchmark::State& state, const Pass& pass) {
  for (auto step : state) {
    pass();
    benchmark::ClobberMemory();
  }
  state.counters["pixels_per_second"] =
      benchmark::Counter(static_cast<double>(state.iterations() * side * side), benchmark::Counter::kIsRate);
}

/// Values of [0, 1] that differ.
std::vector<float> values(std::int64_t count) {
  jessl::Draw draw({.purpose = jessl::Purpose::initialisation});
  std::vector<float> result(static_cast<std::size_t>(count));
  for (float& value : result) value = static_cast<float>(draw.uniform());
  return result;
}

/// A box of an RGB image to the view.
void resample(benchmark::State& state, std::int64_t height, std::int64_t width) {
  std::vector<std::uint8_t> pixels;
  for (const float value : values(height * width * 3)) pixels.push_back(static_cast<std::uint8_t>(255.0F * value));
  std::vector<float> out(static_cast<std::size_t>(side * side * 3));
  const detail::Source<std::uint8_t> source{pixels.data(), {.height = height, .width = width}, width * 3, 3, 1};
  detail::Taps vertical;
  detail::Taps horizontal;
  vertical.reset(height);
  vertical.apply(0, height, side, false);
  horizontal.reset(width);
  horizontal.apply(0, width, side, false);
  detail::Lines memory;
  measure(state, [&] {
    detail::resample<3>(source, vertical, horizontal, 1.0F / 255.0F, memory,
                        detail::Planes<3>{out.data(), {side, side}});
  });
}

void blur(benchmark::State& state, double sigma) {
  std::vector<float> image = values(side * side * 3);
  const augment::GaussianBlur operation{};
  std::vector<float> kernel(static_cast<std::size_t>(2 * operation.radius({side, side}) + 1));
  operation.kernel({true, sigma}, kernel);
  detail::Lines memory;
  measure(state, [&] { detail::convolve<3>(detail::Planes<3>{image.data(), {side, side}}, kernel, memory); });
}

void adjust(benchmark::State& state, augment::Adjustment adjustment) {
  std::vector<float> image = values(side * side * 3);
  augment::ColorJitter::Params params{.count = 1, .brightness = 1.1, .contrast = 1.1, .saturation = 0.9, .hue = 0.1};
  params.order[0] = adjustment;
  measure(state, [&] {
    detail::for_each_block(detail::Planes<3>{image.data(), {side, side}}, [&](const detail::Block<3>& block) {
      augment::ColorJitter{}.step(params, 0, 0.5F, [&](auto function) { block.transform(function); });
    });
  });
}

/// Registers each row once for each instruction set that the program has and the processor can do.
[[maybe_unused]] const bool registered = [] {
  const auto sets = jessl::detail::available_instruction_sets();
  const auto add = [&](const std::string& name, const auto& function) {
    for (const jessl::detail::InstructionSet set : sets) {
      static constexpr std::array names = {"/as_compiled", "/avx2", "/avx512"};
      const std::string suffix = sets.size() > 1 ? names[static_cast<std::size_t>(set)] : "";
      benchmark::RegisterBenchmark((name + suffix).c_str(), [=](benchmark::State& state) {
        jessl::detail::instruction_set = set;
        function(state);
        jessl::detail::instruction_set = sets.back();
      })->Unit(benchmark::kMicrosecond);
    }
  };
  const auto add_views = [&](const std::string& name, const auto& maker, std::int64_t width, std::int64_t height,
                             std::int64_t channels) {
    add(name, [=](benchmark::State& state) { make_views(state, maker, width, height, channels); });
  };
  add_views("augment/simclr/28/grey", augment::simclr({.size = 28}), 28, 28, 1);
  add_views("augment/simclr/32/memory", augment::simclr({.size = 32}), 32, 32, 3);
  add_views("augment/simclr/224/memory", augment::simclr({.size = 224}), 500, 400, 3);
  add_views("augment/eval/28/grey", augment::eval({.size = 28}), 28, 28, 1);
  // An image that has the size of the view, and a warp after it; without one, what the view alone costs.
  const auto add_warped = [&](const std::string& name, auto... warps) {
    add_views("augment/warp/224/" + name, augment::compose(augment::CenterCrop{.size = side}, warps...), side, side, 3);
  };
  add_warped("none");
  add_warped("translate", augment::RandomTranslate{});
  add_warped("rotation/nearest", augment::RandomRotation{});
  add_warped("rotation/bilinear", augment::RandomRotation{.interpolation = augment::Interpolation::bilinear});
  add_warped("perspective/bilinear", augment::RandomPerspective{.p = 1.0});
  for (const std::int64_t width : {150, 350, 1000}) {
    add("augment/resample/" + std::to_string(width) + "/224",
        [width](benchmark::State& state) { resample(state, width, width); });
  }
  for (const int tenths : {5, 10, 20}) {
    add("augment/blur/224/sigma:" + std::to_string(tenths / 10) + "." + std::to_string(tenths % 10),
        [tenths](benchmark::State& state) { blur(state, tenths / 10.0); });
  }
  using enum augment::Adjustment;
  for (const auto& [name, adjustment] :
       {std::pair{"brightness", brightness}, std::pair{"saturation", saturation}, std::pair{"hue", hue}}) {
    add("augment/" + std::string(name) + "/224", [adjustment](benchmark::State& state) { adjust(state, adjustment); });
  }
  return true;
}();

}  // namespace
