// SPDX-License-Identifier: Apache-2.0
// The contract between whoever makes views of an image (augment) and whoever asks for them (data's loader, train).
#pragma once

#include <concepts>
#include <cstdint>
#include <span>

#include <jessl/core/draw.hpp>
#include <jessl/core/image.hpp>
#include <jessl/core/shape.hpp>

namespace jessl {

/// Makes the views of one image, each a pure function of the pixels and the key.
///
/// `views`               number of views per image, known at compile time, >= 1
/// `Scratch`             working memory, one per thread; default constructible, grows once and is then reused
/// `shape(v, channels)`  the [C, H, W] of view v for an image with that many channels; throws ConfigError if it can't be made
/// `make(image, key, scratch, out)` writes view `key.view` as float32 [C, H, W] into `out`; `key.operation` is ignored.
///                       Safe to call from several threads with one Scratch each; allocates nothing once warm.
///
/// Errors     ShapeError when `out` has another size than `shape` says
/// Source     none
template <class A>
concept ViewMaker = requires(const A& maker, const ImageView& image, const DrawKey& key, typename A::Scratch& scratch,
                             std::span<float> out) {
  { A::views } -> std::convertible_to<std::int64_t>;
  requires std::default_initializable<typename A::Scratch>;
  { maker.shape(std::int64_t{}, std::int64_t{}) } -> std::same_as<ViewShape>;
  { maker.make(image, key, scratch, out) } -> std::same_as<void>;
};

}  // namespace jessl
