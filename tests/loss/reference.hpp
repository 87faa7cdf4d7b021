// SPDX-License-Identifier: Apache-2.0
// What the tests of every loss do alike: compare with reference cases, check gradients by finite differences.
#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include <jessl/core/options.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/loss/concept.hpp>
#include <support/safetensors.hpp>
#include <support/skip.hpp>

namespace jessl::test {

/// What a reference case is called with and differentiated by: z1 and z2, or the predictions p1 and p2, whose targets t1 and
/// t2 have no gradient.
template <class L>
inline constexpr bool takes_predictions = requires(const L& loss, const torch::Tensor& z) {
  loss(z, z, z, z);
};

/// Compares value and gradients of a loss with the expected ones, in float64 or float32. `read(name)` gives the case's
/// tensors in float64.
template <class L, class Read, class... Labels>
void check_case(const L& loss, const Read& read, torch::ScalarType type, double value, double tolerance,
                const Labels&... labels) {
  const std::string letter = takes_predictions<L> ? "p" : "z";
  const auto leaf = [&](const std::string& name) { return read(name).to(type).detach().clone().requires_grad_(); };
  const auto a = leaf(letter + "1"), b = leaf(letter + "2");
  torch::Tensor result;
  if constexpr (takes_predictions<L>) {
    result = loss(a, b, read("t1").to(type), read("t2").to(type));
  } else if constexpr (sizeof...(Labels) > 0) {
    result = loss(std::vector<torch::Tensor>{a, b}, labels...);
  } else {
    result = loss(a, b);
  }
  CHECK(result.dim() == 0);
  CHECK(result.template item<double>() == Approx(value).epsilon(tolerance));
  result.backward();
  CHECK(relative_error(a.grad(), read("grad_" + letter + "1")) < tolerance);
  CHECK(relative_error(b.grad(), read("grad_" + letter + "2")) < tolerance);
}

/// The cases of tests/reference/loss/<file>: float64 to rounding, float32 to 1e-5.
template <class L>
void check_own_cases(const std::string& file) {
  std::ifstream stream(JESSL_TEST_DATA "/reference/loss/" + file);
  REQUIRE(stream);
  for (const auto& entry : Json::parse(stream)) {
    INFO(entry["settings"]);
    const auto loss = from_json<L>(entry["settings"]);
    const auto shape = entry["shape"].get<std::vector<std::int64_t>>();
    const auto read = [&](const std::string& name) { return to_tensor(entry[name], shape); };
    for (const auto& [type, tolerance] : {std::pair{torch::kFloat64, 1e-12}, std::pair{torch::kFloat32, 1e-5}}) {
      if constexpr (SupervisedLoss<L>) {
        check_case(loss, read, type, entry["value"], tolerance,
                   torch::tensor(entry["labels"].get<std::vector<std::int64_t>>()));
      } else {
        check_case(loss, read, type, entry["value"], tolerance);
      }
    }
  }
}

/// The cases of a collection, as tests/reference/README.md describes it: those in the checkout, or all of them where
/// they are there: float64 to 1e-10, float32 to 1e-5.
template <class L>
void check_collection(const std::string& name, const std::string& folder, int least) {
  if (!std::filesystem::exists(folder + "index.json")) {
    JESSL_SKIP("the collection of reference numbers is not there: no " << folder << "index.json");
    return;
  }
  std::ifstream stream(folder + "index.json");
  int cases = 0;
  for (const auto& entry : Json::parse(stream)) {
    if (entry["loss"] != name) continue;
    ++cases;
    INFO(entry["file"]);
    auto tensors = read_safetensors(folder + entry["file"].get<std::string>());
    const auto loss = from_json<L>(entry["params"]);
    const auto read = [&](const std::string& key) { return tensors.at(key); };
    for (const auto& [type, tolerance] : {std::pair{torch::kFloat64, 1e-10}, std::pair{torch::kFloat32, 1e-5}}) {
      if constexpr (SupervisedLoss<L>) {
        check_case(loss, read, type, entry["value"], tolerance, tensors.at("labels").to(torch::kInt64));
      } else {
        check_case(loss, read, type, entry["value"], tolerance);
      }
    }
  }
  CHECK(cases >= least);
}

/// Fixed float64 embeddings [rows, width] with irregular entries; `phase` tells them apart.
inline torch::Tensor embeddings(std::int64_t rows, std::int64_t width, double phase) {
  const auto i = torch::arange(rows * width, torch::kFloat64).reshape({rows, width});
  return torch::sin(1.3 * i + 0.02 * i * i + phase);
}

/// The gradient of a leaf: zeros where the value doesn't depend on it.
inline torch::Tensor gradient_of(const torch::Tensor& leaf) {
  return leaf.grad().defined() ? leaf.grad() : torch::zeros_like(leaf);
}

/// The largest difference between autograd's gradient and central differences, relative to the largest gradient. The
/// step 1e-5 leaves an error of 1e-10 from the third derivative and 1e-11 from rounding: 1e-7 is a safe bound.
template <class L>
double finite_difference_error(const L& loss, std::vector<torch::Tensor> views) {
  for (auto& view : views) view = view.detach().clone().requires_grad_();
  // A loss that draws shall draw the same each time.
  const auto value_of = [&] {
    torch::manual_seed(0);
    return loss(views);
  };
  value_of().backward();
  double worst = 0, largest = 0;
  const torch::NoGradGuard no_grad;
  for (auto& view : views) {
    auto values = view.view({-1});
    const auto gradients = gradient_of(view).view({-1});
    for (std::int64_t i = 0; i < values.numel(); ++i) {
      const double kept = values[i].template item<double>();
      const auto at = [&](double value) {
        values[i].fill_(value);
        return value_of().template item<double>();
      };
      const double difference = (at(kept + 1e-5) - at(kept - 1e-5)) / 2e-5;
      values[i].fill_(kept);
      const double gradient = gradients[i].template item<double>();
      worst = std::max(worst, std::abs(gradient - difference));
      largest = std::max(largest, std::abs(gradient));
    }
  }
  return worst / largest;
}

}  // namespace jessl::test
