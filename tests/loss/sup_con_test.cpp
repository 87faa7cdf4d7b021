// SPDX-License-Identifier: Apache-2.0
// Tests of SupCon.
#include <array>
#include <cmath>
#include <cstddef>

#include <catch2/catch.hpp>

#include <jessl/loss/nt_xent.hpp>
#include <jessl/loss/sup_con.hpp>
#include <loss/pair_of_ranks.hpp>
#include <loss/reference.hpp>

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

TEST_CASE("SupCon: gradients with labels, averaged over two ranks, are those of the joint batch", "[loss][sup_con]") {
  const SupCon loss;
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
