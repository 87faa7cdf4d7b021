// SPDX-License-Identifier: Apache-2.0
// Pictures of curves: where axes, ticks and lines are, what interrupts a curve, and what is refused.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include <jessl/eval/curve_picture.hpp>

#include "eval/pixels.hpp"

namespace {

using Catch::Matchers::Contains;
using jessl::Image;
using jessl::eval::Curve;
using jessl::eval::curve_picture;
using jessl::eval::palette;
using jessl::eval::RGB;
using jessl::eval::round_numbers;

constexpr RGB ink{64, 64, 64};
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr double unbounded = std::numeric_limits<double>::infinity();

}  // namespace

TEST_CASE("curve_picture: the example of the documentation runs", "[eval][curve_picture]") {
  std::vector<double> loss, smooth;
  for (int i = 0; i < 300; ++i) {
    smooth.push_back(5.0 * std::exp(-i / 100.0));
    loss.push_back(smooth.back() + 0.3 * std::sin(3.0 * i));
  }
  // [example]
  const jessl::Image picture = jessl::eval::curve_picture({{.y = loss}, {.y = smooth}}, {.width = 480, .height = 320});
  const auto ticks = jessl::eval::round_numbers(0.0, 299.0);  // 0, 50, ..., 250: what those of the lower axis stand for
  // [/example]
  CHECK(picture.width == 480 + 8 + 10);
  CHECK(picture.height == 320);
  CHECK(ticks == std::vector<double>{0, 50, 100, 150, 200, 250});
  CHECK(pixels::count(picture, palette[0]) > 300);
  CHECK(pixels::count(picture, palette[1]) > 300);
}

TEST_CASE("round_numbers: multiples of 1, 2 or 5 times a power of ten, seven at most", "[eval][curve_picture]") {
  using Numbers = std::vector<double>;
  CHECK(round_numbers(0.0, 640.0) == Numbers{0, 100, 200, 300, 400, 500, 600});
  CHECK(round_numbers(-1.0, 1.0) == Numbers{-1, -0.5, 0, 0.5, 1});
  CHECK(round_numbers(0.0, 0.6) == Numbers{0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6});  // 0.3, not 3 * 0.1
  CHECK(round_numbers(3.1, 3.9) == Numbers{3.2, 3.4, 3.6, 3.8});
  CHECK(round_numbers(1e9, 1e9 + 12) == Numbers{1e9, 1e9 + 2, 1e9 + 4, 1e9 + 6, 1e9 + 8, 1e9 + 10, 1e9 + 12});
  CHECK(round_numbers(2.5, 2.5) == Numbers{2.5});
  CHECK(round_numbers(1.0, std::nextafter(1.0, 2.0)) == Numbers{1.0});
  for (const double range : {1.5e-200, 3e-7, 0.9, 8.0, 1234.0, 7e280}) {
    const Numbers numbers = round_numbers(0.0, range);
    CHECK((numbers.size() >= 3 && numbers.size() <= 7));
    CHECK(numbers.front() == 0.0);
    CHECK(numbers.back() <= range);
  }
  CHECK_THROWS_AS(round_numbers(1.0, 0.0), jessl::ConfigError);
  CHECK_THROWS_WITH(round_numbers(0.0, unbounded), Contains("jessl::eval::round_numbers: the range is 0 to inf"));
  CHECK_THROWS_AS(round_numbers(not_a_number, 1.0), jessl::ConfigError);
  CHECK_THROWS_AS(round_numbers(-1e308, 1e308), jessl::ConfigError);
}

TEST_CASE("curve_picture: axes at the left and the bottom, with ticks at round numbers", "[eval][curve_picture]") {
  // A margin of 10 around 10 to 150: the axes are column 9 and row 150, ticks are 2 long.
  const Image picture = curve_picture({{.y = {0.0, 1.0}, .x = {0.0, 4.0}}}, {.width = 160, .height = 160});
  REQUIRE(picture.width == 160);  // one curve: no legend
  REQUIRE(picture.channels == 3);
  CHECK(pixels::count(picture, {.top = 10, .left = 9, .height = 141, .width = 1}, ink) == 141);
  CHECK(pixels::count(picture, {.top = 150, .left = 9, .height = 1, .width = 141}, ink) == 141);
  CHECK(pixels::at(picture, 9, 9) == pixels::white);
  CHECK(pixels::at(picture, 150, 150) == pixels::white);
  // y: 0, 0.2, ..., 1 between the middles of rows 149 and 10; x: 0, 1, 2, 3, 4 between those of columns 10 and 149.
  const jessl::Region beside{.left = 7, .height = 160, .width = 2};
  CHECK(pixels::count(picture, beside, ink) == 2 * 6);
  for (int i = 0; i <= 5; ++i) {
    const auto row = static_cast<std::int64_t>(149.5 - 139.0 * i / 5.0);
    CHECK(pixels::count(picture, {.top = row, .left = 7, .height = 1, .width = 2}, ink) == 2);
  }
  const jessl::Region below{.top = 151, .height = 2, .width = 160};
  CHECK(pixels::count(picture, below, ink) == 2 * 5);
  for (int i = 0; i <= 4; ++i) {
    const auto column = static_cast<std::int64_t>(10.5 + 139.0 * i / 4.0);
    CHECK(pixels::count(picture, {.top = 151, .left = column, .height = 2, .width = 1}, ink) == 2);
  }
}

TEST_CASE("curve_picture: a curve goes through its points and lies nowhere else", "[eval][curve_picture]") {
  // 140 x 140 pixels for 0..139 on both axes: a number a pixel.
  std::vector<double> rising;
  for (int i = 0; i < 140; ++i) rising.push_back(i);
  const Image picture = curve_picture({{.y = rising}}, {.width = 160, .height = 160, .line = 2.0});
  for (std::int64_t i = 0; i < 140; ++i) {
    CHECK(pixels::at(picture, 149 - i, 10 + i) == palette[0]);  // its middle is within half a pixel
    if (i >= 5) CHECK(pixels::at(picture, 149 - i + 4, 10 + i) == pixels::white);
    if (i < 135) CHECK(pixels::at(picture, 149 - i - 4, 10 + i) == pixels::white);
  }
  // The same line by its ends alone: pieces that meet leave no seam.
  const Image ends =
      curve_picture({{.y = {0.0, 139.0}, .x = {0.0, 139.0}}}, {.width = 160, .height = 160, .line = 2.0});
  std::int64_t furthest = 0;
  for (std::size_t i = 0; i < picture.pixels.size(); ++i)
    furthest = std::max<std::int64_t>(furthest, std::abs(int{picture.pixels[i]} - int{ends.pixels[i]}));
  CHECK(furthest <= 1);
}

TEST_CASE("curve_picture: a horizontal line is as thick as it says", "[eval][curve_picture]") {
  for (const double line : {1.0, 3.0, 4.5}) {
    // 0 to 1 by two dots of the first curve; the second is the line at 1/2, between rows 79 and 80.
    const Image picture = curve_picture({{.y = {0.0, not_a_number, 1.0}}, {.y = {0.5, 0.5, 0.5}}},
                                        {.width = 160, .height = 160, .line = line});
    double covered = 0.0;
    for (std::int64_t y = 60; y < 100; ++y) {
      const RGB colour = pixels::at(picture, y, 50);
      covered += (255.0 - colour[2]) / (255.0 - palette[1][2]);
    }
    CHECK(covered == Approx(line).margin(0.02));
  }
}

TEST_CASE("curve_picture: what is not finite interrupts a curve, and a lone point is a dot", "[eval][curve_picture]") {
  for (const double gap : {not_a_number, unbounded, -unbounded}) {
    std::vector<double> y(140, 1.0);
    y[0] = 0.0;
    y[139] = 2.0;
    for (std::size_t i = 60; i < 80; ++i) y[i] = gap;
    y[70] = 1.0;
    const Image picture = curve_picture({{.y = y}}, {.width = 160, .height = 160, .line = 3.0});
    const auto row = [&](std::int64_t x) { return pixels::at(picture, 80, x); };  // of 1: the middle is 80.0
    CHECK(row(10 + 50) == palette[0]);
    CHECK(row(10 + 90) == palette[0]);
    CHECK(row(10 + 65) == pixels::white);
    CHECK(row(10 + 75) == pixels::white);
    CHECK(row(10 + 70) == palette[0]);
  }
}

TEST_CASE("curve_picture: several curves share the axes, have a legend, and the later ones lie above",
          "[eval][curve_picture]") {
  std::vector<Curve> curves(12, Curve{.y = {0.0, 1.0}});
  const Image picture = curve_picture(curves, {.width = 300, .height = 160, .line = 3.0});
  REQUIRE(picture.width == 300 + 4 + 5);
  CHECK(pixels::at(picture, 80, 150) == palette[1]);  // the twelfth
  for (std::int64_t c = 0; c < 10; ++c) {
    const jessl::Region square{.top = 5 + 6 * c, .left = 300, .height = 4, .width = 4};
    CHECK(pixels::count(picture, square, palette[static_cast<std::size_t>(c)]) == 16);
  }
  CHECK(pixels::at(picture, 5 + 60, 301) == pixels::white);
}

TEST_CASE("curve_picture: equal numbers lie in the middle", "[eval][curve_picture]") {
  for (const double value : {0.0, 3.0, -1e200}) {
    const Image picture = curve_picture({{.y = {value, value, value}}}, {.width = 160, .height = 160, .line = 3.0});
    for (const std::int64_t x : {10, 80, 149}) CHECK(pixels::at(picture, 80, x) == palette[0]);
  }
  const Image dot = curve_picture({{.y = {2.0}}}, {.width = 160, .height = 160, .line = 4.0});
  CHECK(pixels::at(dot, 80, 80) == palette[0]);
  CHECK(pixels::count(dot, palette[0]) < 16);
}

TEST_CASE("curve_picture: lengths, settings and curves without a number are errors", "[eval][curve_picture]") {
  CHECK_THROWS_AS(curve_picture({{.y = {1.0, 2.0}, .x = {1.0}}}), jessl::ShapeError);
  CHECK_THROWS_WITH(curve_picture({{.y = {1.0}}, {.y = {1.0, 2.0}, .x = {1.0}}}),
                    Contains("jessl::eval::curve_picture: curve 1 has 1 x and 2 y, expected as many"));
  for (const std::vector<Curve>& none : {std::vector<Curve>{}, {Curve{}}, {Curve{.y = {not_a_number}}}}) {
    CHECK_THROWS_AS(curve_picture(none), jessl::DataError);
    CHECK_THROWS_WITH(curve_picture(none), Contains("there is no point"));
  }
  CHECK_THROWS_AS(curve_picture({{.y = {-1e308, 1e308}}}), jessl::DataError);
  CHECK_THROWS_WITH(curve_picture({{.y = {-1e308, 1e308}}}), Contains("y reaches from -1e+308 to 1e+308"));
  const std::vector<Curve> good{{.y = {1.0, 2.0}}};
  CHECK_THROWS_AS(curve_picture(good, {.width = 63}), jessl::ConfigError);
  CHECK_THROWS_WITH(curve_picture(good, {.height = 16385}), Contains("height is 16385, expected 64 to 16384"));
  CHECK_THROWS_WITH(curve_picture(good, {.line = 0.5}), Contains("line is 0.5, expected 1 to 16"));
  CHECK_THROWS_AS(curve_picture(good, {.line = not_a_number}), jessl::ConfigError);
}
