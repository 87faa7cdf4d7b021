// SPDX-License-Identifier: Apache-2.0
// The pixels themselves as features: the baseline that any representation must beat.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <jessl/core/error.hpp>
#include <jessl/core/matrix.hpp>
#include <jessl/data/concept.hpp>
#include <jessl/data/decode.hpp>

namespace jessl::data {

/// All images of a data set as rows of numbers in [0, 1], with their labels.
///
/// Shapes     features [N, H*W*C], pixels interleaved, rows from top to bottom
/// Cost       4 bytes a channel of every pixel
/// Randomness none
/// Errors     DataError when an image cannot be decoded; ShapeError when two images differ in size
/// Models     none
/// Source     none
template <Dataset D>
[[nodiscard]] Embedding pixels(const D& data) {
  Embedding result;
  Image scratch;
  std::vector<std::byte> storage;
  for (std::int64_t i = 0; i < data.size(); ++i) {
    const ImageView image = decode(data.read(i, storage), data.channels(), scratch);
    if (i == 0) result.features.resize(data.size(), static_cast<Eigen::Index>(image.pixels.size()));
    JESSL_CHECK(static_cast<Eigen::Index>(image.pixels.size()) == result.features.cols(), ShapeError,
                "jessl::data::pixels: ", data.describe(i), " has ", image.pixels.size(),
                " values, the images before it ", result.features.cols(),
                "; pixels can be compared only between images of one size");
    for (std::size_t k = 0; k < image.pixels.size(); ++k) {
      result.features(i, static_cast<Eigen::Index>(k)) = static_cast<float>(image.pixels[k]) / 255.0F;
    }
    result.labels.push_back(data.label(i));
  }
  return result;
}

}  // namespace jessl::data
