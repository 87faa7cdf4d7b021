// SPDX-License-Identifier: Apache-2.0
// Tests of what a loss may ask for, and of the call that gives it that.
#include <cstdint>
#include <memory>
#include <vector>

#include <catch2/catch.hpp>

#include <jessl/loss/concept.hpp>

namespace {

/// Counts the calls of the loss that made it.
class CallsImpl : public torch::nn::Module {
 public:
  CallsImpl() : count(register_buffer("count", torch::zeros({}))) {}
  void initialise(std::uint64_t) { count.zero_(); }
  torch::Tensor count;
};
TORCH_MODULE(Calls);

/// Asks for all there is, with labels where there are some; its value tells which arguments it was given.
struct Demanding {
  jessl::loss::Predictor predictor{};
  jessl::loss::Teacher teacher{};
  [[nodiscard]] Calls make(std::int64_t) const { return Calls(std::make_shared<CallsImpl>()); }
  [[nodiscard]] torch::Tensor images() const { return torch::zeros({1, 3, 8, 8}); }

  template <class Group>
  [[nodiscard]] torch::Tensor operator()(const std::vector<torch::Tensor>& views,
                                         const std::vector<torch::Tensor>& targets, const torch::Tensor& images,
                                         Calls state, const Group&) const {
    state->count.add_(1);
    return views.at(0).sum() + 10 * targets.at(0).sum() + 100 * images.sum();
  }
  template <class Group>
  [[nodiscard]] torch::Tensor operator()(const std::vector<torch::Tensor>& views,
                                         const std::vector<torch::Tensor>& targets, const torch::Tensor& images,
                                         Calls state, const torch::Tensor& labels, const Group& group) const {
    return (*this)(views, targets, images, state, group) + 1000 * labels.sum();
  }
};

/// Can't do without labels.
struct Taught {
  template <class Group>
  [[nodiscard]] torch::Tensor operator()(const std::vector<torch::Tensor>& views, const torch::Tensor& labels,
                                         const Group&) const {
    return views.at(0).sum() + labels.sum();
  }
};

}  // namespace

TEST_CASE("jessl::Loss: what a loss asks for is read from what it has", "[loss][concept]") {
  STATIC_REQUIRE(jessl::PredictedLoss<Demanding>);
  STATIC_REQUIRE(jessl::TaughtLoss<Demanding>);
  STATIC_REQUIRE(jessl::StatefulLoss<Demanding>);
  STATIC_REQUIRE(jessl::ImagesLoss<Demanding>);
  STATIC_REQUIRE(jessl::Loss<Demanding>);
  STATIC_REQUIRE(jessl::SupervisedLoss<Demanding>);
  STATIC_REQUIRE(!jessl::TargetedLoss<jessl::LossArchetype>);
  STATIC_REQUIRE(!jessl::StatefulLoss<jessl::LossArchetype>);
  STATIC_REQUIRE(!jessl::ImagesLoss<jessl::LossArchetype>);
  STATIC_REQUIRE(!jessl::SupervisedLoss<jessl::LossArchetype>);
  STATIC_REQUIRE(!jessl::Loss<Taught>);
  STATIC_REQUIRE(jessl::SupervisedLoss<Taught>);
}

TEST_CASE("jessl::loss::evaluate gives a loss what it asks for, and labels where there are some", "[loss][concept]") {
  jessl::loss::Embedded given{
      .views = {torch::full({}, 1.0)}, .targets = {torch::full({}, 2.0)}, .images = torch::full({}, 3.0)};
  const Calls state = Demanding{}.make(1);
  const auto value = [&](const auto& loss, const auto& kept) {
    return jessl::loss::evaluate(loss, given, kept, jessl::SingleProcess{}).template item<double>();
  };
  CHECK(value(Demanding{}, state) == 321);
  CHECK_THROWS_AS(value(Taught{}, jessl::loss::StateOrNone<Taught>{}), jessl::ConfigError);
  given.labels = torch::full({}, 4.0);
  CHECK(value(Demanding{}, state) == 4321);
  CHECK(state->count.item<double>() == 2);
  CHECK(value(Taught{}, jessl::loss::StateOrNone<Taught>{}) == 5);
}

TEST_CASE("Teacher: the momentum goes along half a cosine from the first step to the last", "[loss][concept]") {
  const jessl::loss::Teacher teacher{.momentum = 0.9, .final_momentum = 1.0};
  CHECK(teacher.at({.epoch = 0, .epochs = 10}) == Approx(0.9));
  CHECK(teacher.at({.epoch = 5, .epochs = 10}) == Approx(0.95));
  // A third of the way: cos 60 degrees is 1/2, so a quarter of the rise is done.
  CHECK(teacher.at({.epoch = 10, .epochs = 30}) == Approx(0.925));
  CHECK(teacher.at({.epoch = 10, .epochs = 10}) == Approx(1.0));
  CHECK(teacher.at({.epoch = 11, .epochs = 10}) == Approx(1.0));
  CHECK(teacher.at({.epoch = 7, .epochs = 0}) == Approx(0.9));  // no plan, as in a loop of one's own
  CHECK_THROWS_WITH((jessl::loss::Teacher{.momentum = 2}.check("X")),
                    "jessl::loss::X: teacher.momentum is 2, expected a number in [0, 1]");
  CHECK_THROWS_WITH((jessl::loss::Teacher{.final_momentum = -1}.check("X")),
                    "jessl::loss::X: teacher.final_momentum is -1, expected a number in [0, 1]");
}
