// SPDX-License-Identifier: Apache-2.0
// Draws: random numbers as a pure function of (seed, epoch, sample, view, operation).
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <span>
#include <utility>

#include <jessl/core/error.hpp>
#include <jessl/core/philox.hpp>

namespace jessl {

/// What a stream of draws is for. Streams of different purposes never share a number.
enum class Purpose : std::uint8_t {
  augmentation = 0,    ///< the parameters of an operation on one view of one sample
  order = 1,           ///< the permutation of an epoch; operation 1: in which eval::scatter_picture draws its points
  substitution = 2,    ///< which sample takes the place of a damaged one
  initialisation = 3,  ///< start values of weights, queues and prototypes; operation 1: of the points of eval::UMAP
  packing = 4,         ///< which images of a data set are stored as JPEG
  selection = 5,       ///< which images of a data set are in a part of it; operation: 0 data::fraction, 1
                       ///< data::channel_statistics, 2 eval::few_shot, 3 eval::LogisticProbeSearch, 4
                       ///< eval::cluster_learnability
  mixing = 6,          ///< how the images of a batch are mixed
  step = 7             ///< the seed of LibTorch's generators in a step of a run: sample is the step, epoch the rank
};

/// Names one stream of draws. Two equal keys give equal numbers, on any thread, process or machine.
///
/// Shapes     none
/// Errors     none
/// Models     none
/// Source     none
struct DrawKey {
  std::uint64_t seed = 0;                   ///< the run's seed
  std::uint32_t epoch = 0;                  ///< 0, 1, ...
  std::uint64_t sample = 0;                 ///< index in the data set, < 2^40
  std::uint8_t view = 0;                    ///< which view of the sample
  std::uint8_t operation = 0;               ///< which operation of the pipeline, by position
  Purpose purpose = Purpose::augmentation;  ///< keeps the streams of different stages apart

  bool operator==(const DrawKey&) const = default;
};

/// A stream of random numbers that is a pure function of its key (Philox4x32-10 in counter mode).
///
/// Nothing on the data path owns a generator: whoever needs numbers makes a Draw from the key of what it works on, so
/// results depend neither on threads nor on the order of work nor on a restart.
///
/// Shapes     none
/// Randomness the stream named by the key; 2^34 words long
/// Errors     ConfigError when key.sample is 2^40 or more
/// Models     none
/// Source     Salmon et al., SC 2011
class Draw {
 public:
  explicit constexpr Draw(const DrawKey& key)
      : key_{static_cast<std::uint32_t>(key.seed), static_cast<std::uint32_t>(key.seed >> 32U)},
        counter_{0U, static_cast<std::uint32_t>(key.sample),
                 static_cast<std::uint32_t>(key.sample >> 32U) | (std::uint32_t{key.view} << 8U) |
                     (std::uint32_t{key.operation} << 16U) | (static_cast<std::uint32_t>(key.purpose) << 24U),
                 key.epoch} {
    JESSL_CHECK(key.sample < (std::uint64_t{1} << 40U), ConfigError, "jessl::Draw: sample index ", key.sample,
                " is not below 2^40 = ", std::uint64_t{1} << 40U);
  }

  /// The next 32 random bits.
  [[nodiscard]] constexpr std::uint32_t bits() {
    if (used_ == block_.size()) {
      block_ = Philox::block(counter_, key_);
      ++counter_[0];
      used_ = 0;
    }
    return block_[used_++];
  }

  /// Uniform in [0, 1), a multiple of 2^-53.
  [[nodiscard]] constexpr double uniform() {
    const std::uint64_t high = bits() >> 5U;
    const std::uint64_t low = bits() >> 6U;
    return static_cast<double>((high << 26U) | low) * 0x1p-53;
  }

  /// Uniform in [low, high).
  [[nodiscard]] constexpr double uniform(double low, double high) { return low + (high - low) * uniform(); }

  /// Uniform in {0, ..., count - 1}, without bias. ConfigError unless `count` is positive.
  [[nodiscard]] constexpr std::int64_t below(std::int64_t count) {
    JESSL_CHECK(count > 0, ConfigError, "jessl::Draw::below: count is ", count, ", expected at least 1");
    const auto range = static_cast<std::uint64_t>(count);
    const std::uint64_t reject_below = (~range + 1U) % range;  // 2^64 mod range
    for (;;) {
      const std::uint64_t word = (std::uint64_t{bits()} << 32U) | bits();
      if (word >= reject_below) return static_cast<std::int64_t>(word % range);
    }
  }

  /// True with the given probability.
  [[nodiscard]] constexpr bool bernoulli(double probability) { return uniform() < probability; }

  /// Standard normal, by Box and Muller.
  [[nodiscard]] double normal() {
    if (spare_normal_) {
      spare_normal_ = false;
      return spare_;
    }
    const double radius = std::sqrt(-2.0 * std::log1p(-uniform()));  // log1p(-u): u may be 0, never 1
    const double angle = 2.0 * std::numbers::pi * uniform();
    spare_ = radius * std::sin(angle);
    spare_normal_ = true;
    return radius * std::cos(angle);
  }

  /// Puts the elements into a uniformly random order (Fisher-Yates).
  template <class T>
  constexpr void shuffle(std::span<T> items) {
    for (std::size_t last = items.size(); last > 1; --last) {
      const auto chosen = static_cast<std::size_t>(below(static_cast<std::int64_t>(last)));
      std::swap(items[last - 1], items[chosen]);
    }
  }

 private:
  Philox::Key key_;
  Philox::Counter counter_;
  Philox::Counter block_{};
  std::size_t used_ = block_.size();  // how much of block_ has been handed out
  double spare_ = 0.0;
  bool spare_normal_ = false;
};

}  // namespace jessl
