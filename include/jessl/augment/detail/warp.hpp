// SPDX-License-Identifier: Apache-2.0
// The pass of a warp: each output is read at a place of its own.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include <jessl/augment/concept.hpp>
#include <jessl/augment/detail/planes.hpp>
#include <jessl/augment/pixel.hpp>
#include <jessl/core/error.hpp>

namespace jessl::augment::detail {

/// Working memory of warps.
struct WarpMemory {
  std::vector<float> planes{};          // the image with a border
  std::vector<float> line{};            // three numbers for each output of a row
  std::vector<std::int32_t> offsets{};  // one for each output of a row
};

/// The image that a warp reads: planes with a border of one pixel before and two after, so that nothing has to be asked
/// where a place lies beyond the image. A place of this grid is one pixel right of and below its place in the image.
struct Bordered {
  static constexpr std::int64_t before = 1;
  static constexpr std::int64_t after = 2;

  Extent image{};

  [[nodiscard]] std::int64_t stride() const { return image.width + before + after; }
  [[nodiscard]] std::int64_t count() const { return stride() * (image.height + before + after); }
};

/// Where the outputs of a row read: u = begin[0] + step[0] x, v and w likewise; the place is (u / w, v / w), in pixels
/// whose middles are whole numbers. In float: off by 2^-24 of the image's side.
struct WarpRow {
  std::array<float, 3> begin{};
  std::array<float, 3> step{};

  WarpRow(const std::array<double, 9>& matrix, std::int64_t y) {
    const double middle = static_cast<double>(y) + 0.5;
    std::array<double, 3> at{};
    for (std::size_t i = 0; i < 3; ++i) at[i] = 0.5 * matrix[3 * i] + middle * matrix[3 * i + 1] + matrix[3 * i + 2];
    for (std::size_t i = 0; i < 3; ++i) {
      const double middles = i < 2 ? 0.5 : 0.0;  // from middles at halves to middles at whole numbers: less 0.5 w
      begin[i] = static_cast<float>(at[i] - middles * at[2]);
      step[i] = static_cast<float>(matrix[3 * i] - middles * matrix[6]);
    }
  }
};

/// The numbers that the outputs of a row are made with: the first pixel in the bordered planes, the shares of its right
/// and its lower neighbour, and how much of the place lies inside the image.
struct WarpLine {
  std::int32_t* offset = nullptr;
  float* across = nullptr;
  float* down = nullptr;
  float* inside = nullptr;
};

/// To the nearest whole number, halves to even, for values far below 2^22.
[[nodiscard]] constexpr float nearest(float value) {
  constexpr float shift = 0x1.8p23F;
  return (value + shift) - shift;
}

/// A loop of its own for each kind of warp, without a branch, so that the compiler computes several outputs at once.
/// Places that are not numbers, on the horizon of a perspective, count as outside.
template <bool Projective, bool Nearest>
[[gnu::noinline]] void locate(const WarpRow& row, const Bordered& grid, const WarpLine& line) {
  const auto [u0, v0, w0] = row.begin;
  const auto [du, dv, dw] = row.step;
  const auto width = static_cast<float>(grid.image.width);
  const auto height = static_cast<float>(grid.image.height);
  const auto stride = static_cast<std::int32_t>(grid.stride());
  const auto count = static_cast<std::int32_t>(grid.image.width);
  std::int32_t* __restrict const offset = line.offset;
  float* __restrict const across = line.across;
  float* __restrict const down = line.down;
  float* __restrict const inside = line.inside;
  for (std::int32_t i = 0; i < count; ++i) {
    const auto x = static_cast<float>(i);
    float across_at = u0 + du * x;
    float down_at = v0 + dv * x;
    if constexpr (Projective) {
      const float w = w0 + dw * x;
      across_at /= w;
      down_at /= w;
    }
    across_at = minimum(maximum(across_at, -1.0F), width);
    down_at = minimum(maximum(down_at, -1.0F), height);
    if constexpr (Nearest) {
      offset[i] = static_cast<std::int32_t>(nearest(down_at) + 1.0F) * stride +
                  static_cast<std::int32_t>(nearest(across_at) + 1.0F);
    } else {
      const float left = across_at + 1.0F;
      const float top = down_at + 1.0F;
      const auto whole_left = static_cast<std::int32_t>(left);
      const auto whole_top = static_cast<std::int32_t>(top);
      offset[i] = whole_top * stride + whole_left;
      across[i] = left - static_cast<float>(whole_left);
      down[i] = top - static_cast<float>(whole_top);
      inside[i] = clamped(minimum(left, width + 1.0F - left)) * clamped(minimum(top, height + 1.0F - top));
    }
  }
}

/// target[x] = the pixel at offset[x].
[[gnu::noinline]] inline void read_nearest(const float* __restrict source, const WarpLine& line, std::int64_t count,
                                           float* __restrict target) {
  const std::int32_t* __restrict const offset = line.offset;
  for (std::int64_t x = 0; x < count; ++x) target[x] = source[offset[x]];
}

/// As torchvision mixes: the border of the source is 0, and what is outside fades into the fill.
[[gnu::noinline]] inline void read_bilinear(const float* __restrict source, std::int64_t stride, const WarpLine& line,
                                            float fill, std::int64_t count, float* __restrict target) {
  const std::int32_t* __restrict const offset = line.offset;
  const float* __restrict const across = line.across;
  const float* __restrict const down = line.down;
  const float* __restrict const inside = line.inside;
  const float* __restrict const below = source + stride;
  for (std::int64_t x = 0; x < count; ++x) {
    const std::int32_t at = offset[x];
    const float top = source[at] + across[x] * (source[at + 1] - source[at]);
    const float bottom = below[at] + across[x] * (below[at + 1] - below[at]);
    const float value = top + down[x] * (bottom - top);
    target[x] = value * inside[x] + (1.0F - inside[x]) * fill;
  }
}

/// Warps the image in place.
template <std::size_t C>
void warp(const Planes<C>& image, const Warp& how, WarpMemory& memory) {
  const auto [height, width] = image.extent;
  const Bordered grid{image.extent};
  JESSL_CHECK(grid.count() <= std::numeric_limits<std::int32_t>::max(), ShapeError,
              "jessl::augment::warp: the image is ", image.extent,
              ", expected less than 2^31 pixels; crop or resize it first");
  const bool nearest = how.interpolation == Interpolation::nearest;
  const bool projective = how.matrix[6] != 0.0 || how.matrix[7] != 0.0 || how.matrix[8] != 1.0;
  const Pixel<float, C> fill = coloured<float, C>(how.fill);

  float* const planes = Lines::at_least(memory.planes, static_cast<std::int64_t>(C) * grid.count());
  for (std::size_t c = 0; c < C; ++c) {
    float* const plane = planes + static_cast<std::int64_t>(c) * grid.count();
    const float border = nearest ? fill[c] : 0.0F;
    float* row = std::fill_n(plane, grid.stride() * Bordered::before, border);
    for (std::int64_t y = 0; y < height; ++y) {
      row = std::fill_n(row, Bordered::before, border);
      row = std::copy_n(image.plane(c) + y * width, width, row);
      row = std::fill_n(row, Bordered::after, border);
    }
    std::fill_n(row, grid.stride() * Bordered::after, border);
  }

  float* const numbers = Lines::at_least(memory.line, 3 * width);
  const WarpLine line{Lines::at_least(memory.offsets, width), numbers, numbers + width, numbers + 2 * width};
  for (std::int64_t y = 0; y < height; ++y) {
    const WarpRow row(how.matrix, y);
    if (projective) {
      nearest ? locate<true, true>(row, grid, line) : locate<true, false>(row, grid, line);
    } else {
      nearest ? locate<false, true>(row, grid, line) : locate<false, false>(row, grid, line);
    }
    for (std::size_t c = 0; c < C; ++c) {
      const float* const source = planes + static_cast<std::int64_t>(c) * grid.count();
      float* const target = image.plane(c) + y * width;
      if (nearest) {
        read_nearest(source, line, width, target);
      } else {
        read_bilinear(source, grid.stride(), line, fill[c], width, target);
      }
    }
  }
}

}  // namespace jessl::augment::detail
