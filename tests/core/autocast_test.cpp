// SPDX-License-Identifier: Apache-2.0
// Autocast: the guard of mixed precision.
// torch
#include <catch2/catch.hpp>

#include <jessl/core/autocast.hpp>

using jessl::Autocast;
using jessl::Precision;

TEST_CASE("Autocast: products are bfloat16 inside the scope and float32 after it", "[core][autocast]") {
  const torch::Tensor a = torch::ones({4, 4});
  {
    const Autocast on(torch::kCPU, Precision::bfloat16);
    CHECK(torch::matmul(a, a).scalar_type() == torch::kBFloat16);
    const Autocast off(torch::kCPU, Precision::float32);
    CHECK(torch::matmul(a, a).scalar_type() == torch::kFloat);
  }
  CHECK(torch::matmul(a, a).scalar_type() == torch::kFloat);
}

TEST_CASE("Autocast: automatic is one of the two, the same in a scope as when asked", "[core][autocast]") {
  const Precision resolved = jessl::resolve(Precision::automatic, torch::kCPU);
  CHECK(resolved != Precision::automatic);
  const Autocast scope(torch::kCPU, Precision::automatic);
  const torch::Tensor a = torch::ones({4, 4});
  CHECK((torch::matmul(a, a).scalar_type() == torch::kBFloat16) == (resolved == Precision::bfloat16));
  CHECK(jessl::resolve(Precision::float32, torch::kCPU) == Precision::float32);
}

TEST_CASE("Autocast: within a caller's scope, weights are those of the moment and have their graph",
          "[core][autocast]") {
  const Autocast callers(torch::kCPU, Precision::bfloat16);
  torch::Tensor weight = torch::ones({4, 4}, torch::requires_grad());
  const torch::Tensor x = torch::ones({2, 4});
  const auto forward = [&] {
    const Autocast own(torch::kCPU, Precision::bfloat16);
    return torch::linear(x, weight).sum();
  };
  {
    const torch::NoGradGuard embedding;
    CHECK(forward().item<float>() == 32.0F);
  }
  forward().backward();  // LibTorch's cache has a copy without a graph at this point, unless it was dropped
  REQUIRE(weight.grad().defined());
  CHECK(weight.grad().sum().item<float>() == 32.0F);
  {
    const torch::NoGradGuard update;
    weight.add_(1.0);
  }
  CHECK(forward().item<float>() == 64.0F);
}
