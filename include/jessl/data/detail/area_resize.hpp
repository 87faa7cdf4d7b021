// SPDX-License-Identifier: Apache-2.0
// Shrinking by area averaging, with the arithmetic of OpenCV's INTER_AREA to the bit.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/image.hpp>

// GCC fuses a product and a sum where the processor can, which rounds differently. The bytes of a packed file must not
// depend on the processor that it was compiled for. Clang does not fuse across statements.
#if defined(__GNUC__) && !defined(__clang__)
#define JESSL_DETAIL_UNFUSED [[gnu::optimize("fp-contract=off"), gnu::noinline]]
#else
#define JESSL_DETAIL_UNFUSED
#endif

namespace jessl::data::detail {

/// Shrinks images; keeps its memory from image to image.
///
/// A pixel is the mean of the rectangle that it covers. Source: OpenCV's resize with INTER_AREA, for 8 bits, where
/// neither axis grows: block means for whole ratios, else weights and sums in float32, in the order of the source.
class AreaResize {
 public:
  /// Into `target`, whose size tells how far; it has the channels of `source`.
  void operator()(const ImageView& source, Image& target);

 private:
  struct Tap {
    std::int64_t source;
    float weight;
  };
  struct Axis {
    std::vector<Tap> taps{};
    std::vector<std::size_t> ends{};  // of each target's taps
  };

  [[nodiscard]] static double ratio(std::int64_t source, std::int64_t target) {
    return 1.0 / (static_cast<double>(target) / static_cast<double>(source));
  }

  [[nodiscard]] static bool is_whole(double number) {
    return std::abs(number - std::round(number)) < std::numeric_limits<double>::epsilon();
  }

  static void blocks(const ImageView& source, Image& target, std::int64_t across, std::int64_t down);

  [[nodiscard]] static std::uint8_t rounded(float value) {
    return static_cast<std::uint8_t>(std::clamp(std::lrint(value), 0L, 255L));  // half to even
  }

  /// Which source pixels a target pixel covers, and with which share.
  JESSL_DETAIL_UNFUSED static void weigh(Axis& axis, std::int64_t source, std::int64_t target, double scale) {
    axis.taps.clear();
    axis.ends.clear();
    constexpr double sliver = 1e-3;
    for (std::int64_t t = 0; t < target; ++t) {
      const double begin = static_cast<double>(t) * scale;
      const double end = begin + scale;
      const double width = std::min(scale, static_cast<double>(source) - begin);
      const std::int64_t last = std::min(static_cast<std::int64_t>(std::floor(end)), source - 1);
      const std::int64_t first = std::min(static_cast<std::int64_t>(std::ceil(begin)), last);
      const double before = static_cast<double>(first) - begin;
      const double after = end - static_cast<double>(last);
      if (before > sliver) axis.taps.push_back({first - 1, static_cast<float>(before / width)});
      for (std::int64_t i = first; i < last; ++i) axis.taps.push_back({i, static_cast<float>(1.0 / width)});
      if (after > sliver) {
        axis.taps.push_back({last, static_cast<float>(std::min(std::min(after, 1.0), width) / width)});
      }
      axis.ends.push_back(axis.taps.size());
    }
  }

  JESSL_DETAIL_UNFUSED void average_row(const std::uint8_t* source, std::size_t channels) {
    float* out = row_.data();
    std::size_t tap = 0;
    for (const std::size_t end : across_.ends) {
      for (std::size_t c = 0; c < channels; ++c) out[c] = 0.0F;
      for (; tap < end; ++tap) {
        const std::uint8_t* from = source + static_cast<std::size_t>(across_.taps[tap].source) * channels;
        const float weight = across_.taps[tap].weight;
        for (std::size_t c = 0; c < channels; ++c) {
          const float product = static_cast<float>(from[c]) * weight;
          out[c] += product;
        }
      }
      out += channels;
    }
  }

  JESSL_DETAIL_UNFUSED void add_row(float weight) {
    const float* const row = row_.data();
    float* const sum = sum_.data();
    const std::size_t count = sum_.size();
    for (std::size_t i = 0; i < count; ++i) {
      const float product = row[i] * weight;
      sum[i] += product;
    }
  }

  void areas(const ImageView& source, Image& target, double across, double down);

  Axis across_{};
  Axis down_{};
  std::vector<float> row_{};
  std::vector<float> sum_{};
};

}  // namespace jessl::data::detail

#undef JESSL_DETAIL_UNFUSED

#if JESSL_DEFINITIONS

namespace jessl::data::detail {

JESSL_INLINE void AreaResize::operator()(const ImageView& source, Image& target) {
  JESSL_ASSERT(target.width >= 1 && target.width <= source.width && target.height >= 1 &&
                   target.height <= source.height && target.channels == source.channels,
               "a resize from ", source.width, " x ", source.height, " to ", target.width, " x ", target.height);
  const double across = ratio(source.width, target.width);
  const double down = ratio(source.height, target.height);
  if (is_whole(across) && is_whole(down)) {
    blocks(source, target, std::lround(across), std::lround(down));
  } else {
    areas(source, target, across, down);
  }
}

JESSL_INLINE void AreaResize::blocks(const ImageView& source, Image& target, std::int64_t across, std::int64_t down) {
  const std::int64_t channels = source.channels;
  const float share = 1.0F / static_cast<float>(across * down);
  std::uint8_t* out = target.pixels.data();
  for (std::int64_t y = 0; y < target.height; ++y) {
    for (std::int64_t x = 0; x < target.width; ++x) {
      for (std::int64_t c = 0; c < channels; ++c) {
        std::int64_t sum = 0;
        for (std::int64_t row = y * down; row < (y + 1) * down; ++row) {
          const std::uint8_t* from = source.pixels.data() + (row * source.width + x * across) * channels + c;
          for (std::int64_t i = 0; i < across; ++i) sum += from[i * channels];
        }
        *out++ = across == 2 && down == 2 ? static_cast<std::uint8_t>((sum + 2) / 4)
                                          : rounded(static_cast<float>(sum) * share);
      }
    }
  }
}

JESSL_INLINE void AreaResize::areas(const ImageView& source, Image& target, double across, double down) {
  weigh(across_, source.width, target.width, across);
  weigh(down_, source.height, target.height, down);
  const auto channels = static_cast<std::size_t>(source.channels);
  const std::size_t width = static_cast<std::size_t>(target.width) * channels;
  row_.resize(width);
  std::uint8_t* out = target.pixels.data();
  std::int64_t averaged = -1;  // the source row that row_ holds: the next target row may share it
  std::size_t tap = 0;
  for (const std::size_t end : down_.ends) {
    sum_.assign(width, 0.0F);
    for (; tap < end; ++tap) {
      const Tap& share = down_.taps[tap];
      if (share.source != averaged) {
        averaged = share.source;
        average_row(source.pixels.data() + averaged * source.width * source.channels, channels);
      }
      add_row(share.weight);
    }
    for (const float value : sum_) *out++ = rounded(value);
  }
}

}  // namespace jessl::data::detail

#endif  // JESSL_DEFINITIONS
