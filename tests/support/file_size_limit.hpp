// SPDX-License-Identifier: Apache-2.0
// What a full disk looks like to a program.
#pragma once

#include <sys/resource.h>

#include <catch2/catch.hpp>

namespace jessl::test {

/// No file of this process may grow beyond `bytes` until the end of the scope. What writes without an eye on that ends the
/// process by SIGXFSZ.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &before_) == 0);
    rlimit limit = before_;
    limit.rlim_cur = bytes;
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &limit) == 0);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;
  ~FileSizeLimit() { ::setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

}  // namespace jessl::test
