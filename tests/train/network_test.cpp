// SPDX-License-Identifier: Apache-2.0
// What the trainer builds around a loss: predictor, teacher, state, labels, views of several sizes, micro-batches.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <boost/hana/for_each.hpp>

#include <jessl/io.hpp>

#include "loss/evaluation.hpp"
#include "support/peak_memory.hpp"
#include "support/skip.hpp"
#include "train/fixtures.hpp"

using namespace jessl;
using Catch::Contains;

namespace {

/// What a loss was last called with.
struct Calls {
  std::vector<torch::Tensor> views, targets;
  torch::Tensor images, labels;
  loss::Progress progress;
};

/// A state with a learned parameter and a memory.
struct MemoryImpl : torch::nn::Module {
  explicit MemoryImpl(std::int64_t width, Calls* to)
      : calls(to),
        scale(register_parameter("scale", torch::ones({width}))),
        mean(register_buffer("mean", torch::zeros({width}))) {}
  void initialise(std::uint64_t seed) {
    const torch::NoGradGuard no_gradient;
    const auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
    scale.uniform_(0.5, 1.5, generator);
    mean.zero_();
  }
  void set_progress(const loss::Progress& progress) { calls->progress = progress; }
  Calls* calls;
  torch::Tensor scale, mean;
};
TORCH_MODULE(Memory);

/// Asks for everything there is: a predictor, a teacher, a state and images of its own.
struct Demanding {
  static constexpr std::string_view name = "Demanding";
  Calls* calls = nullptr;
  loss::Predictor predictor{.hidden = "8"};
  loss::Teacher teacher{.momentum = 0.5, .final_momentum = 1.0};
  torch::Tensor own = torch::zeros({1, 1, 16, 16});
  double blow_up_at = 0.0;  // epochs

  [[nodiscard]] Memory make(std::int64_t width) const { return Memory(width, calls); }
  [[nodiscard]] torch::Tensor images() const { return own; }

  template <class Group>
  [[nodiscard]] torch::Tensor operator()(const std::vector<torch::Tensor>& views,
                                         const std::vector<torch::Tensor>& targets, const torch::Tensor& images,
                                         Memory state, const Group&) const {
    calls->views = views;
    calls->targets = targets;
    calls->images = images;
    torch::Tensor loss = (images * state->scale).square().mean() + (views[0] - state->mean).square().mean();
    for (std::size_t v = 0; v < views.size(); ++v) {
      for (std::size_t t = 0; t < targets.size(); ++t) {
        if (v != t) loss = loss + (views[v] * state->scale - targets[t]).square().mean();
      }
    }
    if (blow_up_at > 0.0 && calls->progress.epoch >= blow_up_at) loss = loss * std::nan("");
    const torch::NoGradGuard no_gradient;
    state->mean.lerp_(targets[0].mean(0), 0.1);
    return loss;
  }

  [[nodiscard]] Json to_json() const { return {{"name", name}}; }
};
static_assert(Loss<Demanding> && !SupervisedLoss<Demanding>);
static_assert(PredictedLoss<Demanding> && TaughtLoss<Demanding> && StatefulLoss<Demanding> && ImagesLoss<Demanding>);

/// A head without batch norm, so that no image's embedding depends on another's.
template <class Aug, class L, class O = optim::SGD>
auto smooth_trainer(const Aug& augmentation, const L& loss, const O& optimizer = {}) {
  return Trainer{
      augmentation,
      backbone::resnet({.layers = {1, 1, 1, 1}, .width = 4, .stem = backbone::Stem::small, .in_channels = 1}),
      projector::MLP{"12-6"}, loss, optimizer};
}

auto two_small_views() {
  return augment::simclr({.size = 16, .min_scale = 0.6, .jitter = 0.25, .grayscale = 0.0, .blur = 0.0});
}

/// A user's own network without batch norm.
struct PlainNetImpl : torch::nn::Cloneable<PlainNetImpl> {
  PlainNetImpl() { reset(); }
  void reset() override {
    convolution = register_module("convolution", torch::nn::Conv2d(torch::nn::Conv2dOptions(1, 8, 3)));
  }
  [[nodiscard]] torch::Tensor forward(const torch::Tensor& images) {
    // Smooth, and not the same everywhere, so that all losses have gradients.
    return torch::tanh(convolution->forward(images)).mean({2, 3});
  }
  void initialise(std::uint64_t seed) {
    const torch::NoGradGuard no_gradient;
    const auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
    for (torch::Tensor& parameter : parameters())
      parameter.copy_(torch::empty(parameter.sizes(), torch::kFloat).normal_(0.0, 0.5, generator));
  }
  torch::nn::Conv2d convolution{nullptr};
  std::int64_t feature_dim = 8;
};
using PlainNet = backbone::Holder<PlainNetImpl>;

/// A user's own network that fills its weights by LibTorch's random functions, which go in the order of memory.
struct NormalNetImpl : torch::nn::Cloneable<NormalNetImpl> {
  NormalNetImpl() { reset(); }
  void reset() override {
    first = register_module("first", torch::nn::Conv2d(torch::nn::Conv2dOptions(1, 6, 3)));
    second = register_module("second", torch::nn::Conv2d(torch::nn::Conv2dOptions(6, 8, 3)));
  }
  [[nodiscard]] torch::Tensor forward(const torch::Tensor& images) {
    return second->forward(torch::tanh(first->forward(images))).mean({2, 3});
  }
  void initialise(std::uint64_t seed) {
    const torch::NoGradGuard no_gradient;
    const auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
    for (torch::Tensor& parameter : parameters()) parameter.normal_(0.0, 0.3, generator);
  }
  torch::nn::Conv2d first{nullptr}, second{nullptr};
  std::int64_t feature_dim = 8;
};
using NormalNet = backbone::Holder<NormalNetImpl>;

/// A network that draws, and remembers what came of it.
struct DropNetImpl : torch::nn::Cloneable<DropNetImpl> {
  DropNetImpl() { reset(); }
  void reset() override { net = register_module("net", std::make_shared<PlainNetImpl>()); }
  [[nodiscard]] torch::Tensor forward(const torch::Tensor& images) {
    const torch::Tensor output = torch::dropout(net->forward(images), 0.5, is_training());
    outputs->push_back(output.detach().clone());
    return output;
  }
  void initialise(std::uint64_t seed) { net->initialise(seed); }
  std::shared_ptr<PlainNetImpl> net;
  std::vector<torch::Tensor>* outputs = nullptr;
  std::int64_t feature_dim = 8;
};
using DropNet = backbone::Holder<DropNetImpl>;

/// Views [images, 1, side, side] of numbers that nobody made.
std::vector<torch::Tensor> noise(const std::vector<std::int64_t>& sides, std::int64_t images = 12) {
  const auto generator = at::make_generator<at::CPUGeneratorImpl>(std::uint64_t{3});
  std::vector<torch::Tensor> views;
  for (const std::int64_t side : sides)
    views.push_back(torch::empty({images, 1, side, side}, torch::kFloat64).normal_(0.0, 1.0, generator));
  return views;
}

double largest_difference(const torch::Tensor& a, const torch::Tensor& b) {
  return (a - b).abs().max().item<double>() / std::max(b.abs().max().item<double>(), 1e-300);
}

/// The same of gradients beside which there are others near 1: a bias before a batch norm has none but these' rounding.
double largest_error(const torch::Tensor& a, const torch::Tensor& b) {
  return (a - b).abs().max().item<double>() / std::max(b.abs().max().item<double>(), 1e-2);
}

}  // namespace

TEST_CASE("Trainer: a network that fills its weights in the order of memory starts from the run's seed, too",
          "[train][network]") {
  const fixtures::CapturedLog log;
  const auto start = [&](std::uint64_t seed) {
    Trainer trainer{two_small_views(), NormalNet(), projector::MLP{"5"}, loss::NTXent{}, optim::SGD{.lr = 1e-12}};
    FitOptions options = fixtures::small_run();
    options.epochs = 1;
    options.seed = seed;
    trainer.fit(fixtures::stripes(), options, CallbackArchetype{});
    return trainer.backbone()->named_parameters()["second.weight"].detach().contiguous();
  };
  const auto one = start(1);
  CHECK(torch::allclose(start(1), one));
  CHECK_FALSE(torch::allclose(start(2), one, 1e-3, 1e-3));
  CHECK_FALSE(log.contains("are kept"));
}

TEST_CASE("Trainer: a policy without a name is recorded by its type", "[train][network]") {
  const auto trainer = smooth_trainer(two_small_views(), LossArchetype{});
  CHECK(trainer.configuration()["loss"] == Json{{"type", "jessl::LossArchetype"}});
}

TEST_CASE("Trainer: hands a loss what its type asks for", "[train][network]") {
  const fixtures::CapturedLog log;
  Calls calls;
  auto trainer = smooth_trainer(two_small_views(), Demanding{.calls = &calls});
  const FitResult result = trainer.fit(fixtures::stripes(), fixtures::small_run(), CallbackArchetype{});
  CHECK(result.steps == 12);
  REQUIRE(calls.views.size() == 2);
  REQUIRE(calls.targets.size() == 2);
  CHECK(calls.views[1].sizes() == torch::IntArrayRef({24, 6}));
  CHECK(calls.targets[1].sizes() == torch::IntArrayRef({24, 6}));
  CHECK(calls.images.sizes() == torch::IntArrayRef({1, 6}));
  CHECK(calls.views[0].requires_grad());
  CHECK(calls.images.requires_grad());
  CHECK_FALSE(calls.targets[0].requires_grad());
  // The last step begins when 11 of 12 steps, of 3 epochs, are over.
  CHECK(calls.progress.epochs == 3.0);
  CHECK(calls.progress.epoch == Approx(11.0 / 4.0));
}

TEST_CASE("Trainer: the large views alone have targets", "[train][network]") {
  const fixtures::CapturedLog log;
  Calls calls;
  auto trainer = smooth_trainer(augment::swav<3>({.size = 16, .local_size = 8}), Demanding{.calls = &calls});
  FitOptions options = fixtures::small_run();
  options.epochs = 1;
  trainer.fit(fixtures::stripes(), options, CallbackArchetype{});
  CHECK(calls.views.size() == 5);
  CHECK(calls.targets.size() == 2);
}

TEST_CASE(
    "Trainer: views of one size go through the network together, as one view after the other would without batch norm",
    "[train][network]") {
  Calls calls;
  Trainer trainer{two_small_views(), PlainNet(), projector::MLP{"6"},
                  Demanding{.calls = &calls, .predictor = {.hidden = ""}, .own = torch::ones({1, 1, 16, 16})},
                  OptimizerArchetype{}};
  std::vector<torch::Tensor> views = noise({16, 16, 8, 8, 12, 8});
  for (torch::Tensor& view : views) view = view.to(torch::kFloat);
  trainer.step(views);
  const torch::NoGradGuard no_gradient;
  auto net = trainer.backbone();
  auto head = trainer.projector();
  auto predictor = trainer.predictor();
  const auto embed = [&](const torch::Tensor& images) { return head->forward(net->forward(images)); };
  REQUIRE(calls.views.size() == 6);
  for (std::size_t v = 0; v < 6; ++v) {
    INFO("view " << v);
    CHECK(largest_difference(calls.views[v], predictor->forward(embed(views[v]))) < 1e-5);
  }
  REQUIRE(calls.targets.size() == 2);
  for (std::size_t v = 0; v < 2; ++v) CHECK(largest_difference(calls.targets[v], embed(views[v])) < 1e-5);
  CHECK(largest_difference(calls.images, embed(torch::ones({1, 1, 16, 16}))) < 1e-5);
}

TEST_CASE("Trainer: the teacher starts as the student and follows it with the momentum of the step",
          "[train][network]") {
  const auto statistics = GENERATE(loss::TeacherStatistics::own, loss::TeacherStatistics::followed);
  Calls calls;
  auto trainer = smooth_trainer(two_small_views(),
                                Demanding{.calls = &calls, .teacher = {.momentum = 0.75, .statistics = statistics}});
  trainer.initialise(4);
  const auto start = fixtures::copy_of(module_state(*trainer.backbone()));
  std::vector<torch::Tensor> views = noise({16, 16});
  for (torch::Tensor& view : views) view = view.to(torch::kFloat);
  trainer.step(views);
  const auto student = fixtures::copy_of(module_state(*trainer.backbone()));
  const auto teacher = fixtures::copy_of(module_state(*trainer.teacher()));
  const auto followed = [&](const std::string& name) { return 0.75 * start.at(name) + 0.25 * student.at(name); };
  CHECK_FALSE(torch::equal(start.at("conv1.weight"), student.at("conv1.weight")));
  CHECK(largest_difference(teacher.at("conv1.weight"), followed("conv1.weight")) < 1e-6);
  if (statistics == loss::TeacherStatistics::followed) {
    CHECK(largest_difference(teacher.at("bn1.running_var"), followed("bn1.running_var")) < 1e-6);
  } else {
    // The same views through the same weights; the student saw the loss's own image besides.
    CHECK(largest_difference(teacher.at("bn1.running_var"), student.at("bn1.running_var")) < 0.05);
    CHECK_FALSE(torch::equal(teacher.at("bn1.running_var"), start.at("bn1.running_var")));
  }
}

TEST_CASE("Trainer: a run with predictor, teacher and state resumes with the same losses", "[train][network]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  Calls calls;
  const auto data = fixtures::stripes();
  const FitOptions options = fixtures::small_run();
  for (const bool constant_lr : {false, true}) {
    Demanding demanding{.calls = &calls};
    demanding.predictor.constant_lr = constant_lr;
    const auto trainer = [&](const Demanding& loss) {
      return smooth_trainer(two_small_views(), loss, optim::AdamW{.lr = 1e-2});
    };
    trainer(demanding).fit(data, options, train::JSONLines{folder / "whole"});

    const train::JSONLines metrics{folder / "resumed"};
    const train::CheckpointEvery checkpoint{.path = folder / "checkpoint.pt", .epochs = 0, .steps = 3};
    Demanding diverging = demanding;
    diverging.blow_up_at = 1.7;  // in step 8
    CHECK_THROWS_AS(trainer(diverging).fit(data, options, metrics, checkpoint), DivergenceError);
    FitOptions resume = options;
    resume.resume = folder / "checkpoint.pt";
    const FitResult rest = trainer(demanding).fit(data, resume, metrics, checkpoint);
    CHECK(rest.steps == 6);
    CHECK(fixtures::losses(folder / "resumed") == fixtures::losses(folder / "whole"));
    std::filesystem::remove(folder / "checkpoint.pt");
    std::filesystem::remove(folder / "resumed");
    std::filesystem::remove(folder / "whole");
  }
}

TEST_CASE("Trainer: a step that fails leaves the loss's memory and the teacher as they were", "[train][network]") {
  Calls calls;
  auto trainer = smooth_trainer(two_small_views(), Demanding{.calls = &calls});
  std::vector<torch::Tensor> views = noise({16, 16});
  for (torch::Tensor& view : views) view = view.to(torch::kFloat);
  trainer.step(views);
  std::vector<torch::Tensor> broken = views;
  broken[1] = broken[1] * std::nan("");
  auto undisturbed = smooth_trainer(two_small_views(), Demanding{.calls = &calls});
  undisturbed.step(views);
  const auto copies = [&] {
    StateDict copy;
    for (const auto& [name, tensor] : module_state(*trainer.teacher())) copy["teacher." + name] = tensor.clone();
    for (const auto& [name, tensor] : module_state(*trainer.backbone())) copy["student." + name] = tensor.clone();
    for (const auto& [name, tensor] : module_state(*trainer.loss_state())) copy["loss." + name] = tensor.clone();
    return copy;
  };
  const StateDict before = copies();
  CHECK_THROWS_AS(trainer.step(broken), DivergenceError);
  for (const auto& [name, tensor] : copies()) {
    INFO(name);
    CHECK(torch::equal(tensor, before.at(name)));
  }
  // The loss of a step depends on the memory and on the teacher.
  CHECK(trainer.step(views) == undisturbed.step(views));
}

TEST_CASE("Trainer: views that are not finite end a step of every loss in words, and what it keeps is put back",
          "[train][network]") {
  boost::hana::for_each(loss::All, [&](auto type) {
    using L = typename decltype(type)::type;
    INFO(L::name);
    Trainer trainer{two_small_views(), PlainNet(), projector::MLP{"5"}, test::small_loss<L>(), OptimizerArchetype{}};
    std::vector<torch::Tensor> views = noise({12, 12}, 16);  // 32 rows a step, for queues of 24
    for (torch::Tensor& view : views) view = view.to(torch::kFloat);
    trainer.step(views);
    std::vector<torch::Tensor> state, before;
    if constexpr (StatefulLoss<L>) state = test::tensors_of(trainer.loss_state());
    for (const torch::Tensor& tensor : state) before.push_back(tensor.detach().clone());
    CHECK_THROWS_AS(trainer.step({views[1], views[0] * std::nan("")}), DivergenceError);
    for (std::size_t i = 0; i < state.size(); ++i) CHECK(torch::equal(state[i], before[i]));
  });
}

TEST_CASE("Trainer: a view goes through the networks that its loss looks at alone", "[train][network]") {
  std::vector<torch::Tensor> outputs;
  DropNet net;
  net->outputs = &outputs;  // the teacher's copy writes there, too, after the student
  std::vector<torch::Tensor> views = noise({12, 12, 12});
  for (torch::Tensor& view : views) view = view.to(torch::kFloat);
  const auto images = [&](const auto& loss, std::int64_t micro_batch) {
    Trainer trainer{two_small_views(), net, projector::MLP{"5"}, loss, OptimizerArchetype{}};
    outputs.clear();
    trainer.step(views, {.micro_batch = micro_batch});
    std::vector<std::int64_t> counts;
    for (const torch::Tensor& output : outputs) counts.push_back(output.size(0));
    return counts;
  };
  using Counts = std::vector<std::int64_t>;
  const loss::MoCo both{.queue_size = 24}, one{.queue_size = 24, .symmetric = false};
  CHECK(images(both, 0) == Counts{36, 36});
  CHECK(images(one, 0) == Counts{12, 12});
  CHECK(images(one, 6) == Counts{6, 6, 6, 6, 6, 6});  // student, teacher, and the student with its graph
  CHECK(images(loss::ReSSL{.queue_size = 24}, 0) == Counts{24, 12});
}

TEST_CASE("Trainer: a step on views of which a side sees none is refused by the loss or by name", "[train][network]") {
  // The second view, the only key, is a small one, and the teacher sees large ones alone.
  std::vector<torch::Tensor> views = noise({12, 8});
  for (torch::Tensor& view : views) view = view.to(torch::kFloat);
  Trainer trainer{two_small_views(), PlainNet(), projector::MLP{"5"}, loss::MoCo{.queue_size = 24, .symmetric = false},
                  OptimizerArchetype{}};
  CHECK_THROWS_AS(trainer.step(views), ConfigError);
  CHECK_THROWS_WITH(trainer.step(views), Contains("jessl::loss::MoCo: there is a target of the first view alone"));
}

TEST_CASE("Trainer: a view that one side is spared changes neither loss nor gradient", "[train][network]") {
  // Without batch norm an image's embedding is its own: as if the loss had been called with all of them.
  const std::vector<torch::Tensor> views = noise({12, 12});
  const loss::MoCo loss{.queue_size = 24, .symmetric = false};
  Trainer trainer{two_small_views(), PlainNet(), projector::MLP{"5"}, loss, OptimizerArchetype{}};
  trainer.initialise(7);
  trainer.backbone()->to(torch::kFloat64);
  trainer.projector()->to(torch::kFloat64);
  auto queue = loss.make(5);
  queue->rows.set_data(trainer.loss_state()->rows.to(torch::kFloat64));  // before the step puts its keys in
  const double value = trainer.step(views);
  const auto weight = trainer.backbone()->named_parameters()["convolution.weight"];
  const auto gradient = weight.grad().clone();
  weight.mutable_grad().zero_();

  auto net = trainer.backbone();
  auto head = trainer.projector();
  std::vector<torch::Tensor> embedded, targets;
  for (const torch::Tensor& view : views) {
    embedded.push_back(head->forward(net->forward(view)));
    targets.push_back(embedded.back().detach());
  }
  const auto expected = loss(embedded, targets, queue);
  CHECK(value == Approx(expected.item<double>()).epsilon(1e-12));
  expected.backward();
  CHECK(largest_difference(gradient, weight.grad()) < 1e-12);
}

TEST_CASE("Trainer: a step copies of a long queue only what it replaces", "[train][network]") {
  Trainer trainer{two_small_views(), PlainNet(), projector::MLP{"16"}, loss::MoCo{.queue_size = 65536},
                  OptimizerArchetype{}};
  const std::vector<torch::Tensor> views = noise({12, 12});
  // And with it all that the trainer made: float32's convolutions take memory that PeakMemory can't give.
  trainer.backbone()->to(torch::kFloat64);
  trainer.step(views);
  const test::PeakMemory peak;
  trainer.step(views);
  CHECK(static_cast<std::size_t>(peak.bytes()) < trainer.loss_state()->rows.nbytes() / 2);
}

TEST_CASE("Trainer: a predictor's learning rate may stay where it is", "[train][network]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  Calls calls;
  FitOptions options = fixtures::small_run();
  options.epochs = 2;
  options.end_ratio = 0.01;
  // With a learning rate that falls to a hundredth after a long first half, the last steps move what has a constant one alone.
  const auto moved = [&](bool constant_lr) {
    Demanding demanding{.calls = &calls};
    demanding.predictor.constant_lr = constant_lr;
    const auto checkpoint = [&](std::int64_t steps) {
      return train::CheckpointEvery{.path = folder / (std::to_string(steps) + ".pt"), .epochs = 0, .steps = steps};
    };
    CHECK_THROWS(smooth_trainer(two_small_views(), demanding)
                     .fit(fixtures::stripes(), options, checkpoint(7), fixtures::StopAfter{8}));
    smooth_trainer(two_small_views(), demanding).fit(fixtures::stripes(), options, checkpoint(8));
    const auto difference = [&](const std::string& group, const std::string& name) {
      return (io::Checkpoint::load(folder / "7.pt").group(group).at(name) -
              io::Checkpoint::load(folder / "8.pt").group(group).at(name))
          .abs()
          .max()
          .item<double>();
    };
    const std::pair result{difference("predictor", "1.weight"), difference("projector", "1.weight")};
    std::filesystem::remove(folder / "7.pt");
    std::filesystem::remove(folder / "8.pt");
    return result;
  };
  const auto [constant_predictor, its_projector] = moved(true);
  const auto [predictor, projector] = moved(false);
  CHECK(constant_predictor > 5 * predictor);
  CHECK(its_projector < 5 * projector);
}

TEST_CASE("Trainer: trains with labels, and refuses data that have none", "[train][network]") {
  const fixtures::CapturedLog log;
  Trainer trainer{
      augment::views(two_small_views().pipeline<0>()),
      backbone::resnet({.layers = {1, 1, 1, 1}, .width = 8, .stem = backbone::Stem::small, .in_channels = 1}),
      projector::MLP{"4"}, loss::CrossEntropy{}, optim::AdamW{.lr = 1e-2}};
  const auto data = fixtures::stripes();
  FitOptions options = fixtures::small_run();
  options.epochs = 10;
  CHECK(trainer.fit(data, options, CallbackArchetype{}).loss < 0.5 * std::log(4.0));

  const data::ArrayDataset unlabelled{
      {.pixels = std::vector<std::uint8_t>(16 * 16 * 24), .height = 16, .width = 16, .labels = {}}};
  CHECK_THROWS_WITH(trainer.fit(unlabelled, options),
                    "jessl::Trainer: the loss learns from labels, and the data set has none");
  // SupCon takes either.
  smooth_trainer(two_small_views(), loss::SupCon{}).fit(unlabelled, options, CallbackArchetype{});
  smooth_trainer(two_small_views(), loss::SupCon{}).fit(data, options, CallbackArchetype{});
}

TEMPLATE_TEST_CASE("Trainer: a run resumes with the same losses, whatever the loss keeps", "[train][network]",
                   loss::BYOL, loss::MoCo, loss::SwAV, loss::DINO) {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  const auto data = fixtures::stripes();
  const FitOptions options = fixtures::small_run();
  const auto trainer = [] {
    return smooth_trainer(two_small_views(), test::small_loss<TestType>(), optim::AdamW{.lr = 1e-2});
  };
  trainer().fit(data, options, train::JSONLines{folder / "whole"});
  FitOptions part = options;
  const train::JSONLines metrics{folder / "resumed"};
  const train::CheckpointEvery checkpoint{.path = folder / "part.pt", .epochs = 0, .steps = 7};
  CHECK_THROWS_WITH(trainer().fit(data, options, metrics, checkpoint, fixtures::StopAfter{8}),
                    Contains("stopped after step 8"));
  part.resume = folder / "part.pt";
  trainer().fit(data, part, metrics, checkpoint);
  const auto whole = fixtures::losses(folder / "whole");
  CHECK(whole.size() == 12);
  CHECK(fixtures::losses(folder / "resumed") == whole);
  CHECK(whole.front() != whole.back());
}

TEST_CASE("Trainer: a run tells the terms of a loss, which add up to it, in micro-batches too", "[train][network]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  auto trainer = smooth_trainer(two_small_views(), loss::VICReg{}, optim::AdamW{.lr = 1e-2});
  FitOptions options = fixtures::small_run();
  options.epochs = 1;
  for (const std::int64_t micro_batch : {0, 8}) {
    options.micro_batch = micro_batch;
    const train::JSONLines metrics{folder / std::to_string(micro_batch)};
    trainer.fit(fixtures::stripes(), options, metrics);
    std::ifstream file(metrics.path);
    std::int64_t steps = 0;
    for (std::string line; std::getline(file, line); ++steps) {
      const Json step = Json::parse(line);
      double sum = 0.0;
      for (const char* term : {"loss/invariance", "loss/variance", "loss/covariance"}) {
        REQUIRE(step.contains(term));
        sum += step[term].get<double>();
      }
      CHECK(sum == Approx(step["loss"].get<double>()).epsilon(1e-5));
    }
    CHECK(steps == 4);
  }
}

TEST_CASE("Trainer: micro-batches give the gradient of the whole batch, for every loss", "[train][network]") {
  /// What a step leaves: its value, the gradients of all that learns, and all that a loss keeps.
  const auto step = []<class L>(const L& loss, const std::vector<torch::Tensor>& views, const StepOptions& options) {
    Trainer trainer{two_small_views(), PlainNet(), projector::MLP{"5"}, loss, OptimizerArchetype{}};
    trainer.initialise(7);
    trainer.backbone()->to(torch::kFloat64);  // and with it whatever the trainer made
    trainer.projector()->to(torch::kFloat64);
    torch::manual_seed(0);  // for losses that draw
    std::vector<torch::Tensor> left{torch::tensor(trainer.step(views, options), torch::kFloat64)};
    const auto leave = [&](const torch::nn::Module& module) {
      for (const torch::Tensor& parameter : module.parameters())
        if (parameter.grad().defined()) left.push_back(parameter.grad().clone());
      for (const torch::Tensor& buffer : module.buffers()) left.push_back(buffer.to(torch::kFloat64));
    };
    leave(*trainer.backbone());
    leave(*trainer.projector());
    if constexpr (PredictedLoss<L>) leave(*trainer.predictor());
    if constexpr (StatefulLoss<L>) leave(*trainer.loss_state());
    return left;
  };
  const auto compare = [&]<class L>(const L& loss, const std::vector<torch::Tensor>& views, StepOptions options = {}) {
    const auto whole = step(loss, views, options);
    CHECK(whole.size() >= 4);  // the value, the weight and bias of the backbone, the weight of the head
    for (const std::int64_t micro_batch : {4, 5}) {
      CAPTURE(micro_batch);
      options.micro_batch = micro_batch;
      const auto pieces = step(loss, views, options);
      REQUIRE(pieces.size() == whole.size());
      for (std::size_t i = 0; i < whole.size(); ++i) CHECK(largest_error(pieces[i], whole[i]) < 1e-10);
    }
  };
  boost::hana::for_each(loss::All, [&](auto type) {
    using L = typename decltype(type)::type;
    INFO(L::name);
    compare(test::small_loss<L>(), noise({12, 12}));
    compare(test::small_loss<L>(), noise({12, 12, 8}));  // two large views and a small one
  });
  const auto labels = torch::tensor({0, 3, 1, 1, 0, 4, 2, 3, 3, 0, 1, 2});
  compare(loss::CrossEntropy{.smoothing = 0.1}, noise({12, 12}), {.labels = labels});
  compare(loss::SupCon{}, noise({12, 12}), {.labels = labels});
  compare(loss::NTXent{}.against(loss::Fixed{.images = noise({12}, 3)[0]}), noise({12, 12}));
}

TEST_CASE("Trainer: SimCLR learns with one patch as its only negative", "[train][network]") {
  const fixtures::CapturedLog log;
  // [patch]
  torch::Tensor patch = torch::zeros({1, 1, 16, 16});  // [1, C, H, W]: grey, but for a white square in a corner
  patch.narrow(2, 0, 6).narrow(3, 0, 6).fill_(1.0);
  const auto loss = loss::NTXent{.temperature = 0.5}.against(loss::Fixed{.images = patch});
  // [/patch]
  auto trainer = smooth_trainer(two_small_views(), loss, optim::AdamW{.lr = 3e-3});
  const fixtures::TemporaryFolder folder;
  FitOptions options = fixtures::small_run();
  options.epochs = 10;
  trainer.fit(fixtures::stripes(), options, train::JSONLines{folder / "metrics"});
  std::vector<double> losses;
  for (const std::string& text : fixtures::losses(folder / "metrics")) losses.push_back(std::stod(text));
  REQUIRE(losses.size() == 40);
  const auto mean = [&](std::size_t from) { return (losses[from] + losses[from + 1] + losses[from + 2]) / 3; };
  CHECK(mean(37) < 0.8 * mean(0));
  CHECK(trainer.configuration()["loss"]["negatives"]["shape"] == Json({1, 1, 16, 16}));
}

TEST_CASE("Trainer: micro-batches move running statistics once for each part, and the loss's memory once",
          "[train][network]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  Calls calls;
  FitOptions options = fixtures::small_run();
  options.epochs = 1;
  options.micro_batch = 8;
  auto trainer = smooth_trainer(two_small_views(), Demanding{.calls = &calls});
  const FitResult result = trainer.fit(fixtures::stripes(), options, train::CheckpointEvery{folder / "checkpoint.pt"});
  CHECK(result.steps == 4);
  CHECK(calls.views[0].size(0) == 24);
  CHECK(calls.targets[0].size(0) == 24);
  const auto checkpoint = io::Checkpoint::load(folder / "checkpoint.pt");
  CHECK(checkpoint.group("backbone").at("bn1.num_batches_tracked").item<std::int64_t>() == 12);
  CHECK(checkpoint.group("teacher_backbone").at("bn1.num_batches_tracked").item<std::int64_t>() == 12);
  CHECK(checkpoint.record["configuration"]["run"]["micro_batch"] == 8);

  options.micro_batch = 5;
  CHECK_THROWS_WITH(
      trainer.check(fixtures::stripes(), options),
      "jessl::Trainer: micro_batch is 5, expected 0 (the whole batch), or at least 2 images and a divisor of "
      "batch_size = 24");
}

TEST_CASE("Trainer: a network that draws draws the same in both passes of micro-batches", "[train][network]") {
  const bool taught = GENERATE(false, true);
  std::vector<torch::Tensor> outputs;
  DropNet net;
  net->outputs = &outputs;
  const auto step = [&](const auto& loss) {
    Trainer trainer{two_small_views(), net, projector::MLP{"5"}, loss, OptimizerArchetype{}};
    std::vector<torch::Tensor> views = noise({12, 12});
    for (torch::Tensor& view : views) view = view.to(torch::kFloat);
    trainer.step(views, {.micro_batch = 4});
  };
  Calls calls;
  if (taught) {
    step(Demanding{.calls = &calls, .own = torch::zeros({1, 1, 12, 12})});
  } else {
    step(loss::NTXent{});
  }
  const std::size_t parts = 3;
  REQUIRE(outputs.size() == (taught ? 3 : 2) * parts);
  for (std::size_t part = 0; part < parts; ++part) {
    const torch::Tensor& again = outputs[outputs.size() - parts + part];
    CHECK(torch::equal(outputs[part] == 0, again == 0));
    CHECK(largest_difference(outputs[part], again) < 1e-5);
    if (part > 0) CHECK_FALSE(torch::equal(outputs[part] == 0, outputs[0].narrow(0, 0, outputs[part].size(0)) == 0));
  }
}

TEST_CASE("Trainer: says before a run that a loss can't work with its batches, and what to change",
          "[train][network]") {
  const fixtures::CapturedLog log;
  const auto large = two_small_views().pipeline<0>();
  const auto small = augment::simclr({.size = 8, .grayscale = 0.0, .blur = 0.0}).pipeline<0>();
  const auto check = [](const auto& augmentation, const auto& loss) {
    smooth_trainer(augmentation, loss).check(fixtures::stripes(), fixtures::small_run());
  };
  const auto one_large = augment::multi_crop<1, 2>(large, small);
  const loss::SwAV assigned{.prototypes = 7};
  CHECK_THROWS_AS(check(one_large, assigned), ConfigError);
  CHECK_THROWS_WITH(
      check(one_large, assigned),
      "jessl::loss::SwAV: global_views is 2, but the first view and those of its size after it are 1 of 3; "
      "set global_views = 1, or let the augmentation begin with more large views");
  CHECK_THROWS_WITH(check(two_small_views(), loss::SwAV{.prototypes = 7, .global_views = 3}),
                    Contains("global_views is 3") && Contains("are 2 of 2; set global_views = 2"));
  CHECK_NOTHROW(check(one_large, loss::SwAV{.prototypes = 7, .global_views = 1}));
  CHECK_NOTHROW(check(augment::multi_crop<2, 1>(large, small), assigned));

  const loss::MoCo directed{.queue_size = 8, .symmetric = false};
  CHECK_THROWS_AS(check(one_large, directed), ConfigError);
  CHECK_THROWS_WITH(check(one_large, directed), Contains("jessl::loss::MoCo: symmetric is false") &&
                                                    Contains("set symmetric = true, or let the augmentation begin"));
  CHECK_NOTHROW(check(two_small_views(), directed));
  CHECK_NOTHROW(check(one_large, loss::MoCo{.queue_size = 8}));

  // Three epochs.
  CHECK_THROWS_AS(check(two_small_views(), loss::SwAV{.prototypes = 7, .freeze_epochs = 3}), ConfigError);
  CHECK_THROWS_WITH(
      check(two_small_views(), loss::SwAV{.prototypes = 7, .freeze_epochs = 3}),
      "jessl::loss::SwAV: freeze_epochs is 3 and the run has 3 epochs, so that the prototypes would never "
      "learn; set freeze_epochs below that, 0 for a short run");
  CHECK_THROWS_WITH(check(two_small_views(), loss::DINO{.prototypes = 7, .freeze_epochs = 4}),
                    Contains("jessl::loss::DINO: freeze_epochs is 4 and the run has 3 epochs"));
  CHECK_NOTHROW(check(two_small_views(), loss::DINO{.prototypes = 7, .freeze_epochs = 2}));
  CHECK_NOTHROW(
      check(two_small_views(), loss::DINO{.prototypes = 7, .freeze_epochs = 2.75}));  // for the last of 4 steps
  CHECK_THROWS_AS(check(two_small_views(), loss::DINO{.prototypes = 7, .freeze_epochs = 2.76}), ConfigError);
  CHECK_THROWS_WITH(check(two_small_views(), loss::SwAV{.prototypes = 7, .queue_size = 8}),
                    Contains("queue_epoch is 15 and the run has 3 epochs, so that the queue would never be used"));

  // 24 images are cut into two sub-batches of 12, or four of 6; embeddings are 6 wide.
  CHECK_NOTHROW(check(two_small_views(), loss::WMSE{.sub_batch = 12}));
  CHECK_THROWS_AS(check(two_small_views(), loss::WMSE{.sub_batch = 6}), ConfigError);
  CHECK_THROWS_WITH(
      check(two_small_views(), loss::WMSE{.sub_batch = 6}),
      "jessl::loss::WMSE: sub_batch is 6 and a batch 24 images, so that 6 are whitened together, expected more "
      "than the 6 dimensions of the embeddings; take a larger sub_batch or batch, or let the projector end in "
      "fewer");

  Trainer scores{two_small_views(), PlainNet(), projector::MLP{"3"}, loss::CrossEntropy{}, OptimizerArchetype{}};
  CHECK_THROWS_WITH(
      scores.check(fixtures::stripes(), fixtures::small_run()),
      "jessl::loss::CrossEntropy: the data have 4 classes, but the embedding, a score for each, is only 3 wide; "
      "let the projector end in 4");
}

TEST_CASE("Trainer: views that are not of the same images are refused", "[train][network]") {
  auto trainer = smooth_trainer(two_small_views(), loss::NTXent{});
  CHECK_THROWS_WITH(trainer.step({torch::zeros({4, 1, 16, 16}), torch::zeros({5, 1, 16, 16})}),
                    "jessl::Trainer::step: views[1] is [5, 1, 16, 16], expected as many images as views[0], 4");
  CHECK_THROWS_AS(trainer.step({torch::zeros({4, 1, 16, 16}), torch::zeros({4, 1, 16, 16})}, {.micro_batch = -1}),
                  ConfigError);
}

TEST_CASE("Trainer: a backbone whose copies are of another class has no teacher", "[train][network]") {
  struct DerivedImpl : PlainNetImpl {};
  CHECK_THROWS_WITH((Trainer{two_small_views(), backbone::Holder<DerivedImpl>(), projector::MLP{"5"}, loss::BYOL{},
                             OptimizerArchetype{}}),
                    Contains("clone() makes another class than the backbone's"));
}

TEST_CASE("Trainer: other weights get another teacher", "[train][network]") {
  Calls calls;
  auto trainer = smooth_trainer(two_small_views(), Demanding{.calls = &calls});
  std::vector<torch::Tensor> views = noise({16, 16});
  for (torch::Tensor& view : views) view = view.to(torch::kFloat);
  trainer.step(views);
  trainer.initialise(3);
  CHECK(torch::equal(trainer.teacher()->named_parameters()["conv1.weight"],
                     trainer.backbone()->named_parameters()["conv1.weight"]));
}

TEST_CASE("Predictor: a text that is no widths is refused", "[train][network]") {
  for (const auto* const good : {"", "8", "4096-4096"}) CHECK_NOTHROW(loss::Predictor{.hidden = good}.check("BYOL"));
  for (const auto* const bad : {"x", "8-", "-8", "8--8", "0", "08"})
    CHECK_THROWS_AS(loss::Predictor{.hidden = bad}.check("BYOL"), ConfigError);
  CHECK_THROWS_WITH(loss::Predictor{.hidden = "x"}.check("BYOL"),
                    Contains("jessl::loss::BYOL: predictor.hidden is \"x\""));
}

TEST_CASE("Trainer: losses with predictor, teacher and state train on a GPU", "[train][network][cuda][outside]") {
  if (!torch::cuda::is_available()) {
    JESSL_SKIP("there is no CUDA device here");
    return;
  }
  const fixtures::CapturedLog log;
  FitOptions options = fixtures::small_run();
  const auto run = [&](const auto& loss) {
    const auto loss_of_last_step = [&](Device device) {
      options.device = device;
      return smooth_trainer(two_small_views(), loss).fit(fixtures::stripes(), options, CallbackArchetype{}).loss;
    };
    CHECK(loss_of_last_step(Device::cuda) == Approx(loss_of_last_step(Device::cpu)).epsilon(0.02));
  };
  run(test::small_loss<loss::BYOL>());
  run(test::small_loss<loss::MoCo>());
  run(test::small_loss<loss::SwAV>());
  run(test::small_loss<loss::DINO>());
}

TEST_CASE("Trainer: steps of one's own after a run are those of before it: the optimizer's learning rate, no autocast",
          "[train][network]") {
  const fixtures::CapturedLog log;
  auto trainer = smooth_trainer(two_small_views(), loss::NTXent{}, optim::SGD{.lr = 0.1, .momentum = 0.0});
  FitOptions options = fixtures::small_run();
  options.precision = Precision::bfloat16;
  options.end_ratio = 0.0;  // the schedule ends at a learning rate of 0
  trainer.fit(fixtures::stripes(), options, CallbackArchetype{});
  const auto weight = trainer.backbone()->parameters().front();
  const auto before = weight.detach().clone();
  std::vector<torch::Tensor> views = noise({16, 16});
  for (torch::Tensor& view : views) view = view.to(torch::kFloat);
  trainer.step(views);
  CHECK(largest_difference(weight.detach(), before - 0.1 * weight.grad()) < 1e-6);

  /// Sees in which type it is called.
  struct Typed {
    torch::ScalarType* type;
    [[nodiscard]] torch::Tensor operator()(const std::vector<torch::Tensor>& views, const SingleProcess&) const {
      *type = views[0].scalar_type();
      return (views[0] - views[1]).square().mean().to(torch::kFloat32);
    }
  };
  torch::ScalarType type{};
  auto typed = smooth_trainer(two_small_views(), Typed{&type});
  typed.fit(fixtures::stripes(), options, CallbackArchetype{});
  CHECK(type == torch::kBFloat16);
  typed.step(views);
  CHECK(type == torch::kFloat32);
}

TEST_CASE("Trainer: images of the loss that are no views are refused", "[train][network]") {
  const fixtures::CapturedLog log;
  Calls calls;
  auto trainer = smooth_trainer(two_small_views(), Demanding{.calls = &calls, .own = torch::zeros({1, 3, 16, 16})});
  CHECK_THROWS_AS(trainer.fit(fixtures::stripes(), fixtures::small_run(), CallbackArchetype{}), ShapeError);
}
