// SPDX-License-Identifier: Apache-2.0
// The settings of a group of processes.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>

#include <jessl/core/options.hpp>

namespace jessl::distributed {

/// What carries the collectives.
enum class Backend : std::uint8_t {
  automatic,  ///< NCCL where the build knows GPUs and each process has one, else Gloo
  gloo,       ///< CPUs; tensors of GPUs go by way of them
  nccl        ///< NVIDIA GPUs, one a process; tensors of CPUs by Gloo
};

/// The settings of a group.
///
/// Shapes     none
/// Units      timeout: seconds, > 0
/// Errors     none; distributed::Group::from_environment checks them
/// Models     jessl::Options
/// Source     none
struct GroupOptions {
  static constexpr std::string_view name = "Group";

  Backend backend = Backend::automatic;  ///< what carries the collectives
  double timeout = 600.0;                ///< seconds to wait for other ranks: at the start, and in each collective
};

}  // namespace jessl::distributed

template <>
struct jessl::EnumNames<jessl::distributed::Backend> {
  static constexpr std::array<std::pair<distributed::Backend, std::string_view>, 3> value{
      {{distributed::Backend::automatic, "auto"},
       {distributed::Backend::gloo, "gloo"},
       {distributed::Backend::nccl, "nccl"}}};
};

JESSL_OPTIONS(jessl::distributed::GroupOptions, backend, timeout);
