// SPDX-License-Identifier: Apache-2.0
// simclr: the augmentation of SimCLR.
#pragma once

#include <array>
#include <cstdint>

#include <jessl/augment/detail/simclr_view.hpp>

namespace jessl::augment {

/// The settings of simclr(); the defaults are the paper's for ImageNet.
///
/// Shapes     none
/// Errors     none; simclr() checks them
/// Models     jessl::Options
/// Source     as simclr()
struct SimCLROptions {
  std::int64_t size = 224;  ///< pixels, >= 1: height and width of the views
  double min_scale = 0.08;  ///< least area of a crop, fraction of the image, in (0, 1]
  double max_scale = 1.0;   ///< greatest area of a crop
  double flip = 0.5;        ///< probability of a horizontal flip
  double jitter = 1.0;      ///< strength s: brightness, contrast, saturation 0.8 s, hue 0.2 s; in [0, 2.5]
  double jitter_p = 0.8;    ///< probability that colour is jittered
  double grayscale = 0.2;   ///< probability that colour is taken away
  double blur = 0.5;        ///< probability of a blur; the paper uses 0 for CIFAR-10
  double noise = 0.0;       ///< standard deviation of the noise in every view, fraction of white, >= 0; 0: none
  std::array<double, 3> mean = imagenet_mean;  ///< of the data set, as fractions of white
  std::array<double, 3> std = imagenet_std;    ///< of the data set, > 0
};

/// Two views by one pipeline: crop, flip, colour jitter, grayscale, blur, noise, normalise.
///
/// For small images (28 or 32 pixels) use a larger min_scale, less jitter and no blur.
///
/// Shapes     two views [C, size, size]
/// Errors     ConfigError for a setting out of its range
/// Models     gives a jessl::ViewMaker
/// Source     Chen, Kornblith, Norouzi, Hinton: SimCLR, ICML 2020, arXiv 2002.05709, appendix A; google-research/simclr
/// Differs    normalises (the official code does not); antialiased bilinear instead of bicubic; the factor of brightness
///            multiplies, as torchvision's (SimCLR v1; the official code of v2 adds)
[[nodiscard]] inline auto simclr(const SimCLROptions& options = {}) {
  return two_views(
      detail::simclr_view(options, {.size = options.size, .scale = {options.min_scale, options.max_scale}}));
}

}  // namespace jessl::augment

JESSL_OPTIONS(jessl::augment::SimCLROptions, size, min_scale, max_scale, flip, jitter, jitter_p, grayscale, blur, noise,
              mean, std);
