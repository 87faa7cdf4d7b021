// SPDX-License-Identifier: Apache-2.0
// Laws that every loss obeys.
#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include <boost/hana/for_each.hpp>

#include <jessl/core/autocast.hpp>
#include <jessl/loss.hpp>
#include <loss/evaluation.hpp>
#include <loss/pair_of_ranks.hpp>
#include <loss/reference.hpp>
#include <support/peak_memory.hpp>

using jessl::test::embeddings;
using jessl::test::example;
using jessl::test::gradient_of;
using jessl::test::value_of;

namespace {

/// Calls body(loss) with every loss.
template <class Body>
void for_each_loss(const Body& body) {
  boost::hana::for_each(jessl::loss::All, [&](auto type) {
    using L = typename decltype(type)::type;
    INFO(L::name);
    body(jessl::test::small_loss<L>());
  });
}

template <class L, class... Others>
inline constexpr bool is_one_of = (std::is_same_v<L, Others> || ...);

/// Whether the gradient leaves out by definition how a part of the value depends on the views: the loss's own cases hold
/// that part fixed and differentiate the rest.
template <class L>
inline constexpr bool stops_gradient = is_one_of<L, jessl::loss::DCLW, jessl::loss::SwAV, jessl::loss::TiCo>;

/// Whether the first view plays another part than the others.
template <class L>
inline constexpr bool tells_views_apart = is_one_of<L, jessl::loss::ReSSL>;

}  // namespace

TEST_CASE("every loss models the concept and describes itself", "[loss][law]") {
  for_each_loss([]<class L>(const L& loss) {
    jessl::require_loss<L>();
    CHECK(jessl::same_options(jessl::from_json<L>(jessl::to_json(loss)), loss));
  });
}

TEST_CASE("every loss of two views is called with two embeddings, or with two predictions and their targets",
          "[loss][law]") {
  for_each_loss([]<class L>(const L& loss) {
    const auto given = example<L>(4, 3);
    const double value = value_of(loss, given).template item<double>();
    const torch::Tensor &a = given.views[0], &b = given.views[1];
    torch::manual_seed(0);
    if constexpr (jessl::StatefulLoss<L>) {
      return;  // what a call without a state means is the loss's own matter
    } else if constexpr (jessl::TargetedLoss<L>) {
      CHECK(loss(a, b, given.targets[0], given.targets[1]).template item<double>() == value);
    } else {
      CHECK(loss(a, b).template item<double>() == value);
    }
  });
}

TEST_CASE("every loss: autograd's gradient is that of finite differences", "[loss][law]") {
  for_each_loss([]<class L>(const L& loss) {
    if constexpr (!stops_gradient<L>) {
      for (auto given : {example<L>(4, 3), example<L>(3, 2, 3)}) {
        const auto value = [&](const std::vector<torch::Tensor>& views) {
          given.views = views;
          return value_of(loss, given);
        };
        CHECK(jessl::test::finite_difference_error(value, given.views) < 1e-7);
      }
    }
  });
}

TEST_CASE("every loss ignores the order of the batch and of its views", "[loss][law]") {
  for_each_loss([]<class L>(const L& loss) {
    const auto given = example<L>(6, 4);
    const double value = value_of(loss, given).template item<double>();
    const auto order = torch::tensor({3, 1, 5, 0, 2, 4});
    const auto reordered =
        jessl::test::changed(given, [&](const torch::Tensor& z) { return z.index_select(0, order); });
    CHECK(value_of(loss, reordered).template item<double>() == Approx(value).epsilon(1e-12));
    if constexpr (tells_views_apart<L>) return;
    auto swapped = given;
    std::reverse(swapped.views.begin(), swapped.views.end());
    std::reverse(swapped.targets.begin(), swapped.targets.end());
    CHECK(value_of(loss, swapped).template item<double>() == Approx(value).epsilon(1e-12));
  });
}

TEST_CASE("every loss is finite, with a finite gradient, for embeddings that have collapsed", "[loss][law]") {
  for_each_loss([]<class L>(const L& loss) {
    if constexpr (is_one_of<L, jessl::loss::WMSE>) return;  // refuses them: its own test
    for (const double constant : {0.0, 1.0}) {
      INFO(constant);
      jessl::test::check_finite(
          loss, jessl::test::changed(example<L>(5, 3, 2, 0, torch::kFloat32),
                                     [&](const torch::Tensor& z) { return torch::full_like(z, constant); }));
    }
  });
}

TEST_CASE("every loss is reduced in float32 under autocast, and gives the gradient its input's type", "[loss][law]") {
  for_each_loss([]<class L>(const L& loss) {
    const auto given = example<L>(8, 4, 2, 0, torch::kFloat32);
    const double outside = value_of(loss, given).template item<double>();
    const jessl::Autocast autocast(torch::kCPU, jessl::Precision::bfloat16);
    const auto inside = value_of(loss, given);
    CHECK(inside.scalar_type() == torch::kFloat32);
    CHECK(inside.template item<double>() == outside);
    CHECK(at::autocast::is_autocast_enabled(at::kCPU));

    const auto cast = [&](torch::ScalarType type) { return [type](const torch::Tensor& z) { return z.to(type); }; };
    const auto rounded = jessl::test::changed(given, cast(torch::kBFloat16));
    const auto reduced = jessl::test::with_leaves(rounded);
    const auto value = value_of(loss, reduced);
    CHECK(value.scalar_type() == torch::kFloat32);
    // With a gradient here, too: singular values come from another routine of LAPACK without one.
    const auto same = jessl::test::with_leaves(jessl::test::changed(rounded, cast(torch::kFloat32)));
    CHECK(value.template item<double>() == value_of(loss, same).template item<double>());
    value.backward();
    CHECK(reduced.views[1].grad().scalar_type() == torch::kBFloat16);
  });
}

TEST_CASE(
    "every loss: gradients averaged over two ranks are those of one process on the joint batch, and so is the state",
    "[loss][law]") {
  for_each_loss([]<class L>(const L& loss) {
    const auto joint = jessl::test::with_leaves(example<L>(6, 4)), split = jessl::test::with_leaves(example<L>(6, 4));
    const auto state = jessl::test::used_state(loss, 4);
    const auto value = value_of(loss, joint, state);
    value.backward();

    const std::array states{jessl::test::used_state(loss, 4), jessl::test::used_state(loss, 4)};
    std::array<torch::Tensor, 2> values;
    jessl::test::PairOfRanks pair;
    pair.run([&](const auto& rank) {
      const auto own = static_cast<std::size_t>(rank.rank());
      const auto rows = [&](const torch::Tensor& z) { return z.narrow(0, 3 * rank.rank(), 3); };
      values[own] = value_of(loss, jessl::test::changed(split, rows), states[own], rank);
    });
    const auto mean = (values[0] + values[1]) / 2;
    mean.backward();
    CHECK(mean.template item<double>() == Approx(value.template item<double>()).epsilon(1e-12));
    for (std::size_t v = 0; v < 2; ++v) {
      CHECK(jessl::test::relative_error(gradient_of(split.views[v]), gradient_of(joint.views[v])) < 1e-12);
    }
    const auto expected = jessl::test::tensors_of(state);
    const std::array held{jessl::test::tensors_of(states[0]), jessl::test::tensors_of(states[1])};
    for (std::size_t i = 0; i < expected.size(); ++i) {
      CHECK(jessl::test::relative_error(held[0][i], expected[i]) < 1e-12);
      CHECK(torch::equal(held[0][i], held[1][i]));
      if (expected[i].grad().defined())  // the half of each rank is in the mean
        CHECK(jessl::test::relative_error(held[0][i].grad() + held[1][i].grad(), expected[i].grad()) < 1e-12);
    }
  });
}

TEST_CASE("every loss keeps to O(N D) memory, whichever of N and D is larger, beside as much as its state takes",
          "[loss][law]") {
  // 2048 pairs of 8 dimensions: one matrix of similarities would take 16 MB for two views' rows, 64 MB for all rows, and a
  // loss and its gradient keep a few. 8 pairs of 2048 dimensions: one D x D matrix would take 16 MB.
  for_each_loss([]<class L>(const L& loss) {
    if constexpr (is_one_of<L, jessl::loss::SIGReg>) return;  // N x 1024 slices for each point of the integral
    for (const auto& [rows, width] : {std::pair{2048, 8}, std::pair{8, 2048}}) {
      if (is_one_of<L, jessl::loss::WMSE> && rows < width) continue;  // needs N > D
      const auto given = jessl::test::with_leaves(example<L>(rows, width, 2, 0, torch::kFloat32));
      const auto state = jessl::test::used_state(loss, width, torch::kFloat32);
      std::size_t allowed = 10'000'000;
      for (const torch::Tensor& tensor : jessl::test::tensors_of(state)) allowed += tensor.nbytes();
      const jessl::test::PeakMemory peak;
      value_of(loss, given, state).backward();
      CHECK(static_cast<std::size_t>(peak.bytes()) < allowed);
    }
  });
}

TEST_CASE("every loss refuses views that don't fit together, and says which", "[loss][law]") {
  for_each_loss([]<class L>(const L& loss) {
    const std::string who = "jessl::loss::" + std::string(L::name);
    const auto state = jessl::test::used_state(loss, 128, torch::kFloat32);
    auto given = example<L>(256, 128, 2, 0, torch::kFloat32);
    const auto value = [&](const std::vector<torch::Tensor>& views) {
      given.views = views;
      return value_of(loss, given, state);
    };
    const auto z = torch::zeros({256, 128});
    CHECK_THROWS_WITH(value({z, torch::zeros({256, 64})}),
                      who + ": views[1] is [256, 64], expected [N, D] = [256, 128]");
    CHECK_THROWS_AS(value({z, torch::zeros({256, 64})}), jessl::ShapeError);
    CHECK_THROWS_WITH(value({torch::zeros({4}), torch::zeros({4})}), who + ": views[0] is [4], expected [N, D]");
    CHECK_THROWS_WITH(value({z}), who + ": there are 1 views, expected at least 2");
    CHECK_THROWS_AS(value({}), jessl::ConfigError);
    CHECK_THROWS_WITH(value({z, torch::Tensor()}), who + ": views[1] is undefined");
    CHECK_THROWS_AS(value({torch::zeros({0, 8}), torch::zeros({0, 8})}), jessl::ShapeError);
    CHECK_THROWS_AS(value({z.to(torch::kInt64), z.to(torch::kInt64)}), jessl::ConfigError);
    CHECK_THROWS_AS(value({z, z.to(torch::kFloat64)}), jessl::ConfigError);
  });
}

TEST_CASE("every loss with targets refuses those that don't fit, and says which", "[loss][law]") {
  for_each_loss([]<class L>(const L& loss) {
    if constexpr (jessl::TargetedLoss<L>) {
      const std::string who = "jessl::loss::" + std::string(L::name);
      const auto state = jessl::test::used_state(loss, 128, torch::kFloat32);
      auto given = example<L>(256, 128, 2, 0, torch::kFloat32);
      const auto value = [&](const std::vector<torch::Tensor>& targets) {
        given.targets = targets;
        return value_of(loss, given, state);
      };
      const auto z = torch::zeros({256, 128});
      CHECK_THROWS_WITH(value({z, torch::zeros({256, 64})}),
                        who + ": targets[1] is [256, 64], expected [N, D] = [256, 128]");
      CHECK_THROWS_AS(value({z, torch::zeros({256, 64})}), jessl::ShapeError);
      CHECK_THROWS_WITH(value({}), who + ": there are 0 targets, expected 1 to 2, for the first of the views");
      CHECK_THROWS_WITH(value({z, z, z}), who + ": there are 3 targets, expected 1 to 2, for the first of the views");
      CHECK_THROWS_AS(value({z, z, z}), jessl::ConfigError);
      CHECK_THROWS_WITH(value({torch::Tensor()}), who + ": targets[0] is undefined");
      CHECK_THROWS_AS(value({z, z.to(torch::kFloat64)}), jessl::ConfigError);
    }
  });
}

TEST_CASE("every loss with targets takes them without gradient", "[loss][law]") {
  for_each_loss([]<class L>(const L& loss) {
    if constexpr (jessl::TargetedLoss<L>) {
      auto given = jessl::test::with_leaves(example<L>(5, 3));
      for (torch::Tensor& target : given.targets) target.requires_grad_();
      value_of(loss, given).backward();
      for (const torch::Tensor& target : given.targets) CHECK(!target.grad().defined());
    }
  });
}

TEST_CASE("every loss with targets or a state is finite for one image, one dimension and embeddings of length 1e4",
          "[loss][law]") {
  for_each_loss([]<class L>(const L& loss) {
    if constexpr (jessl::TargetedLoss<L> || jessl::StatefulLoss<L>) {
      for (const auto& [rows, width, scale] : {std::tuple{1, 3, 1.0}, std::tuple{4, 1, 1.0}, std::tuple{5, 3, 1e4}}) {
        INFO(rows << " x " << width << " times " << scale);
        jessl::test::check_finite(
            loss, jessl::test::changed(example<L>(rows, width, 2, 0, torch::kFloat32),
                                       [factor = scale](const torch::Tensor& z) { return factor * z; }));
      }
    }
  });
}

TEST_CASE("every loss with a state refuses one that is empty, elsewhere or of another width", "[loss][law]") {
  for_each_loss([]<class L>(const L& loss) {
    if constexpr (jessl::StatefulLoss<L>) {
      using State = jessl::loss::StateOf<L>;
      const std::string who = "jessl::loss::" + std::string(L::name);
      const auto given = example<L>(6, 4, 2, 0, torch::kFloat32);
      CHECK_THROWS_WITH(value_of(loss, given, State(nullptr)),
                        who + ": the state is empty, expected what make() gives");
      CHECK_THROWS_AS(value_of(loss, given, State(nullptr)), jessl::ConfigError);
      CHECK_THROWS_AS(value_of(loss, given, loss.make(5)), jessl::ShapeError);
      const auto elsewhere = jessl::test::changed(given, [](const torch::Tensor& z) { return z.to(torch::kMeta); });
      CHECK_THROWS_WITH(value_of(loss, elsewhere, loss.make(4)),
                        who + ": the state is on cpu, expected meta as views[0]");
      CHECK_THROWS_AS(value_of(loss, elsewhere, loss.make(4)), jessl::ConfigError);
    }
  });
}

TEST_CASE("every loss's state is a function of the seed, and a call changes its buffers alone", "[loss][law]") {
  for_each_loss([]<class L>(const L& loss) {
    if constexpr (jessl::StatefulLoss<L>) {
      const auto equal = [](const std::vector<torch::Tensor>& a, const std::vector<torch::Tensor>& b) {
        return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                          [](const torch::Tensor& x, const torch::Tensor& y) { return torch::equal(x, y); });
      };
      const auto copies = [](const std::vector<torch::Tensor>& tensors) {
        std::vector<torch::Tensor> copied;
        for (const torch::Tensor& tensor : tensors) copied.push_back(tensor.detach().clone());
        return copied;
      };
      auto state = loss.make(4), other = loss.make(4);
      state->initialise(7);
      other->initialise(7);
      const auto begun = copies(jessl::test::tensors_of(state));
      CHECK(equal(jessl::test::tensors_of(other), begun));

      const auto parameters = copies(state->parameters()), buffers = copies(state->buffers());
      value_of(loss, jessl::test::with_leaves(example<L>(6, 4, 2, 0, torch::kFloat32)), state).backward();
      CHECK(equal(state->parameters(), parameters));
      CHECK(!equal(state->buffers(), buffers));
      for (const torch::Tensor& buffer : state->buffers()) CHECK(!buffer.requires_grad());
      state->initialise(7);
      CHECK(equal(jessl::test::tensors_of(state), begun));

      CHECK_THROWS_AS(loss.make(0), jessl::ConfigError);
    }
  });
}

TEST_CASE("every loss's state that keeps what calls change puts all of it back", "[loss][law]") {
  int keeping = 0;
  for_each_loss([&]<class L>(const L& loss) {
    if constexpr (jessl::StatefulLoss<L>) {
      auto state = jessl::test::used_state(loss, 4, torch::kFloat32);
      if constexpr (requires { state->keep(); }) {
        ++keeping;
        std::vector<torch::Tensor> before;
        for (const torch::Tensor& buffer : state->buffers()) before.push_back(buffer.clone());
        auto kept = state->keep();
        for (int call = 0; call < 3; ++call)  // more rows than a queue has
          (void)value_of(loss, example<L>(12, 4, 2, call, torch::kFloat32), state);
        kept.put_back();
        for (std::size_t i = 0; i < before.size(); ++i) CHECK(torch::equal(state->buffers()[i], before[i]));
        bool changed = false;  // by a call, else this would show nothing
        (void)value_of(loss, example<L>(12, 4, 2, 9, torch::kFloat32), state);
        for (std::size_t i = 0; i < before.size(); ++i) changed |= !torch::equal(state->buffers()[i], before[i]);
        CHECK(changed);
      }
    }
  });
  CHECK(keeping >= 5);  // the losses with a queue, and DINO
}
