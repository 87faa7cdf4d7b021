// SPDX-License-Identifier: Apache-2.0
// Loops over many values compiled for several instruction sets, of which the processor's best is taken at run time.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <vector>

#include <jessl/core/detail/separate.hpp>

namespace jessl::detail {

/// What a loop may use: the sets that make a difference to one over floats, each containing those before it.
enum class InstructionSet : std::uint8_t {
  compiled,  ///< what the program was compiled for
  avx2,      ///< x86-64 with AVX2 and fused multiply-add: 8 floats
  avx512     ///< and AVX-512 F, BW, CD, DQ and VL: 16 floats
};

/// The set that the compiler may use everywhere, by its options; it makes nothing for lesser ones.
inline constexpr InstructionSet least_instruction_set =
#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512CD__) && defined(__AVX512DQ__) && \
    defined(__AVX512VL__) && defined(__FMA__) && defined(__BMI2__)
    InstructionSet::avx512;
#elif defined(__AVX2__) && defined(__FMA__) && defined(__BMI2__)
    InstructionSet::avx2;
#else
    InstructionSet::compiled;
#endif

/// Those that the program has and the processor can do, from the least to the best.
[[nodiscard]] std::vector<InstructionSet> available_instruction_sets();

/// The set that loops are run with: the best one. Before it is initialised it is the least, which is right as well.
/// Only a test sets it, to one of the available ones.
inline std::atomic<InstructionSet> instruction_set{available_instruction_sets().back()};

/// The widest vector of floats, in values, of a set.
template <std::size_t Count>
using Lanes = std::integral_constant<std::size_t, Count>;

// The kernel and all that it calls are inlined into these (flatten), so that they are compiled with their instructions.
// Nothing of what is inlined may be a function that takes or returns vectors by value, unless it is always_inline:
// where nothing is inlined, that would be another calling convention.

template <class Kernel>
[[gnu::noinline, gnu::flatten]] void run_as_compiled(const Kernel& kernel) {
#if defined(__AVX__)
  kernel(Lanes<8>{});
#else
  kernel(Lanes<4>{});
#endif
}

#if defined(__x86_64__)
template <class Kernel>
[[gnu::noinline, gnu::flatten, gnu::target("avx2,fma,bmi,bmi2")]] void run_with_avx2(const Kernel& kernel) {
  kernel(Lanes<8>{});
}

template <class Kernel>
[[gnu::noinline, gnu::flatten,
  gnu::target("avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx2,fma,bmi,bmi2,prefer-vector-width=512")]] void
run_with_avx512(const Kernel& kernel) {
  kernel(Lanes<16>{});
}
#endif

/// Calls kernel(Lanes<N>{}) as compiled for the best instruction set.
///
/// `kernel` is a function object whose call, with everything in it, is compiled once for each set. A set changes no
/// result but by fused multiply-add, which AVX2 and AVX-512 have and an x86-64 of before 2013 doesn't.
template <class Kernel>
void run_vectorised(const Kernel& kernel) {
#if defined(__x86_64__)
  const InstructionSet set = instruction_set.load(std::memory_order_relaxed);
  if (set == InstructionSet::avx512 || least_instruction_set == InstructionSet::avx512) return run_with_avx512(kernel);
  if constexpr (least_instruction_set < InstructionSet::avx512) {
    if (set == InstructionSet::avx2 || least_instruction_set == InstructionSet::avx2) return run_with_avx2(kernel);
  }
#endif
  if constexpr (least_instruction_set == InstructionSet::compiled) run_as_compiled(kernel);
}

}  // namespace jessl::detail

#if JESSL_DEFINITIONS

namespace jessl::detail {

JESSL_INLINE std::vector<InstructionSet> available_instruction_sets() {
  std::vector<InstructionSet> sets{least_instruction_set};
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512vl");
  if (avx2 && sets.back() < InstructionSet::avx2) sets.push_back(InstructionSet::avx2);
  if (avx512 && sets.back() < InstructionSet::avx512) sets.push_back(InstructionSet::avx512);
#endif
  return sets;
}

}  // namespace jessl::detail

#endif  // JESSL_DEFINITIONS
