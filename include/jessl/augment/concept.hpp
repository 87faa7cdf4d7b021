// SPDX-License-Identifier: Apache-2.0
// What an augmentation's operation is: parameters drawn from a key, and what they do to a coordinate or a pixel.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include <jessl/augment/pixel.hpp>
#include <jessl/core/draw.hpp>
#include <jessl/core/image.hpp>
#include <jessl/core/options.hpp>

namespace jessl::augment {

using jessl::Extent;
using jessl::Region;

/// How a warp reads between pixels.
enum class Interpolation : std::uint8_t {
  bilinear,  ///< the four pixels around a place, by their nearness
  nearest    ///< the nearest pixel
};

}  // namespace jessl::augment

template <>
struct jessl::EnumNames<jessl::augment::Interpolation> {
  static constexpr std::array<std::pair<augment::Interpolation, std::string_view>, 2> value{
      {{augment::Interpolation::bilinear, "bilinear"}, {augment::Interpolation::nearest, "nearest"}}};
};

namespace jessl::augment {

/// What a geometric operation does: cut `box` out, resample it to `size` (antialiased bilinear; not at all where the
/// sizes are equal), then mirror left and right if `flip`, up and down if `flip_vertical`. What of the box lies outside
/// the image is black.
///
/// Shapes     none
/// Errors     none
/// Models     none
/// Source     none
struct Placement {
  Region box{};                ///< in the coordinates of the operation's input
  Extent size{};               ///< of the operation's output
  bool flip = false;           ///< mirror left and right
  bool flip_vertical = false;  ///< mirror up and down

  bool operator==(const Placement&) const = default;
};

/// What a warp does: the output shows at (x, y) what the input shows at (u / w, v / w), (u, v, w) being the matrix times
/// (x, y, 1). The middle of the first pixel is (0.5, 0.5). Beyond the border is the fill, and nothing is antialiased.
///
/// Shapes     matrix: [3, 3], row by row; the output has the size of the input
/// Errors     none
/// Models     none
/// Source     none
struct Warp {
  std::array<double, 9> matrix = {1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0};  ///< from the output to the input
  Interpolation interpolation = Interpolation::bilinear;
  std::array<double, 3> fill = {{0.0, 0.0, 0.0}};  ///< red, green, blue; grey images take their mean

  bool operator==(const Warp&) const = default;
};

/// The parameters of an operation that either happens to a view or doesn't.
///
/// Shapes     none
/// Errors     none
/// Models     none
/// Source     none
struct Applied {
  bool applied = false;

  bool operator==(const Applied&) const = default;
};

/// What every operation has.
///
/// `O::Params`  the drawn parameters: a plain value that says all about what happens to one view
/// `O::name`    its name in logs and checkpoints
/// `check()`    throws ConfigError if a setting is out of its range; says which, and what is valid
/// and an adaptation by JESSL_OPTIONS (or to_json()), from which its record in logs and checkpoints follows
template <class O>
concept BasicOperation = Recorded<O> && std::copy_constructible<O> && requires(const O& operation) {
  requires std::semiregular<typename O::Params>;
  { O::name } -> std::convertible_to<std::string_view>;
  { operation.check() } -> std::same_as<void>;
};

/// An operation on coordinates. Neighbouring ones become a single resampling.
///
/// `sample(draw, extent)`   the parameters for an image of that extent
/// `place(params, extent)`  what they do; calls no random number
/// `output(extent)`         extent of the result, {0, 0} where that depends on an input which is not known yet
template <class O>
concept GeometricOperation = BasicOperation<O> &&
    requires(const O& operation, Draw& draw, const typename O::Params& params, Extent extent) {
  { operation.sample(draw, extent) } -> std::same_as<typename O::Params>;
  { operation.place(params, extent) } -> std::same_as<Placement>;
  { operation.output(extent) } -> std::same_as<Extent>;
};

/// An operation whose parameters don't depend on the pixels.
///
/// `sample(draw)`    the parameters; or `sample(draw, extent)`, where they depend on the size of the image
/// `active(params)`  whether they change anything; an inactive operation costs nothing
template <class O>
concept PixelOperation = BasicOperation<O> && requires(const O& operation, const typename O::Params& params) {
  { operation.active(params) } -> std::same_as<bool>;
} &&(
    requires(const O& operation, Draw& draw) {
      { operation.sample(draw) } -> std::same_as<typename O::Params>;
    } ||
    requires(const O& operation, Draw& draw, Extent extent) {
      { operation.sample(draw, extent) } -> std::same_as<typename O::Params>;
    });

/// A function of one pixel.
///
/// `apply(pixel, params)`  the new pixel, for grey and RGB
template <class O>
concept PointwiseOperation = PixelOperation<O> &&
    requires(const O& operation, const typename O::Params& params, Pixel<float, 1> grey, Pixel<float, 3> rgb) {
  { operation.apply(grey, params) } -> std::same_as<Pixel<float, 1>>;
  { operation.apply(rgb, params) } -> std::same_as<Pixel<float, 3>>;
};

/// A function of one pixel and of where it is.
///
/// `apply(pixel, params, index)`  the new pixel; `index` counts the pixels row by row from 0
template <class O>
concept IndexedOperation = PixelOperation<O> &&
    requires(const O& operation, const typename O::Params& params, Pixel<float, 1> grey, Pixel<float, 3> rgb,
             std::int64_t index) {
  { operation.apply(grey, params, index) } -> std::same_as<Pixel<float, 1>>;
  { operation.apply(rgb, params, index) } -> std::same_as<Pixel<float, 3>>;
};

/// An indexed operation that is confined to a rectangle, and costs no more than that.
///
/// `patch(params)`  the rectangle; pixels outside it stay as they are
template <class O>
concept PatchOperation = IndexedOperation<O> && requires(const O& operation, const typename O::Params& params) {
  { operation.patch(params) } -> std::same_as<Region>;
};

/// A function of one pixel and of the image that it finds: of a histogram, of the darkest and the brightest value.
///
/// `O::Statistics`                     what it must know of the image; as it is constructed, it has seen no pixel
/// `statistics.add(channel, values)`   takes values of one channel in; every value of the image comes once
/// `statistics.finish()`               all have come
/// `apply(pixel, params, statistics)`  the new pixel, for grey and RGB
template <class O>
concept AdaptiveOperation = PixelOperation<O> && std::default_initializable<typename O::Statistics> &&
    requires(const O& operation, const typename O::Params& params, Pixel<float, 1> grey, Pixel<float, 3> rgb,
             const typename O::Statistics& seen, typename O::Statistics& statistics, std::size_t channel,
             std::span<const float> values) {
  { statistics.add(channel, values) } -> std::same_as<void>;
  { statistics.finish() } -> std::same_as<void>;
  { operation.apply(grey, params, seen) } -> std::same_as<Pixel<float, 1>>;
  { operation.apply(rgb, params, seen) } -> std::same_as<Pixel<float, 3>>;
};

/// Takes the function of one pixel that a step of a ColourOperation stands for; here to spell out the concept.
///
/// Shapes     none
/// Errors     none
/// Models     what a step of a jessl::augment::ColourOperation is called with
/// Source     none
struct StepArchetype {
  void operator()(auto function) const requires std::same_as<decltype(function(Pixel<float, 1>{})), Pixel<float, 1>> &&
      std::same_as<decltype(function(Pixel<float, 3>{})), Pixel<float, 3>> {}
};

/// A sequence of functions of one pixel, chosen at run time, some of which need the mean luma of the image they find.
///
/// `max_steps`                        the longest sequence
/// `steps(params)`                    the number of steps for this view, 0 where nothing happens
/// `needs_mean(params, s)`            whether step s needs the mean luma of the image as it is before that step
/// `step(params, s, mean, visit)`     calls visit(f) once, f being the function of one pixel that step s stands for
template <class O>
concept ColourOperation = BasicOperation<O> &&
    requires(const O& operation, Draw& draw, const typename O::Params& params, int s, float mean,
             const StepArchetype& visit) {
  { O::max_steps } -> std::convertible_to<int>;
  { operation.sample(draw) } -> std::same_as<typename O::Params>;
  { operation.steps(params) } -> std::same_as<int>;
  { operation.needs_mean(params, s) } -> std::same_as<bool>;
  operation.step(params, s, mean, visit);
};

/// A separable symmetric filter; the image goes on beyond its borders as its mirror image.
///
/// `radius(extent)`           of the kernel, for an image of that extent
/// `kernel(params, weights)`  writes its 2 radius + 1 weights
template <class O>
concept FilterOperation = PixelOperation<O> &&
    requires(const O& operation, const typename O::Params& params, Extent extent, std::span<float> weights) {
  { operation.radius(extent) } -> std::same_as<std::int64_t>;
  { operation.kernel(params, weights) } -> std::same_as<void>;
};

/// A filter that makes a value from what it was and what the kernel makes of it. Where the kernel would reach over the
/// border, the value stays.
///
/// `blend(value, filtered, params)`  the new value, of any channel
template <class O>
concept BlendOperation = FilterOperation<O> && requires(const O& operation, const typename O::Params& params) {
  { operation.blend(0.0F, 0.0F, params) } -> std::same_as<float>;
};

/// A mapping of the plane that is not row by row and column by column: a rotation, a change of perspective.
///
/// `warp(params, extent)`  what the parameters do to an image of that extent; calls no random number
template <class O>
concept WarpOperation = PixelOperation<O> &&
    requires(const O& operation, const typename O::Params& params, Extent extent) {
  { operation.warp(params, extent) } -> std::same_as<Warp>;
};

/// Whether the operation leaves the range [0, 1], so that only what takes any value may come after it.
template <class O>
inline constexpr bool is_final = requires {
  requires O::final_operation;
};

/// Whether the operation takes values of any range, and may thus come after Normalize.
template <class O>
inline constexpr bool takes_any_range = requires {
  requires O::any_range;
};

/// An operation of a pipeline: a plain aggregate whose parameters are a pure function of a Draw, and which is of one of
/// seven kinds. The kind tells `compose` what it can be fused with.
///
/// Shapes     see the kinds
/// Randomness the Draw it is given, and nothing else
/// Errors     ConfigError from check()
/// Models     GeometricOperation, PointwiseOperation, IndexedOperation, AdaptiveOperation, ColourOperation,
///            FilterOperation, WarpOperation
/// Source     none
template <class O>
concept Operation = GeometricOperation<O> || PointwiseOperation<O> || IndexedOperation<O> || AdaptiveOperation<O> ||
    ColourOperation<O> || FilterOperation<O> || WarpOperation<O>;

}  // namespace jessl::augment

JESSL_OPTIONS(jessl::augment::Applied, applied);
