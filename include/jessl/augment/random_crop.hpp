// SPDX-License-Identifier: Apache-2.0
// RandomCrop: a part of one size at a random place, pixel for pixel.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include <jessl/augment/concept.hpp>
#include <jessl/augment/detail/check.hpp>
#include <jessl/core/error.hpp>

namespace jessl::augment {

/// A part of one size at a random place; its pixels are the image's, none is resampled.
///
/// With a padding it is the crop of CIFAR's recipes, RandomCrop{.size = 32, .padding = 4}: the image moves by a few pixels
/// and what it uncovers is black. Without, and much smaller than the image, it is a patch of it, and no more of the image
/// is decoded. An image that is smaller than the crop, padding included, is seen whole somewhere in a black one.
///
/// Shapes     [H, W] -> [size, width or size]
/// Units      size, width, padding: pixels
/// Randomness two draws of its own stream of the view: the first row, then the first column
/// Errors     ConfigError from check() for a size < 1, a padding outside [0, 2^15]
/// Models     jessl::augment::GeometricOperation (docs/augment/README.md)
/// Source     He et al., Deep residual learning, CVPR 2016, section 4.2; torchvision RandomCrop
/// Differs    pads if needed always: torchvision refuses an image that is too small unless pad_if_needed is set, and a run
///            would end at the first such image
struct RandomCrop {
  static constexpr std::string_view name = "RandomCrop";

  std::int64_t size = 32;    ///< pixels, >= 1: height of the result, and width unless set
  std::int64_t width = 0;    ///< pixels: width of the result; 0 = size
  std::int64_t padding = 0;  ///< pixels, >= 0: of black that is put around the image before it is cropped

  struct Params {
    Region box{};  ///< the part that is seen; what of it lies outside the image is black

    bool operator==(const Params&) const = default;
  };

  void check() const {
    detail::check_size(name, size, width);
    constexpr std::int64_t largest = 1 << 15;
    JESSL_CHECK(padding >= 0 && padding <= largest, ConfigError, "jessl::augment::", name, ": padding = ", padding,
                ", expected 0 to ", largest, " pixels");
  }

  [[nodiscard]] Extent output(Extent) const { return {size, width > 0 ? width : size}; }

  [[nodiscard]] Params sample(Draw& draw, Extent extent) const {
    const Extent seen = output(extent);
    const std::int64_t top = first(draw, extent.height, seen.height);
    const std::int64_t left = first(draw, extent.width, seen.width);
    return {{top, left, seen.height, seen.width}};
  }

  [[nodiscard]] Placement place(const Params& params, Extent extent) const { return {params.box, output(extent)}; }

 private:
  /// Where a range of `wanted` begins that lies in the padded image; or in which the padded image lies, if that is smaller.
  [[nodiscard]] std::int64_t first(Draw& draw, std::int64_t available, std::int64_t wanted) const {
    const std::int64_t rest = available + 2 * padding - wanted;
    return std::min<std::int64_t>(rest, 0) - padding + draw.below(std::abs(rest) + 1);
  }
};

}  // namespace jessl::augment

JESSL_OPTIONS(jessl::augment::RandomCrop, size, width, padding);
JESSL_OPTIONS(jessl::augment::RandomCrop::Params, box);
