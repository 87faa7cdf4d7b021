// SPDX-License-Identifier: Apache-2.0
// GaussianBlur: blurs by a random amount, sometimes.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include <jessl/augment/concept.hpp>
#include <jessl/augment/detail/check.hpp>

namespace jessl::augment {

/// Convolves with a Gaussian of random width, with probability p.
///
/// Shapes     [C, H, W] -> [C, H, W]
/// Units      sigma: pixels; kernel_size: pixels, odd; 0 = a tenth of the shorter side, made odd, at least 3 (SimCLR's
///            rule: 23 for 224)
/// Cost       one horizontal and one vertical pass; taps too small to change a float are left out
/// Randomness its own stream of the view
/// Errors     ConfigError from check() for p outside [0, 1], an even kernel size, a sigma that is not positive or
///            reversed
/// Models     jessl::augment::FilterOperation (docs/augment/README.md)
/// Source     Chen et al., SimCLR, ICML 2020, arXiv 2002.05709, appendix A; torchvision GaussianBlur in RandomApply
/// Differs    a kernel wider than the image is allowed: the mirror images go on; torchvision refuses
struct GaussianBlur {
  static constexpr std::string_view name = "GaussianBlur";

  std::int64_t kernel_size = 0;              ///< pixels, odd; 0 = a tenth of the image
  std::array<double, 2> sigma = {0.1, 2.0};  ///< pixels, > 0: range of the standard deviation
  double p = 0.5;                            ///< probability, in [0, 1]

  struct Params {
    bool applied = false;
    double sigma = 0.0;  ///< pixels

    bool operator==(const Params&) const = default;
  };

  void check() const {
    detail::check_probability(name, "p", p);
    detail::check_range(name, "sigma", sigma);
    constexpr std::int64_t largest = 1023;
    JESSL_CHECK(kernel_size == 0 || (kernel_size >= 1 && kernel_size <= largest && kernel_size % 2 == 1), ConfigError,
                "jessl::augment::", name, ": kernel_size = ", kernel_size, ", expected an odd number from 1 to ",
                largest, ", or 0 for a tenth of the image");
  }

  [[nodiscard]] Params sample(Draw& draw) const {
    if (!draw.bernoulli(p)) return {};
    return {true, draw.uniform(sigma[0], sigma[1])};
  }

  [[nodiscard]] bool active(const Params& params) const { return params.applied; }

  [[nodiscard]] std::int64_t radius(Extent extent) const {
    if (kernel_size > 0) return kernel_size / 2;
    return std::max<std::int64_t>(1, std::min(extent.height, extent.width) / 10 / 2);
  }

  void kernel(const Params& params, std::span<float> weights) const {
    const double middle = static_cast<double>(weights.size() / 2);
    double sum = 0.0;
    for (std::size_t i = 0; i < weights.size(); ++i) sum += density(static_cast<double>(i) - middle, params.sigma);
    for (std::size_t i = 0; i < weights.size(); ++i) {
      weights[i] = static_cast<float>(density(static_cast<double>(i) - middle, params.sigma) / sum);
    }
  }

 private:
  [[nodiscard]] static double density(double distance, double deviation) {
    const double scaled = distance / deviation;
    return std::exp(-0.5 * scaled * scaled);
  }
};

}  // namespace jessl::augment

JESSL_OPTIONS(jessl::augment::GaussianBlur, kernel_size, sigma, p);
JESSL_OPTIONS(jessl::augment::GaussianBlur::Params, applied, sigma);
