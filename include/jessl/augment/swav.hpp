// SPDX-License-Identifier: Apache-2.0
// swav: the augmentation of SwAV: multi-crop.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <jessl/augment/detail/simclr_view.hpp>

namespace jessl::augment {

/// The settings of swav(); the defaults are the paper's for ImageNet, 2x224 + 6x96.
///
/// Shapes     none
/// Errors     none; swav() checks them
/// Models     jessl::Options
/// Source     as swav()
struct SwAVOptions {
  std::int64_t size = 224;        ///< pixels, >= 1: height and width of the global views
  double min_scale = 0.14;        ///< least area of a global view's crop, fraction of the image, in (0, 1]
  double max_scale = 1.0;         ///< greatest area of a global view's crop
  std::int64_t local_size = 96;   ///< pixels, >= 1: height and width of the local views
  double local_min_scale = 0.05;  ///< least area of a local view's crop
  double local_max_scale = 0.14;  ///< greatest area of a local view's crop
  double flip = 0.5;              ///< probability of a horizontal flip
  double jitter = 1.0;            ///< strength s: brightness, contrast, saturation 0.8 s, hue 0.2 s; in [0, 2.5]
  double jitter_p = 0.8;          ///< probability that colour is jittered
  double grayscale = 0.2;         ///< probability that colour is taken away
  double blur = 0.5;              ///< probability of a blur
  double noise = 0.0;             ///< standard deviation of the noise in every view, fraction of white, >= 0; 0: none
  std::array<double, 3> mean = imagenet_mean;  ///< of the data set, as fractions of white
  std::array<double, 3> std = imagenet_std;    ///< of the data set, > 0
};

/// Two global views, and after them `Locals` small views of small parts of the image; but for the crop all are made
/// alike, as SimCLR's: flip, colour jitter, grayscale, blur, normalise.
///
/// Shapes     two views [C, size, size], and `Locals` views [C, local_size, local_size]
/// Errors     ConfigError for a setting out of its range
/// Models     gives a jessl::ViewMaker
/// Source     Caron et al., SwAV, NeurIPS 2020, arXiv 2006.09882, sections 3.3 and A.1; facebookresearch/swav,
///            multicropdataset.py
/// Differs    antialiased bilinear; a blur kernel of a tenth of the image (23 pixels in the official code, whatever the
///            size); red's deviation is 0.229 (0.228 there)
template <std::size_t Locals = 6>
[[nodiscard]] auto swav(const SwAVOptions& options = {}) {
  const RandomResizedCrop global{.size = options.size, .scale = {options.min_scale, options.max_scale}};
  const RandomResizedCrop local{.size = options.local_size,
                                .scale = {options.local_min_scale, options.local_max_scale}};
  return multi_crop<2, Locals>(detail::simclr_view(options, global), detail::simclr_view(options, local));
}

}  // namespace jessl::augment

JESSL_OPTIONS(jessl::augment::SwAVOptions, size, min_scale, max_scale, local_size, local_min_scale, local_max_scale,
              flip, jitter, jitter_p, grayscale, blur, noise, mean, std);
