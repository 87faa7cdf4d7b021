// SPDX-License-Identifier: Apache-2.0
// MixUp: blends each image of a batch with another one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <jessl/augment/detail/beta.hpp>
#include <jessl/augment/mixing.hpp>

namespace jessl::augment {

/// Blends each image with the one before it in the batch: lambda of the one, 1 - lambda of the other, lambda from
/// Beta(alpha, alpha).
///
/// The order of a batch is random, so the partner is. One lambda serves the batch unless `per_image`.
///
/// Shapes     [N, C, H, W] -> the same, by mix()
/// Units      alpha: dimensionless, > 0; 1 draws lambda uniformly, less mixes less
/// Randomness the Draw it is given: {.seed, .epoch, .sample = number of the batch, .purpose = Purpose::mixing}
/// Errors     ConfigError from check() for an alpha outside [1e-6, 1e6]; ShapeError for a batch of no image
/// Models     jessl::augment::BatchOperation (docs/augment/README.md)
/// Source     Zhang et al., mixup, ICLR 2018, arXiv 1710.09412; torchvision v2 MixUp
struct MixUp {
  static constexpr std::string_view name = "MixUp";

  double alpha = 1.0;      ///< of the distribution of lambda, > 0
  bool per_image = false;  ///< a lambda for each image

  void check() const { detail::check_alpha(name, alpha); }

  [[nodiscard]] Mixing sample(Draw& draw, std::int64_t count, Extent extent) const {
    check();
    detail::check_batch(name, count, extent);
    Mixing mixing{.partner = detail::previous(count)};
    mixing.lambda.assign(mixing.partner.size(), detail::beta_number(draw, alpha, alpha));
    for (std::size_t i = 1; per_image && i < mixing.lambda.size(); ++i) {
      mixing.lambda[i] = detail::beta_number(draw, alpha, alpha);
    }
    return mixing;
  }
};

}  // namespace jessl::augment

JESSL_OPTIONS(jessl::augment::MixUp, alpha, per_image);
