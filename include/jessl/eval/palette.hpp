// SPDX-License-Identifier: Apache-2.0
// The colours of pictures: of classes, and of numbers from 0 to 1.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace jessl::eval {

/// Red, green and blue of sRGB, 0 to 255.
using RGB = std::array<std::uint8_t, 3>;

/// Colours that people with any kind of colour vision tell apart: blue, orange, red, grey, purple, brown, dark orange, tan, slate, cyan.
///
/// Source     Petroff: Accessible Color Sequences for Data Visualization, 2021, arXiv 2107.02270, the sequence of ten
inline constexpr std::array<RGB, 10> palette{{{63, 144, 218},
                                              {255, 169, 14},
                                              {189, 31, 1},
                                              {148, 164, 162},
                                              {131, 45, 182},
                                              {169, 107, 89},
                                              {231, 99, 0},
                                              {185, 172, 112},
                                              {113, 117, 129},
                                              {146, 218, 221}}};

/// Of whatever has no class: labels below 0.
inline constexpr RGB unlabelled_colour{216, 216, 216};

/// The colour of a class: those of the palette, and again from its start.
[[nodiscard]] constexpr RGB class_colour(std::int64_t label) {
  return label < 0 ? unlabelled_colour : palette[static_cast<std::size_t>(label) % palette.size()];
}

/// The colour of a number in [0, 1] on the map viridis, from dark blue to yellow: equal steps look equally large, also in
/// grey and with any kind of colour vision. What is outside has the colour of the nearer end; NaN that of 0.
///
/// Source     Smith, van der Walt: viridis, matplotlib 1.5, 2015: every sixteenth of its 256 colours, and the last
/// Differs    straight lines between these seventeen: up to five levels off the colours between
[[nodiscard]] inline RGB viridis(double value) {
  constexpr std::array<RGB, 17> colours{{{68, 1, 84},
                                         {72, 24, 106},
                                         {71, 45, 123},
                                         {66, 64, 134},
                                         {59, 82, 139},
                                         {51, 99, 141},
                                         {44, 114, 142},
                                         {38, 130, 142},
                                         {33, 145, 140},
                                         {31, 160, 136},
                                         {40, 174, 128},
                                         {63, 188, 115},
                                         {94, 201, 98},
                                         {132, 212, 75},
                                         {173, 220, 48},
                                         {216, 226, 25},
                                         {253, 231, 37}}};
  const double place = value > 0.0 ? std::min(value, 1.0) * static_cast<double>(colours.size() - 1) : 0.0;
  const auto below = std::min(static_cast<std::size_t>(place), colours.size() - 2);
  const double share = place - static_cast<double>(below);
  RGB colour{};
  for (std::size_t c = 0; c < colour.size(); ++c) {
    colour[c] =
        static_cast<std::uint8_t>(std::lround((1.0 - share) * colours[below][c] + share * colours[below + 1][c]));
  }
  return colour;
}

}  // namespace jessl::eval
