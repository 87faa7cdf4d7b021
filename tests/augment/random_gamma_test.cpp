// SPDX-License-Identifier: Apache-2.0
// RandomGamma against torchvision's formula, and the distribution of its power.
#include "support.hpp"

#include <cmath>

#include <catch2/catch.hpp>

using namespace augment_test;
using namespace jessl::augment;

TEST_CASE("RandomGamma: a value v becomes v^gamma, as torchvision's adjust_gamma", "[augment][random_gamma]") {
  const jessl::Image image = noise_image(9, 7, 3);
  const auto pipeline = compose(CenterCrop{.size = 7, .width = 9}, RandomGamma{});
  const std::vector<float> bent = view_with(pipeline, image, {{}, {true, 1.7}});
  const std::vector<float> plain = view_with(pipeline, image, {{}, {false, 1.0}});
  for (std::size_t i = 0; i < bent.size(); ++i) {
    CHECK(static_cast<double>(bent[i]) == Approx(std::pow(static_cast<double>(plain[i]), 1.7)).margin(1e-6));
  }
}

TEST_CASE("RandomGamma: the logarithm of the power is uniform", "[augment][random_gamma]") {
  const RandomGamma operation{.gamma = {0.5, 2.0}, .p = 0.75};
  constexpr int draws = 4000;
  int applied = 0;
  double sum = 0.0;
  double squares = 0.0;
  for (std::uint64_t sample = 0; sample < draws; ++sample) {
    jessl::Draw draw({.seed = 3, .sample = sample});
    const auto params = operation.sample(draw);
    if (!params.applied) continue;
    ++applied;
    const double position = std::log2(params.gamma);  // uniform in [-1, 1): mean 0, variance 1/3
    REQUIRE(position >= -1.0);
    REQUIRE(position < 1.0);
    sum += position;
    squares += position * position;
  }
  CHECK(std::abs(applied / static_cast<double>(draws) - 0.75) < 4.0 * std::sqrt(0.75 * 0.25 / draws));
  CHECK(std::abs(sum / applied) < 4.0 * std::sqrt(1.0 / 3.0 / applied));
  CHECK(std::abs(squares / applied - 1.0 / 3.0) < 4.0 * std::sqrt((1.0 / 5.0 - 1.0 / 9.0) / applied));
}

TEST_CASE("RandomGamma: refuses powers that are no powers", "[augment][random_gamma]") {
  CHECK_THROWS_AS((RandomGamma{.gamma = {0.0, 2.0}}.check()), jessl::ConfigError);
  CHECK_THROWS_AS((RandomGamma{.gamma = {2.0, 0.5}}.check()), jessl::ConfigError);
  CHECK_THROWS_AS((RandomGamma{.p = 1.5}.check()), jessl::ConfigError);
}
