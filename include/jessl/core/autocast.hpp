// SPDX-License-Identifier: Apache-2.0
// Mixed precision as a scope: autocast on or off until the guard ends.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>

#include <ATen/autocast_mode.h>
#ifdef JESSL_CUDA
#include <ATen/cuda/CUDAContext.h>
#endif

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/tensor.hpp>

namespace jessl {

/// The number format of convolutions and matrix products in a training step. Parameters, batch-norm statistics,
/// losses and optimizer states are float32 in either case.
enum class Precision : std::uint8_t {
  float32,   ///< everything in float32
  bfloat16,  ///< convolutions and matrix products in bfloat16 (autocast)
  automatic  ///< bfloat16 where the device is faster in it, else float32
};

/// Whether the CPU has instructions for whole tiles of bfloat16 products (AMX), and the system lets the process use them.
[[nodiscard]] bool has_bfloat16_tiles();

/// The precision that `automatic` stands for on a device; any other is itself. Without instructions of its own bfloat16 is
/// slower than float32: on a GPU below compute capability 8, on a CPU without AVX-512 BF16. It is on Intel's with it but without
/// AMX, too, as measured on one (docs/benchmarks.md, "A training step on the CPU").
///
/// Shapes     none
/// Errors     none
/// Models     none
/// Source     none
[[nodiscard]] Precision resolve(Precision precision, torch::DeviceType device);

/// The type that convolutions and matrix products of x compute in: x's own, unless autocast is on.
[[nodiscard]] torch::ScalarType product_type(const torch::Tensor& x);

/// Runs what follows under autocast in the given precision (or without it), and restores what was before.
///
/// LibTorch keeps bfloat16 copies of the weights while autocast is on. They are dropped at both ends, also within a scope
/// of the caller's: copies made before an optimizer's step are stale, and those of a pass without gradients have no graph.
///
/// Shapes     none
/// Precision  bfloat16 switches autocast on, float32 switches it off
/// Errors     none
/// Models     none
/// Source     none
class Autocast {
 public:
  Autocast(torch::DeviceType device, Precision precision);

  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

  ~Autocast();

 private:
  torch::DeviceType device_;
  bool was_enabled_;
  torch::ScalarType previous_type_;
};

}  // namespace jessl

template <>
struct jessl::EnumNames<jessl::Precision> {
  static constexpr std::array<std::pair<Precision, std::string_view>, 3> value{
      {{Precision::float32, "float32"}, {Precision::bfloat16, "bfloat16"}, {Precision::automatic, "auto"}}};
};

#if JESSL_DEFINITIONS

namespace jessl {

JESSL_INLINE bool has_bfloat16_tiles() {
  static const bool has = at::cpu::init_amx();
  return has;
}

JESSL_INLINE Precision resolve(Precision precision, torch::DeviceType device) {
  if (precision != Precision::automatic) return precision;
#ifdef JESSL_CUDA
  if (device == torch::kCUDA)
    return at::cuda::getCurrentDeviceProperties()->major >= 8 ? Precision::bfloat16 : Precision::float32;
#endif
#ifdef __x86_64__
  if (device == torch::kCPU) {
    const bool computes = __builtin_cpu_supports("avx512bf16") && (has_bfloat16_tiles() || !__builtin_cpu_is("intel"));
    return computes ? Precision::bfloat16 : Precision::float32;
  }
#endif
  return Precision::float32;
}

JESSL_INLINE torch::ScalarType product_type(const torch::Tensor& x) {
  const bool casts = x.scalar_type() == torch::kFloat32 && at::autocast::is_autocast_enabled(x.device().type());
  return casts ? at::autocast::get_autocast_dtype(x.device().type()) : x.scalar_type();
}

JESSL_INLINE Autocast::Autocast(torch::DeviceType device, Precision precision)
    : device_(device),
      was_enabled_(at::autocast::is_autocast_enabled(device)),
      previous_type_(at::autocast::get_autocast_dtype(device)) {
  at::autocast::clear_cache();
  at::autocast::set_autocast_enabled(device, resolve(precision, device) == Precision::bfloat16);
  at::autocast::set_autocast_dtype(device, torch::kBFloat16);
  at::autocast::increment_nesting();
}

JESSL_INLINE Autocast::~Autocast() {
  at::autocast::decrement_nesting();
  at::autocast::clear_cache();
  at::autocast::set_autocast_enabled(device_, was_enabled_);
  at::autocast::set_autocast_dtype(device_, previous_type_);
}

}  // namespace jessl

#endif  // JESSL_DEFINITIONS
