// SPDX-License-Identifier: Apache-2.0
// Tests of SGD.
#include <torch/optim/sgd.h>
#include <catch2/catch.hpp>

#include <jessl/optim/sgd.hpp>
#include <optim/optim_cases.hpp>

using jessl::optim::SGD;
using jessl::test::SmallNet;

TEST_CASE("SGD: steps agree with the formula in Python floats", "[optim][sgd]") {
  jessl::test::check_case<SGD>("optim.json");
}

TEST_CASE("SGD: steps agree with another program's", "[optim][sgd]") {
  jessl::test::check_collection("sgd.safetensors", SGD{.momentum = 0.9, .weight_decay = 1e-4},
                                JESSL_TEST_DATA "/reference/optim/collection/");
}

TEST_CASE("SGD: more steps agree with another program's", "[optim][sgd][outside]") {
  jessl::test::check_collection("sgd.safetensors", SGD{.momentum = 0.9, .weight_decay = 1e-4},
                                JESSL_REFERENCE_DIR "/reference/optim/");
}

TEST_CASE("SGD: is torch::optim::SGD up to the last bits", "[optim][sgd]") {
  for (const bool nesterov : {false, true}) {
    SmallNet ours, theirs;
    auto optimizer =
        SGD{.lr = 0.05, .momentum = 0.9, .weight_decay = 0.01, .nesterov = nesterov, .decay_norm_and_bias = true}
            .attach(ours);
    torch::optim::SGD reference(theirs->parameters(),
                                torch::optim::SGDOptions(0.05).momentum(0.9).weight_decay(0.01).nesterov(nesterov));
    for (int step = 0; step < 5; ++step) {
      jessl::test::differentiate(ours, step);
      jessl::test::differentiate(theirs, step);
      optimizer.step();
      reference.step();
      optimizer.zero_grad();
      reference.zero_grad();
    }
    // The fused pass rounds once where separate operations round twice: a few units of 6e-8 over five steps.
    CHECK(jessl::test::distance(ours, theirs) < 1e-6);
  }
}

TEST_CASE("SGD: without momentum a step is the gradient times the learning rate", "[optim][sgd]") {
  // [first]
  auto p = torch::tensor({{1.0, 2.0}}).requires_grad_();
  const auto rule = jessl::optim::SGD{.lr = 0.5, .momentum = 0};
  auto optimizer = rule.attach(std::vector<torch::Tensor>{p});  // or a module
  // [/first]
  for (int step = 0; step < 2; ++step) {
    p.mutable_grad() = torch::tensor({{1.0, -1.0}});
    optimizer.step();
  }
  CHECK(torch::equal(p, torch::tensor({{0.0, 3.0}})));
}

TEST_CASE("SGD: settings out of range are refused", "[optim][sgd]") {
  SmallNet net;
  CHECK_THROWS_WITH(SGD{.lr = -1}.attach(net), "jessl::optim::SGD: lr is -1, expected a finite number >= 0");
  CHECK_THROWS_WITH((SGD{.momentum = 0, .nesterov = true}.attach(net)),
                    "jessl::optim::SGD: nesterov is set but momentum is 0, expected momentum > 0");
}
