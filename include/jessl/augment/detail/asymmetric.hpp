// SPDX-License-Identifier: Apache-2.0
// The pair of pipelines that BYOL introduced, and that Barlow Twins, VICReg and DINO took over.
#pragma once

#include <jessl/augment/color_jitter.hpp>
#include <jessl/augment/detail/noise.hpp>
#include <jessl/augment/gaussian_blur.hpp>
#include <jessl/augment/normalize.hpp>
#include <jessl/augment/random_grayscale.hpp>
#include <jessl/augment/random_horizontal_flip.hpp>
#include <jessl/augment/random_resized_crop.hpp>
#include <jessl/augment/random_solarize.hpp>
#include <jessl/augment/views.hpp>

namespace jessl::augment::detail {

/// Crop, flip, jitter, grayscale, blur, solarize, noise, normalise.
template <class AsymmetricOptions>
[[nodiscard]] auto asymmetric_view(const AsymmetricOptions& options, const RandomResizedCrop& crop, double blur,
                                   double solarize) {
  return compose(crop, RandomHorizontalFlip{.p = options.flip},
                 ColorJitter{.brightness = 0.4 * options.jitter,
                             .contrast = 0.4 * options.jitter,
                             .saturation = 0.2 * options.jitter,
                             .hue = 0.1 * options.jitter,
                             .p = options.jitter_p},
                 RandomGrayscale{.p = options.grayscale}, GaussianBlur{.p = blur}, RandomSolarize{.p = solarize},
                 noise(options.noise), Normalize{.mean = options.mean, .std = options.std});
}

/// Two such views, which differ in the probabilities of blur and solarization.
template <class AsymmetricOptions>
[[nodiscard]] auto asymmetric(const AsymmetricOptions& options) {
  const RandomResizedCrop crop{.size = options.size, .scale = {options.min_scale, options.max_scale}};
  return two_views(asymmetric_view(options, crop, options.blur, options.solarize),
                   asymmetric_view(options, crop, options.second_blur, options.second_solarize));
}

}  // namespace jessl::augment::detail
