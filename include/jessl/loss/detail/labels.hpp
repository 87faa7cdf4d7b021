// SPDX-License-Identifier: Apache-2.0
// What losses with labels check of them.
#pragma once

#include <cstdint>
#include <string_view>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/shape.hpp>
#include <jessl/core/tensor.hpp>

namespace jessl::loss::detail {

/// Checks that there is one integer for each of the N images of `view` [N, D], on its device.
void check_labels(std::string_view loss, const torch::Tensor& labels, const torch::Tensor& view);

}  // namespace jessl::loss::detail

#if JESSL_DEFINITIONS

namespace jessl::loss::detail {

JESSL_INLINE void check_labels(std::string_view loss, const torch::Tensor& labels, const torch::Tensor& view) {
  JESSL_CHECK(labels.defined(), ConfigError, "jessl::loss::", loss, ": labels are undefined");
  JESSL_CHECK(labels.dim() == 1 && labels.size(0) == view.size(0), ShapeError, "jessl::loss::", loss, ": labels are ",
              shape_of(labels), ", expected [N] = [", view.size(0), "]");
  JESSL_CHECK(labels.scalar_type() == torch::kInt64, ConfigError, "jessl::loss::", loss, ": labels hold ",
              labels.dtype().name(), ", expected int64");
  JESSL_CHECK(labels.device() == view.device(), ConfigError, "jessl::loss::", loss, ": labels are on ", labels.device(),
              ", expected ", view.device(), " as views[0]");
}

}  // namespace jessl::loss::detail

#endif  // JESSL_DEFINITIONS
