// SPDX-License-Identifier: Apache-2.0
// The inner loops of resampling and filtering: weighted sums of rows, and of pixels within a row.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

namespace jessl::augment::detail {

template <std::size_t Count>
struct FloatVector {
  using Type [[gnu::vector_size(Count * sizeof(float))]] = float;
};

/// `Count` floats in a register, on which operators work value by value. They are handed over by reference: see
/// run_vectorised.
template <std::size_t Count>
using Floats = typename FloatVector<Count>::Type;

template <class Vector>
[[gnu::always_inline]] inline void load(const float* from, Vector& vector) {
  std::memcpy(&vector, from, sizeof vector);
}

template <class Vector>
[[gnu::always_inline]] inline void store(const Vector& vector, float* to) {
  std::memcpy(to, &vector, sizeof vector);
}

/// 8-bit values as floats. Runs of a known length are what the compiler makes good code of at -O2 as well.
[[gnu::always_inline]] inline void convert(const std::uint8_t* __restrict from, float* __restrict to,
                                           std::int64_t count) {
  constexpr std::int64_t run = 64;
  std::int64_t i = 0;
  for (; i + run <= count; i += run) {
    for (std::int64_t k = 0; k < run; ++k) to[i + k] = static_cast<float>(from[i + k]);
  }
  for (; i < count; ++i) to[i] = static_cast<float>(from[i]);
}

/// sum[i] = sum over k < taps of weights[k] * rows[offsets[k] + i], for sizeof...(I) vectors, kept in registers.
template <std::size_t Lanes, std::size_t... I>
[[gnu::always_inline]] inline void weighted_sum_block(std::index_sequence<I...>, const float* rows,
                                                      const std::ptrdiff_t* offsets, const float* weights,
                                                      std::int64_t taps, float* sum) {
  Floats<Lanes> total[sizeof...(I)] = {};
  for (std::int64_t k = 0; k < taps; ++k) {
    const float* const row = rows + offsets[k];
    const float weight = weights[k];
    Floats<Lanes> values[sizeof...(I)];
    (load(row + I * Lanes, values[I]), ...);
    ((total[I] += weight * values[I]), ...);
  }
  (store(total[I], sum + I * Lanes), ...);
}

/// sum[i] = sum over k < taps of weights[k] * rows[offsets[k] + i], for i < count; `sum` is none of the rows.
template <std::size_t Lanes>
[[gnu::always_inline]] inline void weighted_sum(const float* rows, const std::ptrdiff_t* offsets, const float* weights,
                                                std::int64_t taps, float* sum, std::int64_t count) {
  constexpr auto lanes = static_cast<std::int64_t>(Lanes);
  std::int64_t i = 0;
  const auto blocks_of = [&]<std::size_t Vectors>() {
    constexpr std::int64_t length = static_cast<std::int64_t>(Vectors) * lanes;
    for (; i + length <= count; i += length) {
      weighted_sum_block<Lanes>(std::make_index_sequence<Vectors>{}, rows + i, offsets, weights, taps, sum + i);
    }
  };
  blocks_of.template operator()<8>();  // as many sums as multiply-adds are under way at once
  blocks_of.template operator()<4>();
  blocks_of.template operator()<1>();
  if (i == count) return;
  if (count >= lanes) {  // the last vector's worth, part of it a second time
    i = count - lanes;
    return blocks_of.template operator()<1>();
  }
  for (; i < count; ++i) {
    float total = 0.0F;
    for (std::int64_t k = 0; k < taps; ++k) total += weights[k] * rows[offsets[k] + i];
    sum[i] = total;
  }
}

using Floats4 = Floats<4>;

/// Rows to columns, of a matrix of 4 by 4.
[[gnu::always_inline]] inline void transpose(Floats4 (&rows)[4]) {
  using Places [[gnu::vector_size(16)]] = std::int32_t;
  const Floats4 low_01 = __builtin_shuffle(rows[0], rows[1], Places{0, 4, 1, 5});
  const Floats4 low_23 = __builtin_shuffle(rows[2], rows[3], Places{0, 4, 1, 5});
  const Floats4 high_01 = __builtin_shuffle(rows[0], rows[1], Places{2, 6, 3, 7});
  const Floats4 high_23 = __builtin_shuffle(rows[2], rows[3], Places{2, 6, 3, 7});
  rows[0] = __builtin_shuffle(low_01, low_23, Places{0, 1, 4, 5});
  rows[1] = __builtin_shuffle(low_01, low_23, Places{2, 3, 6, 7});
  rows[2] = __builtin_shuffle(high_01, high_23, Places{0, 1, 4, 5});
  rows[3] = __builtin_shuffle(high_01, high_23, Places{2, 3, 6, 7});
}

/// line[4 i + r] = rows[r][i], for i < count, a multiple of 4.
[[gnu::always_inline]] inline void interleave(const std::array<const float*, 4>& rows, float* line,
                                              std::int64_t count) {
  for (std::int64_t i = 0; i < count; i += 4) {
    Floats4 block[4];
    for (std::size_t r = 0; r < 4; ++r) load(rows[r] + i, block[r]);
    transpose(block);
    for (std::size_t r = 0; r < 4; ++r) store(block[r], line + 4 * i + 4 * r);
  }
}

/// The sums that make the pixels of a row from the pixels of a line: the same number of them for each pixel (some with
/// the weight 0), and for a number of pixels that is a multiple of 4.
struct Columns {
  const std::ptrdiff_t* starts = nullptr;  // in the line, of the first summand
  const float* weights = nullptr;          // `taps` for each pixel
  std::int64_t taps = 0;
  std::int64_t stride = 0;  // values from one pixel of the line to the next
};

/// target[l][x] = scale * sum over k of weights[x][k] * line[starts[x] + k * stride + l], for x < count. Reads four values of
/// a pixel of the line, and writes as many as there are targets.
template <std::size_t Targets>
[[gnu::always_inline]] inline void weighted_columns(const float* line, const Columns& columns, float scale,
                                                    const std::array<float*, Targets>& targets, std::int64_t count) {
  const auto [starts, weights, taps, stride] = columns;
  for (std::int64_t x = 0; x < count; x += 4) {
    Floats4 sums[4] = {};
    const float* const weight = weights + x * taps;
    const float* const pixel[4] = {line + starts[x], line + starts[x + 1], line + starts[x + 2], line + starts[x + 3]};
    for (std::int64_t k = 0; k < taps; ++k) {
      Floats4 values[4];
      for (std::int64_t p = 0; p < 4; ++p) {
        load(pixel[p] + k * stride, values[p]);
        sums[p] += weight[p * taps + k] * values[p];
      }
    }
    transpose(sums);
    for (std::size_t l = 0; l < Targets; ++l) {
      const Floats4 scaled = scale * sums[l];
      if (x + 4 <= count) {
        store(scaled, targets[l] + x);
      } else {
        std::memcpy(targets[l] + x, &scaled, static_cast<std::size_t>(count - x) * sizeof(float));
      }
    }
  }
}

}  // namespace jessl::augment::detail
