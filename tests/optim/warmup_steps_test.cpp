// SPDX-License-Identifier: Apache-2.0
// Tests of the learning rate's schedule in steps.
#include <cstddef>
#include <cstdint>
#include <vector>

#include <catch2/catch.hpp>

#include <jessl/optim/warmup_steps.hpp>

using jessl::optim::WarmupSteps;

TEST_CASE("WarmupSteps: rises, stays, and falls at each drop", "[optim][warmup_steps]") {
  // [steps]
  const jessl::optim::WarmupSteps schedule{.base_lr = 0.8, .warmup_steps = 2, .drops = {4, 6}, .drop_ratio = 0.5};
  const std::vector<double> expected{0.4, 0.8, 0.8, 0.8, 0.4, 0.4, 0.2, 0.2};
  // [/steps]
  for (std::size_t step = 0; step < expected.size(); ++step)
    CHECK(schedule.at(static_cast<std::int64_t>(step)) == expected[step]);
}

TEST_CASE("WarmupSteps: is constant without drops, and two at one step fall twice", "[optim][warmup_steps]") {
  CHECK(WarmupSteps{.base_lr = 0.3}.at(0) == 0.3);
  CHECK(WarmupSteps{.base_lr = 0.3}.at(1'000'000) == 0.3);
  CHECK(WarmupSteps{.base_lr = 1, .drops = {3, 3}, .drop_ratio = 0.5}.at(3) == 0.25);
  CHECK(WarmupSteps{.base_lr = 1, .warmup_steps = 4, .drops = {2}, .drop_ratio = 0.5}.at(3) == 1.0);
  CHECK(WarmupSteps{.base_lr = 1, .warmup_steps = 4, .drops = {2}, .drop_ratio = 0.5}.at(4) == 0.5);
}

TEST_CASE("WarmupSteps: settings out of range are refused", "[optim][warmup_steps]") {
  CHECK_THROWS_WITH((WarmupSteps{.drops = {5, 3}}.at(0)),
                    "jessl::optim::WarmupSteps: drops is [5,3], expected steps >= 0 in their order");
  CHECK_THROWS_AS((WarmupSteps{.drops = {-1}}.at(0)), jessl::ConfigError);
  CHECK_THROWS_AS((WarmupSteps{.drop_ratio = 0}.at(0)), jessl::ConfigError);
  CHECK_THROWS_AS((WarmupSteps{.base_lr = -1}.at(0)), jessl::ConfigError);
  CHECK_THROWS_AS((WarmupSteps{.warmup_steps = -1}.at(0)), jessl::ConfigError);
  CHECK_THROWS_AS(WarmupSteps().at(-1), jessl::ConfigError);
}
