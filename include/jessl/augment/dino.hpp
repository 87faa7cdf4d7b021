// SPDX-License-Identifier: Apache-2.0
// dino: the augmentation of DINO: its two global views, and the local ones of multi-crop.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <jessl/augment/detail/asymmetric.hpp>

namespace jessl::augment {

/// The settings of dino(); the defaults are those of the official code.
///
/// Shapes     none
/// Errors     none; dino() checks them
/// Models     jessl::Options
/// Source     as dino()
struct DINOOptions {
  std::int64_t size = 224;        ///< pixels, >= 1: height and width of the global views
  double min_scale = 0.4;         ///< least area of a global view's crop, fraction of the image, in (0, 1]
  double max_scale = 1.0;         ///< greatest area of a global view's crop
  double flip = 0.5;              ///< probability of a horizontal flip
  double jitter = 1.0;            ///< strength s: brightness, contrast 0.4 s, saturation 0.2 s, hue 0.1 s; in [0, 5]
  double jitter_p = 0.8;          ///< probability that colour is jittered
  double grayscale = 0.2;         ///< probability that colour is taken away
  double blur = 1.0;              ///< probability of a blur in the first view
  double solarize = 0.0;          ///< probability of solarization in the first view
  double second_blur = 0.1;       ///< probability of a blur in the second view
  double second_solarize = 0.2;   ///< probability of solarization in the second view
  std::int64_t local_size = 96;   ///< pixels, >= 1: height and width of the local views
  double local_min_scale = 0.05;  ///< least area of a local view's crop
  double local_max_scale = 0.4;   ///< greatest area of a local view's crop
  double local_blur = 0.5;        ///< probability of a blur in a local view
  double noise = 0.0;             ///< standard deviation of the noise in every view, fraction of white, >= 0; 0: none
  std::array<double, 3> mean = imagenet_mean;  ///< of the data set, as fractions of white
  std::array<double, 3> std = imagenet_std;    ///< of the data set, > 0
};

/// The settings for long runs with many local views: global crops of a quarter of the image or more, local ones of a
/// quarter or less.
inline constexpr DINOOptions dino_quarter{.min_scale = 0.25, .local_max_scale = 0.25};

/// The two global views, the first always blurred, the second sometimes solarized, and after them `Locals` small ones.
///
/// dino() gives the global views alone, dino<8>() eight local ones too, as the official code does, for the student.
///
/// Shapes     two views [C, size, size], and `Locals` views [C, local_size, local_size]
/// Errors     ConfigError for a setting out of its range
/// Models     gives a jessl::ViewMaker
/// Source     Caron et al., DINO, ICCV 2021, arXiv 2104.14294; facebookresearch/dino, main_dino.py
/// Differs    antialiased bilinear instead of bicubic; a blur kernel of a tenth of the image
///            (Pillow's approximation of a Gaussian there)
template <std::size_t Locals = 0>
[[nodiscard]] auto dino(const DINOOptions& options = {}) {
  const RandomResizedCrop crop{.size = options.local_size, .scale = {options.local_min_scale, options.local_max_scale}};
  constexpr double no_solarization = 0.0;
  return multi_crop<Locals>(detail::asymmetric(options),
                            detail::asymmetric_view(options, crop, options.local_blur, no_solarization));
}

}  // namespace jessl::augment

JESSL_OPTIONS(jessl::augment::DINOOptions, size, min_scale, max_scale, flip, jitter, jitter_p, grayscale, blur,
              solarize, second_blur, second_solarize, local_size, local_min_scale, local_max_scale, local_blur, noise,
              mean, std);
