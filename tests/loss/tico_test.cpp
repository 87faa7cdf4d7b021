// SPDX-License-Identifier: Apache-2.0
// Tests of TiCo.
#include <cstddef>
#include <vector>

#include <catch2/catch.hpp>

#include <jessl/loss/tico.hpp>
#include <loss/evaluation.hpp>
#include <loss/reference.hpp>

using jessl::loss::TiCo;
using jessl::test::embeddings;

TEST_CASE("TiCo: value and gradients agree with the formula written out in float64", "[loss][tico]") {
  jessl::test::check_own_cases<TiCo>("tico.json");
}

TEST_CASE("TiCo: value and gradients agree with PyTorch and lightly", "[loss][tico]") {
  jessl::test::check_collection<TiCo>("tico", JESSL_TEST_DATA "/reference/loss/collection/", 1);
}

TEST_CASE("TiCo: value and gradients agree with PyTorch and lightly on larger batches", "[loss][tico][outside]") {
  jessl::test::check_collection<TiCo>("tico", JESSL_REFERENCE_DIR "/reference/losses/", 5);
}

TEST_CASE("TiCo: two steps worked out by hand", "[loss][tico]") {
  // The rows e1, e2 equal their targets: 1 - 1. Their second moments are I / 2, C = 0.1 I / 2, y^T C y = 0.05 for both.
  // [first]
  const auto z1 = torch::tensor({{1.0, 0.0}, {0.0, 1.0}}).requires_grad_();
  const auto z2 = torch::tensor({{2.0, 0.0}, {0.0, 3.0}});
  const auto loss = jessl::loss::TiCo{.beta = 0.9, .rho = 8};
  const auto state = loss.make(2);  // for embeddings of width 2; kept from step to step
  torch::Tensor value = loss(z1, z2, state);
  value.backward();
  // [/first]
  CHECK(value.item<double>() == Approx(8 * 0.05).epsilon(1e-6));
  CHECK(loss(z1, z2).item<double>() == value.item<double>());
  // Then e1, e1, orthogonal to their targets: 1 - 0. C = 0.9 * 0.05 I + 0.1 diag(1, 0), of which they have 0.145.
  const auto e1 = torch::tensor({{1.0, 0.0}, {1.0, 0.0}}), e2 = torch::tensor({{0.0, 1.0}, {0.0, 1.0}});
  CHECK(loss(e1, e2, state).item<double>() == Approx(1 + 8 * 0.145).epsilon(1e-6));
  CHECK(torch::allclose(state->covariance, torch::tensor({{0.145, 0.0}, {0.0, 0.045}})));
}

TEST_CASE("TiCo: four views and the targets of two: cosines of six pairs, one covariance of all views",
          "[loss][tico]") {
  const TiCo loss{.beta = 0.7, .rho = 3};
  const auto given = jessl::test::example<TiCo>(5, 4, 4);
  const std::vector<torch::Tensor> targets(given.targets.begin(), given.targets.begin() + 2);
  const auto state = jessl::test::used_state(loss, 4);
  const auto before = state->covariance.clone();
  const double value = loss(given.views, targets, state).item<double>();

  double expected = 1;
  auto moments = torch::zeros({4, 4}, torch::kFloat64);
  for (std::size_t v = 0; v < 4; ++v) {
    for (std::size_t t = 0; t < 2; ++t) {
      if (v != t) expected -= at::cosine_similarity(given.views[v], targets[t]).mean().item<double>() / 6;
    }
    for (const torch::Tensor& row : (given.views[v] / given.views[v].norm(2, 1, true)).unbind())
      moments += row.outer(row) / 20;
  }
  const auto covariance = 0.7 * before + 0.3 * moments;
  // mean y^T C y is <C, mean y y^T>.
  expected += 3 * (covariance * moments).sum().item<double>();
  CHECK(value == Approx(expected).epsilon(1e-12));
  CHECK(jessl::test::relative_error(state->covariance, covariance) < 1e-12);
}

TEST_CASE("TiCo: autograd's gradient is that of finite differences with the covariance held fixed", "[loss][tico]") {
  const TiCo loss;
  const auto given = jessl::test::with_leaves(jessl::test::example<TiCo>(5, 3));
  const auto state = jessl::test::used_state(loss, 3);
  const auto value = jessl::test::value_of(loss, given, state);
  value.backward();
  // With beta = 1 the covariance stays where that step has left it, and the same value is a function of the views alone.
  const auto fixed = [&](const std::vector<torch::Tensor>& views) {
    return TiCo{.beta = 1}(views, given.targets, state);
  };
  CHECK(fixed(given.views).item<double>() == Approx(value.item<double>()).epsilon(1e-12));
  CHECK(jessl::test::finite_difference_error(fixed, given.views) < 1e-7);
  const auto again = jessl::test::with_leaves(given);
  fixed(again.views).backward();
  for (std::size_t v = 0; v < 2; ++v)
    CHECK(jessl::test::relative_error(given.views[v].grad(), again.views[v].grad()) < 1e-12);
}

TEST_CASE("TiCo: a step's gradient does not depend on the steps after it", "[loss][tico]") {
  const TiCo loss;
  const auto gradient = [&](bool another) {
    const auto given = jessl::test::with_leaves(jessl::test::example<TiCo>(5, 3));
    const auto state = jessl::test::used_state(loss, 3);
    const auto value = jessl::test::value_of(loss, given, state);
    if (another) (void)jessl::test::value_of(loss, jessl::test::example<TiCo>(5, 3, 2, 0.9), state);
    value.backward();
    return given.views[0].grad();
  };
  CHECK(torch::equal(gradient(false), gradient(true)));
}

TEST_CASE("TiCo: what doesn't fit is refused", "[loss][tico]") {
  const auto z = embeddings(4, 3, 0);
  CHECK_THROWS_WITH(
      TiCo{}(z, z, TiCo{}.make(5)),
      "jessl::loss::TiCo: the state's covariance is [5, 5], expected [D, D] with D = 3, the width of views[0]");
  CHECK_THROWS_AS(TiCo{}({z, z}, {z, z}, TiCo{}.make(5)), jessl::ShapeError);
  CHECK_THROWS_WITH(TiCo{}(z, z, jessl::loss::TiCoState{nullptr}),
                    "jessl::loss::TiCo: the state is empty, expected what make() gives");
  CHECK_THROWS_WITH(TiCo{}.make(0), "jessl::loss::TiCo.make: width is 0, expected >= 1");
  CHECK_THROWS_WITH(TiCo{.beta = 2}(z, z), "jessl::loss::TiCo: beta is 2, expected a number in [0, 1]");
  CHECK_THROWS_AS(TiCo{.rho = -1}(z, z), jessl::ConfigError);
  CHECK_THROWS_AS(TiCo{.teacher = {.momentum = 2}}(z, z), jessl::ConfigError);
}
