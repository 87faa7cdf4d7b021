// SPDX-License-Identifier: Apache-2.0
// Once warm, the loader allocates nothing for an image: counted by operator new, on all threads.
#include <catch2/catch.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <string>
#include <vector>

#include <jessl/augment/parameters.hpp>
#include <jessl/augment/swav.hpp>
#include <jessl/core/element.hpp>
#include <jessl/data/decode_region.hpp>
#include <jessl/data/image_folder.hpp>
#include <jessl/data/loader.hpp>
#include <jessl/data/restart_markers.hpp>
#include <jessl/data/storage.hpp>
#include <jessl/data/tar_shards.hpp>

#include "data/jpeg_maker.hpp"
#include "data/support.hpp"
#include "data/tar_support.hpp"

namespace {

std::atomic<bool> armed{false};
std::atomic<std::int64_t> allocations{0};

void* allocate(std::size_t size, std::size_t alignment) {
  if (armed.load(std::memory_order_relaxed)) allocations.fetch_add(1, std::memory_order_relaxed);
  const std::size_t whole = (size + alignment - 1) / alignment * alignment;
  return std::aligned_alloc(alignment, whole == 0 ? alignment : whole);
}

void* allocate_or_abort(std::size_t size, std::size_t alignment) {
  if (void* memory = allocate(size, alignment)) return memory;
  std::abort();  // a test has no plan for this
}

}  // namespace

// The array forms call these. The form that does not throw is there because a sanitizer brings its own. Not inlined: GCC
// would see free() get what operator new gave, which is what is meant here, and warn.
[[gnu::noinline]] void* operator new(std::size_t size) {
  return allocate_or_abort(size, __STDCPP_DEFAULT_NEW_ALIGNMENT__);
}
[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return allocate(size, __STDCPP_DEFAULT_NEW_ALIGNMENT__);
}
[[gnu::noinline]] void* operator new(std::size_t size, std::align_val_t alignment) {
  return allocate_or_abort(size, static_cast<std::size_t>(alignment));
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

namespace {

/// Allocations in a whole epoch of a loader that has run one before.
template <class D, class A = data_test::Stamp>
std::int64_t allocations_when_warm(const D& dataset, std::int64_t workers, std::int64_t ahead, const A& maker = {},
                                   jessl::Element element = jessl::Element::float32,
                                   jessl::Layout layout = jessl::Layout::channels_first) {
  jessl::data::Loader loader{
      dataset,
      maker,
      {.batch_size = 10, .workers = workers, .ahead = ahead, .drop_last = false, .element = element, .layout = layout}};
  const auto run = [&loader](std::int64_t epoch) {
    std::int64_t images = 0;
    for (const jessl::data::Batch& batch : loader.epoch(epoch)) images += batch.size();
    return images;
  };
  // Several times: each worker must have seen the largest image.
  for (std::int64_t epoch = 0; epoch < 8; ++epoch) REQUIRE(run(epoch) == dataset.size());
  allocations = 0;
  armed = true;
  const std::int64_t images = run(8);
  armed = false;
  REQUIRE(images == dataset.size());
  return allocations;
}

}  // namespace

TEST_CASE("Loader: allocates nothing once warm, from memory", "[data][allocation]") {
  const auto dataset = data_test::pictures(200);
  for (const std::int64_t workers : {1, 2}) {
    for (const std::int64_t ahead : {0, 2}) CHECK(allocations_when_warm(dataset, workers, ahead) == 0);
  }
}

TEST_CASE("Loader: allocates nothing once warm, from JPEG and PNG files", "[data][allocation]") {
  const data_test::TemporaryFolder folder;
  for (int i = 0; i < 40; ++i) {
    const jessl::Image image = data_test::picture(12, 9, 3, i);
    if (i % 2 == 0) {
      folder.write(std::to_string(i) + ".png", data_test::to_png(image));
    } else {
      folder.write(std::to_string(i) + ".jpg", data_test::to_jpeg(image));
    }
  }
  // One worker: it has met each file in the first epoch, whatever the order.
  for (const std::int64_t channels : {1, 3}) {
    const jessl::data::ImageFolder dataset(folder.path(), {.channels = channels});
    CHECK(allocations_when_warm(dataset, 1, 0) == 0);
    CHECK(allocations_when_warm(dataset, 1, 2) == 0);
  }
}

TEST_CASE("Loader: allocates nothing once warm, whatever parts the views need", "[data][allocation]") {
  const data_test::TemporaryFolder folder;
  for (int i = 0; i < 30; ++i) {
    const jessl::Image image = data_test::rough_picture(150, 130, 3, static_cast<std::uint64_t>(i));
    const data_test::Bytes jpeg = data_test::make_jpeg(image, data_test::jpeg_kinds()[i % 2 == 0 ? 0U : 2U]);
    const std::string name = std::to_string(i);
    if (i % 3 == 0) folder.write(name + ".jpg", jpeg);
    if (i % 3 == 1) folder.write(name + ".jpg", jessl::data::add_restart_markers(jpeg));
    if (i % 3 == 2) folder.write(name + ".png", data_test::to_png(image));
  }
  const jessl::data::ImageFolder dataset(folder.path());
  CHECK(allocations_when_warm(dataset, 1, 0, data_test::Parts{}) == 0);
  CHECK(allocations_when_warm(dataset, 1, 2, data_test::Parts{}) == 0);
}

TEST_CASE("Loader: allocates nothing once warm, in other number formats and orders", "[data][allocation]") {
  const auto dataset = data_test::pictures(100, 12, 3);
  for (const auto element : {jessl::Element::float32, jessl::Element::bfloat16, jessl::Element::float16}) {
    for (const auto layout : {jessl::Layout::channels_first, jessl::Layout::channels_last})
      CHECK(allocations_when_warm(dataset, 2, 2, data_test::Stamp{.side = 12}, element, layout) == 0);
  }
}

TEST_CASE("Loader: allocates nothing once warm, with parameters as labels", "[data][allocation]") {
  const auto dataset = data_test::pictures(100, 12, 3);
  const auto maker = jessl::augment::with_parameters(jessl::augment::swav<3>({.size = 8, .local_size = 4}));
  for (const std::int64_t ahead : {0, 2}) CHECK(allocations_when_warm(dataset, 1, ahead, maker) == 0);
}

TEST_CASE("Loader: allocates nothing once warm, from tar files", "[data][allocation]") {
  const data_test::TemporaryFolder folder;
  for (int shard = 0; shard < 2; ++shard) {
    std::string bytes;
    for (int i = 0; i < 10; ++i) bytes += data_test::tar_sample(std::to_string(i), 10 * shard + i, i);
    folder.write(std::to_string(shard) + ".tar", bytes + data_test::tar_end());
  }
  using jessl::data::Storage;
  for (const Storage way : {Storage::mapped, Storage::memory, Storage::reads}) {
    const jessl::data::TarShards dataset(folder / "{0..1}.tar", {.storage = way});
    CHECK(allocations_when_warm(dataset, 1, 0) == 0);
  }
}

TEST_CASE("decode_region: allocates nothing once warm", "[data][allocation]") {
  std::vector<data_test::Bytes> files;
  for (std::int64_t i = 0; i < 8; ++i) {
    const jessl::Image image = data_test::picture(80 + 8 * i, 60, 3, i);
    files.push_back(data_test::to_png(image));
    files.push_back(data_test::to_jpeg(image));
    files.push_back(jessl::data::add_restart_markers(files.back()));
  }
  jessl::data::Decoder decoder;
  const auto run = [&] {
    std::int64_t segments = 0;
    for (const data_test::Bytes& bytes : files) {
      const jessl::EncodedImage image{.format = jessl::ImageFormat::jpg, .bytes = bytes};
      const jessl::data::ImageHeader header = jessl::data::peek(image);
      using jessl::data::DecodePart;
      const std::array wanted{DecodePart{{40, 50, 8, 9}}, DecodePart{{0, 0, 30, 40}, 2}};
      std::array<DecodePart, 2> parts;
      jessl::data::plan_views(header, wanted, parts);
      for (const auto& [region, shrink] : parts) {
        (void)jessl::data::decode_region(image, header, region, 3, decoder, shrink);
        if (jessl::data::plan_decode(header, region, shrink).way == jessl::data::DecodeWay::segments) ++segments;
      }
    }
    return segments;
  };
  REQUIRE(run() > 0);
  allocations = 0;
  armed = true;
  const std::int64_t segments = run();
  armed = false;
  CHECK(segments > 0);
  CHECK(allocations == 0);
}
