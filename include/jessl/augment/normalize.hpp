// SPDX-License-Identifier: Apache-2.0
// Normalize: subtracts the data set's mean and divides by its standard deviation.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <string_view>

#include <jessl/augment/concept.hpp>

namespace jessl::augment {

/// The channel statistics of ImageNet that nearly all published encoders are trained with.
inline constexpr std::array<double, 3> imagenet_mean = {0.485, 0.456, 0.406};
inline constexpr std::array<double, 3> imagenet_std = {0.229, 0.224, 0.225};

/// (value - mean) / std for each channel; the last operation of a pipeline.
///
/// A grey image is normalised with the mean of the three means and the mean of the three deviations, so that one
/// setting serves grey and RGB; for a data set of grey images repeat its numbers: {.mean = {m, m, m}, .std = {s, s,
/// s}}.
///
/// Shapes     [C, H, W] -> [C, H, W]
/// Units      mean, std: fractions of white; std > 0
/// Cost       nothing of its own: a part of the last pass over the pixels
/// Randomness none
/// Errors     ConfigError from check() for a std that is not positive, a mean that is not finite
/// Models     jessl::augment::PointwiseOperation (docs/augment/README.md)
/// Source     torchvision Normalize
struct Normalize {
  static constexpr std::string_view name = "Normalize";
  static constexpr bool final_operation = true;

  std::array<double, 3> mean = imagenet_mean;  ///< of red, green, blue
  std::array<double, 3> std = imagenet_std;    ///< of red, green, blue, > 0

  /// value * scale + shift; the fourth pair is for grey images.
  struct Params {
    std::array<float, 4> scale{};
    std::array<float, 4> shift{};

    bool operator==(const Params&) const = default;
  };

  void check() const {
    for (std::size_t c = 0; c < mean.size(); ++c) {
      JESSL_CHECK(std[c] > 0.0 && std::isfinite(std[c]), ConfigError, "jessl::augment::", name, ": std[", c,
                  "] = ", std[c], ", expected a positive number");
      JESSL_CHECK(std::isfinite(mean[c]), ConfigError, "jessl::augment::", name, ": mean[", c, "] = ", mean[c],
                  ", expected a finite number");
    }
  }

  [[nodiscard]] Params sample(Draw&) const {
    const std::array<double, 4> means = {mean[0], mean[1], mean[2], (mean[0] + mean[1] + mean[2]) / 3.0};
    const std::array<double, 4> deviations = {std[0], std[1], std[2], (std[0] + std[1] + std[2]) / 3.0};
    Params params;
    for (std::size_t c = 0; c < means.size(); ++c) {
      params.scale[c] = static_cast<float>(1.0 / deviations[c]);
      params.shift[c] = static_cast<float>(-means[c] / deviations[c]);
    }
    return params;
  }

  [[nodiscard]] bool active(const Params&) const { return true; }

  template <class T, std::size_t C>
  [[nodiscard]] constexpr Pixel<T, C> apply(Pixel<T, C> pixel, const Params& params) const {
    constexpr std::size_t grey = 3;
    for (std::size_t c = 0; c < C; ++c) {
      const std::size_t channel = C == 1 ? grey : c;
      pixel[c] = pixel[c] * T(params.scale[channel]) + T(params.shift[channel]);
    }
    return pixel;
  }
};

}  // namespace jessl::augment

JESSL_OPTIONS(jessl::augment::Normalize, mean, std);
// Nothing is drawn, so there is no column.
JESSL_OPTIONS(jessl::augment::Normalize::Params);
