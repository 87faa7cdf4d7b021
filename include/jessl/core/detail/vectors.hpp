// SPDX-License-Identifier: Apache-2.0
// Vectors of the processor, for the inner loops that run_vectorised compiles for each instruction set.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace jessl::detail {

template <class Value, std::size_t Count>
struct VectorOf {
  using Type [[gnu::vector_size(Count * sizeof(Value))]] = Value;
};

/// `Count` floats in a register, on which operators work value by value. They are handed over by reference: see
/// run_vectorised.
template <std::size_t Count>
using Floats = typename VectorOf<float, Count>::Type;

/// As many words of 32 bits.
template <std::size_t Count>
using Words = typename VectorOf<std::uint32_t, Count>::Type;

template <class Vector>
[[gnu::always_inline]] inline void load(const float* from, Vector& vector) {
  std::memcpy(&vector, from, sizeof vector);
}

template <class Vector>
[[gnu::always_inline]] inline void store(const Vector& vector, float* to) {
  std::memcpy(to, &vector, sizeof vector);
}

}  // namespace jessl::detail
