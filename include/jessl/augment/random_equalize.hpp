// SPDX-License-Identifier: Apache-2.0
// RandomEqualize: makes the histogram of each channel flat, sometimes.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include <jessl/augment/concept.hpp>
#include <jessl/augment/detail/check.hpp>

namespace jessl::augment {

/// Equalizes the histogram of each channel with probability p: each of the 256 values becomes the rank of its pixels.
///
/// The histogram is that of 8 bits, as Pillow and torchvision have it, and so is the result: value v becomes
/// ((pixels darker than v) + step / 2) / step, where step = (all pixels but those of the brightest value) / 255, in
/// whole numbers. A channel with a step of 0 (of one value, or of few pixels) stays as it is.
///
/// Shapes     [C, H, W] -> [C, H, W]
/// Units      p: probability
/// Cost       begins a new pass over the pixels; the one before counts the values
/// Randomness one draw of its own stream of the view
/// Errors     ConfigError from check() for p outside [0, 1]
/// Models     jessl::augment::AdaptiveOperation (docs/augment/README.md)
/// Source     Cubuk et al., AutoAugment, CVPR 2019, arXiv 1805.09501, table 6; torchvision RandomEqualize, Pillow
///            ImageOps.equalize
/// Differs    a value between two of 8 bits counts as the nearest of them
struct RandomEqualize {
  static constexpr std::string_view name = "RandomEqualize";

  double p = 0.5;  ///< probability, in [0, 1]

  using Params = Applied;

  /// The histogram of each channel, and what becomes of each of its 256 values.
  ///
  /// Shapes     [3][256]
  /// Errors     none
  /// Models     the Statistics of a jessl::augment::AdaptiveOperation
  /// Source     as RandomEqualize
  struct Statistics {
    static constexpr std::size_t levels = 256;

    std::array<std::array<std::int64_t, levels>, 3> counts{};
    std::array<std::array<float, levels>, 3> table{};  ///< in [0, 1]
    std::array<bool, 3> changes{};                     ///< whether the table is to be used

    void add(std::size_t channel, std::span<const float> values) {
      for (const float value : values) ++counts[channel][level(value)];
    }

    void finish() {
      constexpr std::int64_t white = levels - 1;
      for (std::size_t c = 0; c < counts.size(); ++c) {
        std::int64_t all = 0;
        std::int64_t brightest = 0;
        for (const std::int64_t count : counts[c]) {
          all += count;
          if (count > 0) brightest = count;
        }
        const std::int64_t step = (all - brightest) / white;
        changes[c] = step > 0;
        if (step == 0) continue;
        std::int64_t darker = 0;
        for (std::size_t v = 0; v < levels; ++v) {
          table[c][v] = static_cast<float>(std::min((darker + step / 2) / step, white)) * (1.0F / 255.0F);
          darker += counts[c][v];
        }
      }
    }

    /// The place of a value in the histogram.
    [[nodiscard]] static constexpr std::size_t level(float value) {
      return static_cast<std::size_t>(detail::in_8_bits(value));
    }
  };

  void check() const { detail::check_probability(name, "p", p); }

  [[nodiscard]] Params sample(Draw& draw) const { return {draw.bernoulli(p)}; }

  [[nodiscard]] bool active(const Params& params) const { return params.applied; }

  template <std::size_t C>
  [[nodiscard]] constexpr Pixel<float, C> apply(Pixel<float, C> pixel, const Params&, const Statistics& seen) const {
    for (std::size_t c = 0; c < C; ++c) {
      if (seen.changes[c]) pixel[c] = seen.table[c][Statistics::level(pixel[c])];
    }
    return pixel;
  }
};

}  // namespace jessl::augment

JESSL_OPTIONS(jessl::augment::RandomEqualize, p);
