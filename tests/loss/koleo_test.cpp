// SPDX-License-Identifier: Apache-2.0
// Tests of KoLeo.
#include <cmath>

#include <catch2/catch.hpp>

#include <jessl/loss/koleo.hpp>
#include <loss/reference.hpp>

using jessl::loss::KoLeo;
using jessl::test::embeddings;

TEST_CASE("KoLeo: value and gradients agree with the formula written out in float64", "[loss][koleo]") {
  jessl::test::check_own_cases<KoLeo>("koleo.json");
}

TEST_CASE("KoLeo: a value worked out by hand", "[loss][koleo]") {
  // Two images at distance sqrt 2 in both views.
  // [first]
  const auto z1 = torch::tensor({{1.0, 0.0}, {0.0, 1.0}}).requires_grad_();
  const auto z2 = torch::tensor({{2.0, 0.0}, {0.0, 3.0}});
  const auto loss = jessl::loss::KoLeo{.epsilon = 1e-8};
  torch::Tensor value = loss(z1, z2);
  value.backward();
  // [/first]
  CHECK(value.item<double>() == Approx(-std::log(std::sqrt(2.0))).epsilon(1e-6));
}

TEST_CASE("KoLeo: neighbours are the same whatever the blocks in which they are sought", "[loss][koleo]") {
  // 1500 rows are two blocks; the formula in one piece is the reference.
  const auto z = embeddings(1500, 4, 0);
  const auto y = z / z.norm(2, 1, true);
  const auto nearest = (torch::cdist(y, y) + 10 * torch::eye(1500, torch::kFloat64)).amin(1);
  CHECK(KoLeo{}(z, z).item<double>() == Approx(-(nearest + 1e-8).log().mean().item<double>()).epsilon(1e-6));
}

TEST_CASE("KoLeo: settings out of range are refused", "[loss][koleo]") {
  const auto z = embeddings(6, 3, 0);
  CHECK_THROWS_WITH(KoLeo{.epsilon = 0}(z, z), "jessl::loss::KoLeo: epsilon is 0, expected a finite number > 0");
  CHECK_THROWS_AS(KoLeo{.epsilon = 0}(z, z), jessl::ConfigError);
}
