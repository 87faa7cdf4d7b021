// SPDX-License-Identifier: Apache-2.0
// A picture of what an encoder takes for alike: a row a query, the query and the images whose features are nearest.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include <jessl/augment/pipeline.hpp>
#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/image.hpp>
#include <jessl/core/log.hpp>
#include <jessl/core/options.hpp>
#include <jessl/data/concept.hpp>
#include <jessl/eval/detail/canvas.hpp>
#include <jessl/eval/nearest_neighbours.hpp>
#include <jessl/eval/palette.hpp>
#include <jessl/train/detail/tiles.hpp>

namespace jessl::train {

/// The settings of neighbour_sheet().
///
/// Shapes     none
/// Units      size: pixels
/// Errors     none; neighbour_sheet() checks them
/// Models     jessl::Options
/// Source     none
struct NeighbourSheetOptions {
  static constexpr std::string_view name = "NeighbourSheetOptions";

  std::int64_t images = 8;      ///< rows, >= 1, at most the queries; spread evenly over them
  std::int64_t neighbours = 8;  ///< shown of each, >= 1
  std::int64_t skip = 0;        ///< nearest ones left out, >= 0: 1 where the queries are in the bank themselves
  std::int64_t size = 64;       ///< longer side of an image, 8 to 1024 pixels
};

/// The frame of a neighbour whose class is the query's: blue.
inline constexpr eval::RGB same_class_colour = eval::palette[0];

/// The frame of a neighbour of another class: red.
inline constexpr eval::RGB other_class_colour = eval::palette[2];

namespace detail {

inline constexpr std::int64_t frame_width = 3;  // pixels

/// A picture in colour, with a frame around it.
[[nodiscard]] Image framed(const Image& picture, const eval::RGB& colour);

}  // namespace detail

/// A grid of images and their nearest neighbours: each row a query, then the images of the bank whose features are
/// nearest to its own, nearest first.
///
/// A neighbour's frame says whether its label is the query's: same_class_colour where it is, other_class_colour where it
/// is not, eval::unlabelled_colour where either has none; a query's is white. Images are whole, in their own proportions;
/// one that can't be read is a warning, and its place is blank.
///
///     const auto found = eval::NearestNeighbours{}.fit(trainer.embed(train).features).find(trainer.embed(test).features, 8);
///     io::save_png("neighbours.png", train::neighbour_sheet(test, train, found).view());
///
/// Shapes     found: [M, k], M the size of queries, rows of the bank -> [H, W, 3]; pictures are size + 6 on their longer
///            side, with a border of four pixels between them
/// Units      size: pixels
/// Randomness none
/// Errors     ConfigError for settings out of range, among them neighbours + skip > k; ShapeError where `found` has not a
///            row a query; DataError for a row that the bank does not have
/// Models     none
/// Source     none
template <Dataset Q, Dataset B>
[[nodiscard]] Image neighbour_sheet(const Q& queries, const B& bank, const eval::Neighbours& found,
                                    const NeighbourSheetOptions& options = {}) {
  constexpr std::string_view who = "jessl::train::neighbour_sheet";
  JESSL_CHECK(found.rows.rows() == queries.size(), ShapeError, who, ": found has ", found.rows.rows(),
              " rows but there are ", queries.size(),
              " queries, expected one each: find() the features of all of them");
  JESSL_CHECK(options.images >= 1 && options.images <= queries.size(), ConfigError, who, ": images is ", options.images,
              ", expected 1 to ", queries.size(), ", the number of queries");
  JESSL_CHECK(options.neighbours >= 1 && options.skip >= 0 && options.neighbours <= found.rows.cols() - options.skip,
              ConfigError, who, ": neighbours is ", options.neighbours, " and skip is ", options.skip,
              ", expected at least 1 and 0, together at most ", found.rows.cols(), ", which were found of each");
  eval::detail::check_pixels(who, "size", options.size, 8, 1024);

  Image decoded;
  std::vector<std::byte> storage;
  augment::Scratch scratch;
  const auto show = [&](const auto& data, std::int64_t index, const eval::RGB& frame) {
    try {
      const ImageView image = detail::image_to_show(who, data, index, storage, decoded);
      return detail::framed(detail::whole_image(image, {options.size, options.size}, 1, scratch), frame);
    } catch (const DataError& error) {  // one picture of many: the others are worth seeing
      warn(error.what(), "; its place is left blank");
      return detail::framed(eval::detail::blank(options.size, options.size, eval::detail::white), frame);
    }
  };
  std::vector<std::vector<detail::Tile>> rows;
  for (std::int64_t row = 0; row < options.images; ++row) {
    const std::int64_t query = row * queries.size() / options.images;
    const std::int64_t label = queries.label(query);
    rows.emplace_back();
    rows.back().push_back({.picture = show(queries, query, eval::detail::white)});
    for (std::int64_t n = options.skip; n < options.skip + options.neighbours; ++n) {
      const std::int64_t neighbour = found.rows(query, n);
      JESSL_CHECK(neighbour >= 0 && neighbour < bank.size(), DataError, who, ": found.rows(", query, ", ", n, ") is ",
                  neighbour, ", expected a row of the bank, which has ", bank.size(), " images");
      const std::int64_t other = bank.label(neighbour);
      const bool known = label >= 0 && other >= 0;
      rows.back().push_back({.picture = show(bank, neighbour,
                                             !known           ? eval::unlabelled_colour
                                             : label == other ? same_class_colour
                                                              : other_class_colour)});
    }
  }
  return detail::arranged(rows, 3);
}

}  // namespace jessl::train

JESSL_OPTIONS(jessl::train::NeighbourSheetOptions, images, neighbours, skip, size);

#if JESSL_DEFINITIONS

namespace jessl::train::detail {

JESSL_INLINE Image framed(const Image& picture, const eval::RGB& colour) {
  Image result = eval::detail::blank(picture.width + 2 * frame_width, picture.height + 2 * frame_width, colour);
  for (std::int64_t y = 0; y < picture.height; ++y) {
    for (std::int64_t x = 0; x < picture.width; ++x) {
      const auto to = static_cast<std::size_t>(((y + frame_width) * result.width + x + frame_width) * 3);
      for (std::int64_t c = 0; c < 3; ++c) {
        result.pixels[to + static_cast<std::size_t>(c)] = picture.view().at(y, x, picture.channels == 1 ? 0 : c);
      }
    }
  }
  return result;
}

}  // namespace jessl::train::detail

#endif  // JESSL_DEFINITIONS
