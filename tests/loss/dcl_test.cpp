// SPDX-License-Identifier: Apache-2.0
// Tests of DCL.
#include <cmath>

#include <catch2/catch.hpp>

#include <jessl/loss/dcl.hpp>
#include <loss/reference.hpp>

using jessl::loss::DCL;
using jessl::test::embeddings;

TEST_CASE("DCL: value and gradients agree with the formula written out in float64", "[loss][dcl]") {
  jessl::test::check_own_cases<DCL>("dcl.json");
}

TEST_CASE("DCL: value and gradients agree with the reference collection", "[loss][dcl][outside]") {
  jessl::test::check_collection<DCL>("dcl", JESSL_REFERENCE_DIR "/reference/losses/", 5);
}

TEST_CASE("DCL: a value worked out by hand", "[loss][dcl]") {
  // Unit rows e1, e2 in both views. Each row's other image is orthogonal in both views: log(e^0 + e^0), its positive 1/t.
  // [first]
  const auto z1 = torch::tensor({{1.0, 0.0}, {0.0, 1.0}}).requires_grad_();
  const auto z2 = torch::tensor({{2.0, 0.0}, {0.0, 3.0}});
  const auto loss = jessl::loss::DCL{.temperature = 0.5};
  torch::Tensor value = loss(z1, z2);
  value.backward();
  // [/first]
  CHECK(value.item<double>() == Approx(std::log(2.0) - 2).epsilon(1e-6));
}

TEST_CASE("DCL: three views are the mean over their pairs", "[loss][dcl]") {
  const DCL loss{.temperature = 0.3};
  const auto a = embeddings(5, 4, 0), b = embeddings(5, 4, 1), c = embeddings(5, 4, 2);
  const auto pairs = (loss(a, b) + loss(a, c) + loss(b, c)) / 3;
  CHECK(loss({a, b, c}).item<double>() == Approx(pairs.item<double>()).epsilon(1e-12));
}

TEST_CASE("DCL: a single image has no negatives and is refused", "[loss][dcl]") {
  const auto one = embeddings(1, 3, 0);
  CHECK_THROWS_WITH(DCL{}(one, one), "jessl::loss::DCL: views[0] is [1, 3], expected [N, D] with N >= 2");
}

TEST_CASE("DCL: settings out of range are refused", "[loss][dcl]") {
  const auto z = embeddings(6, 3, 0);
  CHECK_THROWS_WITH(DCL{.temperature = 0}(z, z), "jessl::loss::DCL: temperature is 0, expected a finite number > 0");
  CHECK_THROWS_AS(DCL{.temperature = 0}(z, z), jessl::ConfigError);
}
