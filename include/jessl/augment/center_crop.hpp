// SPDX-License-Identifier: Apache-2.0
// CenterCrop: the middle of the image.
#pragma once

#include <cstdint>
#include <string_view>

#include <jessl/augment/concept.hpp>
#include <jessl/augment/detail/check.hpp>

namespace jessl::augment {

/// The middle of the image; an image that is too small gets a black border.
///
/// Shapes     [H, W] -> [size, width or size]
/// Units      size, width: pixels
/// Randomness none
/// Errors     ConfigError from check() for a size < 1
/// Models     jessl::augment::GeometricOperation (docs/augment/README.md)
/// Source     torchvision CenterCrop
struct CenterCrop {
  static constexpr std::string_view name = "CenterCrop";

  std::int64_t size = 224;  ///< pixels, >= 1: height of the result, and width unless set
  std::int64_t width = 0;   ///< pixels: width of the result; 0 = size

  struct Params {
    bool operator==(const Params&) const = default;
  };

  void check() const { detail::check_size(name, size, width); }

  [[nodiscard]] Extent output(Extent) const { return {size, width > 0 ? width : size}; }

  [[nodiscard]] Params sample(Draw&, Extent) const { return {}; }

  [[nodiscard]] Placement place(const Params&, Extent extent) const {
    const Extent size_out = output(extent);
    return {
        {first(extent.height, size_out.height), first(extent.width, size_out.width), size_out.height, size_out.width},
        size_out};
  }

 private:
  /// Where a central range of `wanted` begins in one of `available`; negative where a border has to be added.
  [[nodiscard]] static std::int64_t first(std::int64_t available, std::int64_t wanted) {
    const std::int64_t rest = available - wanted;
    if (rest < 0) return -((-rest) / 2);
    return rest / 2 + (rest % 4 == 3 ? 1 : 0);  // round(rest / 2), halves to even: 1 / 2 -> 0, 3 / 2 -> 2
  }
};

}  // namespace jessl::augment

JESSL_OPTIONS(jessl::augment::CenterCrop, size, width);
