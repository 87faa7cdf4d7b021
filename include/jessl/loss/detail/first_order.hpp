// SPDX-License-Identifier: Apache-2.0
// What autograd functions with a gradient of their own say when they are to be differentiated twice.
#pragma once

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/tensor.hpp>

namespace jessl::loss::detail {

/// Checks, within a backward(), that no graph of the gradient is asked for: what was saved on the way forward is constant to it, and
/// second derivatives would silently lack parts.
void check_first_order();

}  // namespace jessl::loss::detail

#if JESSL_DEFINITIONS

namespace jessl::loss::detail {

JESSL_INLINE void check_first_order() {
  JESSL_CHECK(!torch::GradMode::is_enabled(), ConfigError,
              "jessl::loss: the gradient's own gradient is asked for (create_graph), expected first derivatives alone; "
              "write the ",
              "loss out in LibTorch's operations for second ones");
}

}  // namespace jessl::loss::detail

#endif  // JESSL_DEFINITIONS
