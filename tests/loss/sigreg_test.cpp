// SPDX-License-Identifier: Apache-2.0
// Tests of SIGReg.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include <jessl/loss/sigreg.hpp>
#include <loss/reference.hpp>
#include <support/peak_memory.hpp>

using jessl::loss::SIGReg;
using jessl::test::embeddings;

TEST_CASE("SIGReg: a value worked out by hand", "[loss][sigreg]") {
  // All embeddings 0, in both views: distance 0, every characteristic function is 1, the statistic is rows times the sum
  // of weight (1 - exp(-t^2/2))^2.
  // [first]
  const auto z1 = torch::tensor({{0.0, 0.0}, {0.0, 0.0}}).requires_grad_();
  const auto z2 = torch::tensor({{0.0, 0.0}, {0.0, 0.0}});
  const auto loss = jessl::loss::SIGReg{.lambda = 0.05, .slices = 8};
  torch::Tensor value = loss(z1, z2);
  value.backward();
  // [/first]
  double sum = 0;
  for (int k = 0; k < 17; ++k) {
    const double t = 3.0 * k / 16, normal = std::exp(-t * t / 2);
    sum += (k == 0 || k == 16 ? 1 : 2) * 3.0 / 16 * normal * (1 - normal) * (1 - normal);
  }
  CHECK(value.item<double>() == Approx(0.05 * 2 * sum).epsilon(1e-5));
}

TEST_CASE("SIGReg: in one dimension agrees with the formula written out in float64", "[loss][sigreg]") {
  // Every direction is 1 or -1, and the statistic is even: nothing is random.
  jessl::test::check_own_cases<SIGReg>("sigreg.json");
}

TEST_CASE("SIGReg: along given directions, with small views, agrees with the formula written out in float64",
          "[loss][sigreg]") {
  std::ifstream stream(JESSL_TEST_DATA "/reference/loss/sigreg_along.json");
  REQUIRE(stream);
  for (const auto& entry : jessl::Json::parse(stream)) {
    INFO(entry["settings"]);
    const auto loss = jessl::from_json<SIGReg>(entry["settings"]);
    const auto shape = entry["shape"].get<std::vector<std::int64_t>>();
    for (const auto& [type, tolerance] : {std::pair{torch::kFloat64, 1e-12}, std::pair{torch::kFloat32, 1e-5}}) {
      std::vector<torch::Tensor> views;
      for (const auto& view : entry["views"])
        views.push_back(jessl::test::to_tensor(view, shape).to(type).detach().clone().requires_grad_());
      const auto directions = jessl::test::to_tensor(entry["directions"], {shape[1], entry["slices"]}).to(type);
      const auto value = loss.along(directions, views);
      CHECK(value.item<double>() == Approx(entry["value"].get<double>()).epsilon(tolerance));
      value.backward();
      for (std::size_t v = 0; v < views.size(); ++v) {
        const auto expected = jessl::test::to_tensor(entry["grads"][v], shape);
        CHECK(jessl::test::relative_error(views[v].grad(), expected) < tolerance);
      }
    }
  }
}

TEST_CASE("SIGReg: many images and slices are taken in blocks, as if they were one", "[loss][sigreg]") {
  // 200 x 1024 projections are four blocks.
  const SIGReg loss{.points = 5};
  const auto a = embeddings(200, 3, 0), b = embeddings(200, 3, 1), directions = embeddings(3, 1024, 2);
  const auto leaf = a.clone().requires_grad_();
  const auto value = loss.along(directions, {leaf, b});
  value.backward();
  const auto other = a.clone().requires_grad_();
  const auto unit = directions / directions.norm(2, 0, true);
  torch::Tensor plain = (1 - loss.lambda) * (other - b).square().mean() / 4;
  for (const auto& z : {other, b}) {
    for (std::int64_t k = 0; k < 5; ++k) {
      const double t = 0.75 * static_cast<double>(k), normal = std::exp(-t * t / 2);
      const auto x = t * z.mm(unit);
      const auto error = (x.cos().mean(0) - normal).square() + x.sin().mean(0).square();
      plain = plain + loss.lambda / 2 * 200 * (k == 0 || k == 4 ? 0.75 : 1.5) * normal * error.mean();
    }
  }
  CHECK(value.item<double>() == Approx(plain.item<double>()).epsilon(1e-12));
  plain.backward();
  CHECK(jessl::test::relative_error(leaf.grad(), other.grad()) < 1e-11);
}

TEST_CASE("SIGReg: nothing of images times slices is kept", "[loss][sigreg]") {
  // 2048 x 1024 projections would take 8 MB for each view and each point of the integral.
  const auto a = embeddings(2048, 8, 0).to(torch::kFloat32).requires_grad_(),
             b = embeddings(2048, 8, 1).to(torch::kFloat32);
  const jessl::test::PeakMemory peak;
  SIGReg{}(a, b).backward();
  CHECK(peak.bytes() < 8'000'000);
}

TEST_CASE("SIGReg: directions that don't fit, and too few views, are refused", "[loss][sigreg]") {
  const auto z = embeddings(6, 3, 0);
  CHECK_THROWS_WITH(SIGReg{}.along(torch::ones({2, 4}), {z, z}),
                    "jessl::loss::SIGReg: directions are [2, 4], expected [D, S] with D = 3");
  CHECK_THROWS_AS(SIGReg{}.along(torch::ones({2, 4}), {z, z}), jessl::ShapeError);
  CHECK_THROWS_WITH(SIGReg{.global_views = 3}(z, z),
                    "jessl::loss::SIGReg: there are 2 views, expected at least global_views = 3");
  CHECK_THROWS_AS(SIGReg{.global_views = 3}(z, z), jessl::ConfigError);
}

TEST_CASE("SIGReg: the directions come from LibTorch's generator", "[loss][sigreg]") {
  const SIGReg loss{.slices = 4};
  const auto a = embeddings(6, 5, 0), b = embeddings(6, 5, 1);
  torch::manual_seed(3);
  const double first = loss(a, b).item<double>(), second = loss(a, b).item<double>();
  torch::manual_seed(3);
  CHECK(loss(a, b).item<double>() == first);
  CHECK(second != first);
}

TEST_CASE("SIGReg: settings out of range are refused", "[loss][sigreg]") {
  const auto z = embeddings(6, 3, 0);
  CHECK_THROWS_WITH(SIGReg{.lambda = 2}(z, z), "jessl::loss::SIGReg: lambda is 2, expected a number in [0, 1]");
  CHECK_THROWS_AS(SIGReg{.lambda = 2}(z, z), jessl::ConfigError);
  CHECK_THROWS_WITH(SIGReg{.slices = 0}(z, z), "jessl::loss::SIGReg: slices is 0, expected an integer >= 1");
  CHECK_THROWS_AS(SIGReg{.slices = 0}(z, z), jessl::ConfigError);
  CHECK_THROWS_WITH(SIGReg{.points = 1}(z, z), "jessl::loss::SIGReg: points is 1, expected an integer >= 2");
  CHECK_THROWS_AS(SIGReg{.points = 1}(z, z), jessl::ConfigError);
  CHECK_THROWS_WITH(SIGReg{.limit = 0}(z, z), "jessl::loss::SIGReg: limit is 0, expected a finite number > 0");
  CHECK_THROWS_AS(SIGReg{.limit = 0}(z, z), jessl::ConfigError);
  CHECK_THROWS_WITH(SIGReg{.global_views = 0}(z, z),
                    "jessl::loss::SIGReg: global_views is 0, expected an integer >= 1");
  CHECK_THROWS_AS(SIGReg{.global_views = 0}(z, z), jessl::ConfigError);
}
