// SPDX-License-Identifier: Apache-2.0
// The thread pool: every index once, exceptions to the caller, and use again and again.
#include <catch2/catch.hpp>

#include <atomic>
#include <cstdint>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include <jessl/core/thread_pool.hpp>

using jessl::ThreadPool;

TEST_CASE("ThreadPool: calls the body once for each index", "[core][thread_pool]") {
  for (const std::int64_t threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    CHECK(pool.size() == threads);
    for (const std::int64_t count : {0, 1, 3, 1000}) {
      std::vector<int> calls(static_cast<std::size_t>(count), 0);
      pool.parallel_for(count, [&](std::int64_t index, std::int64_t) { ++calls[static_cast<std::size_t>(index)]; });
      CHECK(calls == std::vector<int>(static_cast<std::size_t>(count), 1));
    }
  }
}

TEST_CASE("ThreadPool: a worker number is never used by two threads at once", "[core][thread_pool]") {
  ThreadPool pool(4);
  std::vector<std::atomic<int>> inside(4);
  std::atomic<bool> clash{false};
  pool.parallel_for(2000, [&](std::int64_t, std::int64_t worker) {
    auto& mine = inside.at(static_cast<std::size_t>(worker));
    if (mine.fetch_add(1) != 0) clash = true;
    mine.fetch_sub(1);
  });
  CHECK_FALSE(clash);
}

TEST_CASE("ThreadPool: one thread is the caller's own", "[core][thread_pool]") {
  ThreadPool pool(1);
  pool.parallel_for(3, [caller = std::this_thread::get_id()](std::int64_t, std::int64_t worker) {
    CHECK(std::this_thread::get_id() == caller);
    CHECK(worker == 0);
  });
}

TEST_CASE("ThreadPool: two threads do work at the same time", "[core][thread_pool]") {
  ThreadPool pool(2);
  std::atomic<int> arrived{0};
  // Each body waits for the other: with one thread alone this would never end.
  pool.parallel_for(2, [&](std::int64_t, std::int64_t) {
    ++arrived;
    while (arrived < 2) std::this_thread::yield();
  });
  CHECK(arrived == 2);
}

TEST_CASE("ThreadPool: an exception in a body reaches the caller, and the pool works on", "[core][thread_pool]") {
  for (const std::int64_t threads : {1, 3}) {
    ThreadPool pool(threads);
    for (int round = 0; round < 20; ++round) {
      std::atomic<int> calls{0};
      CHECK_THROWS_WITH(pool.parallel_for(100,
                                          [&](std::int64_t index, std::int64_t) {
                                            ++calls;
                                            if (index == 5) jessl::fail<jessl::DataError>("image ", index);
                                          }),
                        "image 5");
      CHECK(calls >= 6);
      CHECK(calls <= 100);
      std::atomic<int> after{0};
      pool.parallel_for(50, [&](std::int64_t, std::int64_t) { ++after; });
      CHECK(after == 50);
    }
  }
}

TEST_CASE("ThreadPool: loops of several callers follow each other", "[core][thread_pool]") {
  ThreadPool pool(2);
  std::atomic<int> calls{0};
  {
    std::vector<std::thread> callers;
    for (int caller = 0; caller < 4; ++caller) {
      callers.emplace_back([&] {
        for (int round = 0; round < 50; ++round) pool.parallel_for(10, [&](std::int64_t, std::int64_t) { ++calls; });
      });
    }
    for (std::thread& caller : callers) caller.join();
  }
  CHECK(calls == 4 * 50 * 10);
}

TEST_CASE("ThreadPool: fewer than one thread is refused", "[core][thread_pool]") {
  CHECK_THROWS_AS(ThreadPool(0), jessl::ConfigError);
  CHECK_THROWS_WITH(ThreadPool(-2), "jessl::ThreadPool: threads is -2, expected >= 1");
}
