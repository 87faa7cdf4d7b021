// SPDX-License-Identifier: Apache-2.0
// Fine-tuning: a copy of the network learns from labels, the head at a rate of its own.
#include <catch2/catch.hpp>

#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

#include <jessl/eval.hpp>
#include <jessl/io.hpp>

#include "train/fixtures.hpp"

using namespace jessl;
using Catch::Contains;

namespace {

train::FineTuning short_fine_tuning() {
  train::FineTuning tuning;
  tuning.min_scale = 0.5;
  tuning.optimizer.lr = 0.05;
  tuning.fit.epochs = 3;
  tuning.fit.batch_size = 24;
  tuning.fit.seed = 7;
  tuning.fit.scale_lr = false;
  tuning.fit.device = Device::cpu;
  return tuning;
}

/// A quiet run of it.
auto tuned(const auto& trainer, const train::FineTuning& tuning) {
  return tuning.run(trainer, fixtures::stripes(96), fixtures::stripes(40), CallbackArchetype{});
}

template <class Result>
bool equal_results(const Result& a, const Result& b) {
  return fixtures::equal_states(module_state(*a.backbone), module_state(*b.backbone)) &&
         torch::equal(a.weight, b.weight) && torch::equal(a.bias, b.bias) && a.top1 == b.top1;
}

}  // namespace

TEST_CASE("FineTuning: knows more than the linear probe of the same network, which stays as it is",
          "[train][fine_tuning]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  auto trainer = fixtures::small_trainer();
  trainer.fit(fixtures::stripes(96), fixtures::small_run(), CallbackArchetype{});
  const StateDict before = fixtures::copy_of(module_state(*trainer.backbone()));
  const auto all_images = fixtures::stripes(96);
  const auto test_images = fixtures::stripes(80);
  const std::string out = folder / "tuning.jsonl";

  // [first]
  train::FineTuning tuning;
  tuning.optimizer.lr = 0.05;  // of the backbone, for a batch of 256
  tuning.head_lr = 0.5;
  tuning.min_scale = 0.5;  // these images are small
  tuning.fit.epochs = 40;
  tuning.fit.batch_size = 16;
  const auto labelled = data::fraction(all_images, 0.5);
  const auto result = tuning.run(trainer, labelled, test_images, train::JSONLines{out});
  note("top-1 ", result.top1);
  // [/first]

  CHECK(fixtures::equal_states(before, module_state(*trainer.backbone())));
  CHECK_FALSE(torch::equal(before.at("conv1.weight"), result.backbone->named_parameters()["conv1.weight"]));
  CHECK(result.weight.sizes() == torch::IntArrayRef({4, 64}));
  CHECK(result.bias.sizes() == torch::IntArrayRef({4}));
  CHECK_FALSE(result.top5.has_value());

  train::LinearEvaluation linear;
  linear.optimizer.lr = 0.5;
  linear.every_layer = false;
  linear.min_scale = 0.5;
  linear.fit = tuning.fit;
  const auto probe = linear.run(trainer, labelled, test_images, CallbackArchetype{});
  INFO("fine-tuned " << result.top1 << ", linear " << probe.layers[0].top1);
  CHECK(result.top1 > probe.layers[0].top1);
  CHECK(result.top1 > 0.9);

  // Its figure is that of its classifier on its backbone's features.
  Trainer copy{trainer.augmentation(), result.backbone, projector::Identity{}, loss::NTXent{}, optim::SGD{}};
  const Embedding features = copy.embed(test_images);
  const Eigen::Map<const RowMatrix> weight(result.weight.template data_ptr<float>(), 4, 64);
  const Eigen::Map<const Eigen::RowVectorXf> bias(result.bias.template data_ptr<float>(), 4);
  RowMatrix scores = features.features * weight.transpose();
  scores.rowwise() += bias;
  CHECK(result.top1 == eval::top_k(scores, features.labels, 1));

  std::ifstream file(out);
  Json last;
  for (std::string line; std::getline(file, line);) last = Json::parse(line);
  CHECK(last["measured_by"] == "FineTuning");
  CHECK(last["values"]["test"]["representation"]["top1"] == result.top1);
  CHECK(last["protocol"]["classifier"] == "linear, trained by SGD with the whole network");
  CHECK(last["protocol"]["optimizer"]["sgd"]["lr"] == 0.05);
  CHECK(last["protocol"]["optimizer"]["head_lr"] == 0.5);
  CHECK(last["protocol"]["training_images"] == 48);
}

TEST_CASE("FineTuning: with one rate it is a trainer's run with cross-entropy", "[train][fine_tuning]") {
  const fixtures::CapturedLog log;
  auto trainer = fixtures::small_trainer();
  trainer.initialise(3);
  train::FineTuning tuning = short_fine_tuning();
  tuning.head_lr.reset();
  const auto result = tuned(trainer, tuning);

  auto net = backbone::resnet({.layers = {1, 1, 1, 1}, .width = 8, .stem = backbone::Stem::small, .in_channels = 1});
  load_module_state(*net, module_state(*trainer.backbone()), "test");
  Trainer plain{augment::compose(augment::RandomResizedCrop{.size = 16, .scale = {0.5, 1.0}},
                                 augment::RandomHorizontalFlip{}, augment::normalization(trainer.augmentation())),
                net, projector::MLP{.widths = "4", .output_bias = true}, loss::CrossEntropy{}, tuning.optimizer};
  plain.projector()->initialise(tuning.fit.seed);
  plain.keep_weights();
  plain.fit(fixtures::stripes(96), tuning.fit, CallbackArchetype{});
  CHECK(fixtures::equal_states(module_state(*plain.backbone()), module_state(*result.backbone)));
  CHECK(torch::equal(plain.projector()->named_parameters()["0.weight"], result.weight));
}

TEST_CASE("FineTuning: a head without a rate stays where it starts", "[train][fine_tuning]") {
  const fixtures::CapturedLog log;
  auto trainer = fixtures::small_trainer();
  train::FineTuning tuning = short_fine_tuning();
  tuning.head_lr = 0.0;
  const auto result = tuned(trainer, tuning);
  auto head = projector::MLP{.widths = "4", .output_bias = true}.make(64);
  head->initialise(tuning.fit.seed);
  CHECK(torch::equal(head->named_parameters()["0.weight"], result.weight));
  CHECK_FALSE(fixtures::equal_states(module_state(*trainer.backbone()), module_state(*result.backbone)));
}

TEST_CASE("FineTuning: equal seeds give equal bits, also after an interruption", "[train][fine_tuning]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  auto trainer = fixtures::small_trainer();
  trainer.initialise(2);
  train::FineTuning tuning = short_fine_tuning();
  tuning.fit.workers = 1;
  const auto whole = tuned(trainer, tuning);
  tuning.fit.workers = 3;
  CHECK(equal_results(whole, tuned(trainer, tuning)));

  const auto run = [&](std::int64_t stop) {
    return tuning.run(trainer, fixtures::stripes(96), fixtures::stripes(40),
                      train::CheckpointEvery{.path = folder / "tuning.pt", .epochs = 0, .steps = 3},
                      fixtures::StopAfter{stop});
  };
  CHECK_THROWS_WITH(run(8), Contains("stopped after step 8"));
  tuning.fit.resume = folder / "tuning.pt";
  const auto rest = run(-1);
  CHECK(rest.fit.steps == 6);
  CHECK(equal_results(whole, rest));
  tuning.fit.resume.clear();
  tuning.fit.seed = 8;
  CHECK_FALSE(equal_results(whole, tuned(trainer, tuning)));
}

TEST_CASE("FineTuning: says what is wrong before the first step", "[train][fine_tuning]") {
  const fixtures::CapturedLog log;
  const auto trainer = fixtures::small_trainer();
  const auto refused = [&](auto change) {
    train::FineTuning tuning = short_fine_tuning();
    change(tuning);
    try {
      (void)tuned(trainer, tuning);
    } catch (const ConfigError& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  CHECK_THAT(refused([](auto& s) { s.fit.epochs = 0; }), Contains("epochs is 0, expected 1 to"));
  CHECK_THAT(refused([](auto& s) { s.optimizer.lr = 0.0; }),
             Contains("FineTuning: optimizer.lr is 0, expected a finite number > 0") && Contains("LinearEvaluation"));
  CHECK_THAT(refused([](auto& s) { s.head_lr = -0.5; }), Contains("FineTuning: head_lr is -0.5"));
  CHECK_THAT(refused([](auto& s) { s.loss.smoothing = 2.0; }), Contains("smoothing is 2"));

  const data::ArrayDataset unlabelled{{.pixels = std::vector<std::uint8_t>(96 * 256), .height = 16, .width = 16}};
  CHECK_THROWS_WITH(short_fine_tuning().run(trainer, unlabelled, fixtures::stripes(), CallbackArchetype{}),
                    Contains("jessl::train::FineTuning: the training images have 0 classes"));
}

TEST_CASE("HeadRate: moves head and body by their own rates, and is restored as a whole", "[train][fine_tuning]") {
  const train::detail::HeadRate settings{.sgd = {.lr = 0.5, .momentum = 0.5}, .head_lr = 2.0};
  const auto parameters = [] {
    return optim::NamedParameters{{"backbone.weight", torch::zeros({2}).requires_grad_()},
                                  {"projector.0.bias", torch::zeros({3}).requires_grad_()}};
  };
  const auto step = [](auto& optimizer, const optim::NamedParameters& all) {
    for (const auto& [name, parameter] : all) parameter.mutable_grad() = torch::ones_like(parameter.detach());
    optimizer.step();
  };
  const auto mine = parameters();
  auto optimizer = settings.attach(mine);
  CHECK(optimizer.lr() == 0.5);
  step(optimizer, mine);
  CHECK(torch::equal(mine[0].second.detach(), torch::full({2}, -0.5)));
  CHECK(torch::equal(mine[1].second.detach(), torch::full({3}, -2.0)));
  optimizer.set_lr(0.25);  // half of both; the momentum is 1, and then 1.5
  step(optimizer, mine);
  CHECK(torch::equal(mine[0].second.detach(), torch::full({2}, -0.875)));
  CHECK(torch::equal(mine[1].second.detach(), torch::full({3}, -3.5)));

  const auto others = parameters();
  auto restored = settings.attach(others);
  restored.load_state_dict(optimizer.state_dict());
  step(restored, others);  // the momentum is 1.75
  CHECK(torch::equal(others[0].second.detach(), torch::full({2}, -0.875)));
  CHECK(torch::equal(others[1].second.detach(), torch::full({3}, -3.5)));

  StateDict state = optimizer.state_dict();
  state.erase("head/step");
  CHECK_THROWS_WITH(restored.load_state_dict(state), Contains("the state lacks \"step\""));
  state = optimizer.state_dict();
  state["momentum/elsewhere"] = torch::zeros({});
  CHECK_THROWS_WITH(restored.load_state_dict(state), Contains("which this optimizer does not know"));
}

TEST_CASE("FineTuning: its named settings are the papers'", "[train][fine_tuning]") {
  CHECK(train::FineTuning::vicreg_1_percent().head_lr == 0.08);
  CHECK(same_options(train::FineTuning::vicreg_10_percent(), train::FineTuning{}));
  CHECK(train::FineTuning::barlow_twins_1_percent().optimizer.lr == 0.002);
  CHECK_FALSE(train::FineTuning::simclr().head_lr.has_value());
  const auto settings = train::FineTuning::simclr();
  CHECK(same_options(from_json<train::FineTuning>(to_json(settings)), settings));
}
