// SPDX-License-Identifier: Apache-2.0
// What the tests of every optimizer do alike: small models, and steps with known gradients.
#pragma once

#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include <jessl/core/options.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/optim/concept.hpp>
#include <support/safetensors.hpp>
#include <support/skip.hpp>

namespace jessl::test {

/// A convolution, a norm and a linear layer with fixed weights: parameters of 4, 1 and 2 dimensions.
struct SmallNetImpl : torch::nn::Module {
  SmallNetImpl() {
    const torch::NoGradGuard no_grad;
    int k = 0;
    for (auto& p : parameters()) p.copy_(torch::sin(0.7 * torch::arange(p.numel()) + ++k).view(p.sizes()));
  }
  torch::Tensor forward(const torch::Tensor& x) {
    const auto y = torch::relu(norm->forward(convolution->forward(x)));
    return linear->forward(y.mean({2, 3}));
  }
  torch::nn::Conv2d convolution =
      register_module("convolution", torch::nn::Conv2d(torch::nn::Conv2dOptions(2, 4, 3).bias(false)));
  torch::nn::BatchNorm2d norm = register_module("norm", torch::nn::BatchNorm2d(4));
  torch::nn::Linear linear = register_module("linear", torch::nn::Linear(4, 3));
};
TORCH_MODULE(SmallNet);

/// Gives every parameter the gradient of a fixed problem at the step.
inline void differentiate(SmallNet& net, int step) {
  const auto images = torch::cos(0.3 * torch::arange(5 * 2 * 6 * 6) + step).view({5, 2, 6, 6});
  net->forward(images).square().sum().backward();
}

/// The largest difference between the parameters of two networks.
inline double distance(const SmallNet& a, const SmallNet& b) {
  const auto left = a->parameters(), right = b->parameters();
  double largest = 0;
  for (std::size_t i = 0; i < left.size(); ++i)
    largest = std::max(largest, (left[i] - right[i]).abs().max().item<double>());
  return largest;
}

/// The case of a file of tests/reference/optim, in float64: only the order of rounding differs.
template <class O>
void check_case(const std::string& file) {
  std::ifstream stream(JESSL_TEST_DATA "/reference/optim/" + file);
  REQUIRE(stream);
  const auto entry = Json::parse(stream).at(std::string(O::name));
  const auto read = [&](const Json& values, const std::string& name) {
    return to_tensor(values[name], entry["sizes"][name].template get<std::vector<std::int64_t>>());
  };
  optim::NamedParameters parameters;
  for (const auto& [name, unused] : entry["sizes"].items()) {
    parameters.emplace_back(name, read(entry["start"], name).requires_grad_());
  }
  auto optimizer = from_json<O>(entry["settings"]).attach(parameters);
  for (const auto& step : entry["steps"]) {
    for (auto& [name, parameter] : parameters) parameter.mutable_grad() = read(step["gradients"], name);
    optimizer.set_lr(step["lr"]);
    optimizer.step();
    for (auto& [name, parameter] : parameters) CHECK(relative_error(parameter, read(step["parameters"], name)) < 1e-12);
  }
}

/// The case of a collection, as tests/reference/README.md describes it: that in the checkout, or the longer one where
/// it is there.
template <class O>
void check_collection(const std::string& file, const O& settings, const std::string& folder) {
  if (!std::filesystem::exists(folder + "index.json")) {
    JESSL_SKIP("the collection of reference numbers is not there: no " << folder << "index.json");
    return;
  }
  std::ifstream stream(folder + "index.json");
  const auto rates = Json::parse(stream)["lr_per_step"].get<std::vector<double>>();
  auto tensors = read_safetensors(folder + file);
  optim::NamedParameters parameters;
  for (const char* name : {"bn.weight", "conv.weight", "fc.bias", "fc.weight"}) {
    parameters.emplace_back(name, tensors.at(std::string("p0.") + name).clone().requires_grad_());
  }
  auto optimizer = settings.attach(parameters);
  for (std::size_t step = 0; step < rates.size(); ++step) {
    for (auto& [name, parameter] : parameters) parameter.mutable_grad() = tensors.at(concat('g', step, '.', name));
    optimizer.set_lr(rates[step]);
    optimizer.step();
    for (auto& [name, parameter] : parameters) {
      INFO("step " << step << ", " << name);
      CHECK(relative_error(parameter, tensors.at(concat('p', step + 1, '.', name))) < 1e-10);
    }
  }
}

}  // namespace jessl::test
