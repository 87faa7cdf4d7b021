// SPDX-License-Identifier: Apache-2.0
// Results that several threads make, taken in order.
#include <catch2/catch.hpp>

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <thread>
#include <vector>

#include <jessl/core/thread_pool.hpp>
#include <jessl/data/detail/in_order.hpp>

using jessl::data::detail::InOrder;

TEST_CASE("InOrder: every result is taken once, in order, from its place", "[data][in_order]") {
  for (const std::int64_t threads : {1, 2, 5}) {
    for (const std::int64_t places : {5, 64}) {
      INFO(threads << " threads, " << places << " places");
      jessl::ThreadPool pool(threads);
      InOrder in_order(places);
      std::vector<std::int64_t> made(static_cast<std::size_t>(places), -1);
      std::vector<std::int64_t> taken;
      pool.parallel_for(3000, [&](std::int64_t i, std::int64_t) {
        in_order.add(
            i,
            [&](std::size_t place) {
              for (std::int64_t turns = i % 7; turns > 0; --turns) std::this_thread::yield();  // some take longer
              made[place] = i;
            },
            [&](std::int64_t number, std::size_t place) {
              if (made[place] == number) taken.push_back(number);
            });
      });
      REQUIRE(taken.size() == 3000);
      for (std::int64_t i = 0; i < 3000; ++i) REQUIRE(taken[static_cast<std::size_t>(i)] == i);
    }
  }
}

TEST_CASE("InOrder: nothing is taken after a failure, and nobody waits for it", "[data][in_order]") {
  for (const std::int64_t threads : {1, 2, 5}) {
    jessl::ThreadPool pool(threads);
    InOrder in_order(threads);
    std::vector<std::int64_t> taken;
    const auto run = [&] {
      pool.parallel_for(1000, [&](std::int64_t i, std::int64_t) {
        in_order.add(
            i, [](std::size_t) {},
            [&](std::int64_t number, std::size_t) {
              if (number == 300) throw std::runtime_error("the disk is full");
              taken.push_back(number);
            });
      });
    };
    CHECK_THROWS_WITH(run(), "the disk is full");
    CHECK(taken.size() == 300);
  }
}
