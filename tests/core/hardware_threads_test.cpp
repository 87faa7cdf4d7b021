// SPDX-License-Identifier: Apache-2.0
// The number of threads follows the machine, the affinity mask and the control groups, whichever allows least.
#include <catch2/catch.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <thread>

#include <sched.h>

#include <jessl/core/hardware_threads.hpp>

#include "support/temporary_folder.hpp"

namespace {

using jessl::detail::processors_of_cgroup;
using jessl::detail::processors_of_quota;
using jessl::test::TemporaryFolder;

}  // namespace

TEST_CASE("hardware_threads: a thread that may run on one processor alone gets one", "[core][hardware_threads]") {
  CHECK(jessl::hardware_threads() >= 1);
  CHECK(jessl::hardware_threads() <= std::int64_t{std::thread::hardware_concurrency()});
  std::int64_t pinned = 0;
  std::thread([&] {  // its own mask, so that the other tests keep theirs
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) != 0) return;
    std::size_t first = 0;
    while (!CPU_ISSET(first, &set)) ++first;
    CPU_ZERO(&set);
    CPU_SET(first, &set);
    if (sched_setaffinity(0, sizeof(set), &set) == 0) pinned = jessl::hardware_threads();
  })
      .join();
  CHECK(pinned == 1);
}

TEST_CASE("hardware_threads: a quota counts in processors, rounded up", "[core][hardware_threads]") {
  CHECK(processors_of_quota("200000", "100000") == 2);
  CHECK(processors_of_quota("150000", "100000") == 2);
  CHECK(processors_of_quota("1000", "100000") == 1);
  for (const std::string none : {"max", "-1", "0", "", "nonsense"}) {
    INFO(none);
    CHECK(processors_of_quota(none, "100000") == std::nullopt);
    CHECK(processors_of_quota("100000", none) == std::nullopt);
  }
}

TEST_CASE("hardware_threads: the least quota of a control group and those above it counts",
          "[core][hardware_threads]") {
  const TemporaryFolder root;
  CHECK(processors_of_cgroup(root.path()) == std::nullopt);  // no such files at all
  root.write("proc/self/cgroup", std::string("0::/slurm/job_7/step_0\n"));
  CHECK(processors_of_cgroup(root.path()) == std::nullopt);
  root.write("sys/fs/cgroup/slurm/job_7/step_0/cpu.max", std::string("max 100000\n"));
  CHECK(processors_of_cgroup(root.path()) == std::nullopt);
  root.write("sys/fs/cgroup/slurm/job_7/cpu.max", std::string("350000 100000\n"));
  CHECK(processors_of_cgroup(root.path()) == 4);
  root.write("sys/fs/cgroup/slurm/cpu.max", std::string("800000 100000\n"));
  CHECK(processors_of_cgroup(root.path()) == 4);
  root.write("sys/fs/cgroup/cpu.max", std::string("100000 50000\n"));
  CHECK(processors_of_cgroup(root.path()) == 2);
}

TEST_CASE("hardware_threads: version 1 of the control groups is read too", "[core][hardware_threads]") {
  const TemporaryFolder root;
  // Inside a container: the name is the host's, the files lie at the root of the mount. cpuset is another controller.
  root.write("proc/self/cgroup", std::string("11:cpuset:/docker/c0ffee\n4:cpu,cpuacct:/docker/c0ffee\n0::/\n"));
  root.write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", std::string("-1\n"));
  root.write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", std::string("100000\n"));
  CHECK(processors_of_cgroup(root.path()) == std::nullopt);
  root.write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", std::string("250000\n"));
  CHECK(processors_of_cgroup(root.path()) == 3);
}

TEST_CASE("hardware_threads: files that hold something else are no limit", "[core][hardware_threads]") {
  const TemporaryFolder root;
  for (const std::string groups : {"", "0", "0:", "0::", "::", "0::/../../..", "a:b:c:d", "\n\n"}) {
    INFO(groups);
    root.write("proc/self/cgroup", groups);
    CHECK(processors_of_cgroup(root.path()) == std::nullopt);
  }
}
