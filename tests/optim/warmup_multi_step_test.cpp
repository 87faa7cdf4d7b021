// SPDX-License-Identifier: Apache-2.0
// Tests of the learning rate's schedule in steps.
#include <cstddef>
#include <cstdint>
#include <vector>

#include <catch2/catch.hpp>

#include <jessl/optim/warmup_multi_step.hpp>

using jessl::optim::WarmupMultiStep;

TEST_CASE("WarmupMultiStep: rises, stays, and falls at each milestone", "[optim][warmup_multi_step]") {
  // [steps]
  const jessl::optim::WarmupMultiStep schedule{.base_lr = 0.8, .warmup_steps = 2, .milestones = {4, 6}, .gamma = 0.5};
  const std::vector<double> expected{0.4, 0.8, 0.8, 0.8, 0.4, 0.4, 0.2, 0.2};
  // [/steps]
  for (std::size_t step = 0; step < expected.size(); ++step)
    CHECK(schedule.at(static_cast<std::int64_t>(step)) == expected[step]);
}

TEST_CASE("WarmupMultiStep: is constant without milestones, and two at one step fall twice",
          "[optim][warmup_multi_step]") {
  CHECK(WarmupMultiStep{.base_lr = 0.3}.at(0) == 0.3);
  CHECK(WarmupMultiStep{.base_lr = 0.3}.at(1'000'000) == 0.3);
  CHECK(WarmupMultiStep{.base_lr = 1, .milestones = {3, 3}, .gamma = 0.5}.at(3) == 0.25);
  CHECK(WarmupMultiStep{.base_lr = 1, .warmup_steps = 4, .milestones = {2}, .gamma = 0.5}.at(3) == 1.0);
  CHECK(WarmupMultiStep{.base_lr = 1, .warmup_steps = 4, .milestones = {2}, .gamma = 0.5}.at(4) == 0.5);
}

TEST_CASE("WarmupMultiStep: settings out of range are refused", "[optim][warmup_multi_step]") {
  CHECK_THROWS_WITH((WarmupMultiStep{.milestones = {5, 3}}.at(0)),
                    "jessl::optim::WarmupMultiStep: milestones is [5,3], expected steps >= 0 in their order");
  CHECK_THROWS_AS((WarmupMultiStep{.milestones = {-1}}.at(0)), jessl::ConfigError);
  CHECK_THROWS_AS((WarmupMultiStep{.gamma = 0}.at(0)), jessl::ConfigError);
  CHECK_THROWS_AS((WarmupMultiStep{.base_lr = -1}.at(0)), jessl::ConfigError);
  CHECK_THROWS_AS((WarmupMultiStep{.warmup_steps = -1}.at(0)), jessl::ConfigError);
  CHECK_THROWS_AS(WarmupMultiStep().at(-1), jessl::ConfigError);
}
