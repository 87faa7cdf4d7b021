// SPDX-License-Identifier: Apache-2.0
// Tests of BarlowTwins.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <catch2/catch.hpp>

#include <jessl/loss/algebra.hpp>
#include <jessl/loss/barlow_twins.hpp>
#include <jessl/loss/detail/cross_correlation.hpp>
#include <loss/reference.hpp>

using jessl::loss::BarlowTwins;
using jessl::test::embeddings;

TEST_CASE("BarlowTwins: value and gradients agree with the formula written out in float64", "[loss][barlow_twins]") {
  jessl::test::check_own_cases<BarlowTwins>("barlow_twins.json");
}

TEST_CASE("BarlowTwins: value and gradients agree with the reference collection", "[loss][barlow_twins][outside]") {
  jessl::test::check_collection<BarlowTwins>("barlow_twins", JESSL_REFERENCE_DIR "/reference/losses/", 5);
}

TEST_CASE("BarlowTwins: a value worked out by hand", "[loss][barlow_twins]") {
  // Rows (1, 1), (-1, -1) and half of them: all four columns standardise to (s, -s) with s^2 = 1 / (1 + e) and, for z2,
  // r^2 = 1/4 / (1/4 + e). So every entry of C is s r, and loss = 2 (1 - s r)^2 + 2 lambda (s r)^2.
  // [first]
  const auto z1 = torch::tensor({{1.0, 1.0}, {-1.0, -1.0}}).requires_grad_();
  const auto z2 = torch::tensor({{0.5, 0.5}, {-0.5, -0.5}});
  const auto loss = jessl::loss::BarlowTwins{.lambda = 0.0051, .epsilon = 1e-5};
  torch::Tensor value = loss(z1, z2);
  value.backward();
  // [/first]
  const double entry = std::sqrt(1 / (1 + 1e-5) * 0.25 / (0.25 + 1e-5));
  CHECK(value.item<double>() == Approx(2 * (1 - entry) * (1 - entry) + 2 * 0.0051 * entry * entry).epsilon(1e-5));
}

TEST_CASE("BarlowTwins: three views are the mean over their pairs", "[loss][barlow_twins]") {
  const BarlowTwins loss{.lambda = 0.1};
  const auto a = embeddings(5, 4, 0), b = embeddings(5, 4, 1), c = embeddings(5, 4, 2);
  const auto pairs = (loss(a, b) + loss(a, c) + loss(b, c)) / 3;
  CHECK(loss({a, b, c}).item<double>() == Approx(pairs.item<double>()).epsilon(1e-12));
}

TEST_CASE("BarlowTwins: by Gram matrices, in blocks of columns, it is what it is by the correlations",
          "[loss][barlow_twins]") {
  // Blocks that are the work of all threads, and a part of the columns for each thread.
  const auto [rows, columns] = GENERATE(table<std::int64_t, std::int64_t>({{1500, 800}, {60, 500}}));
  REQUIRE((columns > 2 * jessl::loss::detail::CrossCorrelationFunction::block_columns(rows) ||
           columns >= at::get_num_threads() * rows));
  std::vector<torch::Tensor> views;  // the second without a gradient
  for (int v = 0; v < 3; ++v) views.push_back(embeddings(rows, columns, v).requires_grad_(v != 1));

  std::vector<torch::Tensor> values, gradients;
  for (const auto algebra : {jessl::loss::Algebra::images, jessl::loss::Algebra::dimensions}) {
    values.push_back(BarlowTwins{.lambda = 0.1, .algebra = algebra}(views));
    values.back().backward();
    for (const std::size_t v : {0U, 2U}) {
      gradients.push_back(views[v].grad());
      views[v].mutable_grad().reset();
    }
  }
  CHECK(values[0].item<double>() == Approx(values[1].item<double>()).epsilon(1e-10));
  CHECK(torch::allclose(gradients[0], gradients[2], 1e-9, 1e-13));
  CHECK(torch::allclose(gradients[1], gradients[3], 1e-9, 1e-13));
  CHECK(gradients[0].abs().max().item<double>() > 1e-7);
}

TEST_CASE("BarlowTwins: settings out of range are refused", "[loss][barlow_twins]") {
  const auto z = embeddings(6, 3, 0);
  CHECK_THROWS_WITH(BarlowTwins{.lambda = -1}(z, z),
                    "jessl::loss::BarlowTwins: lambda is -1, expected a finite number >= 0");
  CHECK_THROWS_AS(BarlowTwins{.lambda = -1}(z, z), jessl::ConfigError);
  CHECK_THROWS_WITH(BarlowTwins{.epsilon = 0}(z, z),
                    "jessl::loss::BarlowTwins: epsilon is 0, expected a finite number > 0");
  CHECK_THROWS_AS(BarlowTwins{.epsilon = 0}(z, z), jessl::ConfigError);
}
