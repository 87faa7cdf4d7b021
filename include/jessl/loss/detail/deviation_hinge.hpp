// SPDX-License-Identifier: Apache-2.0
// VICReg's variance term, which VIbCReg has too.
#pragma once

#include <jessl/core/tensor.hpp>

namespace jessl::loss::detail {

/// How far the standard deviations of the columns fall short of 1, on average; of their variances, [D].
[[nodiscard]] inline torch::Tensor deviation_hinge(const torch::Tensor& variances, double epsilon) {
  return torch::relu(1 - (variances + epsilon).sqrt()).mean();
}

}  // namespace jessl::loss::detail
