// SPDX-License-Identifier: Apache-2.0
// Any data set as one type: the same images, pages and batches as the one inside.
#include <catch2/catch.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include <jessl/data/any_dataset.hpp>
#include <jessl/data/beton.hpp>
#include <jessl/data/loader.hpp>
#include <jessl/data/order.hpp>
#include <jessl/data/subset.hpp>

#include "data/beton_support.hpp"
#include "data/support.hpp"

namespace data = jessl::data;

namespace {

/// Two images a page, and a count of the pages that were asked for.
struct Paged : data::ArrayDataset {
  Paged() : data::ArrayDataset(data_test::pictures(12)) {}
  [[nodiscard]] std::int64_t page(std::int64_t i) const { return i / 2; }
  void prefetch(std::int64_t) const { ++*asked; }
  std::shared_ptr<std::atomic<int>> asked = std::make_shared<std::atomic<int>>(0);
};
static_assert(jessl::PrefetchingDataset<Paged>);

/// Labels and indices of all batches of an epoch.
template <class D, class O>
std::vector<std::int64_t> epoch_of(const D& dataset, const O& order) {
  data::Loader loader{dataset, data_test::Stamp{.side = 2}, {.batch_size = 3, .workers = 1, .seed = 5}, order};
  std::vector<std::int64_t> seen;
  for (const data::Batch& batch : loader.epoch(1)) {
    seen.insert(seen.end(), batch.indices.begin(), batch.indices.end());
    seen.insert(seen.end(), batch.labels.begin(), batch.labels.end());
    for (const float value : batch.views[0]) seen.push_back(static_cast<std::int64_t>(255.0F * value));
  }
  return seen;
}

}  // namespace

TEST_CASE("AnyDataset: is the data set inside, by whatever it is asked", "[data][any_dataset]") {
  const auto inside = data_test::pictures(10);
  // [any]
  const data::AnyDataset any(inside);  // or of a data::Beton, a data::ImageFolder, ...
  // [/any]
  CHECK(any.size() == inside.size());
  CHECK(any.channels() == inside.channels());
  CHECK(any.classes() == inside.classes());
  CHECK(any.label(3) == inside.label(3));
  CHECK(any.describe(3) == inside.describe(3));
  std::vector<std::byte> storage;
  CHECK(any.read(3, storage).bytes.data() == inside.read(3, storage).bytes.data());
  const data::AnyDataset copy = any;  // of the type itself, not one more wrapped
  CHECK(copy.read(3, storage).bytes.data() == inside.read(3, storage).bytes.data());
  CHECK_THROWS_WITH(any.label(10), "jessl::data::ArrayDataset: there is no image 10; the images are 0 to 9");
  CHECK_THROWS_WITH(any.page(10), "jessl::data::AnyDataset: there is no image 10; the images are 0 to 9");
}

TEST_CASE("AnyDataset: a loader gives the same batches in every order", "[data][any_dataset]") {
  const Paged inside;
  const data::AnyDataset any(inside);
  CHECK(epoch_of(any, data::order::Shuffled{}) == epoch_of(inside, data::order::Shuffled{}));
  CHECK(epoch_of(any, data::order::QuasiRandom{.window = 2}) ==
        epoch_of(inside, data::order::QuasiRandom{.window = 2}));
  *inside.asked = 0;
  CHECK(epoch_of(any, data::order::Sequential{}) == epoch_of(data_test::pictures(12), data::order::Sequential{}));
  CHECK(*inside.asked == 6);  // each page is read ahead once
}

TEST_CASE("AnyDataset: keeps the pages of a file and of a part of it", "[data][any_dataset]") {
  const data_test::TemporaryFolder folder;
  const data::Beton file(data_test::write_mixed(folder));
  const data::AnyDataset any(file);
  for (std::int64_t i = 0; i < file.size(); ++i) CHECK(any.page(i) == file.page(i));
  any.prefetch(file.page(0));
  const auto part = data::subset(any, {1, 0});
  CHECK(part.page(0) == file.page(1));
}

TEST_CASE("AnyDataset: each image of a data set without pages is a page", "[data][any_dataset]") {
  const data::AnyDataset any(data_test::pictures(3));
  CHECK(any.page(2) == 2);
  any.prefetch(2);
}
