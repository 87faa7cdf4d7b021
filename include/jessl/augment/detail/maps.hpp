// SPDX-License-Identifier: Apache-2.0
// The matrices of warps, from the output to the input, in pixels; the middle of the first pixel is (0.5, 0.5).
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <optional>
#include <utility>

#include <jessl/core/image.hpp>

namespace jessl::augment::detail {

/// Scales, shears (parallel to x by the first angle, to y by the second), turns clockwise and then moves, about a centre.
struct Affine {
  double angle = 0.0;                              // degrees, clockwise
  std::array<double, 2> translate = {{0.0, 0.0}};  // pixels to the right and down
  double scale = 1.0;
  std::array<double, 2> shear = {{0.0, 0.0}};  // degrees
};

/// The inverse of the map R(angle) S(scale) SHy SHx about the centre and of the translation after it.
[[nodiscard]] inline std::array<double, 9> inverse(const Affine& map,
                                                   const std::optional<std::array<double, 2>>& center,
                                                   const Extent& extent) {
  constexpr double radians = std::numbers::pi / 180.0;
  const double turn = map.angle * radians;
  const double along_x = std::tan(map.shear[0] * radians);
  const double y_shear = map.shear[1] * radians;
  // The map without scale is [a, b; c, d] with determinant 1.
  const double a = std::cos(turn - y_shear) / std::cos(y_shear);
  const double b = -a * along_x - std::sin(turn);
  const double c = std::sin(turn - y_shear) / std::cos(y_shear);
  const double d = -c * along_x + std::cos(turn);
  const auto [x, y] =
      center.value_or(std::array{0.5 * static_cast<double>(extent.width), 0.5 * static_cast<double>(extent.height)});
  const double left = x + map.translate[0];
  const double top = y + map.translate[1];
  const std::array<double, 4> m = {d / map.scale, -b / map.scale, -c / map.scale, a / map.scale};
  return {m[0], m[1], x - m[0] * left - m[1] * top, m[2], m[3], y - m[2] * left - m[3] * top, 0.0, 0.0, 1.0};
}

/// A point: x, y.
using Point = std::array<std::int64_t, 2>;

/// Whether three of the points lie in a line, or two in one place.
[[nodiscard]] constexpr bool any_in_line(const std::array<Point, 4>& points) {
  for (std::size_t left_out = 0; left_out < 4; ++left_out) {
    const auto& [x0, y0] = points[(left_out + 1) % 4];
    const auto& [x1, y1] = points[(left_out + 2) % 4];
    const auto& [x2, y2] = points[(left_out + 3) % 4];
    if ((x1 - x0) * (y2 - y0) == (x2 - x0) * (y1 - y0)) return true;
  }
  return false;
}

/// The projective map that takes each of four points to another; none where three of them lie in a line, or where the
/// point (0, 0) is on the horizon.
[[nodiscard]] inline std::optional<std::array<double, 9>> projective(const std::array<Point, 4>& from,
                                                                     const std::array<Point, 4>& to) {
  if (any_in_line(from) || any_in_line(to)) return std::nullopt;
  // Two equations for each pair, in the eight elements of the matrix, the ninth being 1; the right side is column 8.
  std::array<std::array<double, 9>, 8> rows{};
  for (std::size_t i = 0; i < 4; ++i) {
    const auto x = static_cast<double>(from[i][0]);
    const auto y = static_cast<double>(from[i][1]);
    const auto u = static_cast<double>(to[i][0]);
    const auto v = static_cast<double>(to[i][1]);
    rows[2 * i] = {x, y, 1.0, 0.0, 0.0, 0.0, -u * x, -u * y, u};
    rows[2 * i + 1] = {0.0, 0.0, 0.0, x, y, 1.0, -v * x, -v * y, v};
  }
  for (std::size_t k = 0; k < 8; ++k) {  // Gauss and Jordan, with the largest pivot of the column
    std::size_t pivot = k;
    for (std::size_t i = k + 1; i < 8; ++i) {
      if (std::abs(rows[i][k]) > std::abs(rows[pivot][k])) pivot = i;
    }
    constexpr double rounding = 1e-9;  // all numbers are whole at first: a pivot is 0, or far from it
    if (std::abs(rows[pivot][k]) < rounding) return std::nullopt;
    std::swap(rows[k], rows[pivot]);
    for (std::size_t i = 0; i < 8; ++i) {
      if (i == k) continue;
      const double factor = rows[i][k] / rows[k][k];
      for (std::size_t j = k; j < 9; ++j) rows[i][j] -= factor * rows[k][j];
    }
  }
  std::array<double, 9> matrix{};
  for (std::size_t k = 0; k < 8; ++k) matrix[k] = rows[k][8] / rows[k][k];
  matrix[8] = 1.0;
  return matrix;
}

}  // namespace jessl::augment::detail
