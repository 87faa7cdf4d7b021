// SPDX-License-Identifier: Apache-2.0
// Tests of WMSE.
#include <cmath>

#include <catch2/catch.hpp>

#include <jessl/loss/wmse.hpp>
#include <loss/reference.hpp>

using jessl::loss::WMSE;
using jessl::test::embeddings;

TEST_CASE("WMSE: value and gradients agree with the formula written out in float64", "[loss][wmse]") {
  jessl::test::check_own_cases<WMSE>("wmse.json");
}

TEST_CASE("WMSE: a value worked out by hand", "[loss][wmse]") {
  // In one dimension whitening standardises: z1 = (0, 3, 0) has mean 1 and becomes signs (-, +, -), z2 = (0, 0, 3) becomes
  // (-, -, +). Squared distance of the unit vectors: 0, 4, 4.
  // [first]
  const auto z1 = torch::tensor({{0.0}, {3.0}, {0.0}}).requires_grad_();
  const auto z2 = torch::tensor({{0.0}, {0.0}, {3.0}});
  const auto loss = jessl::loss::WMSE{.sub_batch = 128};
  torch::Tensor value = loss(z1, z2);
  value.backward();
  // [/first]
  CHECK(value.item<double>() == Approx(8.0 / 3).epsilon(1e-6));
}

TEST_CASE("WMSE: three views are the mean over their pairs", "[loss][wmse]") {
  const WMSE loss{.epsilon = 0.1};
  const auto a = embeddings(7, 4, 0), b = embeddings(7, 4, 1), c = embeddings(7, 4, 2);
  const auto pairs = (loss(a, b) + loss(a, c) + loss(b, c)) / 3;
  CHECK(loss({a, b, c}).item<double>() == Approx(pairs.item<double>()).epsilon(1e-12));
}

TEST_CASE("WMSE: sub-batches are whitened apart", "[loss][wmse]") {
  const auto a = embeddings(9, 2, 0), b = embeddings(9, 2, 1);
  const auto part = [&](std::int64_t begin, std::int64_t size) {
    return WMSE{}(a.narrow(0, begin, size), b.narrow(0, begin, size)).item<double>();
  };
  // 9 images are two sub-batches of at least 4: 5 and 4.
  const double apart = (5 * part(0, 5) + 4 * part(5, 4)) / 9;
  CHECK(WMSE{.sub_batch = 4}(a, b).item<double>() == Approx(apart).epsilon(1e-12));
}

TEST_CASE("WMSE: what can't be whitened is refused", "[loss][wmse]") {
  const auto few = embeddings(3, 3, 0);
  CHECK_THROWS_WITH(WMSE{}(few, few),
                    "jessl::loss::WMSE: a sub-batch of views[0] is [3, 3], expected [N, D] with N > D; take a larger "
                    "batch or sub_batch, or a narrower embedding");
  CHECK_THROWS_AS(WMSE{}(few, few), jessl::ShapeError);
  const auto equal = torch::ones({8, 3});
  CHECK_THROWS_WITH(
      WMSE{}(equal, equal),
      "jessl::loss::WMSE: epsilon is 0, and the covariance of views[0] has no inverse; expected epsilon > "
      "0, or embeddings that vary in every dimension");
  CHECK_THROWS_AS(WMSE{}(equal, equal), jessl::ConfigError);
}

TEST_CASE("WMSE: settings out of range are refused", "[loss][wmse]") {
  const auto z = embeddings(6, 3, 0);
  CHECK_THROWS_WITH(WMSE{.sub_batch = 1}(z, z), "jessl::loss::WMSE: sub_batch is 1, expected an integer >= 2");
  CHECK_THROWS_AS(WMSE{.sub_batch = 1}(z, z), jessl::ConfigError);
  CHECK_THROWS_WITH(WMSE{.epsilon = 2}(z, z), "jessl::loss::WMSE: epsilon is 2, expected a number in [0, 1]");
  CHECK_THROWS_AS(WMSE{.epsilon = 2}(z, z), jessl::ConfigError);
}
