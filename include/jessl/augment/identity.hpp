// SPDX-License-Identifier: Apache-2.0
// identity: the view that shows the image as it is.
#pragma once

#include <array>
#include <cstdint>

#include <jessl/augment/normalize.hpp>
#include <jessl/augment/pipeline.hpp>
#include <jessl/augment/resize.hpp>

namespace jessl::augment {

/// The settings of identity().
///
/// Shapes     none
/// Errors     none; identity() checks them
/// Models     jessl::Options
/// Source     none
struct IdentityOptions {
  std::int64_t size = 224;                     ///< pixels, >= 1: height and width of the view
  std::array<double, 3> mean = imagenet_mean;  ///< of the data set, as fractions of white
  std::array<double, 3> std = imagenet_std;    ///< of the data set, > 0
};

/// One view without chance, with all of the image in it: whatever its label says is there to be seen.
///
/// It only takes another size, and an image that has that size already keeps its pixels. As a view among others, it is
/// what a teacher, a probe or a supervised loss sees: views(strong, identity({.size = 224})). eval() differs from 64
/// pixels on, where it cuts the border off.
///
/// Shapes     one view [C, size, size]
/// Errors     ConfigError for a setting out of its range
/// Models     gives a jessl::ViewMaker
/// Source     none
[[nodiscard]] inline auto identity(const IdentityOptions& options = {}) {
  return compose(Resize{.size = options.size, .width = options.size},
                 Normalize{.mean = options.mean, .std = options.std});
}

}  // namespace jessl::augment

JESSL_OPTIONS(jessl::augment::IdentityOptions, size, mean, std);
