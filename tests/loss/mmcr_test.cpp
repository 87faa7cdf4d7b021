// SPDX-License-Identifier: Apache-2.0
// Tests of MMCR.
#include <cmath>

#include <catch2/catch.hpp>

#include <jessl/loss/mmcr.hpp>
#include <loss/reference.hpp>

using jessl::loss::MMCR;
using jessl::test::embeddings;

TEST_CASE("MMCR: value and gradients agree with the formula written out in float64", "[loss][mmcr]") {
  jessl::test::check_own_cases<MMCR>("mmcr.json");
}

TEST_CASE("MMCR: a value worked out by hand", "[loss][mmcr]") {
  // The centroids are e1 and e2: singular values 1 and 1. An image's two views are equal: one singular value sqrt 2.
  // [first]
  const auto z1 = torch::tensor({{1.0, 0.0}, {0.0, 1.0}}).requires_grad_();
  const auto z2 = torch::tensor({{2.0, 0.0}, {0.0, 3.0}});
  const auto loss = jessl::loss::MMCR{.lambda = 0.5};
  torch::Tensor value = loss(z1, z2);
  value.backward();
  // [/first]
  CHECK(value.item<double>() == Approx(-2 + 0.5 * std::sqrt(2.0)).epsilon(1e-6));
}

TEST_CASE("MMCR: settings out of range are refused", "[loss][mmcr]") {
  const auto z = embeddings(6, 3, 0);
  CHECK_THROWS_WITH(MMCR{.lambda = -1}(z, z), "jessl::loss::MMCR: lambda is -1, expected a finite number >= 0");
  CHECK_THROWS_AS(MMCR{.lambda = -1}(z, z), jessl::ConfigError);
}
