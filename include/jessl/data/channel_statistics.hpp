// SPDX-License-Identifier: Apache-2.0
// Mean and standard deviation of each channel of a data set: what its views are normalised by.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/draw.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/hardware_threads.hpp>
#include <jessl/core/image.hpp>
#include <jessl/core/log.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/thread_pool.hpp>
#include <jessl/data/concept.hpp>
#include <jessl/data/decode.hpp>
#include <jessl/data/loader_options.hpp>

namespace jessl::data {

/// The settings of channel_statistics().
///
/// Shapes     none
/// Errors     none; channel_statistics() checks them
/// Models     jessl::Options
/// Source     none
struct ChannelStatisticsOptions {
  static constexpr std::string_view name = "channel_statistics";

  std::int64_t images = 0;                       ///< look at so many at most, chosen at random, >= 1; 0: at all
  std::uint64_t seed = 0;                        ///< of that choice
  std::int64_t workers = hardware_threads();     ///< threads, 1 to 1024
  OnCorrupt on_corrupt = OnCorrupt::substitute;  ///< leave damaged images out, or throw
  double max_corrupt_share = 0.1;                ///< more damaged images than this share are an error, in [0, 1]
};

/// Mean and standard deviation of each channel, in the form of augment's settings `mean` and `std`.
///
/// Shapes     none
/// Units      mean, std: fractions of white
/// Errors     none
/// Models     jessl::Options
/// Source     none
struct ChannelStatistics {
  std::array<double, 3> mean{};  ///< of red, green, blue; of grey images three times the same
  std::array<double, 3> std{};   ///< of red, green, blue; of grey images three times the same
  std::int64_t images = 0;       ///< that these are of
  std::int64_t corrupt = 0;      ///< damaged ones that were left out
};

namespace detail {

/// The sums over one image's pixels, exact; or why there are none.
struct ChannelSums {
  std::int64_t pixels = 0;
  std::array<std::int64_t, 3> sum{};
  std::array<std::int64_t, 3> squares{};
  std::string damage{};
};

/// C channels of an image, in levels of 0 to 255.
template <std::size_t C>
void add_channels(const ImageView& image, ChannelSums& sums) {
  constexpr std::size_t block = std::size_t{1} << 16U;  // pixels whose squares' sum still fits into 32 bits
  const auto count = static_cast<std::size_t>(image.width * image.height);
  for (std::size_t first = 0; first < count; first += block) {
    std::array<std::uint32_t, C> sum{};
    std::array<std::uint32_t, C> squares{};
    const std::size_t end = std::min(count, first + block);
    for (std::size_t i = first; i < end; ++i) {
      for (std::size_t c = 0; c < C; ++c) {
        const std::uint32_t level = image.pixels[i * C + c];
        sum[c] += level;
        squares[c] += level * level;
      }
    }
    for (std::size_t c = 0; c < C; ++c) {
      sums.sum[c] += sum[c];
      sums.squares[c] += squares[c];
    }
  }
  sums.pixels = image.width * image.height;
}

/// One channel of all images, each of the same weight whatever its size.
class ChannelMoments {
 public:
  void add(std::int64_t pixels, std::int64_t sum, std::int64_t squares);

  /// As fractions of white.
  [[nodiscard]] double mean() const { return mean_ / white; }
  [[nodiscard]] double deviation() const {
    return std::sqrt((within_ + between_) / static_cast<double>(images_)) / white;
  }

 private:
  static constexpr double white = 255.0;

  std::int64_t images_ = 0;
  double mean_ = 0.0;     // of the images' means
  double within_ = 0.0;   // sum of the images' variances
  double between_ = 0.0;  // sum of squared distances of the images' means from theirs
};

/// `count` of the numbers below `size` in rising order, or all of them; fewer of one seed are among more of it.
[[nodiscard]] std::vector<std::int64_t> some_images(std::int64_t size, std::int64_t count, std::uint64_t seed);

}  // namespace detail

/// Mean and standard deviation of each channel over a data set's images, or over some of them.
///
/// Each image has the same weight, whatever its size, because each gives views of the same size: the mean of the images'
/// means, and the root of the mean squared distance from it of a pixel that is drawn from an image that is drawn. For
/// images of one size these are the mean and the deviation of all pixels.
///
///     const auto statistics = data::channel_statistics(train, {.images = 10000});
///     augment::simclr({.size = 64, .mean = statistics.mean, .std = statistics.std});
///
/// A damaged image is left out, with a warning, and counted. The same images, the same numbers, to the last bit, on any
/// number of threads.
///
/// Shapes     images [H, W, C] of any sizes -> C numbers each, as three
/// Units      mean, std: fractions of white; std is 0 of a channel that is the same everywhere, which Normalize refuses
/// Precision  exact sums over an image, float64 over images; the deviation is that of a population (divided by N)
/// Cost       one decode an image, with all workers; memory for the sums of 4096 images
/// Randomness which images, where there are more than `images`: Purpose::selection of the seed
/// Errors     ConfigError for settings out of range, or a data set without images; DataError for a damaged image
///            (OnCorrupt::error), too many, or no undamaged one
/// Models     none
/// Source     none
template <Dataset D>
[[nodiscard]] ChannelStatistics channel_statistics(const D& data, const ChannelStatisticsOptions& options = {}) {
  constexpr std::string_view who = "jessl::data::channel_statistics";
  JESSL_CHECK(options.images >= 0, ConfigError, who, ": images is ", options.images,
              ", expected at least 1, or 0 for all");
  JESSL_CHECK(options.workers >= 1 && options.workers <= LoaderOptions::most_workers, ConfigError, who, ": workers is ",
              options.workers, ", expected 1 to ", LoaderOptions::most_workers);
  JESSL_CHECK(options.max_corrupt_share >= 0 && options.max_corrupt_share <= 1, ConfigError, who,
              ": max_corrupt_share is ", options.max_corrupt_share, ", expected a share in [0, 1]");
  JESSL_CHECK(data.size() >= 1, ConfigError, who, ": the data set has no images");

  struct Worker {
    Image decoded{};
    std::vector<std::byte> storage{};
  };
  ThreadPool pool(options.workers);
  std::vector<Worker> workers(static_cast<std::size_t>(options.workers));
  const std::int64_t channels = data.channels();
  const auto sums_of = [&](std::int64_t index, Worker& worker) {
    detail::ChannelSums sums;
    try {
      const ImageView image = decode(data.read(index, worker.storage), channels, worker.decoded);
      channels == 1 ? detail::add_channels<1>(image, sums) : detail::add_channels<3>(image, sums);
    } catch (const DataError& error) {
      sums.damage = error.what();
    }
    return sums;
  };

  constexpr std::int64_t most_sums = 4096;  // that are in memory at once
  constexpr std::int64_t block = 16;  // images to one thread at a time: small ones take less than handing them out
  const std::vector<std::int64_t> indices = detail::some_images(data.size(), options.images, options.seed);
  const auto count = static_cast<std::int64_t>(indices.size());
  std::array<detail::ChannelMoments, 3> moments{};
  ChannelStatistics result;
  for (std::int64_t first = 0; first < count; first += most_sums) {
    std::vector<detail::ChannelSums> sums(static_cast<std::size_t>(std::min(most_sums, count - first)));
    const auto size = static_cast<std::int64_t>(sums.size());
    pool.parallel_for((size + block - 1) / block, [&](std::int64_t number, std::int64_t thread) {
      const std::int64_t end = std::min(size, (number + 1) * block);
      for (std::int64_t i = number * block; i < end; ++i)
        sums[static_cast<std::size_t>(i)] =
            sums_of(indices[static_cast<std::size_t>(first + i)], workers[static_cast<std::size_t>(thread)]);
    });
    // By one thread, in the order of the images: so do the last bits and the messages not depend on the others.
    for (std::int64_t i = 0; i < size; ++i) {
      const detail::ChannelSums& image = sums[static_cast<std::size_t>(i)];
      if (image.damage.empty()) {
        for (std::size_t c = 0; c < static_cast<std::size_t>(channels); ++c)
          moments[c].add(image.pixels, image.sum[c], image.squares[c]);
        ++result.images;
        continue;
      }
      const std::int64_t index = indices[static_cast<std::size_t>(first + i)];
      JESSL_CHECK(options.on_corrupt == OnCorrupt::substitute, DataError, who, ": image ", index, " (",
                  data.describe(index), ") is damaged: ", image.damage,
                  ". Repair or remove it, or set on_corrupt to substitute");
      warn(who, ": image ", index, " (", data.describe(index), ") is damaged and left out: ", image.damage);
      ++result.corrupt;
      JESSL_CHECK(static_cast<double>(result.corrupt) <= options.max_corrupt_share * static_cast<double>(count),
                  DataError, who, ": ", result.corrupt, " of ", count,
                  " images are damaged so far, more than the share of ", options.max_corrupt_share,
                  " that max_corrupt_share allows; the last one is image ", index, " (", data.describe(index),
                  "): ", image.damage);
    }
  }
  JESSL_CHECK(result.images >= 1, DataError, who, ": all ", count, " images are damaged");
  for (std::size_t c = 0; c < result.mean.size(); ++c) {
    const detail::ChannelMoments& channel = moments[channels == 1 ? 0 : c];
    result.mean[c] = channel.mean();
    result.std[c] = channel.deviation();
  }
  return result;
}

}  // namespace jessl::data

JESSL_OPTIONS(jessl::data::ChannelStatisticsOptions, images, seed, workers, on_corrupt, max_corrupt_share);
JESSL_OPTIONS(jessl::data::ChannelStatistics, mean, std, images, corrupt);

#if JESSL_DEFINITIONS

namespace jessl::data::detail {

JESSL_INLINE void ChannelMoments::add(std::int64_t pixels, std::int64_t sum, std::int64_t squares) {
  const auto count = static_cast<double>(pixels);
  const double image_mean = static_cast<double>(sum) / count;
  // About the level next to the mean, so that next to nothing is taken away from the squares: their exact sum keeps its
  // digits, and an image of one colour has no variance at all.
  const std::int64_t level = (sum + pixels / 2) / pixels;
  const std::int64_t squares_about_level = squares - 2 * level * sum + level * level * pixels;
  const double offset = static_cast<double>(sum - level * pixels) / count;
  within_ += std::max(0.0, static_cast<double>(squares_about_level) / count - offset * offset);
  ++images_;
  const double step = image_mean - mean_;
  mean_ += step / static_cast<double>(images_);
  between_ += step * (image_mean - mean_);
}

JESSL_INLINE std::vector<std::int64_t> some_images(std::int64_t size, std::int64_t count, std::uint64_t seed) {
  std::vector<std::int64_t> indices(static_cast<std::size_t>(size));
  std::iota(indices.begin(), indices.end(), std::int64_t{0});
  if (count == 0 || count >= size) return indices;
  // Operation 0 are the streams of fraction(), which would otherwise choose the same images.
  Draw({.seed = seed, .operation = 1, .purpose = Purpose::selection}).shuffle(std::span(indices));
  indices.resize(static_cast<std::size_t>(count));
  std::sort(indices.begin(), indices.end());
  return indices;
}

}  // namespace jessl::data::detail

#endif  // JESSL_DEFINITIONS
