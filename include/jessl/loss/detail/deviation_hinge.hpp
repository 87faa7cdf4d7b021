// SPDX-License-Identifier: Apache-2.0
// VICReg's variance term, which VIbCReg has too.
#pragma once

#include <jessl/core/tensor.hpp>

namespace jessl::loss::detail {

/// How far the standard deviations of the columns of [M, D] fall short of 1, on average.
[[nodiscard]] inline torch::Tensor deviation_hinge(const torch::Tensor& all, double epsilon) {
  const auto deviation = (all.var(/*dim=*/0, /*unbiased=*/true) + epsilon).sqrt();  // [D]
  return torch::relu(1 - deviation).mean();
}

}  // namespace jessl::loss::detail
