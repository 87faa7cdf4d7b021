// SPDX-License-Identifier: Apache-2.0
// A map of features in two dimensions, as an image.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <string_view>
#include <vector>

#include <Eigen/Core>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/draw.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/image.hpp>
#include <jessl/core/options.hpp>
#include <jessl/eval/concept.hpp>
#include <jessl/eval/detail/canvas.hpp>
#include <jessl/eval/detail/checks.hpp>
#include <jessl/eval/detail/rows.hpp>
#include <jessl/eval/palette.hpp>

namespace jessl::eval {

/// The settings of scatter_picture().
///
/// Shapes     none
/// Units      size, radius: pixels
/// Errors     none; scatter_picture() checks them
/// Models     jessl::Options
/// Source     none
struct ScatterPictureOptions {
  static constexpr std::string_view name = "ScatterPictureOptions";

  std::int64_t size = 640;  ///< side of the square with the points, 64 to 16384
  double radius = 2.5;      ///< of a point's disc, 1 to size / 8
  std::uint64_t seed = 0;   ///< of the order in which points are drawn
};

/// A map of points, a disc each, coloured by class; io::save_png writes it as a file.
///
/// Both axes have one scale, so that distances are what they look like: the longer of the two ranges takes the square's
/// inside, the other one is centred. x grows to the right, y upwards. The points are drawn in a random order, so that no
/// class hides another because it comes later; those without a label (below 0) are light grey, beneath all others. To
/// the right of the square stands a small square for each class, the first on top, in the class's colour
/// (eval::class_colour); classes from the eleventh on share the colours of the first ten, which are all there then.
///
/// Shapes     points: [N, 2], labels: [N] -> [size, size + legend, 3]; the legend is max(4, size / 40) + size / 32 wide,
///            and 0 where there is no label
/// Units      size, radius: pixels
/// Cost       N times the area of a disc
/// Randomness the order of drawing: Purpose::order of the seed, operation 1
/// Errors     ShapeError for points that are not [N, 2], or another number of labels; DataError where there are none, for
///            NaN or infinity; ConfigError for a setting out of range
/// Models     none
/// Source     none
template <class = void>
[[nodiscard]] Image scatter_picture(const Features& points, Labels labels, const ScatterPictureOptions& options = {}) {
  constexpr std::string_view who = "jessl::eval::scatter_picture";
  detail::check_pixels(who, "size", options.size, 64);
  const auto side = static_cast<double>(options.size);
  JESSL_CHECK(options.radius >= 1.0 && options.radius <= side / 8.0, ConfigError, who, ": radius is ", options.radius,
              ", expected 1 to ", side / 8.0, ", an eighth of size");
  JESSL_CHECK(points.cols() == 2, ShapeError, who, ": points is ", detail::shape_of(points),
              ", expected [N, 2]; eval::PCA makes two dimensions of more");
  JESSL_CHECK(static_cast<std::size_t>(points.rows()) == labels.size(), ShapeError, who, ": points is ",
              detail::shape_of(points), " but there are ", labels.size(), " labels, expected one a row");
  detail::check_rows(who, points, 1, "points");
  detail::check_finite(who, points, 0, points.rows(), "points");

  const std::int64_t margin = options.size / 32;
  const Eigen::RowVector2d least = points.colwise().minCoeff().cast<double>();
  const Eigen::RowVector2d most = points.colwise().maxCoeff().cast<double>();
  const Eigen::RowVector2d middle = 0.5 * (least + most);
  const double range = (most - least).maxCoeff();
  const double inside = side - 2.0 * (static_cast<double>(margin) + options.radius);
  const double scale = range > 0.0 ? inside / range : 0.0;

  const std::int64_t last_class = *std::max_element(labels.begin(), labels.end());
  const std::int64_t squares = std::clamp<std::int64_t>(last_class, -1, palette.size() - 1) + 1;
  Image picture =
      detail::blank(options.size + detail::legend_width(options.size, squares), options.size, detail::white);
  detail::draw_legend(picture, options.size, options.size, squares);

  std::vector<Eigen::Index> order(labels.size());
  std::iota(order.begin(), order.end(), Eigen::Index{0});
  Draw({.seed = options.seed, .operation = 1, .purpose = Purpose::order}).shuffle(std::span(order));
  for (const bool labelled : {false, true}) {
    for (const Eigen::Index row : order) {
      const std::int64_t label = labels[static_cast<std::size_t>(row)];
      if ((label >= 0) != labelled) continue;
      const Eigen::RowVector2d off = scale * (points.row(row).cast<double>() - middle);
      const detail::Place place{0.5 * side + off(0), 0.5 * side - off(1)};
      detail::for_each_covered({options.size, options.size}, place, place, 2.0 * options.radius,
                               [&](std::int64_t y, std::int64_t x, double coverage) {
                                 detail::blend(picture, y, x, class_colour(label), coverage);
                               });
    }
  }
  return picture;
}

JESSL_INSTANTIATE(Image scatter_picture<void>(const Features&, Labels, const ScatterPictureOptions&));

}  // namespace jessl::eval

JESSL_OPTIONS(jessl::eval::ScatterPictureOptions, size, radius, seed);
