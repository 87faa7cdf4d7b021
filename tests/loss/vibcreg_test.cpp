// SPDX-License-Identifier: Apache-2.0
// Tests of VIbCReg.
#include <cmath>

#include <catch2/catch.hpp>

#include <jessl/loss/vibcreg.hpp>
#include <loss/reference.hpp>

using jessl::loss::VIbCReg;
using jessl::test::embeddings;

TEST_CASE("VIbCReg: value and gradients agree with the formula written out in float64", "[loss][vibcreg]") {
  jessl::test::check_own_cases<VIbCReg>("vibcreg.json");
}

TEST_CASE("VIbCReg: a value worked out by hand", "[loss][vibcreg]") {
  // z1 has rows (1, 1), (-1, -1); z2 = z1 / 2. z1: variance 2, hinge 0; z2: variance 1/2. All correlations are 1: two of
  // the four entries of each view are off the diagonal, so c = 2 / 4 for both. Squared distance 1/4 everywhere.
  // [first]
  const auto z1 = torch::tensor({{1.0, 1.0}, {-1.0, -1.0}}).requires_grad_();
  const auto z2 = torch::tensor({{0.5, 0.5}, {-0.5, -0.5}});
  const auto loss = jessl::loss::VIbCReg{.invariance = 25, .variance = 25, .covariance = 200};
  torch::Tensor value = loss(z1, z2);
  value.backward();
  // [/first]
  CHECK(value.item<double>() == Approx(25 * 0.25 + 25 * (1 - std::sqrt(0.5 + 1e-4)) + 200 * (0.5 + 0.5)).epsilon(1e-6));
}

TEST_CASE("VIbCReg: three views are the mean over their pairs", "[loss][vibcreg]") {
  const VIbCReg loss{.covariance = 3};
  const auto a = embeddings(5, 4, 0), b = embeddings(5, 4, 1), c = embeddings(5, 4, 2);
  const auto pairs = (loss(a, b) + loss(a, c) + loss(b, c)) / 3;
  CHECK(loss({a, b, c}).item<double>() == Approx(pairs.item<double>()).epsilon(1e-12));
}

TEST_CASE("VIbCReg: settings out of range are refused", "[loss][vibcreg]") {
  const auto z = embeddings(6, 3, 0);
  CHECK_THROWS_WITH(VIbCReg{.invariance = -1}(z, z),
                    "jessl::loss::VIbCReg: invariance is -1, expected a finite number >= 0");
  CHECK_THROWS_AS(VIbCReg{.invariance = -1}(z, z), jessl::ConfigError);
  CHECK_THROWS_WITH(VIbCReg{.variance = -1}(z, z),
                    "jessl::loss::VIbCReg: variance is -1, expected a finite number >= 0");
  CHECK_THROWS_AS(VIbCReg{.variance = -1}(z, z), jessl::ConfigError);
  CHECK_THROWS_WITH(VIbCReg{.covariance = -1}(z, z),
                    "jessl::loss::VIbCReg: covariance is -1, expected a finite number >= 0");
  CHECK_THROWS_AS(VIbCReg{.covariance = -1}(z, z), jessl::ConfigError);
  CHECK_THROWS_WITH(VIbCReg{.epsilon = 0}(z, z), "jessl::loss::VIbCReg: epsilon is 0, expected a finite number > 0");
  CHECK_THROWS_AS(VIbCReg{.epsilon = 0}(z, z), jessl::ConfigError);
}
