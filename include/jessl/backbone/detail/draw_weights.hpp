// SPDX-License-Identifier: Apache-2.0
// Start weights: parameters filled from a generator, whatever their device, type and layout.
#pragma once

#include <cmath>
#include <cstdint>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/tensor.hpp>

namespace jessl::backbone::detail {

// What is drawn is drawn on the CPU, in float32 and in row order, and then copied.

/// Normal of mean 0 and that standard deviation.
void draw_normal(torch::Tensor& target, double deviation, const at::Generator& generator);

/// Uniform in [-bound, bound).
void draw_uniform(torch::Tensor& target, double bound, const at::Generator& generator);

/// He's rule for what a ReLU follows: normal of variance 2 / fan out, the outputs that an input takes part in.
void draw_he(torch::Tensor& weight, const at::Generator& generator);

}  // namespace jessl::backbone::detail

#if JESSL_DEFINITIONS
namespace jessl::backbone::detail {

JESSL_INLINE void draw_normal(torch::Tensor& target, double deviation, const at::Generator& generator) {
  target.copy_(torch::empty(target.sizes(), torch::kFloat32).normal_(0.0, deviation, generator));
}

JESSL_INLINE void draw_uniform(torch::Tensor& target, double bound, const at::Generator& generator) {
  target.copy_(torch::empty(target.sizes(), torch::kFloat32).uniform_(-bound, bound, generator));
}

JESSL_INLINE void draw_he(torch::Tensor& weight, const at::Generator& generator) {
  const std::int64_t fan_out = weight.size(0) * weight.size(2) * weight.size(3);  // [out, in, k, k]
  draw_normal(weight, std::sqrt(2.0 / static_cast<double>(fan_out)), generator);
}

}  // namespace jessl::backbone::detail
#endif
