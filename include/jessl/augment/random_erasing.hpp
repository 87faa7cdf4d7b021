// SPDX-License-Identifier: Apache-2.0
// RandomErasing: covers a rectangle of random size, shape and place, sometimes.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include <jessl/augment/concept.hpp>
#include <jessl/augment/detail/check.hpp>
#include <jessl/augment/detail/normals.hpp>

namespace jessl::augment {

/// What RandomErasing covers with.
enum class Filling : std::uint8_t {
  value,  ///< its setting `value`
  noise   ///< standard normal noise, another for each value: for after Normalize
};

}  // namespace jessl::augment

template <>
struct jessl::EnumNames<jessl::augment::Filling> {
  static constexpr std::array<std::pair<augment::Filling, std::string_view>, 2> value{
      {{augment::Filling::value, "value"}, {augment::Filling::noise, "noise"}}};
};

namespace jessl::augment {

/// Covers a rectangle with probability p: its area is uniform in `scale` (of the image's), the logarithm of height /
/// width is uniform in log `ratio`, the place is uniform. Where ten tries find none that is smaller than the image on
/// both sides, nothing is covered.
///
/// It may stand before Normalize or after it, as in torchvision's recipes; `value` is a value of the place where it
/// stands: 0 is black before Normalize and the mean of the data set after it. Noise belongs after it.
///
/// Shapes     [C, H, W] -> [C, H, W]
/// Units      scale: fraction of the area; ratio: height / width; value: fraction of white, or normalised
/// Cost       the pixels of the rectangle, in the pass of its neighbours; noise about 50 ns each
/// Randomness its own stream of the view; up to ten tries, and a key from which the noise follows
/// Errors     ConfigError from check() for p outside [0, 1], a range that is reversed or not positive, a scale above 1, a
///            value that is not finite; from compose for noise, or a value outside [0, 1], before an operation that
///            expects that range
/// Models     jessl::augment::PatchOperation (docs/augment/README.md)
/// Source     Zhong et al., Random Erasing Data Augmentation, AAAI 2020, arXiv 1708.04896, algorithm 1; torchvision
///            RandomErasing
struct RandomErasing {
  static constexpr std::string_view name = "RandomErasing";
  static constexpr bool any_range = true;

  double p = 0.5;                                   ///< probability, in [0, 1]
  std::array<double, 2> scale = {{0.02, 0.33}};     ///< fraction of the image's area, in (0, 1]
  std::array<double, 2> ratio = {{0.3, 3.3}};       ///< height / width, > 0
  std::array<double, 3> value = {{0.0, 0.0, 0.0}};  ///< red, green, blue; grey images take their mean
  Filling filling = Filling::value;                 ///< value, or noise (torchvision's value="random")

  struct Params {
    bool applied = false;
    Region box{};       ///< what is covered
    Philox::Key key{};  ///< names the field of noise

    bool operator==(const Params&) const = default;
  };

  void check() const {
    detail::check_probability(name, "p", p);
    detail::check_range(name, "scale", scale);
    detail::check_range(name, "ratio", ratio);
    JESSL_CHECK(scale[1] <= 1.0, ConfigError, "jessl::augment::", name, ": scale = {", scale[0], ", ", scale[1],
                "}: no more than all of the image can be covered; choose at most 1");
    detail::check_fill(name, "value", value);
    detail::check_named(name, "filling", filling);
  }

  [[nodiscard]] bool leaves_range() const { return filling == Filling::noise || detail::leaves_range(value); }

  [[nodiscard]] Params sample(Draw& draw, Extent extent) const {
    if (!draw.bernoulli(p)) return {};
    constexpr int tries = 10;
    const double area = static_cast<double>(extent.height) * static_cast<double>(extent.width);
    for (int attempt = 0; attempt < tries; ++attempt) {
      const double target = area * draw.uniform(scale[0], scale[1]);
      const double aspect = std::exp(draw.uniform(std::log(ratio[0]), std::log(ratio[1])));
      const auto h = static_cast<std::int64_t>(std::nearbyint(std::sqrt(target * aspect)));
      const auto w = static_cast<std::int64_t>(std::nearbyint(std::sqrt(target / aspect)));
      if (h >= extent.height || w >= extent.width) continue;
      const std::int64_t top = draw.below(extent.height - h + 1);
      const std::int64_t left = draw.below(extent.width - w + 1);
      const std::uint32_t low = draw.bits();
      const std::uint32_t high = draw.bits();
      return {true, {top, left, h, w}, {low, high}};
    }
    return {};
  }

  [[nodiscard]] bool active(const Params& params) const { return params.applied && params.box.area() > 0; }

  [[nodiscard]] Region patch(const Params& params) const { return params.box; }

  template <class T, std::size_t C>
  [[nodiscard]] Pixel<T, C> apply(Pixel<T, C> pixel, const Params& params, std::int64_t index) const {
    if (filling == Filling::value) return detail::coloured<T, C>(value);
    const std::array<float, 3> normal = detail::normals_at(params.key, index);
    for (std::size_t c = 0; c < C; ++c) pixel[c] = T(normal[c]);
    return pixel;
  }
};

}  // namespace jessl::augment

JESSL_OPTIONS(jessl::augment::RandomErasing, p, scale, ratio, value, filling);
// The key says nothing about the view that a model could learn: it is no column.
JESSL_OPTIONS(jessl::augment::RandomErasing::Params, applied, box);
