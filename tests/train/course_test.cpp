// SPDX-License-Identifier: Apache-2.0
// Tests of what changes in the course of a run: learning rate and weight decay; and of gradients that are limited.
#include <catch2/catch.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <string>
#include <string_view>
#include <vector>

#include "train/fixtures.hpp"

using namespace jessl;
using Catch::Contains;

namespace {

/// Takes down what a run tells its optimizer, which is SGD.
struct Told {
  struct Step {
    double lr;
    double weight_decay;
  };
  struct State {
    std::vector<Step>* steps;
    optim::Attached<optim::SGD> optimizer;
    void step() {
      steps->push_back({optimizer.lr(), optimizer.weight_decay()});
      optimizer.step();
    }
    void zero_grad() { optimizer.zero_grad(); }
    void set_lr(double lr) { optimizer.set_lr(lr); }
    [[nodiscard]] double lr() const { return optimizer.lr(); }
    void set_weight_decay(double decay) { optimizer.set_weight_decay(decay); }
    [[nodiscard]] double weight_decay() const { return optimizer.weight_decay(); }
    [[nodiscard]] StateDict state_dict() const { return optimizer.state_dict(); }
    void load_state_dict(const StateDict& saved) { optimizer.load_state_dict(saved); }
  };
  static constexpr std::string_view name = "Told";

  std::vector<Step>* steps = nullptr;

  [[nodiscard]] State attach(const optim::NamedParameters& parameters) const {
    return {steps, optim::SGD{.lr = 0.1, .weight_decay = 0.04}.attach(parameters)};
  }
  [[nodiscard]] Json to_json() const { return {{"name", name}}; }
};

template <class O>
auto trainer_with(const O& optimizer) {
  return jessl::Trainer{
      augment::simclr({.size = 16, .min_scale = 0.6, .jitter = 0.25, .grayscale = 0.0, .blur = 0.0}),
      backbone::resnet({.layers = {1, 1, 1, 1}, .width = 4, .stem = backbone::Stem::small, .in_channels = 1}),
      projector::MLP{"16-8"}, loss::NTXent{.temperature = 0.2}, optimizer};
}

/// Four epochs of four steps.
FitOptions run_of_sixteen() {
  FitOptions options = fixtures::small_run();
  options.epochs = 4;
  options.scale_lr = false;
  options.warmup_epochs = 0.5;
  return options;
}

std::vector<torch::Tensor> two_views() {
  const torch::Tensor images = torch::sin(torch::arange(8 * 16 * 16, torch::kFloat)).view({8, 1, 16, 16});
  return {images, images.flip({3})};
}

double norm_of_gradients(const auto& trainer) {
  double squares = 0.0;
  for (const auto& parameters : {trainer.backbone()->parameters(), trainer.projector()->parameters()}) {
    for (const torch::Tensor& parameter : parameters)
      squares += parameter.grad().square().sum().template item<double>();
  }
  return std::sqrt(squares);
}

}  // namespace

TEST_CASE("Trainer: the learning rate falls at the epochs of lr_milestones", "[train][course]") {
  const fixtures::CapturedLog log;
  std::vector<Told::Step> steps;
  FitOptions options = run_of_sixteen();
  options.lr_milestones = {2, 3};
  trainer_with(Told{&steps}).fit(fixtures::stripes(), options, CallbackArchetype{});
  const std::vector<double> expected{0.05, 0.1,  0.1,  0.1,  0.1,   0.1,   0.1,   0.1,
                                     0.01, 0.01, 0.01, 0.01, 0.001, 0.001, 0.001, 0.001};
  REQUIRE(steps.size() == expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) CHECK(steps[i].lr == Approx(expected[i]));
}

TEST_CASE("Trainer: the weight decay goes by half a cosine to weight_decay_end, and back when the run is over",
          "[train][course]") {
  const fixtures::CapturedLog log;
  std::vector<Told::Step> steps;
  FitOptions options = run_of_sixteen();
  auto trainer = trainer_with(Told{&steps});
  trainer.fit(fixtures::stripes(), options, CallbackArchetype{});
  REQUIRE(steps.size() == 16);
  for (const Told::Step& step : steps) CHECK(step.weight_decay == 0.04);
  steps.clear();
  options.weight_decay_end = 0.4;
  trainer.fit(fixtures::stripes(), options, CallbackArchetype{});
  REQUIRE(steps.size() == 16);
  for (std::size_t i = 0; i < steps.size(); ++i)
    CHECK(steps[i].weight_decay ==
          Approx(0.4 - 0.36 * 0.5 * (1 + std::cos(std::numbers::pi * static_cast<double>(i) / 15.0))));
  trainer.step(two_views());
  CHECK(steps.back().weight_decay == 0.04);
}

TEST_CASE("Trainer: a resumed run keeps the course of learning rate and weight decay to the last bit",
          "[train][course]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  std::vector<Told::Step> steps;
  FitOptions options = run_of_sixteen();
  options.lr_milestones = {2};
  options.weight_decay_end = 0.4;
  options.max_gradient_norm = 0.5;
  const auto data = fixtures::stripes();
  trainer_with(Told{&steps}).fit(data, options, train::JSONLines{folder / "whole.jsonl"});
  const train::CheckpointEvery checkpoint{.path = folder / "checkpoint.pt", .epochs = 0, .steps = 3};
  const train::JSONLines metrics{folder / "metrics.jsonl"};
  CHECK_THROWS(trainer_with(Told{&steps}).fit(data, options, metrics, checkpoint, fixtures::StopAfter{7}));
  options.resume = checkpoint.path;
  trainer_with(Told{&steps}).fit(data, options, metrics, checkpoint);
  CHECK(fixtures::losses(metrics.path) == fixtures::losses(folder / "whole.jsonl"));
  options.resume.clear();
  options.max_gradient_norm = 0.0;
  trainer_with(Told{&steps}).fit(data, options, train::JSONLines{folder / "free.jsonl"});
  const std::vector<std::string> limited = fixtures::losses(folder / "whole.jsonl");
  const std::vector<std::string> free = fixtures::losses(folder / "free.jsonl");
  CHECK(limited.front() == free.front());  // nothing was limited before the first
  CHECK(limited != free);
  options.resume = checkpoint.path;
  options.max_gradient_norm = 0.25;
  CHECK_THROWS_WITH(trainer_with(Told{&steps}).fit(data, options, metrics, checkpoint),
                    Contains("/run/max_gradient_norm is 0.5 there and 0.25 here"));
}

TEST_CASE(
    "Trainer: gradients that are longer together than max_gradient_norm are shortened to it, shorter ones are not",
    "[train][course]") {
  const fixtures::CapturedLog log;
  std::vector<Told::Step> steps;
  auto free = trainer_with(Told{&steps}), limited = trainer_with(Told{&steps}), untouched = trainer_with(Told{&steps});
  free.step(two_views());
  const double norm = norm_of_gradients(free);
  limited.step(two_views(), {.max_gradient_norm = norm / 8});
  CHECK(norm_of_gradients(limited) == Approx(norm / 8).epsilon(1e-4));
  untouched.step(two_views(), {.max_gradient_norm = 2 * norm});
  CHECK(norm_of_gradients(untouched) == norm);
  const torch::Tensor whole = free.backbone()->parameters().front().grad();
  CHECK(torch::allclose(limited.backbone()->parameters().front().grad(), whole / 8, 1e-4, 1e-7));
}

TEST_CASE("Trainer: a course that can't be is refused before the run", "[train][course]") {
  std::vector<Told::Step> steps;
  const auto data = fixtures::stripes();
  const auto refused = [&](const auto& change, const char* message) {
    FitOptions options = run_of_sixteen();
    change(options);
    CHECK_THROWS_WITH(trainer_with(Told{&steps}).check(data, options), Contains(message));
  };
  refused(
      [](FitOptions& o) {
        o.lr_milestones = {2, 2};
      },
      "lr_milestones is [2.0,2.0], expected epochs between warmup_epochs = 0.5 and epochs = 4, each later");
  refused([](FitOptions& o) { o.lr_milestones = {4}; }, "lr_milestones is [4.0]");
  refused([](FitOptions& o) { o.lr_milestones = {0.5}; }, "expected epochs between warmup_epochs = 0.5 and epochs = 4");
  refused([](FitOptions& o) { o.lr_milestones = {1, std::nan("")}; }, "lr_milestones is");
  refused([](FitOptions& o) { o.lr_gamma = 0; }, "lr_gamma is 0, expected more than 0 and at most 1");
  refused([](FitOptions& o) { o.weight_decay_end = -1; }, "weight_decay_end is -1, expected a finite number >= 0");
  refused([](FitOptions& o) { o.max_gradient_norm = -1; }, "max_gradient_norm is -1, expected a finite number >= 0");
  FitOptions options = run_of_sixteen();
  options.weight_decay_end = 0.4;
  CHECK_THROWS_WITH(trainer_with(OptimizerArchetype{}).check(data, options),
                    Contains("the optimizer has no weight_decay that a run can change"));
  CHECK_THROWS_WITH(trainer_with(Told{&steps}).step(two_views(), {.max_gradient_norm = -1}),
                    "jessl::Trainer::step: max_gradient_norm is -1, expected a finite number >= 0, 0 being none");
}
