// SPDX-License-Identifier: Apache-2.0
// Tests of AlignmentUniformity.
#include <cmath>

#include <catch2/catch.hpp>

#include <jessl/loss/alignment_uniformity.hpp>
#include <loss/reference.hpp>

using jessl::loss::AlignmentUniformity;
using jessl::test::embeddings;

TEST_CASE("AlignmentUniformity: value and gradients agree with the formula written out in float64",
          "[loss][alignment_uniformity]") {
  jessl::test::check_own_cases<AlignmentUniformity>("alignment_uniformity.json");
}

TEST_CASE("AlignmentUniformity: a value worked out by hand", "[loss][alignment_uniformity]") {
  // Views equal after normalisation: alignment 0. One pair of images at squared distance 2: u = log exp(-2 t) = -4.
  // [first]
  const auto z1 = torch::tensor({{1.0, 0.0}, {0.0, 1.0}}).requires_grad_();
  const auto z2 = torch::tensor({{2.0, 0.0}, {0.0, 3.0}});
  const auto loss = jessl::loss::AlignmentUniformity{.alpha = 2, .t = 2, .uniformity = 1};
  torch::Tensor value = loss(z1, z2);
  value.backward();
  // [/first]
  CHECK(value.item<double>() == Approx(-4).epsilon(1e-6));
}

TEST_CASE("AlignmentUniformity: three views are the mean over their pairs", "[loss][alignment_uniformity]") {
  const AlignmentUniformity loss{.alpha = 1.5};
  const auto a = embeddings(5, 4, 0), b = embeddings(5, 4, 1), c = embeddings(5, 4, 2);
  const auto pairs = (loss(a, b) + loss(a, c) + loss(b, c)) / 3;
  CHECK(loss({a, b, c}).item<double>() == Approx(pairs.item<double>()).epsilon(1e-12));
}

TEST_CASE("AlignmentUniformity: settings out of range are refused", "[loss][alignment_uniformity]") {
  const auto z = embeddings(6, 3, 0);
  CHECK_THROWS_WITH(AlignmentUniformity{.alpha = 0.5}(z, z),
                    "jessl::loss::AlignmentUniformity: alpha is 0.5, expected a finite number >= 1");
  CHECK_THROWS_AS(AlignmentUniformity{.alpha = 0.5}(z, z), jessl::ConfigError);
  CHECK_THROWS_WITH(AlignmentUniformity{.t = 0}(z, z),
                    "jessl::loss::AlignmentUniformity: t is 0, expected a finite number > 0");
  CHECK_THROWS_AS(AlignmentUniformity{.t = 0}(z, z), jessl::ConfigError);
  CHECK_THROWS_WITH(AlignmentUniformity{.uniformity = -1}(z, z),
                    "jessl::loss::AlignmentUniformity: uniformity is -1, expected a finite number >= 0");
  CHECK_THROWS_AS(AlignmentUniformity{.uniformity = -1}(z, z), jessl::ConfigError);
}
