// SPDX-License-Identifier: Apache-2.0
// Tests of MLP.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include <jessl/projector/mlp.hpp>
#include <support/safetensors.hpp>

using jessl::projector::LinearStart;
using jessl::projector::MLP;
using jessl::projector::OutputNorm;

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

TEST_CASE("MLP: the heads of published methods compute what PyTorch's modules do", "[projector][mlp]") {
  std::ifstream stream(JESSL_TEST_DATA "/reference/projector/mlp.json");
  REQUIRE(stream);
  const auto tensor = [](const jessl::Json& numbers) {
    return jessl::test::to_tensor(numbers["values"], numbers["shape"].get<std::vector<std::int64_t>>());
  };
  constexpr double rounding = 1e-12;
  for (const auto& entry : jessl::Json::parse(stream)) {
    INFO(entry["method"]);
    auto head = jessl::from_json<MLP>(entry["settings"]).make(5);
    head->to(torch::kFloat64);
    REQUIRE(head->named_parameters().size() == entry["parameters"].size());
    for (auto& parameter : head->named_parameters()) {
      const torch::NoGradGuard no_grad;
      parameter.value().copy_(tensor(entry["parameters"][parameter.key()]));
    }
    const auto x = tensor(entry["x"]).requires_grad_();
    const auto output = head->forward(x);
    CHECK(jessl::test::relative_error(output, tensor(entry["output"])) < rounding);
    (output * torch::sin(torch::arange(output.numel(), torch::kFloat64)).view(output.sizes())).sum().backward();
    CHECK(jessl::test::relative_error(x.grad(), tensor(entry["grad_x"])) < rounding);
    for (const auto& parameter : head->named_parameters()) {
      INFO(parameter.key());
      const auto expected = tensor(entry["gradients"][parameter.key()]);
      // That of a bias before a norm is nothing but rounding.
      CHECK(torch::allclose(parameter.value().grad(), expected, rounding, rounding));
    }
    for (const auto& buffer : head->named_buffers()) {
      if (buffer.key().find("num_batches") != std::string::npos) continue;
      CHECK(jessl::test::relative_error(buffer.value(), tensor(entry["statistics"][buffer.key()])) < rounding);
    }
    head->eval();
    CHECK(jessl::test::relative_error(head->forward(x), tensor(entry["evaluated"])) < rounding);
  }
}

TEST_CASE("MLP: settings of an earlier version read as they were", "[projector][mlp]") {
  const auto old = jessl::from_json<MLP>(jessl::Json{{"name", "MLP"}, {"widths", "8-4"}});
  CHECK(jessl::same_options(old, MLP{"8-4"}));
  // [dino]
  const auto dino = jessl::projector::MLP{.widths = "2048-2048-256",
                                          .hidden_norm = false,
                                          .activation = jessl::projector::Activation::gelu,
                                          .output_bias = true,
                                          .start = jessl::projector::LinearStart::normal};
  // [/dino]
  CHECK(jessl::to_json(dino)["activation"] == "gelu");
  CHECK(jessl::to_json(dino)["output_norm"] == "none");
  CHECK(jessl::to_json(dino)["start"] == "normal");
  CHECK(jessl::same_options(jessl::from_json<MLP>(jessl::to_json(dino)), dino));
}

TEST_CASE("MLP: every layer's output, with and without norms", "[projector][mlp]") {
  for (const bool hidden_norm : {false, true}) {
    for (const auto output_norm : {OutputNorm::none, OutputNorm::plain, OutputNorm::affine}) {
      auto head = MLP{.widths = "6-4", .hidden_norm = hidden_norm, .output_norm = output_norm}.make(5);
      const auto layers = head->layers(torch::sin(torch::arange(15)).view({3, 5}));
      REQUIRE(layers.size() == 2);
      CHECK(layers[0].sizes() == at::IntArrayRef{3, 6});
      CHECK(layers[1].sizes() == at::IntArrayRef{3, 4});
      CHECK(head->named_parameters().contains("0.1.weight") == hidden_norm);
      CHECK(head->named_parameters().contains("2.weight") == (output_norm == OutputNorm::affine));
      CHECK(head->named_buffers().contains("2.running_mean") == (output_norm != OutputNorm::none));
    }
  }
}

TEST_CASE("MLP: its weights and statistics are a function of the seed, whatever its settings", "[projector][mlp]") {
  for (const auto start : {LinearStart::uniform, LinearStart::normal}) {
    for (const auto output_norm : {OutputNorm::plain, OutputNorm::affine}) {
      const MLP policy{.widths = "6-4", .output_bias = true, .output_norm = output_norm, .start = start};
      auto one = policy.make(5), other = policy.make(5);
      one->initialise(7);
      {
        const torch::NoGradGuard no_grad;
        for (auto& parameter : other->parameters()) parameter.fill_(3);
      }
      static_cast<void>(other->forward(torch::sin(torch::arange(15)).view({3, 5})));
      other->initialise(7);
      for (std::size_t i = 0; i < one->parameters().size(); ++i)
        CHECK(torch::equal(one->parameters()[i], other->parameters()[i]));
      for (std::size_t i = 0; i < one->buffers().size(); ++i)
        CHECK(torch::equal(one->buffers()[i], other->buffers()[i]));
    }
  }
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

TEST_CASE("MLP: a normal start has the deviation 0.02 and biases 0", "[projector][mlp]") {
  auto head = MLP{.widths = "300-200", .output_bias = true, .start = LinearStart::normal}.make(100);
  for (const char* name : {"0.0.weight", "1.weight"}) {
    const auto weight = head->named_parameters()[name];                // 30000 and 60000 draws
    CHECK(weight.std().item<double>() == Approx(0.02).epsilon(0.02));  // 5 standard errors are 2 %
    CHECK(std::abs(weight.mean().item<double>()) < 0.02 * 5 / std::sqrt(30000));
  }
  for (const char* name : {"0.0.bias", "1.bias"}) {
    CHECK(torch::equal(head->named_parameters()[name], torch::zeros_like(head->named_parameters()[name])));
  }
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
