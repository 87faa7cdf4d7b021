// SPDX-License-Identifier: Apache-2.0
// The augment family: operations on images, their composition, and the published pipelines.
#pragma once

#include <boost/hana/tuple.hpp>
#include <boost/hana/type.hpp>

#include <jessl/augment/barlow_twins.hpp>
#include <jessl/augment/byol.hpp>
#include <jessl/augment/center_crop.hpp>
#include <jessl/augment/color_jitter.hpp>
#include <jessl/augment/concept.hpp>
#include <jessl/augment/cutmix.hpp>
#include <jessl/augment/cutout.hpp>
#include <jessl/augment/dino.hpp>
#include <jessl/augment/eval.hpp>
#include <jessl/augment/evaluation.hpp>
#include <jessl/augment/gaussian_blur.hpp>
#include <jessl/augment/gaussian_noise.hpp>
#include <jessl/augment/identity.hpp>
#include <jessl/augment/mixing.hpp>
#include <jessl/augment/mixup.hpp>
#include <jessl/augment/normalize.hpp>
#include <jessl/augment/parameters.hpp>
#include <jessl/augment/pipeline.hpp>
#include <jessl/augment/progressive.hpp>
#include <jessl/augment/random_adjust_sharpness.hpp>
#include <jessl/augment/random_affine.hpp>
#include <jessl/augment/random_autocontrast.hpp>
#include <jessl/augment/random_crop.hpp>
#include <jessl/augment/random_equalize.hpp>
#include <jessl/augment/random_erasing.hpp>
#include <jessl/augment/random_gamma.hpp>
#include <jessl/augment/random_grayscale.hpp>
#include <jessl/augment/random_horizontal_flip.hpp>
#include <jessl/augment/random_invert.hpp>
#include <jessl/augment/random_perspective.hpp>
#include <jessl/augment/random_posterize.hpp>
#include <jessl/augment/random_resized_crop.hpp>
#include <jessl/augment/random_rotation.hpp>
#include <jessl/augment/random_solarize.hpp>
#include <jessl/augment/random_translate.hpp>
#include <jessl/augment/random_vertical_flip.hpp>
#include <jessl/augment/resize.hpp>
#include <jessl/augment/simclr.hpp>
#include <jessl/augment/swav.hpp>
#include <jessl/augment/vicreg.hpp>
#include <jessl/augment/views.hpp>

namespace jessl::augment {

/// Every operation, as a Hana list of types.
inline constexpr auto All =
    boost::hana::tuple_t<RandomResizedCrop, RandomCrop, Resize, CenterCrop, RandomHorizontalFlip, ColorJitter,
                         RandomGrayscale, GaussianBlur, RandomGamma, RandomSolarize, GaussianNoise, Normalize,
                         RandomPosterize, RandomInvert, RandomAutocontrast, RandomEqualize, RandomAdjustSharpness,
                         Cutout, RandomErasing, RandomVerticalFlip, RandomRotation, RandomTranslate, RandomAffine,
                         RandomPerspective>;

/// Every operation on the images of a batch together.
inline constexpr auto AllOnBatches = boost::hana::tuple_t<MixUp, CutMix>;

}  // namespace jessl::augment
