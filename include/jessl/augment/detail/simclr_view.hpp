// SPDX-License-Identifier: Apache-2.0
// The pipeline that SimCLR introduced, and that SwAV took over for views of two sizes.
#pragma once

#include <jessl/augment/color_jitter.hpp>
#include <jessl/augment/detail/noise.hpp>
#include <jessl/augment/gaussian_blur.hpp>
#include <jessl/augment/normalize.hpp>
#include <jessl/augment/random_grayscale.hpp>
#include <jessl/augment/random_horizontal_flip.hpp>
#include <jessl/augment/random_resized_crop.hpp>
#include <jessl/augment/views.hpp>

namespace jessl::augment::detail {

/// Crop, flip, jitter, grayscale, blur, noise, normalise.
template <class Options>
[[nodiscard]] auto simclr_view(const Options& options, const RandomResizedCrop& crop) {
  return compose(crop, RandomHorizontalFlip{.p = options.flip},
                 ColorJitter{.brightness = 0.8 * options.jitter,
                             .contrast = 0.8 * options.jitter,
                             .saturation = 0.8 * options.jitter,
                             .hue = 0.2 * options.jitter,
                             .p = options.jitter_p},
                 RandomGrayscale{.p = options.grayscale}, GaussianBlur{.p = options.blur}, noise(options.noise),
                 Normalize{.mean = options.mean, .std = options.std});
}

}  // namespace jessl::augment::detail
