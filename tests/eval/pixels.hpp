// SPDX-License-Identifier: Apache-2.0
// What tests of pictures ask about their pixels.
#pragma once

#include <cstddef>
#include <cstdint>

#include <jessl/core/image.hpp>
#include <jessl/eval/palette.hpp>

namespace pixels {

constexpr jessl::eval::RGB white{255, 255, 255};

/// The colour of row y and column x of an RGB picture.
inline jessl::eval::RGB at(const jessl::Image& picture, std::int64_t y, std::int64_t x) {
  const jessl::ImageView view = picture.view();
  return {view.at(y, x, 0), view.at(y, x, 1), view.at(y, x, 2)};
}

/// How many pixels of some rows and columns have that colour.
inline std::int64_t count(const jessl::Image& picture, const jessl::Region& part, const jessl::eval::RGB& colour) {
  std::int64_t found = 0;
  for (std::int64_t y = part.top; y < part.bottom(); ++y)
    for (std::int64_t x = part.left; x < part.right(); ++x) found += at(picture, y, x) == colour ? 1 : 0;
  return found;
}

inline std::int64_t count(const jessl::Image& picture, const jessl::eval::RGB& colour) {
  return count(picture, {.height = picture.height, .width = picture.width}, colour);
}

}  // namespace pixels
