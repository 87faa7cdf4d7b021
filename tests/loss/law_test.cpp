// SPDX-License-Identifier: Apache-2.0
// Laws that every loss obeys.
#include <type_traits>

#include <catch2/catch.hpp>

#include <boost/hana/for_each.hpp>

#include <jessl/core/autocast.hpp>
#include <jessl/loss.hpp>
#include <loss/pair_of_ranks.hpp>
#include <loss/reference.hpp>
#include <support/peak_memory.hpp>

using jessl::test::embeddings;

namespace {

/// A loss that draws the same in each call: a law compares calls.
template <class L>
struct Repeated : L {
  template <class... Args>
  [[nodiscard]] torch::Tensor operator()(const Args&... args) const {
    torch::manual_seed(0);
    return L::operator()(args...);
  }
  [[nodiscard]] torch::Tensor operator()(const std::vector<torch::Tensor>& views) const {
    torch::manual_seed(0);
    return L::operator()(views);
  }
};

/// Calls body(loss) with the default of every loss.
template <class Body>
void for_each_loss(const Body& body) {
  boost::hana::for_each(jessl::loss::All, [&](auto type) {
    using L = typename decltype(type)::type;
    INFO(L::name);
    body(Repeated<L>{});
  });
}

}  // namespace

TEST_CASE("every loss models the concept and describes itself", "[loss][law]") {
  for_each_loss([]<class L>(const Repeated<L>& repeated) {
    const L& loss = repeated;
    jessl::require_loss<L>();
    CHECK(jessl::same_options(jessl::from_json<L>(jessl::to_json(loss)), loss));
  });
}

TEST_CASE("every loss: autograd's gradient is that of finite differences", "[loss][law]") {
  for_each_loss([]<class L>(const L& loss) {
    if constexpr (std::is_base_of_v<jessl::loss::DCLW, L>) return;  // its weights have no gradient: see its own cases
    CHECK(jessl::test::finite_difference_error(loss, {embeddings(4, 3, 0), embeddings(4, 3, 0.7)}) < 1e-7);
    CHECK(jessl::test::finite_difference_error(loss, {embeddings(3, 2, 0), embeddings(3, 2, 1), embeddings(3, 2, 2)}) <
          1e-7);
  });
}

TEST_CASE("every loss ignores the order of the batch and of its views", "[loss][law]") {
  for_each_loss([](const auto& loss) {
    const auto a = embeddings(6, 4, 0), b = embeddings(6, 4, 1);
    const double value = loss(a, b).template item<double>();
    const auto order = torch::tensor({3, 1, 5, 0, 2, 4});
    CHECK(loss(a.index({order}), b.index({order})).template item<double>() == Approx(value).epsilon(1e-12));
    CHECK(loss(b, a).template item<double>() == Approx(value).epsilon(1e-12));
  });
}

TEST_CASE("every loss is finite, with a finite gradient, for embeddings that have collapsed", "[loss][law]") {
  for_each_loss([]<class L>(const L& loss) {
    if constexpr (std::is_base_of_v<jessl::loss::WMSE, L>) return;  // refuses them: its own test
    for (const double constant : {0.0, 1.0}) {
      const auto a = torch::full({5, 3}, constant, torch::requires_grad());
      const auto b = torch::full({5, 3}, constant, torch::requires_grad());
      const auto value = loss(a, b);
      CHECK(value.isfinite().template item<bool>());
      value.backward();
      CHECK(a.grad().isfinite().all().template item<bool>());
      CHECK(b.grad().isfinite().all().template item<bool>());
    }
  });
}

TEST_CASE("every loss is reduced in float32 under autocast, and gives the gradient its input's type", "[loss][law]") {
  for_each_loss([](const auto& loss) {
    const auto a = embeddings(8, 4, 0).to(torch::kFloat32), b = embeddings(8, 4, 1).to(torch::kFloat32);
    const double outside = loss(a, b).template item<double>();
    const jessl::Autocast autocast(torch::kCPU, jessl::Precision::bfloat16);
    const auto inside = loss(a, b);
    CHECK(inside.scalar_type() == torch::kFloat32);
    CHECK(inside.template item<double>() == outside);
    CHECK(at::autocast::is_autocast_enabled(at::kCPU));

    const auto reduced = a.to(torch::kBFloat16).requires_grad_();
    const auto value = loss(reduced, b.to(torch::kBFloat16));
    CHECK(value.scalar_type() == torch::kFloat32);
    value.backward();
    CHECK(reduced.grad().scalar_type() == torch::kBFloat16);
  });
}

TEST_CASE("every loss: gradients averaged over two ranks are those of one process on the joint batch", "[loss][law]") {
  for_each_loss([](const auto& loss) {
    const auto leaf = [](double phase) { return embeddings(6, 4, phase).requires_grad_(); };
    const auto a = leaf(0), b = leaf(1);
    const auto joint = loss(a, b);
    joint.backward();

    const auto split_a = leaf(0), split_b = leaf(1);
    std::array<torch::Tensor, 2> values;
    jessl::test::PairOfRanks pair;
    pair.run([&](const auto& rank) {
      const auto rows = [&](const torch::Tensor& z) { return z.narrow(0, 3 * rank.rank(), 3); };
      values[static_cast<std::size_t>(rank.rank())] = loss(rows(split_a), rows(split_b), rank);
    });
    const auto mean = (values[0] + values[1]) / 2;
    mean.backward();
    CHECK(mean.template item<double>() == Approx(joint.template item<double>()).epsilon(1e-12));
    CHECK(jessl::test::relative_error(split_a.grad(), a.grad()) < 1e-12);
    CHECK(jessl::test::relative_error(split_b.grad(), b.grad()) < 1e-12);
  });
}

TEST_CASE("every loss keeps to O(N D) memory, whichever of N and D is larger", "[loss][law]") {
  // 2048 pairs of 8 dimensions: one matrix of similarities would take 16 MB for two views' rows, 64 MB for all rows, and a
  // loss and its gradient keep a few. 8 pairs of 2048 dimensions: one D x D matrix would take 16 MB.
  for_each_loss([]<class L>(const L& loss) {
    const bool draws = std::is_base_of_v<jessl::loss::SIGReg, L>;  // N x 1024 slices for each point of the integral
    const bool whitens = std::is_base_of_v<jessl::loss::WMSE, L>;  // needs N > D
    if (draws) return;
    for (const auto& [rows, width] : {std::pair{2048, 8}, std::pair{8, 2048}}) {
      if (whitens && rows < width) continue;
      const auto a = embeddings(rows, width, 0).to(torch::kFloat32).requires_grad_();
      const auto b = embeddings(rows, width, 1).to(torch::kFloat32).requires_grad_();
      const jessl::test::PeakMemory peak;
      loss(a, b).backward();
      CHECK(peak.bytes() < 10'000'000);
    }
  });
}

TEST_CASE("every loss refuses views that don't fit together, and says which", "[loss][law]") {
  for_each_loss([]<class L>(const L& loss) {
    const std::string who = "jessl::loss::" + std::string(L::name);
    const auto z = torch::zeros({256, 128});
    CHECK_THROWS_WITH(loss(z, torch::zeros({256, 64})), who + ": views[1] is [256, 64], expected [N, D] = [256, 128]");
    CHECK_THROWS_AS(loss(z, torch::zeros({256, 64})), jessl::ShapeError);
    CHECK_THROWS_WITH(loss(torch::zeros({4}), torch::zeros({4})), who + ": views[0] is [4], expected [N, D]");
    CHECK_THROWS_WITH(loss(std::vector<torch::Tensor>{z}), who + ": there are 1 views, expected at least 2");
    CHECK_THROWS_AS(loss(std::vector<torch::Tensor>{}), jessl::ConfigError);
    CHECK_THROWS_WITH(loss(z, torch::Tensor()), who + ": views[1] is undefined");
    CHECK_THROWS_AS(loss(torch::zeros({0, 8}), torch::zeros({0, 8})), jessl::ShapeError);
    CHECK_THROWS_AS(loss(z.to(torch::kInt64), z.to(torch::kInt64)), jessl::ConfigError);
    CHECK_THROWS_AS(loss(z, z.to(torch::kFloat64)), jessl::ConfigError);
  });
}
