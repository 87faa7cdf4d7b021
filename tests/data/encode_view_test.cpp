// SPDX-License-Identifier: Apache-2.0
// Views in other formats and orders: the same bits by every instruction set, for every size. Compiled for any x86-64
// processor, so that the program has all sets.
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include <catch2/catch.hpp>

#include <jessl/core/detail/instruction_set.hpp>
#include <jessl/core/draw.hpp>
#include <jessl/data/detail/encode_view.hpp>

using jessl::Element;
using jessl::Layout;

namespace {

/// Any bits: numbers of every size, infinities and NaN.
std::vector<float> any_floats(std::size_t count) {
  constexpr std::array<std::uint32_t, 12> edges{0x00000000, 0x80000000, 0x7F800000, 0xFF800000, 0x7FC00000, 0x7F800001,
                                                0x7F7FFFFF, 0x477FEFFF, 0x477FF000, 0x33000000, 0x33000001, 0x38801000};
  jessl::Draw draw({.purpose = jessl::Purpose::initialisation});
  std::vector<float> values;
  for (std::size_t i = 0; i < count; ++i) {
    const auto bits = static_cast<std::uint32_t>(draw.bits());
    values.push_back(std::bit_cast<float>(i % 7 == 3 ? edges[i / 7 % edges.size()] : bits));
  }
  return values;
}

template <class T>
void append(std::vector<std::byte>& bytes, float value) {
  const T converted(value);
  bytes.resize(bytes.size() + sizeof converted);
  std::memcpy(bytes.data() + bytes.size() - sizeof converted, &converted, sizeof converted);
}

/// The same, value by value.
std::vector<std::byte> expected(const std::vector<float>& view, const jessl::ViewShape& shape, Element element,
                                Layout layout) {
  std::vector<std::byte> bytes;
  const std::int64_t pixels = shape.height * shape.width;
  for (std::int64_t i = 0; i < shape.count(); ++i) {
    const std::int64_t from = layout == Layout::channels_first ? i : i % shape.channels * pixels + i / shape.channels;
    const float value = view[static_cast<std::size_t>(from)];
    if (element == Element::float32) append<float>(bytes, value);
    if (element == Element::bfloat16) append<jessl::BFloat16>(bytes, value);
    if (element == Element::float16) append<jessl::Float16>(bytes, value);
  }
  return bytes;
}

}  // namespace

TEST_CASE("encode_view: every format and order by every instruction set, and not a byte further",
          "[data][encode_view]") {
  const auto best = jessl::detail::instruction_set.load();
  for (const std::int64_t channels : {1, 2, 3, 5}) {
    for (std::int64_t width = 1; width < 70; ++width) {
      const jessl::ViewShape shape{channels, width % 3 + 1, width};
      const std::vector<float> view = any_floats(static_cast<std::size_t>(shape.count()));
      for (const Element element : {Element::float32, Element::bfloat16, Element::float16}) {
        for (const Layout layout : {Layout::channels_first, Layout::channels_last}) {
          std::vector<std::byte> right = expected(view, shape, element, layout);
          right.resize(right.size() + 64, std::byte{0x5A});
          for (const auto set : jessl::detail::available_instruction_sets()) {
            jessl::detail::instruction_set = set;
            std::vector<std::byte> encoded(right.size(), std::byte{0x5A});
            jessl::data::detail::encode_view(view, shape, element, layout, encoded.data());
            INFO(shape << ", format " << static_cast<int>(element) << ", order " << static_cast<int>(layout) << ", set "
                       << static_cast<int>(set));
            REQUIRE(std::memcmp(encoded.data(), right.data(), right.size()) == 0);
          }
        }
      }
    }
  }
  jessl::detail::instruction_set = best;
}
