// SPDX-License-Identifier: Apache-2.0
// Tests of DINO.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include <jessl/core/autocast.hpp>
#include <jessl/loss/dino.hpp>
#include <loss/reference.hpp>
#include <loss/stateful.hpp>

using jessl::loss::DINO;
using jessl::loss::DINOState;
using jessl::test::copy_of;
using jessl::test::embeddings;
using jessl::test::relative_error;

namespace {

/// A state in float64 whose teacher and centre have moved.
DINOState moved_state(const DINO& loss, std::int64_t width) {
  auto state = loss.make(width);
  state->initialise(3);
  state->to(torch::kFloat64);
  const torch::NoGradGuard no_grad;
  state->teacher_prototypes.copy_(embeddings(loss.prototypes, width, 5));
  state->centre.copy_(0.1 * embeddings(1, loss.prototypes, 6)[0]);
  return state;
}

}  // namespace

TEST_CASE("DINO: value, gradients and centre agree with the paper's formulas in float64", "[loss][dino]") {
  jessl::test::check_state_cases<DINO>("dino.json");
}

TEST_CASE("DINO: a value worked out by hand", "[loss][dino]") {
  // One image, outputs (1, 0) for view 1 and (0, 1) for view 2, of teacher and student alike; all temperatures are 1. The
  // centre (1, 0) turns the teacher's outputs to (0, 0) and (-1, 1). With L = log(1 + e): view 2 against (1/2, 1/2) costs L - 1/2,
  // and view 1 against softmax(-1, 1) = (1 - p, p), p = e^2 / (1 + e^2), costs (1 - p) (L - 1) + p L. The centre goes to half of
  // (1, 0) and half of the mean output (1/2, 1/2).
  const DINO loss{
      .temperature = 1, .warmup_temperature = 1, .teacher_temperature = 1, .centre_momentum = 0.5, .prototypes = 2};
  auto state = loss.make(2);
  {
    const torch::NoGradGuard no_grad;
    state->prototypes.copy_(torch::tensor({{0.5, 0.0}, {0.0, 4.0}}));
    state->teacher_prototypes.copy_(torch::tensor({{2.0, 0.0}, {0.0, 0.1}}));
    state->centre.copy_(torch::tensor({1.0, 0.0}));
  }
  const std::vector<torch::Tensor> views{torch::tensor({{3.0, 0.0}}), torch::tensor({{0.0, 0.2}})};
  const double l = std::log(1 + std::exp(1.0)), p = std::exp(2.0) / (1 + std::exp(2.0));
  const double expected = ((l - 0.5) + (1 - p) * (l - 1) + p * l) / 2;
  CHECK(loss(views, views, state).item<double>() == Approx(expected).epsilon(1e-6));
  CHECK(torch::allclose(state->centre, torch::tensor({0.75F, 0.25F})));
}

TEST_CASE("DINO: a step of several views", "[loss][dino]") {
  std::vector<torch::Tensor> views, targets;  // two large views and two small ones
  for (int v = 0; v < 4; ++v) views.push_back(embeddings(8, 16, v).to(torch::kFloat32).requires_grad_());
  for (int v = 0; v < 2; ++v) targets.push_back(embeddings(8, 16, v + 0.1).to(torch::kFloat32));
  // [first]
  const auto loss = jessl::loss::DINO{.prototypes = 4096};
  auto state = loss.make(/*width=*/16);  // a torch module: give its parameters to the optimizer, too
  const jessl::loss::Progress progress{.epoch = 1.5, .epochs = 100};
  state->set_progress(progress);
  torch::Tensor value = loss(views, targets, state);  // views: 4 x [8, 16], targets: 2 x [8, 16], from the teacher
  value.backward();
  // ... the optimizer's step, then
  state->follow(loss.teacher.at(progress));
  // [/first]
  CHECK(value.item<double>() > 0);
  for (const auto& view : views) CHECK(view.grad().abs().sum().item<double>() > 0);
  CHECK(state->prototypes.grad().sizes() == at::IntArrayRef{4096, 16});
}

TEST_CASE("DINO: autograd's gradient is that of finite differences, for the last layer too", "[loss][dino]") {
  const DINO loss{.prototypes = 4};
  const std::vector<torch::Tensor> targets{embeddings(3, 3, 4), embeddings(3, 3, 5)};
  CHECK(jessl::test::finite_difference_error(
            [&](const std::vector<torch::Tensor>& all) {
              auto state = moved_state(loss, 3);  // anew, since a call moves the centre
              state->prototypes = all[3];
              return loss({all[0], all[1], all[2]}, targets, state);
            },
            {embeddings(3, 3, 0), embeddings(3, 3, 1), embeddings(3, 3, 2), embeddings(4, 3, 3)}) < 1e-7);
}

TEST_CASE("DINO: with one target, its own view is compared with nothing", "[loss][dino]") {
  const DINO loss{.prototypes = 4};
  const auto a = embeddings(3, 4, 0).requires_grad_(), b = embeddings(3, 4, 1).requires_grad_();
  loss({a, b}, {embeddings(3, 4, 2)}, moved_state(loss, 4)).backward();
  CHECK(a.grad().abs().max().item<double>() == 0);
  CHECK(b.grad().abs().max().item<double>() > 0);
}

TEST_CASE("DINO: the teacher's temperature rises to its last value and stays there", "[loss][dino]") {
  const DINO loss;
  CHECK(loss.temperature_at(0) == Approx(0.04));
  CHECK(loss.temperature_at(15) == Approx(0.055));
  CHECK(loss.temperature_at(30) == Approx(0.07));
  CHECK(loss.temperature_at(99) == Approx(0.07));
  CHECK(DINO{.warmup_epochs = 0}.temperature_at(0) == Approx(0.07));

  // The state hands on what it is told; before that, the warm-up is over.
  DINO small{.prototypes = 4};
  const std::vector<torch::Tensor> views{embeddings(3, 4, 0), embeddings(3, 4, 1)};
  const auto value = [&](const DINO& settings, double epoch) {
    auto state = moved_state(settings, 4);
    if (epoch >= 0) state->set_progress({.epoch = epoch, .epochs = 100});
    return settings(views, views, state).item<double>();
  };
  CHECK(value(small, 15) == value({.warmup_temperature = 0.055, .teacher_temperature = 0.055, .prototypes = 4}, 15));
  CHECK(value(small, -1) == value(small, 30));
  CHECK(value(small, 15) != value(small, 30));
}

TEST_CASE("DINO: the last layer waits for the end of the first epoch", "[loss][dino]") {
  const DINO loss{.warmup_epochs = 0, .prototypes = 4};
  const auto a = embeddings(6, 4, 0).requires_grad_(), b = embeddings(6, 4, 1);
  auto frozen = moved_state(loss, 4), learning = moved_state(loss, 4);
  frozen->set_progress({.epoch = 0.99, .epochs = 10});
  learning->set_progress({.epoch = 1, .epochs = 10});
  const auto value = loss({a, b}, {a, b}, frozen);
  value.backward();
  CHECK(a.grad().abs().max().item<double>() > 0);
  CHECK_FALSE(frozen->prototypes.grad().defined());
  const auto after = loss({a, b}, {a, b}, learning);
  after.backward();
  CHECK(learning->prototypes.grad().defined());
  CHECK(after.item<double>() == value.item<double>());
}

TEST_CASE("DINO: the teacher's last layer follows the student's", "[loss][dino]") {
  const DINO loss{.prototypes = 4};
  auto state = moved_state(loss, 3);
  const auto before = state->teacher_prototypes.clone();
  state->follow(0.75);
  CHECK(relative_error(state->teacher_prototypes, 0.75 * before + 0.25 * state->prototypes) < 1e-14);
  state->follow(1);
  state->follow(0);
  CHECK(torch::equal(state->teacher_prototypes, state->prototypes));
}

TEST_CASE("DINO: two ranks are one process on the joint batch, centre and all", "[loss][dino]") {
  const DINO loss{.prototypes = 5};
  const auto call = [&](const auto& views, const auto& state, const auto& group) {
    return loss(views, {views[0].detach() + 0.1, views[1].detach() - 0.1}, state, group);
  };
  jessl::test::check_ranks(moved_state(loss, 4), 3, 3, call);
}

TEST_CASE("DINO: bfloat16 embeddings are those rounded, reduced in float32", "[loss][dino]") {
  const DINO loss{.prototypes = 6};
  auto state = loss.make(4), other = loss.make(4);
  for (int step = 0; step < 2; ++step) {
    std::vector<torch::Tensor> reduced, rounded;
    for (int v = 0; v < 2; ++v) {
      reduced.push_back(embeddings(4, 4, step + v).to(torch::kBFloat16));
      rounded.push_back(reduced.back().to(torch::kFloat32));
    }
    const double expected = loss(rounded, rounded, other).item<double>();
    const jessl::Autocast autocast(torch::kCPU, jessl::Precision::bfloat16);
    const auto value = loss(reduced, reduced, state);
    CHECK(value.scalar_type() == torch::kFloat32);
    CHECK(value.item<double>() == expected);
  }
  CHECK(torch::equal(state->centre, other->centre));
}

TEST_CASE("DINO: memory grows with the teacher's views, not with the student's", "[loss][dino]") {
  const DINO loss{.prototypes = 4096};
  const auto call = [&](const auto& views, const auto& state) {
    return loss(views, {views[0].detach(), views[1].detach()}, state);
  };
  const std::ptrdiff_t scores = 64 * 4096 * 4;  // of one view
  const auto few = jessl::test::peak_bytes(loss.make(8), 2, call);
  const auto many = jessl::test::peak_bytes(loss.make(8), 10, call);
  CHECK(few < 8 * scores);
  CHECK(many < few + 2 * scores);
}

TEST_CASE("DINO: the state is a function of the seed, and a clone shares nothing", "[loss][dino]") {
  const DINO loss{.prototypes = 6};
  auto one = loss.make(4), other = loss.make(4);
  CHECK(torch::equal(one->prototypes, other->prototypes));
  one->initialise(1);
  CHECK_FALSE(torch::equal(one->prototypes, other->prototypes));
  CHECK(torch::equal(one->prototypes, one->teacher_prototypes));
  const std::vector<torch::Tensor> views{embeddings(5, 4, 0), embeddings(5, 4, 1)};
  static_cast<void>(loss(views, views, other));
  other->follow(0.5);
  other->initialise(1);
  for (const auto& [name, tensor] : jessl::module_state(*one)) {
    CHECK(torch::equal(tensor, jessl::module_state(*other)[name]));
  }
  auto copy = copy_of(one);
  CHECK(torch::equal(copy->teacher_prototypes, one->teacher_prototypes));
  CHECK(copy->teacher_prototypes.data_ptr() != one->teacher_prototypes.data_ptr());
  CHECK(copy->centre.data_ptr() != one->centre.data_ptr());
  std::vector<std::string> names;
  for (const auto& entry : one->named_parameters()) names.push_back(entry.key());
  CHECK(names == std::vector<std::string>{"prototypes"});
}

TEST_CASE("DINO: what doesn't fit is refused", "[loss][dino]") {
  const DINO loss{.prototypes = 5};
  const auto state = loss.make(4);
  const auto z = torch::zeros({6, 4});
  const auto narrow = torch::zeros({6, 3});
  CHECK_THROWS_WITH(loss({narrow, narrow}, {narrow}, state),
                    "jessl::loss::DINO: views[0] is [6, 3], expected [N, D] with D = 4, for which the state was made");
  CHECK_THROWS_AS(loss({narrow, narrow}, {narrow}, state), jessl::ShapeError);
  CHECK_THROWS_WITH(DINO{}({z, z}, {z}, state),
                    "jessl::loss::DINO: the state has 5 prototypes, expected 65536 as in the settings; let make() of "
                    "this loss make the state");
  CHECK_THROWS_AS(DINO{}({z, z}, {z}, state), jessl::ConfigError);
  CHECK_THROWS_AS(loss({z, z}, {narrow}, state), jessl::ShapeError);
  CHECK_THROWS_AS(loss({z, z}, {}, state), jessl::ConfigError);
  CHECK_THROWS_AS(loss({z, z}, {z, z, z}, state), jessl::ConfigError);
  CHECK_THROWS_WITH(loss({z}, {z}, state), "jessl::loss::DINO: there are 1 views, expected at least 2");
  CHECK_THROWS_WITH(loss.make(0), "jessl::loss::DINO.make: width is 0, expected >= 1");
  CHECK_THROWS_AS(loss.make(0), jessl::ConfigError);
}

TEST_CASE("DINO: settings out of range are refused", "[loss][dino]") {
  const auto refused = [](const DINO& loss, const std::string& message) {
    CHECK_THROWS_WITH(loss.make(4), "jessl::loss::DINO: " + message);
    CHECK_THROWS_AS(loss.make(4), jessl::ConfigError);
  };
  refused({.teacher = {.momentum = 1.5}}, "teacher.momentum is 1.5, expected a number in [0, 1]");
  refused({.temperature = 0}, "temperature is 0, expected a finite number > 0");
  refused({.warmup_temperature = 0}, "warmup_temperature is 0, expected a finite number > 0");
  refused({.teacher_temperature = -1}, "teacher_temperature is -1, expected a finite number > 0");
  refused({.warmup_epochs = -1}, "warmup_epochs is -1, expected a finite number >= 0");
  refused({.centre_momentum = 2}, "centre_momentum is 2, expected a number in [0, 1]");
  refused({.prototypes = 1}, "prototypes is 1, expected an integer >= 2");
  refused({.freeze_epochs = -1}, "freeze_epochs is -1, expected a finite number >= 0");
}
