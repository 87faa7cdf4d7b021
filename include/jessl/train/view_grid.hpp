// SPDX-License-Identifier: Apache-2.0
// A picture of what an augmentation does: a row an image, the image itself and its views.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include <jessl/augment/evaluation.hpp>
#include <jessl/augment/progressive.hpp>
#include <jessl/core/draw.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/image.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/views.hpp>
#include <jessl/data/concept.hpp>
#include <jessl/data/decode.hpp>

namespace jessl::train {

/// The settings of view_grid().
///
/// Shapes     none
/// Errors     none; view_grid() checks them
/// Models     jessl::Options
/// Source     none
struct ViewGridOptions {
  static constexpr std::string_view name = "ViewGridOptions";

  std::int64_t images = 8;  ///< rows, >= 1, at most the data set's size; spread evenly over it
  std::int64_t zoom = 3;    ///< screen pixels a pixel, >= 1
  std::uint64_t seed = 0;   ///< of the run whose first epoch is shown
};

/// A grid of views as training sees them: each row an image as evaluation sees it, then its views of epoch 0.
///
/// Shapes     [images * H * zoom, (1 + V) * W * zoom, C], with a border between the tiles
/// Randomness the views of the first epoch of a run with that seed
/// Errors     ConfigError for settings out of range or views of different shapes; what the data set throws
/// Models     none
/// Source     none
template <Dataset D, ViewMaker M>
[[nodiscard]] Image view_grid(const D& data, const M& maker, const ViewGridOptions& options = {}) {
  JESSL_CHECK(options.images >= 1 && options.images <= data.size() && options.zoom >= 1, ConfigError,
              "jessl::train::view_grid: images is ", options.images, " and zoom is ", options.zoom, ", expected 1 to ",
              data.size(), " images and a zoom of at least 1");
  constexpr std::int64_t border = 4;
  constexpr std::uint8_t white = 255;
  const std::int64_t channels = data.channels();
  const ViewShape shape = maker.shape(0, channels);
  const auto plain = evaluation(maker);
  const auto normalize = normalization(maker);
  Draw unused({});
  const auto scale = normalize.sample(unused);

  const std::int64_t tile_height = shape.height * options.zoom + border;
  const std::int64_t tile_width = shape.width * options.zoom + border;
  Image grid(border + tile_width * (1 + M::views), border + tile_height * options.images, channels);
  std::fill(grid.pixels.begin(), grid.pixels.end(), white);
  std::vector<float> view(static_cast<std::size_t>(shape.count()));
  const auto paint = [&](std::int64_t row, std::int64_t column) {
    for (std::int64_t y = 0; y < shape.height * options.zoom; ++y) {
      for (std::int64_t x = 0; x < shape.width * options.zoom; ++x) {
        for (std::int64_t c = 0; c < channels; ++c) {
          const auto at =
              static_cast<std::size_t>((c * shape.height + y / options.zoom) * shape.width + x / options.zoom);
          const auto which =
              static_cast<std::size_t>(channels == 1 ? 3 : c);  // Normalize's fourth pair is for grey images.
          const float value = (view[at] - scale.shift[which]) / scale.scale[which];
          grid.pixels[static_cast<std::size_t>(
              ((border + row * tile_height + y) * grid.width + border + column * tile_width + x) * channels + c)] =
              static_cast<std::uint8_t>(std::lround(std::clamp(value, 0.0F, 1.0F) * 255.0F));
        }
      }
    }
  };

  Image scratch;
  std::vector<std::byte> storage;
  typename M::Scratch maker_scratch;
  typename decltype(plain)::Scratch plain_scratch;
  for (std::int64_t row = 0; row < options.images; ++row) {
    const std::int64_t index = row * data.size() / options.images;
    const ImageView image = data::decode(data.read(index, storage), channels, scratch);
    plain.make(image, {}, plain_scratch, view);
    paint(row, 0);
    for (std::int64_t v = 0; v < M::views; ++v) {
      JESSL_CHECK(maker.shape(v, channels) == shape, ConfigError, "jessl::train::view_grid: view ", v, " is ",
                  maker.shape(v, channels), ", expected ", shape, " as the first");
      maker.make(
          image,
          {.seed = options.seed, .sample = static_cast<std::uint64_t>(index), .view = static_cast<std::uint8_t>(v)},
          maker_scratch, view);
      paint(row, 1 + v);
    }
  }
  return grid;
}

/// The same for views that grow: at their largest.
///
/// Shapes     as above
/// Errors     as above
/// Models     none
/// Source     none
template <Dataset D, ViewMaker M>
[[nodiscard]] Image view_grid(const D& data, const augment::Progressive<M>& maker,
                              const ViewGridOptions& options = {}) {
  return view_grid(data, maker.largest(), options);
}

}  // namespace jessl::train

BOOST_HANA_ADAPT_STRUCT(jessl::train::ViewGridOptions, images, zoom, seed);
