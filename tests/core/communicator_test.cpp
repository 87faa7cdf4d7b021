// SPDX-License-Identifier: Apache-2.0
// The group of one process.
#include <catch2/catch.hpp>

#include <jessl/core/communicator.hpp>

TEST_CASE("SingleProcess: is a group of one whose collectives return their argument", "[core][communicator]") {
  static_assert(jessl::Communicator<jessl::SingleProcess, double>);
  constexpr jessl::SingleProcess alone;
  CHECK(alone.rank() == 0);
  CHECK(alone.size() == 1);
  CHECK(alone.all_gather(2.5) == 2.5);
  CHECK(alone.all_reduce_sum(2.5) == 2.5);
  CHECK(alone.all_reduce_mean(2.5) == 2.5);
}
