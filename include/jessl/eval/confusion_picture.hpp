// SPDX-License-Identifier: Apache-2.0
// A confusion matrix as an image.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>

#include <Eigen/Core>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/image.hpp>
#include <jessl/core/options.hpp>
#include <jessl/eval/confusion_matrix.hpp>
#include <jessl/eval/detail/canvas.hpp>
#include <jessl/eval/palette.hpp>

namespace jessl::eval {

/// The settings of confusion_picture().
///
/// Shapes     none
/// Units      zoom: pixels
/// Errors     none; confusion_picture() checks them
/// Models     jessl::Options
/// Source     none
struct ConfusionPictureOptions {
  static constexpr std::string_view name = "ConfusionPictureOptions";

  std::int64_t zoom = 0;  ///< side of a cell, 1 to 16384 / classes; 0: 16, less for more than 256 classes
};

/// A confusion matrix, a square of one colour for each of its cells; io::save_png writes it as a file.
///
/// The cell in row i and column j shows the share of class i's images that are taken for class j, from dark blue (none)
/// to yellow (all), on the map eval::viridis. The row of a class without images is light grey (eval::unlabelled_colour).
///
/// Shapes     counts: [C, C] -> [C zoom, C zoom, 3]
/// Units      zoom: pixels
/// Errors     ShapeError for a matrix that is not square, is empty or has more than 16384 classes; DataError for a count
///            below 0; ConfigError for zoom below 0, or such that the picture has a side of more than 16384 pixels
/// Models     none
/// Source     that of eval::viridis
[[nodiscard]] Image confusion_picture(const ConfusionMatrix& counts, const ConfusionPictureOptions& options = {});

#if JESSL_DEFINITIONS

JESSL_INLINE Image confusion_picture(const ConfusionMatrix& counts, const ConfusionPictureOptions& options) {
  constexpr std::string_view who = "jessl::eval::confusion_picture";
  JESSL_CHECK(counts.rows() > 0 && counts.rows() == counts.cols(), ShapeError, who, ": counts is [", counts.rows(),
              ", ", counts.cols(), "], expected [C, C], as eval::confusion_matrix gives it");
  const Eigen::Index classes = counts.rows();
  JESSL_CHECK(classes <= detail::longest_side, ShapeError, who, ": counts is [", classes, ", ", classes,
              "], expected at most ", detail::longest_side, " classes");
  detail::check_pixels(who, "zoom", options.zoom, 0, detail::longest_side / classes);
  constexpr std::int64_t usual_side = 4096;
  const std::int64_t zoom = options.zoom > 0 ? options.zoom : std::clamp<std::int64_t>(usual_side / classes, 1, 16);
  Image picture = detail::blank(classes * zoom, classes * zoom, unlabelled_colour);
  for (Eigen::Index i = 0; i < classes; ++i) {
    double images = 0.0;
    for (Eigen::Index j = 0; j < classes; ++j) {
      JESSL_CHECK(counts(i, j) >= 0, DataError, who, ": counts(", i, ", ", j, ") is ", counts(i, j),
                  ", expected a number of images");
      images += static_cast<double>(counts(i, j));
    }
    if (images == 0.0) continue;
    for (Eigen::Index j = 0; j < classes; ++j) {
      detail::fill(picture, {.top = i * zoom, .left = j * zoom, .height = zoom, .width = zoom},
                   viridis(static_cast<double>(counts(i, j)) / images));
    }
  }
  return picture;
}

#endif  // JESSL_DEFINITIONS

}  // namespace jessl::eval

JESSL_OPTIONS(jessl::eval::ConfusionPictureOptions, zoom);
