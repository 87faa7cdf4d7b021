// SPDX-License-Identifier: Apache-2.0
// Has a data set read the pages that an epoch comes to, before it does.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include <jessl/core/detail/separate.hpp>
#include <jessl/data/concept.hpp>

namespace jessl::data::detail {

/// Asks for each page of a data set once, a batch before an epoch comes to it.
///
/// An epoch that goes by page begins with many pages at once. To have all of them read first would keep the first batch
/// waiting for bytes of which it needs few, so that no batch asks for more than twice the pages that batches come to on
/// average; those that are behind are asked for while they are in use, and not at all once they are used up.
///
/// Errors     none
/// Source     none
class ReadAhead {
 public:
  /// For an epoch in which batch `number`, first <= number < end, has the images rows(number).
  template <PrefetchingDataset D, class Rows>
  void plan(const D& data, std::int64_t first, std::int64_t end, const Rows& rows) {
    std::unordered_map<std::int64_t, std::size_t> places;
    std::vector<Page> pages;  // by the batch that comes to them first
    for (std::int64_t number = first; number < end; ++number) {
      const std::span<const std::int64_t> images = rows(number);
      for (const std::int64_t image : images) {
        const std::int64_t page = data.page(image);
        const auto [entry, is_new] = places.try_emplace(page, pages.size());
        if (is_new) pages.push_back({page, number, number});
        pages[entry->second].last = number;
      }
    }
    const auto batches = static_cast<std::size_t>(std::max<std::int64_t>(end - first, 1));
    const std::lock_guard lock(mutex_);  // a thread may still be in here for an epoch that was left
    pages_.swap(pages);
    next_ = 0;
    most_ = 2 * ((pages_.size() + batches - 1) / batches);
    batch_ = first - 1;
    asked_ = 0;
  }

  /// Work on batch `number` begins: asks for the pages that it and the next one come to. Any thread may say so.
  template <PrefetchingDataset D>
  void reach(const D& data, std::int64_t number) {
    while (const std::optional<std::int64_t> page = take(number)) data.prefetch(*page);
  }

 private:
  struct Page {
    std::int64_t page = 0;
    std::int64_t first = 0;  // batch that has an image of it
    std::int64_t last = 0;
  };

  /// The next page to ask for in batch `number`.
  [[nodiscard]] std::optional<std::int64_t> take(std::int64_t number);

  std::mutex mutex_{};
  std::vector<Page> pages_{};  // by their first batch
  std::size_t next_ = 0;
  std::size_t most_ = 0;    // pages a batch
  std::int64_t batch_ = 0;  // the last one reached
  std::size_t asked_ = 0;   // pages, in this batch
};

}  // namespace jessl::data::detail

#if JESSL_DEFINITIONS

namespace jessl::data::detail {

JESSL_INLINE std::optional<std::int64_t> ReadAhead::take(std::int64_t number) {
  const std::lock_guard lock(mutex_);
  if (number > batch_) {
    batch_ = number;
    asked_ = 0;
  }
  while (asked_ < most_ && next_ < pages_.size() && pages_[next_].first <= number + 1) {
    const Page& page = pages_[next_++];
    if (page.last < number) continue;
    ++asked_;
    return page.page;
  }
  return std::nullopt;
}

}  // namespace jessl::data::detail

#endif  // JESSL_DEFINITIONS
