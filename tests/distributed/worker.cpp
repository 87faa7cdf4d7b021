// SPDX-License-Identifier: Apache-2.0
// One of the processes that tests/distributed/*.py start.
//
//   worker math <small|narrow64|narrow32|resnet32> <steps> <file>   steps of seven methods on shares of joint batches; rank 0 writes their losses and weights
//   worker overlap <file>                       what a step takes without averaged gradients, averaged after and beside the backward pass
//   worker run <folder> name=value...           a run that goes on from its checkpoint, where there is one
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <jessl/backbone.hpp>
#include <jessl/core/batch_norm.hpp>
#include <jessl/distributed.hpp>
#include <jessl/loss.hpp>
#include <jessl/optim.hpp>
#include <jessl/projector.hpp>
#include <jessl/train.hpp>

#include "train/fixtures.hpp"

namespace {

using namespace jessl;

constexpr std::int64_t joint_batch = 32;
constexpr std::int64_t side = 8;

/// One type for all networks, so that each method is compiled once: a convolution with a batch norm, or ResNet-18 of a width.
struct NetImpl : torch::nn::Cloneable<NetImpl> {
  explicit NetImpl(std::int64_t width) : width_(width), feature_dim(width > 0 ? 8 * width : 12) { reset(); }

  void reset() override {
    if (width_ > 0) {
      resnet_ = register_module("resnet",
                                backbone::resnet18({.stem = backbone::Stem::small, .in_channels = 1, .width = width_}));
    } else {
      convolution_ = register_module("convolution", torch::nn::Conv2d(torch::nn::Conv2dOptions(1, feature_dim, 3)));
      norm_ = register_module("norm", BatchNorm2d(feature_dim));
    }
    initialise(0);
  }

  [[nodiscard]] torch::Tensor forward(const torch::Tensor& images) {
    return width_ > 0 ? resnet_->forward(images) : norm_->forward(convolution_->forward(images)).tanh().mean({2, 3});
  }

  void initialise(std::uint64_t seed) {
    if (width_ > 0) return resnet_->initialise(seed);
    const torch::NoGradGuard no_gradient;
    auto generator = at::detail::createCPUGenerator(seed);
    for (torch::Tensor weight : convolution_->parameters()) weight.copy_(torch::randn(weight.sizes(), generator) * 0.3);
    norm_->reset_parameters();
  }

 private:
  std::int64_t width_;  // 0: no ResNet
  backbone::ResNet resnet_{nullptr};
  torch::nn::Conv2d convolution_{nullptr};
  BatchNorm2d norm_{nullptr};

 public:
  std::int64_t feature_dim;
};
using Net = backbone::Holder<NetImpl>;

/// Images [joint_batch, 1, side, side] of waves, each with a direction, a length and a phase of its own: features of them differ, where
/// those of noise are so alike that batch norms make rounding errors large.
torch::Tensor stripes(const at::Generator& generator) {
  const auto draw = [&](double low, double high) {
    return torch::empty({joint_batch, 1, 1, 1}, torch::kFloat64).uniform_(low, high, generator);
  };
  const auto x = torch::arange(side, torch::kFloat64).view({1, 1, 1, side});
  const auto y = torch::arange(side, torch::kFloat64).view({1, 1, side, 1});
  return (draw(-1.5, 1.5) * x + draw(-1.5, 1.5) * y + draw(0, 6)).sin();
}

/// What takes the steps.
struct Task {
  std::int64_t width = 0;  ///< of ResNet-18; 0: a convolution with a batch norm
  torch::ScalarType type = torch::kFloat64;
  double lr = 0.3;
  std::int64_t steps = 0;
};

/// Takes some steps of a method; its losses and, at the end, its weights and running statistics.
template <class L>
Json steps_of(const L& loss, const projector::MLP& head, const Task& task, const distributed::Group& group) {
  Trainer trainer{augment::simclr({.size = side}), Net(task.width), head, loss,
                  optim::LARS{.lr = task.lr, .weight_decay = 1e-4}};
  trainer.initialise(7);
  // Rank 0's are to be everybody's.
  if (!group.is_first()) trainer.initialise(8);
  trainer.backbone()->to(task.type);
  trainer.join(group);
  const auto modules = {std::static_pointer_cast<torch::nn::Module>(trainer.backbone().ptr()),
                        std::static_pointer_cast<torch::nn::Module>(trainer.projector().ptr())};
  const auto add = [](Json& document, const std::string& name, const torch::Tensor& tensor) {
    const auto values = tensor.detach().to(torch::kFloat64).reshape({-1}).contiguous();
    Json& list = document[name] = Json::array();
    const std::int64_t most = 200;  // of each, evenly
    const std::int64_t stride = std::max<std::int64_t>(1, values.numel() / most);
    for (std::int64_t i = 0; i < values.numel(); i += stride) list.push_back(values[i].item<double>());
  };
  auto generator = at::detail::createCPUGenerator(3);
  std::vector<double> losses;
  Json gradients = Json::object();  // of the first step
  const std::int64_t share = joint_batch / group.size();
  for (std::int64_t step = 0; step < task.steps; ++step) {
    std::vector<torch::Tensor> views;
    const auto images = stripes(generator);
    for (int view = 0; view < 2; ++view) {
      const auto noise = torch::randn(images.sizes(), generator, torch::kFloat64);
      views.push_back((images + 0.1 * noise).to(task.type).narrow(0, group.rank() * share, share));
    }
    losses.push_back(trainer.step(
        views, {.progress = loss::Progress{.epoch = 1.0 + static_cast<double>(step) / 10, .epochs = 10.0}}));
    if (step > 0) continue;
    for (const auto& module : modules) {
      for (const auto& entry : module->named_parameters()) {
        if (entry.value().grad().defined()) add(gradients, module->name() + '.' + entry.key(), entry.value().grad());
      }
    }
  }
  Json weights = Json::object();
  for (const auto& module : modules) {
    for (const auto& entry : module->named_parameters())
      add(weights, module->name() + '.' + entry.key(), entry.value());
    for (const auto& entry : module->named_buffers()) add(weights, module->name() + '.' + entry.key(), entry.value());
  }
  return {{"losses", losses}, {"gradients", gradients}, {"weights", weights}};
}

void take_steps(const std::string& network, std::int64_t steps, const std::string& file) {
  torch::set_num_threads(1);
  train::detail::keep_freed_memory();  // half of the time would go into its pages
  const auto group = distributed::Group::from_environment({.backend = distributed::Backend::gloo, .timeout = 60});
  Task task{.steps = steps};
  if (network.starts_with("narrow")) task.width = 16;
  if (network.starts_with("resnet")) task.width = 64;
  if (network.ends_with("32")) {
    task.type = torch::kFloat32;
    // In float32 a network with ReLU forks at once: where rounding moves a value over 0, its gradient comes or goes, and with larger steps two
    // runs are as far apart after twenty as any two. So it is with one process and other kernels, too.
    task.lr = 2e-5;
  }
  const projector::MLP head{.widths = "24-8"};
  const projector::MLP linear{.widths = "24-8", .hidden_norm = false, .output_bias = true};
  Json document;
  document["SimCLR"] = steps_of(loss::NTXent{}, head, task, group);
  document["VICReg"] = steps_of(loss::VICReg{}, head, task, group);
  document["BarlowTwins"] = steps_of(loss::BarlowTwins{}, head, task, group);
  document["BYOL"] = steps_of(loss::BYOL{}, head, task, group);
  document["SwAV"] = steps_of(loss::SwAV{.prototypes = 12, .queue_size = 40, .queue_epoch = 1.5}, linear, task, group);
  document["MoCo"] = steps_of(loss::MoCo{.queue_size = 48}, linear, task, group);
  document["DINO"] = steps_of(loss::DINO{.warmup_epochs = 0.0, .prototypes = 12}, linear, task, group);
  if (group.is_first()) std::ofstream(file) << document << '\n';
}

/// How gradients are averaged.
enum class Average { never, after, beside };

/// The ranks of a group, with gradients that are averaged otherwise.
class WithAverage final : public Collectives {
 public:
  WithAverage(CollectivesPtr ranks, Average average) : ranks_(std::move(ranks)), average_(average) {}
  [[nodiscard]] std::int64_t rank() const override { return ranks_->rank(); }
  [[nodiscard]] std::int64_t size() const override { return ranks_->size(); }
  [[nodiscard]] std::int64_t sharing_cores() const override { return ranks_->sharing_cores(); }
  void all_reduce(torch::Tensor& x) override { ranks_->all_reduce(x); }
  [[nodiscard]] torch::Tensor all_gather(const torch::Tensor& x) override { return ranks_->all_gather(x); }
  void broadcast(const std::vector<torch::Tensor>& tensors) override { ranks_->broadcast(tensors); }
  void begin_run() override { ranks_->begin_run(); }
  void say_farewell(const std::string& why) override { ranks_->say_farewell(why); }

  [[nodiscard]] std::unique_ptr<GradientAverage> average_gradients(
      const std::vector<std::pair<std::string, torch::Tensor>>& parameters, bool may_miss) override {
    if (average_ == Average::beside) return ranks_->average_gradients(parameters, may_miss);
    struct Plain final : GradientAverage {
      explicit Plain(CollectivesPtr group) : ranks(std::move(group)) {}
      void backward(const torch::Tensor& loss) override {
        loss.backward();
        if (!ranks) return;
        std::vector<torch::Tensor> flat;
        for (const torch::Tensor& parameter : parameters) flat.push_back(parameter.grad().reshape({-1}));
        torch::Tensor all = torch::cat(flat).div_(static_cast<double>(ranks->size()));
        ranks->all_reduce(all);
        std::int64_t begin = 0;
        for (const torch::Tensor& parameter : parameters) {
          parameter.grad().copy_(all.narrow(0, begin, parameter.numel()).view_as(parameter));
          begin += parameter.numel();
        }
      }
      CollectivesPtr ranks;  // null: not averaged
      std::vector<torch::Tensor> parameters{};
    };
    auto plain = std::make_unique<Plain>(average_ == Average::after ? ranks_ : CollectivesPtr());
    for (const auto& [name, parameter] : parameters) plain->parameters.push_back(parameter);
    return plain;
  }

 private:
  CollectivesPtr ranks_;
  Average average_;
};

void time_averages(const std::string& file) {
  torch::set_num_threads(1);
  train::detail::keep_freed_memory();
  const auto group = distributed::Group::from_environment({.backend = distributed::Backend::gloo, .timeout = 60});
  constexpr std::int64_t images = 24, extent = 32, rounds = 7;
  std::vector<std::unique_ptr<std::function<void()>>> steps;
  Json document = Json::object();
  const std::vector<std::pair<std::string, Average>> ways{
      {"never", Average::never}, {"after", Average::after}, {"beside", Average::beside}};
  for (const auto& [name, average] : ways) {
    auto trainer =
        std::make_shared<Trainer<decltype(augment::simclr({})), Net, projector::MLP, loss::NTXent, optim::LARS>>(
            augment::simclr({.size = extent}), Net(std::int64_t{64}), projector::MLP{"256-64"}, loss::NTXent{},
            optim::LARS{});
    trainer->initialise(1);
    trainer->join(distributed::Group(c10::make_intrusive<WithAverage>(group.ranks(), average)));
    const auto view = torch::randn({images, 1, extent, extent});
    steps.push_back(std::make_unique<std::function<void()>>([trainer, view] {
      (void)trainer->step({view, view + 0.1});
    }));
  }
  for (std::int64_t round = 0; round < rounds; ++round) {  // in turn, so that the machine's moods fall on all alike
    for (std::size_t way = 0; way < ways.size(); ++way) {
      (void)group.all_reduce_sum(torch::zeros({1}));
      const auto begin = std::chrono::steady_clock::now();
      (*steps[way])();
      const double seconds = train::detail::seconds_since(begin);
      if (round > 0) document[ways[way].first].push_back(seconds);
    }
  }
  if (group.is_first()) std::ofstream(file) << document << '\n';
}

/// Makes steps slow enough to be disturbed, and may disturb the run itself.
struct Disturbance {
  std::int64_t milliseconds = 0;
  std::int64_t step = 0;   ///< after which this process is killed, where `once` is not there yet
  std::int64_t fault = 0;  ///< the step after which it ends with an error
  std::filesystem::path once{};
};

struct Disturb {
  Disturbance settings{};
  struct State {
    Disturbance settings;
    void after_step(const train::StepRecord& record) const {
      std::this_thread::sleep_for(std::chrono::milliseconds(settings.milliseconds));
      if (record.step == settings.fault) fail<Error>("a fault of its own");
      if (record.step != settings.step || std::filesystem::exists(settings.once)) return;
      std::ofstream(settings.once) << record.step;
      (void)std::raise(SIGKILL);
    }
  };
  [[nodiscard]] State start(const train::Run&) const { return {settings}; }
};

void train_in(const std::filesystem::path& folder, const std::vector<std::string>& settings) {
  std::int64_t epochs = 3, batch = 24, micro = 0, wait = 0, die = 0, fault = 0, every = 1, unused = 0, threads = 1;
  double timeout = 20;
  for (const std::string& setting : settings) {
    const std::size_t equals = setting.find('=');
    const std::string name = setting.substr(0, equals);
    const double value = std::stod(setting.substr(equals + 1));
    if (name == "epochs") epochs = static_cast<std::int64_t>(value);
    if (name == "batch") batch = static_cast<std::int64_t>(value);
    if (name == "micro") micro = static_cast<std::int64_t>(value);
    if (name == "wait") wait = static_cast<std::int64_t>(value);
    if (name == "die") die = static_cast<std::int64_t>(value);
    if (name == "fail") fault = static_cast<std::int64_t>(value);
    if (name == "every") every = static_cast<std::int64_t>(value);
    if (name == "unused") unused = static_cast<std::int64_t>(value);
    if (name == "threads") threads = static_cast<std::int64_t>(value);
    if (name == "timeout") timeout = value;
  }
  const auto group = distributed::Group::from_environment({.backend = distributed::Backend::gloo, .timeout = timeout});
  auto trainer = fixtures::small_trainer();
  if (unused > 0) trainer.backbone()->register_parameter("never_used", torch::ones({unused}));
  trainer.join(group);
  const std::filesystem::path checkpoint = folder / "checkpoint.pt";
  FitOptions options = fixtures::small_run();
  options.epochs = epochs;
  options.batch_size = batch;
  options.micro_batch = micro;
  options.threads = threads;
  if (std::filesystem::exists(checkpoint)) options.resume = checkpoint.string();
  trainer.fit(fixtures::stripes(), options, train::JSONLines{(folder / "metrics.jsonl").string()}, train::OnlineProbe{},
              Disturb{{wait, die, fault, folder / "died"}},
              train::CheckpointEvery{.path = checkpoint.string(), .epochs = 0, .steps = every});
}

}  // namespace

int main(int argc, char** argv) try {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() == 4 && arguments[0] == "math") {
    take_steps(arguments[1], std::stoll(arguments[2]), arguments[3]);
  } else if (arguments.size() == 2 && arguments[0] == "overlap") {
    time_averages(arguments[1]);
  } else if (arguments.size() >= 2 && arguments[0] == "run") {
    train_in(arguments[1], {arguments.begin() + 2, arguments.end()});
  } else {
    throw std::runtime_error("the head of this program's source says what it takes");
  }
  return EXIT_SUCCESS;
} catch (const std::exception& error) {
  std::cerr << error.what() << '\n';
  return EXIT_FAILURE;
}
