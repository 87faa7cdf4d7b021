// SPDX-License-Identifier: Apache-2.0
// Batches in other number formats and orders, and in memory that somebody else gives.
#include <catch2/catch.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <map>
#include <memory_resource>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <jessl/augment/parameters.hpp>
#include <jessl/augment/swav.hpp>
#include <jessl/core/element.hpp>
#include <jessl/data/loader.hpp>

#include "data/support.hpp"

using data_test::Stamp;
using jessl::BFloat16;
using jessl::Element;
using jessl::Float16;
using jessl::Layout;
using jessl::data::Batch;
using jessl::data::Loader;
using jessl::data::LoaderOptions;

namespace {

/// The first batch of epoch 1.
template <class A>
Batch first_batch(std::int64_t channels, const A& maker, LoaderOptions options) {
  options.batch_size = 5;
  options.workers = 2;
  options.seed = 7;
  Loader loader{data_test::pictures(12, 9, channels), maker, options};
  return std::move(*loader.epoch(1).next());
}

/// Whether `batch` has the views of `floats`, [B, C, H, W] in float32, in its own format and order.
template <class T>
bool same_views(const Batch& batch, const Batch& floats) {
  for (std::int64_t v = 0; v < static_cast<std::int64_t>(floats.views.size()); ++v) {
    const jessl::ViewShape shape = floats.shape(v);
    const std::int64_t pixels = shape.height * shape.width;
    const std::span<T> view = batch.view<T>(v);
    const std::span<const float> from = floats.views[static_cast<std::size_t>(v)];
    if (view.size() != from.size() || batch.shape(v) != shape) return false;
    for (std::int64_t i = 0; i < static_cast<std::int64_t>(view.size()); ++i) {
      const std::int64_t image = i / shape.count();
      const std::int64_t place = i % shape.count();
      const std::int64_t source =
          batch.layout() == Layout::channels_first ? place : place % shape.channels * pixels + place / shape.channels;
      const T expected(from[static_cast<std::size_t>(image * shape.count() + source)]);
      if (std::memcmp(&view[static_cast<std::size_t>(i)], &expected, sizeof expected) != 0) return false;
    }
  }
  return true;
}

template <class A>
void check_formats(std::int64_t channels, const A& maker) {
  const Batch floats = first_batch(channels, maker, {});
  CHECK(floats.element() == Element::float32);
  CHECK(floats.layout() == Layout::channels_first);
  for (const std::int64_t ahead : {0, 2}) {
    for (const Layout layout : {Layout::channels_first, Layout::channels_last}) {
      const auto batch = [&](Element element) {
        return first_batch(channels, maker, {.ahead = ahead, .element = element, .layout = layout});
      };
      CHECK(batch(Element::float32).layout() == layout);
      CHECK(same_views<float>(batch(Element::float32), floats));
      CHECK(same_views<BFloat16>(batch(Element::bfloat16), floats));
      CHECK(same_views<Float16>(batch(Element::float16), floats));
    }
  }
}

/// Counts what it gives and takes back.
class Counting : public std::pmr::memory_resource {
 public:
  [[nodiscard]] std::int64_t taken() const { return taken_; }
  [[nodiscard]] std::size_t held() const { return held_.size(); }
  [[nodiscard]] bool holds(const void* place) const {
    const auto after = held_.upper_bound(static_cast<const std::byte*>(place));
    if (after == held_.begin()) return false;
    const auto& [begin, size] = *std::prev(after);
    return static_cast<const std::byte*>(place) < begin + size;
  }

 private:
  void* do_allocate(std::size_t bytes, std::size_t alignment) override {
    void* const memory = std::pmr::new_delete_resource()->allocate(bytes, alignment);
    held_.emplace(static_cast<const std::byte*>(memory), bytes);
    ++taken_;
    return memory;
  }
  void do_deallocate(void* memory, std::size_t bytes, std::size_t alignment) override {
    held_.erase(static_cast<const std::byte*>(memory));
    std::pmr::new_delete_resource()->deallocate(memory, bytes, alignment);
  }
  [[nodiscard]] bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
    return this == &other;
  }

  std::map<const std::byte*, std::size_t> held_{};
  std::int64_t taken_ = 0;
};

}  // namespace

TEST_CASE("Batch: views in every number format and order are the float32 ones, rounded", "[data][batch]") {
  for (const std::int64_t channels : {1, 3}) {
    check_formats(channels, Stamp{.side = 9});
    check_formats(channels, jessl::augment::swav<3>({.size = 8, .local_size = 5}));  // views of two sizes
  }
}

TEST_CASE("Batch: a view in another format than is asked for is an error", "[data][batch]") {
  // [format]
  jessl::data::Loader loader{
      data_test::pictures(12, 6, 3),
      Stamp{},
      {.batch_size = 4, .element = jessl::Element::bfloat16, .layout = jessl::Layout::channels_last}};
  float red = 0.0F;
  for (const jessl::data::Batch& batch : loader.epoch(0)) {
    const std::span<jessl::BFloat16> view = batch.view<jessl::BFloat16>(0);  // [B, H, W, C]
    red += view[0];                                                          // of the first image's first pixel
  }
  // [/format]
  CHECK(red > 0.0F);
  const std::optional<Batch> batch = loader.epoch(0).next();
  CHECK(batch->views.size() == 2);
  CHECK(batch->bytes(1).size() == 4U * 3 * 5 * 6 * 2);
  CHECK_THROWS_AS(batch->views[0], jessl::ConfigError);
  CHECK_THROWS_WITH(batch->views[0],
                    "jessl::data::Batch: the views are \"bfloat16\" and were asked for as float32; use view<T>(v) or "
                    "bytes(v), or set LoaderOptions::element to float32");
  CHECK_THROWS_AS(batch->views.begin(), jessl::ConfigError);
  CHECK_THROWS_WITH(batch->view<Float16>(0),
                    "jessl::data::Batch: view 0 is \"bfloat16\" and was asked for as \"float16\"; set "
                    "LoaderOptions::element to it");
  CHECK_THROWS_AS(batch->view<BFloat16>(2), jessl::ConfigError);
  CHECK_THROWS_AS(batch->bytes(-1), jessl::ConfigError);

  const Batch floats = first_batch(1, Stamp{}, {});
  CHECK(floats.view<float>(1).data() == floats.views[1].data());
  CHECK_THROWS_AS(floats.views[2], jessl::ConfigError);
  CHECK_THROWS_AS(floats.view<BFloat16>(0), jessl::ConfigError);
  const Batch none;
  CHECK(none.views.empty());
  CHECK_THROWS_AS(none.bytes(0), jessl::ConfigError);
}

TEST_CASE("Batch: formats have names in JSON", "[data][batch]") {
  const LoaderOptions options{.element = Element::float16, .layout = Layout::channels_last};
  const jessl::Json json = jessl::to_json(options);
  CHECK(json["element"] == "float16");
  CHECK(json["layout"] == "channels_last");
  CHECK(jessl::same_options(jessl::from_json<LoaderOptions>(json), options));
}

TEST_CASE("Loader: all memory of batches comes from the resource that it is given, and goes back", "[data][batch]") {
  Counting memory;
  {
    std::optional<Batch> kept;
    {
      const auto maker =
          jessl::augment::with_parameters(jessl::augment::swav<1>({.size = 8, .local_size = 5}));  // 3 views
      Loader loader{data_test::pictures(40, 9, 3),
                    maker,
                    {.batch_size = 4, .workers = 2, .ahead = 2},
                    jessl::data::order::Shuffled{},
                    &memory};
      CHECK(memory.taken() == 3 * (3 + 3));  // batches x (views and their parameters)
      for (Batch& batch : loader.epoch(0)) {
        for (std::size_t v = 0; v < 3; ++v) {
          CHECK(memory.holds(batch.views[v].data()));
          CHECK(memory.holds(&batch.parameters[v].back()));
          CHECK(reinterpret_cast<std::uintptr_t>(batch.views[v].data()) % 64 == 0);
        }
        if (!kept) kept = std::move(batch);
      }
    }
    CHECK(memory.holds(kept->views[2].data()));  // a batch outlives its loader
  }
  CHECK(memory.held() == 0);
}
