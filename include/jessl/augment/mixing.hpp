// SPDX-License-Identifier: Apache-2.0
// Mixing: which images of a batch are mixed and how; mix and mixed_targets do it.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include <jessl/augment/concept.hpp>
#include <jessl/core/draw.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/shape.hpp>

namespace jessl::augment {

/// What MixUp and CutMix drew for a batch: all that a loss needs to know of it.
///
/// Shapes     each [N]; `box` [0] where whole images are blended
/// Errors     ShapeError and ConfigError from check(), which mix() and mixed_targets() call
/// Models     none
/// Source     as MixUp and CutMix
struct Mixing {
  std::vector<std::int64_t> partner{};  ///< which image is mixed into image i
  std::vector<double> lambda{};         ///< the share of image i itself, in [0, 1]; its partner has the rest
  std::vector<Region> box{};            ///< CutMix: where the partner's pixels stand in image i; may be empty

  bool operator==(const Mixing&) const = default;

  /// That there is as much of each, that the partners are images of the batch, and the shares shares. `who` asks.
  void check(std::string_view who) const {
    const std::size_t count = partner.size();
    JESSL_CHECK(lambda.size() == count && (box.empty() || box.size() == count), ShapeError, who, ": the mixing has ",
                count, " partners, ", lambda.size(), " lambdas and ", box.size(),
                " boxes, expected as many of each, or no box");
    for (std::size_t i = 0; i < count; ++i) {
      JESSL_CHECK(partner[i] >= 0 && partner[i] < static_cast<std::int64_t>(count), ShapeError, who, ": partner[", i,
                  "] is ", partner[i], ", expected 0 to ", count - 1);
      JESSL_CHECK(lambda[i] >= 0.0 && lambda[i] <= 1.0, ConfigError, who, ": lambda[", i, "] is ", lambda[i],
                  ", expected a share in [0, 1]");
    }
  }

  /// That too, and that the boxes lie in images of that extent.
  void check(std::string_view who, Extent extent) const {
    check(who);
    const Region whole{.height = extent.height, .width = extent.width};
    for (std::size_t i = 0; i < box.size(); ++i) {
      JESSL_CHECK(box[i].height >= 0 && box[i].width >= 0 && whole.contains(box[i]), ShapeError, who, ": box[", i,
                  "] has ", box[i].height, " rows from ", box[i].top, " and ", box[i].width, " columns from ",
                  box[i].left, ", expected a part of an image of ", extent.height, " rows and ", extent.width,
                  " columns");
    }
  }
};

/// An operation on the images of a batch together.
///
/// `sample(draw, count, extent)`  what happens to `count` images of that size
/// and name, check() and the adaptation by JESSL_OPTIONS of every operation
template <class O>
concept BatchOperation = Options<O> && std::copy_constructible<O> &&
    requires(const O& operation, Draw& draw, std::int64_t count, Extent extent) {
  { O::name } -> std::convertible_to<std::string_view>;
  { operation.check() } -> std::same_as<void>;
  { operation.sample(draw, count, extent) } -> std::same_as<Mixing>;
};

namespace detail {

/// The partners of torchvision: of each image the one before it, of the first the last.
[[nodiscard]] inline std::vector<std::int64_t> previous(std::int64_t count) {
  std::vector<std::int64_t> partner(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) partner[static_cast<std::size_t>(i)] = (i == 0 ? count : i) - 1;
  return partner;
}

inline void check_alpha(std::string_view who, double alpha) {
  constexpr double least = 1e-6;
  constexpr double greatest = 1e6;
  JESSL_CHECK(alpha >= least && alpha <= greatest, ConfigError, "jessl::augment::", who, ": alpha = ", alpha,
              ", expected a number from ", least, " to ", greatest, "; 1 is uniform, less mixes less");
}

inline void check_batch(std::string_view who, std::int64_t count, Extent extent) {
  JESSL_CHECK(count >= 1 && extent.known(), ShapeError, "jessl::augment::", who, ": ", count, " images of ", extent,
              " pixels, expected at least one of each");
}

}  // namespace detail

/// Writes the mixed images to `mixed`: with a box, image i with its partner's pixels in it; else lambda of image i and
/// 1 - lambda of its partner, value by value.
///
/// The values may be normalised. jessl::train::mix does the same to tensors, on any device.
///
/// Shapes     images, mixed: [N, C, H, W], two memories
/// Errors     ShapeError for spans or a Mixing of another size, a partner that there is not, a box beyond the image;
///            ConfigError for a lambda outside [0, 1]
/// Models     none
/// Source     as MixUp and CutMix
inline void mix(std::span<const float> images, const ViewShape& shape, const Mixing& mixing, std::span<float> mixed) {
  constexpr std::string_view who = "jessl::augment::mix";
  mixing.check(who, {shape.height, shape.width});
  const std::size_t count = mixing.partner.size();
  const auto values = static_cast<std::size_t>(shape.count());
  JESSL_CHECK(images.size() == count * values && mixed.size() == images.size(), ShapeError, who, ": images has ",
              images.size(), " values and mixed has ", mixed.size(), ", expected ", count, " images of shape ", shape,
              " = ", count * values, " in both");
  for (std::size_t i = 0; i < count; ++i) {
    const std::span<const float> own = images.subspan(i * values, values);
    const std::span<const float> other = images.subspan(static_cast<std::size_t>(mixing.partner[i]) * values, values);
    const std::span<float> target = mixed.subspan(i * values, values);
    if (mixing.box.empty()) {
      const auto share = static_cast<float>(mixing.lambda[i]);
      const auto rest = static_cast<float>(1.0 - mixing.lambda[i]);
      for (std::size_t k = 0; k < values; ++k) target[k] = share * own[k] + rest * other[k];
      continue;
    }
    const Region& box = mixing.box[i];
    std::copy(own.begin(), own.end(), target.begin());
    for (std::int64_t c = 0; c < shape.channels; ++c) {
      for (std::int64_t y = box.top; y < box.bottom(); ++y) {
        const auto first = static_cast<std::size_t>((c * shape.height + y) * shape.width + box.left);
        std::copy_n(other.begin() + static_cast<std::ptrdiff_t>(first), box.width,
                    target.begin() + static_cast<std::ptrdiff_t>(first));
      }
    }
  }
}

/// The targets of mixed images: row i has lambda at the label of image i and 1 - lambda at its partner's, and 1 where
/// these are one label. A label below 0 (none) has no share.
///
/// Shapes     labels [N] -> targets [N, classes]
/// Errors     ShapeError for spans of another size, a label that is not below `classes`; as mix() for the Mixing
/// Models     none
/// Source     as MixUp and CutMix
inline void mixed_targets(std::span<const std::int64_t> labels, std::int64_t classes, const Mixing& mixing,
                          std::span<float> targets) {
  constexpr std::string_view who = "jessl::augment::mixed_targets";
  mixing.check(who);
  JESSL_CHECK(classes >= 1 && labels.size() == mixing.partner.size() &&
                  targets.size() == labels.size() * static_cast<std::size_t>(classes),
              ShapeError, who, ": ", labels.size(), " labels of ", classes, " classes and ", targets.size(),
              " targets, expected ", mixing.partner.size(), " labels and as many rows of targets");
  std::fill(targets.begin(), targets.end(), 0.0F);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    JESSL_CHECK(labels[i] < classes, ShapeError, who, ": labels[", i, "] is ", labels[i], ", expected at most ",
                classes - 1);
  }
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const std::span<float> row = targets.subspan(i * static_cast<std::size_t>(classes));
    const std::int64_t other = labels[static_cast<std::size_t>(mixing.partner[i])];
    if (labels[i] >= 0) row[static_cast<std::size_t>(labels[i])] += static_cast<float>(mixing.lambda[i]);
    if (other >= 0) row[static_cast<std::size_t>(other)] += static_cast<float>(1.0 - mixing.lambda[i]);
  }
}

}  // namespace jessl::augment
