// SPDX-License-Identifier: Apache-2.0
// Images of one size in memory: what the data sets that hold their pixels have in common.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/image.hpp>

namespace jessl::data::detail {

/// The largest number that is taken for a class; beyond it, it counts none.
inline constexpr std::int64_t most_label = std::int64_t{1} << 31U;

void check_index(std::int64_t i, std::int64_t size, std::string_view who);

/// 8-bit images [N, H, W, C] with their labels.
struct RawImages {
  std::vector<std::uint8_t> pixels{};
  std::int64_t count = 0;
  std::int64_t height = 0;
  std::int64_t width = 0;
  std::int64_t channels = 0;
  std::vector<std::int64_t> labels{};  // [N], or empty where there are none
  std::int64_t classes = 0;

  [[nodiscard]] std::int64_t label(std::int64_t i, std::string_view who) const {
    check_index(i, count, who);
    return labels.empty() ? -1 : labels[static_cast<std::size_t>(i)];
  }

  [[nodiscard]] EncodedImage read(std::int64_t i, std::string_view who) const {
    check_index(i, count, who);
    const auto bytes = static_cast<std::size_t>(height * width * channels);
    return {ImageFormat::raw, width, height, channels,
            std::as_bytes(std::span(pixels)).subspan(static_cast<std::size_t>(i) * bytes, bytes)};
  }
};

/// One more than the largest label, 0 where there are none. None is above most_label.
[[nodiscard]] inline std::int64_t count_classes(std::span<const std::int64_t> labels) {
  return labels.empty() ? 0 : *std::max_element(labels.begin(), labels.end()) + 1;
}

}  // namespace jessl::data::detail

#if JESSL_DEFINITIONS

namespace jessl::data::detail {

JESSL_INLINE void check_index(std::int64_t i, std::int64_t size, std::string_view who) {
  JESSL_CHECK(i >= 0 && i < size, DataError, who, ": there is no image ", i, "; the images are 0 to ", size - 1);
}

}  // namespace jessl::data::detail

#endif  // JESSL_DEFINITIONS
