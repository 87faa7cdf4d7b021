// SPDX-License-Identifier: Apache-2.0
// What all losses with a state check of it.
#pragma once

#include <string_view>

#include <jessl/core/error.hpp>
#include <jessl/core/tensor.hpp>

namespace jessl::loss::detail {

/// Checks that there is a module in `state`, a torch::nn::ModuleHolder, and that it is where `view` [N, D] is.
template <class State>
void check_state(std::string_view loss, const State& state, const torch::Tensor& view) {
  JESSL_CHECK(!state.is_empty(), ConfigError, "jessl::loss::", loss,
              ": the state is empty, expected what make() gives");
  for (const auto& tensors : {state->parameters(), state->buffers()}) {
    for (const torch::Tensor& tensor : tensors)
      JESSL_CHECK(tensor.device() == view.device(), ConfigError, "jessl::loss::", loss, ": the state is on ",
                  tensor.device(), ", expected ", view.device(), " as views[0]; move it by state->to(device)");
  }
}

}  // namespace jessl::loss::detail
