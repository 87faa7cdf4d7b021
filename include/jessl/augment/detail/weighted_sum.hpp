// SPDX-License-Identifier: Apache-2.0
// The inner loops of resampling and filtering: weighted sums of rows, and of pixels within a row.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include <jessl/core/detail/instruction_set.hpp>
#include <jessl/core/detail/vectors.hpp>

namespace jessl::augment::detail {

using jessl::detail::Floats;
using jessl::detail::Lanes;
using jessl::detail::load;
using jessl::detail::run_vectorised;
using jessl::detail::store;

/// 8-bit values as floats. Runs of a known length are what the compiler makes good code of at -O2 as well.
inline void convert(const std::uint8_t* from, float* to, std::int64_t count) {
  run_vectorised([=](auto) {
    constexpr std::int64_t run = 64;
    const auto one_run = [from, to](std::int64_t begin) {
      const std::uint8_t* __restrict const bytes = from + begin;
      float* __restrict const floats = to + begin;
      for (std::int64_t k = 0; k < run; ++k) floats[k] = static_cast<float>(bytes[k]);
    };
    std::int64_t i = 0;
    for (; i + run <= count; i += run) one_run(i);
    if (i == count) return;
    if (count >= run) return one_run(count - run);  // the last run, part of it a second time
    for (; i < count; ++i) to[i] = static_cast<float>(from[i]);
  });
}

/// sum[i] = sum over k < taps of weights[k] * rows[offsets[k] + i], for sizeof...(I) vectors, kept in registers.
template <std::size_t Count, std::size_t... I>
[[gnu::always_inline]] inline void weighted_sum_block(std::index_sequence<I...>, const float* rows,
                                                      const std::ptrdiff_t* offsets, const float* weights,
                                                      std::int64_t taps, float* sum) {
  Floats<Count> total[sizeof...(I)] = {};
  for (std::int64_t k = 0; k < taps; ++k) {
    const float* const row = rows + offsets[k];
    const float weight = weights[k];
    Floats<Count> values[sizeof...(I)];
    (load(row + I * Count, values[I]), ...);
    ((total[I] += weight * values[I]), ...);
  }
  (store(total[I], sum + I * Count), ...);
}

/// sum[i] = sum over k < taps of weights[k] * rows[offsets[k] + i], for i < count; `sum` is none of the rows.
inline void weighted_sum(const float* rows, const std::ptrdiff_t* offsets, const float* weights, std::int64_t taps,
                         float* sum, std::int64_t count) {
  run_vectorised([=]<std::size_t Count>(Lanes<Count>) {
    constexpr auto lanes = static_cast<std::int64_t>(Count);
    std::int64_t i = 0;
    const auto blocks_of = [&]<std::size_t Vectors>(std::index_sequence<Vectors>) {
      constexpr std::int64_t length = static_cast<std::int64_t>(Vectors) * lanes;
      for (; i + length <= count; i += length) {
        weighted_sum_block<Count>(std::make_index_sequence<Vectors>{}, rows + i, offsets, weights, taps, sum + i);
      }
    };
    blocks_of(std::index_sequence<8>{});  // as many sums as multiply-adds are under way at once
    blocks_of(std::index_sequence<4>{});
    blocks_of(std::index_sequence<2>{});
    blocks_of(std::index_sequence<1>{});
    if (i == count) return;
    if (count >= lanes) {  // the last vector's worth, part of it a second time
      i = count - lanes;
      return blocks_of(std::index_sequence<1>{});
    }
    for (; i < count; ++i) {
      float total = 0.0F;
      for (std::int64_t k = 0; k < taps; ++k) total += weights[k] * rows[offsets[k] + i];
      sum[i] = total;
    }
  });
}

using Floats4 = Floats<4>;

/// Rows to columns, of a matrix of 4 by 4.
[[gnu::always_inline]] inline void transpose(Floats4 (&rows)[4]) {
  const Floats4 low_01 = __builtin_shufflevector(rows[0], rows[1], 0, 4, 1, 5);
  const Floats4 low_23 = __builtin_shufflevector(rows[2], rows[3], 0, 4, 1, 5);
  const Floats4 high_01 = __builtin_shufflevector(rows[0], rows[1], 2, 6, 3, 7);
  const Floats4 high_23 = __builtin_shufflevector(rows[2], rows[3], 2, 6, 3, 7);
  rows[0] = __builtin_shufflevector(low_01, low_23, 0, 1, 4, 5);
  rows[1] = __builtin_shufflevector(low_01, low_23, 2, 3, 6, 7);
  rows[2] = __builtin_shufflevector(high_01, high_23, 0, 1, 4, 5);
  rows[3] = __builtin_shufflevector(high_01, high_23, 2, 3, 6, 7);
}

/// line[4 i + r] = rows[r][i], for i < count, a multiple of 4.
inline void interleave(const std::array<const float*, 4>& rows, float* line, std::int64_t count) {
  run_vectorised([rows, line, count](auto) {
    const auto [first, second, third, fourth] = rows;
    for (std::int64_t i = 0; i < count; i += 4) {
      Floats4 block[4];
      load(first + i, block[0]);
      load(second + i, block[1]);
      load(third + i, block[2]);
      load(fourth + i, block[3]);
      transpose(block);
      for (std::int64_t p = 0; p < 4; ++p) store(block[p], line + 4 * (i + p));
    }
  });
}

/// The sums that make the pixels of a row from the pixels of a line: the same number of them for each pixel (some with
/// the weight 0), and for a number of pixels that is a multiple of 4.
struct Columns {
  const std::ptrdiff_t* starts = nullptr;  // in the line, of the first summand
  const float* weights =
      nullptr;  // of four pixels: their first ones, their second ones, and so on; 12 more can be read
  std::int64_t taps = 0;
  std::int64_t stride = 0;  // values from one pixel of the line to the next
};

/// values[l] = sum over k of weights[k][p] * line[starts[p] + k * stride + l], for each p, as [l][p]: four values of four
/// pixels.
template <std::size_t Count>
[[gnu::always_inline]] inline void weighted_pixels(const float* line, const std::ptrdiff_t* starts,
                                                   const float* weights, std::int64_t taps, std::int64_t stride,
                                                   Floats4 (&values)[4]) {
  const float* const first = line + starts[0];
  const float* const second = line + starts[1];
  const float* const third = line + starts[2];
  const float* const fourth = line + starts[3];
  const std::int64_t end = taps * stride;
  if constexpr (Count == 4) {
    for (Floats4& sum : values) sum = Floats4{};
    for (std::int64_t at = 0; at < end; at += stride, weights += 4) {
      Floats4 pixel[4];
      load(first + at, pixel[0]);
      load(second + at, pixel[1]);
      load(third + at, pixel[2]);
      load(fourth + at, pixel[3]);
      for (std::size_t p = 0; p < 4; ++p) values[p] += weights[p] * pixel[p];
    }
    transpose(values);
  } else {
    Floats<8> sum_01{};
    Floats<8> sum_23{};
    Floats<16> sum{};
    for (std::int64_t at = 0; at < end; at += stride, weights += 4) {
      Floats<Count> weight;  // four, and the next ones
      Floats4 pixel[4];
      load(weights, weight);
      load(first + at, pixel[0]);
      load(second + at, pixel[1]);
      load(third + at, pixel[2]);
      load(fourth + at, pixel[3]);
      const Floats<8> pixel_01 = __builtin_shufflevector(pixel[0], pixel[1], 0, 1, 2, 3, 4, 5, 6, 7);
      const Floats<8> pixel_23 = __builtin_shufflevector(pixel[2], pixel[3], 0, 1, 2, 3, 4, 5, 6, 7);
      if constexpr (Count == 8) {
        sum_01 += __builtin_shufflevector(weight, weight, 0, 0, 0, 0, 1, 1, 1, 1) * pixel_01;
        sum_23 += __builtin_shufflevector(weight, weight, 2, 2, 2, 2, 3, 3, 3, 3) * pixel_23;
      } else {
        sum += __builtin_shufflevector(weight, weight, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3) *
               __builtin_shufflevector(pixel_01, pixel_23, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
      }
    }
    if constexpr (Count == 8) {
      values[0] = __builtin_shufflevector(sum_01, sum_23, 0, 4, 8, 12);
      values[1] = __builtin_shufflevector(sum_01, sum_23, 1, 5, 9, 13);
      values[2] = __builtin_shufflevector(sum_01, sum_23, 2, 6, 10, 14);
      values[3] = __builtin_shufflevector(sum_01, sum_23, 3, 7, 11, 15);
    } else {
      sum = __builtin_shufflevector(sum, sum, 0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
      values[0] = __builtin_shufflevector(sum, sum, 0, 1, 2, 3);
      values[1] = __builtin_shufflevector(sum, sum, 4, 5, 6, 7);
      values[2] = __builtin_shufflevector(sum, sum, 8, 9, 10, 11);
      values[3] = __builtin_shufflevector(sum, sum, 12, 13, 14, 15);
    }
  }
}

/// target[l][x] = scale * sum over k of weights * line[starts[x] + k * stride + l], for x < count. Reads four values of a
/// pixel of the line, and writes as many as there are targets.
template <std::size_t Targets>
void weighted_columns(const float* line, const Columns& columns, float scale,
                      const std::array<float*, Targets>& targets, std::int64_t count) {
  run_vectorised([line, columns, scale, targets, count]<std::size_t Count>(Lanes<Count>) {
    [&, factor = scale, taps = columns.taps, stride = columns.stride ]<std::size_t... L>(std::index_sequence<L...>) {
      const std::ptrdiff_t* starts = columns.starts;
      const float* weights = columns.weights;
      std::int64_t x = 0;
      for (; x + 4 <= count; x += 4, starts += 4, weights += 4 * taps) {
        Floats4 values[4] = {};
        weighted_pixels<Count>(line, starts, weights, taps, stride, values);
        (store(factor * values[L], targets[L] + x), ...);
      }
      if (x == count) return;
      Floats4 values[4] = {};
      weighted_pixels<Count>(line, starts, weights, taps, stride, values);
      for (std::int64_t p = 0; x + p < count; ++p) ((targets[L][x + p] = factor * values[L][p]), ...);
    }
    (std::make_index_sequence<Targets>{});
  });
}

}  // namespace jessl::augment::detail
