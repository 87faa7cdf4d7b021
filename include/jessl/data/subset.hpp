// SPDX-License-Identifier: Apache-2.0
// Some images of a data set: by number, by what a function says, by label, or a share of each class.
#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include <jessl/core/draw.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/image.hpp>
#include <jessl/data/concept.hpp>
#include <jessl/data/detail/raw_images.hpp>

namespace jessl::data {

/// The images of another data set that a list of indices names; made by subset(), filter(), by_label() and fraction().
///
/// Classes stay those of the whole set, so that labels mean the same, and so do pages, where it has them. Copies share
/// the list.
///
/// Shapes     none
/// Cost       prefetch(): one pass over the pages of the whole data set, at the first call
/// Errors     DataError for an index outside the data set
/// Models     jessl::Dataset (docs/data/README.md)
/// Source     none
template <Dataset D>
class Subset {
 public:
  static constexpr std::string_view name = "Subset";

  Subset(D whole, std::vector<std::int64_t> indices) : whole_(std::move(whole)) {
    for (std::size_t k = 0; k < indices.size(); ++k) {
      JESSL_CHECK(indices[k] >= 0 && indices[k] < whole_.size(), DataError, "jessl::data::subset: indices[", k, "] is ",
                  indices[k], ", expected 0 to ", whole_.size() - 1, ", the images of the data set");
    }
    state_ = std::make_shared<const State>(std::move(indices));
  }

  [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(state_->indices.size()); }
  [[nodiscard]] std::int64_t channels() const { return whole_.channels(); }
  [[nodiscard]] std::int64_t classes() const { return whole_.classes(); }
  [[nodiscard]] std::int64_t label(std::int64_t i) const { return whole_.label(index(i)); }
  [[nodiscard]] EncodedImage read(std::int64_t i, std::vector<std::byte>& storage) const {
    return whole_.read(index(i), storage);
  }
  [[nodiscard]] std::string describe(std::int64_t i) const { return whole_.describe(index(i)); }
  [[nodiscard]] std::int64_t page(std::int64_t i) const requires PagedDataset<D> { return whole_.page(index(i)); }

  /// Has the whole data set read a page, where at least half the images in this subset's pages are its own: few of many
  /// are better read one by one.
  void prefetch(std::int64_t page) const requires PrefetchingDataset<D> {
    std::call_once(state_->counted, [this] { state_->fills_pages = fills_pages(); });
    if (state_->fills_pages) whole_.prefetch(page);
  }

  /// The data set that this is a part of.
  [[nodiscard]] const D& whole() const { return whole_; }

  /// The number that image i has in the whole data set.
  [[nodiscard]] std::int64_t index(std::int64_t i) const {
    detail::check_index(i, size(), "jessl::data::Subset");
    return state_->indices[static_cast<std::size_t>(i)];
  }

 private:
  struct State {
    explicit State(std::vector<std::int64_t> list) : indices(std::move(list)) {}
    std::vector<std::int64_t> indices;
    mutable std::once_flag counted{};
    mutable bool fills_pages = false;
  };

  [[nodiscard]] bool fills_pages() const {
    std::vector<std::int64_t> images = state_->indices;
    std::sort(images.begin(), images.end());
    images.erase(std::unique(images.begin(), images.end()), images.end());
    std::unordered_set<std::int64_t> pages;
    for (const std::int64_t image : images) pages.insert(whole_.page(image));
    std::size_t in_pages = 0;
    for (std::int64_t image = 0; image < whole_.size(); ++image) in_pages += pages.count(whole_.page(image));
    return 2 * images.size() >= in_pages;
  }

  D whole_;
  std::shared_ptr<const State> state_;
};

/// The images that `indices` names, in that order; an image may come more than once.
template <Dataset D>
[[nodiscard]] Subset<D> subset(const D& whole, std::vector<std::int64_t> indices) {
  return {whole, std::move(indices)};
}

/// A subset of a subset is a subset of the whole: reading costs one look-up, however often one has chosen.
template <Dataset D>
[[nodiscard]] Subset<D> subset(const Subset<D>& part, const std::vector<std::int64_t>& indices) {
  const Subset<Subset<D>> checked(part, indices);
  std::vector<std::int64_t> of_whole;
  of_whole.reserve(indices.size());
  for (std::int64_t i = 0; i < checked.size(); ++i) of_whole.push_back(part.index(checked.index(i)));
  return {part.whole(), std::move(of_whole)};
}

/// The `count` images from `first` on.
template <Dataset D>
[[nodiscard]] auto subset(const D& whole, std::int64_t first, std::int64_t count) {
  JESSL_CHECK(first >= 0 && count >= 0 && first <= whole.size() && count <= whole.size() - first, DataError,
              "jessl::data::subset: ", count, " images from ", first, " on, of a data set of ", whole.size(),
              "; it has images 0 to ", whole.size() - 1);
  std::vector<std::int64_t> indices(static_cast<std::size_t>(count));
  std::iota(indices.begin(), indices.end(), first);
  return subset(whole, std::move(indices));
}

/// The images for which `keep(index, label)` is true, in their order.
template <Dataset D, std::predicate<std::int64_t, std::int64_t> Keep>
[[nodiscard]] auto filter(const D& whole, const Keep& keep) {
  std::vector<std::int64_t> indices;
  for (std::int64_t i = 0; i < whole.size(); ++i) {
    if (keep(i, whole.label(i))) indices.push_back(i);
  }
  return subset(whole, std::move(indices));
}

/// The images whose label is one of `labels`, in their order. Classes keep their numbers.
template <Dataset D>
[[nodiscard]] auto by_label(const D& whole, std::vector<std::int64_t> labels) {
  JESSL_CHECK(whole.classes() >= 1, DataError, "jessl::data::by_label: the data set has no labels");
  for (std::size_t k = 0; k < labels.size(); ++k) {
    JESSL_CHECK(labels[k] >= 0 && labels[k] < whole.classes(), DataError, "jessl::data::by_label: labels[", k, "] is ",
                labels[k], ", expected 0 to ", whole.classes() - 1, ", the classes of the data set");
  }
  std::sort(labels.begin(), labels.end());
  return filter(whole, [&labels](std::int64_t, std::int64_t label) {
    return std::binary_search(labels.begin(), labels.end(), label);
  });
}

/// A share of the images of each class, chosen at random, in their order.
///
/// A function of the data set's labels and the seed alone; a smaller share is part of a larger one of the same seed. Of a
/// class of n images it has share * n, rounded, and at least one unless the share is 0. Without labels all images
/// are of one class.
template <Dataset D>
[[nodiscard]] auto fraction(const D& whole, double share, std::uint64_t seed = 0) {
  JESSL_CHECK(share >= 0 && share <= 1, ConfigError, "jessl::data::fraction: share is ", share,
              ", expected one in [0, 1]");
  std::map<std::int64_t, std::vector<std::int64_t>> classes;
  for (std::int64_t i = 0; i < whole.size(); ++i) classes[whole.label(i)].push_back(i);
  std::vector<std::int64_t> chosen;
  for (auto& [label, images] : classes) {
    // Label -1, which stands for none, is stream 0.
    Draw({.seed = seed, .sample = static_cast<std::uint64_t>(label + 1), .purpose = Purpose::selection})
        .shuffle(std::span(images));
    const auto rounded = static_cast<std::size_t>(std::llround(share * static_cast<double>(images.size())));
    const std::size_t count = share == 0 ? 0 : std::max(rounded, std::size_t{1});
    chosen.insert(chosen.end(), images.begin(), images.begin() + static_cast<std::ptrdiff_t>(count));
  }
  std::sort(chosen.begin(), chosen.end());
  return subset(whole, std::move(chosen));
}

}  // namespace jessl::data
