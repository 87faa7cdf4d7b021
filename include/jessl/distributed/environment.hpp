// SPDX-License-Identifier: Apache-2.0
// What torchrun, SLURM and mpirun tell a process about its place among others.
#pragma once

#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>

namespace jessl::distributed::detail {

inline constexpr std::string_view who = "jessl::distributed::Group::from_environment: ";

}  // namespace jessl::distributed::detail

namespace jessl::distributed {

/// The value of an environment variable; nothing where it is not set.
using Variables = std::function<std::optional<std::string>(const std::string& name)>;

/// This process's own.
[[nodiscard]] std::optional<std::string> environment_variable(const std::string& name);

/// A process's place among those that were started with it.
///
/// Shapes     none
/// Errors     none
/// Models     none
/// Source     none
struct Environment {
  std::string launcher{};       ///< "torchrun", "SLURM", "Open MPI"; empty where this process was started alone
  std::int64_t rank = 0;        ///< of this process, in [0, size)
  std::int64_t size = 1;        ///< processes, >= 1
  std::int64_t local_rank = 0;  ///< among those of this machine
  std::string address{};        ///< of the machine where they meet
  std::int64_t port = 0;        ///< where they meet there
  bool has_host = false;        ///< the launcher keeps the meeting place; else rank 0 does
  std::string attempt{};        ///< tells a restart from the start before it; empty where nobody restarts
};

/// Reads what the launcher has set. In this order, whichever is there:
///
/// torchrun   RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR, MASTER_PORT, TORCHELASTIC_USE_AGENT_STORE,
///            TORCHELASTIC_RESTART_COUNT; the first five also by hand, without torchrun
/// SLURM      SLURM_PROCID, SLURM_STEP_NUM_TASKS or SLURM_NTASKS, SLURM_LOCALID; they meet on the first machine of
///            SLURM_STEP_NODELIST or SLURM_JOB_NODELIST at a port that follows from SLURM_JOB_ID
/// Open MPI   OMPI_COMM_WORLD_RANK, OMPI_COMM_WORLD_SIZE, OMPI_COMM_WORLD_LOCAL_RANK; on one machine they meet at a port that
///            follows from PMIX_NAMESPACE, on several MASTER_ADDR says where (mpirun -x MASTER_ADDR=...)
///
/// MASTER_ADDR and MASTER_PORT win over what SLURM and Open MPI suggest.
///
/// Errors     ConfigError where a variable is missing, no number or out of range, with its name
[[nodiscard]] Environment read_environment(const Variables& variable = environment_variable);

}  // namespace jessl::distributed

#if JESSL_DEFINITIONS

namespace jessl::distributed::detail {

/// One launcher's variables.
class LauncherVariables {
 public:
  LauncherVariables(const Variables& variable, std::string_view launcher) : variable_(variable), launcher_(launcher) {}

  [[nodiscard]] std::optional<std::string> text(const std::string& name) const { return variable_(name); }

  /// A whole number in [least, most]; nothing where it is not set.
  [[nodiscard]] std::optional<std::int64_t> number(const std::string& name, std::int64_t least,
                                                   std::int64_t most) const {
    const std::optional<std::string> value = variable_(name);
    if (!value) return std::nullopt;
    std::int64_t result = 0;
    const auto [stop, error] = std::from_chars(value->data(), value->data() + value->size(), result);
    JESSL_CHECK(error == std::errc{} && stop == value->data() + value->size() && result >= least && result <= most,
                ConfigError, who, name, " is \"", *value, "\", expected a whole number from ", least, " to ", most,
                " (", launcher_, ")");
    return result;
  }

  /// The first that is set of several that mean the same.
  [[nodiscard]] std::int64_t needed(std::initializer_list<const char*> names, std::int64_t least,
                                    std::int64_t most) const {
    for (const char* name : names) {
      if (const auto value = number(name, least, most)) return *value;
    }
    missing(*names.begin());
  }

  [[noreturn]] void missing(const std::string& name) const {
    fail<ConfigError>(who, launcher_, " started this process, but ", name,
                      " is not set; set it, or start the process by ", "torchrun, srun or mpirun, which do");
  }

 private:
  const Variables& variable_;
  std::string_view launcher_;
};

/// The first machine of a list in SLURM's manner: "node007" of "node[007-012,020],login1", "rack1n3" of "rack[1-2]n[3-4]".
JESSL_INLINE std::string first_machine(const std::string& list) {
  std::string name;
  bool inside = false;    // of brackets
  bool skipping = false;  // what follows the first in them
  for (const char character : list) {
    if (character == ',' && !inside) break;
    if (character == '[' || character == ']') {
      inside = character == '[';
      skipping = false;
      continue;
    }
    if (inside && (character == '-' || character == ',')) skipping = true;
    if (!skipping) name += character;
  }
  return name;
}

/// A port below those that systems give away, the same for the same name of a job.
JESSL_INLINE std::int64_t port_of(const std::string& job) {
  constexpr std::uint32_t first = 15000, count = 15000;
  std::uint32_t hash = 2166136261U;  // FNV-1a
  for (const char character : job) hash = (hash ^ static_cast<unsigned char>(character)) * 16777619U;
  return first + hash % count;
}

}  // namespace jessl::distributed::detail

namespace jessl::distributed {

JESSL_INLINE std::optional<std::string> environment_variable(const std::string& name) {
  const char* const value = std::getenv(name.c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

JESSL_INLINE Environment read_environment(const Variables& variable) {
  constexpr std::int64_t most_ranks = 1'000'000;
  constexpr std::int64_t most_ports = 65535;
  Environment found;
  const auto place = [&](const detail::LauncherVariables& variables, std::initializer_list<const char*> rank,
                         std::initializer_list<const char*> size, const char* local_rank) {
    found.size = variables.needed(size, 1, most_ranks);
    found.rank = variables.needed(rank, 0, found.size - 1);
    found.local_rank = variables.number(local_rank, 0, most_ranks).value_or(0);
    found.address = variables.text("MASTER_ADDR").value_or("");
    found.port = variables.number("MASTER_PORT", 1, most_ports).value_or(0);
  };
  if (variable("RANK") || variable("WORLD_SIZE")) {
    found.launcher = "torchrun";
    const detail::LauncherVariables variables(variable, found.launcher);
    place(variables, {"RANK"}, {"WORLD_SIZE"}, "LOCAL_RANK");
    if (found.size > 1 && found.address.empty()) variables.missing("MASTER_ADDR");
    if (found.size > 1 && found.port == 0) variables.missing("MASTER_PORT");
    found.has_host = variable("TORCHELASTIC_USE_AGENT_STORE") == "True";
    found.attempt = variable("TORCHELASTIC_RESTART_COUNT").value_or("");
  } else if (variable("OMPI_COMM_WORLD_RANK") || variable("OMPI_COMM_WORLD_SIZE")) {
    found.launcher = "Open MPI";
    const detail::LauncherVariables variables(variable, found.launcher);
    place(variables, {"OMPI_COMM_WORLD_RANK"}, {"OMPI_COMM_WORLD_SIZE"}, "OMPI_COMM_WORLD_LOCAL_RANK");
    const bool one_machine = variables.number("OMPI_COMM_WORLD_LOCAL_SIZE", 1, most_ranks) == found.size;
    if (found.address.empty() && one_machine) found.address = "127.0.0.1";
    if (found.size > 1 && found.address.empty()) variables.missing("MASTER_ADDR");
    const std::optional<std::string> job = variables.text("PMIX_NAMESPACE");
    if (found.port == 0 && job) found.port = detail::port_of(*job);
    if (found.size > 1 && found.port == 0) variables.missing("MASTER_PORT");
  } else if (variable("SLURM_PROCID")) {
    found.launcher = "SLURM";
    const detail::LauncherVariables variables(variable, found.launcher);
    place(variables, {"SLURM_PROCID"}, {"SLURM_STEP_NUM_TASKS", "SLURM_NTASKS"}, "SLURM_LOCALID");
    for (const char* name : {"SLURM_STEP_NODELIST", "SLURM_JOB_NODELIST", "SLURM_NODELIST"}) {
      if (found.address.empty()) found.address = detail::first_machine(variables.text(name).value_or(""));
    }
    if (found.size > 1 && found.address.empty()) variables.missing("SLURM_JOB_NODELIST");
    const std::optional<std::string> job = variables.text("SLURM_JOB_ID");
    if (found.port == 0 && job) found.port = detail::port_of(*job + '.' + variables.text("SLURM_STEP_ID").value_or(""));
    if (found.size > 1 && found.port == 0) variables.missing("SLURM_JOB_ID");
    found.attempt = variables.text("SLURM_RESTART_COUNT").value_or("");
  }
  return found;
}

}  // namespace jessl::distributed

#endif  // JESSL_DEFINITIONS
