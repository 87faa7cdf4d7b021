// SPDX-License-Identifier: Apache-2.0
// Drawing in RGB images: rectangles, and antialiased lines with round ends.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <jessl/core/error.hpp>
#include <jessl/core/image.hpp>
#include <jessl/eval/palette.hpp>

namespace jessl::eval::detail {

inline constexpr RGB white{255, 255, 255};

/// No side of a picture is longer: beyond lie mistakes, and memory of gigabytes.
inline constexpr std::int64_t longest_side = 16384;

/// A place in a picture, in pixels from its upper left corner: the first pixel's middle is at 0.5, 0.5.
struct Place {
  double x = 0.0;
  double y = 0.0;
};

/// A setting that is a number of pixels, or follows from one.
inline void check_pixels(std::string_view who, std::string_view setting, std::int64_t value, std::int64_t least,
                         std::int64_t most = longest_side) {
  JESSL_CHECK(value >= least && value <= most, ConfigError, who, ": ", setting, " is ", value, ", expected ", least,
              " to ", most);
}

/// Paints `part`, which lies in the picture.
inline void fill(Image& picture, const Region& part, const RGB& colour) {
  for (std::int64_t y = part.top; y < part.bottom(); ++y) {
    auto to = picture.pixels.begin() + (y * picture.width + part.left) * picture.channels;
    for (std::int64_t x = 0; x < part.width; ++x) to = std::copy(colour.begin(), colour.end(), to);
  }
}

/// An RGB picture of one colour.
[[nodiscard]] inline Image blank(std::int64_t width, std::int64_t height, const RGB& colour) {
  Image picture(width, height, 3);
  fill(picture, {.height = height, .width = width}, colour);
  return picture;
}

/// Paints the share `coverage` of a pixel.
inline void blend(Image& picture, std::int64_t y, std::int64_t x, const RGB& colour, double coverage) {
  for (std::size_t c = 0; c < colour.size(); ++c) {
    std::uint8_t& level = picture.pixels[static_cast<std::size_t>((y * picture.width + x) * 3) + c];
    level = static_cast<std::uint8_t>(std::lround(level + coverage * (colour[c] - level)));
  }
}

/// How wide the squares of draw_legend() are beside a picture of this size, with the margin to their right.
[[nodiscard]] inline std::int64_t legend_width(std::int64_t size, std::int64_t entries) {
  return entries > 0 ? std::max<std::int64_t>(4, size / 40) + size / 32 : 0;
}

/// A square for each of the first colours of the palette, one below the other, from column `left` on.
inline void draw_legend(Image& picture, std::int64_t left, std::int64_t size, std::int64_t entries) {
  const std::int64_t side = std::max<std::int64_t>(4, size / 40);
  for (std::int64_t i = 0; i < entries; ++i) {
    const std::int64_t top = size / 32 + i * (side + side / 2);
    fill(picture, {.top = top, .left = left, .height = side, .width = side}, class_colour(i));
  }
}

/// Calls visit(y, x, coverage) for the pixels that a line with round ends covers, coverage being in (0, 1]: a disc where
/// it ends where it begins.
///
/// A pixel is covered by how far its middle is within the line's edge: for lines of a pixel and more, and discs of a
/// radius of that, nearly by their area.
template <class Visit>
void for_each_covered(const Extent& picture, const Place& from, const Place& to, double width, const Visit& visit) {
  const double reach = 0.5 * width + 0.5;
  const auto first = [&](double a, double b) {
    return std::max<std::int64_t>(0, static_cast<std::int64_t>(std::floor(std::min(a, b) - reach)));
  };
  const auto last = [&](double a, double b, std::int64_t side) {
    return std::min<std::int64_t>(side, static_cast<std::int64_t>(std::ceil(std::max(a, b) + reach)));
  };
  const double along_x = to.x - from.x;
  const double along_y = to.y - from.y;
  const double square = along_x * along_x + along_y * along_y;
  const std::int64_t right = last(from.x, to.x, picture.width);
  const std::int64_t bottom = last(from.y, to.y, picture.height);
  for (std::int64_t y = first(from.y, to.y); y < bottom; ++y) {
    for (std::int64_t x = first(from.x, to.x); x < right; ++x) {
      const double off_x = static_cast<double>(x) + 0.5 - from.x;
      const double off_y = static_cast<double>(y) + 0.5 - from.y;
      const double share =
          square > 0.0 ? std::clamp((off_x * along_x + off_y * along_y) / square, 0.0, 1.0) : 0.0;  // of the way
      const double distance = std::hypot(off_x - share * along_x, off_y - share * along_y);
      if (distance < reach) visit(y, x, std::min(1.0, reach - distance));
    }
  }
}

}  // namespace jessl::eval::detail
