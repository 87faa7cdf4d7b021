// SPDX-License-Identifier: Apache-2.0
// byol: the augmentation of BYOL.
#pragma once

#include <array>
#include <cstdint>

#include <jessl/augment/detail/asymmetric.hpp>

namespace jessl::augment {

/// The settings of byol(); the defaults are those of the paper.
///
/// Shapes     none
/// Errors     none; byol() checks them
/// Models     jessl::Options
/// Source     as byol()
struct BYOLOptions {
  std::int64_t size = 224;       ///< pixels, >= 1: height and width of the views
  double min_scale = 0.08;       ///< least area of a crop, fraction of the image, in (0, 1]
  double max_scale = 1.0;        ///< greatest area of a crop
  double flip = 0.5;             ///< probability of a horizontal flip
  double jitter = 1.0;           ///< strength s: brightness, contrast 0.4 s, saturation 0.2 s, hue 0.1 s; in [0, 5]
  double jitter_p = 0.8;         ///< probability that colour is jittered
  double grayscale = 0.2;        ///< probability that colour is taken away
  double blur = 1.0;             ///< probability of a blur in the first view
  double solarize = 0.0;         ///< probability of solarization in the first view
  double second_blur = 0.1;      ///< probability of a blur in the second view
  double second_solarize = 0.2;  ///< probability of solarization in the second view
  double noise = 0.0;            ///< standard deviation of the noise in every view, fraction of white, >= 0; 0: none
  std::array<double, 3> mean = imagenet_mean;  ///< of the data set, as fractions of white
  std::array<double, 3> std = imagenet_std;    ///< of the data set, > 0
};

/// Two views that differ: the first always blurred, the second seldom, but sometimes solarized.
///
/// Shapes     two views [C, size, size]
/// Errors     ConfigError for a setting out of its range
/// Models     gives a jessl::ViewMaker
/// Source     Grill et al., BYOL, NeurIPS 2020, arXiv 2006.07733, appendix B, table 6
/// Differs    antialiased bilinear instead of bicubic; a blur kernel of a tenth of the image, as the paper has it
[[nodiscard]] inline auto byol(const BYOLOptions& options = {}) { return detail::asymmetric(options); }

}  // namespace jessl::augment

JESSL_OPTIONS(jessl::augment::BYOLOptions, size, min_scale, max_scale, flip, jitter, jitter_p, grayscale, blur,
              solarize, second_blur, second_solarize, noise, mean, std);
