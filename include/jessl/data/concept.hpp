// SPDX-License-Identifier: Apache-2.0
// What a data set is: numbered stored images, with labels where there are any.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <jessl/core/image.hpp>

namespace jessl {

/// A numbered collection of stored images.
///
/// Data sets are cheap values: copies share what they hold. All members are safe to call from several threads.
///
/// `size()`            number of images
/// `channels()`        1 (grey) or 3 (RGB): every image is handed out, after decoding, with that many channels
/// `classes()`         number of classes; 0 where there are no labels
/// `label(i)`          class of image i in [0, classes()), or -1 where there are no labels
/// `read(i, storage)`  the stored bytes of image i, undecoded; they belong to the data set or lie in `storage`
/// `describe(i)`       where image i comes from, for messages: "train/cat/3.jpg", "train-images.gz, image 17"
///
/// Errors     DataError where image i cannot be read
/// Source     none
template <class D>
concept Dataset = std::copy_constructible<D> &&
    requires(const D& data, std::int64_t i, std::vector<std::byte>& storage) {
  { data.size() } -> std::same_as<std::int64_t>;
  { data.channels() } -> std::same_as<std::int64_t>;
  { data.classes() } -> std::same_as<std::int64_t>;
  { data.label(i) } -> std::same_as<std::int64_t>;
  { data.read(i, storage) } -> std::same_as<EncodedImage>;
  { data.describe(i) } -> std::same_as<std::string>;
};

}  // namespace jessl
