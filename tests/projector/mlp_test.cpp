// SPDX-License-Identifier: Apache-2.0
// Tests of MLP.
#include <catch2/catch.hpp>

#include <jessl/projector/mlp.hpp>

using jessl::projector::MLP;

TEST_CASE("MLP: reads widths as [Linear, norm, ReLU] for all but the last, which has no bias", "[projector][mlp]") {
  // [first]
  const auto policy = jessl::projector::MLP{"16-12-8"};
  auto head = policy.make(/*in_features=*/20);
  const auto embedding = head->forward(torch::randn({4, 20}));  // [4, 8]
  const auto layers = head->layers(torch::randn({4, 20}));      // [4, 16], [4, 12], [4, 8]
  // [/first]
  CHECK(embedding.sizes() == at::IntArrayRef{4, 8});
  CHECK(head->out_features == 8);
  REQUIRE(layers.size() == 3);
  CHECK(layers[0].sizes() == at::IntArrayRef{4, 16});
  CHECK(layers[1].sizes() == at::IntArrayRef{4, 12});
  CHECK(layers[0].min().item<float>() >= 0);
  std::vector<std::string> names;
  for (const auto& entry : head->named_parameters()) names.push_back(entry.key());
  CHECK(names == std::vector<std::string>{"0.0.weight", "0.0.bias", "0.1.weight", "0.1.bias", "1.0.weight", "1.0.bias",
                                          "1.1.weight", "1.1.bias", "2.weight"});
}

TEST_CASE("MLP: computes what its layers say", "[projector][mlp]") {
  auto head = MLP{"6-4"}.make(5);
  const auto x = torch::sin(torch::arange(15)).view({3, 5});
  const auto p = head->named_parameters();
  const auto h = torch::linear(x, p["0.0.weight"], p["0.0.bias"]);
  const auto normalised = (h - h.mean(0)) / (h.var(0, /*unbiased=*/false) + 1e-5).sqrt();
  const auto expected = torch::linear(torch::relu(normalised * p["0.1.weight"] + p["0.1.bias"]), p["1.weight"]);
  CHECK(torch::allclose(head->forward(x), expected, 1e-5, 1e-6));
}

TEST_CASE("MLP: one width is a linear map", "[projector][mlp]") {
  auto head = MLP{"7"}.make(3);
  CHECK(head->parameters().size() == 1);
  CHECK(head->forward(torch::zeros({2, 3})).sizes() == at::IntArrayRef{2, 7});
}

TEST_CASE("MLP: initial weights are uniform within one over the root of the fan in", "[projector][mlp]") {
  auto head = MLP{"300-200"}.make(100);
  const auto weight = head->named_parameters()["0.0.weight"];  // 30000 draws in +-0.1
  CHECK(weight.abs().max().item<double>() <= 0.1);
  CHECK(weight.abs().max().item<double>() > 0.099);
  CHECK(weight.std().item<double>() == Approx(0.1 / std::sqrt(3)).epsilon(0.02));  // 5 standard errors are 1.3 %
}

TEST_CASE("MLP: a text that is not widths is refused with the place of the fault", "[projector][mlp]") {
  CHECK_THROWS_WITH(
      MLP{"2048-x-128"}.make(4),
      "jessl::projector::MLP: widths is \"2048-x-128\", expected whole numbers >= 1 joined by \"-\", like "
      "\"2048-2048-128\"; the fault is at character 6");
  for (const char* text : {"", "-", "8-", "-8", "8--8", "8-0", "8 -8", "8.5", "99999999999999999999"}) {
    INFO(text);
    CHECK_THROWS_AS(MLP{text}.make(4), jessl::ConfigError);
  }
  CHECK_THROWS_AS(MLP{"8"}.make(0), jessl::ConfigError);
}

TEST_CASE("MLP: an input of another width is refused", "[projector][mlp]") {
  auto head = MLP{"8-4"}.make(5);
  CHECK_THROWS_WITH(head->forward(torch::zeros({2, 6})), "jessl::projector::MLP: the input is [2, 6], expected [N, 5]");
}
