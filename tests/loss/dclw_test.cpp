// SPDX-License-Identifier: Apache-2.0
// Tests of DCLW.
#include <cmath>
#include <vector>

#include <catch2/catch.hpp>

#include <jessl/loss/dclw.hpp>
#include <loss/reference.hpp>

using jessl::loss::DCLW;
using jessl::test::embeddings;

TEST_CASE("DCLW: value and gradients agree with the formula written out in float64", "[loss][dclw]") {
  jessl::test::check_own_cases<DCLW>("dclw.json");
}

TEST_CASE("DCLW: a value worked out by hand", "[loss][dclw]") {
  // As for DCL, with the weights 2 - 2 softmax = 1 since both images' views are equally alike.
  // [first]
  const auto z1 = torch::tensor({{1.0, 0.0}, {0.0, 1.0}}).requires_grad_();
  const auto z2 = torch::tensor({{2.0, 0.0}, {0.0, 3.0}});
  const auto loss = jessl::loss::DCLW{.temperature = 0.5, .sigma = 0.5};
  torch::Tensor value = loss(z1, z2);
  value.backward();
  // [/first]
  CHECK(value.item<double>() == Approx(std::log(2.0) - 2).epsilon(1e-6));
}

TEST_CASE("DCLW: the gradient is that of the formula with the weights held fixed", "[loss][dclw]") {
  const DCLW loss{.temperature = 0.3, .sigma = 0.4};
  const std::vector<torch::Tensor> views{embeddings(5, 4, 0), embeddings(5, 4, 1)};
  const auto rows = [](const std::vector<torch::Tensor>& given) {
    const auto z = torch::cat(given);
    return z / z.norm(2, 1, true);  // [2 N, D]
  };
  const auto positive_of = [](const torch::Tensor& y) { return (y.narrow(0, 0, 5) * y.narrow(0, 5, 5)).sum(1); };
  const auto likeness = (positive_of(rows(views)) / loss.sigma).exp();
  const auto weights = 2 - likeness / likeness.mean();
  const auto same_image = torch::eye(5, torch::kBool).repeat({2, 2});
  const auto fixed = [&](const std::vector<torch::Tensor>& given) {
    const auto y = rows(given);
    const auto others = (y.mm(y.t()) / loss.temperature).masked_fill(same_image, -INFINITY).logsumexp(1);
    return others.mean() - (weights * positive_of(y)).mean() / loss.temperature;
  };
  CHECK(jessl::test::finite_difference_error(fixed, views) < 1e-7);
  const auto a = views[0].clone().requires_grad_(), b = views[0].clone().requires_grad_();
  const auto value = loss(a, views[1]), expected = fixed({b, views[1]});
  CHECK(value.item<double>() == Approx(expected.item<double>()).epsilon(1e-12));
  value.backward();
  expected.backward();
  CHECK(jessl::test::relative_error(a.grad(), b.grad()) < 1e-12);
}

TEST_CASE("DCLW: three views are the mean over their pairs", "[loss][dclw]") {
  const DCLW loss{.temperature = 0.3};
  const auto a = embeddings(5, 4, 0), b = embeddings(5, 4, 1), c = embeddings(5, 4, 2);
  const auto pairs = (loss(a, b) + loss(a, c) + loss(b, c)) / 3;
  CHECK(loss({a, b, c}).item<double>() == Approx(pairs.item<double>()).epsilon(1e-12));
}

TEST_CASE("DCLW: settings out of range are refused", "[loss][dclw]") {
  const auto z = embeddings(6, 3, 0);
  CHECK_THROWS_WITH(DCLW{.temperature = 0}(z, z), "jessl::loss::DCLW: temperature is 0, expected a finite number > 0");
  CHECK_THROWS_AS(DCLW{.temperature = 0}(z, z), jessl::ConfigError);
  CHECK_THROWS_WITH(DCLW{.sigma = -2}(z, z), "jessl::loss::DCLW: sigma is -2, expected a finite number > 0");
  CHECK_THROWS_AS(DCLW{.sigma = -2}(z, z), jessl::ConfigError);
}
