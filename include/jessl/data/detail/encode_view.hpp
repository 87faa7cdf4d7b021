// SPDX-License-Identifier: Apache-2.0
// Views from float32, channel by channel, as view makers write them, to the format and the order of a batch.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>
#include <utility>

#include <jessl/core/detail/instruction_set.hpp>
#include <jessl/core/detail/separate.hpp>
#include <jessl/core/detail/vectors.hpp>
#include <jessl/core/element.hpp>
#include <jessl/core/shape.hpp>

namespace jessl::data::detail {

using jessl::detail::Floats;
using jessl::detail::Lanes;
using jessl::detail::Words;

/// Three vectors of three channels to the same values pixel by pixel, of which this is vector `Part`: a value of the
/// first two, or of the third where the channel is that.
template <std::size_t Part, std::size_t Count, std::size_t... I>
[[gnu::always_inline]] inline void interleave_part(std::index_sequence<I...>, const Words<Count> (&channels)[3],
                                                   Words<Count>& part) {
  constexpr auto channel = [](std::size_t i) { return (Part * Count + i) % 3; };
  constexpr auto pixel = [](std::size_t i) { return (Part * Count + i) / 3; };
  const Words<Count> two =
      __builtin_shufflevector(channels[0], channels[1], (channel(I) == 1 ? Count + pixel(I) : pixel(I))...);
  part = __builtin_shufflevector(two, channels[2], (channel(I) == 2 ? Count + pixel(I) : I)...);
}

/// The lower halves, or all, of the words.
template <class Value, std::size_t Count>
[[gnu::always_inline]] inline void store_words(const Words<Count>& words, std::byte* to) {
  if constexpr (sizeof(Value) == sizeof(std::uint32_t)) {
    std::memcpy(to, &words, sizeof words);
  } else {
    using Halves = typename jessl::detail::VectorOf<std::uint16_t, Count>::Type;
    const Halves halves = __builtin_convertvector(words, Halves);
    std::memcpy(to, &halves, sizeof halves);
  }
}

/// `Count` pixels of planes that lie `stride` values apart.
template <class Value, std::size_t Channels, std::size_t Count>
[[gnu::always_inline]] inline void encode_block(const float* planes, std::int64_t stride, std::byte* to) {
  Words<Count> words[Channels];
  for (std::size_t c = 0; c < Channels; ++c) {
    Floats<Count> values;
    jessl::detail::load(planes + static_cast<std::int64_t>(c) * stride, values);
    if constexpr (std::same_as<Value, float>) words[c] = __builtin_bit_cast(Words<Count>, values);
    if constexpr (std::same_as<Value, BFloat16>) jessl::detail::to_bfloat16(values, words[c]);
    if constexpr (std::same_as<Value, Float16>) jessl::detail::to_float16(values, words[c]);
  }
  constexpr std::size_t size = Count * sizeof(Value);
  if constexpr (Channels == 3) {
    const auto store_part = [&]<std::size_t Part>(std::integral_constant<std::size_t, Part>) {
      Words<Count> part;
      interleave_part<Part, Count>(std::make_index_sequence<Count>{}, words, part);
      store_words<Value, Count>(part, to + Part * size);
    };
    store_part(Lanes<0>{});
    store_part(Lanes<1>{});
    store_part(Lanes<2>{});
  } else {
    store_words<Value, Count>(words[0], to);
  }
}

/// 1 or 3 planes of `pixels` values, one after the other, to values pixel by pixel.
template <class Value, std::size_t Channels>
void encode_planes(const float* planes, std::int64_t pixels, std::byte* to) {
  jessl::detail::run_vectorised([=]<std::size_t Count>(Lanes<Count>) {
    constexpr auto lanes = static_cast<std::int64_t>(Count);
    constexpr std::size_t pixel_size = Channels * sizeof(Value);
    std::int64_t i = 0;
    for (; i + lanes <= pixels; i += lanes)
      encode_block<Value, Channels, Count>(planes + i, pixels, to + static_cast<std::size_t>(i) * pixel_size);
    if (i == pixels) return;
    const auto rest = static_cast<std::size_t>(pixels - i);
    float padded[Channels * Count] = {};
    std::byte encoded[Count * pixel_size];
    for (std::size_t c = 0; c < Channels; ++c)
      std::memcpy(padded + c * Count, planes + static_cast<std::int64_t>(c) * pixels + i, rest * sizeof(float));
    encode_block<Value, Channels, Count>(padded, lanes, encoded);
    std::memcpy(to + static_cast<std::size_t>(i) * pixel_size, encoded, rest * pixel_size);
  });
}

/// As above for any number of channels, value by value.
template <class Value>
void encode_pixels(const float* planes, std::int64_t pixels, std::int64_t channels, std::byte* to) {
  for (std::int64_t i = 0; i < pixels; ++i) {
    for (std::int64_t c = 0; c < channels; ++c, to += sizeof(Value)) {
      const Value value(planes[c * pixels + i]);
      std::memcpy(to, &value, sizeof value);
    }
  }
}

/// Writes a view, given in float32 as [C, H, W], in another format or order.
template <ElementType Value>
void encode_view(std::span<const float> view, const ViewShape& shape, Layout layout, std::byte* to) {
  const std::int64_t pixels = shape.height * shape.width;
  if (layout == Layout::channels_first || shape.channels == 1)
    return encode_planes<Value, 1>(view.data(), shape.count(), to);
  if (shape.channels == 3) return encode_planes<Value, 3>(view.data(), pixels, to);
  encode_pixels<Value>(view.data(), pixels, shape.channels, to);
}

void encode_view(std::span<const float> view, const ViewShape& shape, Element element, Layout layout, std::byte* to);

}  // namespace jessl::data::detail

#if JESSL_DEFINITIONS

namespace jessl::data::detail {

JESSL_INLINE void encode_view(std::span<const float> view, const ViewShape& shape, Element element, Layout layout,
                              std::byte* to) {
  switch (element) {
    case Element::float32:
      return encode_view<float>(view, shape, layout, to);
    case Element::bfloat16:
      return encode_view<BFloat16>(view, shape, layout, to);
    case Element::float16:
      return encode_view<Float16>(view, shape, layout, to);
  }
}

}  // namespace jessl::data::detail

#endif  // JESSL_DEFINITIONS
