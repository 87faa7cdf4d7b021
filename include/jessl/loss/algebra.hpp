// SPDX-License-Identifier: Apache-2.0
// Which of two equal sums a loss takes.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>

#include <jessl/core/options.hpp>

namespace jessl::loss {

/// Which matrix a sum of squared correlations is taken from: |A^T B|^2 = <A A^T, B B^T>. Both give the same value and gradient
/// to rounding; they differ in time and memory.
enum class Algebra : std::uint8_t {
  automatic,  ///< the faster one, as measured (docs/benchmarks.md): of the smaller side
  images,     ///< inner products of images, [N, N]
  dimensions  ///< inner products of dimensions, [D, D]
};

}  // namespace jessl::loss

template <>
struct jessl::EnumNames<jessl::loss::Algebra> {
  static constexpr std::array<std::pair<loss::Algebra, std::string_view>, 3> value{
      {{loss::Algebra::automatic, "automatic"},
       {loss::Algebra::images, "images"},
       {loss::Algebra::dimensions, "dimensions"}}};
};
