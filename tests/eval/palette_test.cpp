// SPDX-License-Identifier: Apache-2.0
// Colours: those of classes differ for any kind of colour vision, and those of numbers are matplotlib's.
#include <catch2/catch.hpp>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>

#include <jessl/eval/palette.hpp>

using jessl::eval::class_colour;
using jessl::eval::palette;
using jessl::eval::RGB;
using jessl::eval::viridis;

namespace {

using Linear = std::array<double, 3>;

Linear linear(const RGB& colour) {
  Linear result{};
  for (std::size_t c = 0; c < 3; ++c) {
    const double level = colour[c] / 255.0;
    result[c] = level <= 0.04045 ? level / 12.92 : std::pow((level + 0.055) / 1.055, 2.4);
  }
  return result;
}

double lightness(const RGB& colour) {  // CIE L*
  const Linear light = linear(colour);
  return 116.0 * std::cbrt(0.2126 * light[0] + 0.7152 * light[1] + 0.0722 * light[2]) - 16.0;
}

}  // namespace

TEST_CASE("palette: a class has its colour, from the eleventh on again from the first", "[eval][palette]") {
  static_assert(class_colour(0) == palette[0] && class_colour(9) == palette[9] && class_colour(12) == palette[2]);
  CHECK(class_colour(std::numeric_limits<std::int64_t>::max()) == palette[7]);  // 2^63 - 1 = 10 n + 7
  CHECK(class_colour(-1) == jessl::eval::unlabelled_colour);
  CHECK(class_colour(std::numeric_limits<std::int64_t>::min()) == jessl::eval::unlabelled_colour);
  CHECK(palette[0] == RGB{0x3f, 0x90, 0xda});
  CHECK(palette[9] == RGB{0x92, 0xda, 0xdd});
  for (std::size_t i = 0; i < palette.size(); ++i) {
    CHECK(lightness(jessl::eval::unlabelled_colour) > lightness(palette[i]) + 2.0);  // stands back behind all of them
    for (std::size_t j = 0; j < i; ++j) CHECK(palette[i] != palette[j]);
  }
}

TEST_CASE("palette: viridis has matplotlib's colours, rises in lightness, and ends at its ends", "[eval][palette]") {
  // matplotlib.colormaps["viridis"](i), i of 256, in 8 bits: some of those it is made of, and some between.
  const std::array<std::pair<int, RGB>, 6> exact{{{0, {68, 1, 84}},
                                                  {64, {59, 82, 139}},
                                                  {128, {33, 145, 140}},
                                                  {160, {40, 174, 128}},
                                                  {224, {173, 220, 48}},
                                                  {256, {253, 231, 37}}}};
  for (const auto& [place, expected] : exact) CHECK(viridis(place / 256.0) == expected);
  const std::array<std::pair<int, RGB>, 5> between{
      {{8, {71, 13, 96}}, {56, {62, 73, 137}}, {216, {152, 216, 62}}, {244, {226, 228, 24}}, {252, {246, 230, 32}}}};
  for (const auto& [place, expected] : between) {
    INFO("colour " << place);
    for (std::size_t c = 0; c < 3; ++c) CHECK(std::abs(int{viridis(place / 256.0)[c]} - int{expected[c]}) <= 5);
  }
  for (int i = 1; i <= 64; ++i) CHECK(lightness(viridis(i / 64.0)) > lightness(viridis((i - 1) / 64.0)));
  CHECK(viridis(-3.0) == viridis(0.0));
  CHECK(viridis(1e300) == viridis(1.0));
  CHECK(viridis(std::numeric_limits<double>::quiet_NaN()) == viridis(0.0));
}
