// SPDX-License-Identifier: Apache-2.0
// Tests of VICReg.
#include <cmath>

#include <catch2/catch.hpp>

#include <jessl/loss/vicreg.hpp>
#include <loss/reference.hpp>

using jessl::loss::VICReg;
using jessl::test::embeddings;

TEST_CASE("VICReg: value and gradients agree with the formula written out in float64", "[loss][vicreg]") {
  jessl::test::check_own_cases<VICReg>("vicreg.json");
}

TEST_CASE("VICReg: value and gradients agree with PyTorch and lightly", "[loss][vicreg]") {
  jessl::test::check_collection<VICReg>("vicreg", JESSL_TEST_DATA "/reference/loss/collection/", 1);
}

TEST_CASE("VICReg: value and gradients agree with PyTorch and lightly on larger batches", "[loss][vicreg][outside]") {
  jessl::test::check_collection<VICReg>("vicreg", JESSL_REFERENCE_DIR "/reference/losses/", 5);
}

TEST_CASE("VICReg: a value worked out by hand", "[loss][vicreg]") {
  // z1 has rows (1, 1), (-1, -1); z2 = z1 / 2. Means are 0, and variances divide by N - 1 = 1.
  // z1: variance 2 in both dimensions, hinge max(0, 1 - sqrt(2 + e)) = 0; covariance 2, so c = 2 * 2^2 / 2 = 4.
  // z2: variance 1/2, hinge 1 - sqrt(1/2 + e); covariance 1/2, so c = 2 * (1/2)^2 / 2 = 1/4.
  // Squared distance (1/2)^2 everywhere, mean 1/4.
  // [first]
  const auto z1 = torch::tensor({{1.0, 1.0}, {-1.0, -1.0}}).requires_grad_();
  const auto z2 = torch::tensor({{0.5, 0.5}, {-0.5, -0.5}});
  const auto loss = jessl::loss::VICReg{.invariance = 25, .variance = 25, .covariance = 1, .epsilon = 1e-4};
  torch::Tensor value = loss(z1, z2);
  value.backward();
  // [/first]
  CHECK(value.item<double>() == Approx(25 * 0.25 + 25 * 0.5 * (1 - std::sqrt(0.5 + 1e-4)) + 4 + 0.25).epsilon(1e-6));
}

TEST_CASE("VICReg: three views are the mean over their pairs", "[loss][vicreg]") {
  const VICReg loss{.covariance = 2};
  const auto a = embeddings(5, 4, 0), b = embeddings(5, 4, 1), c = embeddings(5, 4, 2);
  const auto pairs = (loss(a, b) + loss(a, c) + loss(b, c)) / 3;
  CHECK(loss({a, b, c}).item<double>() == Approx(pairs.item<double>()).epsilon(1e-12));
}

TEST_CASE("VICReg: settings out of range and a single image are refused", "[loss][vicreg]") {
  const auto z = embeddings(4, 3, 0);
  CHECK_THROWS_WITH(VICReg{.variance = -1}(z, z), "jessl::loss::VICReg: variance is -1, expected a finite number >= 0");
  CHECK_THROWS_AS(VICReg{.epsilon = 0}(z, z), jessl::ConfigError);
  const auto one = embeddings(1, 3, 0);
  CHECK_THROWS_WITH(VICReg{}(one, one), "jessl::loss::VICReg: views[0] is [1, 3], expected [N, D] with N >= 2");
}
