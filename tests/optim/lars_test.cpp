// SPDX-License-Identifier: Apache-2.0
// Tests of LARS.
#include <catch2/catch.hpp>

#include <jessl/optim/lars.hpp>
#include <optim/optim_cases.hpp>

using jessl::optim::LARS;
using jessl::test::SmallNet;

TEST_CASE("LARS: steps agree with the formula in Python floats", "[optim][lars]") {
  jessl::test::check_case<LARS>("optim.json");
}

TEST_CASE("LARS: steps agree with another program's", "[optim][lars]") {
  jessl::test::check_collection("lars.safetensors", LARS{.momentum = 0.9, .weight_decay = 1e-4, .eta = 0.001},
                                JESSL_TEST_DATA "/reference/optim/collection/");
}

TEST_CASE("LARS: more steps agree with another program's", "[optim][lars][outside]") {
  jessl::test::check_collection("lars.safetensors", LARS{.momentum = 0.9, .weight_decay = 1e-4, .eta = 0.001},
                                JESSL_REFERENCE_DIR "/reference/optim/");
}

TEST_CASE("LARS: with clip, steps agree with solo-learn's", "[optim][lars]") {
  jessl::test::check_case<LARS>("peers.json");
}

TEST_CASE("LARS: with clip, a step is never longer than SGD's, and zeros are as solo-learn has them", "[optim][lars]") {
  auto weight = torch::tensor({{3.0, 4.0}}).requires_grad_(), none = torch::zeros({1, 2}).requires_grad_(),
       still = torch::ones({1, 2}).requires_grad_();
  auto optimizer = LARS{.lr = 0.01, .weight_decay = 0.5, .eta = 1, .clip = true}.attach(
      std::vector<torch::Tensor>{weight, none, still});
  weight.mutable_grad() = torch::tensor({{0.0, 2.0}});
  none.mutable_grad() = torch::ones({1, 2});
  still.mutable_grad() = torch::zeros({1, 2});
  optimizer.step();
  CHECK(
      torch::allclose(weight, torch::tensor({{3.0 - 0.01 * 1.5, 4.0 - 0.01 * 4.0}})));  // eta |p| / ... / lr is above 1
  CHECK(torch::allclose(none, torch::full({1, 2}, -0.01)));
  CHECK(torch::equal(still, torch::ones({1, 2})));
}

TEST_CASE("LARS: a first step worked out by hand", "[optim][lars]") {
  // Weight (3, 4): norm 5. Gradient (0, 2) without decay: norm 2, ratio 0.1 * 5 / 2 = 1/4, so v = (0, 1/2) and p - 2 v.
  // The bias is not adapted: p - 2 g.
  // [first]
  auto weight = torch::tensor({{3.0, 4.0}}).requires_grad_();
  auto bias = torch::tensor({1.0}).requires_grad_();
  const auto rule = jessl::optim::LARS{.lr = 2, .weight_decay = 0, .eta = 0.1};
  auto optimizer = rule.attach(jessl::optim::NamedParameters{{"weight", weight}, {"bias", bias}});
  weight.mutable_grad() = torch::tensor({{0.0, 2.0}});
  bias.mutable_grad() = torch::tensor({0.25});
  optimizer.step();
  // [/first]
  CHECK(torch::allclose(weight, torch::tensor({{3.0, 3.0}})));
  CHECK(torch::allclose(bias, torch::tensor({0.5})));
}

TEST_CASE("LARS: a weight or gradient of zeros takes the plain step, not NaN", "[optim][lars]") {
  auto weight = torch::zeros({2, 2}).requires_grad_(), still = torch::ones({2, 2}).requires_grad_();
  auto optimizer = LARS{.lr = 1, .weight_decay = 0}.attach(std::vector<torch::Tensor>{weight, still});
  weight.mutable_grad() = torch::ones({2, 2});
  still.mutable_grad() = torch::zeros({2, 2});
  optimizer.step();
  CHECK(torch::equal(weight, torch::full({2, 2}, -1.0)));
  CHECK(torch::equal(still, torch::ones({2, 2})));
}

TEST_CASE("LARS: leaves the gradients as they were", "[optim][lars]") {
  SmallNet net;
  jessl::test::differentiate(net, 0);
  std::vector<torch::Tensor> before;
  for (const auto& p : net->parameters()) before.push_back(p.grad().clone());
  LARS{.weight_decay = 0.1}.attach(net).step();
  for (std::size_t i = 0; i < before.size(); ++i) CHECK(torch::equal(net->parameters()[i].grad(), before[i]));
}

TEST_CASE("LARS: settings out of range are refused", "[optim][lars]") {
  SmallNet net;
  CHECK_THROWS_WITH(LARS{.eta = 0}.attach(net), "jessl::optim::LARS: eta is 0, expected a finite number > 0");
}
