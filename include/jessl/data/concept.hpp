// SPDX-License-Identifier: Apache-2.0
// What a data set is: numbered stored images, with labels where there are any.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <jessl/core/draw.hpp>
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

/// A data set whose images lie together in pages: pieces of storage that are better read as a whole.
///
/// `page(i)`           the page of image i: any number, the same for all images that lie together. Cheap: it is asked for
///                     each image once an epoch
///
/// Errors     DataError for an index outside the data set
/// Source     none
template <class D>
concept PagedDataset = Dataset<D> && requires(const D& data, std::int64_t i) {
  { data.page(i) } -> std::same_as<std::int64_t>;
};

/// A paged data set that can read pages ahead: the loader asks for it in orders that go by page.
///
/// `prefetch(page)`    begins to read a page and does not wait for it; nothing for a page that is not there
///
/// Errors     none
/// Source     none
template <class D>
concept PrefetchingDataset = PagedDataset<D> && requires(const D& data, std::int64_t page) {
  { data.prefetch(page) } -> std::same_as<void>;
};

/// The order in which an epoch goes through a data set.
///
/// `arrange(data, key, indices)` writes each index of the data set once into `indices`, which has as many places. A pure
///                     function of the data set's layout, the order's settings, key.seed and key.epoch; every number it
///                     draws is of the purpose Purpose::order
/// `by_page`           true where images that lie together come near each other, so that pages are best read ahead
///
/// Errors     ConfigError for settings out of range
/// Source     none
template <class O, class D>
concept Order = Dataset<D> &&
    requires(const O& order, const D& data, const DrawKey& key, std::span<std::int64_t> indices) {
  { order.arrange(data, key, indices) } -> std::same_as<void>;
  { O::by_page } -> std::convertible_to<bool>;
};

}  // namespace jessl
