// SPDX-License-Identifier: Apache-2.0
// Curves, such as a loss over the steps of a run, as an image.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <vector>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/image.hpp>
#include <jessl/core/options.hpp>
#include <jessl/eval/detail/canvas.hpp>
#include <jessl/eval/palette.hpp>

namespace jessl::eval {

/// One curve: numbers, and where they stand.
///
/// Shapes     y: [N]; x: [N], or empty
/// Errors     none; curve_picture() checks them
/// Models     none
/// Source     none
struct Curve {
  std::vector<double> y;    ///< NaN and infinity interrupt the curve
  std::vector<double> x{};  ///< such as steps; empty: 0, 1, 2, ...
};

/// The settings of curve_picture().
///
/// Shapes     none
/// Units      width, height, line: pixels
/// Errors     none; curve_picture() checks them
/// Models     jessl::Options
/// Source     none
struct CurvePictureOptions {
  static constexpr std::string_view name = "CurvePictureOptions";

  std::int64_t width = 640;   ///< 64 to 16384
  std::int64_t height = 400;  ///< 64 to 16384
  double line = 1.5;          ///< thickness of the curves, 1 to 16
};

namespace detail {

/// Whether two numbers are so near each other that nothing round lies between them.
[[nodiscard]] inline bool as_good_as_equal(double low, double high) {
  constexpr double resolution = 1e-9;
  return high - low <= resolution * std::max(std::abs(low), std::abs(high)) || high - low < 1e-290;
}

}  // namespace detail

/// Round numbers in [low, high]: the multiples of 1, 2 or 5 times a power of ten, as many as there may be up to seven.
///
/// They are where curve_picture() has its ticks: on an axis from 0 to 640 at 0, 100, ..., 600. Of a range that is as
/// good as empty its lower end.
///
/// Errors     ConfigError unless both are finite, the first no larger, and their difference is finite, too
/// Source     none
[[nodiscard]] std::vector<double> round_numbers(double low, double high);

namespace detail {

/// One axis of a picture of curves: the numbers on it, and the pixels.
struct Axis {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  double first = 0.0;  // where `low` is, pixels
  double last = 0.0;   // where `high` is

  void include(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }

  /// Of numbers that are all equal, some room around them.
  void settle(std::string_view who, std::string_view name) {
    if (as_good_as_equal(low, high)) {
      const double room = low == 0.0 ? 1.0 : 0.5 * std::abs(low);
      low -= room;
      high += room;
    }
    JESSL_CHECK(std::isfinite(high - low), DataError, who, ": ", name, " reaches from ", low, " to ", high,
                ", expected numbers whose difference is finite");
  }

  [[nodiscard]] double at(double value) const { return first + (value - low) / (high - low) * (last - first); }
};

}  // namespace detail

/// Curves over common axes, each in its colour of the palette; io::save_png writes it as a file.
///
/// The axes reach from the least to the largest number; numbers that are all equal get room around them. They are plain
/// lines at the left and the bottom, with ticks at eval::round_numbers of the ranges, which tell what they stand for:
/// there is no text. Later curves lie over earlier ones. Where there are several, a small square for each of the first
/// ten stands to the right, the first curve's on top.
///
/// Shapes     curves: any number, of any lengths -> [height, width + legend, 3]; the legend is max(4, height / 40) +
///            height / 32 wide, and 0 for a single curve
/// Units      width, height, line: pixels
/// Cost       a pass over the picture a curve, and the area of its line
/// Randomness none
/// Errors     ShapeError for a curve whose x and y have different lengths; DataError where no number is finite, or two
///            are further apart than a number can say; ConfigError for a setting out of range
/// Models     none
/// Source     none
[[nodiscard]] Image curve_picture(const std::vector<Curve>& curves, const CurvePictureOptions& options = {});

#if JESSL_DEFINITIONS

JESSL_INLINE std::vector<double> round_numbers(double low, double high) {
  constexpr double most = 7.0;
  JESSL_CHECK(low <= high && std::isfinite(high - low), ConfigError, "jessl::eval::round_numbers: the range is ", low,
              " to ", high, ", expected two finite numbers, the first no larger");
  if (detail::as_good_as_equal(low, high)) return {low};
  for (auto exponent = static_cast<int>(std::floor(std::log10((high - low) / most)));; ++exponent) {
    // Whole powers of ten are exact, tenths are not: with 10 in place of 0.1 the third step is 0.3.
    const double power = std::pow(10.0, std::abs(exponent));
    for (const double times : {1.0, 2.0, 5.0}) {
      const auto in_steps = [&](double value) {
        return exponent < 0 ? value * power / times : value / (times * power);
      };
      const double first = std::ceil(in_steps(low));
      const double last = std::floor(in_steps(high));
      if (last - first >= most) continue;
      std::vector<double> numbers;
      for (double n = first; n <= last; ++n) numbers.push_back(exponent < 0 ? n * times / power : n * times * power);
      return numbers;
    }
  }
}

JESSL_INLINE Image curve_picture(const std::vector<Curve>& curves, const CurvePictureOptions& options) {
  constexpr std::string_view who = "jessl::eval::curve_picture";
  constexpr RGB ink{64, 64, 64};
  detail::check_pixels(who, "width", options.width, 64);
  detail::check_pixels(who, "height", options.height, 64);
  JESSL_CHECK(options.line >= 1.0 && options.line <= 16.0, ConfigError, who, ": line is ", options.line,
              ", expected 1 to 16");
  const auto point = [&](const Curve& curve, std::size_t i) -> std::optional<detail::Place> {
    const double x = curve.x.empty() ? static_cast<double>(i) : curve.x[i];
    if (!std::isfinite(x) || !std::isfinite(curve.y[i])) return std::nullopt;
    return detail::Place{x, curve.y[i]};
  };

  const std::int64_t margin = std::min(options.width, options.height) / 16;
  const std::int64_t bottom = options.height - margin;  // the row of the axis
  const std::int64_t left = margin - 1;                 // the column of the axis
  detail::Axis across{.first = static_cast<double>(left) + 1.5,
                      .last = static_cast<double>(options.width - margin) - 0.5};
  detail::Axis up{.first = static_cast<double>(bottom) - 0.5, .last = static_cast<double>(margin) + 0.5};
  for (std::size_t c = 0; c < curves.size(); ++c) {
    JESSL_CHECK(curves[c].x.empty() || curves[c].x.size() == curves[c].y.size(), ShapeError, who, ": curve ", c,
                " has ", curves[c].x.size(), " x and ", curves[c].y.size(), " y, expected as many, or no x");
    for (std::size_t i = 0; i < curves[c].y.size(); ++i) {
      if (const auto found = point(curves[c], i)) {
        across.include(found->x);
        up.include(found->y);
      }
    }
  }
  JESSL_CHECK(up.low <= up.high, DataError, who, ": there is no point, expected at least one finite number");
  across.settle(who, "x");
  up.settle(who, "y");

  const std::int64_t squares =
      curves.size() > 1 ? static_cast<std::int64_t>(std::min(curves.size(), palette.size())) : 0;
  Image picture =
      detail::blank(options.width + detail::legend_width(options.height, squares), options.height, detail::white);
  detail::draw_legend(picture, options.width, options.height, squares);

  std::vector<float> covered;  // [height, width]: where two pieces of a curve meet, a pixel is painted once
  for (std::size_t c = 0; c < curves.size(); ++c) {
    covered.assign(static_cast<std::size_t>(options.height * options.width), 0.0F);
    std::optional<detail::Place> before;
    for (std::size_t i = 0; i < curves[c].y.size(); ++i) {
      std::optional<detail::Place> here = point(curves[c], i);
      if (here) here = detail::Place{across.at(here->x), up.at(here->y)};
      if (here) {
        detail::for_each_covered({options.height, options.width}, before.value_or(*here), *here, options.line,
                                 [&](std::int64_t y, std::int64_t x, double coverage) {
                                   float& most = covered[static_cast<std::size_t>(y * options.width + x)];
                                   most = std::max(most, static_cast<float>(coverage));
                                 });
      }
      before = here;
    }
    for (std::int64_t y = 0; y < options.height; ++y) {
      for (std::int64_t x = 0; x < options.width; ++x) {
        const float coverage = covered[static_cast<std::size_t>(y * options.width + x)];
        if (coverage > 0.0F) detail::blend(picture, y, x, class_colour(static_cast<std::int64_t>(c)), coverage);
      }
    }
  }

  const std::int64_t tick = std::max<std::int64_t>(1, margin / 4);
  detail::fill(picture, {.top = margin, .left = left, .height = bottom - margin + 1, .width = 1}, ink);
  detail::fill(picture, {.top = bottom, .left = left, .height = 1, .width = options.width - margin - left}, ink);
  for (const double number : round_numbers(up.low, up.high)) {
    const auto row = static_cast<std::int64_t>(up.at(number));
    detail::fill(picture, {.top = row, .left = left - tick, .height = 1, .width = tick}, ink);
  }
  for (const double number : round_numbers(across.low, across.high)) {
    const auto column = static_cast<std::int64_t>(across.at(number));
    detail::fill(picture, {.top = bottom + 1, .left = column, .height = tick, .width = 1}, ink);
  }
  return picture;
}

#endif  // JESSL_DEFINITIONS

}  // namespace jessl::eval

JESSL_OPTIONS(jessl::eval::CurvePictureOptions, width, height, line);
