// SPDX-License-Identifier: Apache-2.0
// Tests of BYOL.
#include <cmath>
#include <cstddef>
#include <vector>

#include <catch2/catch.hpp>

#include <jessl/loss/byol.hpp>
#include <loss/evaluation.hpp>
#include <loss/reference.hpp>

using jessl::loss::BYOL;
using jessl::test::embeddings;

TEST_CASE("BYOL: value and gradients agree with the formula written out in float64", "[loss][byol]") {
  jessl::test::check_own_cases<BYOL>("byol.json");
}

TEST_CASE("BYOL: value and gradients agree with PyTorch", "[loss][byol]") {
  jessl::test::check_collection<BYOL>("byol", JESSL_TEST_DATA "/reference/loss/collection/", 1);
}

TEST_CASE("BYOL: value and gradients agree with PyTorch on larger batches", "[loss][byol][outside]") {
  jessl::test::check_collection<BYOL>("byol", JESSL_REFERENCE_DIR "/reference/losses/", 5);
}

TEST_CASE("BYOL: a value worked out by hand", "[loss][byol]") {
  // The first view's predictions point where the second view's targets do: 0. Those of the second stand at 45 degrees to
  // the first view's targets, cosine 1 / sqrt 2: 2 - sqrt 2.
  // [first]
  const auto p1 = torch::tensor({{1.0, 0.0}, {0.0, 1.0}}).requires_grad_();
  const auto p2 = torch::tensor({{1.0, 1.0}, {2.0, 2.0}}).requires_grad_();
  const auto t1 = torch::tensor({{1.0, 0.0}, {0.0, 5.0}});
  const auto t2 = torch::tensor({{2.0, 0.0}, {0.0, 3.0}});
  const auto loss = jessl::loss::BYOL{};
  torch::Tensor value = loss(p1, p2, t1, t2);
  value.backward();
  // [/first]
  CHECK(value.item<double>() == Approx(2 - std::sqrt(2.0)).epsilon(1e-6));
  // A row of zeros has the cosine 0 with anything: 2 for either direction.
  const auto none = torch::zeros({2, 2});
  CHECK(loss(none, none, t1, t2).item<double>() == 4);
}

TEST_CASE("BYOL: four views and the targets of two are twice the mean over the six pairs of different views",
          "[loss][byol]") {
  const auto given = jessl::test::example<BYOL>(5, 4, 4);
  const std::vector<torch::Tensor> targets(given.targets.begin(), given.targets.begin() + 2);
  double expected = 0;
  for (std::size_t t = 0; t < 2; ++t) {
    for (std::size_t v = 0; v < 4; ++v) {
      const auto cosine = at::cosine_similarity(given.views[v], targets[t]).mean().item<double>();
      if (v != t) expected += 2 * (2 - 2 * cosine) / 6;
    }
  }
  CHECK(BYOL{}(given.views, targets).item<double>() == Approx(expected).epsilon(1e-12));
}

TEST_CASE("BYOL: the length of embeddings doesn't count, even where it is large", "[loss][byol]") {
  const auto given = jessl::test::example<BYOL>(5, 4);
  const double exact = jessl::test::value_of(BYOL{}, given).item<double>();
  const auto large = jessl::test::changed(given, [](const torch::Tensor& z) { return (1e4 * z).to(torch::kFloat32); });
  CHECK(jessl::test::value_of(BYOL{}, large).item<double>() == Approx(exact).epsilon(1e-6));  // float32's rounding
}

TEST_CASE("BYOL: a teacher out of range is refused", "[loss][byol]") {
  const auto z = embeddings(4, 3, 0);
  CHECK_THROWS_WITH(BYOL{.teacher = {.momentum = 1.5}}(z, z, z, z),
                    "jessl::loss::BYOL: teacher.momentum is 1.5, expected a number in [0, 1]");
  CHECK_THROWS_AS(BYOL{.teacher = {.final_momentum = -1}}(z, z, z, z), jessl::ConfigError);
}
