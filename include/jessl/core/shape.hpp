// SPDX-License-Identifier: Apache-2.0
// Shapes in messages and records: [256, 128].
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include <jessl/core/error.hpp>

namespace jessl {

/// The extents of an array, outermost first. Printed as "[256, 128]".
///
/// Shapes     any
/// Errors     none
/// Models     none
/// Source     none
struct Shape {
  std::vector<std::int64_t> extents;

  Shape() = default;
  explicit Shape(std::vector<std::int64_t> sizes) : extents(std::move(sizes)) {}

  /// From anything that can be walked over (LibTorch's IntArrayRef, std::array, ...).
  template <class Range>
  requires requires(const Range& range) {
    { *range.begin() } -> std::convertible_to<std::int64_t>;
  }
  explicit Shape(const Range& range) : extents(range.begin(), range.end()) {}

  bool operator==(const Shape&) const = default;

  friend std::ostream& operator<<(std::ostream& out, const Shape& shape) {
    out << '[';
    for (std::size_t axis = 0; axis < shape.extents.size(); ++axis)
      out << (axis == 0 ? "" : ", ") << shape.extents[axis];
    return out << ']';
  }
};

/// The shape [C, H, W] of one view.
///
/// Shapes     [C, H, W]
/// Errors     none
/// Models     none
/// Source     none
struct ViewShape {
  std::int64_t channels = 0;  ///< 1 or 3
  std::int64_t height = 0;    ///< pixels
  std::int64_t width = 0;     ///< pixels

  bool operator==(const ViewShape&) const = default;

  /// Number of values in the view.
  [[nodiscard]] std::int64_t count() const { return channels * height * width; }

  friend std::ostream& operator<<(std::ostream& out, const ViewShape& shape) {
    return out << '[' << shape.channels << ", " << shape.height << ", " << shape.width << ']';
  }
};

}  // namespace jessl
