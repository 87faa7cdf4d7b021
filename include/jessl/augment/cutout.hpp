// SPDX-License-Identifier: Apache-2.0
// Cutout: covers a square at a random place.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <jessl/augment/concept.hpp>
#include <jessl/augment/detail/check.hpp>

namespace jessl::augment {

/// Covers a square whose middle is uniform over the image; what of it lies beyond the border covers nothing.
///
/// It may stand before Normalize or after it, and `fill` is a value of the place where it stands: 0 is black before
/// Normalize, and after it the mean of the data set, which is what the paper covers with.
///
/// Shapes     [C, H, W] -> [C, H, W]
/// Units      size: pixels; fill: fraction of white, or normalised
/// Cost       the pixels of the square, in the pass of its neighbours
/// Randomness two draws of its own stream of the view
/// Errors     ConfigError from check() for a size < 1, a fill that is not finite; from compose for a fill outside
///            [0, 1] before an operation that expects that range
/// Models     jessl::augment::PatchOperation (docs/augment/README.md)
/// Source     DeVries, Taylor: Cutout, 2017, arXiv 1708.04552, section 3.2
/// Differs    the side of an odd size is that size (the authors' code: one less)
struct Cutout {
  static constexpr std::string_view name = "Cutout";
  static constexpr bool any_range = true;

  std::int64_t size = 16;                          ///< pixels, >= 1: side of the square; the paper's for CIFAR-10
  std::array<double, 3> fill = {{0.0, 0.0, 0.0}};  ///< red, green, blue; grey images take their mean

  struct Params {
    Region box{};  ///< what is covered

    bool operator==(const Params&) const = default;
  };

  void check() const {
    detail::check_size(name, size, 0);
    detail::check_fill(name, "fill", fill);
  }

  [[nodiscard]] bool leaves_range() const { return detail::leaves_range(fill); }

  [[nodiscard]] Params sample(Draw& draw, Extent extent) const {
    const std::int64_t top = draw.below(extent.height) - size / 2;
    const std::int64_t left = draw.below(extent.width) - size / 2;
    const std::int64_t bottom = std::min(top + size, extent.height);
    const std::int64_t right = std::min(left + size, extent.width);
    const std::int64_t first_row = std::max<std::int64_t>(0, top);
    const std::int64_t first_column = std::max<std::int64_t>(0, left);
    return {{first_row, first_column, bottom - first_row, right - first_column}};
  }

  [[nodiscard]] bool active(const Params& params) const { return params.box.area() > 0; }

  [[nodiscard]] Region patch(const Params& params) const { return params.box; }

  template <class T, std::size_t C>
  [[nodiscard]] constexpr Pixel<T, C> apply(const Pixel<T, C>&, const Params&, std::int64_t) const {
    return detail::coloured<T, C>(fill);
  }
};

}  // namespace jessl::augment

JESSL_OPTIONS(jessl::augment::Cutout, size, fill);
JESSL_OPTIONS(jessl::augment::Cutout::Params, box);
