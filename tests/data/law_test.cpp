// SPDX-License-Identifier: Apache-2.0
// The laws of a data set, for every kind that jessl has.
#include <catch2/catch.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include <boost/hana/for_each.hpp>
#include <boost/hana/size.hpp>

#include <jessl/data.hpp>

#include "data/beton_support.hpp"
#include "data/support.hpp"
#include "data/tar_support.hpp"

namespace data = jessl::data;

namespace {

/// The least that is a data set, for the page docs/data/README.md and for the concept.
// [archetype]
struct DatasetArchetype {
  [[nodiscard]] std::int64_t size() const { return 1; }
  [[nodiscard]] std::int64_t channels() const { return 1; }  // what decode() is asked for: 1 or 3
  [[nodiscard]] std::int64_t classes() const { return 0; }
  [[nodiscard]] std::int64_t label(std::int64_t) const { return -1; }  // no labels
  [[nodiscard]] jessl::EncodedImage read(std::int64_t, std::vector<std::byte>& storage) const {
    storage.assign(4, std::byte{128});  // its memory is kept from image to image
    return {.format = jessl::ImageFormat::raw, .width = 2, .height = 2, .channels = 1, .bytes = storage};
  }
  [[nodiscard]] std::string describe(std::int64_t i) const { return jessl::concat("grey square, image ", i); }
};
static_assert(jessl::Dataset<DatasetArchetype>);
// [/archetype]

/// A small data set of each kind, made in `folder`.
template <class D>
D example(const data_test::TemporaryFolder& folder) {
  if constexpr (std::is_same_v<D, data::ArrayDataset>) {
    return data_test::pictures(12, 5, 3);
  } else if constexpr (std::is_same_v<D, data::AnyDataset>) {
    return D(data_test::pictures(12, 5, 3));
  } else if constexpr (std::is_same_v<D, data::Beton>) {
    return D(data_test::write_mixed(folder));
  } else if constexpr (std::is_same_v<D, data::Subset<data::ArrayDataset>>) {
    return data::subset(data_test::pictures(12), {3, 3, 0, 11});
  } else if constexpr (std::is_same_v<D, data::CIFAR10>) {
    folder.write("test_batch.bin", std::string(3073 * 3, '\x05'));
    return {folder.path(), data::Split::test, {.allow_part = true}};
  } else if constexpr (std::is_same_v<D, data::IDX>) {
    const std::string images =
        folder.write("images", std::string("\0\0\x08\x03\0\0\0\x02\0\0\0\x01\0\0\0\x02", 16) + "abcd");
    const std::string labels = folder.write("labels", std::string("\0\0\x08\x01\0\0\0\x02\x01\x00", 10));
    return D(images, labels);
  } else if constexpr (std::is_same_v<D, data::TarShards>) {
    folder.write("0.tar", data_test::tar_sample("a", 0, 1) + data_test::tar_end());
    folder.write("1.tar", data_test::tar_sample("a", 1, 0) + data_test::tar_sample("b", 2, 3) + data_test::tar_end());
    return D(folder / "{0..1}.tar");
  } else {
    static_assert(std::is_same_v<D, data::ImageFolder>, "a new kind of data set needs an example here");
    for (int i = 0; i < 4; ++i)
      folder.write("class" + std::to_string(i / 2) + "/" + std::to_string(i) + ".png",
                   data_test::to_png(data_test::picture(3, 4, 3, i)));
    return D(folder.path());
  }
}

template <class D>
std::vector<std::uint8_t> pixels(const D& dataset, std::int64_t i) {
  std::vector<std::byte> storage;
  data::Image scratch;
  const jessl::ImageView view = data::decode(dataset.read(i, storage), dataset.channels(), scratch);
  return {view.pixels.begin(), view.pixels.end()};
}

template <class D>
void check_laws(const D& dataset) {
  REQUIRE(dataset.size() > 0);
  CHECK((dataset.channels() == 1 || dataset.channels() == 3));
  CHECK(dataset.classes() >= 0);
  const D copy = dataset;
  for (std::int64_t i = 0; i < dataset.size(); ++i) {
    const std::int64_t label = dataset.label(i);
    if (dataset.classes() == 0) {
      CHECK(label == -1);
    } else {
      CHECK(label >= 0);
      CHECK(label < dataset.classes());
    }
    CHECK_FALSE(dataset.describe(i).empty());
    CHECK_FALSE(pixels(dataset, i).empty());
    CHECK(pixels(dataset, i) == pixels(copy, i));
    CHECK(copy.label(i) == label);
    CHECK(copy.describe(i) == dataset.describe(i));
  }
  // What is not there is an error, never a read out of bounds.
  std::vector<std::byte> storage;
  for (const std::int64_t outside : {std::int64_t{-1}, dataset.size()}) {
    CHECK_THROWS_AS(dataset.label(outside), jessl::DataError);
    CHECK_THROWS_AS(dataset.read(outside, storage), jessl::DataError);
  }
  // Several threads may read at once.
  std::atomic<int> wrong{0};
  std::vector<std::vector<std::uint8_t>> alone;
  for (std::int64_t i = 0; i < dataset.size(); ++i) alone.push_back(pixels(dataset, i));
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 3; ++thread) {
    threads.emplace_back([&] {
      for (std::int64_t i = 0; i < dataset.size(); ++i)
        wrong += pixels(dataset, i) == alone[static_cast<std::size_t>(i)] ? 0 : 1;
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
}

}  // namespace

TEST_CASE("Dataset: every kind keeps the laws of a data set", "[data][law]") {
  boost::hana::for_each(data::All, [](auto type) {
    using D = typename decltype(type)::type;
    static_assert(jessl::Dataset<D>);
    INFO(D::name);
    const data_test::TemporaryFolder folder;
    check_laws(example<D>(folder));
  });
}

TEST_CASE("Dataset: copies share the pixels that are in memory", "[data][law]") {
  const auto dataset = data_test::pictures(3);
  const auto copy = dataset;
  std::vector<std::byte> storage;
  CHECK(dataset.read(1, storage).bytes.data() == copy.read(1, storage).bytes.data());
}

TEST_CASE("Dataset: the archetype can be loaded", "[data][law]") {
  data::Loader loader{DatasetArchetype{}, data_test::Stamp{.side = 2}, {.batch_size = 1}};
  for (const data::Batch& batch : loader.epoch(0)) {
    CHECK(batch.labels[0] == -1);
    CHECK(batch.views[0][3] == 128.0F / 255.0F);
  }
}
