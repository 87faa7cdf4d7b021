// SPDX-License-Identifier: Apache-2.0
// CutMix: pastes a part of another image into each image of a batch.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <jessl/augment/detail/beta.hpp>
#include <jessl/augment/mixing.hpp>

namespace jessl::augment {

/// Replaces a box of each image by that of the image before it in the batch; the box is 1 - lambda of the area, lambda
/// from Beta(alpha, alpha).
///
/// The box has the shape of the image, its middle is uniform over the pixels, and what of it lies beyond the border is
/// cut off; the lambda that is returned is the share of what was not replaced. One box serves the batch unless
/// `per_image`.
///
/// Shapes     [N, C, H, W] -> the same, by mix()
/// Units      alpha: dimensionless, > 0; 1 draws the area uniformly, less mixes less
/// Randomness the Draw it is given: {.seed, .epoch, .sample = number of the batch, .purpose = Purpose::mixing}
/// Errors     ConfigError from check() for an alpha outside [1e-6, 1e6]; ShapeError for a batch or an image of nothing
/// Models     jessl::augment::BatchOperation (docs/augment/README.md)
/// Source     Yun et al., CutMix, ICCV 2019, arXiv 1905.04899, equation 2; torchvision v2 CutMix
struct CutMix {
  static constexpr std::string_view name = "CutMix";

  double alpha = 1.0;      ///< of the distribution of lambda, > 0
  bool per_image = false;  ///< a box for each image

  void check() const { detail::check_alpha(name, alpha); }

  [[nodiscard]] Mixing sample(Draw& draw, std::int64_t count, Extent extent) const {
    check();
    detail::check_batch(name, count, extent);
    Mixing mixing{.partner = detail::previous(count)};
    mixing.box.assign(mixing.partner.size(), box(draw, extent));
    for (std::size_t i = 1; per_image && i < mixing.box.size(); ++i) mixing.box[i] = box(draw, extent);
    const double area = static_cast<double>(extent.height) * static_cast<double>(extent.width);
    for (const Region& cut : mixing.box) mixing.lambda.push_back(1.0 - static_cast<double>(cut.area()) / area);
    return mixing;
  }

 private:
  [[nodiscard]] Region box(Draw& draw, Extent extent) const {
    const double half_side = 0.5 * std::sqrt(1.0 - detail::beta_number(draw, alpha, alpha));
    const std::int64_t x = draw.below(extent.width);
    const std::int64_t y = draw.below(extent.height);
    const auto half_width = static_cast<std::int64_t>(half_side * static_cast<double>(extent.width));
    const auto half_height = static_cast<std::int64_t>(half_side * static_cast<double>(extent.height));
    const std::int64_t left = std::max<std::int64_t>(0, x - half_width);
    const std::int64_t top = std::max<std::int64_t>(0, y - half_height);
    return {top, left, std::min(extent.height, y + half_height) - top, std::min(extent.width, x + half_width) - left};
  }
};

}  // namespace jessl::augment

JESSL_OPTIONS(jessl::augment::CutMix, alpha, per_image);
