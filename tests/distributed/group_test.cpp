// SPDX-License-Identifier: Apache-2.0
// A group without other processes, and what a trainer refuses to do with several. What several compute: ranks_test.py.
#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/pooling.h>

#include <jessl/core/batch_norm.hpp>
#include <jessl/core/collectives.hpp>
#include <jessl/distributed/group.hpp>
#include <jessl/io/checkpoint.hpp>

#include "train/fixtures.hpp"

using namespace jessl;
using Catch::Contains;

namespace {

/// Two ranks of which the other one always has what this one has.
class Twins final : public Collectives {
 public:
  [[nodiscard]] std::int64_t rank() const override { return 0; }
  [[nodiscard]] std::int64_t size() const override { return 2; }
  [[nodiscard]] std::int64_t sharing_cores() const override { return 1; }
  void all_reduce(torch::Tensor& x) override { x.mul_(2); }
  [[nodiscard]] torch::Tensor all_gather(const torch::Tensor& x) override { return torch::cat({x, x}); }
  void broadcast(const std::vector<torch::Tensor>&) override {}
  [[nodiscard]] std::unique_ptr<GradientAverage> average_gradients(
      const std::vector<std::pair<std::string, torch::Tensor>>&, bool) override {
    struct Same final : GradientAverage {
      void backward(const torch::Tensor& loss) override { loss.backward(); }
    };
    return std::make_unique<Same>();
  }
  void begin_run() override {}
  void say_farewell(const std::string&) override {}
};

distributed::Group twins() { return distributed::Group(c10::make_intrusive<Twins>()); }

/// Knows no ranks.
struct AloneLoss {
  [[nodiscard]] torch::Tensor operator()(const std::vector<torch::Tensor>& views, const SingleProcess&) const {
    return (views[0] - views[1]).square().mean();
  }
};

}  // namespace

TEST_CASE("Group: without a launcher this process is alone", "[distributed][group]") {
  const auto group = distributed::Group::from_environment();
  CHECK(group.size() == 1);
  CHECK(group.is_first());
  const auto x = torch::ones({2, 3});
  CHECK(group.all_gather(x).is_same(x));
  CHECK(group.all_reduce_sum(x).is_same(x));
  CHECK(group.all_reduce_mean(x).is_same(x));
  CHECK_THROWS_WITH(distributed::Group::from_environment({.timeout = 0.0}), Contains("timeout is 0"));
}

TEST_CASE("Group: gradients are summed over the ranks", "[distributed][group]") {
  const auto group = twins();
  const auto x = torch::tensor({{1.0, 2.0}, {3.0, 5.0}}, torch::requires_grad());
  const auto all = group.all_gather(x);
  CHECK(all.size(0) == 4);
  // Both ranks' losses see this rank's rows: the first two of the four.
  (all * torch::tensor({{1.0}, {2.0}, {30.0}, {40.0}})).sum().backward();
  CHECK(torch::equal(x.grad(), torch::tensor({{2.0, 2.0}, {4.0, 4.0}})));
  x.mutable_grad() = torch::Tensor();
  const auto mean = group.all_reduce_mean(x);
  CHECK(torch::equal(mean, x));
  mean.sum().backward();
  CHECK(torch::equal(x.grad(), torch::ones({2, 2})));
}

TEST_CASE("BatchNorm2d: alone it is torch::nn's, with twins that of the batch twice", "[distributed][group]") {
  torch::manual_seed(1);
  const auto x = torch::randn({6, 3, 4, 5});
  const auto weights = torch::randn({6, 3, 4, 5});
  torch::nn::BatchNorm2d theirs(3);
  BatchNorm2d alone(3), joint(3);
  joint->join(c10::make_intrusive<Twins>());
  const auto gradient = [&](auto& norm) {
    const auto input = x.clone().requires_grad_();
    (norm->forward(input) * weights).sum().backward();
    return input.grad();
  };
  const auto expected = gradient(theirs);
  CHECK(torch::equal(gradient(alone), expected));
  CHECK(torch::equal(alone->running_var, theirs->running_var));
  // The twin's rows have the same gradient, so that the sums of both are twice those of one and the means are the same.
  CHECK(torch::allclose(gradient(joint), expected, 1e-4, 1e-5));
  CHECK(torch::allclose(joint->weight.grad(), theirs->weight.grad(), 1e-4, 1e-4));
  CHECK(torch::allclose(joint->running_mean, theirs->running_mean, 1e-5, 1e-6));
  // The unbiased variance of twice as many values.
  const double values = 6 * 4 * 5;
  const auto biased = (theirs->running_var - 0.9) / 0.1 * ((values - 1) / values);
  CHECK(torch::allclose((joint->running_var - 0.9) / 0.1, biased * (2 * values / (2 * values - 1)), 1e-4, 1e-4));
  const auto copy = std::dynamic_pointer_cast<BatchNorm2dImpl>(joint->clone());
  REQUIRE(copy);
  CHECK_FALSE(copy->ranks());  // who trains a copy does it alone
  CHECK(joint->ranks());
  joint->options.momentum(std::nullopt);
  CHECK_THROWS_WITH(joint->forward(x), Contains("no momentum"));
  CHECK_THROWS_WITH(joint->forward(x[0]), Contains("expected [N, C, H, W]"));
}

TEST_CASE("Trainer: what it refuses to do with several ranks", "[distributed][group]") {
  const fixtures::CapturedLog log;
  auto trainer = fixtures::small_trainer();
  trainer.join(twins());
  CHECK(trainer.group().size() == 2);
  FitOptions options = fixtures::small_run();
  options.batch_size = 25;
  CHECK_THROWS_WITH(trainer.check(fixtures::stripes(), options), Contains("2 ranks cannot share it equally"));
  options.batch_size = 24;
  options.micro_batch = 24;
  CHECK_THROWS_WITH(trainer.check(fixtures::stripes(), options), Contains("batch_size = 24 / 2 ranks"));

  const auto net = [] {
    return torch::nn::Sequential(torch::nn::Conv2d(1, 4, 3), torch::nn::BatchNorm2d(4), torch::nn::AdaptiveAvgPool2d(1),
                                 torch::nn::Flatten());
  };
  const auto with = [&](const auto& loss) {
    return Trainer{augment::simclr({.size = 16}), backbone::wrap({.feature_dim = 4, .network = "n"}, net),
                   projector::Identity{}, loss, optim::SGD{}};
  };
  auto foreign = with(loss::NTXent{});
  CHECK_THROWS_WITH(foreign.join(twins()), Contains("is a batch norm of torch::nn") && Contains("jessl::BatchNorm2d"));
  auto alone = Trainer{augment::simclr({.size = 16}), backbone::resnet18({.in_channels = 1, .width = 8}),
                       projector::Identity{}, AloneLoss{}, optim::SGD{}};
  CHECK_THROWS_WITH(alone.join(twins()), Contains("takes a jessl::SingleProcess alone"));
  CHECK(alone.group().size() == 1);
}

TEST_CASE("Trainer: a damaged checkpoint gives way to the one before it", "[distributed][group]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  FitOptions options = fixtures::small_run();
  const train::CheckpointEvery checkpoint{.path = folder / "c.pt", .epochs = 0, .steps = 2};
  fixtures::small_trainer().fit(fixtures::stripes(), options, checkpoint);
  const auto last = io::Checkpoint::load(folder / "c.pt"), before = io::Checkpoint::load(folder / "c.pt.before");
  CHECK(last.record["steps_taken"] == 12);
  CHECK(before.record["steps_taken"] == 10);
  std::filesystem::remove(folder / "c.pt");
  std::ofstream(folder / "c.pt") << "half of it";
  options.resume = folder / "c.pt";
  auto trainer = fixtures::small_trainer();
  trainer.fit(fixtures::stripes(), options, checkpoint);
  CHECK(log.contains("The run goes on from the checkpoint before it"));
  const auto again = io::Checkpoint::load(folder / "c.pt");
  CHECK(again.record["loss"] == last.record["loss"]);
  CHECK(fixtures::equal_states(again.group("backbone"), last.group("backbone")));
  std::ofstream(folder / "c.pt") << "half of it";
  std::ofstream(folder / "c.pt.before") << "half of it";
  CHECK_THROWS_WITH(trainer.check(fixtures::stripes(), options), Contains("c.pt.before"));
}
