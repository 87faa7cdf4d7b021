// SPDX-License-Identifier: Apache-2.0
// Orders of an epoch: each a permutation that is a function of (seed, epoch), and what holds of the one by pages.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <numeric>
#include <set>
#include <span>
#include <string>
#include <vector>

#include <boost/hana/for_each.hpp>

#include <jessl/data/beton.hpp>
#include <jessl/data/beton_writer.hpp>
#include <jessl/data/detail/read_ahead.hpp>
#include <jessl/data/loader.hpp>
#include <jessl/data/order.hpp>
#include <jessl/data/subset.hpp>
#include <jessl/data/tar_shards.hpp>

#include "data/beton_support.hpp"
#include "data/support.hpp"
#include "data/tar_support.hpp"

namespace data = jessl::data;
namespace order = jessl::data::order;

namespace {

using Indices = std::vector<std::int64_t>;

/// Small pictures of which each lies in a page.
class Paged {
 public:
  explicit Paged(Indices pages)
      : pictures_(data_test::pictures(static_cast<std::int64_t>(pages.size()), 2)), pages_(std::move(pages)) {}

  /// `count` pages of `size` images, one after the other.
  static Paged even(std::int64_t count, std::int64_t size) {
    Indices pages;
    for (std::int64_t i = 0; i < count * size; ++i) pages.push_back(i / size);
    return Paged(std::move(pages));
  }

  [[nodiscard]] std::int64_t size() const { return pictures_.size(); }
  [[nodiscard]] std::int64_t channels() const { return 1; }
  [[nodiscard]] std::int64_t classes() const { return pictures_.classes(); }
  [[nodiscard]] std::int64_t label(std::int64_t i) const { return pictures_.label(i); }
  [[nodiscard]] jessl::EncodedImage read(std::int64_t i, std::vector<std::byte>& storage) const {
    return pictures_.read(i, storage);
  }
  [[nodiscard]] std::string describe(std::int64_t i) const { return pictures_.describe(i); }
  [[nodiscard]] std::int64_t page(std::int64_t i) const { return pages_.at(static_cast<std::size_t>(i)); }

 private:
  data::ArrayDataset pictures_;
  Indices pages_;
};
static_assert(jessl::PagedDataset<Paged>);

/// Paged pictures that write down which pages are asked for.
struct Prefetching : Paged {
  explicit Prefetching(const Paged& paged) : Paged(paged) {}
  void prefetch(std::int64_t page) const {
    const std::lock_guard lock(log->mutex);
    log->pages.push_back(page);
  }
  struct Log {
    std::mutex mutex{};
    Indices pages{};
  };
  std::shared_ptr<Log> log = std::make_shared<Log>();
};
static_assert(jessl::PrefetchingDataset<Prefetching>);
static_assert(jessl::PrefetchingDataset<data::Beton>);
static_assert(jessl::PrefetchingDataset<data::Subset<data::TarShards>>);

/// The least that is an order, for the page docs/data/order.md and for the concept.
// [archetype]
struct OrderArchetype {
  static constexpr bool by_page = false;  // images that lie together do not come near each other
  template <jessl::Dataset D>
  void arrange(const D&, const jessl::DrawKey& key, std::span<std::int64_t> indices) const {
    std::iota(indices.begin(), indices.end(), std::int64_t{0});
    jessl::Draw draw(key);  // of the seed and the epoch
    std::rotate(indices.begin(), indices.begin() + draw.below(std::ssize(indices)), indices.end());
  }
};
static_assert(jessl::Order<OrderArchetype, data::ArrayDataset>);
// [/archetype]

template <class O, class D>
Indices arranged(const O& policy, const D& dataset, std::uint64_t seed, std::uint32_t epoch) {
  Indices indices(static_cast<std::size_t>(dataset.size()), -1);
  policy.arrange(dataset, {.seed = seed, .epoch = epoch, .purpose = jessl::Purpose::order}, indices);
  return indices;
}

bool is_permutation_of_all(Indices indices) {
  std::sort(indices.begin(), indices.end());
  for (std::size_t i = 0; i < indices.size(); ++i) {
    if (indices[i] != static_cast<std::int64_t>(i)) return false;
  }
  return true;
}

/// What can be seen of the window in an order: from where to where each page is in use.
struct Traversal {
  explicit Traversal(const Paged& dataset, const Indices& indices) {
    for (std::size_t position = 0; position < indices.size(); ++position) {
      const std::int64_t page = dataset.page(indices[position]);
      first.try_emplace(page, position);
      last[page] = position;
    }
    std::vector<std::int64_t> change(indices.size() + 1);
    for (const auto& [page, position] : first) {
      ++change[position];
      --change[last[page] + 1];
    }
    std::partial_sum(change.begin(), change.end(), change.begin());
    most_open = *std::max_element(change.begin(), change.end());
  }
  std::map<std::int64_t, std::size_t> first{};
  std::map<std::int64_t, std::size_t> last{};
  std::int64_t most_open = 0;
};

/// The mean number of different pages in a batch.
double pages_a_batch(const Paged& dataset, const Indices& indices, std::size_t batch) {
  double sum = 0.0;
  double batches = 0.0;
  for (std::size_t first = 0; first + batch <= indices.size(); first += batch) {
    std::set<std::int64_t> pages;
    for (std::size_t i = first; i < first + batch; ++i) pages.insert(dataset.page(indices[i]));
    sum += static_cast<double>(pages.size());
    batches += 1.0;
  }
  return sum / batches;
}

}  // namespace

TEST_CASE("Order: each is a permutation, a function of seed and epoch alone", "[data][order]") {
  Indices uneven;
  for (std::int64_t i = 0; i < 500; ++i) uneven.push_back((i * i) % 37 - 5);
  const auto check = [](const auto& policy, const Paged& dataset) {
    for (const std::uint32_t epoch : {0U, 1U, 4294967295U}) {
      const Indices first = arranged(policy, dataset, 3, epoch);
      CHECK(is_permutation_of_all(first));
      (void)arranged(policy, dataset, 4, epoch + 1);  // what was asked for before does not matter
      CHECK(arranged(policy, dataset, 3, epoch) == first);
    }
  };
  boost::hana::for_each(order::All, [&](auto type) {
    using O = typename decltype(type)::type;
    static_assert(jessl::Order<O, Paged>);
    static_assert(jessl::Options<O>);
    INFO(O::name);
    for (const Paged& dataset : {Paged(uneven), Paged::even(300, 4), Paged({7}), Paged({})}) check(O{}, dataset);
  });
  for (const std::int64_t window : {1, 2, 5, 36}) check(order::QuasiRandom{.window = window}, Paged(uneven));
  check(OrderArchetype{}, Paged(uneven));
}

TEST_CASE("Order: random ones differ from seed to seed and from epoch to epoch", "[data][order]") {
  const Paged dataset = Paged::even(20, 10);
  const auto check = [&](const auto& policy) {
    const Indices first = arranged(policy, dataset, 1, 0);
    CHECK(first != arranged(policy, dataset, 1, 1));
    CHECK(first != arranged(policy, dataset, 2, 0));
    CHECK(first != arranged(order::Sequential{}, dataset, 1, 0));
  };
  check(order::Shuffled{});
  check(order::QuasiRandom{.window = 5});
  CHECK(arranged(order::Sequential{}, dataset, 1, 0) == arranged(order::Sequential{}, dataset, 2, 7));
}

TEST_CASE("Shuffled: is the shuffle of the key's draw", "[data][order]") {
  // Runs that were trained and their checkpoints depend on it: draws of reference/core, by an implementation of its own.
  Indices expected(10);
  std::iota(expected.begin(), expected.end(), 0);
  jessl::Draw({.seed = 9, .epoch = 4, .purpose = jessl::Purpose::order}).shuffle(std::span(expected));
  CHECK(arranged(order::Shuffled{}, data_test::pictures(10), 9, 4) == expected);
}

TEST_CASE("QuasiRandom: opens each page once, and never more than the window", "[data][order]") {
  Indices uneven;
  for (std::int64_t page = 0; page < 90; ++page)
    uneven.insert(uneven.end(), static_cast<std::size_t>(1 + page % 17), page);
  for (const Paged& dataset : {Paged::even(60, 25), Paged(uneven)}) {
    for (const std::int64_t window : {1, 2, 7, 30, 59}) {
      INFO("window " << window);
      for (std::uint32_t epoch = 0; epoch < 5; ++epoch) {
        const Traversal traversal(dataset, arranged(order::QuasiRandom{.window = window}, dataset, 11, epoch));
        // From its first image to its last a page counts as open, so one that were opened twice would count throughout.
        CHECK(traversal.most_open <= window);
      }
    }
  }
  // One page at a time: the images of a page follow each other, in an order of their own.
  const Paged dataset = Paged::even(40, 6);
  const Indices indices = arranged(order::QuasiRandom{.window = 1}, dataset, 1, 1);
  for (std::size_t i = 0; i < indices.size(); ++i) CHECK(dataset.page(indices[i]) == dataset.page(indices[i - i % 6]));
}

TEST_CASE("QuasiRandom: with a window of all pages it is Shuffled", "[data][order]") {
  const Paged dataset = Paged::even(20, 10);
  CHECK(arranged(order::QuasiRandom{.window = 20}, dataset, 5, 2) == arranged(order::Shuffled{}, dataset, 5, 2));
  CHECK(arranged(order::QuasiRandom{.window = 19}, dataset, 5, 2) != arranged(order::Shuffled{}, dataset, 5, 2));
}

TEST_CASE("QuasiRandom: all pages come first equally often, and all images of a page", "[data][order]") {
  const Paged dataset = Paged::even(10, 4);
  std::vector<double> began(40);
  constexpr int epochs = 8000;
  for (std::uint32_t epoch = 0; epoch < epochs; ++epoch)
    began[static_cast<std::size_t>(arranged(order::QuasiRandom{.window = 3}, dataset, 0, epoch)[0])] += 1.0;
  double chi_squared = 0.0;
  for (const double count : began) chi_squared += (count - epochs / 40.0) * (count - epochs / 40.0) / (epochs / 40.0);
  CHECK(chi_squared < 81.0);  // 39 degrees of freedom: exceeded by chance once in 10 000
}

TEST_CASE("QuasiRandom: a batch has images of as many pages as the window lets it", "[data][order]") {
  constexpr std::int64_t window = 32;
  constexpr std::size_t batch = 64;
  const Paged dataset = Paged::even(400, 50);
  const Indices indices = arranged(order::QuasiRandom{.window = window}, dataset, 1, 0);
  const double drawn = window * (1.0 - std::pow(1.0 - 1.0 / window, batch));  // 27.8, of uniform draws
  CHECK(pages_a_batch(dataset, indices, batch) > 0.95 * drawn);               // the weights cost 3 %, see QuasiRandom
  // Nor do the last batches come from the last pages alone.
  const Indices end(indices.end() - static_cast<std::ptrdiff_t>(2 * batch), indices.end());
  CHECK(pages_a_batch(dataset, end, batch) > 0.7 * drawn);
}

TEST_CASE("QuasiRandom: pages are opened at an even pace", "[data][order]") {
  constexpr std::int64_t window = 32;
  constexpr std::int64_t size = 200;
  const Paged dataset = Paged::even(600, size);
  const Traversal traversal(dataset, arranged(order::QuasiRandom{.window = window}, dataset, 1, 0));
  // While as many images are drawn as half the window holds, 16 pages are opened on average. Uniform draws open
  // all 32 within a fifth of that time, again and again.
  std::vector<std::size_t> opened;
  for (const auto& [page, position] : traversal.first) opened.push_back(position);
  std::sort(opened.begin(), opened.end());
  std::int64_t most = 0;
  for (std::size_t first = window, end = window; first < opened.size(); ++first) {
    while (end < opened.size() && opened[end] < opened[first] + window * size / 10) ++end;
    most = std::max(most, static_cast<std::int64_t>(end - first));
  }
  CHECK(most < 14);  // 3.2 on average within a tenth of the window's images; uniform draws reach 25
}

TEST_CASE("QuasiRandom: a window below one page is refused", "[data][order]") {
  const Paged dataset = Paged::even(3, 2);
  CHECK_THROWS_AS(arranged(order::QuasiRandom{.window = 0}, dataset, 0, 0), jessl::ConfigError);
  CHECK_THROWS_WITH(arranged(order::QuasiRandom{.window = -4}, dataset, 0, 0),
                    "jessl::data::order::QuasiRandom: window is -4, expected >= 1");
}

TEST_CASE("QuasiRandom: its settings have a JSON form", "[data][order]") {
  const order::QuasiRandom policy{.window = 12};
  CHECK(jessl::describe(policy) == "QuasiRandom{window = 12}");
  CHECK(jessl::same_options(jessl::from_json<order::QuasiRandom>(jessl::to_json(policy)), policy));
  CHECK(jessl::describe(order::Shuffled{}) == "Shuffled{}");
}

TEST_CASE("Order: a loader goes through its data set in the order that it is given", "[data][order]") {
  const Paged dataset = Paged::even(8, 6);
  const auto order_of = [&](auto loader, std::int64_t epoch) {
    Indices indices;
    for (const data::Batch& batch : loader.epoch(epoch))
      indices.insert(indices.end(), batch.indices.begin(), batch.indices.end());
    return indices;
  };
  const data::LoaderOptions options{.batch_size = 4, .workers = 2, .seed = 5};
  const data_test::Stamp views{.side = 2};
  const order::QuasiRandom by_page{.window = 3};
  CHECK(order_of(data::Loader{dataset, views, options}, 2) == arranged(order::Shuffled{}, dataset, 5, 2));
  CHECK(order_of(data::Loader{dataset, views, options, by_page}, 2) == arranged(by_page, dataset, 5, 2));
  CHECK(order_of(data::Loader{dataset, views, options, OrderArchetype{}}, 2) ==
        arranged(OrderArchetype{}, dataset, 5, 2));
  CHECK(order_of(data::Loader{dataset, views, options, order::Sequential{}}, 2) ==
        arranged(order::Sequential{}, dataset, 5, 2));
  // Entered in the middle, the order is the same.
  data::Loader loader{dataset, views, options, by_page};
  const Indices all = arranged(by_page, dataset, 5, 2);
  std::size_t position = 20;
  for (const data::Batch& batch : loader.epoch(2, 5)) {
    for (const std::int64_t index : batch.indices) CHECK(index == all[position++]);
  }
  CHECK(position == 48);
}

TEST_CASE("ReadAhead: asks for each page once, a batch before it is needed, in bounded numbers", "[data][order]") {
  constexpr std::int64_t batch = 16;
  constexpr std::int64_t batches = 120;
  constexpr std::int64_t window = 12;
  const Prefetching dataset(Paged::even(240, 8));  // two pages a batch on average, so four at most
  const Indices indices = arranged(order::QuasiRandom{.window = window}, dataset, 1, 0);
  const Traversal traversal(dataset, indices);
  const auto rows = [&](std::int64_t number) {
    return std::span<const std::int64_t>(indices).subspan(static_cast<std::size_t>(number * batch), batch);
  };
  data::detail::ReadAhead read_ahead;
  read_ahead.plan(dataset, 0, batches, rows);
  const Indices& asked = dataset.log->pages;
  std::int64_t late = 0;
  for (std::int64_t number = 0; number < batches; ++number) {
    const std::size_t before = asked.size();
    read_ahead.reach(dataset, number);
    read_ahead.reach(dataset, number);  // a second time there is nothing to ask for
    CHECK(asked.size() - before <= 4);
    for (std::size_t i = before; i < asked.size(); ++i) {
      const std::int64_t first = static_cast<std::int64_t>(traversal.first.at(asked[i])) / batch;
      CHECK(first <= number + 1);
      CHECK(static_cast<std::int64_t>(traversal.last.at(asked[i])) / batch >= number);
      late += first <= number ? 1 : 0;
    }
    // What was asked for and is still to be used: the open pages, and those that the next batch opens.
    std::int64_t held = 0;
    std::int64_t opened_next = 0;
    const auto now = static_cast<std::size_t>(number * batch);
    for (const std::int64_t page : asked) held += traversal.last.at(page) >= now ? 1 : 0;
    for (const auto& [page, first] : traversal.first) opened_next += first >= now && first < now + 2 * batch ? 1 : 0;
    CHECK(held <= window + opened_next);
  }
  CHECK(asked.size() == 240);
  CHECK(std::set<std::int64_t>(asked.begin(), asked.end()).size() == 240);
  // Those that an epoch begins with, and as many that wait behind them: of four a batch, two catch up.
  CHECK(late <= 2 * window);
}

TEST_CASE("ReadAhead: pages that are used up before their turn are not asked for", "[data][order]") {
  // Twenty pages in the first of ten batches, one in all others: three a batch when rounded up, so six at most.
  Indices pages;
  for (std::int64_t i = 0; i < 20; ++i) pages.push_back(i);
  pages.resize(200, 20);
  const Prefetching dataset{Paged(pages)};
  const Indices indices = arranged(order::Sequential{}, dataset, 0, 0);
  const auto rows = [&](std::int64_t number) {
    return std::span<const std::int64_t>(indices).subspan(static_cast<std::size_t>(20 * number), 20);
  };
  data::detail::ReadAhead read_ahead;
  read_ahead.plan(dataset, 0, 10, rows);
  for (std::int64_t number = 0; number < 10; ++number) read_ahead.reach(dataset, number);
  CHECK(dataset.log->pages == Indices{0, 1, 2, 3, 4, 5, 20});
}

TEST_CASE("Loader: asks for pages in orders that go by page, also from the middle of an epoch", "[data][order]") {
  const auto pages_asked_for = [](const auto& policy, std::int64_t first_batch, data::Partition partition = {}) {
    const Prefetching dataset(Paged::even(20, 8));
    for (const std::int64_t ahead : {0, 2}) {
      dataset.log->pages.clear();
      data::Loader loader{dataset,
                          data_test::Stamp{.side = 2},
                          {.batch_size = 8,
                           .workers = ahead == 0 ? 2 : 1,  // batches begin one after the other
                           .ahead = ahead,
                           .seed = 1,
                           .partition = partition},
                          policy};
      for (const data::Batch& batch : loader.epoch(0, first_batch)) CHECK(batch.size() == 8 / partition.ranks);
    }
    std::sort(dataset.log->pages.begin(), dataset.log->pages.end());
    return dataset.log->pages;
  };
  Indices all(20);
  std::iota(all.begin(), all.end(), 0);
  CHECK(pages_asked_for(order::QuasiRandom{.window = 4}, 0) == all);
  CHECK(pages_asked_for(order::Sequential{}, 0) == all);
  CHECK(pages_asked_for(order::Sequential{}, 17) == Indices{17, 18, 19});
  CHECK(pages_asked_for(order::Sequential{}, 0, {.rank = 1, .ranks = 2}) == all);
  CHECK(pages_asked_for(order::Shuffled{}, 0).empty());
  CHECK(pages_asked_for(order::QuasiRandom{.window = 4}, 20).empty());
}

TEST_CASE("Loader: each rank asks for the pages of its own images", "[data][order]") {
  const Prefetching dataset(Paged::even(16, 4));  // a batch has two pages, one a rank
  const data::Partition second{.rank = 1, .ranks = 2};
  data::Loader loader{
      dataset, data_test::Stamp{.side = 2}, {.batch_size = 8, .workers = 1, .partition = second}, order::Sequential{}};
  for (const data::Batch& batch : loader.epoch(0)) CHECK(batch.size() == 4);
  std::sort(dataset.log->pages.begin(), dataset.log->pages.end());
  CHECK(dataset.log->pages == Indices{1, 3, 5, 7, 9, 11, 13, 15});
}

TEST_CASE("Subset: has pages read ahead where most of their images are its own", "[data][order]") {
  const Prefetching dataset(Paged::even(20, 8));
  const auto asked = [&](const auto& part) {
    dataset.log->pages.clear();
    for (const std::int64_t page : {3, 4}) part.prefetch(page);
    return dataset.log->pages;
  };
  CHECK(asked(data::subset(dataset, 24, 16)) == Indices{3, 4});
  CHECK(asked(data::filter(dataset, [](std::int64_t i, std::int64_t) { return i % 2 == 0; })) == Indices{3, 4});
  CHECK(asked(data::filter(dataset, [](std::int64_t i, std::int64_t) { return i % 8 < 3; })).empty());
  CHECK(asked(data::subset(dataset, {24})).empty());
  CHECK(asked(data::subset(dataset, {24, 24, 24, 24, 24})).empty());  // one image, five times
}

TEST_CASE("Beton: tells the page of an image, and so does a subset of it", "[data][order]") {
  const data_test::TemporaryFolder folder;
  const std::string path = folder / "pages.beton";
  data::BetonWriter writer(path, {{"image", "image"}, {"label", "int"}}, {.page_size = 4096});
  for (std::int64_t i = 0; i < 100; ++i) {
    const jessl::Image image = data_test::picture(20, 20, 3, i);  // 1200 bytes, three a page
    writer.append(
        {jessl::EncodedImage{jessl::ImageFormat::raw, 20, 20, 3, std::as_bytes(std::span(image.pixels))}, i % 4});
  }
  writer.commit();
  // [quasi_random]
  const jessl::data::Beton dataset{path};
  jessl::data::Loader loader{
      dataset, data_test::Stamp{}, {.batch_size = 10, .seed = 1}, jessl::data::order::QuasiRandom{.window = 8}};
  // [/quasi_random]
  for (std::int64_t i = 0; i < 100; ++i) CHECK(dataset.page(i) == dataset.page(0) + i / 3);
  CHECK_THROWS_WITH(dataset.page(100), "jessl::data::Beton: there is no image 100; the images are 0 to 99");
  std::set<std::int64_t> seen;
  for (const data::Batch& batch : loader.epoch(0)) seen.insert(batch.indices.begin(), batch.indices.end());
  CHECK(seen.size() == 100);
  for (const std::int64_t page : {std::int64_t{-1}, std::int64_t{0}, dataset.page(99), std::int64_t{1} << 62U})
    dataset.prefetch(page);  // one that is not there is passed over
  data::Beton(path, {.storage = data::Storage::reads}).prefetch(dataset.page(50));

  const auto part = data::by_label(dataset, {1});
  static_assert(jessl::PagedDataset<decltype(part)>);
  static_assert(!jessl::PagedDataset<data::Subset<data::ArrayDataset>>);
  CHECK(part.page(5) == dataset.page(21));
  CHECK(is_permutation_of_all(arranged(order::QuasiRandom{.window = 2}, part, 0, 0)));

  const std::string plain = folder / "plain.beton";
  data::BetonWriter no_images(plain, {{"label", "int"}});
  no_images.append({std::int64_t{1}});
  no_images.commit();
  CHECK_THROWS_AS(data::Beton(plain).page(0), jessl::DataError);
}

TEST_CASE("TarShards: tells the page of an image, in each of its files", "[data][order]") {
  const data_test::TemporaryFolder folder;
  const std::string large(6U << 20U, ' ');  // what is passed over takes room as well
  for (std::int64_t shard = 0; shard < 2; ++shard) {
    std::string tar;
    for (std::int64_t i = 0; i < 3; ++i) {
      const std::string key = std::to_string(i);
      tar += data_test::tar_member(key + ".png", data_test::to_png(data_test::picture(4, 4, 3, i)));
      tar += data_test::tar_member(key + ".txt", large);
    }
    folder.write(std::to_string(shard) + ".tar", tar + data_test::tar_end());
  }
  for (const data::Storage storage : {data::Storage::mapped, data::Storage::memory, data::Storage::reads}) {
    const data::TarShards dataset(folder.path() + "/{0,1}.tar", {.storage = storage});
    Indices pages;
    for (std::int64_t i = 0; i < dataset.size(); ++i) pages.push_back(dataset.page(i));
    constexpr std::int64_t second = std::int64_t{1} << 32U;
    CHECK(pages == Indices{0, 0, 1, second, second, second + 1});  // at 0, 6 and 12 MiB; a page has 8
    CHECK_THROWS_AS(dataset.page(6), jessl::DataError);
    for (const std::int64_t page : {std::int64_t{-1}, second + 1, second + 2, 2 * second}) dataset.prefetch(page);
    Indices seen;
    data::Loader loader{dataset, data_test::Stamp{.side = 2}, {.batch_size = 2}, order::QuasiRandom{.window = 2}};
    for (const data::Batch& batch : loader.epoch(1))
      seen.insert(seen.end(), batch.indices.begin(), batch.indices.end());
    CHECK(is_permutation_of_all(seen));
  }
}
