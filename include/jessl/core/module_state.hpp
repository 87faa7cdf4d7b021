// SPDX-License-Identifier: Apache-2.0
// A module's parameters and buffers by name, out and in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/tensor.hpp>

namespace jessl {

/// The parameters and buffers of a module and its children, by name. The tensors are the module's own, not copies.
///
/// Errors     none
/// Source     none
[[nodiscard]] StateDict module_state(const torch::nn::Module& module);

namespace detail {}  // namespace detail

/// Checks that `state` has just the names and shapes of the module's parameters and buffers.
///
/// Errors     ShapeError naming what is missing, what is not known, and the first tensor of another shape; `who` opens
///            the message
/// Source     none
void check_module_state(const torch::nn::Module& module, const StateDict& state, const std::string& who);

/// Copies `state` into the module's parameters and buffers. Nothing is copied unless everything fits.
///
/// Errors     as check_module_state
/// Source     none
void load_module_state(torch::nn::Module& module, const StateDict& state, const std::string& who);

}  // namespace jessl

#if JESSL_DEFINITIONS

namespace jessl {

JESSL_INLINE StateDict module_state(const torch::nn::Module& module) {
  StateDict state;
  for (const auto& entry : module.named_parameters()) state[entry.key()] = entry.value();
  for (const auto& entry : module.named_buffers()) state[entry.key()] = entry.value();
  return state;
}

namespace detail {

/// The first few of the names, for a message.
[[nodiscard]] JESSL_INLINE std::string some_of(const std::vector<std::string>& names) {
  constexpr std::size_t shown = 3;
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < shown; ++i) text += (i == 0 ? "" : ", ") + names[i];
  return names.size() > shown ? text + ", ... (" + std::to_string(names.size()) + " in all)" : text;
}

}  // namespace detail

JESSL_INLINE void check_module_state(const torch::nn::Module& module, const StateDict& state, const std::string& who) {
  const StateDict own = module_state(module);
  std::vector<std::string> missing;
  std::vector<std::string> unknown;
  for (const auto& [name, tensor] : own) {
    if (!state.contains(name)) missing.push_back(name);
  }
  for (const auto& [name, tensor] : state) {
    if (!own.contains(name)) unknown.push_back(name);
  }
  JESSL_CHECK(missing.empty() && unknown.empty(), ShapeError, who,
              ": another architecture: ", missing.empty() ? "" : "it lacks " + detail::some_of(missing),
              missing.empty() || unknown.empty() ? "" : " and ",
              unknown.empty() ? "" : "it has the unknown " + detail::some_of(unknown));
  for (const auto& [name, tensor] : own) {
    const torch::Tensor& given = state.at(name);
    JESSL_CHECK(given.sizes() == tensor.sizes(), ShapeError, who, ": another architecture: ", name, " is ",
                shape_of(given), ", expected ", shape_of(tensor));
  }
}

JESSL_INLINE void load_module_state(torch::nn::Module& module, const StateDict& state, const std::string& who) {
  check_module_state(module, state, who);
  const torch::NoGradGuard no_gradient;
  for (const auto& [name, tensor] : module_state(module)) {
    torch::Tensor target = tensor;
    target.copy_(state.at(name));
  }
}

}  // namespace jessl

#endif  // JESSL_DEFINITIONS
