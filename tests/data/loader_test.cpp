// SPDX-License-Identifier: Apache-2.0
// The loader: the same bytes whatever the threads, leases, early exits, exceptions, and damaged images.
#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <future>
#include <iterator>
#include <limits>
#include <memory>
#include <mutex>
#include <numeric>
#include <optional>
#include <ranges>
#include <set>
#include <string>
#include <thread>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <jessl/augment/parameters.hpp>
#include <jessl/augment/random_horizontal_flip.hpp>
#include <jessl/augment/random_resized_crop.hpp>
#include <jessl/augment/simclr.hpp>
#include <jessl/augment/swav.hpp>
#include <jessl/data/beton.hpp>
#include <jessl/data/decode.hpp>
#include <jessl/data/decode_plan.hpp>
#include <jessl/data/image_folder.hpp>
#include <jessl/data/loader.hpp>
#include <jessl/data/pack.hpp>
#include <jessl/data/peek.hpp>
#include <jessl/data/restart_markers.hpp>
#include <jessl/data/subset.hpp>

#include "data/jpeg_maker.hpp"
#include "data/support.hpp"

using data_test::Parts;
using data_test::Stamp;
using jessl::data::Batch;
using jessl::data::Loader;
using jessl::data::LoaderOptions;
using jessl::data::OnCorrupt;
using jessl::data::order::Sequential;

namespace {

/// Pictures of which some cannot be read.
struct Damaged {
  jessl::data::ArrayDataset pictures;
  std::shared_ptr<const std::set<std::int64_t>> bad;

  Damaged(std::int64_t count, std::set<std::int64_t> which)
      : pictures(data_test::pictures(count)), bad(std::make_shared<const std::set<std::int64_t>>(std::move(which))) {}
  [[nodiscard]] std::int64_t size() const { return pictures.size(); }
  [[nodiscard]] std::int64_t channels() const { return 1; }
  [[nodiscard]] std::int64_t classes() const { return pictures.classes(); }
  [[nodiscard]] std::int64_t label(std::int64_t i) const { return pictures.label(i); }
  [[nodiscard]] jessl::EncodedImage read(std::int64_t i, std::vector<std::byte>& storage) const {
    jessl::EncodedImage image = pictures.read(i, storage);
    if (bad->contains(i)) image.bytes = image.bytes.first(3);
    return image;
  }
  [[nodiscard]] std::string describe(std::int64_t i) const { return pictures.describe(i); }
};

/// Lets one thread through when another says so.
class Gate {
 public:
  void enter() {
    inside_.set_value();
    opened_.get_future().wait();
  }
  void wait_until_inside() { inside_.get_future().wait(); }
  void open() { opened_.set_value(); }

 private:
  std::promise<void> inside_{};
  std::promise<void> opened_{};
};

/// A view maker that waits at the gate with the first view of epoch 0.
struct Gated : Stamp {
  Gate* gate = nullptr;
  std::shared_ptr<std::atomic<bool>> waited = std::make_shared<std::atomic<bool>>(false);
  void make(const jessl::RegionView& image, const jessl::DrawKey& key, Scratch& scratch, std::span<float> out) const {
    if (key.epoch == 0 && !waited->exchange(true)) gate->enter();
    Stamp::make(image, key, scratch, out);
  }
};

/// A view maker that fails on one image.
struct Failing : Stamp {
  std::uint64_t at = 0;
  void make(const jessl::RegionView& image, const jessl::DrawKey& key, Scratch& scratch, std::span<float> out) const {
    JESSL_CHECK(key.sample != at, jessl::ShapeError, "image ", key.sample, " does not fit");
    Stamp::make(image, key, scratch, out);
  }
};

/// The upper left corner, and as second view the lower right one: 8 x 8 pixels each.
template <std::int64_t Views>
struct Corners {
  struct Scratch {};
  static constexpr std::int64_t views = Views;

  [[nodiscard]] jessl::ViewShape shape(std::int64_t, std::int64_t channels) const { return {channels, 8, 8}; }
  [[nodiscard]] jessl::Region region(const jessl::Extent& image, const jessl::DrawKey& key) const {
    return key.view == 0 ? jessl::Region{0, 0, 8, 8} : jessl::Region{image.height - 8, image.width - 8, 8, 8};
  }
  void make(const jessl::RegionView& part, const jessl::DrawKey& key, Scratch&, std::span<float> out) const {
    const jessl::Region mine = region({part.image_height, part.image_width}, key);
    std::size_t i = 0;
    for (std::int64_t c = 0; c < part.channels; ++c) {
      for (std::int64_t y = mine.top; y < mine.bottom(); ++y) {
        for (std::int64_t x = mine.left; x < mine.right(); ++x) out[i++] = part.at(y, x, c);
      }
    }
  }
};

/// A view maker that writes down what it was given.
struct Recorded {
  std::vector<jessl::Region> parts{};
};
struct Recording {
  struct Scratch {};
  static constexpr std::int64_t views = 2;
  std::shared_ptr<Recorded> recorded;

  [[nodiscard]] jessl::ViewShape shape(std::int64_t, std::int64_t channels) const { return {channels, 1, 1}; }
  [[nodiscard]] jessl::Region region(const jessl::Extent& image, const jessl::DrawKey& key) const {
    if (key.view == 0) return {3, 4, 5, 6};
    return {.height = image.height, .width = image.width};
  }
  void make(const jessl::RegionView& part, const jessl::DrawKey&, Scratch&, std::span<float>) const {
    recorded->parts.push_back(part.region);
  }
};

/// A picture without edges, as most of a photograph is.
jessl::Image waves(std::int64_t width, std::int64_t height, std::int64_t number) {
  jessl::Image image(width, height, 3);
  for (std::int64_t y = 0; y < height; ++y) {
    for (std::int64_t x = 0; x < width; ++x) {
      for (std::int64_t c = 0; c < 3; ++c) {
        const double wave = std::sin(static_cast<double>(x + 5 * c) / 11.0) * std::cos(static_cast<double>(y) / 13.0);
        image.pixels[static_cast<std::size_t>((y * width + x) * 3 + c)] =
            static_cast<std::uint8_t>(std::lround(120.0 + static_cast<double>(number) + 90.0 * wave));
      }
    }
  }
  return image;
}

/// Every view of three epochs against the one that the maker gives from the whole image, decoded here.
template <class D, class A>
void check_against_whole_images(const D& dataset, const A& maker) {
  typename A::Scratch scratch;
  jessl::data::Image pixels;
  std::vector<std::byte> storage;
  Loader loader{dataset, maker, {.batch_size = 8, .workers = 2, .drop_last = false, .seed = 3}};
  for (const std::uint32_t epoch : {0U, 1U, 2U}) {
    for (const Batch& batch : loader.epoch(epoch)) {
      for (std::size_t i = 0; i < batch.indices.size(); ++i) {
        const std::int64_t index = batch.indices[i];
        const jessl::ImageView whole = jessl::data::decode(dataset.read(index, storage), dataset.channels(), pixels);
        for (std::uint8_t v = 0; v < A::views; ++v) {
          const auto count = static_cast<std::size_t>(loader.shape(v).count());
          std::vector<float> expected(count);
          maker.make(whole, {.seed = 3, .epoch = epoch, .sample = static_cast<std::uint64_t>(index), .view = v},
                     scratch, expected);
          INFO(dataset.describe(index) << ", epoch " << epoch << ", view " << int{v});
          CHECK(std::ranges::equal(batch.views[v].subspan(i * count, count), expected));
        }
      }
    }
  }
  CHECK(loader.corrupt() == 0);
}

/// What a batch holds, kept after it is gone.
struct Copy {
  std::int64_t epoch = 0;
  std::int64_t number = 0;
  std::vector<std::vector<float>> views{};
  std::vector<std::int64_t> indices{};
  std::vector<std::int64_t> labels{};
  bool operator==(const Copy&) const = default;
};

Copy copy(const Batch& batch) {
  Copy result{batch.epoch,
              batch.number,
              {},
              {batch.indices.begin(), batch.indices.end()},
              {batch.labels.begin(), batch.labels.end()}};
  for (const auto view : batch.views) result.views.emplace_back(view.begin(), view.end());
  return result;
}

template <class D, class A>
std::vector<Copy> all(Loader<D, A>& loader, std::int64_t epoch, std::int64_t first_batch = 0) {
  std::vector<Copy> batches;
  for (const Batch& batch : loader.epoch(epoch, first_batch)) batches.push_back(copy(batch));
  return batches;
}

std::vector<std::int64_t> indices_of(const std::vector<Copy>& batches) {
  std::vector<std::int64_t> indices;
  for (const Copy& batch : batches) indices.insert(indices.end(), batch.indices.begin(), batch.indices.end());
  return indices;
}

}  // namespace

TEST_CASE("Loader: every image comes once an epoch, in another order each epoch", "[data][loader]") {
  // [loader]
  const auto dataset = data_test::pictures(50);
  jessl::data::Loader loader{dataset, Stamp{}, {.batch_size = 8, .workers = 2, .drop_last = false, .seed = 1}};
  std::int64_t images = 0;
  for (const jessl::data::Batch& batch : loader.epoch(0)) {
    images += batch.size();  // batch.views[v] is [B, C, H, W]; batch.labels and batch.indices are [B]
  }
  // [/loader]
  CHECK(images == 50);
  CHECK(loader.batches() == 7);
  std::vector<std::int64_t> everything(50);
  std::iota(everything.begin(), everything.end(), 0);
  const std::vector<std::int64_t> first = indices_of(all(loader, 0));
  const std::vector<std::int64_t> second = indices_of(all(loader, 1));
  CHECK(std::is_permutation(first.begin(), first.end(), everything.begin(), everything.end()));
  CHECK(std::is_permutation(second.begin(), second.end(), everything.begin(), everything.end()));
  CHECK(first != everything);
  CHECK(first != second);
  CHECK(first == indices_of(all(loader, 0)));

  Loader other{dataset, Stamp{}, {.batch_size = 8, .drop_last = false, .seed = 2}};
  CHECK(first != indices_of(all(other, 0)));
  Loader sequential{dataset, Stamp{}, {.batch_size = 8, .drop_last = false}, Sequential{}};
  CHECK(indices_of(all(sequential, 3)) == everything);
}

TEST_CASE("Loader: the order is the shuffle of the epoch's draw", "[data][loader]") {
  Loader loader{data_test::pictures(20), Stamp{}, {.batch_size = 20, .seed = 9}};
  std::vector<std::int64_t> expected(20);
  std::iota(expected.begin(), expected.end(), 0);
  jessl::Draw({.seed = 9, .epoch = 4, .purpose = jessl::Purpose::order}).shuffle(std::span(expected));
  CHECK(indices_of(all(loader, 4)) == expected);
}

TEST_CASE("Loader: views of one batch may have different sizes", "[data][loader]") {
  Loader loader{data_test::pictures(10, 40, 3),
                jessl::augment::swav<6>({.size = 20, .local_size = 9}),
                {.batch_size = 4, .workers = 2, .drop_last = false}};
  for (const Batch& batch : loader.epoch(0)) {
    REQUIRE(batch.views.size() == 8);
    for (std::int64_t v = 0; v < 8; ++v) {
      const std::int64_t size = v < 2 ? 20 : 9;
      CHECK(batch.shape(v) == jessl::ViewShape{3, size, size});
      CHECK(batch.views[static_cast<std::size_t>(v)].size() ==
            static_cast<std::size_t>(batch.size() * 3 * size * size));
    }
  }
}

TEST_CASE("Loader: parameters come with the batch, those of the substitute for a damaged image", "[data][loader]") {
  // [parameters]
  using namespace jessl::augment;
  const auto pipeline = compose(RandomResizedCrop{.size = 5}, RandomHorizontalFlip{}, GaussianBlur{.p = 0.5});
  const auto maker = with_parameters(two_views(pipeline));
  // [/parameters]
  const data_test::Warnings warnings;  // of the damaged images
  for (const std::int64_t ahead : {0, 2}) {
    Loader loader{
        Damaged(20, {3, 17}), maker, {.batch_size = 8, .workers = 2, .ahead = ahead, .drop_last = false, .seed = 4}};
    jessl::augment::Scratch scratch;
    jessl::data::Image pixels;
    std::vector<std::byte> storage;
    std::optional<Batch> kept;
    for (Batch& batch : loader.epoch(1)) {
      REQUIRE(batch.parameters.size() == 2);
      CHECK(batch.parameter_names(1) == maker.parameters(1));
      CHECK(batch.parameter_names(1).front() == "random_resized_crop.top");
      for (std::size_t i = 0; i < batch.indices.size(); ++i) {
        const std::int64_t index = batch.indices[i];
        CHECK((index != 3 && index != 17));
        const auto whole = jessl::data::decode(loader.dataset().read(index, storage), 1, pixels);
        for (std::uint8_t v = 0; v < 2; ++v) {
          REQUIRE(batch.parameters[v].size() == batch.indices.size() * 7);
          const auto row = batch.parameters[v].subspan(i * 7, 7);
          const auto params =
              pipeline.sample({.seed = 4, .epoch = 1, .sample = static_cast<std::uint64_t>(index), .view = v}, {6, 6});
          const jessl::Region& box = std::get<0>(params).box;
          const std::array expected{static_cast<float>(box.top),
                                    static_cast<float>(box.left),
                                    static_cast<float>(box.height),
                                    static_cast<float>(box.width),
                                    std::get<1>(params).applied ? 1.0F : 0.0F,
                                    std::get<2>(params).applied ? 1.0F : 0.0F,
                                    static_cast<float>(std::get<2>(params).sigma)};
          CHECK(std::ranges::equal(row, expected));
          std::array<float, 25> view{};
          pipeline.apply(whole, params, scratch, view);
          CHECK(std::ranges::equal(batch.views[v].subspan(i * 25, 25), view));
        }
      }
      if (!kept) kept = std::move(batch);
    }
    CHECK(loader.corrupt() == 2);
    CHECK(kept->parameters[1].size() == 56);  // a lease on them, too
  }

  Loader without{data_test::pictures(8), Stamp{}, {.batch_size = 8}};
  const std::optional<Batch> batch = without.epoch(0).next();
  CHECK(batch->parameters.empty());
  CHECK_THROWS_WITH(batch->parameter_names(0), Catch::Contains("with_parameters"));
}

TEST_CASE("Loader: a batch has the views of its images, aligned, with labels and indices", "[data][loader]") {
  const auto dataset = data_test::pictures(11, 6, 3);
  Loader loader{dataset, Stamp{}, {.batch_size = 4, .workers = 2, .ahead = 1, .drop_last = false, .seed = 5}};
  CHECK(loader.shape(0) == jessl::ViewShape{3, 6, 6});
  CHECK(loader.shape(1) == jessl::ViewShape{3, 5, 6});
  CHECK(loader.views == 2);
  std::int64_t number = 0;
  for (const Batch& batch : loader.epoch(2)) {
    CHECK(batch.number == number++);
    CHECK(batch.epoch == 2);
    CHECK(batch.size() == (batch.number == 2 ? 3 : 4));
    REQUIRE(batch.views.size() == 2);
    REQUIRE(batch.labels.size() == batch.indices.size());
    for (std::int64_t v = 0; v < 2; ++v) {
      const auto view = batch.views[static_cast<std::size_t>(v)];
      const auto count = static_cast<std::size_t>(batch.shape(v).count());
      CHECK(batch.shape(v) == loader.shape(v));
      REQUIRE(view.size() == batch.indices.size() * count);
      CHECK(reinterpret_cast<std::uintptr_t>(view.data()) % 64 == 0);
      for (std::size_t i = 0; i < batch.indices.size(); ++i) {
        const std::int64_t index = batch.indices[i];
        CHECK(batch.labels[i] == index % 5);
        jessl::Draw draw(
            {.seed = 5, .epoch = 2, .sample = static_cast<std::uint64_t>(index), .view = static_cast<std::uint8_t>(v)});
        CHECK(view[i * count] == static_cast<float>(draw.uniform()));
        CHECK(view[i * count + 1] == static_cast<float>(data_test::picture(6, 6, 3, index).pixels[1]) / 255.0F);
      }
    }
    CHECK_THROWS_AS(batch.shape(2), jessl::ConfigError);
  }
  CHECK(number == 3);
  CHECK_THROWS_AS(loader.shape(-1), jessl::ConfigError);
  CHECK_THROWS_WITH(loader.shape(2), "jessl::data::Loader: there is no view 2, the maker makes 2");
}

TEST_CASE("Loader: the bytes do not depend on workers, batches ahead, or where one begins", "[data][loader]") {
  const jessl::LogSink quiet = jessl::set_log_sink({});
  const Damaged dataset(70, {3, 31, 32, 69});
  const auto make = [&](std::int64_t workers, std::int64_t ahead) {
    return Loader{
        dataset, Stamp{}, {.batch_size = 16, .workers = workers, .ahead = ahead, .drop_last = false, .seed = 7}};
  };
  auto reference_loader = make(1, 0);
  const std::vector<Copy> reference = all(reference_loader, 3);
  REQUIRE(reference.size() == 5);
  for (const std::int64_t workers : {1, 2, 5}) {
    for (const std::int64_t ahead : {0, 1, 2, 7}) {
      INFO(workers << " workers, " << ahead << " ahead");
      auto loader = make(workers, ahead);
      CHECK(all(loader, 3) == reference);
      CHECK(all(loader, 3) == reference);
      CHECK(all(loader, 3, 3) == std::vector<Copy>(reference.begin() + 3, reference.end()));
      CHECK(all(loader, 3, 5).empty());
      CHECK(loader.corrupt() == 4);
    }
  }
  jessl::set_log_sink(quiet);
}

TEST_CASE("Loader: drop_last leaves out a last batch that is not full", "[data][loader]") {
  Loader loader{data_test::pictures(10), Stamp{}, {.batch_size = 4, .drop_last = true}};
  CHECK(loader.batches() == 2);
  CHECK(all(loader, 0).size() == 2);
  Loader whole{data_test::pictures(10), Stamp{}, {.batch_size = 100, .drop_last = false}};
  CHECK(whole.batches() == 1);
  CHECK(all(whole, 0)[0].indices.size() == 10);
}

TEST_CASE("Loader: a batch that is kept is not written to, however many there are", "[data][loader]") {
  for (const std::int64_t ahead : {0, 1, 3}) {
    Loader loader{data_test::pictures(60), Stamp{}, {.batch_size = 5, .workers = 2, .ahead = ahead, .seed = 3}};
    const std::vector<Copy> reference = all(loader, 0);
    std::vector<Batch> kept;
    for (Batch& batch : loader.epoch(0)) kept.push_back(std::move(batch));
    (void)all(loader, 1);
    REQUIRE(kept.size() == 12);
    for (std::size_t i = 0; i < kept.size(); ++i) CHECK(copy(kept[i]) == reference[i]);
  }
}

TEST_CASE("Batch: is a lease that moves, and outlives its loader", "[data][loader]") {
  static_assert(!std::is_copy_constructible_v<Batch> && std::is_nothrow_move_constructible_v<Batch> &&
                std::is_nothrow_move_assignable_v<Batch>);
  Batch kept;
  CHECK(kept.size() == 0);
  Copy before;
  {
    Loader loader{data_test::pictures(20), Stamp{}, {.batch_size = 4, .ahead = 2}};
    auto epoch = loader.epoch(0);
    kept = std::move(*epoch.next());
    before = copy(kept);
    Batch other = std::move(kept);
    CHECK(kept.size() == 0);
    CHECK(kept.views.empty());
    CHECK(copy(other) == before);
    kept = std::move(other);
    const auto* memory = kept.views[0].data();
    kept = std::move(*epoch.next());  // gives the first back
    CHECK(kept.views[0].data() != memory);
    before = copy(kept);
  }
  CHECK(copy(kept) == before);
}

TEST_CASE("Batch: can be given back on another thread", "[data][loader]") {
  Loader loader{data_test::pictures(64), Stamp{}, {.batch_size = 2, .workers = 2, .ahead = 2}};
  std::int64_t count = 0;
  for (Batch& batch : loader.epoch(0)) {
    std::thread([held = std::move(batch), &count] { count += held.size(); }).join();
  }
  CHECK(count == 64);
}

TEST_CASE("Loader: an epoch can be left at any batch, and the next one is whole", "[data][loader]") {
  for (const std::int64_t ahead : {0, 1, 3}) {
    Loader loader{data_test::pictures(48), Stamp{}, {.batch_size = 4, .workers = 3, .ahead = ahead, .seed = 2}};
    const std::vector<Copy> reference = all(loader, 1);
    for (std::int64_t stop = 0; stop <= 12; ++stop) {
      for (const Batch& batch : loader.epoch(0)) {
        if (batch.number == stop) break;
      }
      CHECK_THROWS_AS(
          [&] {
            for (const Batch& batch : loader.epoch(0)) {
              if (batch.number == std::min<std::int64_t>(stop, 11)) jessl::fail<jessl::ConfigError>("the step failed");
            }
          }(),
          jessl::ConfigError);
      { const auto unused = loader.epoch(0); }
    }
    CHECK(all(loader, 1) == reference);
  }
}

TEST_CASE("Loader: can be destroyed while it works ahead", "[data][loader]") {
  for (int round = 0; round < 20; ++round) {
    Loader loader{data_test::pictures(40), Stamp{}, {.batch_size = 4, .workers = 2, .ahead = 4}};
    if (round % 2 == 0) CHECK(loader.epoch(0).next()->number == 0);
  }
}

TEST_CASE("Loader: starting an epoch ends the one before", "[data][loader]") {
  for (const std::int64_t ahead : {0, 2}) {
    Loader loader{data_test::pictures(40), Stamp{}, {.batch_size = 4, .workers = 2, .ahead = ahead}};
    auto first = loader.epoch(0);
    CHECK(first.next()->number == 0);
    {
      auto second = loader.epoch(1, 4);
      CHECK(second.next()->number == 4);
      CHECK_THROWS_AS(first.next(), jessl::ConfigError);
      CHECK_THROWS_WITH(
          first.next(),
          "jessl::data::Loader: this epoch was left when epoch 1 was started; a loader runs one epoch at a time");
      CHECK(second.next()->number == 5);
    }
    CHECK(all(loader, 2).size() == 10);
  }
}

TEST_CASE("Loader: a batch made while another thread starts an epoch is of neither", "[data][loader]") {
  Gate gate;
  Loader loader{data_test::pictures(12), Gated{{}, &gate}, {.batch_size = 4, .workers = 1, .ahead = 0}};
  auto first = loader.epoch(0);
  std::string said;
  std::thread left([&] {
    try {
      (void)first.next();
    } catch (const jessl::ConfigError& error) {
      said = error.what();
    }
  });
  gate.wait_until_inside();
  auto second = loader.epoch(1);
  gate.open();
  left.join();
  CHECK(said == "jessl::data::Loader: this epoch was left when epoch 1 was started; a loader runs one epoch at a time");
  for (const std::int64_t number : {0, 1, 2}) {
    const auto batch = second.next();
    REQUIRE(batch);
    CHECK(batch->epoch == 1);
    CHECK(batch->number == number);
  }
  CHECK_FALSE(second.next());
}

TEST_CASE("Loader: a thread gets its batch while others keep theirs", "[data][loader]") {
  Gate gate;
  Loader loader{data_test::pictures(40), Gated{{}, &gate}, {.batch_size = 4, .workers = 1, .ahead = 1}};
  auto epoch = loader.epoch(0);
  std::mutex mutex;
  std::condition_variable changed;
  int taken = 0;
  int gave_up = 0;
  std::vector<std::thread> threads;
  // There is memory for two batches; each thread keeps its own until all three have one.
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      const auto batch = epoch.next();
      std::unique_lock lock(mutex);
      if (batch) ++taken;
      changed.notify_all();
      if (!changed.wait_for(lock, std::chrono::seconds(10), [&] { return taken == 3; })) ++gave_up;
    });
  }
  gate.wait_until_inside();
  std::this_thread::sleep_for(std::chrono::milliseconds(50));  // so that all wait for the same batch
  gate.open();
  for (std::thread& thread : threads) thread.join();
  CHECK(taken == 3);
  CHECK(gave_up == 0);
}

TEST_CASE("Loader: threads that start epochs against each other get whole batches of their own", "[data][loader]") {
  for (const std::int64_t ahead : {0, 1, 3}) {
    Loader loader{data_test::pictures(40), Stamp{}, {.batch_size = 4, .workers = 2, .ahead = ahead}};
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t) {
      threads.emplace_back([&, t] {
        for (int round = 0; round < 30; ++round) {
          const std::int64_t mine = 100 * t + round;
          try {
            std::int64_t expected = 0;
            auto epoch = loader.epoch(mine);
            for (const Batch& batch : epoch) {
              if (batch.epoch != mine || batch.number != expected++ || batch.size() != 4) ++wrong;
            }
          } catch (const jessl::ConfigError&) {  // another one was started
          }
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(wrong == 0);
    CHECK(all(loader, 0).size() == 10);
  }
}

TEST_CASE("Loader: threads that share an epoch get each batch once", "[data][loader]") {
  for (const std::int64_t ahead : {0, 1, 3}) {
    Loader loader{data_test::pictures(200), Stamp{}, {.batch_size = 4, .workers = 2, .ahead = ahead}};
    auto epoch = loader.epoch(0);
    std::vector<std::atomic<int>> taken(50);
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t) {
      threads.emplace_back([&] {
        while (const auto batch = epoch.next()) ++taken.at(static_cast<std::size_t>(batch->number));
      });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(std::all_of(taken.begin(), taken.end(), [](const auto& times) { return times == 1; }));
  }
}

TEST_CASE("Loader: an epoch is an input range", "[data][loader]") {
  using Range = decltype(std::declval<Loader<jessl::data::ArrayDataset, Stamp>&>().epoch(0));
  static_assert(std::ranges::input_range<Range>);
  Loader loader{data_test::pictures(12), Stamp{}, {.batch_size = 4}};
  auto epoch = loader.epoch(0);
  CHECK(std::ranges::distance(epoch) == 3);
  CHECK_FALSE(epoch.next().has_value());
}

TEST_CASE("Loader: with nothing ahead, nothing is read before it is asked for", "[data][loader]") {
  struct Counting {
    jessl::data::ArrayDataset pictures = data_test::pictures(12);
    std::shared_ptr<std::atomic<int>> reads = std::make_shared<std::atomic<int>>(0);
    [[nodiscard]] std::int64_t size() const { return pictures.size(); }
    [[nodiscard]] std::int64_t channels() const { return 1; }
    [[nodiscard]] std::int64_t classes() const { return 0; }
    [[nodiscard]] std::int64_t label(std::int64_t) const { return -1; }
    [[nodiscard]] jessl::EncodedImage read(std::int64_t i, std::vector<std::byte>& storage) const {
      ++*reads;
      return pictures.read(i, storage);
    }
    [[nodiscard]] std::string describe(std::int64_t i) const { return pictures.describe(i); }
  };
  const Counting dataset;
  Loader loader{dataset, Stamp{}, {.batch_size = 4, .workers = 2, .ahead = 0}};
  auto epoch = loader.epoch(0);
  CHECK(*dataset.reads == 0);
  const auto batch = epoch.next();
  CHECK(*dataset.reads == 4);  // two views, one read
  CHECK(batch->labels[0] == -1);

  // With batches ahead no more than those are made, and a kept batch does not stop the work.
  const Counting other;
  Loader eager{other, Stamp{}, {.batch_size = 2, .workers = 2, .ahead = 2}};
  auto working = eager.epoch(0);
  const auto kept = working.next();
  while (*other.reads < 6) std::this_thread::yield();
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  CHECK(*other.reads == 6);
}

TEST_CASE("Loader: a damaged image is warned of once, counted, and another takes its place", "[data][loader]") {
  for (const std::int64_t ahead : {0, 2}) {
    const data_test::Warnings warnings;
    const Damaged dataset(40, {17});
    Loader loader{dataset, Stamp{}, {.batch_size = 8, .workers = 2, .ahead = ahead, .seed = 4}, Sequential{}};
    const std::vector<Copy> first = all(loader, 0);
    const std::int64_t substitute = first[2].indices[1];
    CHECK(substitute != 17);
    // The first draw that is another image, by the documented rule.
    jessl::Draw draw({.seed = 4, .sample = 17, .purpose = jessl::Purpose::substitution});
    std::int64_t expected = draw.below(40);
    while (expected == 17) expected = draw.below(40);
    CHECK(substitute == expected);
    CHECK(first[2].labels[1] == substitute % 5);
    const auto as_itself = first[static_cast<std::size_t>(substitute / 8)];
    CHECK(first[2].views[0][36] == as_itself.views[0][static_cast<std::size_t>(substitute % 8) * 36]);
    CHECK(all(loader, 1)[2].indices[1] == substitute);
    CHECK(loader.corrupt() == 1);
    REQUIRE(warnings.heard().size() == 1);
    CHECK(warnings.heard()[0] ==
          "jessl::data::Loader: image 17 (array, image 17) is damaged, another takes its place: "
          "jessl::data::decode: a raw image of 6 x 6 x 1 has 3 bytes, expected 36");
  }
}

TEST_CASE("Loader: a substitute that is damaged too is passed over", "[data][loader]") {
  const data_test::Warnings warnings;
  std::set<std::int64_t> bad;
  for (std::int64_t i = 0; i < 20; ++i) {
    if (i != 13) bad.insert(i);
  }
  Loader loader{Damaged(20, bad), Stamp{}, {.batch_size = 20, .workers = 1, .ahead = 0, .max_corrupt_share = 1.0}};
  // 256 draws of 20 images all miss the only good one with probability 2e-6.
  CHECK(indices_of(all(loader, 0)) == std::vector<std::int64_t>(20, 13));
  CHECK(loader.corrupt() == 19);
  CHECK(warnings.heard().size() == 19);
}

TEST_CASE("Loader: where no image is good, that is an error and not a search without end", "[data][loader]") {
  const data_test::Warnings warnings;
  Loader loader{Damaged(3, {0, 1, 2}),
                Stamp{},
                {.batch_size = 1, .workers = 1, .ahead = 0, .max_corrupt_share = 1.0},
                Sequential{}};
  CHECK_THROWS_AS(all(loader, 0), jessl::DataError);
  CHECK_THROWS_WITH(
      all(loader, 0),
      Catch::Contains("image 0 (array, image 0) is damaged, and so is every other that was drawn in its place"));
}

TEST_CASE("Loader: more damaged images than max_corrupt_share end the run, again and again", "[data][loader]") {
  for (const std::int64_t ahead : {0, 2}) {
    const data_test::Warnings warnings;
    Loader loader{Damaged(20, {2, 9, 11}),
                  Stamp{},
                  {.batch_size = 4, .workers = 1, .ahead = ahead, .max_corrupt_share = 0.1},
                  Sequential{}};
    for (int round = 0; round < 2; ++round) {
      CHECK_THROWS_AS(all(loader, 0), jessl::DataError);
      CHECK_THROWS_WITH(
          all(loader, 0),
          Catch::Contains("3 of 20 images are damaged so far, more than the share of 0.1 that max_corrupt_share"));
    }
    CHECK(loader.corrupt() == 3);
  }
}

TEST_CASE("Loader: with OnCorrupt::error a damaged image is an error, in the place of its batch", "[data][loader]") {
  for (const std::int64_t ahead : {0, 1, 4}) {
    Loader loader{Damaged(40, {17}),
                  Stamp{},
                  {.batch_size = 8, .workers = 2, .ahead = ahead, .on_corrupt = OnCorrupt::error},
                  Sequential{}};
    auto epoch = loader.epoch(0);
    CHECK(epoch.next()->number == 0);
    CHECK(epoch.next()->number == 1);
    CHECK_THROWS_AS(epoch.next(), jessl::DataError);
    CHECK_THROWS_AS(epoch.next(), jessl::DataError);
    CHECK_THROWS_WITH(all(loader, 0),
                      "jessl::data::Loader: image 17 (array, image 17) is damaged: jessl::data::decode: a raw image of "
                      "6 x 6 x 1 has 3 bytes, expected 36. Repair or remove it, or set on_corrupt to substitute");
    CHECK(all(loader, 0, 3).size() == 2);
  }
}

TEST_CASE("Loader: an exception in a worker reaches the caller, with its type, and the loader works on",
          "[data][loader]") {
  for (const std::int64_t workers : {1, 2}) {
    for (const std::int64_t ahead : {0, 1, 3}) {
      Loader loader{data_test::pictures(64),
                    Failing{{}, 33},
                    {.batch_size = 16, .workers = workers, .ahead = ahead},
                    Sequential{}};
      for (int round = 0; round < 5; ++round) {
        std::int64_t batches = 0;
        try {
          for (const Batch& batch : loader.epoch(0)) batches += batch.size() / 16;
          FAIL("no exception");
        } catch (const jessl::ShapeError& error) {
          CHECK(std::string(error.what()) == "image 33 does not fit");
        }
        CHECK(batches == 2);
        CHECK(all(loader, 0, 3).size() == 1);
      }
      CHECK(loader.corrupt() == 0);
    }
  }
}

TEST_CASE("Loader: a failure ends the epoch for every thread that takes batches, until the next one starts",
          "[data][loader]") {
  for (const std::int64_t ahead : {0, 1, 3}) {
    Loader loader{
        data_test::pictures(64), Failing{{}, 17}, {.batch_size = 8, .workers = 2, .ahead = ahead}, Sequential{}};
    auto epoch = loader.epoch(0);
    std::atomic<int> failed{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t) {
      threads.emplace_back([&] {
        try {
          while (epoch.next()) {
          }
        } catch (const jessl::ShapeError&) {
          ++failed;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(failed == 3);
    for (int call = 0; call < 2; ++call) CHECK_THROWS_WITH(epoch.next(), "image 17 does not fit");
    CHECK(all(loader, 0, 3).size() == 5);
  }
}

TEST_CASE("Loader: decodes parts, and the views are those of whole images to the bit", "[data][loader]") {
  const data_test::TemporaryFolder folder;
  std::int64_t number = 0;
  const auto name = [&number](const std::string& ending) {
    const std::string place = "images/" + std::to_string(number % 3) + '/' + std::to_string(100 + number);
    ++number;
    return place + ending;
  };
  for (const data_test::JPEGKind& kind : data_test::jpeg_kinds()) {
    for (const bool marked : {false, true}) {
      const auto seed = static_cast<std::uint64_t>(number);
      const jessl::Image image = data_test::rough_picture(140 + 9 * number, 150 - 2 * number, kind.components, seed);
      const data_test::Bytes jpeg = data_test::make_jpeg(image, kind);
      folder.write(name(".jpg"), marked ? jessl::data::add_restart_markers(jpeg) : jpeg);
    }
  }
  for (const std::int64_t channels : {1, 3})
    folder.write(name(".png"), data_test::to_png(data_test::rough_picture(120, 160, channels)));
  folder.write(name(".png"), data_test::reference_image("rgb_interlaced.png"));

  const jessl::data::ImageFolder files(folder / "images");
  jessl::data::pack(files, folder / "jpg.beton", {.mode = jessl::data::PackMode::jpg});
  jessl::data::pack(files, folder / "raw.beton", {.mode = jessl::data::PackMode::raw});
  // Views of much and of little, two of them often from one decode; and those that training makes.
  const auto check = [&](const auto& dataset) {
    check_against_whole_images(dataset, Parts{});
    check_against_whole_images(dataset, jessl::augment::simclr({.size = 24}));
    check_against_whole_images(dataset, jessl::augment::swav<3>({.size = 24, .local_size = 10}));
  };
  check(files);
  check(jessl::data::ImageFolder(folder / "images", {.channels = 1}));
  check(jessl::data::Beton(folder / "jpg.beton"));
  check(jessl::data::Beton(folder / "raw.beton"));
  check(data_test::pictures(40, 30, 3));

  // That the plans above were of every kind, or they would have shown little.
  std::set<jessl::data::DecodeWay> ways;
  std::set<bool> together;
  std::vector<std::byte> storage;
  for (std::int64_t i = 0; i < files.size(); ++i) {
    const jessl::data::ImageHeader header = jessl::data::peek(files.read(i, storage));
    if (header.format != jessl::ImageFormat::jpg) continue;
    std::array<jessl::data::DecodePart, Parts::views> needed;
    std::array<jessl::data::DecodePart, Parts::views> decoded;
    for (std::uint8_t v = 0; v < Parts::views; ++v)
      needed[v].region = Parts{}.region({header.height, header.width},
                                        {.seed = 3, .sample = static_cast<std::uint64_t>(i), .view = v});
    jessl::data::plan_views(header, needed, decoded);
    for (const auto& part : decoded) ways.insert(jessl::data::plan_decode(header, part.region).way);
    together.insert(decoded[0] == decoded[1]);
  }
  CHECK(ways.size() == 3);
  CHECK(together.size() == 2);
}

TEST_CASE("Loader: fast decoding changes what is shrunk, by little, and nothing else", "[data][loader]") {
  // JPEGs with and without restart markers, and a PNG, which can't be shrunk while it is decoded.
  const data_test::TemporaryFolder folder;
  for (std::int64_t i = 0; i < 8; ++i)
    folder.write(std::to_string(i) + ".jpg", data_test::to_jpeg(waves(200 + 8 * i, 180, i), i % 2 == 0));
  folder.write("8.png", data_test::to_png(waves(210, 180, 8)));
  const jessl::data::ImageFolder files(folder.path());
  const auto crop = [](std::int64_t size) {
    return jessl::augment::compose(jessl::augment::RandomResizedCrop{.size = size},
                                   jessl::augment::RandomHorizontalFlip{});
  };
  const auto maker = jessl::augment::views(crop(150), crop(40), crop(16));
  LoaderOptions options{.batch_size = 9, .workers = 2, .seed = 5};
  Loader exact{files, maker, options, Sequential{}};
  options.decoding = jessl::data::Decoding::fast;
  Loader fast{files, maker, options, Sequential{}};
  std::set<std::int64_t> shrinks;
  double sum = 0.0;
  std::int64_t count = 0;
  float largest = 0.0F;
  for (const std::uint32_t epoch : {0U, 1U, 2U, 3U}) {
    const Batch exact_batch = *exact.epoch(epoch).next();
    const Batch fast_batch = *fast.epoch(epoch).next();
    std::vector<std::byte> storage;
    for (std::int64_t i = 0; i < 9; ++i) {
      const jessl::data::ImageHeader header = jessl::data::peek(files.read(i, storage));
      for (std::uint8_t v = 0; v < 3; ++v) {
        const std::int64_t shrink =
            maker.shrink({header.height, header.width},
                         {.seed = 5, .epoch = epoch, .sample = static_cast<std::uint64_t>(i), .view = v});
        const auto values = static_cast<std::size_t>(exact.shape(v).count());
        const auto of = [&](const Batch& batch) {
          return batch.views[v].subspan(static_cast<std::size_t>(i) * values, values);
        };
        INFO("image " << i << ", view " << int{v} << ", epoch " << epoch << ", shrink " << shrink);
        if (shrink == 1 || header.format != jessl::ImageFormat::jpg) {
          CHECK(std::ranges::equal(of(exact_batch), of(fast_batch)));
          continue;
        }
        shrinks.insert(shrink);
        for (std::size_t k = 0; k < values; ++k) {
          const float difference = std::abs(of(exact_batch)[k] - of(fast_batch)[k]);
          largest = std::max(largest, difference);
          sum += difference;
          ++count;
        }
      }
    }
  }
  CHECK(shrinks == std::set<std::int64_t>{2, 4, 8});
  CHECK(count > 0);
  const double mean = sum / static_cast<double>(count);
  INFO("mean " << 255.0 * mean << ", largest " << 255.0F * largest << " of 255");
  CHECK(mean < 1.0 / 255.0);
  CHECK(largest < 8.0F / 255.0F);
}

TEST_CASE("Loader: a shrink that there is not is refused", "[data][loader]") {
  struct Shrinking : Corners<1> {
    [[nodiscard]] std::int64_t shrink(const jessl::Extent&, const jessl::DrawKey&) const { return 3; }
  };
  const data_test::TemporaryFolder folder;
  folder.write("a.jpg", data_test::to_jpeg(data_test::picture(20, 20, 3)));
  const jessl::data::ImageFolder files(folder.path());
  Loader loader{files, Shrinking{}, {.batch_size = 1, .workers = 1, .decoding = jessl::data::Decoding::fast}};
  CHECK_THROWS_WITH(all(loader, 0),
                    Catch::Contains("shrink() of the view maker gives 3 for view 0, expected 1, 2, 4 or 8"));
}

TEST_CASE("Loader: gives each view the part that it asked for", "[data][loader]") {
  const auto dataset = data_test::pictures(6, 20, 3);
  auto regions = std::make_shared<Recorded>();
  Loader loader{dataset, Recording{regions}, {.batch_size = 6, .workers = 1, .ahead = 0}, Sequential{}};
  (void)all(loader, 0);
  REQUIRE(regions->parts.size() == 12);
  // Raw pixels cost nothing to decode, so that each view gets what it asked for and nothing more.
  for (std::size_t i = 0; i < 12; ++i)
    CHECK(regions->parts[i] == (i % 2 == 0 ? jessl::Region{3, 4, 5, 6} : jessl::Region{0, 0, 20, 20}));
}

TEST_CASE("Loader: a region that is not one of the image is refused with its numbers", "[data][loader]") {
  struct Astray : Stamp {
    jessl::Region wanted{};
    [[nodiscard]] jessl::Region region(const jessl::Extent&, const jessl::DrawKey&) const { return wanted; }
  };
  const auto dataset = data_test::pictures(3);
  for (const jessl::Region& wanted :
       {jessl::Region{0, 0, 7, 6}, jessl::Region{0, 1, 6, 6}, jessl::Region{-1, 0, 6, 6}, jessl::Region{2, 2, 0, 1}}) {
    const LoaderOptions options{.batch_size = 3, .workers = 1, .ahead = 0};
    Astray maker;
    maker.wanted = wanted;
    Loader loader{dataset, maker, options, Sequential{}};
    CHECK_THROWS_AS(all(loader, 0), jessl::ShapeError);
    CHECK_THROWS_WITH(
        all(loader, 0),
        Catch::Contains("region() of the view maker gives " + std::to_string(wanted.height) + " rows from " +
                        std::to_string(wanted.top) + " and " + std::to_string(wanted.width) + " columns from " +
                        std::to_string(wanted.left) + " for view 0 of image 0") &&
            Catch::Contains("expected one pixel or more inside its 6 rows and 6 columns"));
  }
}

TEST_CASE("Loader: damage is noticed where a view needs the pixels, and then all views are the substitute's",
          "[data][loader]") {
  const data_test::TemporaryFolder folder;
  for (std::uint64_t i = 0; i < 4; ++i) {
    data_test::Bytes jpeg = jessl::data::add_restart_markers(
        data_test::make_jpeg(data_test::rough_picture(256, 256, 3, i), {.name = "4:4:4"}));
    if (i == 1) jpeg.resize(jpeg.size() / 2);
    folder.write("images/" + std::to_string(i) + ".jpg", jpeg);
  }
  const jessl::data::ImageFolder files(folder / "images");
  const LoaderOptions options{.batch_size = 4, .workers = 1, .ahead = 0, .max_corrupt_share = 0.25};
  const data_test::Warnings warnings;

  Loader upper{files, Corners<1>{}, options, Sequential{}};
  CHECK(all(upper, 0)[0].indices == std::vector<std::int64_t>{0, 1, 2, 3});
  CHECK(upper.corrupt() == 0);
  CHECK(warnings.heard().empty());

  Loader both{files, Corners<2>{}, options, Sequential{}};
  const Copy batch = all(both, 0)[0];
  CHECK(both.corrupt() == 1);
  CHECK(warnings.heard().size() == 1);
  const std::int64_t substitute = batch.indices[1];
  REQUIRE(substitute != 1);
  const auto other = static_cast<std::size_t>(substitute);
  for (const std::vector<float>& view : batch.views) {
    for (std::size_t k = 0; k < 192; ++k) CHECK(view[192 + k] == view[192 * other + k]);
  }
}

TEST_CASE("Loader: settings that cannot work are refused with the numbers", "[data][loader]") {
  const auto dataset = data_test::pictures(10);
  const auto make = [&](const LoaderOptions& options) { return Loader{dataset, Stamp{}, options}; };
  CHECK_THROWS_AS(make({.batch_size = 11}), jessl::ConfigError);
  CHECK_THROWS_WITH(
      make({.batch_size = 11}),
      "jessl::data::Loader: batch_size is 11 and the data set has 10 images, so that with drop_last there is "
      "no batch at all; set batch_size to at most 10 or drop_last to false");
  CHECK_THROWS_WITH(make({.batch_size = 0}), "jessl::data::Loader: batch_size is 0, expected >= 1");
  CHECK_THROWS_WITH(make({.batch_size = 2, .workers = 0}), "jessl::data::Loader: workers is 0, expected 1 to 1024");
  CHECK_THROWS_WITH(make({.batch_size = 2, .ahead = -1}), "jessl::data::Loader: ahead is -1, expected 0 to 1024");
  constexpr std::int64_t many = std::numeric_limits<std::int64_t>::max();
  for (const std::int64_t ahead : {0, 1}) {
    CHECK_THROWS_WITH(make({.batch_size = 2, .workers = many, .ahead = ahead}),
                      "jessl::data::Loader: workers is 9223372036854775807, expected 1 to 1024");
  }
  CHECK_THROWS_WITH(make({.batch_size = 2, .ahead = many}),
                    "jessl::data::Loader: ahead is 9223372036854775807, expected 0 to 1024");
  CHECK_THROWS_WITH(make({.batch_size = 2, .max_corrupt_share = 1.5}),
                    "jessl::data::Loader: max_corrupt_share is 1.5, expected a share in [0, 1]");
  CHECK_THROWS_WITH((Loader{jessl::data::subset(dataset, 0, 0), Stamp{}, {.drop_last = false}}),
                    "jessl::data::Loader: the data set has 0 images, expected at least 1");
  auto loader = make({.batch_size = 5});
  CHECK_THROWS_WITH(loader.epoch(-1), "jessl::data::Loader: epoch is -1, expected 0 to 2^32 - 1");
  CHECK_THROWS_WITH(loader.epoch(0, 3),
                    "jessl::data::Loader: the first batch is 3, expected 0 to 2, the number of batches of an epoch");
  CHECK(all(loader, 0).size() == 2);
}

TEST_CASE("Loader: its settings have a JSON form", "[data][loader]") {
  const LoaderOptions options{.batch_size = 64, .workers = 2, .seed = 11, .on_corrupt = OnCorrupt::error};
  const jessl::Json json = jessl::to_json(options);
  CHECK(json["on_corrupt"] == "error");
  CHECK(jessl::same_options(jessl::from_json<LoaderOptions>(json), options));
}

TEST_CASE("Loader: files that are text, cut off or empty cost a warning each, and the others are loaded",
          "[data][loader]") {
  const data_test::TemporaryFolder folder;
  for (int i = 0; i < 30; ++i) {
    const std::string name = std::string(i % 2 == 0 ? "even/" : "odd/") + std::to_string(100 + i);
    const jessl::Image image = data_test::picture(10, 8, 3, i);
    if (i % 3 == 0) {
      folder.write(name + ".png", data_test::to_png(image));
    } else {
      folder.write(name + ".jpg", data_test::to_jpeg(image));
    }
  }
  const auto jpeg = data_test::to_jpeg(data_test::picture(10, 8, 3));
  folder.write("odd/1.jpg", std::string("I am a text."));
  folder.write("odd/2.jpg", std::span(jpeg).first(jpeg.size() / 2));
  folder.write("even/3.png", std::string());

  const jessl::data::ImageFolder dataset(folder.path());
  std::vector<Copy> reference;
  for (const std::int64_t workers : {1, 2}) {
    const data_test::Warnings warnings;
    Loader loader{dataset, Stamp{}, {.batch_size = 11, .workers = workers, .ahead = workers - 1, .seed = 6}};
    const std::vector<Copy> batches = all(loader, 0);
    if (reference.empty()) reference = batches;
    CHECK(batches == reference);
    CHECK(loader.corrupt() == 3);
    REQUIRE(warnings.heard().size() == 3);
    const auto mentions = [&](const std::string& path, const std::string& reason) {
      return std::any_of(warnings.heard().begin(), warnings.heard().end(), [&](const std::string& text) {
        return text.find(path) != std::string::npos && text.find(reason) != std::string::npos;
      });
    };
    CHECK(mentions(folder / "odd/1.jpg", "neither a JPEG nor a PNG image"));
    CHECK(mentions(folder / "odd/2.jpg", "Premature end of JPEG file"));
    CHECK(mentions(folder / "even/3.png", "the file is empty"));
  }
}
