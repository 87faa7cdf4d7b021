// SPDX-License-Identifier: Apache-2.0
// ColorJitter: brightness, contrast, saturation and hue change by random amounts in random order.
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

/// The four adjustments of ColorJitter.
enum class Adjustment : std::uint8_t { brightness, contrast, saturation, hue };

namespace detail {

/// The pixel with its hue turned by `turn` (1 = the whole circle), through HSV.
///
/// Works in sixths of the circle. Saturation never appears: value * saturation is the pixel's range, and the channel n
/// of an HSV colour is value - range * clamp(min(k, 4 - k)) with k = (n + 6 hue) mod 6 and n = 5, 3, 1.
template <class T>
[[nodiscard]] constexpr Pixel<T, 3> hue_turned(const Pixel<T, 3>& pixel, T turn) {
  const T red = pixel[0];
  const T green = pixel[1];
  const T blue = pixel[2];
  const T value = maximum(maximum(red, green), blue);
  const T range = value - minimum(minimum(red, green), blue);
  const T per_range = T(1.0F) / select(range > T(0.0F), range, T(1.0F));

  const T near_red = (green - blue) * per_range;
  const T near_green = (blue - red) * per_range + T(2.0F);
  const T near_blue = (red - green) * per_range + T(4.0F);
  T hue = select(value == red, near_red, select(value == green, near_green, near_blue));  // [-1, 5]
  hue = hue + T(6.0F) * turn;                                                             // [-4, 8]
  hue = select(hue < T(0.0F), hue + T(6.0F), hue);
  hue = select(hue >= T(6.0F), hue - T(6.0F), hue);  // [0, 6)

  const auto channel = [&](T n) {
    T k = hue + n;
    k = select(k >= T(6.0F), k - T(6.0F), k);
    return value - range * clamped(minimum(k, T(4.0F) - k));
  };
  return {{channel(T(5.0F)), channel(T(3.0F)), channel(T(1.0F))}};
}

}  // namespace detail

/// Changes brightness, contrast, saturation and hue by random amounts in random order.
///
/// Each factor is uniform in [max(0, 1 - s), 1 + s] for its setting s, the hue shift is uniform in [-hue, hue].
/// Contrast blends with the mean luma of the image as the adjustments before it left it. Values are clamped to [0, 1]
/// after each. On a grey image saturation and hue do nothing.
///
/// Shapes     [C, H, W] -> [C, H, W]
/// Units      brightness, contrast, saturation: half-width of the factor's range, >= 0; hue: turns, in [0, 0.5]
/// Cost       two passes over the pixels (one up to the mean that contrast needs), one where contrast is 0
/// Randomness its own stream of the view
/// Errors     ConfigError from check() for p outside [0, 1], hue outside [0, 0.5], another setting below 0
/// Models     jessl::augment::ColourOperation (docs/augment/README.md)
/// Source     Chen et al., SimCLR, ICML 2020, arXiv 2002.05709, appendix A; torchvision ColorJitter in RandomApply
/// Differs    has RandomApply's p of its own; computes in float without rounding to 8 bits
struct ColorJitter {
  static constexpr std::string_view name = "ColorJitter";
  static constexpr int max_steps = 4;

  double brightness = 0.8;  ///< factor in [max(0, 1 - this), 1 + this], >= 0
  double contrast = 0.8;    ///< as brightness
  double saturation = 0.8;  ///< as brightness
  double hue = 0.2;         ///< shift in [-this, this] turns of the colour circle, in [0, 0.5]
  double p = 0.8;           ///< probability that anything changes, in [0, 1]

  struct Params {
    int count = 0;                              ///< how many adjustments happen
    std::array<Adjustment, max_steps> order{};  ///< the first `count`: which, in order
    double brightness = 1.0;                    ///< factor
    double contrast = 1.0;                      ///< factor
    double saturation = 1.0;                    ///< factor
    double hue = 0.0;                           ///< shift in turns

    bool operator==(const Params&) const = default;
  };

  void check() const {
    detail::check_probability(name, "p", p);
    check_strength("brightness", brightness);
    check_strength("contrast", contrast);
    check_strength("saturation", saturation);
    JESSL_CHECK(hue >= 0.0 && hue <= 0.5, ConfigError, "jessl::augment::", name, ": hue = ", hue,
                ", expected a value in [0, 0.5]; 0.5 is half the colour circle in either direction");
  }

  [[nodiscard]] Params sample(Draw& draw) const {
    Params params;
    if (!draw.bernoulli(p)) return params;
    std::array<Adjustment, max_steps> order = {Adjustment::brightness, Adjustment::contrast, Adjustment::saturation,
                                               Adjustment::hue};
    draw.shuffle(std::span<Adjustment>(order));
    params.brightness = factor(draw, brightness);
    params.contrast = factor(draw, contrast);
    params.saturation = factor(draw, saturation);
    params.hue = draw.uniform(-hue, hue);
    for (const Adjustment adjustment : order) {
      if (strength(adjustment) > 0.0) params.order[static_cast<std::size_t>(params.count++)] = adjustment;
    }
    return params;
  }

  [[nodiscard]] int steps(const Params& params) const { return params.count; }

  [[nodiscard]] bool needs_mean(const Params& params, int step) const {
    return params.order[static_cast<std::size_t>(step)] == Adjustment::contrast;
  }

  template <class T, class Visit>
  constexpr void step(const Params& params, int step, T mean, Visit&& visit) const {
    switch (params.order[static_cast<std::size_t>(step)]) {
      case Adjustment::brightness:
        return visit([by = T(static_cast<float>(params.brightness))](auto pixel) {
          return detail::blended(pixel, T(0.0F), by);
        });
      case Adjustment::contrast:
        return visit([mean, by = T(static_cast<float>(params.contrast))](auto pixel) {
          return detail::blended(pixel, mean, by);
        });
      case Adjustment::saturation:
        return visit([by = T(static_cast<float>(params.saturation))](auto pixel) {
          if constexpr (pixel.channels == 1) {
            return pixel;
          } else {
            return detail::blended(pixel, detail::luma(pixel), by);
          }
        });
      case Adjustment::hue:
        return visit([turn = T(static_cast<float>(params.hue))](auto pixel) {
          if constexpr (pixel.channels == 1) {
            return pixel;
          } else {
            return detail::hue_turned(pixel, turn);
          }
        });
    }
  }

 private:
  static void check_strength(std::string_view setting, double value) {
    JESSL_CHECK(value >= 0.0 && std::isfinite(value), ConfigError, "jessl::augment::", name, ": ", setting, " = ",
                value, ", expected a number >= 0; the factor is then in [max(0, 1 - it), 1 + it]");
  }

  [[nodiscard]] static double factor(Draw& draw, double strength) {
    return draw.uniform(std::max(0.0, 1.0 - strength), 1.0 + strength);
  }

  [[nodiscard]] double strength(Adjustment adjustment) const {
    switch (adjustment) {
      case Adjustment::brightness:
        return brightness;
      case Adjustment::contrast:
        return contrast;
      case Adjustment::saturation:
        return saturation;
      case Adjustment::hue:
        return hue;
    }
    return 0.0;
  }
};

}  // namespace jessl::augment

BOOST_HANA_ADAPT_STRUCT(jessl::augment::ColorJitter, brightness, contrast, saturation, hue, p);
