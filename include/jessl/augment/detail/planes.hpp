// SPDX-License-Identifier: Apache-2.0
// The passes over an image: resampling, filtering, and a function of every pixel.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include <jessl/augment/concept.hpp>
#include <jessl/augment/detail/taps.hpp>
#include <jessl/augment/detail/weighted_sum.hpp>

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

/// Working memory of the passes.
struct Lines {
  std::vector<float> rows{};  // of the source, as floats, or filtered along the other axis: those that are still needed
  std::vector<float> line{};
  std::vector<float> filtered{};
  std::vector<float> kernel{};
  std::vector<float> weights{};
  std::vector<std::ptrdiff_t> offsets{};
  std::vector<std::ptrdiff_t> starts{};
  std::vector<std::int64_t> row_numbers{};

  /// At least `count` values; keeps what it has, so that nothing is allocated once the largest image has been seen.
  template <class T>
  static T* at_least(std::vector<T>& memory, std::int64_t count) {
    if (memory.size() < static_cast<std::size_t>(count)) memory.resize(static_cast<std::size_t>(count));
    return memory.data();
  }

  static constexpr std::int64_t line_floats = 16;  // in a line of the cache, and in the widest vector

  /// The smallest length of a row not below `count` with which the next row begins where a line of the cache does.
  [[nodiscard]] static constexpr std::int64_t whole_lines(std::int64_t count) {
    return (count + line_floats - 1) / line_floats * line_floats;
  }

  /// As at_least, from the beginning of a line of the cache on: a vector that lies in two takes twice as long to load.
  static float* rows_of(std::vector<float>& memory, std::int64_t count) {
    float* const begin = at_least(memory, count + line_floats);
    const auto beyond =
        static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(begin) / sizeof(float)) % line_floats;
    return begin + (beyond == 0 ? 0 : line_floats - beyond);
  }
};

/// Gives rows of the source as floats, [first, last) of each: where they are in it, or converted to floats, which each
/// row is once, as `capacity` rows one
/// after the other are kept, a power of two.
template <class T>
class FloatRows {
 public:
  FloatRows(const Source<T>& source, Range columns, std::int64_t values, std::int64_t capacity, Lines& memory)
      : source_(source),
        first_(columns.begin),
        values_(values),
        row_length_(Lines::whole_lines(values)),
        capacity_(capacity) {
    if constexpr (!std::is_same_v<T, float>) {
      rows_ = Lines::rows_of(memory.rows, capacity * row_length_);
      numbers_ = Lines::at_least(memory.row_numbers, capacity);
      std::fill_n(numbers_, capacity, std::int64_t{-1});
    }
  }

  /// offsets[k] = from data() to row start + k, for k < count.
  void place(std::int64_t start, std::int64_t count, std::ptrdiff_t* offsets) const {
    for (std::int64_t k = 0; k < count; ++k) {
      const std::int64_t number = start + k;
      if constexpr (std::is_same_v<T, float>) {
        offsets[k] = source_.offset(number, first_);
      } else {
        const std::int64_t slot = number & (capacity_ - 1);
        offsets[k] = slot * row_length_;
        if (numbers_[slot] == number) continue;
        numbers_[slot] = number;
        convert(source_.data + source_.offset(number, first_), rows_ + offsets[k], values_);
      }
    }
  }

  [[nodiscard]] const float* data() const {
    if constexpr (std::is_same_v<T, float>) {
      return source_.data;
    } else {
      return rows_;
    }
  }

 private:
  Source<T> source_;
  std::int64_t first_;
  std::int64_t values_;
  std::int64_t row_length_;
  std::int64_t capacity_;
  float* rows_ = nullptr;
  std::int64_t* numbers_ = nullptr;  // which row is where
};

/// The horizontal taps as weighted_columns takes them, for a line that begins with the column `first`. Room is made for
/// `most` weights a pixel.
inline Columns columns_of(const Taps& horizontal, std::int64_t first, std::int64_t stride, std::int64_t most,
                          Lines& memory) {
  const std::int64_t taps = horizontal.most_inputs();
  const auto count = static_cast<std::int64_t>(horizontal.rows().size());
  const std::int64_t padded = (count + 3) / 4 * 4;
  std::ptrdiff_t* const starts = Lines::at_least(memory.starts, padded);
  float* const weights = Lines::at_least(memory.weights, padded * std::max(taps, most) + 12);
  std::fill_n(starts, padded, std::ptrdiff_t{0});
  std::fill_n(weights, padded * taps + 12, 0.0F);
  for (std::int64_t x = 0; x < count; ++x) {
    const Taps::Row& row = horizontal.rows()[static_cast<std::size_t>(x)];
    if (row.count == 0) continue;
    starts[x] = (row.start - first) * stride;
    float* const own = weights + x / 4 * 4 * taps + x % 4;
    for (std::int64_t k = 0; k < row.count; ++k) own[4 * k] = horizontal.weights(row)[k];
  }
  return {starts, weights, taps, stride};
}

/// target[c][y][x] = scale * sum over source rows and columns, as the taps of both axes say.
///
/// A row at a time: first the source rows that make it are added up (long contiguous loops over just the columns that
/// are needed), then its pixels are made from that line, which is still in the first-level cache, four values of a pixel
/// at once: red, green and blue, or, of planes, the same pixel of four rows. The taps count rows and columns of the image;
/// what they need lies in the part of it that `source` has. Where that part begins changes no sum: a line begins at the
/// first column that is needed, always.
template <std::size_t C, class T>
void resample(const Source<T>& source, const Taps& vertical, const Taps& horizontal, float scale, Lines& memory,
              const Planes<C>& target) {
  const Range needed = horizontal.needed();
  const bool interleaved = source.pixel_stride > 1;
  const std::int64_t width = needed.end - needed.begin;
  const std::int64_t values = width * source.pixel_stride;

  // What the memory is needed for depends on the random box; room for the largest is made at once.
  const auto [height_out, width_out] = target.extent;
  const std::int64_t most_rows = 2 * vertical.input_length() / height_out + 4;
  const std::int64_t most_columns = 2 * horizontal.input_length() / width_out + 4;
  const auto power_of_two = [](std::int64_t value) {
    return static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(value)));
  };
  const std::int64_t capacity = power_of_two(vertical.most_inputs());
  const std::int64_t stride = interleaved ? source.pixel_stride : 4;
  const Columns columns = columns_of(horizontal, needed.begin, stride, most_columns, memory);
  // After the last pixel there are zeros, as many as the last of its sums reads.
  const std::int64_t padded = (width + columns.taps + 4) / 4 * 4;
  const std::int64_t room = (horizontal.input_length() + std::max(most_columns, columns.taps) + 4) * 4;
  if constexpr (!std::is_same_v<T, float>) {
    Lines::rows_of(memory.rows, std::max(power_of_two(most_rows), capacity) *
                                    Lines::whole_lines(horizontal.input_length() * source.pixel_stride));
  }
  float* const line = Lines::rows_of(memory.line, 2 * room);
  float* const single = line + room;  // [4, padded]: four rows before they are interleaved
  std::ptrdiff_t* const offsets = Lines::at_least(memory.offsets, vertical.input_length());

  FloatRows<T> rows(source, needed, values, capacity, memory);
  const auto row_sum = [&](std::int64_t y, std::int64_t plane, float* sum) {
    const Taps::Row& row = vertical.rows()[static_cast<std::size_t>(y)];
    rows.place(row.start, row.count, offsets);
    weighted_sum(rows.data() + plane, offsets, vertical.weights(row), row.count, sum, values);
  };
  if constexpr (C == 3) {
    if (interleaved) {
      std::fill(line + values, line + padded * stride + 4, 0.0F);
      for (std::int64_t y = 0; y < height_out; ++y) {
        row_sum(y, 0, line);
        const std::int64_t row = y * width_out;
        weighted_columns<3>(line, columns, scale, {target.plane(0) + row, target.plane(1) + row, target.plane(2) + row},
                            width_out);
      }
      return;
    }
  }
  for (std::int64_t r = 0; r < 4; ++r) std::fill(single + r * padded + values, single + (r + 1) * padded, 0.0F);
  for (std::size_t c = 0; c < C; ++c) {
    const std::int64_t plane = static_cast<std::int64_t>(c) * source.plane_stride;
    for (std::int64_t y = 0; y < height_out; y += 4) {
      std::array<const float*, 4> sums{};
      std::array<float*, 4> targets{};
      for (std::size_t r = 0; r < 4; ++r) {
        const std::int64_t row = std::min(y + static_cast<std::int64_t>(r), height_out - 1);  // the last one again
        float* const sum = single + static_cast<std::int64_t>(r) * padded;
        row_sum(row, plane, sum);
        sums[r] = sum;
        targets[r] = target.plane(c) + row * width_out;
      }
      interleave(sums, line, padded);
      weighted_columns<4>(line, columns, scale, targets, width_out);
    }
  }
}

/// The index inside [0, length) at which an image, continued by its mirror images, shows position i.
[[nodiscard]] inline std::int64_t reflected(std::int64_t i, std::int64_t length) {
  if (length == 1) return 0;
  while (i < 0 || i >= length) i = i < 0 ? -i : 2 * (length - 1) - i;
  return i;
}

/// The blend of a filter that has none of its own.
struct Filtered {};

/// Convolves each plane with the separable symmetric kernel whose weights are given (an odd number of them). With a
/// blend, value = blend(value, filtered), and only where the whole kernel lies in the image.
///
/// Rows are filtered along themselves when the first row of the result needs them, and kept until the last one has
/// had them: as many as the kernel is high, which fit into the first-level cache.
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
  const std::int64_t kept = std::min(taps, height);
  const std::int64_t length = Lines::whole_lines(width);
  const std::int64_t line_length = Lines::whole_lines(width + 2 * middle);
  // Rows are continued by their mirror images a few at a time: what has just been stored is slow to load elsewhere.
  constexpr std::int64_t lines_at_once = 8;
  float* const lines = Lines::rows_of(memory.line, lines_at_once * line_length);
  float* const across = Lines::rows_of(memory.rows, std::min(2 * middle + 1, height) * length);
  std::ptrdiff_t* const along = Lines::at_least(memory.starts, 2 * middle + 1);
  std::ptrdiff_t* const down = Lines::at_least(memory.offsets, height + 2 * middle);
  for (std::int64_t k = 0; k < taps; ++k) along[k] = k;
  for (std::int64_t k = 0; k < height + 2 * radius; ++k) down[k] = reflected(k - radius, height) % kept * length;

  for (std::size_t c = 0; c < C; ++c) {
    float* const plane = image.plane(c);
    std::int64_t continued = 0;  // rows of the plane; these are still as they were
    std::int64_t filtered = 0;
    const auto continue_rows = [&, height = height, width = width] {
      for (const std::int64_t end = std::min(height, continued + lines_at_once); continued < end; ++continued) {
        const float* const row = plane + continued * width;
        float* const line = lines + continued % lines_at_once * line_length;
        for (std::int64_t k = 0; k < radius; ++k) {
          line[k] = row[reflected(k - radius, width)];
          line[radius + width + k] = row[reflected(width + k, width)];
        }
        std::copy_n(row, width, line + radius);
      }
    };
    for (std::int64_t y = 0; y < height; ++y) {
      for (const std::int64_t end = std::min(height, y + radius + 1); filtered < end; ++filtered) {
        if (filtered == continued) continue_rows();
        weighted_sum(lines + filtered % lines_at_once * line_length, along, weights, taps,
                     across + filtered % kept * length, width);
      }
      float* const row = plane + y * width;
      if constexpr (std::is_same_v<Blend, Filtered>) {
        weighted_sum(across, down + y, weights, taps, row, width);
      } else if (y >= middle && y < height - middle) {
        float* const line = Lines::rows_of(memory.filtered, width);
        weighted_sum(across, down + y, weights, taps, line, width);
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

  /// pixel = function(pixel, index) for each pixel. In runs of a known length, of which the compiler makes vectors
  /// at -O3.
  template <class F>
  void transform_indexed(F function) const {
    run_vectorised([function, plane = plane, begin = begin, count = count](auto) {
      constexpr std::integral_constant<std::int64_t, 64> run;
      std::int64_t i = 0;
      if constexpr (C == 1) {
        for (; i + run <= count; i += run) transform_run(function, begin + i, run, plane[0] + i);
        transform_run(function, begin + i, count - i, plane[0] + i);
      } else {
        for (; i + run <= count; i += run) {
          transform_run(function, begin + i, run, plane[0] + i, plane[1] + i, plane[2] + i);
        }
        transform_run(function, begin + i, count - i, plane[0] + i, plane[1] + i, plane[2] + i);
      }
    });
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
  [[nodiscard]] double luma_sum() const {
    double total = 0.0;
    run_vectorised([&total, plane = plane, count = count](auto) {
      std::array<float, at_once> sums{};
      const auto luma_at = [&](std::int64_t i) {
        if constexpr (C == 1) {
          return plane[0][i];
        } else {
          return luma(Pixel<float, 3>{{plane[0][i], plane[1][i], plane[2][i]}});
        }
      };
      std::int64_t i = 0;
      for (; i + at_once <= count; i += at_once) {
        for (std::int64_t lane = 0; lane < at_once; ++lane) sums[static_cast<std::size_t>(lane)] += luma_at(i + lane);
      }
      for (const float sum : sums) total += static_cast<double>(sum);
      for (; i < count; ++i) total += static_cast<double>(luma_at(i));
    });
    return total;
  }

 private:
  static constexpr std::int64_t at_once = 16;  // pixels

  // Planes as parameters that are restrict: no store to one changes what is still to be read of another.
  template <class F, class Count>
  static void transform_run(const F& function, std::int64_t index, Count count, float* __restrict grey) {
    for (std::int64_t i = 0; i < count; ++i) grey[i] = function(Pixel<float, 1>{{grey[i]}}, index + i)[0];
  }

  template <class F, class Count>
  static void transform_run(const F& function, std::int64_t index, Count count, float* __restrict red,
                            float* __restrict green, float* __restrict blue) {
    for (std::int64_t i = 0; i < count; ++i) {
      const Pixel<float, 3> pixel = function(Pixel<float, 3>{{red[i], green[i], blue[i]}}, index + i);
      red[i] = pixel[0];
      green[i] = pixel[1];
      blue[i] = pixel[2];
    }
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
