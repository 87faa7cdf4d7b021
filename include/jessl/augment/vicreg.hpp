// SPDX-License-Identifier: Apache-2.0
// vicreg: the augmentation of VICReg.
#pragma once

#include <array>
#include <cstdint>

#include <jessl/augment/detail/asymmetric.hpp>

namespace jessl::augment {

/// The settings of vicreg(); the defaults are the paper's, the same for both views.
///
/// Shapes     none
/// Errors     none; vicreg() checks them
/// Models     jessl::Options
/// Source     as vicreg()
struct VICRegOptions {
  std::int64_t size = 224;       ///< pixels, >= 1: height and width of the views
  double min_scale = 0.08;       ///< least area of a crop, fraction of the image, in (0, 1]
  double max_scale = 1.0;        ///< greatest area of a crop
  double flip = 0.5;             ///< probability of a horizontal flip
  double jitter = 1.0;           ///< strength s: brightness, contrast 0.4 s, saturation 0.2 s, hue 0.1 s; in [0, 5]
  double jitter_p = 0.8;         ///< probability that colour is jittered
  double grayscale = 0.2;        ///< probability that colour is taken away
  double blur = 0.5;             ///< probability of a blur in the first view
  double solarize = 0.1;         ///< probability of solarization in the first view
  double second_blur = 0.5;      ///< probability of a blur in the second view
  double second_solarize = 0.1;  ///< probability of solarization in the second view
  double noise = 0.0;            ///< standard deviation of the noise in every view, fraction of white, >= 0; 0: none
  std::array<double, 3> mean = imagenet_mean;  ///< of the data set, as fractions of white
  std::array<double, 3> std = imagenet_std;    ///< of the data set, > 0
};

/// Two views by the same operations: crop, flip, colour jitter, grayscale, blur, solarize, normalise.
///
/// Shapes     two views [C, size, size]
/// Errors     ConfigError for a setting out of its range
/// Models     gives a jessl::ViewMaker
/// Source     Bardes, Ponce, LeCun: VICReg, ICLR 2022, arXiv 2105.04906, appendix C; so lightly and solo-learn read it
/// Differs    the authors' released code (facebookresearch/vicreg) has other views, those of barlow_twins(): blur 1.0 and
///            0.1, solarize 0.0 and 0.2; antialiased bilinear instead of bicubic; a blur kernel of a tenth of the image
///            (Pillow's approximation of a Gaussian there)
[[nodiscard]] inline auto vicreg(const VICRegOptions& options = {}) { return detail::asymmetric(options); }

}  // namespace jessl::augment

JESSL_OPTIONS(jessl::augment::VICRegOptions, size, min_scale, max_scale, flip, jitter, jitter_p, grayscale, blur,
              solarize, second_blur, second_solarize, noise, mean, std);
