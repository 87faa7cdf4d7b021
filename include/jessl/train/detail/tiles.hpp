// SPDX-License-Identifier: Apache-2.0
// Pictures of images side by side: how an image gets into one, and how they are laid out.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <string_view>
#include <vector>

#include <jessl/augment/evaluation.hpp>
#include <jessl/augment/normalize.hpp>
#include <jessl/augment/pipeline.hpp>
#include <jessl/augment/resize.hpp>
#include <jessl/core/detail/separate.hpp>
#include <jessl/core/draw.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/image.hpp>
#include <jessl/core/views.hpp>
#include <jessl/data/concept.hpp>
#include <jessl/data/decode.hpp>

namespace jessl::train::detail {

/// An image of a data set, decoded; DataError, with the image, where it can't be read.
template <Dataset D>
[[nodiscard]] ImageView image_to_show(std::string_view who, const D& data, std::int64_t index,
                                      std::vector<std::byte>& storage, Image& decoded) {
  try {
    return data::decode(data.read(index, storage), data.channels(), decoded);
  } catch (const DataError& error) {
    fail<DataError>(who, ": image ", index, " (", data.describe(index), ") can't be shown: ", error.what());
  }
}

/// A picture in a grid, and what stands under it.
struct Tile {
  Image picture{};
  Image caption{};

  static constexpr std::int64_t border = 4;  // pixels of white around a picture

  [[nodiscard]] std::int64_t width() const { return std::max(picture.width, caption.width); }
  [[nodiscard]] std::int64_t height() const {
    return picture.height + (caption.height > 0 ? border + caption.height : 0);
  }
};

/// A view as a picture: its values before Normalize, each pixel a square.
[[nodiscard]] Image picture_of(std::span<const float> view, const ViewShape& shape,
                               const augment::Normalize::Params& normalized, std::int64_t zoom);

/// All of an image, as large as it may be within `limit`.
[[nodiscard]] Image whole_image(const ImageView& image, const Extent& limit, std::int64_t zoom,
                                augment::Scratch& scratch);

/// Rows of tiles, all of one length, on white; a column is as wide as its widest tile, a row as high as its highest.
[[nodiscard]] Image arranged(const std::vector<std::vector<Tile>>& rows, std::int64_t channels);

}  // namespace jessl::train::detail

#if JESSL_DEFINITIONS

namespace jessl::train::detail {

JESSL_INLINE Image picture_of(std::span<const float> view, const ViewShape& shape,
                              const augment::Normalize::Params& normalized, std::int64_t zoom) {
  Image picture(shape.width * zoom, shape.height * zoom, shape.channels);
  std::size_t to = 0;
  for (std::int64_t y = 0; y < picture.height; ++y) {
    for (std::int64_t x = 0; x < picture.width; ++x) {
      for (std::int64_t c = 0; c < shape.channels; ++c) {
        const auto from = static_cast<std::size_t>((c * shape.height + y / zoom) * shape.width + x / zoom);
        const auto which =
            static_cast<std::size_t>(shape.channels == 1 ? 3 : c);  // Normalize's fourth pair is for grey images.
        const float value = (view[from] - normalized.shift[which]) / normalized.scale[which];
        picture.pixels[to++] = static_cast<std::uint8_t>(std::lround(std::clamp(value, 0.0F, 1.0F) * 255.0F));
      }
    }
  }
  return picture;
}

JESSL_INLINE Image whole_image(const ImageView& image, const Extent& limit, std::int64_t zoom,
                               augment::Scratch& scratch) {
  const double scale = std::min(static_cast<double>(limit.height) / static_cast<double>(image.height),
                                static_cast<double>(limit.width) / static_cast<double>(image.width));
  const auto scaled = [scale](std::int64_t side) {
    return std::max<std::int64_t>(1, std::llround(scale * static_cast<double>(side)));
  };
  const auto maker = augment::compose(augment::Resize{.size = scaled(image.height), .width = scaled(image.width)},
                                      augment::Normalize{.mean = {0.0, 0.0, 0.0}, .std = {1.0, 1.0, 1.0}});
  const ViewShape shape = maker.shape(0, image.channels);
  std::vector<float> view(static_cast<std::size_t>(shape.count()));
  maker.make(image, {}, scratch, view);
  Draw unused({});
  return picture_of(view, shape, augment::normalization(maker).sample(unused), zoom);
}

JESSL_INLINE void paste(const Image& part, std::int64_t top, std::int64_t left, Image& onto) {
  const auto row = static_cast<std::size_t>(part.width * part.channels);
  for (std::int64_t y = 0; y < part.height; ++y) {
    std::copy_n(part.pixels.begin() + y * part.width * part.channels, row,
                onto.pixels.begin() + ((top + y) * onto.width + left) * onto.channels);
  }
}

JESSL_INLINE Image arranged(const std::vector<std::vector<Tile>>& rows, std::int64_t channels) {
  constexpr std::uint8_t white = 255;
  std::vector<std::int64_t> widths(rows.front().size(), 0);
  std::vector<std::int64_t> heights(rows.size(), 0);
  for (std::size_t row = 0; row < rows.size(); ++row) {
    for (std::size_t column = 0; column < widths.size(); ++column) {
      widths[column] = std::max(widths[column], rows[row][column].width());
      heights[row] = std::max(heights[row], rows[row][column].height());
    }
  }
  const auto side = [](const std::vector<std::int64_t>& lengths) {
    const auto borders = static_cast<std::int64_t>(lengths.size() + 1) * Tile::border;
    return std::accumulate(lengths.begin(), lengths.end(), borders);
  };
  Image grid(side(widths), side(heights), channels);
  std::fill(grid.pixels.begin(), grid.pixels.end(), white);
  std::int64_t top = Tile::border;
  for (std::size_t row = 0; row < rows.size(); ++row) {
    std::int64_t left = Tile::border;
    for (std::size_t column = 0; column < widths.size(); ++column) {
      const Tile& tile = rows[row][column];
      paste(tile.picture, top, left, grid);
      paste(tile.caption, top + tile.picture.height + Tile::border, left, grid);
      left += widths[column] + Tile::border;
    }
    top += heights[row] + Tile::border;
  }
  return grid;
}

}  // namespace jessl::train::detail

#endif  // JESSL_DEFINITIONS
