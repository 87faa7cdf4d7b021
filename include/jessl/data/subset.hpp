// SPDX-License-Identifier: Apache-2.0
// Some images of a data set, in an order of one's own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <numeric>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <jessl/core/error.hpp>
#include <jessl/core/image.hpp>
#include <jessl/data/concept.hpp>
#include <jessl/data/detail/raw_images.hpp>

namespace jessl::data {

/// The images of another data set that a list of indices names; made by subset().
///
/// Classes stay those of the whole set, so that labels mean the same. Copies share the list.
///
/// Shapes     none
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
    indices_ = std::make_shared<const std::vector<std::int64_t>>(std::move(indices));
  }

  [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(indices_->size()); }
  [[nodiscard]] std::int64_t channels() const { return whole_.channels(); }
  [[nodiscard]] std::int64_t classes() const { return whole_.classes(); }
  [[nodiscard]] std::int64_t label(std::int64_t i) const { return whole_.label(index(i)); }
  [[nodiscard]] EncodedImage read(std::int64_t i, std::vector<std::byte>& storage) const {
    return whole_.read(index(i), storage);
  }
  [[nodiscard]] std::string describe(std::int64_t i) const { return whole_.describe(index(i)); }

  /// The data set that this is a part of.
  [[nodiscard]] const D& whole() const { return whole_; }

  /// The number that image i has in the whole data set.
  [[nodiscard]] std::int64_t index(std::int64_t i) const {
    detail::check_index(i, size(), "jessl::data::Subset");
    return (*indices_)[static_cast<std::size_t>(i)];
  }

 private:
  D whole_;
  std::shared_ptr<const std::vector<std::int64_t>> indices_;
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
              "jessl::data::subset: ", count, " images from ", first, " on, of a data set of ", whole.size());
  std::vector<std::int64_t> indices(static_cast<std::size_t>(count));
  std::iota(indices.begin(), indices.end(), first);
  return subset(whole, std::move(indices));
}

}  // namespace jessl::data
