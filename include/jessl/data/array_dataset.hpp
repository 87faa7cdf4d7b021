// SPDX-License-Identifier: Apache-2.0
// Images that the program itself has in memory.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/image.hpp>
#include <jessl/data/concept.hpp>
#include <jessl/data/detail/raw_images.hpp>

namespace jessl::data {

/// What an ArrayDataset is made from.
///
/// Shapes     pixels: [N, height, width, channels], labels: [N]
/// Errors     none; ArrayDataset checks it
/// Models     none
/// Source     none
struct ImageArray {
  std::vector<std::uint8_t> pixels{};  ///< [N, height, width, channels]
  std::int64_t height = 0;             ///< pixels, >= 1
  std::int64_t width = 0;              ///< pixels, >= 1
  std::int64_t channels = 1;           ///< 1 (grey) or 3 (RGB)
  std::vector<std::int64_t> labels{};  ///< [N], each 0 to 2^31, or empty: no labels
  std::int64_t classes = 0;            ///< number of classes; 0: one more than the largest label
  std::string title = "array";         ///< what messages call it
};

/// 8-bit images of one size in memory.
///
/// Written as ArrayDataset{{.pixels = pixels, .height = 28, .width = 28, .labels = labels}}. Copies share the pixels.
///
/// Shapes     pixels [N, H, W, C], labels [N]
/// Errors     ShapeError when pixels or labels do not fit the extents; DataError for a label outside the classes
/// Models     jessl::Dataset (docs/data/README.md)
/// Source     none
class ArrayDataset {
 public:
  static constexpr std::string_view name = "ArrayDataset";

  explicit ArrayDataset(ImageArray array);

  [[nodiscard]] std::int64_t size() const { return images_->count; }
  [[nodiscard]] std::int64_t channels() const { return images_->channels; }
  [[nodiscard]] std::int64_t classes() const { return images_->classes; }
  [[nodiscard]] std::int64_t label(std::int64_t i) const { return images_->label(i, who); }
  [[nodiscard]] EncodedImage read(std::int64_t i, std::vector<std::byte>&) const { return images_->read(i, who); }
  [[nodiscard]] std::string describe(std::int64_t i) const;

 private:
  static constexpr std::string_view who = "jessl::data::ArrayDataset";

  std::string title_;
  std::shared_ptr<const detail::RawImages> images_;
};

static_assert(Dataset<ArrayDataset>);

}  // namespace jessl::data

#if JESSL_DEFINITIONS

namespace jessl::data {

JESSL_INLINE ArrayDataset::ArrayDataset(ImageArray array) : title_(std::move(array.title)) {
  JESSL_CHECK(array.height >= 1 && array.width >= 1 && (array.channels == 1 || array.channels == 3), ShapeError, who,
              ": an image is [height, width, channels] = [", array.height, ", ", array.width, ", ", array.channels,
              "], expected extents of at least 1 and 1 or 3 channels");
  std::int64_t bytes = 0;
  JESSL_CHECK(!__builtin_mul_overflow(array.height, array.width, &bytes) &&
                  !__builtin_mul_overflow(bytes, array.channels, &bytes),
              ShapeError, who, ": an image of ", array.height, " x ", array.width, " x ", array.channels,
              " bytes is more than any memory holds");
  const auto total = static_cast<std::int64_t>(array.pixels.size());
  JESSL_CHECK(total % bytes == 0, ShapeError, who, ": ", total, " bytes of pixels are no whole number of images of ",
              array.height, " x ", array.width, " x ", array.channels, " = ", bytes, " bytes");
  const auto labels = static_cast<std::int64_t>(array.labels.size());
  JESSL_CHECK(labels == 0 || labels == total / bytes, ShapeError, who, ": ", labels, " labels for ", total / bytes,
              " images, expected one for each image or none at all");
  const std::int64_t most = array.classes == 0 ? detail::most_label : array.classes - 1;
  for (std::size_t i = 0; i < array.labels.size(); ++i) {
    JESSL_CHECK(array.labels[i] >= 0 && array.labels[i] <= most, DataError, who, ": the label of image ", i, " is ",
                array.labels[i], ", expected 0 to ", most);
  }
  if (array.classes == 0) array.classes = detail::count_classes(array.labels);
  images_ = std::make_shared<const detail::RawImages>(
      detail::RawImages{std::move(array.pixels), total / bytes, array.height, array.width, array.channels,
                        std::move(array.labels), labels == 0 ? 0 : array.classes});
}

JESSL_INLINE std::string ArrayDataset::describe(std::int64_t i) const { return concat(title_, ", image ", i); }

}  // namespace jessl::data

#endif  // JESSL_DEFINITIONS
