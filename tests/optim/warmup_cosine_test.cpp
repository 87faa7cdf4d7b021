// SPDX-License-Identifier: Apache-2.0
// Tests of WarmupCosine.
#include <catch2/catch.hpp>

#include <jessl/optim/warmup_cosine.hpp>

using jessl::optim::WarmupCosine;

TEST_CASE("WarmupCosine: rises linearly, falls as a cosine, ends exactly and stays there", "[optim][warmup_cosine]") {
  // [first]
  const auto schedule =
      jessl::optim::WarmupCosine{.base_lr = 0.8, .warmup_steps = 4, .total_steps = 9, .end_ratio = 0.25};
  // [/first]
  CHECK(schedule.at(0) == Approx(0.2));
  CHECK(schedule.at(1) == Approx(0.4));
  CHECK(schedule.at(3) == 0.8);
  CHECK(schedule.at(4) == Approx(0.8));
  CHECK(schedule.at(6) == Approx(0.5));  // half-way: (1 + 0.25) / 2 of 0.8
  CHECK(schedule.at(8) == 0.25 * 0.8);
  CHECK(schedule.at(9) == 0.25 * 0.8);
  CHECK(schedule.at(1000000) == 0.25 * 0.8);
}

TEST_CASE("WarmupCosine: degenerate runs have a rate for every step", "[optim][warmup_cosine]") {
  CHECK(WarmupCosine{.base_lr = 1, .total_steps = 1, .end_ratio = 0.1}.at(0) == 0.1);
  const WarmupCosine only_warmup{.base_lr = 1, .warmup_steps = 2, .total_steps = 2, .end_ratio = 0.1};
  CHECK(only_warmup.at(0) == 0.5);
  CHECK(only_warmup.at(1) == 1);
  CHECK(only_warmup.at(2) == 0.1);
  const WarmupCosine one_step_left{.base_lr = 1, .warmup_steps = 2, .total_steps = 3, .end_ratio = 0.1};
  CHECK(one_step_left.at(2) == 0.1);
}

TEST_CASE("WarmupCosine: never rises after the warm-up", "[optim][warmup_cosine]") {
  const WarmupCosine schedule{.base_lr = 0.3, .warmup_steps = 10, .total_steps = 200, .end_ratio = 0};
  for (std::int64_t step = 10; step < 250; ++step) CHECK(schedule.at(step) <= schedule.at(step - 1));
}

TEST_CASE("WarmupCosine: settings out of range are refused", "[optim][warmup_cosine]") {
  CHECK_THROWS_WITH((WarmupCosine{.warmup_steps = 5, .total_steps = 4}.at(0)),
                    "jessl::optim::WarmupCosine: warmup_steps is 5, expected in [0, total_steps] = [0, 4]");
  CHECK_THROWS_WITH(WarmupCosine{}.at(-1), "jessl::optim::WarmupCosine: step is -1, expected >= 0");
  CHECK_THROWS_AS(WarmupCosine{.total_steps = 0}.at(0), jessl::ConfigError);
  CHECK_THROWS_AS(WarmupCosine{.end_ratio = 2}.at(0), jessl::ConfigError);
}
