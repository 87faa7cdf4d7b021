// SPDX-License-Identifier: Apache-2.0
// The entry point of every test binary: 0 when all is well, skip_status when something was skipped and nothing failed.
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>

#include "support/skip.hpp"

int main(int argc, char** argv) {
  const bool failed = Catch::Session().run(argc, argv) != 0;
  if (failed) return 1;
  return jessl::test::skipped ? jessl::test::skip_status : 0;
}
