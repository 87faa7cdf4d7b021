// SPDX-License-Identifier: Apache-2.0
// How many threads can run at once: by the processors there are, those we may use, and the time we get on them.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <limits>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

#include <sched.h>

#include <jessl/core/detail/separate.hpp>

namespace jessl {

namespace detail {

/// The number of processors that the calling thread may run on, as taskset, SLURM and container runtimes set it.
[[nodiscard]] std::optional<std::int64_t> processors_allowed();

/// What `quota` of processor time in each `period` comes to, in whole processors, rounded up. Both are texts as the
/// kernel writes them; "max" and "-1" are no limit, and so is what cannot be read.
[[nodiscard]] std::optional<std::int64_t> processors_of_quota(std::string_view quota, std::string_view period);

/// The processors whose time the control groups of this process get: `docker run --cpus`, Kubernetes, SLURM.
///
/// A limit may stand at the process's own group or at any above it, in version 2 of the hierarchy (one file, cpu.max:
/// "quota period") or in version 1 (two files); the least of them all counts. `root` is / but for tests.
[[nodiscard]] std::optional<std::int64_t> processors_of_cgroup(const std::filesystem::path& root = "/");

/// The machine's name and the processors of it that this thread may run on, in words: equal for those who share them.
[[nodiscard]] std::string cores_in_words();

}  // namespace detail

/// The number of threads that can run at once here, at least 1.
///
/// The least of three: the processors of the machine, those that the calling thread may run on (taskset, SLURM,
/// `docker run --cpuset-cpus`), and the time that its control group gets (`docker run --cpus`), rounded up to whole
/// processors. One thread more than that makes the others wait for it, and a training step many times slower.
///
/// Shapes     none
/// Cost       tens of microseconds: a system call, and a few files in /proc and /sys
/// Errors     none: what the system does not tell is no limit
/// Models     none
/// Source     sched_getaffinity(2); Linux's documentation of control groups, versions 1 (sched-bwc) and 2 (cpu.max)
[[nodiscard]] std::int64_t hardware_threads();

}  // namespace jessl

#if JESSL_DEFINITIONS

namespace jessl::detail {

JESSL_INLINE std::optional<std::int64_t> processors_allowed() {
  struct Free {
    void operator()(cpu_set_t* set) const { CPU_FREE(set); }
  };
  // The kernel refuses a set that is too small for the processors it was built for, and tells that number to nobody.
  for (std::size_t processors = 1024; processors <= (std::size_t{1} << 20U); processors *= 2) {
    const std::unique_ptr<cpu_set_t, Free> set(CPU_ALLOC(processors));
    const std::size_t bytes = CPU_ALLOC_SIZE(processors);
    if (set && sched_getaffinity(0, bytes, set.get()) == 0) return CPU_COUNT_S(bytes, set.get());
  }
  return std::nullopt;
}

JESSL_INLINE std::string cores_in_words() {
  std::string machine;
  std::ifstream("/proc/sys/kernel/hostname") >> machine;
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("Cpus_allowed_list:")) return machine + ' ' + line;
  }
  return machine;
}

JESSL_INLINE std::optional<std::int64_t> processors_of_quota(std::string_view quota, std::string_view period) {
  const auto microseconds = [](std::string_view text) {
    std::int64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
  };
  const std::int64_t time = microseconds(quota);
  const std::int64_t interval = microseconds(period);
  if (time <= 0 || interval <= 0) return std::nullopt;
  return time / interval + (time % interval == 0 ? 0 : 1);
}

JESSL_INLINE std::optional<std::int64_t> processors_of_cgroup(const std::filesystem::path& root) {
  const auto words = [](const std::filesystem::path& path) {
    std::string first;
    std::string second;
    std::ifstream(path) >> first >> second;
    return std::pair(first, second);
  };
  std::int64_t least = std::numeric_limits<std::int64_t>::max();
  const auto consider = [&](const std::filesystem::path& folder) {
    const auto [quota, period] = words(folder / "cpu.max");
    const std::string old_quota = words(folder / "cpu.cfs_quota_us").first;
    const std::string old_period = words(folder / "cpu.cfs_period_us").first;
    least = std::min({least, processors_of_quota(quota, period).value_or(least),
                      processors_of_quota(old_quota, old_period).value_or(least)});
  };

  // A line is "number:controllers:/group"; version 2 has no controllers in it.
  std::ifstream groups(root / "proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    std::istringstream fields(line);
    std::string number;
    std::string controllers;
    std::string group;
    if (!std::getline(fields, number, ':') || !std::getline(fields, controllers, ':') || !std::getline(fields, group))
      continue;
    const std::string listed = ',' + controllers + ',';
    if (!controllers.empty() && listed.find(",cpu,") == std::string::npos) continue;
    const std::filesystem::path mount = root / "sys/fs/cgroup" / controllers;
    // In a container the group may be named as the host sees it, and lie at the root of what is mounted.
    std::filesystem::path below = std::filesystem::path(group).relative_path().lexically_normal();
    for (; !below.empty(); below = below.parent_path()) consider(mount / below);
    consider(mount);
  }
  if (least == std::numeric_limits<std::int64_t>::max()) return std::nullopt;
  return least;
}

}  // namespace jessl::detail

namespace jessl {

JESSL_INLINE std::int64_t hardware_threads() {
  const std::int64_t present = std::max<std::int64_t>(1, std::int64_t{std::thread::hardware_concurrency()});
  const std::int64_t allowed = detail::processors_allowed().value_or(present);
  return std::max<std::int64_t>(1, std::min({present, allowed, detail::processors_of_cgroup().value_or(present)}));
}

}  // namespace jessl

#endif  // JESSL_DEFINITIONS
