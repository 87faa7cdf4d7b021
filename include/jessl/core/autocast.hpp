// SPDX-License-Identifier: Apache-2.0
// Mixed precision as a scope: autocast on or off until the guard ends.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>

#include <ATen/autocast_mode.h>

#include <jessl/core/options.hpp>
#include <jessl/core/tensor.hpp>

namespace jessl {

/// The number format of convolutions and matrix products in a training step. Parameters, batch-norm statistics,
/// losses and optimizer states are float32 in either case.
enum class Precision : std::uint8_t {
  float32,  ///< everything in float32
  bfloat16  ///< convolutions and matrix products in bfloat16 (autocast)
};

/// Runs what follows under autocast in the given precision (or without it), and restores what was before.
///
/// LibTorch keeps bfloat16 copies of the weights while autocast is on; the outermost guard drops them at its end,
/// since they are stale after the optimizer's step.
///
/// Shapes     none
/// Precision  bfloat16 switches autocast on, float32 switches it off
/// Errors     none
/// Models     none
/// Source     none
class Autocast {
 public:
  Autocast(torch::DeviceType device, Precision precision)
      : device_(device),
        was_enabled_(at::autocast::is_autocast_enabled(device)),
        previous_type_(at::autocast::get_autocast_dtype(device)) {
    at::autocast::set_autocast_enabled(device, precision == Precision::bfloat16);
    at::autocast::set_autocast_dtype(device, torch::kBFloat16);
    at::autocast::increment_nesting();
  }

  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

  ~Autocast() {
    if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
    at::autocast::set_autocast_enabled(device_, was_enabled_);
    at::autocast::set_autocast_dtype(device_, previous_type_);
  }

 private:
  torch::DeviceType device_;
  bool was_enabled_;
  torch::ScalarType previous_type_;
};

}  // namespace jessl

template <>
struct jessl::EnumNames<jessl::Precision> {
  static constexpr std::array<std::pair<Precision, std::string_view>, 2> value{
      {{Precision::float32, "float32"}, {Precision::bfloat16, "bfloat16"}}};
};
