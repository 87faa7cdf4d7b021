// SPDX-License-Identifier: Apache-2.0
// Mean and deviation of the channels: against numbers by hand and by NumPy, on any number of threads, and damaged images.
#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <limits>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <jessl/augment/evaluation.hpp>
#include <jessl/augment/simclr.hpp>
#include <jessl/data/channel_statistics.hpp>
#include <jessl/data/idx.hpp>
#include <jessl/data/image_folder.hpp>
#include <jessl/data/subset.hpp>

#include "data/support.hpp"
#include "support/skip.hpp"

using jessl::data::channel_statistics;
using jessl::data::ChannelStatistics;
using jessl::data::OnCorrupt;

namespace {

/// Pictures of which some cannot be read, and a list of those that were; for one thread.
struct Watched {
  jessl::data::ArrayDataset pictures;
  std::set<std::int64_t> bad{};
  std::shared_ptr<std::vector<std::int64_t>> looked_at = nullptr;

  [[nodiscard]] std::int64_t size() const { return pictures.size(); }
  [[nodiscard]] std::int64_t channels() const { return pictures.channels(); }
  [[nodiscard]] std::int64_t classes() const { return pictures.classes(); }
  [[nodiscard]] std::int64_t label(std::int64_t i) const { return pictures.label(i); }
  [[nodiscard]] jessl::EncodedImage read(std::int64_t i, std::vector<std::byte>& storage) const {
    if (looked_at) looked_at->push_back(i);
    jessl::EncodedImage image = pictures.read(i, storage);
    if (bad.contains(i)) image.bytes = image.bytes.first(3);
    return image;
  }
  [[nodiscard]] std::string describe(std::int64_t i) const { return pictures.describe(i); }
};

bool equal(const ChannelStatistics& a, const ChannelStatistics& b) {
  return a.mean == b.mean && a.std == b.std && a.images == b.images && a.corrupt == b.corrupt;
}

jessl::Image plain(std::int64_t width, std::int64_t height, std::uint8_t level) {
  jessl::Image image(width, height, 1);
  std::fill(image.pixels.begin(), image.pixels.end(), level);
  return image;
}

std::vector<std::int64_t> looked_at(std::int64_t images, std::uint64_t seed) {
  const Watched data{data_test::pictures(50), {}, std::make_shared<std::vector<std::int64_t>>()};
  CHECK(channel_statistics(data, {.images = images, .seed = seed, .workers = 1}).images ==
        (images == 0 ? 50 : std::min<std::int64_t>(images, 50)));
  return *data.looked_at;
}

}  // namespace

TEST_CASE("channel_statistics: two images of two pixels, by hand", "[data][channel_statistics]") {
  // Red is 0, 102 and 204, 204: mean 510 / 4 = 127.5; squared distances 16256.25 + 650.25 + 2 * 5852.25 = 28611.
  // Green is 255 everywhere. Blue is 0, 0 and 255, 255: mean and deviation are half of white.
  const jessl::data::ArrayDataset data{
      {.pixels = {0, 255, 0, 102, 255, 0, 204, 255, 255, 204, 255, 255}, .height = 1, .width = 2, .channels = 3}};
  const ChannelStatistics statistics = channel_statistics(data);
  CHECK(statistics.mean[0] == Approx(0.5).epsilon(1e-15));
  CHECK(statistics.std[0] == Approx(std::sqrt(28611.0 / 4.0) / 255.0).epsilon(1e-15));
  CHECK(statistics.mean[1] == 1.0);
  CHECK(statistics.std[1] == 0.0);
  CHECK(statistics.mean[2] == 0.5);
  CHECK(statistics.std[2] == 0.5);
  CHECK(statistics.images == 2);
  CHECK(statistics.corrupt == 0);
}

TEST_CASE("channel_statistics: NumPy's mean and std of the pixels that PIL sees", "[data][channel_statistics]") {
  std::ifstream file(JESSL_TEST_DATA "/reference/data/channel_statistics.json");
  const auto expected = nlohmann::json::parse(file);
  for (const std::int64_t channels : {3, 1}) {
    const auto& numpy = expected[channels == 3 ? "rgb" : "grey"];
    const jessl::data::ImageFolder images{JESSL_TEST_DATA "/reference/data/images", {.channels = channels}};
    const ChannelStatistics statistics = channel_statistics(images, {.workers = 2});
    CHECK(statistics.images == expected["images"]);
    for (std::size_t c = 0; c < 3; ++c) {
      // Some roundings of double each, theirs over 3952 pixels.
      CHECK(statistics.mean[c] == Approx(numpy["mean"][channels == 3 ? c : 0].get<double>()).epsilon(1e-13));
      CHECK(statistics.std[c] == Approx(numpy["std"][channels == 3 ? c : 0].get<double>()).epsilon(1e-13));
    }
  }
}

TEST_CASE("channel_statistics: are those by which views have mean 0 and deviation 1", "[data][channel_statistics]") {
  const auto train = data_test::pictures(40, 16, 3);
  // [example]
  const auto statistics = jessl::data::channel_statistics(train, {.images = 10000});
  const auto augmentation = jessl::augment::simclr({.size = 16, .mean = statistics.mean, .std = statistics.std});
  // [/example]
  jessl::Draw unused({});
  const auto normalized = normalization(augmentation).sample(unused);
  std::array<double, 3> sum{};
  std::array<double, 3> squares{};
  std::vector<std::byte> storage;
  for (std::int64_t i = 0; i < train.size(); ++i) {
    const jessl::EncodedImage image = train.read(i, storage);
    for (std::size_t k = 0; k < image.bytes.size(); ++k) {
      const std::size_t c = k % 3;
      const double value =
          std::to_integer<int>(image.bytes[k]) / 255.0 * normalized.scale[c] + double{normalized.shift[c]};
      sum[c] += value;
      squares[c] += value * value;
    }
  }
  const double count = 40.0 * 16.0 * 16.0;
  for (std::size_t c = 0; c < 3; ++c) {
    CHECK(sum[c] / count == Approx(0.0).margin(1e-6));  // scale and shift are float32
    CHECK(squares[c] / count == Approx(1.0).epsilon(1e-6));
  }
}

TEST_CASE("channel_statistics: an image counts as one, whatever its size", "[data][channel_statistics]") {
  const data_test::TemporaryFolder folder;
  folder.write("black.png", data_test::to_png(plain(30, 20, 0)));
  folder.write("white.png", data_test::to_png(plain(1, 1, 255)));
  const ChannelStatistics statistics = channel_statistics(jessl::data::ImageFolder(folder.path()));
  CHECK(statistics.mean == std::array{0.5, 0.5, 0.5});
  CHECK(statistics.std == std::array{0.5, 0.5, 0.5});
}

TEST_CASE("channel_statistics: a data set of one colour has that mean and no deviation, to the last bit",
          "[data][channel_statistics]") {
  const data_test::TemporaryFolder folder;
  for (const std::int64_t side : {1, 3, 7, 300})  // 300 x 301 pixels are more than one block of sums
    folder.write(std::to_string(side) + ".png", data_test::to_png(plain(side, side + 1, 77)));
  const ChannelStatistics statistics = channel_statistics(jessl::data::ImageFolder(folder.path(), {.channels = 1}));
  CHECK(statistics.mean == std::array{77 / 255.0, 77 / 255.0, 77 / 255.0});
  CHECK(statistics.std == std::array{0.0, 0.0, 0.0});
}

TEST_CASE("channel_statistics: sums of an image do not overflow", "[data][channel_statistics]") {
  const std::int64_t side = 700;  // white pixels: 3.2e10 is the sum of their squares
  jessl::data::ImageArray array{.height = side, .width = side, .channels = 1};
  array.pixels.assign(static_cast<std::size_t>(side * side), 255);
  const ChannelStatistics statistics = channel_statistics(jessl::data::ArrayDataset(std::move(array)));
  CHECK(statistics.mean[0] == 1.0);
  CHECK(statistics.std[0] == 0.0);
}

TEST_CASE("channel_statistics: the same bits on any number of threads", "[data][channel_statistics]") {
  data_test::Warnings warnings;
  const Watched data{data_test::pictures(5000, 5, 3), {3, 777, 4095, 4096}};  // more than are summed at once
  const ChannelStatistics one = channel_statistics(data, {.workers = 1});
  const std::vector<std::string> said = warnings.heard();
  CHECK(one.images == 4996);
  CHECK(one.corrupt == 4);
  CHECK(said.size() == 4);
  for (const std::int64_t workers : {2, 3, 7}) {
    warnings.messages.clear();
    CHECK(equal(channel_statistics(data, {.workers = workers}), one));
    CHECK(warnings.messages == said);
  }
}

TEST_CASE("channel_statistics: looks at some images in their order, chosen by the seed alone",
          "[data][channel_statistics]") {
  const std::vector<std::int64_t> all = looked_at(0, 1);
  CHECK(all.size() == 50);
  CHECK(looked_at(50, 1) == all);
  CHECK(looked_at(51, 1) == all);
  const std::vector<std::int64_t> ten = looked_at(10, 1);
  CHECK(ten.size() == 10);
  CHECK(std::is_sorted(ten.begin(), ten.end()));
  CHECK(std::adjacent_find(ten.begin(), ten.end()) == ten.end());
  CHECK(looked_at(10, 1) == ten);
  CHECK(looked_at(10, 2) != ten);
  const std::vector<std::int64_t> twenty = looked_at(20, 1);
  CHECK(std::includes(twenty.begin(), twenty.end(), ten.begin(), ten.end()));

  const auto pictures = data_test::pictures(50);
  CHECK(equal(channel_statistics(pictures, {.images = 10, .seed = 1}),
              channel_statistics(jessl::data::subset(pictures, ten))));
}

TEST_CASE("channel_statistics: a damaged image is left out and counted, or an error", "[data][channel_statistics]") {
  const Watched data{data_test::pictures(20), {4, 13}};
  data_test::Warnings warnings;
  const ChannelStatistics statistics = channel_statistics(data);
  CHECK(statistics.images == 18);
  CHECK(statistics.corrupt == 2);
  CHECK(warnings.heard().size() == 2);
  CHECK(warnings.contains("jessl::data::channel_statistics: image 4 (" + data.describe(4) +
                          ") is damaged and left out: "));
  const auto good = jessl::data::filter(data, [](std::int64_t i, std::int64_t) { return i != 4 && i != 13; });
  CHECK(channel_statistics(good).mean == statistics.mean);
  CHECK(channel_statistics(good).std == statistics.std);

  CHECK_THROWS_AS(channel_statistics(data, {.on_corrupt = OnCorrupt::error}), jessl::DataError);
  CHECK_THROWS_WITH(channel_statistics(data, {.workers = 3, .on_corrupt = OnCorrupt::error}),
                    Catch::Contains("channel_statistics: image 4 (" + data.describe(4) + ") is damaged: ") &&
                        Catch::Contains("set on_corrupt to substitute"));
  CHECK_THROWS_AS(channel_statistics(data, {.max_corrupt_share = 0.05}), jessl::DataError);
  CHECK_THROWS_WITH(channel_statistics(data, {.max_corrupt_share = 0.05}),
                    Catch::Contains("2 of 20 images are damaged so far, more than the share of 0.05"));
  const Watched none{data_test::pictures(2), {0, 1}};
  CHECK_THROWS_AS(channel_statistics(none, {.max_corrupt_share = 1.0}), jessl::DataError);
  CHECK_THROWS_WITH(channel_statistics(none, {.max_corrupt_share = 1.0}), Catch::Contains("all 2 images are damaged"));
}

TEST_CASE("channel_statistics: settings out of range are refused", "[data][channel_statistics]") {
  const auto data = data_test::pictures(4);
  const auto refused = [&](const jessl::data::ChannelStatisticsOptions& options, const std::string& text) {
    CHECK_THROWS_AS(channel_statistics(data, options), jessl::ConfigError);
    CHECK_THROWS_WITH(channel_statistics(data, options), "jessl::data::channel_statistics: " + text);
  };
  refused({.images = -1}, "images is -1, expected at least 1, or 0 for all");
  refused({.workers = 0}, "workers is 0, expected 1 to 1024");
  refused({.workers = 1025}, "workers is 1025, expected 1 to 1024");
  refused({.max_corrupt_share = 1.5}, "max_corrupt_share is 1.5, expected a share in [0, 1]");
  refused({.max_corrupt_share = std::numeric_limits<double>::quiet_NaN()},
          "max_corrupt_share is nan, expected a share in [0, 1]");
  const auto empty = jessl::data::subset(data, 0, 0);
  CHECK_THROWS_AS(channel_statistics(empty), jessl::ConfigError);
  CHECK_THROWS_WITH(channel_statistics(empty), "jessl::data::channel_statistics: the data set has no images");
}

TEST_CASE("channel_statistics: Fashion-MNIST's are the numbers that everybody uses",
          "[data][channel_statistics][outside]") {
  std::optional<jessl::data::IDX> train;
  try {
    train = jessl::data::IDX::fashion_mnist(jessl::data::Split::train);
  } catch (const jessl::DataError& error) {
    JESSL_SKIP(error.what());
    return;
  }
  const ChannelStatistics statistics = channel_statistics(*train);
  CHECK(statistics.images == 60000);
  CHECK(statistics.mean[0] == Approx(0.2860).margin(0.00005));  // as in PyTorch's and other examples
  CHECK(statistics.std[0] == Approx(0.3530).margin(0.00005));
}
