// SPDX-License-Identifier: Apache-2.0
// The contract between whoever makes views of an image (augment) and whoever asks for them (data's loader, train).
#pragma once

#include <concepts>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <jessl/core/draw.hpp>
#include <jessl/core/image.hpp>
#include <jessl/core/shape.hpp>

namespace jessl {

/// Makes the views of one image, each a pure function of the pixels and the key, and says which pixels it needs.
///
/// `views`               number of views per image, known at compile time, >= 1
/// `Scratch`             working memory, one per thread; default constructible, grows once and is then reused
/// `shape(v, channels)`  the [C, H, W] of view v for an image with that many channels; throws ConfigError if it can't be made
/// `shape(v, channels, epoch)` only where a view's shape depends on the epoch: that shape, nowhere larger than
///                       shape(v, channels), which a loader takes memory for
/// `region(extent, key)` the part of an image of that extent that view `key.view` is made from: one pixel or more, inside
///                       the image; a pure function of its arguments, cheap beside a decode. A maker that needs all, or
///                       can't say, returns the whole image.
/// `make(part, key, scratch, out)` writes view `key.view` as float32 [C, H, W] into `out`. `part` holds that region or
///                       more of the image, in full size (but see ShrinkingViewMaker); the values don't depend on how much more. An ImageView is the
///                       part that is the whole image. Safe to call from several threads with one Scratch each;
///                       allocates nothing once warm.
/// `key.operation` is ignored by both.
///
/// Errors     ShapeError when `out` has another size than `shape` says, or `part` is not what was asked for
/// Source     none
template <class A>
concept ViewMaker = requires(const A& maker, const RegionView& part, const Extent& extent, const DrawKey& key,
                             typename A::Scratch& scratch, std::span<float> out) {
  { A::views } -> std::convertible_to<std::int64_t>;
  requires std::default_initializable<typename A::Scratch>;
  { maker.shape(std::int64_t{}, std::int64_t{}) } -> std::same_as<ViewShape>;
  { maker.region(extent, key) } -> std::same_as<Region>;
  { maker.make(part, key, scratch, out) } -> std::same_as<void>;
};

/// The [C, H, W] of view `view` in an epoch.
///
/// Errors     as maker.shape()
/// Models     none
/// Source     none
template <ViewMaker A>
[[nodiscard]] ViewShape shape_in_epoch(const A& maker, std::int64_t view, std::int64_t channels, std::int64_t epoch) {
  if constexpr (requires {
                  { maker.shape(view, channels, epoch) } -> std::same_as<ViewShape>;
                }) {
    return maker.shape(view, channels, epoch);
  } else {
    return maker.shape(view, channels);
  }
}

/// A view maker that can also make its views from a part that was shrunk while it was decoded.
///
/// `shrink(extent, key)`  the largest of 1, 2, 4 and 8 by which the part that view `key.view` is made from may be shrunk:
///                        as much as still leaves it a pixel for each of the view's. make() takes a part that is shrunk
///                        by that or less, and gives other values than from full size. Pure and cheap, as region().
///
/// Errors     none
/// Source     none
template <class A>
concept ShrinkingViewMaker = ViewMaker<A> && requires(const A& maker, const Extent& extent, const DrawKey& key) {
  { maker.shrink(extent, key) } -> std::same_as<std::int64_t>;
};

/// By how much the part of an image may be shrunk that view `key.view` is made from: 1 where the maker doesn't say.
///
/// Errors     none
/// Models     none
/// Source     none
template <ViewMaker A>
[[nodiscard]] std::int64_t shrink_of(const A& maker, const Extent& extent, const DrawKey& key) {
  if constexpr (ShrinkingViewMaker<A>) {
    return maker.shrink(extent, key);
  } else {
    return 1;
  }
}

/// A view maker that also says with what parameters it makes a view: labels for whoever learns from them.
///
/// `parameters(v)`              the names of view v's parameters, a column each; none is well
/// `describe(extent, key, out)` writes those of view `key.view` of an image of that extent, exactly those that make()
///                              applies. A pure function of its arguments; safe to call from several threads; allocates
///                              nothing.
///
/// Errors     ShapeError when `out` has not a value for each name
/// Source     none
template <class A>
concept DescribingViewMaker = ViewMaker<A> &&
    requires(const A& maker, const Extent& extent, const DrawKey& key, std::span<float> out) {
  { maker.parameters(std::int64_t{}) } -> std::same_as<std::vector<std::string>>;
  { maker.describe(extent, key, out) } -> std::same_as<void>;
};

}  // namespace jessl
