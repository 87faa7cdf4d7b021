// SPDX-License-Identifier: Apache-2.0
// Laws that every loss obeys.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include <torch/csrc/autograd/autograd.h>
#include <boost/hana/for_each.hpp>

#include <jessl/core/autocast.hpp>
#include <jessl/loss.hpp>
#include <loss/evaluation.hpp>
#include <loss/pair_of_ranks.hpp>
#include <loss/reference.hpp>
#include <support/peak_memory.hpp>
#include <support/skip.hpp>

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

/// Whether the gradient leaves out by definition how a part of the value depends on the views: the loss's own tests hold
/// that part fixed and differentiate the rest.
template <class L>
inline constexpr bool stops_gradient = is_one_of<L, jessl::loss::DCLW, jessl::loss::SwAV, jessl::loss::TiCo>;

/// Whether the loss is of the embeddings' directions alone.
template <class L>
inline constexpr bool ignores_lengths = !is_one_of<L, jessl::loss::BarlowTwins, jessl::loss::SIGReg,
                                                   jessl::loss::VIbCReg, jessl::loss::VICReg, jessl::loss::WMSE>;

/// Whether the loss stays the same where every dimension is stretched by a factor of its own.
template <class L>
inline constexpr bool ignores_units = is_one_of<L, jessl::loss::WMSE>;

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

TEST_CASE("every loss: the terms that it tells add up to it", "[loss][law]") {
  using namespace jessl::loss;
  for_each_loss([]<class L>(const L& loss) {
    for (const std::size_t views : {2U, 3U}) {
      for (const std::int64_t width : {3, 12}) {        // products by the columns and by the rows
        if (is_one_of<L, WMSE> && width > 8) continue;  // which needs more images
        const auto given = example<L>(8, width, views);
        const auto state = jessl::test::used_state(loss, width);
        Parts parts;
        const double value = value_of(loss, given, state).template item<double>();
        double sum = 0.0;
        for (const auto& [name, term] : parts.values()) sum += term;
        constexpr bool tells =
            is_one_of<L, AlignmentUniformity, BarlowTwins, MMCR, SIGReg, SpectralContrastive, TiCo, VIbCReg, VICReg>;
        CHECK(parts.values().empty() == !tells);
        if (tells) CHECK(sum == Approx(value).epsilon(1e-10));
      }
    }
  });
}

TEST_CASE("every loss: autograd's gradient is that of finite differences", "[loss][law]") {
  for_each_loss([]<class L>(const L& loss) {
    if constexpr (!stops_gradient<L>) {
      for (auto given : {example<L>(4, 3), example<L>(3, 2, 3), example<L>(3, 8)}) {
        if (is_one_of<L, jessl::loss::WMSE> && given.views[0].size(0) < given.views[0].size(1))
          continue;  // needs N > D
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

TEST_CASE("every loss of directions ignores how long the embeddings are, and a whitening one their dimensions' units",
          "[loss][law]") {
  for_each_loss([]<class L>(const L& loss) {
    const auto given = example<L>(6, 4);
    const double value = value_of(loss, given).template item<double>();
    const auto factors = torch::exp(embeddings(6, 1, 2));  // 0.4 to 2.7, another one for each image
    const auto longer = jessl::test::changed(given, [&](const torch::Tensor& z) { return factors * z; });
    const auto stretched =
        jessl::test::changed(given, [&](const torch::Tensor& z) { return z * factors.narrow(0, 0, 4).t(); });
    const bool same = value_of(loss, longer).template item<double>() == Approx(value).epsilon(1e-12);
    CHECK(same == ignores_lengths<L>);
    if (ignores_units<L>) CHECK(value_of(loss, stretched).template item<double>() == Approx(value).epsilon(1e-10));
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
    for (const auto sixteen : {torch::kBFloat16, torch::kFloat16}) {
      const auto rounded = jessl::test::changed(given, cast(sixteen));
      const auto reduced = jessl::test::with_leaves(rounded);
      const auto same = jessl::test::with_leaves(jessl::test::changed(rounded, cast(torch::kFloat32)));
      const auto value = value_of(loss, reduced), expected = value_of(loss, same);
      CHECK(value.scalar_type() == torch::kFloat32);
      CHECK(value.template item<double>() == expected.template item<double>());
      value.backward();
      expected.backward();
      for (std::size_t v = 0; v < 2; ++v) {
        CHECK((!reduced.views[v].grad().defined() || reduced.views[v].grad().scalar_type() == sixteen));
        const double rounding = sixteen == torch::kBFloat16 ? 0x1p-8 : 0x1p-11;
        CHECK(jessl::test::relative_error(gradient_of(reduced.views[v]), gradient_of(same.views[v])) < 2 * rounding);
      }
    }
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

TEST_CASE("every loss that compares the images of all ranks refuses batches of unequal sizes", "[loss][law]") {
  for_each_loss([]<class L>(const L& loss) {
    if constexpr (is_one_of<L, jessl::loss::AlignmentUniformity, jessl::loss::BYOL, jessl::loss::DINO,
                            jessl::loss::SIGReg, jessl::loss::SimSiam, jessl::loss::SwAV, jessl::loss::TiCo>) {
      return;  // what they exchange are sums
    } else {
      const auto given = example<L>(9, 4);
      const std::array states{jessl::test::used_state(loss, 4), jessl::test::used_state(loss, 4)};
      jessl::test::PairOfRanks pair;
      CHECK_THROWS_AS(pair.run([&](const auto& rank) {
        const auto rows = [&](const torch::Tensor& z) {
          return z.narrow(0, 5 * rank.rank(), rank.rank() == 0 ? 5 : 4);
        };
        (void)value_of(loss, jessl::test::changed(given, rows), states[static_cast<std::size_t>(rank.rank())], rank);
      }),
                      jessl::ShapeError);
    }
  });
}

TEST_CASE("every loss has the right second derivatives, or says that it has none", "[loss][law]") {
  int refused = 0;
  for_each_loss([&]<class L>(const L& loss) {
    auto given = example<L>(5, 3);
    for (torch::Tensor& view : given.views) view.requires_grad_();
    const auto slope = [&](const L& of, const jessl::loss::Embedded& at) {
      const auto state = jessl::test::used_state(of, 3);
      return torch::autograd::grad({value_of(of, at, state)}, at.views, {}, /*retain_graph=*/true,
                                   /*create_graph=*/true,
                                   /*allow_unused=*/true);
    };
    std::vector<torch::Tensor> gradients;
    try {
      gradients = slope(loss, given);
    } catch (const jessl::ConfigError& error) {
      CHECK_THAT(error.what(), Catch::Contains("expected first derivatives alone"));
      ++refused;
      return;
    }
    if constexpr (stops_gradient<L>) return;
    const auto norm = [](const std::vector<torch::Tensor>& all) {
      torch::Tensor sum = torch::zeros({}, torch::kFloat64);
      for (const torch::Tensor& gradient : all) {
        if (gradient.defined()) sum = sum + gradient.square().sum();
      }
      return sum;
    };
    const auto of_views = [&](const std::vector<torch::Tensor>& views) {
      const torch::AutoGradMode with_gradients(true);
      auto at = given;
      at.views = views;
      return norm(slope(loss, at));
    };
    if (norm(gradients).requires_grad()) CHECK(jessl::test::finite_difference_error(of_views, given.views) < 1e-5);
  });
  CHECK(refused >= 5);
}

TEST_CASE("every loss keeps to O(N D) memory, whichever of N and D is larger, beside as much as its state takes",
          "[loss][law]") {
  // 2048 pairs of 8 dimensions: one matrix of similarities would take 16 MB for two views' rows, 64 MB for all rows, and a
  // loss and its gradient keep a few. 8 pairs of 2048 dimensions: one D x D matrix would take 16 MB.
  for_each_loss([]<class L>(const L& loss) {
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

TEST_CASE("every loss on a GPU has the value, the gradients and the state that it has on a CPU",
          "[loss][law][cuda][outside]") {
  if (!torch::cuda::is_available()) {
    JESSL_SKIP("there is no CUDA device here");
    return;
  }
  for_each_loss([]<class L>(const L& loss) {
    for (const auto& [type, tolerance] : {std::pair{torch::kFloat64, 1e-9}, std::pair{torch::kFloat32, 2e-4}}) {
      for (const auto& [rows, width] : {std::pair{12, 5}, std::pair{300, 24}, std::pair{6, 40}}) {
        CAPTURE(rows, width, tolerance);
        if (is_one_of<L, jessl::loss::WMSE> && rows <= width) continue;  // needs N > D
        const auto here = jessl::test::with_leaves(example<L>(rows, width, 2, 0, type));
        const auto there = [&](const torch::Tensor& z) { return z.detach().to(torch::kCUDA); };
        auto copies = jessl::test::with_leaves(jessl::test::changed(here, there));
        if (copies.images.defined()) copies.images = there(copies.images);
        auto state = jessl::test::used_state(loss, width, type), moved = jessl::test::used_state(loss, width, type);
        if constexpr (jessl::StatefulLoss<L>) moved->to(torch::kCUDA);
        const auto value = value_of(loss, here, state), other = value_of(loss, copies, moved);
        CHECK(other.is_cuda());
        CHECK(other.template item<double>() == Approx(value.template item<double>()).epsilon(tolerance));
        value.backward();
        other.backward();
        for (std::size_t v = 0; v < 2; ++v) {
          const auto gradient = gradient_of(copies.views[v]).cpu();
          CHECK(jessl::test::relative_error(gradient, gradient_of(here.views[v])) < tolerance);
        }
        const auto expected = jessl::test::tensors_of(state), held = jessl::test::tensors_of(moved);
        for (std::size_t i = 0; i < expected.size(); ++i)
          CHECK(jessl::test::relative_error(held[i].cpu(), expected[i]) < tolerance);
      }
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

TEST_CASE(
    "every loss is finite for two images, one dimension, embeddings of length 1e4 and a temperature of 0.05; of one "
    "image "
    "it is, or says that it needs more",
    "[loss][law]") {
  for_each_loss([]<class L>(L loss) {
    if constexpr (requires { loss.temperature; }) loss.temperature = 0.05;
    if constexpr (requires { loss.loss.temperature; }) loss.loss.temperature = 0.05;
    const auto given = [](std::int64_t rows, std::int64_t width, double scale) {
      return jessl::test::changed(example<L>(rows, width, 2, 0, torch::kFloat32),
                                  [scale](const torch::Tensor& z) { return scale * z; });
    };
    for (const auto& [rows, width, scale] :
         {std::tuple{2, 3, 1.0}, std::tuple{4, 1, 1.0}, std::tuple{5, 3, 1e4}, std::tuple{2, 1, 1e4}}) {
      INFO(rows << " x " << width << " times " << scale);
      if (is_one_of<L, jessl::loss::WMSE> && rows <= width) {  // there is nothing to be whitened by
        CHECK_THROWS_AS(value_of(loss, given(rows, width, scale)), jessl::ShapeError);
      } else {
        jessl::test::check_finite(loss, given(rows, width, scale));
      }
    }
    try {
      jessl::test::check_finite(loss, given(1, 3, 1.0));
    } catch (const jessl::ShapeError& error) {
      CHECK_THAT(error.what(), Catch::Contains("jessl::loss::" + std::string(L::name) + ": ") &&
                                   Catch::Contains("views[0] is [1, 3], expected [N, D] with N >"));
      CHECK(!jessl::TargetedLoss<L>);
    }
  });
}

TEST_CASE("every loss of embeddings that are not finite is not finite, or says so: none is a number", "[loss][law]") {
  for_each_loss([]<class L>(const L& loss) {
    auto given = example<L>(6, 4, 2, 0, torch::kFloat32);
    for (torch::Tensor& view : given.views) view[2][1] = std::numeric_limits<double>::quiet_NaN();
    const auto leaves = jessl::test::with_leaves(given);
    try {
      const auto value = value_of(loss, leaves);
      CHECK_FALSE(value.isfinite().template item<bool>());
      value.backward();
    } catch (const jessl::Error& error) {
      CHECK_THAT(error.what(), Catch::Contains("jessl::loss::" + std::string(L::name)));
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
                        who + ": the state is on cpu, expected meta as views[0]; move it by state->to(device)");
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
