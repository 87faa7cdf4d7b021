// SPDX-License-Identifier: Apache-2.0
// eval: the view that evaluation and embedding use, without any chance.
#pragma once

#include <array>
#include <cstdint>

#include <jessl/augment/center_crop.hpp>
#include <jessl/augment/normalize.hpp>
#include <jessl/augment/resize.hpp>
#include <jessl/augment/views.hpp>

namespace jessl::augment {

/// The settings of eval().
///
/// Shapes     none
/// Errors     none; eval() checks them
/// Models     jessl::Options
/// Source     as eval()
struct EvalOptions {
  std::int64_t size = 224;                     ///< pixels, >= 1: height and width of the view
  std::array<double, 3> mean = imagenet_mean;  ///< of the data set, as fractions of white
  std::array<double, 3> std = imagenet_std;    ///< of the data set, > 0
};

/// One view: resize, central crop, normalise.
///
/// From 64 pixels on, ImageNet's habit: the shorter side becomes size * 256 / 224, and the middle size x size is cut
/// out. Below, the whole image becomes size x size: small images have no border to give away (and one that has that
/// size already keeps its pixels).
///
/// Shapes     one view [C, size, size]
/// Errors     ConfigError for a setting out of its range
/// Models     gives a jessl::ViewMaker
/// Source     torchvision's reference evaluation (Resize(256), CenterCrop(224))
[[nodiscard]] inline auto eval(const EvalOptions& options = {}) {
  constexpr std::int64_t small = 64;
  const Resize whole{.size = options.size, .width = options.size};
  const Resize larger{.size = options.size * 256 / 224};
  return compose(options.size < small ? whole : larger, CenterCrop{.size = options.size},
                 Normalize{.mean = options.mean, .std = options.std});
}

}  // namespace jessl::augment

JESSL_OPTIONS(jessl::augment::EvalOptions, size, mean, std);
