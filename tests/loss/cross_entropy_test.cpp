// SPDX-License-Identifier: Apache-2.0
// Tests of CrossEntropy.
#include <cmath>
#include <vector>

#include <catch2/catch.hpp>

#include <jessl/core/autocast.hpp>
#include <jessl/loss/cross_entropy.hpp>
#include <loss/reference.hpp>

using jessl::loss::CrossEntropy;
using jessl::test::embeddings;

TEST_CASE("CrossEntropy: value and gradients agree with the formula written out in float64", "[loss][cross_entropy]") {
  jessl::test::check_own_cases<CrossEntropy>("cross_entropy.json");
}

TEST_CASE("CrossEntropy: a value worked out by hand", "[loss][cross_entropy]") {
  // Scores (0, log 3): probabilities 1/4 and 3/4.
  // [first]
  const auto scores = torch::tensor({{0.0, std::log(3.0)}, {0.0, std::log(3.0)}}).requires_grad_();
  const auto labels = torch::tensor({0, 1});
  const auto loss = jessl::loss::CrossEntropy{.smoothing = 0};
  torch::Tensor value = loss({scores}, labels);
  value.backward();
  // [/first]
  CHECK(value.item<double>() == Approx((std::log(4.0) + std::log(4.0 / 3)) / 2).epsilon(1e-6));
}

TEST_CASE("CrossEntropy: the gradient is that of finite differences", "[loss][cross_entropy]") {
  const auto labels = torch::tensor({3, 0, 3, 1, 4});
  for (const double smoothing : {0.0, 0.2}) {
    const auto value = [&](const std::vector<torch::Tensor>& views) {
      return CrossEntropy{.smoothing = smoothing}(views, labels);
    };
    CHECK(jessl::test::finite_difference_error(value, {embeddings(5, 5, 0), embeddings(5, 5, 1)}) < 1e-7);
  }
}

TEST_CASE("CrossEntropy: is finite for scores of 1e4, for equal ones, one image and one class",
          "[loss][cross_entropy]") {
  for (const auto& scores :
       {1e4 * embeddings(4, 3, 0), torch::zeros({4, 3}), torch::ones({1, 3}), torch::ones({4, 1})}) {
    const auto leaf = scores.to(torch::kFloat32).requires_grad_();
    const auto value = CrossEntropy{}({leaf}, torch::zeros({leaf.size(0)}, torch::kInt64));
    CHECK(value.isfinite().item<bool>());
    value.backward();
    CHECK(leaf.grad().isfinite().all().item<bool>());
  }
}

TEST_CASE("CrossEntropy: is reduced in float32 under autocast and for half precision", "[loss][cross_entropy]") {
  const auto scores = embeddings(6, 3, 0).to(torch::kBFloat16).requires_grad_();
  const auto labels = torch::tensor({0, 1, 2, 0, 1, 2});
  const jessl::Autocast autocast(torch::kCPU, jessl::Precision::bfloat16);
  const auto value = CrossEntropy{}({scores}, labels);
  CHECK(value.scalar_type() == torch::kFloat32);
  const auto same = CrossEntropy{}({scores.detach().to(torch::kFloat64)}, labels);
  CHECK(value.item<double>() == Approx(same.item<double>()).epsilon(1e-6));
}

TEST_CASE("CrossEntropy: what doesn't fit is refused", "[loss][cross_entropy]") {
  const auto scores = embeddings(4, 3, 0);
  const auto labels = torch::zeros({4}, torch::kInt64);
  CHECK_THROWS_WITH((CrossEntropy{.smoothing = 2}({scores}, labels)),
                    "jessl::loss::CrossEntropy: smoothing is 2, expected a number in [0, 1]");
  CHECK_THROWS_AS((CrossEntropy{.smoothing = 2}({scores}, labels)), jessl::ConfigError);
  CHECK_THROWS_WITH((CrossEntropy{}({scores}, torch::zeros({4, 3}, torch::kInt64))),
                    "jessl::loss::CrossEntropy: labels are [4, 3], expected [N] = [4]");
  CHECK_THROWS_AS((CrossEntropy{}({scores}, labels.to(torch::kInt32))), jessl::ConfigError);
  for (const int outside : {-100, -1, 3}) {  // -100 is what LibTorch leaves out by default
    auto wrong = labels.clone();
    wrong[2] = outside;
    CHECK_THROWS_AS((CrossEntropy{}({scores}, wrong)), jessl::ConfigError);
    CHECK_THROWS_WITH((CrossEntropy{}({scores}, wrong)),
                      Catch::Contains("jessl::loss::CrossEntropy: labels are in [") &&
                          Catch::Contains("expected in [0, K) for scores [N, K] = [4, 3]"));
  }
  CHECK_THROWS_WITH((CrossEntropy{}(std::vector<torch::Tensor>{}, labels)),
                    "jessl::loss::CrossEntropy: there are 0 views, expected at least 1");
}
