// SPDX-License-Identifier: Apache-2.0
// ColorJitter: brightness, contrast, saturation and hue change by random amounts in random order.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <span>
#include <string_view>
#include <utility>

#include <jessl/augment/concept.hpp>
#include <jessl/augment/detail/check.hpp>

namespace jessl::augment {

/// The four adjustments of ColorJitter.
enum class Adjustment : std::uint8_t { brightness, contrast, saturation, hue };

/// How ColorJitter turns the hue. All three leave grey as it is and turn red towards green for a positive shift.
enum class HueModel : std::uint8_t {
  hsv,       ///< the hue of HSV: value and saturation stay, luma doesn't (torchvision)
  yiq,       ///< the chroma plane of YIQ: luma stays
  grey_axis  ///< the axis of greys in RGB: the sum of the channels stays (FFCV-SSL)
};

}  // namespace jessl::augment

template <>
struct jessl::EnumNames<jessl::augment::HueModel> {
  static constexpr std::array<std::pair<augment::HueModel, std::string_view>, 3> value{
      {{augment::HueModel::hsv, "hsv"}, {augment::HueModel::yiq, "yiq"}, {augment::HueModel::grey_axis, "grey_axis"}}};
};

namespace jessl::augment {

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

  // Values are selected and then reckoned with: the compiler makes vectors of that on any processor, but not of an
  // operation that one of two cases does without.
  const auto of_largest = [&](T if_red, T if_green, T if_blue) {
    return select(value == red, if_red, select(value == green, if_green, if_blue));
  };
  T hue = (of_largest(green, blue, red) - of_largest(blue, red, green)) * per_range +
          of_largest(T(0.0F), T(2.0F), T(4.0F));  // [-1, 5]
  hue = hue + T(6.0F) * turn;                     // [-4, 8]
  hue = hue + select(hue < T(0.0F), T(6.0F), T(0.0F));
  hue = hue - select(hue >= T(6.0F), T(6.0F), T(0.0F));  // [0, 6)

  const auto channel = [&](T n) {
    T k = hue + n;
    k = k - select(k >= T(6.0F), T(6.0F), T(0.0F));
    return value - range * clamped(minimum(k, T(4.0F) - k));
  };
  return {{channel(T(5.0F)), channel(T(3.0F)), channel(T(1.0F))}};
}

/// The pixel with its chroma turned by the angle of that cosine and sine in the plane of I and Q, then clamped.
///
/// That plane is the one of U = 0.492 (blue - luma) and V = 0.877 (red - luma), turned by 33 degrees, so that a rotation
/// is the same in both. Luma here has the weights of YIQ, which add up to 1.
template <class T>
[[nodiscard]] constexpr Pixel<T, 3> yiq_turned(const Pixel<T, 3>& pixel, T cosine, T sine) {
  const T v_per_u = T(0.877283F / 0.492111F);
  const T luma = T(0.299F) * pixel[0] + T(0.587F) * pixel[1] + T(0.114F) * pixel[2];
  const T red = pixel[0] - luma;
  const T blue = pixel[2] - luma;
  const T new_red = cosine * red + sine / v_per_u * blue;
  const T new_blue = cosine * blue - sine * v_per_u * red;
  const T new_green = (T(0.299F) * new_red + T(0.114F) * new_blue) * T(-1.0F / 0.587F);
  return {{clamped(luma + new_red), clamped(luma + new_green), clamped(luma + new_blue)}};
}

/// The pixel turned about the axis of greys by the angle of that cosine and sine, then clamped.
template <class T>
[[nodiscard]] constexpr Pixel<T, 3> turned_about_grey(const Pixel<T, 3>& pixel, T cosine, T sine) {
  const T third = T(1.0F / 3.0F);
  const T grey = (T(1.0F) - cosine) * third * (pixel[0] + pixel[1] + pixel[2]);
  const T across = sine * T(std::numbers::inv_sqrt3_v<float>);
  const auto turned = [&](T own, T next, T last) { return clamped(cosine * own + grey + across * (last - next)); };
  return {{turned(pixel[0], pixel[1], pixel[2]), turned(pixel[1], pixel[2], pixel[0]),
           turned(pixel[2], pixel[0], pixel[1])}};
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
/// Errors     ConfigError from check() for p outside [0, 1], hue outside [0, 0.5], another setting below 0, a hue model
///            that is none
/// Models     jessl::augment::ColourOperation (docs/augment/README.md)
/// Source     Chen et al., SimCLR, ICML 2020, arXiv 2002.05709, appendix A; torchvision ColorJitter in RandomApply;
///            HueModel::grey_axis: Bordes et al., arXiv 2303.01986 (FFCV-SSL, whose shifts are never negative)
/// Differs    has RandomApply's p of its own; computes in float without rounding to 8 bits
struct ColorJitter {
  static constexpr std::string_view name = "ColorJitter";
  static constexpr int max_steps = 4;

  double brightness = 0.8;             ///< factor in [max(0, 1 - this), 1 + this], >= 0
  double contrast = 0.8;               ///< as brightness
  double saturation = 0.8;             ///< as brightness
  double hue = 0.2;                    ///< shift in [-this, this] turns of the colour circle, in [0, 0.5]
  double p = 0.8;                      ///< probability that anything changes, in [0, 1]
  HueModel hue_model = HueModel::hsv;  ///< how the hue is turned

  /// The parameters as columns of numbers. Places don't need a count beside them, as a list of adjustments does.
  struct Columns {
    bool applied = false;
    std::array<int, max_steps> place = {-1, -1, -1, -1};  ///< of each Adjustment in the order; -1: it does not happen
    double brightness = 1.0;
    double contrast = 1.0;
    double saturation = 1.0;
    double hue = 0.0;
  };

  struct Params {
    int count = 0;                              ///< how many adjustments happen
    std::array<Adjustment, max_steps> order{};  ///< the first `count`: which, in order
    double brightness = 1.0;                    ///< factor
    double contrast = 1.0;                      ///< factor
    double saturation = 1.0;                    ///< factor
    double hue = 0.0;                           ///< shift in turns

    [[nodiscard]] Columns columns() const {
      Columns result{
          .applied = count > 0, .brightness = brightness, .contrast = contrast, .saturation = saturation, .hue = hue};
      for (int i = 0; i < count; ++i) result.place[static_cast<std::size_t>(order[static_cast<std::size_t>(i)])] = i;
      return result;
    }

    bool operator==(const Params&) const = default;
  };

  void check() const {
    detail::check_probability(name, "p", p);
    check_strength("brightness", brightness);
    check_strength("contrast", contrast);
    check_strength("saturation", saturation);
    JESSL_CHECK(hue >= 0.0 && hue <= 0.5, ConfigError, "jessl::augment::", name, ": hue = ", hue,
                ", expected a value in [0, 0.5]; 0.5 is half the colour circle in either direction");
    detail::check_named(name, "hue_model", hue_model);
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
        return turn_hue<T>(params, visit);
    }
  }

 private:
  template <class T, class Visit>
  constexpr void turn_hue(const Params& params, Visit&& visit) const {
    const auto on_colour = [&visit](auto turned) {
      visit([turned](auto pixel) {
        if constexpr (pixel.channels == 1) {
          return pixel;
        } else {
          return turned(pixel);
        }
      });
    };
    const double angle = 2.0 * std::numbers::pi * params.hue;
    const T cosine = T(static_cast<float>(std::cos(angle)));
    const T sine = T(static_cast<float>(std::sin(angle)));
    switch (hue_model) {
      case HueModel::hsv:
        return on_colour(
            [turn = T(static_cast<float>(params.hue))](auto pixel) { return detail::hue_turned(pixel, turn); });
      case HueModel::yiq:
        return on_colour([=](auto pixel) { return detail::yiq_turned(pixel, cosine, sine); });
      case HueModel::grey_axis:
        return on_colour([=](auto pixel) { return detail::turned_about_grey(pixel, cosine, sine); });
    }
  }

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

JESSL_OPTIONS(jessl::augment::ColorJitter, brightness, contrast, saturation, hue, p, hue_model);
JESSL_OPTIONS(jessl::augment::ColorJitter::Columns, applied, place, brightness, contrast, saturation, hue);
