// SPDX-License-Identifier: Apache-2.0
// Tests of SwAV.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include <jessl/core/autocast.hpp>
#include <jessl/loss/swav.hpp>
#include <loss/reference.hpp>
#include <loss/stateful.hpp>

using jessl::loss::SwAV;
using jessl::loss::SwAVState;
using jessl::test::copy_of;
using jessl::test::embeddings;
using jessl::test::relative_error;

namespace {

/// Settings with few prototypes, for tests.
SwAV small_swav() { return {.temperature = 0.2, .epsilon = 0.3, .prototypes = 5}; }

SwAVState float64_state(const SwAV& loss, std::int64_t width) {
  auto state = loss.make(width);
  state->initialise(3);
  state->to(torch::kFloat64);
  return state;
}

}  // namespace

TEST_CASE("SwAV: value, gradients and queue agree with the authors' algorithm in float64", "[loss][swav]") {
  jessl::test::check_state_cases<SwAV>("swav.json");
}

TEST_CASE("SwAV: a value worked out by hand", "[loss][swav]") {
  // Two images on two prototypes: exp(s) = [[e, 1], [1, e]] has equal sums already, so the assignments are softmax(1, 0), as are
  // the predictions: the loss is the entropy of (p, 1 - p), p = e / (e + 1).
  const SwAV loss{.temperature = 1, .epsilon = 1, .prototypes = 2};
  auto state = loss.make(2);
  {
    const torch::NoGradGuard no_grad;
    state->prototypes.copy_(torch::tensor({{0.5, 0.0}, {0.0, 4.0}}));
  }
  const auto z1 = torch::tensor({{1.0, 0.0}, {0.0, 1.0}}), z2 = torch::tensor({{2.0, 0.0}, {0.0, 3.0}});
  const double p = std::exp(1.0) / (std::exp(1.0) + 1);
  CHECK(loss(z1, z2, state).item<double>() == Approx(-p * std::log(p) - (1 - p) * std::log(1 - p)).epsilon(1e-6));
}

TEST_CASE("SwAV: a step of several views", "[loss][swav]") {
  std::vector<torch::Tensor> views;  // two global views and two local ones
  for (int v = 0; v < 4; ++v) views.push_back(embeddings(8, 16, v).to(torch::kFloat32).requires_grad_());
  // [first]
  const auto loss = jessl::loss::SwAV{.prototypes = 300, .global_views = 2};
  auto state = loss.make(/*width=*/16);  // a torch module: give its parameters to the optimizer, too
  state->set_progress({.epoch = 1.5, .epochs = 100});
  torch::Tensor value = loss(views, state);  // views: 4 x [8, 16]
  value.backward();
  // [/first]
  CHECK(value.item<double>() > 0);
  for (const auto& view : views) CHECK(view.grad().abs().sum().item<double>() > 0);
  CHECK(state->prototypes.grad().sizes() == at::IntArrayRef{300, 16});
}

TEST_CASE("SwAV: autograd's gradient is that of finite differences, for the prototypes too", "[loss][swav]") {
  const auto assigned = [](const SwAV& loss, const std::vector<torch::Tensor>& views, const torch::Tensor& prototypes) {
    auto state = loss.make(3);
    state->prototypes = prototypes;
    return loss(views, state);
  };
  // The assignments have no gradient: with large epsilon they are all alike, whatever the embeddings are.
  const SwAV loss{.temperature = 0.2, .epsilon = 1e9, .prototypes = 4};
  CHECK(jessl::test::finite_difference_error(
            [&](const std::vector<torch::Tensor>& all) {
              return assigned(loss, {all[0], all[1], all[2]}, all[3]);
            },
            {embeddings(3, 3, 0), embeddings(3, 3, 1), embeddings(3, 3, 2), embeddings(4, 3, 3)}) < 1e-7);
  // One global view is a constant for the others: with its embeddings and the prototypes' copy fixed by their own sides,
  // the local views' gradient is that of a plain cross-entropy.
  const SwAV one{.temperature = 0.2, .epsilon = 0.1, .prototypes = 4, .global_views = 1};
  const auto global = embeddings(3, 3, 0), prototypes = embeddings(4, 3, 3);
  CHECK(jessl::test::finite_difference_error(
            [&](const std::vector<torch::Tensor>& local) {
              return assigned(one, {global, local[0], local[1]}, prototypes);
            },
            {embeddings(3, 3, 1), embeddings(3, 3, 2)}) < 1e-7);
}

TEST_CASE("SwAV: assignments use all prototypes alike, and nothing overflows", "[loss][swav]") {
  const jessl::SingleProcess alone;
  for (const auto type : {torch::kFloat32, torch::kFloat64}) {
    for (const double bound : {1.0, 30.0, 300.0, 1e4}) {  // exp(1e4) is far beyond float64
      // The worst scores of that bound: every row wants the first column and nothing else, but for small differences.
      auto scores = (embeddings(40, 7, 0) * 0.1 - bound + 0.1).to(type);
      scores.select(1, 0).add_(2 * bound - 0.2);
      for (const auto& given : {scores, (bound * embeddings(40, 7, 0)).to(type)}) {
        const auto q = jessl::loss::detail::sinkhorn(given, bound, torch::ones({40}, given.options()), 3, 40, alone);
        CHECK(q.isfinite().all().item<bool>());
        CHECK(relative_error(q.sum(1), torch::ones({40})) < 1e-5);
      }
    }
    const auto scores = embeddings(40, 7, 0).to(type);
    const auto q = jessl::loss::detail::sinkhorn(scores, 1, torch::ones({40}, scores.options()), 100, 40, alone);
    CHECK(relative_error(q.sum(0), torch::full({7}, 40.0 / 7)) < 1e-5);
  }
}

TEST_CASE("SwAV: scalings and their logarithms give the same assignments, and rows that don't count change none",
          "[loss][swav]") {
  const auto scores = 20 * embeddings(12, 5, 0);
  auto counts = torch::ones({12}, torch::kFloat64);
  counts.narrow(0, 9, 3).zero_();
  const jessl::SingleProcess alone;
  const auto first = jessl::loss::detail::sinkhorn(scores, 20, counts, 3, 9, alone);
  const auto as_logarithms = jessl::loss::detail::sinkhorn(scores, 1e4, counts, 3, 9, alone);
  const auto without = jessl::loss::detail::sinkhorn(scores.narrow(0, 0, 9), 20, counts.narrow(0, 0, 9), 3, 9, alone);
  CHECK(relative_error(as_logarithms, first) < 1e-12);
  CHECK(relative_error(without, first) < 1e-13);
  const auto in_float32 = [](const torch::Tensor& x) { return x.to(torch::kFloat32); };
  for (const double bound : {20.0, 1e4}) {
    const auto q = jessl::loss::detail::sinkhorn(in_float32(scores), bound, in_float32(counts), 3, 9, alone);
    CHECK(relative_error(q, first) < 1e-5);
  }
}

TEST_CASE("SwAV: prototypes wait for the end of the first epoch", "[loss][swav]") {
  const SwAV loss = small_swav();
  auto state = float64_state(loss, 4);
  const auto a = embeddings(6, 4, 0).requires_grad_(), b = embeddings(6, 4, 1).requires_grad_();
  state->set_progress({.epoch = 0.99, .epochs = 10});
  const auto frozen = loss(a, b, state);
  frozen.backward();
  CHECK_FALSE(state->prototypes.grad().defined());
  const auto gradient = a.grad().clone();
  a.mutable_grad().reset();
  state->set_progress({.epoch = 1, .epochs = 10});
  const auto learning = loss(a, b, state);
  learning.backward();
  CHECK(state->prototypes.grad().defined());
  CHECK(learning.item<double>() == frozen.item<double>());
  CHECK(torch::equal(a.grad(), gradient));
}

TEST_CASE("SwAV: the queue fills from its epoch on, and counts once it is full", "[loss][swav]") {
  SwAV loss = small_swav();
  loss.queue_size = 8;
  auto state = float64_state(loss, 4), plain = float64_state(small_swav(), 4);
  const auto value = [&](double phase) {
    return loss(embeddings(3, 4, phase), embeddings(3, 4, phase + 1), state).item<double>();
  };
  const auto without = [&](double phase) {
    return small_swav()(embeddings(3, 4, phase), embeddings(3, 4, phase + 1), plain).item<double>();
  };
  const auto unit = [](double phase) { return jessl::loss::detail::unit_rows(embeddings(3, 4, phase)); };

  state->set_progress({.epoch = 14.9, .epochs = 100});
  CHECK(value(0) == Approx(without(0)).epsilon(1e-13));
  CHECK(state->queued.item<double>() == 0);
  CHECK(state->queue.abs().max().item<double>() == 0);
  state->set_progress({.epoch = 15, .epochs = 100});
  for (int step = 1; step <= 3; ++step) {
    CHECK(value(step) == Approx(without(step)).epsilon(1e-13));
    CHECK(state->queued.item<double>() == std::min(3 * step, 8));
  }
  for (const std::int64_t view : {0, 1}) {
    const auto expected = torch::cat({unit(3.0 + static_cast<double>(view)), unit(2.0 + static_cast<double>(view)),
                                      unit(1.0 + static_cast<double>(view))})
                              .narrow(0, 0, 8);
    CHECK(relative_error(state->queue[view], expected) < 1e-14);
  }
  CHECK(std::abs(value(4) - without(4)) > 1e-4);
  state->initialise(3);
  CHECK(state->queued.item<double>() == 0);
  CHECK(state->queue.abs().max().item<double>() == 0);
}

TEST_CASE("SwAV: a queue shorter than the batch holds the batch's first images", "[loss][swav]") {
  SwAV loss = small_swav();
  loss.queue_size = 2;
  auto state = float64_state(loss, 4);
  const auto a = embeddings(6, 4, 0), b = embeddings(6, 4, 1);
  static_cast<void>(loss(a, b, state));
  CHECK(relative_error(state->queue[1], jessl::loss::detail::unit_rows(b).narrow(0, 0, 2)) < 1e-14);
  CHECK(loss(a, b, state).isfinite().item<bool>());
}

TEST_CASE("SwAV: two ranks are one process on the joint batch, queue and all", "[loss][swav]") {
  SwAV loss = small_swav();
  const auto call = [&](const auto& views, const auto& state, const auto& group) { return loss(views, state, group); };
  jessl::test::check_ranks(float64_state(loss, 4), 3, 1, call);
  SwAV sharp = loss;
  sharp.epsilon = 0.001;  // Sinkhorn-Knopp by logarithms
  jessl::test::check_ranks(float64_state(loss, 4), 3, 1, [&](const auto& views, const auto& state, const auto& group) {
    return sharp(views, state, group);
  });
  for (const std::int64_t size : {5, 12}) {  // no multiple of the batch, and one; full from the second or third step on
    loss.queue_size = size;
    jessl::test::check_ranks(float64_state(loss, 4), 3, 4, call);
  }
}

TEST_CASE("SwAV: bfloat16 embeddings are those rounded, reduced in float32", "[loss][swav]") {
  const SwAV loss{.prototypes = 6, .queue_size = 8};
  auto state = loss.make(4), other = loss.make(4);
  for (int step = 0; step < 3; ++step) {
    const auto a = embeddings(4, 4, step).to(torch::kBFloat16), b = embeddings(4, 4, step + 1).to(torch::kBFloat16);
    const double expected = loss(a.to(torch::kFloat32), b.to(torch::kFloat32), other).item<double>();
    const jessl::Autocast autocast(torch::kCPU, jessl::Precision::bfloat16);
    const auto value = loss(a, b, state);
    CHECK(value.scalar_type() == torch::kFloat32);
    CHECK(value.item<double>() == expected);
  }
}

TEST_CASE("SwAV: memory grows with the global views, not with the local ones", "[loss][swav]") {
  const SwAV loss{.prototypes = 4096};
  const auto call = [&](const auto& views, const auto& state) { return loss(views, state); };
  const std::ptrdiff_t scores = 64 * 4096 * 4;  // of one view
  const auto few = jessl::test::peak_bytes(loss.make(8), 2, call);
  const auto many = jessl::test::peak_bytes(loss.make(8), 10, call);
  CHECK(few < 8 * scores);
  CHECK(many < few + 2 * scores);
}

TEST_CASE("SwAV: the state is a function of the seed, and a clone shares nothing", "[loss][swav]") {
  const SwAV loss{.prototypes = 6, .queue_size = 3};
  auto one = loss.make(4), other = loss.make(4);
  CHECK(torch::equal(one->prototypes, other->prototypes));
  one->initialise(1);
  CHECK_FALSE(torch::equal(one->prototypes, other->prototypes));
  static_cast<void>(loss(embeddings(5, 4, 0), embeddings(5, 4, 1), other));
  other->initialise(1);
  for (const auto& [name, tensor] : jessl::module_state(*one))
    CHECK(torch::equal(tensor, jessl::module_state(*other)[name]));
  CHECK(torch::allclose(one->prototypes.norm(2, 1), torch::ones({6}), 1e-6));
  auto copy = copy_of(one);
  CHECK(torch::equal(copy->prototypes, one->prototypes));
  CHECK(copy->prototypes.data_ptr() != one->prototypes.data_ptr());
  CHECK(copy->queue.data_ptr() != one->queue.data_ptr());
  std::vector<std::string> names;
  for (const auto& entry : one->named_parameters()) names.push_back(entry.key());
  CHECK(names == std::vector<std::string>{"prototypes"});
}

TEST_CASE("SwAV: what doesn't fit is refused", "[loss][swav]") {
  const SwAV loss = small_swav();
  const auto state = loss.make(4);
  const auto z = torch::zeros({6, 4});
  CHECK_THROWS_WITH(loss(torch::zeros({6, 3}), torch::zeros({6, 3}), state),
                    "jessl::loss::SwAV: views[0] is [6, 3], expected [N, D] with D = 4, for which the state was made");
  CHECK_THROWS_AS(loss(torch::zeros({6, 3}), torch::zeros({6, 3}), state), jessl::ShapeError);
  CHECK_THROWS_WITH(SwAV{}(z, z, state),
                    "jessl::loss::SwAV: the state has 5 prototypes, expected 3000 as in the settings; let make() of "
                    "this loss make the state");
  CHECK_THROWS_AS(SwAV{}(z, z, state), jessl::ConfigError);
  SwAV queued = loss;
  queued.queue_size = 8;
  CHECK_THROWS_WITH(queued(z, z, state),
                    "jessl::loss::SwAV: the state's queue is [], expected [2, 8, 4] as in the settings; let make() of "
                    "this loss make the state");
  CHECK_THROWS_AS(queued(z, z, state), jessl::ConfigError);
  SwAV three = loss;
  three.global_views = 3;
  CHECK_THROWS_WITH(three(z, z, state), "jessl::loss::SwAV: there are 2 views, expected at least global_views = 3");
  CHECK_THROWS_AS(three(z, z, state), jessl::ConfigError);
  CHECK_THROWS_WITH(loss({z}, state), "jessl::loss::SwAV: there are 1 views, expected at least 2");
  CHECK_THROWS_WITH(loss.make(0), "jessl::loss::SwAV.make: width is 0, expected >= 1");
  CHECK_THROWS_AS(loss.make(0), jessl::ConfigError);
}

TEST_CASE("SwAV: settings out of range are refused", "[loss][swav]") {
  const auto refused = [](const SwAV& loss, const std::string& message) {
    CHECK_THROWS_WITH(loss.make(4), "jessl::loss::SwAV: " + message);
    CHECK_THROWS_AS(loss.make(4), jessl::ConfigError);
  };
  refused({.temperature = 0}, "temperature is 0, expected a finite number > 0");
  refused({.epsilon = -1}, "epsilon is -1, expected a finite number > 0");
  refused({.iterations = 0}, "iterations is 0, expected an integer >= 1");
  refused({.prototypes = 1}, "prototypes is 1, expected an integer >= 2");
  refused({.global_views = 0}, "global_views is 0, expected an integer >= 1");
  refused({.freeze_epochs = -1}, "freeze_epochs is -1, expected a finite number >= 0");
  refused({.queue_size = -1}, "queue_size is -1, expected an integer >= 0");
  refused({.queue_epoch = -1}, "queue_epoch is -1, expected a finite number >= 0");
}
