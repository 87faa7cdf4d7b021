// SPDX-License-Identifier: Apache-2.0
// Tests of SIGReg.
#include <cmath>

#include <catch2/catch.hpp>

#include <jessl/loss/sigreg.hpp>
#include <loss/reference.hpp>

using jessl::loss::SIGReg;
using jessl::test::embeddings;

TEST_CASE("SIGReg: a value worked out by hand", "[loss][sigreg]") {
  // All embeddings 0, in both views: distance 0, every characteristic function is 1, the statistic is rows times the sum
  // of weight (1 - exp(-t^2/2))^2.
  // [first]
  const auto z1 = torch::tensor({{0.0, 0.0}, {0.0, 0.0}}).requires_grad_();
  const auto z2 = torch::tensor({{0.0, 0.0}, {0.0, 0.0}});
  const auto loss = jessl::loss::SIGReg{.lambda = 0.05, .slices = 8};
  torch::Tensor value = loss(z1, z2);
  value.backward();
  // [/first]
  double sum = 0;
  for (int k = 0; k < 17; ++k) {
    const double t = 3.0 * k / 16, normal = std::exp(-t * t / 2);
    sum += (k == 0 || k == 16 ? 1 : 2) * 3.0 / 16 * normal * (1 - normal) * (1 - normal);
  }
  CHECK(value.item<double>() == Approx(0.05 * 2 * sum).epsilon(1e-5));
}

TEST_CASE("SIGReg: in one dimension agrees with the formula written out in float64", "[loss][sigreg]") {
  // Every direction is 1 or -1, and the statistic is even: nothing is random.
  jessl::test::check_own_cases<SIGReg>("sigreg.json");
}

TEST_CASE("SIGReg: the directions come from LibTorch's generator", "[loss][sigreg]") {
  const SIGReg loss{.slices = 4};
  const auto a = embeddings(6, 5, 0), b = embeddings(6, 5, 1);
  torch::manual_seed(3);
  const double first = loss(a, b).item<double>(), second = loss(a, b).item<double>();
  torch::manual_seed(3);
  CHECK(loss(a, b).item<double>() == first);
  CHECK(second != first);
}

TEST_CASE("SIGReg: settings out of range are refused", "[loss][sigreg]") {
  const auto z = embeddings(6, 3, 0);
  CHECK_THROWS_WITH(SIGReg{.lambda = 2}(z, z), "jessl::loss::SIGReg: lambda is 2, expected a number in [0, 1]");
  CHECK_THROWS_AS(SIGReg{.lambda = 2}(z, z), jessl::ConfigError);
  CHECK_THROWS_WITH(SIGReg{.slices = 0}(z, z), "jessl::loss::SIGReg: slices is 0, expected an integer >= 1");
  CHECK_THROWS_AS(SIGReg{.slices = 0}(z, z), jessl::ConfigError);
  CHECK_THROWS_WITH(SIGReg{.points = 1}(z, z), "jessl::loss::SIGReg: points is 1, expected an integer >= 2");
  CHECK_THROWS_AS(SIGReg{.points = 1}(z, z), jessl::ConfigError);
  CHECK_THROWS_WITH(SIGReg{.limit = 0}(z, z), "jessl::loss::SIGReg: limit is 0, expected a finite number > 0");
  CHECK_THROWS_AS(SIGReg{.limit = 0}(z, z), jessl::ConfigError);
}
