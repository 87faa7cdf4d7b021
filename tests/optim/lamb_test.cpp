// SPDX-License-Identifier: Apache-2.0
// Tests of LAMB.
#include <cmath>

#include <catch2/catch.hpp>

#include <jessl/optim/lamb.hpp>
#include <optim/optim_cases.hpp>

using jessl::optim::LAMB;
using jessl::test::SmallNet;

TEST_CASE("LAMB: steps agree with the formula in Python floats", "[optim][lamb]") {
  jessl::test::check_case<LAMB>("optim.json");
}

TEST_CASE("LAMB: steps agree with timm's", "[optim][lamb]") { jessl::test::check_case<LAMB>("peers.json"); }

TEST_CASE("LAMB: a first step worked out by hand", "[optim][lamb]") {
  // The first step of Adam is the gradient's sign, here (-1, 1), of norm sqrt(2); the weight's norm is 5. The bias takes Adam's.
  // [first]
  auto weight = torch::tensor({{3.0, 4.0}}).requires_grad_();
  auto bias = torch::tensor({1.0}).requires_grad_();
  const auto rule = jessl::optim::LAMB{.lr = 0.1, .epsilon = 1e-12, .weight_decay = 0};
  auto optimizer = rule.attach(jessl::optim::NamedParameters{{"weight", weight}, {"bias", bias}});
  weight.mutable_grad() = torch::tensor({{-0.5, 2.0}});
  bias.mutable_grad() = torch::tensor({0.25});
  optimizer.step();
  // [/first]
  const double step = 0.1 * 5.0 / std::sqrt(2.0);
  CHECK(torch::allclose(weight, torch::tensor({{3.0 + step, 4.0 - step}})));
  CHECK(torch::allclose(bias, torch::tensor({0.9})));
}

TEST_CASE("LAMB: a weight or gradient of zeros takes the plain step, not NaN", "[optim][lamb]") {
  auto weight = torch::zeros({2, 2}).requires_grad_(), still = torch::ones({2, 2}).requires_grad_();
  auto optimizer = LAMB{.lr = 1, .weight_decay = 0}.attach(std::vector<torch::Tensor>{weight, still});
  weight.mutable_grad() = torch::ones({2, 2});
  still.mutable_grad() = torch::zeros({2, 2});
  optimizer.step();
  CHECK(torch::allclose(weight, torch::full({2, 2}, -1.0)));
  CHECK(torch::equal(still, torch::ones({2, 2})));
}

TEST_CASE("LAMB: leaves the gradients as they were", "[optim][lamb]") {
  SmallNet net;
  jessl::test::differentiate(net, 0);
  std::vector<torch::Tensor> before;
  for (const auto& p : net->parameters()) before.push_back(p.grad().clone());
  LAMB{.weight_decay = 0.1}.attach(net).step();
  for (std::size_t i = 0; i < before.size(); ++i) CHECK(torch::equal(net->parameters()[i].grad(), before[i]));
}

TEST_CASE("LAMB: settings out of range are refused", "[optim][lamb]") {
  SmallNet net;
  CHECK_THROWS_WITH(LAMB{.beta1 = -0.1}.attach(net), "jessl::optim::LAMB: beta1 is -0.1, expected a number in [0, 1)");
  CHECK_THROWS_AS(LAMB{.epsilon = 0}.attach(net), jessl::ConfigError);
  CHECK_THROWS_AS(LAMB{.weight_decay = -1}.attach(net), jessl::ConfigError);
}
