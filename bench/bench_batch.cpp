// SPDX-License-Identifier: Apache-2.0
// Views on their way into a batch, in each number format and order, beside a plain copy; and what a training step does with a
// batch before its first convolution.
// torch
#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include <jessl/core/draw.hpp>
#include <jessl/core/element.hpp>
#include <jessl/core/shape.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/data/detail/encode_view.hpp>
#include <jessl/train/tensors.hpp>

namespace {

using jessl::Element;
using jessl::Layout;

constexpr jessl::ViewShape shape{3, 224, 224};

/// One view of 224x224 RGB after the other into a batch of 64, which is larger than the second-level cache.
template <class Write>
void write_views(benchmark::State& state, std::size_t view_size, const Write& write) {
  constexpr std::size_t rows = 64;
  jessl::Draw draw({.purpose = jessl::Purpose::initialisation});
  std::vector<float> view(static_cast<std::size_t>(shape.count()));
  for (float& value : view) value = static_cast<float>(draw.uniform(-2.0, 2.0));
  std::vector<std::byte> batch(rows * view_size);
  std::size_t row = 0;
  for (auto step : state) {
    write(view, batch.data() + row++ % rows * view_size);
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(view_size) * state.iterations());
}

/// Both views of 64 images as a step has them stacked, in channels-last order and in the type of the first convolution.
void stack(benchmark::State& state, Element element, Layout layout, torch::ScalarType type) {
  const auto order =
      layout == Layout::channels_last ? torch::MemoryFormat::ChannelsLast : torch::MemoryFormat::Contiguous;
  const auto view = [&] {
    return torch::rand({64, 3, 224, 224}).to(jessl::train::scalar_type(element)).contiguous(order);
  };
  const std::vector<torch::Tensor> views{view(), view()};
  for (auto step : state) {
    benchmark::DoNotOptimize(torch::cat(views).contiguous(torch::MemoryFormat::ChannelsLast).to(type).data_ptr());
  }
}

[[maybe_unused]] const bool registered = [] {
  const auto add = [](const std::string& name, benchmark::TimeUnit unit, const auto& function) {
    benchmark::RegisterBenchmark(name.c_str(), function)->Unit(unit)->UseRealTime();
  };
  add("batch/copy/224", benchmark::kMicrosecond, [](benchmark::State& state) {
    write_views(state, static_cast<std::size_t>(shape.count()) * sizeof(float),
                [](const std::vector<float>& view, std::byte* to) {
                  std::memcpy(to, view.data(), view.size() * sizeof(float));
                });
  });
  for (const Element element : {Element::float32, Element::bfloat16, Element::float16}) {
    for (const Layout layout : {Layout::channels_first, Layout::channels_last}) {
      const auto name = [](auto value) { return std::string(jessl::to_json(value)); };
      add("batch/encode/224/" + name(element) + "/" + name(layout), benchmark::kMicrosecond,
          [=](benchmark::State& state) {
            write_views(state, static_cast<std::size_t>(shape.count()) * jessl::size_of(element),
                        [=](const std::vector<float>& view, std::byte* to) {
                          jessl::data::detail::encode_view(view, shape, element, layout, to);
                        });
          });
    }
  }
  const auto add_stack = [&](const std::string& name, Element element, Layout layout, torch::ScalarType type) {
    add("batch/stack/2x64x224/" + name, benchmark::kMillisecond,
        [=](benchmark::State& state) { stack(state, element, layout, type); });
  };
  add_stack("float32/from_float32_channels_first", Element::float32, Layout::channels_first, torch::kFloat);
  add_stack("float32/from_float32_channels_last", Element::float32, Layout::channels_last, torch::kFloat);
  add_stack("bfloat16/from_float32_channels_first", Element::float32, Layout::channels_first, torch::kBFloat16);
  add_stack("bfloat16/from_float32_channels_last", Element::float32, Layout::channels_last, torch::kBFloat16);
  add_stack("bfloat16/from_bfloat16_channels_last", Element::bfloat16, Layout::channels_last, torch::kBFloat16);
  return true;
}();

}  // namespace
