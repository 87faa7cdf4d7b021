// SPDX-License-Identifier: Apache-2.0
// What a machine with little memory looks like to a program.
#pragma once

#include <fstream>
#include <string>

#include <sys/resource.h>

#include <catch2/catch.hpp>

namespace jessl::test {

/// This process may take no more than `bytes` of further memory until the end of the scope; files that are mapped to be
/// read don't count. Memory that it has given up and not yet returned to the system doesn't, either: a few MB.
class DataLimit {
 public:
  explicit DataLimit(rlim_t bytes) {
    REQUIRE(::getrlimit(RLIMIT_DATA, &before_) == 0);
    std::ifstream status("/proc/self/status");
    std::string line;
    while (std::getline(status, line) && !line.starts_with("VmData:")) {
    }
    REQUIRE(line.starts_with("VmData:"));
    rlimit limit = before_;
    limit.rlim_cur = std::stoull(line.substr(7)) * 1024 + bytes;
    REQUIRE(::setrlimit(RLIMIT_DATA, &limit) == 0);
  }
  DataLimit(const DataLimit&) = delete;
  DataLimit& operator=(const DataLimit&) = delete;
  ~DataLimit() { ::setrlimit(RLIMIT_DATA, &before_); }

 private:
  rlimit before_{};
};

}  // namespace jessl::test
