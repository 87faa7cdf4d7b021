// SPDX-License-Identifier: Apache-2.0
// barlow_twins: the augmentation of Barlow Twins.
#pragma once

#include <jessl/augment/byol.hpp>
#include <jessl/augment/detail/asymmetric.hpp>

namespace jessl::augment {

/// The settings of barlow_twins(): BYOL's with BYOL's defaults, which the official code took over.
using BarlowTwinsOptions = BYOLOptions;

/// Two views that differ: the first always blurred, the second seldom, but sometimes solarized.
///
/// Shapes     two views [C, size, size]
/// Errors     ConfigError for a setting out of its range
/// Models     gives a jessl::ViewMaker
/// Source     Zbontar et al., Barlow Twins, ICML 2021, arXiv 2103.03230; facebookresearch/barlowtwins, main.py
/// Differs    antialiased bilinear instead of bicubic; a blur kernel of a tenth of the image
///            (Pillow's approximation of a Gaussian there)
[[nodiscard]] inline auto barlow_twins(const BarlowTwinsOptions& options = {}) { return detail::asymmetric(options); }

}  // namespace jessl::augment
