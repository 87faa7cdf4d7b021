// SPDX-License-Identifier: Apache-2.0
// Tests of the sums that losses take from the smaller of two matrices, against the plain ones.
#include <cstddef>
#include <cstdint>
#include <limits>
#include <tuple>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include <boost/hana/for_each.hpp>

#include <jessl/loss.hpp>
#include <jessl/loss/detail/gram.hpp>
#include <jessl/loss/detail/nuclear_norm.hpp>
#include <loss/reference.hpp>

using jessl::loss::Algebra;
using jessl::test::embeddings;
using jessl::test::relative_error;

namespace {

/// Value and gradients of a function of leaves that are made anew for it.
template <class F>
std::tuple<torch::Tensor, std::vector<torch::Tensor>> differentiated(const F& f, std::vector<torch::Tensor> leaves) {
  for (torch::Tensor& leaf : leaves) leaf = leaf.detach().clone().requires_grad_();
  const torch::Tensor value = f(leaves);
  value.backward();
  std::vector<torch::Tensor> gradients;
  for (const torch::Tensor& leaf : leaves) gradients.push_back(leaf.grad());
  return {value.detach(), gradients};
}

/// Any scalar in which every part of a split product has weight.
torch::Tensor scalar(const torch::Tensor& diagonal, const torch::Tensor& off_squares) {
  return (diagonal * torch::cos(torch::arange(diagonal.size(0), torch::kFloat64))).sum() + 0.7 * off_squares;
}

}  // namespace

TEST_CASE("split_product: both ways give the value and the gradients of the plain product", "[loss][gram]") {
  struct Case {
    std::int64_t rows, columns, other_columns, shift;
  };
  for (const auto& [k, p, q, shift] :
       {Case{7, 23, 23, 0}, Case{23, 7, 7, 0}, Case{9, 6, 14, 5}, Case{30, 5, 5, 0}, Case{1, 3, 3, 0}}) {
    for (const bool by_gram : {false, true}) {
      CAPTURE(k, p, q, shift, by_gram);
      const auto split = [&](const torch::Tensor& a, const torch::Tensor& b) {
        const auto product = jessl::loss::detail::split_product(a, b, by_gram, shift);
        return scalar(product.diagonal, product.off_squares);
      };
      const auto plain = [&](const torch::Tensor& a, const torch::Tensor& b) {
        const auto product = a.t().mm(b);
        const auto diagonal = product.diagonal(shift);
        return scalar(diagonal, product.square().sum() - diagonal.square().sum());
      };
      const auto compare = [&](const auto& of, std::vector<torch::Tensor> leaves) {
        const auto [value, gradients] = differentiated([&](const auto& given) { return of(split, given); }, leaves);
        const auto [expected, slopes] = differentiated([&](const auto& given) { return of(plain, given); }, leaves);
        CHECK(relative_error(value, expected) < 1e-12);
        for (std::size_t i = 0; i < leaves.size(); ++i) CHECK(relative_error(gradients[i], slopes[i]) < 1e-12);
      };
      const auto a = embeddings(k, p, 0), b = embeddings(k, q, 1);
      compare([](const auto& f, const auto& given) { return f(given[0], given[1]); }, {a, b});
      if (p == q) compare([](const auto& f, const auto& given) { return f(given[0], given[0]); }, {a});
    }
  }
}

TEST_CASE("every loss with a choice of algebra has the same value and gradients by either, and chooses one of them",
          "[loss][gram][law]") {
  int choosing = 0;
  boost::hana::for_each(jessl::loss::All, [&](auto type) {
    using L = typename decltype(type)::type;
    if constexpr (requires(L loss) { loss.algebra; }) {
      INFO(L::name);
      ++choosing;
      for (const auto& [rows, width] : {std::pair{4, 9}, std::pair{13, 5}, std::pair{9, 10}}) {
        CAPTURE(rows, width);
        const std::vector<torch::Tensor> views{embeddings(rows, width, 0), embeddings(rows, width, 1),
                                               embeddings(rows, width, 2)};
        const auto by = [&](Algebra algebra) {
          L loss;
          loss.algebra = algebra;
          CHECK(jessl::test::finite_difference_error(loss, views) < 1e-7);
          return differentiated(loss, views);
        };
        const auto [value, gradients] = by(Algebra::images);
        const auto [other, slopes] = by(Algebra::dimensions);
        const auto [chosen, taken] = by(Algebra::automatic);
        CHECK(relative_error(value, other) < 1e-12);
        const bool same = torch::equal(chosen, value), as_other = torch::equal(chosen, other);
        CHECK((same || as_other));
        for (std::size_t v = 0; v < views.size(); ++v) {
          CHECK(relative_error(gradients[v], slopes[v]) < 1e-11);
          CHECK(relative_error(taken[v], slopes[v]) < 1e-11);
        }
      }
    }
  });
  CHECK(choosing == 4);
}

TEST_CASE("NuclearNorm: value and gradient are those of the singular value decomposition", "[loss][gram]") {
  using jessl::loss::detail::NuclearNorm;
  for (const auto& [rows, width] : {std::pair{5, 9}, std::pair{9, 5}, std::pair{1, 4}}) {
    CAPTURE(rows, width);
    const auto matrices = torch::stack({embeddings(rows, width, 0), embeddings(rows, width, 1)});
    const auto weights = torch::tensor({0.3, -2.0}, torch::kFloat64);
    const auto [value, gradient] = differentiated(
        [&](const auto& given) { return NuclearNorm::apply(given[0]).dot(weights); }, std::vector{matrices});
    const auto [expected, slope] = differentiated(
        [&](const auto& given) { return at::linalg_svdvals(given[0]).sum(1).dot(weights); }, std::vector{matrices});
    CHECK(relative_error(value, expected) < 1e-12);
    CHECK(relative_error(gradient[0], slope[0]) < 1e-10);
    // In float32 it is as exact as its input.
    const auto [rounded, rounded_gradient] =
        differentiated([&](const auto& given) { return NuclearNorm::apply(given[0]).dot(weights.to(torch::kFloat32)); },
                       std::vector{matrices.to(torch::kFloat32)});
    CHECK(rounded.scalar_type() == torch::kFloat32);
    CHECK(relative_error(rounded, expected) < 1e-6);
    CHECK(relative_error(rounded_gradient[0], slope[0]) < 1e-4);
  }
}

TEST_CASE("NuclearNorm: a matrix without full rank has a finite gradient, one that is not finite the value NaN",
          "[loss][gram]") {
  using jessl::loss::detail::NuclearNorm;
  const auto line = embeddings(6, 1, 0).mm(embeddings(1, 4, 1)).to(torch::kFloat32);  // of rank 1
  for (const auto& matrix : {line, torch::zeros({6, 4})}) {
    const auto [value, gradient] =
        differentiated([](const auto& given) { return NuclearNorm::apply(given[0]); }, std::vector{matrix});
    CHECK(value.item<double>() == Approx(matrix.norm().item<double>()).epsilon(1e-6));
    CHECK(gradient[0].isfinite().all().item<bool>());
    CHECK(gradient[0].norm().item<double>() < 1.001);  // U V^T of one direction at most
  }
  auto broken = line.clone();
  broken[2][1] = std::numeric_limits<double>::quiet_NaN();
  const auto [value, gradient] =
      differentiated([](const auto& given) { return NuclearNorm::apply(given[0]); }, std::vector{broken});
  CHECK(value.isnan().item<bool>());
  CHECK(gradient[0].isnan().all().item<bool>());
}
