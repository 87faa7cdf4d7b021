// SPDX-License-Identifier: Apache-2.0
// A picture of what an augmentation does: a row an image, the image itself and its views.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <utility>
#include <vector>

#include <jessl/augment/evaluation.hpp>
#include <jessl/augment/normalize.hpp>
#include <jessl/augment/pipeline.hpp>
#include <jessl/core/draw.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/image.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/shape.hpp>
#include <jessl/core/views.hpp>
#include <jessl/data/concept.hpp>
#include <jessl/train/detail/tiles.hpp>

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
  std::uint64_t seed = 0;   ///< of the run whose views are shown
  std::int64_t epoch = 0;   ///< of that run, >= 0
};

/// What a view_grid() puts under its pictures: nothing.
///
/// A caption of your own is called with the view (-1 for the image itself), the image's extent and the key of the view,
/// whose `sample` is the image's index, and returns a picture with as many channels as the images, or an empty one.
///
/// Shapes     an image of any size
/// Errors     none
/// Models     none
/// Source     none
struct NoCaption {
  [[nodiscard]] Image operator()(std::int64_t /*view*/, const Extent& /*extent*/, const DrawKey& /*key*/) const {
    return {};
  }
};

/// A grid of views as training sees them: each row an image, whole, then its views of one epoch, each in its own size.
///
/// The image itself is as large as the first view, in its own proportions. What was normalised is shown as it was before,
/// by the first view's mean and deviation.
///
/// Shapes     [H, W, C]; H and W follow from the sizes of views and captions, with a border of four pixels between them
/// Randomness the views of that epoch of a run with that seed
/// Errors     ConfigError for settings out of range; ShapeError for a caption with another number of channels; DataError,
///            with the image, where one can't be read; what the maker throws
/// Models     none
/// Source     none
template <Dataset D, ViewMaker M, class Caption = NoCaption>
[[nodiscard]] Image view_grid(const D& data, const M& maker, const ViewGridOptions& options = {},
                              const Caption& caption = {}) {
  constexpr std::string_view who = "jessl::train::view_grid";
  JESSL_CHECK(options.images >= 1 && options.images <= data.size() && options.zoom >= 1, ConfigError, who,
              ": images is ", options.images, " and zoom is ", options.zoom, ", expected 1 to ", data.size(),
              " images and a zoom of at least 1");
  constexpr std::int64_t last_epoch = std::numeric_limits<std::uint32_t>::max();
  JESSL_CHECK(options.epoch >= 0 && options.epoch <= last_epoch, ConfigError, who, ": epoch is ", options.epoch,
              ", expected 0 to ", last_epoch);
  const std::int64_t channels = data.channels();
  const ViewShape first = shape_in_epoch(maker, 0, channels, options.epoch);
  constexpr std::int64_t longest =
      16384;  // pixels of a picture's side: more is a slip of the keyboard, and no memory holds it
  JESSL_CHECK(options.zoom <= longest / std::max(first.height, first.width), ConfigError, who, ": zoom is ",
              options.zoom, " for views of ", first.height, " x ", first.width,
              " pixels, expected pictures of at most ", longest);
  Draw unused({});
  const augment::Normalize::Params normalized = normalization(maker).sample(unused);

  Image decoded;
  std::vector<std::byte> storage;
  typename M::Scratch scratch;
  augment::Scratch whole_scratch;
  std::vector<float> view;
  std::vector<std::vector<detail::Tile>> rows;
  for (std::int64_t row = 0; row < options.images; ++row) {
    const std::int64_t index = row * data.size() / options.images;
    const ImageView image = detail::image_to_show(who, data, index, storage, decoded);
    DrawKey key{.seed = options.seed,
                .epoch = static_cast<std::uint32_t>(options.epoch),
                .sample = static_cast<std::uint64_t>(index)};
    const auto add = [&](Image picture, std::int64_t which) {
      Image text = caption(which, Extent{image.height, image.width}, key);
      JESSL_CHECK(text.height == 0 || text.channels == channels, ShapeError, who, ": the caption has ", text.channels,
                  " channels, expected ", channels, " as the images");
      rows.back().push_back({std::move(picture), std::move(text)});
    };
    rows.emplace_back();
    add(detail::whole_image(image, {first.height, first.width}, options.zoom, whole_scratch), -1);
    for (std::int64_t v = 0; v < M::views; ++v) {
      key.view = static_cast<std::uint8_t>(v);
      const ViewShape shape = shape_in_epoch(maker, v, channels, options.epoch);
      view.resize(static_cast<std::size_t>(shape.count()));
      maker.make(image, key, scratch, view);
      add(detail::picture_of(view, shape, normalized, options.zoom), v);
    }
  }
  return detail::arranged(rows, channels);
}

}  // namespace jessl::train

JESSL_OPTIONS(jessl::train::ViewGridOptions, images, zoom, seed, epoch);
