// SPDX-License-Identifier: Apache-2.0
// Tests of SupCon.
#include <array>
#include <cmath>
#include <cstddef>
#include <vector>

#include <catch2/catch.hpp>

#include <jessl/loss/nt_xent.hpp>
#include <jessl/loss/sup_con.hpp>
#include <loss/pair_of_ranks.hpp>
#include <loss/reference.hpp>

using jessl::loss::PositiveMean;
using jessl::loss::SupCon;
using jessl::test::embeddings;

TEST_CASE("SupCon: a value worked out by hand", "[loss][sup_con]") {
  // Four unit rows e1, e2, e1, e2 of one class: each has one positive of similarity 1/t and two of 0, and is compared with
  // all three: log(e^(1/t) + 2) - 1 / (3 t).
  // [first]
  const auto z1 = torch::tensor({{1.0, 0.0}, {0.0, 1.0}}).requires_grad_();
  const auto z2 = torch::tensor({{2.0, 0.0}, {0.0, 3.0}});
  const auto labels = torch::tensor({7, 7});
  const auto loss = jessl::loss::SupCon{.temperature = 0.5};
  torch::Tensor value = loss({z1, z2}, labels);
  value.backward();
  // [/first]
  CHECK(value.item<double>() == Approx(std::log(std::exp(2.0) + 2) - 2.0 / 3).epsilon(1e-6));
}

TEST_CASE("SupCon: without labels two views are NTXent's", "[loss][sup_con]") {
  const auto a = embeddings(5, 4, 0), b = embeddings(5, 4, 1);
  const double expected = jessl::loss::NTXent{.temperature = 0.2}(a, b).item<double>();
  CHECK(SupCon{.temperature = 0.2}(a, b).item<double>() == Approx(expected).epsilon(1e-12));
}

TEST_CASE("SupCon: value and gradients with labels agree with the paper's formula in float64", "[loss][sup_con]") {
  jessl::test::check_own_cases<SupCon>("sup_con.json");
}

TEST_CASE("SupCon: value and gradients agree with the reference collection", "[loss][sup_con][outside]") {
  jessl::test::check_collection<SupCon>("sup_con", JESSL_REFERENCE_DIR "/reference/losses/", 5);
}

TEST_CASE(
    "SupCon: with labels the gradient is that of finite differences, and that of the plain matrix of similarities",
    "[loss][sup_con]") {
  const auto labels = torch::tensor({1, 4, 1, 4, 2, 1});
  const std::vector<torch::Tensor> views{embeddings(6, 3, 0), embeddings(6, 3, 1), embeddings(6, 3, 2)};
  const auto classes = labels.repeat({3});
  const auto itself = torch::eye(18, torch::kBool);
  const auto positives = (classes.unsqueeze(1) == classes).logical_and(itself.logical_not());
  for (const PositiveMean mean : {PositiveMean::out, PositiveMean::in}) {
    for (const double temperature : {0.5, 0.01}) {  // of which the second has a running maximum
      CAPTURE(static_cast<int>(mean), temperature);
      const SupCon loss{.temperature = temperature, .positives = mean};
      const auto value = [&](const std::vector<torch::Tensor>& given) { return loss(given, labels); };
      const auto plain = [&](const std::vector<torch::Tensor>& given) {
        const auto z = torch::cat(given), y = z / z.norm(2, 1, true);
        const auto s = y.mm(y.t()) / temperature;
        const auto any = s.masked_fill(itself, -INFINITY).logsumexp(1), count = positives.sum(1).to(torch::kFloat64);
        const auto of_positives = mean == PositiveMean::out
                                      ? s.masked_fill(positives.logical_not(), 0).sum(1) / count
                                      : s.masked_fill(positives.logical_not(), -INFINITY).logsumexp(1) - count.log();
        return (any - of_positives).mean();
      };
      if (temperature > 0.1) CHECK(jessl::test::finite_difference_error(value, views) < 1e-7);
      auto a = views, b = views;
      for (auto* const leaves : {&a, &b}) {
        for (torch::Tensor& leaf : *leaves) leaf = leaf.clone().requires_grad_();
      }
      const auto ours = value(a), expected = plain(b);
      CHECK(ours.item<double>() == Approx(expected.item<double>()).epsilon(1e-12));
      ours.backward();
      expected.backward();
      for (std::size_t v = 0; v < 3; ++v) CHECK(jessl::test::relative_error(a[v].grad(), b[v].grad()) < 1e-11);
    }
  }
}

TEST_CASE("SupCon: is finite for embeddings that have collapsed, of length 1e4, and for one image", "[loss][sup_con]") {
  for (const PositiveMean mean : {PositiveMean::out, PositiveMean::in}) {
    for (const auto& view : {torch::zeros({4, 3}), torch::ones({4, 3}), (1e4 * embeddings(4, 3, 0)).to(torch::kFloat32),
                             embeddings(1, 3, 0).to(torch::kFloat32)}) {
      const auto leaf = view.clone().requires_grad_();
      const auto labels = torch::arange(view.size(0)) / 2;
      const auto value = SupCon{.temperature = 0.05, .positives = mean}({leaf, leaf}, labels.to(torch::kInt64));
      CHECK(value.isfinite().item<bool>());
      value.backward();
      CHECK(leaf.grad().isfinite().all().item<bool>());
    }
  }
}

TEST_CASE("SupCon: gradients with labels, averaged over two ranks, are those of the joint batch", "[loss][sup_con]") {
  const SupCon loss{.positives = GENERATE(PositiveMean::out, PositiveMean::in)};
  const auto labels = torch::tensor({1, 4, 1, 4, 2, 1});
  const auto leaf = [](double phase) { return embeddings(6, 4, phase).requires_grad_(); };
  const auto a = leaf(0), b = leaf(1), split_a = leaf(0), split_b = leaf(1);
  loss({a, b}, labels).backward();
  std::array<torch::Tensor, 2> values;
  jessl::test::PairOfRanks pair;
  pair.run([&](const auto& rank) {
    const auto rows = [&](const torch::Tensor& z) { return z.narrow(0, 3 * rank.rank(), 3); };
    values[static_cast<std::size_t>(rank.rank())] = loss({rows(split_a), rows(split_b)}, rows(labels), rank);
  });
  ((values[0] + values[1]) / 2).backward();
  CHECK(jessl::test::relative_error(split_a.grad(), a.grad()) < 1e-12);
  CHECK(jessl::test::relative_error(split_b.grad(), b.grad()) < 1e-12);
}

TEST_CASE("SupCon: labels that don't fit are refused", "[loss][sup_con]") {
  const auto z = embeddings(4, 3, 0);
  CHECK_THROWS_WITH((SupCon{}({z, z}, torch::zeros({3}, torch::kInt64))),
                    "jessl::loss::SupCon: labels are [3], expected [N] = [4]");
  CHECK_THROWS_AS((SupCon{}({z, z}, torch::zeros({3}, torch::kInt64))), jessl::ShapeError);
  CHECK_THROWS_AS((SupCon{}({z, z}, torch::zeros({4}))), jessl::ConfigError);
  CHECK_THROWS_AS((SupCon{}({z, z}, torch::Tensor())), jessl::ConfigError);
}

TEST_CASE("SupCon: settings out of range are refused", "[loss][sup_con]") {
  const auto z = embeddings(6, 3, 0);
  CHECK_THROWS_WITH(SupCon{.temperature = 0}(z, z),
                    "jessl::loss::SupCon: temperature is 0, expected a finite number > 0");
  CHECK_THROWS_AS(SupCon{.temperature = 0}(z, z), jessl::ConfigError);
}
