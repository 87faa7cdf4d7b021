// SPDX-License-Identifier: Apache-2.0
// Tests of AdamW.
#include <torch/optim/adamw.h>
#include <catch2/catch.hpp>

#include <jessl/optim/adamw.hpp>
#include <optim/optim_cases.hpp>

using jessl::optim::AdamW;
using jessl::test::SmallNet;

TEST_CASE("AdamW: steps agree with the formula in Python floats", "[optim][adamw]") {
  jessl::test::check_case<AdamW>("optim.json");
}

TEST_CASE("AdamW: steps agree with another program's", "[optim][adamw]") {
  jessl::test::check_collection("adamw.safetensors", AdamW{.weight_decay = 0.05},
                                JESSL_TEST_DATA "/reference/optim/collection/");
}

TEST_CASE("AdamW: more steps agree with another program's", "[optim][adamw][outside]") {
  jessl::test::check_collection("adamw.safetensors", AdamW{.weight_decay = 0.05},
                                JESSL_REFERENCE_DIR "/reference/optim/");
}

TEST_CASE("AdamW: is torch::optim::AdamW up to rounding", "[optim][adamw]") {
  SmallNet ours, theirs;
  auto optimizer = AdamW{.lr = 0.01, .weight_decay = 0.1, .decay_norm_and_bias = true}.attach(ours);
  torch::optim::AdamW reference(theirs->parameters(), torch::optim::AdamWOptions(0.01).weight_decay(0.1));
  for (int step = 0; step < 5; ++step) {
    jessl::test::differentiate(ours, step);
    jessl::test::differentiate(theirs, step);
    optimizer.step();
    reference.step();
    optimizer.zero_grad();
    reference.zero_grad();
  }
  // Five steps of length 0.01: a relative rounding of 1e-6 in the quotient moves a parameter by 5e-8; near-zero
  // gradients amplify the last bit of theirs, hence the margin.
  CHECK(jessl::test::distance(ours, theirs) < 2e-6);
}

TEST_CASE("AdamW: a parameter that joins later starts with its own bias correction", "[optim][adamw]") {
  // The first update of any parameter is lr in the direction of the gradient's sign, whenever it comes.
  auto early = torch::zeros({1, 2}).requires_grad_(), late = torch::zeros({1, 2}).requires_grad_();
  auto optimizer = AdamW{.lr = 0.5, .weight_decay = 0}.attach(std::vector<torch::Tensor>{early, late});
  for (int step = 0; step < 3; ++step) {
    early.mutable_grad() = torch::ones({1, 2});
    if (step == 2) late.mutable_grad() = torch::full({1, 2}, -0.01);
    optimizer.step();
  }
  CHECK(torch::allclose(late, torch::full({1, 2}, 0.5)));
}

TEST_CASE("AdamW: settings out of range are refused", "[optim][adamw]") {
  SmallNet net;
  CHECK_THROWS_WITH(AdamW{.beta2 = 1}.attach(net), "jessl::optim::AdamW: beta2 is 1, expected a number in [0, 1)");
  CHECK_THROWS_AS(AdamW{.epsilon = 0}.attach(net), jessl::ConfigError);
}
