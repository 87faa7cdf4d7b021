// SPDX-License-Identifier: Apache-2.0
// The passes over an image: resampling, filtering, and a function of every pixel.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <vector>

#include <jessl/augment/concept.hpp>
#include <jessl/augment/detail/taps.hpp>

namespace jessl::augment::detail {

/// C planes of float, one after the other: the layout of a view and of every image that a pipeline works on.
template <std::size_t C>
struct Planes {
  float* data = nullptr;
  Extent extent{};

  [[nodiscard]] std::int64_t count() const { return extent.height * extent.width; }
  [[nodiscard]] float* plane(std::size_t channel) const { return data + static_cast<std::int64_t>(channel) * count(); }
};

/// An image that is read, or the part of it that is there: 8 bits and interleaved, or planes of float.
template <class T>
struct Source {
  const T* data = nullptr;        // of the first pixel of the part
  Region region{};                // where in the image the part lies
  std::int64_t row_stride = 0;    // values from one row to the next
  std::int64_t pixel_stride = 0;  // values from one pixel to the next
  std::int64_t plane_stride = 0;  // values from one channel to the next

  /// From the first value of the part to that of a pixel of the image, which must lie in the part.
  [[nodiscard]] std::ptrdiff_t offset(std::int64_t y, std::int64_t x) const {
    return (y - region.top) * row_stride + (x - region.left) * pixel_stride;
  }
};

/// sum[i] = sum over k of weights[k] * rows[offsets[k] + i], for `Width` values at a time, kept in registers.
template <std::size_t Width, class T>
inline void weighted_sum_block(const T* rows, std::span<const std::ptrdiff_t> offsets, const float* weights,
                               float* sum) {
  float total[Width] = {};
  for (std::size_t k = 0; k < offsets.size(); ++k) {
    const T* const row = rows + offsets[k];
    const float weight = weights[k];
    for (std::size_t i = 0; i < Width; ++i) total[i] += weight * static_cast<float>(row[i]);
  }
  std::copy_n(total, Width, sum);
}

template <class T>
inline void weighted_sum(const T* rows, std::span<const std::ptrdiff_t> offsets, const float* weights, float* sum,
                         std::int64_t count) {
  std::int64_t i = 0;
  for (; i + 64 <= count; i += 64) weighted_sum_block<64>(rows + i, offsets, weights, sum + i);
  for (; i + 16 <= count; i += 16) weighted_sum_block<16>(rows + i, offsets, weights, sum + i);
  for (; i + 4 <= count; i += 4) weighted_sum_block<4>(rows + i, offsets, weights, sum + i);
  for (; i < count; ++i) weighted_sum_block<1>(rows + i, offsets, weights, sum + i);
}

/// Working memory of the passes.
struct Lines {
  std::vector<float> line{};
  std::vector<float> planes{};
  std::vector<float> kernel{};
  std::vector<std::ptrdiff_t> offsets{};

  /// At least `count` values; keeps what it has, so that nothing is allocated once the largest image has been seen.
  template <class T>
  static T* at_least(std::vector<T>& memory, std::int64_t count) {
    if (memory.size() < static_cast<std::size_t>(count)) memory.resize(static_cast<std::size_t>(count));
    return memory.data();
  }
};

/// target[c][y][x] = scale * sum over source rows and columns, as the taps of both axes say.
///
/// A row at a time: first the source rows that make it are added up (long contiguous loops over just the columns that
/// are needed), then its pixels are made from that line, which is still in the first-level cache. The taps count rows and
/// columns of the image; what they need lies in the part of it that `source` has. Where that part begins changes no sum:
/// a line begins at the first column that is needed, always.
template <std::size_t C, class T>
void resample(const Source<T>& source, const Taps& vertical, const Taps& horizontal, float scale, Lines& memory,
              const Planes<C>& target) {
  const auto [first, last] = horizontal.needed();
  const bool interleaved = source.pixel_stride > 1 || C == 1;
  constexpr auto channels = static_cast<std::int64_t>(C);
  const std::int64_t lines = interleaved ? 1 : channels;
  const std::int64_t line_length = (last - first) * (interleaved ? source.pixel_stride : 1);
  const std::int64_t channel_stride = interleaved ? 1 : line_length;
  float* const line = Lines::at_least(memory.line, horizontal.input_length() * channels);
  Lines::at_least(memory.offsets, vertical.input_length());

  for (std::int64_t y = 0; y < target.extent.height; ++y) {
    const Taps::Row& row = vertical.rows()[static_cast<std::size_t>(y)];
    const std::span offsets(memory.offsets.data(), static_cast<std::size_t>(row.count));
    for (std::int64_t k = 0; k < row.count; ++k) {
      offsets[static_cast<std::size_t>(k)] = source.offset(row.start + k, first);
    }
    for (std::int64_t c = 0; c < lines; ++c) {
      weighted_sum(source.data + c * source.plane_stride, offsets, vertical.weights(row), line + c * line_length,
                   line_length);
    }

    for (std::int64_t x = 0; x < target.extent.width; ++x) {
      const Taps::Row& column = horizontal.rows()[static_cast<std::size_t>(x)];
      const float* const weights = horizontal.weights(column);
      std::array<float, C> sum{};
      for (std::int64_t k = 0; k < column.count; ++k) {
        const float* const pixel = line + (column.start - first + k) * source.pixel_stride;
        for (std::size_t c = 0; c < C; ++c) sum[c] += weights[k] * pixel[static_cast<std::int64_t>(c) * channel_stride];
      }
      for (std::size_t c = 0; c < C; ++c) target.plane(c)[y * target.extent.width + x] = scale * sum[c];
    }
  }
}

/// The index inside [0, length) at which an image, continued by its mirror images, shows position i.
[[nodiscard]] inline std::int64_t reflected(std::int64_t i, std::int64_t length) {
  if (length == 1) return 0;
  const std::int64_t period = 2 * (length - 1);
  const std::int64_t within = ((i % period) + period) % period;
  return within < length ? within : period - within;
}

/// The blend of a filter that has none of its own.
struct Filtered {};

/// Convolves each plane with the separable symmetric kernel whose weights are given (an odd number of them). With a
/// blend, value = blend(value, filtered), and only where the whole kernel lies in the image.
template <std::size_t C, class Blend = Filtered>
void convolve(const Planes<C>& image, std::span<const float> kernel, Lines& memory, const Blend& blend = {}) {
  const auto [height, width] = image.extent;
  // Taps that cannot change a float32 sum of values in [0, 1] are left out: a narrow Gaussian in a wide kernel is
  // cheap.
  const auto middle = static_cast<std::int64_t>(kernel.size() / 2);
  std::int64_t radius = middle;
  while (radius > 0 && kernel[static_cast<std::size_t>(middle + radius)] < 0x1p-26F) --radius;
  const float* const weights = kernel.data() + (middle - radius);

  const std::int64_t taps = 2 * radius + 1;
  float* const line = Lines::at_least(memory.line, width + 2 * middle);
  float* const across = Lines::at_least(memory.planes, image.count());
  Lines::at_least(memory.offsets, 2 * middle + 1);
  const std::span offsets(memory.offsets.data(), static_cast<std::size_t>(taps));

  for (std::size_t c = 0; c < C; ++c) {
    float* const plane = image.plane(c);
    for (std::int64_t k = 0; k < taps; ++k) offsets[static_cast<std::size_t>(k)] = k;
    for (std::int64_t y = 0; y < height; ++y) {
      const float* const row = plane + y * width;
      for (std::int64_t k = 0; k < radius; ++k) {
        line[k] = row[reflected(k - radius, width)];
        line[radius + width + k] = row[reflected(width + k, width)];
      }
      std::copy_n(row, width, line + radius);
      weighted_sum(static_cast<const float*>(line), offsets, weights, across + y * width, width);
    }
    for (std::int64_t y = 0; y < height; ++y) {
      for (std::int64_t k = 0; k < taps; ++k)
        offsets[static_cast<std::size_t>(k)] = reflected(y + k - radius, height) * width;
      if constexpr (std::is_same_v<Blend, Filtered>) {
        weighted_sum(static_cast<const float*>(across), offsets, weights, plane + y * width, width);
      } else if (y >= middle && y < height - middle) {
        weighted_sum(static_cast<const float*>(across), offsets, weights, line, width);
        float* const row = plane + y * width;
        for (std::int64_t x = middle; x < width - middle; ++x) row[x] = blend(row[x], line[x]);
      }
    }
  }
}

/// A run of pixels that fits into the first-level cache: the unit in which pointwise operations are applied.
template <std::size_t C>
struct Block {
  static constexpr std::int64_t capacity = 1024;  // pixels: 12 KiB of RGB

  std::array<float*, C> plane{};
  std::int64_t begin = 0;  // index of the first pixel in the image
  std::int64_t count = 0;
  std::int64_t width = 0;  // of the image

  /// pixel = function(pixel, index) for each pixel. A function of its own for each `function`, which is inlined into it
  /// whatever else the program holds: else the loop would not be vectorised.
  template <class F>
  [[gnu::noinline, gnu::flatten]] void transform_indexed(F function) const {
    if constexpr (C == 1) {
      float* __restrict const grey = plane[0];
      for (std::int64_t i = 0; i < count; ++i) grey[i] = function(Pixel<float, 1>{{grey[i]}}, begin + i)[0];
    } else {
      float* __restrict const red = plane[0];
      float* __restrict const green = plane[1];
      float* __restrict const blue = plane[2];
      for (std::int64_t i = 0; i < count; ++i) {
        const Pixel<float, 3> pixel = function(Pixel<float, 3>{{red[i], green[i], blue[i]}}, begin + i);
        red[i] = pixel[0];
        green[i] = pixel[1];
        blue[i] = pixel[2];
      }
    }
  }

  /// pixel = function(pixel, index) for each pixel that lies in the patch.
  template <class F>
  void transform_patch(const Region& patch, F function) const {
    if (count == 0) return;
    const std::int64_t last_row = std::min(patch.bottom(), (begin + count - 1) / width + 1);
    for (std::int64_t y = std::max(patch.top, begin / width); y < last_row; ++y) {
      const std::int64_t first = std::max(begin, y * width + std::max<std::int64_t>(0, patch.left));
      const std::int64_t last = std::min(begin + count, y * width + std::min(width, patch.right()));
      if (first >= last) continue;
      Block run{plane, first, last - first, width};
      for (std::size_t c = 0; c < C; ++c) run.plane[c] += first - begin;
      run.transform_indexed(function);
    }
  }

  /// The values of one channel.
  [[nodiscard]] std::span<const float> values(std::size_t channel) const {
    return {plane[channel], static_cast<std::size_t>(count)};
  }

  /// pixel = function(pixel) for each pixel.
  template <class F>
  void transform(F function) const {
    transform_indexed([function](auto pixel, std::int64_t) { return function(pixel); });
  }

  /// The sum of luma, in lanes, so that the compiler may add several at once and the result is the same everywhere.
  [[nodiscard, gnu::noinline, gnu::flatten]] double luma_sum() const {
    constexpr std::int64_t lanes = 16;
    std::array<float, lanes> sums{};
    const auto luma_at = [&](std::int64_t i) {
      if constexpr (C == 1) {
        return plane[0][i];
      } else {
        return luma(Pixel<float, 3>{{plane[0][i], plane[1][i], plane[2][i]}});
      }
    };
    std::int64_t i = 0;
    for (; i + lanes <= count; i += lanes) {
      for (std::int64_t lane = 0; lane < lanes; ++lane) sums[static_cast<std::size_t>(lane)] += luma_at(i + lane);
    }
    double total = 0.0;
    for (const float sum : sums) total += static_cast<double>(sum);
    for (; i < count; ++i) total += static_cast<double>(luma_at(i));
    return total;
  }
};

/// Calls visit(block) for each block of the image, in order.
template <std::size_t C, class Visit>
void for_each_block(const Planes<C>& image, Visit&& visit) {
  const std::int64_t count = image.count();
  for (std::int64_t begin = 0; begin < count; begin += Block<C>::capacity) {
    Block<C> block;
    block.begin = begin;
    block.width = image.extent.width;
    block.count = std::min(Block<C>::capacity, count - begin);
    for (std::size_t c = 0; c < C; ++c) block.plane[c] = image.plane(c) + begin;
    visit(block);
  }
}

}  // namespace jessl::augment::detail
