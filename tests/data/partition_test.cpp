// SPDX-License-Identifier: Apache-2.0
// The shares of several processes: disjoint, complete, in step, and the same batches whatever the number of processes.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

#include <jessl/data/loader.hpp>
#include <jessl/data/partition.hpp>

#include "data/support.hpp"

using data_test::Stamp;
using jessl::data::Batch;
using jessl::data::Loader;
using jessl::data::LoaderOptions;
using jessl::data::Partition;
using jessl::data::Rows;

namespace {

using Indices = std::vector<std::int64_t>;

/// The indices that each step of an epoch has, by the ranks in turn.
template <class O = jessl::data::order::Shuffled>
std::vector<Indices> joint_batches(LoaderOptions options, std::int64_t size, std::int64_t ranks, std::int64_t first = 0,
                                   O order = {}) {
  std::vector<Indices> batches;
  for (std::int64_t rank = 0; rank < ranks; ++rank) {
    options.partition = {.rank = rank, .ranks = ranks};
    Loader loader{data_test::pictures(size), Stamp{}, options, order};
    std::size_t step = 0;
    for (const Batch& batch : loader.epoch(3, first)) {
      if (rank == 0) batches.emplace_back();
      REQUIRE(step < batches.size());
      REQUIRE(batch.number == first + static_cast<std::int64_t>(step));
      if (options.drop_last) CHECK(batch.size() == options.batch_size / ranks);
      batches[step].insert(batches[step].end(), batch.indices.begin(), batch.indices.end());
      ++step;
    }
    CHECK(step == batches.size());  // each rank takes as many
    CHECK(static_cast<std::int64_t>(step) == loader.batches() - first);
  }
  return batches;
}

}  // namespace

TEST_CASE("Partition: shares are disjoint, complete, in turn and as equal as can be", "[data][partition]") {
  for (std::int64_t ranks = 1; ranks <= 8; ++ranks) {
    for (const std::int64_t each : {1, 3}) {
      const std::int64_t batch = each * ranks;
      for (std::int64_t size = 0; size <= 4 * batch; ++size) {
        for (std::int64_t number = 0; number * batch < size; ++number) {
          const std::int64_t joint = std::min(batch, size - number * batch);
          std::int64_t next = number * batch;
          for (std::int64_t rank = 0; rank < ranks; ++rank) {
            const Partition partition{.rank = rank, .ranks = ranks};
            const Rows rows = partition.rows(number, batch, size);
            CHECK(rows.first == next);
            next += rows.count;
            CHECK(rows.count >= joint / ranks);
            CHECK(rows.count <= (joint + ranks - 1) / ranks);
            CHECK(rows.count <= partition.most_rows(batch, size));
          }
          CHECK(next == number * batch + joint);
        }
      }
    }
  }
}

TEST_CASE("Partition: the joint batches are the same whatever the number of ranks", "[data][partition]") {
  for (const bool drop_last : {true, false}) {
    for (const std::int64_t ahead : {0, 2}) {
      const LoaderOptions options{.batch_size = 24, .workers = 2, .ahead = ahead, .drop_last = drop_last, .seed = 6};
      for (const std::int64_t size : {24, 25, 50, 71, 72}) {
        INFO(size << " images, drop_last " << drop_last << ", ahead " << ahead);
        const std::vector<Indices> alone = joint_batches(options, size, 1);
        for (const std::int64_t ranks : {2, 3, 4, 6, 8}) CHECK(joint_batches(options, size, ranks) == alone);
        CHECK(joint_batches(options, size, 8, 1) == std::vector<Indices>(alone.begin() + 1, alone.end()));
      }
    }
  }
}

TEST_CASE("Partition: an evaluation sees each image once, also where some ranks have none left", "[data][partition]") {
  for (std::int64_t ranks = 1; ranks <= 8; ++ranks) {
    for (const std::int64_t size : {1, 3, 7, 33}) {
      const LoaderOptions options{.batch_size = 2 * ranks, .workers = 1, .ahead = 1, .drop_last = false};
      Indices seen;
      for (const Indices& batch : joint_batches(options, size, ranks, 0, jessl::data::order::Sequential{}))
        seen.insert(seen.end(), batch.begin(), batch.end());
      Indices all(static_cast<std::size_t>(size));
      std::iota(all.begin(), all.end(), 0);
      CHECK(seen == all);
    }
  }
}

TEST_CASE("Partition: the views of an image do not depend on the rank that makes them", "[data][partition]") {
  const auto dataset = data_test::pictures(20);
  Loader alone{dataset, Stamp{}, {.batch_size = 8, .seed = 2}};
  // [partition]
  jessl::data::Loader second{dataset, Stamp{}, {.batch_size = 8, .seed = 2, .partition = {.rank = 1, .ranks = 2}}};
  for (const jessl::data::Batch& batch : second.epoch(0)) {
    REQUIRE(batch.size() == 4);  // rows 4 to 7 of the 8 that both ranks have together
  }
  // [/partition]
  auto whole = alone.epoch(0);
  for (const Batch& batch : second.epoch(0)) {
    const auto joint = whole.next();
    REQUIRE(joint);
    for (std::size_t view = 0; view < 2; ++view) {
      const auto mine = batch.views[view];
      CHECK(std::equal(mine.begin(), mine.end(), joint->views[view].end() - std::ssize(mine)));
    }
    CHECK(std::equal(batch.labels.begin(), batch.labels.end(), joint->labels.begin() + 4));
  }
}

TEST_CASE("Partition: one that cannot work is refused with what would", "[data][partition]") {
  const auto make = [](std::int64_t batch_size, const Partition& partition) {
    return Loader{data_test::pictures(20), Stamp{}, {.batch_size = batch_size, .partition = partition}};
  };
  CHECK_THROWS_AS(make(10, {.rank = 0, .ranks = 4}), jessl::ConfigError);
  CHECK_THROWS_WITH(make(10, {.rank = 0, .ranks = 4}),
                    "jessl::data::Loader: batch_size is 10, which is that of all ranks together, and 4 ranks cannot "
                    "share it equally; set it to 8 or 12");
  CHECK_THROWS_WITH(make(3, {.rank = 0, .ranks = 4}),
                    "jessl::data::Loader: batch_size is 3, which is that of all ranks together, and 4 ranks cannot "
                    "share it equally; set it to 4");
  CHECK_THROWS_WITH(make(8, {.rank = 4, .ranks = 4}),
                    "jessl::data::Loader: partition.rank is 4, expected 0 to 3, as there are 4 ranks");
  CHECK_THROWS_WITH(make(8, {.rank = -1, .ranks = 2}),
                    "jessl::data::Loader: partition.rank is -1, expected 0 to 1, as there are 2 ranks");
  CHECK_THROWS_WITH(make(8, {.rank = 0, .ranks = 0}), "jessl::data::Loader: partition.ranks is 0, expected >= 1");
}
