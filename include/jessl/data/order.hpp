// SPDX-License-Identifier: Apache-2.0
// The order in which an epoch goes through a data set: as it lies, shuffled, or shuffled page by page.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/hana/tuple.hpp>
#include <boost/hana/type.hpp>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/draw.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/options.hpp>
#include <jessl/data/concept.hpp>

namespace jessl::data::order {

/// The images as they are numbered: 0, 1, 2, ...
///
/// Shapes     indices: [N]
/// Randomness none
/// Errors     none
/// Models     jessl::Order (docs/data/order.md)
/// Source     none
struct Sequential {
  static constexpr std::string_view name = "Sequential";
  static constexpr bool by_page = true;

  template <Dataset D>
  void arrange(const D&, const DrawKey&, std::span<std::int64_t> indices) const {
    std::iota(indices.begin(), indices.end(), std::int64_t{0});
  }
};

/// All images in a uniformly random order, a new one each epoch.
///
/// For data that fit into memory, or lie on storage that does not mind where it is read.
///
/// Shapes     indices: [N]
/// Cost       one draw an image
/// Randomness one stream of Purpose::order an epoch
/// Errors     none
/// Models     jessl::Order (docs/data/order.md)
/// Source     Fisher and Yates, as Draw::shuffle has it
struct Shuffled {
  static constexpr std::string_view name = "Shuffled";
  static constexpr bool by_page = false;

  template <Dataset D>
  void arrange(const D& data, const DrawKey& key, std::span<std::int64_t> indices) const {
    Sequential{}.arrange(data, key, indices);
    Draw(key).shuffle(indices);
  }
};

/// Random, but page by page: for data larger than memory.
///
/// The pages come in a random order. `window` of them are open at a time; each next image is drawn from those of an open
/// page that have not been drawn; a page that is used up makes room for the next one. So every page is opened once an
/// epoch, and what has to be in memory are the open pages. Once the last page is open, what is left of all open ones
/// is shuffled as a whole. Where the window holds all pages, the order is that of Shuffled.
///
/// How good it is: of a batch's B images, about as many pages have a share as when B of `window` pages are drawn with
/// replacement, window * (1 - (1 - 1 / window)^B); so set the window to the batch size or more.
///
/// Shapes     indices: [N]
/// Units      window: pages
/// Cost       one sort of N pairs and about three draws an image; 16 bytes an image while it runs
/// Randomness one stream of Purpose::order an epoch
/// Errors     ConfigError for a window below 1
/// Models     jessl::Order (docs/data/order.md)
/// Source     the QUASI_RANDOM order of the Python package ffcv: Leclerc et al.: FFCV: Accelerating Training by Removing
///            Data Bottlenecks. CVPR 2023, arXiv 2306.12517
/// Differs    ffcv draws the page uniformly, so that the first pages, all full at first, are used up together, and the
///            next ones too: reading comes in bursts. Here the places of the window are drawn with weights that rise from
///            1/2 to 3/2, and pages end at different times. ffcv draws the last images page by page as well, so that the
///            last batches come from ever fewer pages. Its order depends on what was drawn before; this one on
///            (seed, epoch) alone
struct QuasiRandom {
  static constexpr std::string_view name = "QuasiRandom";
  static constexpr bool by_page = true;

  std::int64_t window = 256;  ///< pages that are open at a time, >= 1

  template <Dataset D>
  void arrange(const D& data, const DrawKey& key, std::span<std::int64_t> indices) const {
    static_assert(PagedDataset<D>,
                  "jessl::data::order::QuasiRandom requires a jessl::PagedDataset: page(i) says which images lie "
                  "together; see docs/data/order.md");
    if constexpr (PagedDataset<D>) {  // otherwise the assertion alone is to be read
      JESSL_CHECK(window >= 1, ConfigError, "jessl::data::order::QuasiRandom: window is ", window, ", expected >= 1");
      Pages pages(data, indices.size());
      if (pages.unopened() <= window) return Shuffled{}.arrange(data, key, indices);
      pages.traverse(Draw(key), window, indices);
    }
  }

 private:
  /// Images [next, end) of a page, of those sorted by page.
  struct Page {
    std::size_t next = 0;
    std::size_t end = 0;
  };

  /// The images of a data set by page.
  class Pages {
   public:
    template <PagedDataset D>
    Pages(const D& data, std::size_t size) {
      images_.reserve(size);
      for (std::size_t i = 0; i < size; ++i) {
        const auto index = static_cast<std::int64_t>(i);
        images_.emplace_back(data.page(index), index);
      }
      std::sort(images_.begin(), images_.end());
      for (std::size_t i = 0; i < size; ++i) {
        if (i == 0 || images_[i].first != images_[i - 1].first) pages_.push_back({i, i});
        pages_.back().end = i + 1;
      }
    }

    /// The number of pages, before any is opened.
    [[nodiscard]] std::int64_t unopened() const { return static_cast<std::int64_t>(pages_.size()); }

    void traverse(Draw draw, std::int64_t window, std::span<std::int64_t> indices);

   private:
    std::vector<std::pair<std::int64_t, std::int64_t>> images_{};  // page and index, sorted by page
    std::vector<Page> pages_{};
  };
};

/// Every order, for the law tests.
inline constexpr auto All = boost::hana::tuple_t<QuasiRandom, Sequential, Shuffled>;

}  // namespace jessl::data::order

JESSL_OPTIONS(jessl::data::order::Sequential);
JESSL_OPTIONS(jessl::data::order::Shuffled);
JESSL_OPTIONS(jessl::data::order::QuasiRandom, window);

#if JESSL_DEFINITIONS

namespace jessl::data::order {

JESSL_INLINE void QuasiRandom::Pages::traverse(Draw draw, std::int64_t window, std::span<std::int64_t> indices) {
  draw.shuffle(std::span(pages_));
  std::size_t unopened = 0;
  const auto open = [&] {
    Page& page = pages_[unopened++];
    draw.shuffle(std::span(images_).subspan(page.next, page.end - page.next));
    return page;
  };
  std::vector<Page> opened;
  for (std::int64_t place = 0; place < window; ++place) opened.push_back(open());

  std::size_t position = 0;
  while (unopened < pages_.size()) {
    std::int64_t place = draw.below(window);  // of weight 1/2 + place / window: the greater of two, or one
    if ((draw.bits() & 1U) != 0) place = std::max(place, draw.below(window));
    Page& page = opened[static_cast<std::size_t>(place)];
    indices[position++] = images_[page.next++].second;
    if (page.next == page.end) page = open();
  }
  const std::span<std::int64_t> rest = indices.subspan(position);
  for (Page& page : opened) {
    while (page.next < page.end) indices[position++] = images_[page.next++].second;
  }
  draw.shuffle(rest);
}

}  // namespace jessl::data::order

#endif  // JESSL_DEFINITIONS
