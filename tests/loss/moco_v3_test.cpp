// SPDX-License-Identifier: Apache-2.0
// Tests of MoCoV3.
#include <array>
#include <cmath>
#include <cstddef>
#include <vector>

#include <catch2/catch.hpp>

#include <jessl/loss/moco_v3.hpp>
#include <loss/evaluation.hpp>
#include <loss/pair_of_ranks.hpp>
#include <loss/reference.hpp>

using jessl::loss::MoCoV3;
using jessl::test::embeddings;

namespace {

/// 2 temperature CE of queries against keys, from the whole matrix.
torch::Tensor plain_direction(const torch::Tensor& query, const torch::Tensor& key, double temperature) {
  const auto q = query / query.norm(2, 1, true), k = key / key.norm(2, 1, true);
  return 2 * temperature * at::cross_entropy_loss(q.mm(k.t()) / temperature, torch::arange(q.size(0), torch::kInt64));
}

}  // namespace

TEST_CASE("MoCoV3: value and gradients agree with the formula written out in float64", "[loss][moco_v3]") {
  jessl::test::check_own_cases<MoCoV3>("moco_v3.json");
}

TEST_CASE("MoCoV3: a value worked out by hand", "[loss][moco_v3]") {
  // In both directions each query equals its key and is orthogonal to the other one: 2 t log(1 + e^(-1/t)).
  // [first]
  const auto p1 = torch::tensor({{1.0, 0.0}, {0.0, 1.0}}).requires_grad_();
  const auto p2 = torch::tensor({{2.0, 0.0}, {0.0, 3.0}}).requires_grad_();
  const auto t1 = torch::tensor({{1.0, 0.0}, {0.0, 5.0}});
  const auto t2 = torch::tensor({{2.0, 0.0}, {0.0, 3.0}});
  const auto loss = jessl::loss::MoCoV3{.temperature = 0.5};
  torch::Tensor value = loss(p1, p2, t1, t2);
  value.backward();
  // [/first]
  CHECK(value.item<double>() == Approx(2 * std::log(1 + std::exp(-2.0))).epsilon(1e-6));
  // With one image there is no other to take it for: the loss and its gradient are 0 whatever the embeddings.
  const auto alone = torch::tensor({{3.0, 1.0}}).requires_grad_();
  const auto other = torch::tensor({{-1.0, 2.0}});
  const auto nothing = MoCoV3{}(alone, other, other, other);
  nothing.backward();
  CHECK(nothing.item<double>() == 0);
  CHECK(torch::equal(alone.grad(), torch::zeros({1, 2})));
}

TEST_CASE("MoCoV3: four views and the targets of two are twice the mean over the six pairs of different views",
          "[loss][moco_v3]") {
  const auto given = jessl::test::example<MoCoV3>(5, 4, 4);
  const std::vector<torch::Tensor> targets(given.targets.begin(), given.targets.begin() + 2);
  double expected = 0;
  for (std::size_t t = 0; t < 2; ++t) {
    for (std::size_t v = 0; v < 4; ++v) {
      if (v != t) expected += 2 * plain_direction(given.views[v], targets[t], 0.3).item<double>() / 6;
    }
  }
  CHECK(MoCoV3{.temperature = 0.3}(given.views, targets).item<double>() == Approx(expected).epsilon(1e-12));
}

TEST_CASE("MoCoV3: many tiles give what one matrix gives, also where two ranks share them", "[loss][moco_v3]") {
  // 1100 images are five tiles of at most 256 rows; 550 on each rank, three.
  const auto given = jessl::test::example<MoCoV3>(1100, 6);
  const auto plain = jessl::test::with_leaves(given), tiled = jessl::test::with_leaves(given),
             split = jessl::test::with_leaves(given);
  const auto expected =
      plain_direction(plain.views[0], plain.targets[1], 0.1) + plain_direction(plain.views[1], plain.targets[0], 0.1);
  expected.backward();

  const MoCoV3 loss{.temperature = 0.1};
  const auto value = loss(tiled.views, tiled.targets);
  value.backward();
  CHECK(value.item<double>() == Approx(expected.item<double>()).epsilon(1e-12));

  std::array<torch::Tensor, 2> values;
  jessl::test::PairOfRanks pair;
  pair.run([&](const auto& rank) {
    const auto own =
        jessl::test::changed(split, [&](const torch::Tensor& z) { return z.narrow(0, 550 * rank.rank(), 550); });
    values[static_cast<std::size_t>(rank.rank())] = loss(own.views, own.targets, rank);
  });
  ((values[0] + values[1]) / 2).backward();
  for (std::size_t v = 0; v < 2; ++v) {
    CHECK(jessl::test::relative_error(tiled.views[v].grad(), plain.views[v].grad()) < 1e-11);
    CHECK(jessl::test::relative_error(split.views[v].grad(), plain.views[v].grad()) < 1e-11);
  }
}

TEST_CASE("MoCoV3: keeps its digits where the loss is small and where exp would overflow", "[loss][moco_v3]") {
  // Each query is almost its key, and at temperature 0.01 logits reach 100: exp(100) is beyond float32, and the loss is the
  // difference of two logits that agree in all of float32's digits.
  const auto p = torch::eye(16, torch::kFloat64) + 0.6, t = torch::eye(16, torch::kFloat64) + 0.61;
  const MoCoV3 loss{.temperature = 0.01};
  const double exact = loss(p, p, t, t).item<double>();
  CHECK(exact < 1e-4);
  const auto single = [](const torch::Tensor& z) { return z.to(torch::kFloat32); };
  // float32 rounds logits of 100 by 8e-6, of which the loss is a multiple here.
  CHECK(loss(single(p), single(p), single(t), single(t)).item<double>() == Approx(exact).epsilon(1e-4));
}

TEST_CASE("MoCoV3: settings out of range are refused", "[loss][moco_v3]") {
  const auto z = embeddings(4, 3, 0);
  CHECK_THROWS_WITH(MoCoV3{.temperature = 0}(z, z, z, z),
                    "jessl::loss::MoCoV3: temperature is 0, expected a finite number > 0");
  CHECK_THROWS_AS(MoCoV3{.temperature = 0}(z, z, z, z), jessl::ConfigError);
  CHECK_THROWS_WITH(MoCoV3{.teacher = {.momentum = -2}}(z, z, z, z),
                    "jessl::loss::MoCoV3: teacher.momentum is -2, expected a number in [0, 1]");
}
