// SPDX-License-Identifier: Apache-2.0
// JPEG files of every layout, for the tests of decoding a part.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include <jpeglib.h>

#include <jessl/core/draw.hpp>
#include <jessl/core/image.hpp>

#include "data/support.hpp"

namespace data_test {

/// A picture in which every pixel differs from its neighbours: waves, edges and noise.
inline jessl::Image rough_picture(std::int64_t width, std::int64_t height, std::int64_t channels,
                                  std::uint64_t seed = 1) {
  jessl::Image image(width, height, channels);
  jessl::Draw draw({.seed = seed, .purpose = jessl::Purpose::initialisation});
  for (std::int64_t y = 0; y < height; ++y) {
    for (std::int64_t x = 0; x < width; ++x) {
      for (std::int64_t c = 0; c < channels; ++c) {
        const std::int64_t wave = (x * (5 + c) + y * (9 - c)) % 160 + ((x / 5 + y / 3 + c) % 2) * 40;
        image.pixels[static_cast<std::size_t>((y * width + x) * channels + c)] =
            static_cast<std::uint8_t>(wave + static_cast<std::int64_t>(draw.below(50)));
      }
    }
  }
  return image;
}

/// Every layout that programs write, and some that nobody does.
inline std::vector<JPEGKind> jpeg_kinds() {
  return {{.name = "4:4:4"},
          {.name = "4:2:2", .factors = {2, 1, 1, 1, 1, 1, 1, 1}},
          {.name = "4:2:0", .factors = {2, 2, 1, 1, 1, 1, 1, 1}},
          {.name = "4:4:0", .factors = {1, 2, 1, 1, 1, 1, 1, 1}},
          {.name = "4:1:1", .factors = {4, 1, 1, 1, 1, 1, 1, 1}},
          {.name = "mixed", .factors = {2, 2, 2, 1, 1, 2, 1, 1}},
          {.name = "all twofold", .factors = {2, 1, 2, 1, 2, 1, 1, 1}},
          {.name = "grey", .components = 1},
          {.name = "grey 2x2", .factors = {2, 2, 1, 1, 1, 1, 1, 1}, .components = 1},
          {.name = "YCCK", .factors = {2, 2, 1, 1, 1, 1, 2, 2}, .components = 4},
          {.name = "progressive 4:4:4", .progressive = true},
          {.name = "progressive 4:2:0", .factors = {2, 2, 1, 1, 1, 1, 1, 1}, .progressive = true},
          {.name = "not interleaved", .factors = {2, 2, 1, 1, 1, 1, 1, 1}, .interleaved = false},
          {.name = "tables of its own", .factors = {2, 2, 1, 1, 1, 1, 1, 1}, .optimize = true}};
}

}  // namespace data_test
