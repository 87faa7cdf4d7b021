// SPDX-License-Identifier: Apache-2.0
// Tests of SimSiam.
#include <cmath>
#include <cstddef>
#include <vector>

#include <catch2/catch.hpp>

#include <jessl/loss/sim_siam.hpp>
#include <loss/evaluation.hpp>
#include <loss/reference.hpp>

using jessl::loss::SimSiam;

TEST_CASE("SimSiam: value and gradients agree with the formula written out in float64", "[loss][sim_siam]") {
  jessl::test::check_own_cases<SimSiam>("sim_siam.json");
}

TEST_CASE("SimSiam: value and gradients agree with PyTorch and lightly", "[loss][sim_siam]") {
  jessl::test::check_collection<SimSiam>("sim_siam", JESSL_TEST_DATA "/reference/loss/collection/", 1);
}

TEST_CASE("SimSiam: value and gradients agree with PyTorch and lightly on larger batches",
          "[loss][sim_siam][outside]") {
  jessl::test::check_collection<SimSiam>("sim_siam", JESSL_REFERENCE_DIR "/reference/losses/", 5);
}

TEST_CASE("SimSiam: a value worked out by hand", "[loss][sim_siam]") {
  // The first view's predictions point where the second view's targets do: -1. Those of the second stand at 45 degrees to
  // the first view's targets: -1 / sqrt 2.
  // [first]
  const auto p1 = torch::tensor({{1.0, 0.0}, {0.0, 1.0}}).requires_grad_();
  const auto p2 = torch::tensor({{1.0, 1.0}, {2.0, 2.0}}).requires_grad_();
  const auto t1 = torch::tensor({{1.0, 0.0}, {0.0, 5.0}});
  const auto t2 = torch::tensor({{2.0, 0.0}, {0.0, 3.0}});
  const auto loss = jessl::loss::SimSiam{};
  torch::Tensor value = loss(p1, p2, t1, t2);
  value.backward();
  // [/first]
  CHECK(value.item<double>() == Approx(-(1 + std::sqrt(0.5)) / 2).epsilon(1e-6));
}

TEST_CASE("SimSiam: four views and the targets of two are the mean over the six pairs of different views",
          "[loss][sim_siam]") {
  const auto given = jessl::test::example<SimSiam>(5, 4, 4);
  const std::vector<torch::Tensor> targets(given.targets.begin(), given.targets.begin() + 2);
  double expected = 0;
  for (std::size_t t = 0; t < 2; ++t) {
    for (std::size_t v = 0; v < 4; ++v) {
      const auto cosine = at::cosine_similarity(given.views[v], targets[t]).mean().item<double>();
      if (v != t) expected -= cosine / 6;
    }
  }
  CHECK(SimSiam{}(given.views, targets).item<double>() == Approx(expected).epsilon(1e-12));
}
