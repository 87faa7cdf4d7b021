// SPDX-License-Identifier: Apache-2.0
// Laws that every optimizer obeys.
#include <catch2/catch.hpp>

#include <boost/hana/for_each.hpp>

#include <jessl/optim.hpp>
#include <optim/optim_cases.hpp>

using jessl::StateDict;
using jessl::test::differentiate;
using jessl::test::distance;
using jessl::test::SmallNet;

namespace {

/// Calls body(rule) with the default of every optimizer.
template <class Body>
void for_each_optimizer(const Body& body) {
  boost::hana::for_each(jessl::optim::All, [&](auto type) {
    using O = typename decltype(type)::type;
    INFO(O::name);
    body(O{});
  });
}

template <class State>
void train(SmallNet& net, State& optimizer, int first, int last) {
  for (int step = first; step < last; ++step) {
    optimizer.zero_grad();
    differentiate(net, step);
    optimizer.set_lr(0.1 / (1 + step));
    optimizer.step();
  }
}

void copy_parameters(const SmallNet& from, SmallNet& to) {
  const torch::NoGradGuard no_grad;
  for (std::size_t i = 0; i < from->parameters().size(); ++i) to->parameters()[i].copy_(from->parameters()[i]);
}

}  // namespace

TEST_CASE("every optimizer models the concept and describes itself", "[optim][law]") {
  for_each_optimizer([]<class O>(const O& rule) {
    jessl::require_optimizer<O>();
    CHECK(jessl::same_options(jessl::from_json<O>(jessl::to_json(rule)), rule));
    CHECK(rule.attach(SmallNet()).lr() == rule.lr);
  });
}

TEST_CASE("every optimizer: a run resumed from its state is the uninterrupted one bit for bit", "[optim][law]") {
  for_each_optimizer([](const auto& rule) {
    SmallNet whole, halves, resumed;
    auto one = rule.attach(whole);
    train(whole, one, 0, 6);

    auto first = rule.attach(halves);
    train(halves, first, 0, 3);
    const StateDict saved = first.state_dict();
    copy_parameters(halves, resumed);
    train(halves, first, 3, 4);  // the saved state is a copy: what happens afterwards must not change it
    auto second = rule.attach(resumed);
    second.load_state_dict(saved);
    train(resumed, second, 3, 6);
    CHECK(distance(whole, resumed) == 0);
    for (const auto& [name, value] : one.state_dict()) CHECK(torch::equal(value, second.state_dict().at(name)));
  });
}

TEST_CASE("every optimizer saves its state under the parameters' names", "[optim][law]") {
  for_each_optimizer([]<class O>(const O& rule) {
    const auto state = rule.attach(SmallNet()).state_dict();
    CHECK(state.size() == 1 + O::slots.size() * 5);
    CHECK(state.at("step").template item<std::int64_t>() == 0);
    for (const auto& slot : O::slots) {
      const auto& value = state.at(std::string(slot.name) + "/convolution.weight");
      CHECK(value.dim() == (slot.scalar ? 0 : 4));
    }
  });
}

TEST_CASE("every optimizer refuses a state that is not its own, and says why", "[optim][law]") {
  for_each_optimizer([]<class O>(const O& rule) {
    auto optimizer = rule.attach(SmallNet());
    const auto good = optimizer.state_dict();
    const std::string who = "jessl::optim::" + std::string(O::name) + ".load_state_dict: ";
    const std::string entry = std::string(O::slots[0].name) + "/norm.bias";
    auto bad = good;
    bad.erase(entry);
    CHECK_THROWS_WITH(optimizer.load_state_dict(bad),
                      who + "the state lacks \"" + entry + "\"; it belongs to another optimizer or another model");
    bad = good;
    bad["other"] = torch::zeros({});
    CHECK_THROWS_WITH(optimizer.load_state_dict(bad),
                      who +
                          "the state has \"other\", which this optimizer does not know; it belongs "
                          "to another optimizer or another model");
    bad = good;
    bad[entry] = torch::zeros({5});
    CHECK_THROWS_WITH(optimizer.load_state_dict(bad), who + '"' + entry + "\" is [5], expected [4]");
    CHECK_THROWS_AS(optimizer.load_state_dict(bad), jessl::ShapeError);
  });
}

TEST_CASE("every optimizer leaves biases and norms undecayed, and all of a parameter without gradient alone",
          "[optim][law]") {
  for_each_optimizer([]<class O>(O rule) {
    rule.weight_decay = 0.5;
    SmallNet net, before;
    auto optimizer = rule.attach(net);
    for (auto& p : net->parameters()) p.mutable_grad() = torch::zeros_like(p);
    net->linear->weight.mutable_grad().reset();
    optimizer.step();
    CHECK(torch::equal(net->linear->weight, before->linear->weight));
    CHECK(torch::equal(net->norm->weight, before->norm->weight));
    CHECK(torch::equal(net->linear->bias, before->linear->bias));
    CHECK_FALSE(torch::equal(net->convolution->weight, before->convolution->weight));
  });
}

TEST_CASE("every optimizer decays by the weight decay that it is told last, and keeps its settings", "[optim][law]") {
  for_each_optimizer([]<class O>(O rule) {
    rule.weight_decay = 0.0;
    SmallNet told, made;
    auto one = rule.attach(told);
    one.set_weight_decay(0.5);
    CHECK(one.weight_decay() == 0.5);
    CHECK(one.settings().weight_decay == 0.0);
    rule.weight_decay = 0.5;
    auto other = rule.attach(made);
    train(told, one, 0, 2);
    train(made, other, 0, 2);
    CHECK(distance(told, made) == 0);
    const std::string who = "jessl::optim::" + std::string(O::name);
    CHECK_THROWS_WITH(one.set_weight_decay(-1),
                      who + ".set_weight_decay: the weight decay is -1, expected a finite number >= 0");
    CHECK_THROWS_AS(one.set_weight_decay(NAN), jessl::ConfigError);
  });
}

TEST_CASE("every optimizer gives the same in channels-last layout, also when the weights are re-laid after attach",
          "[optim][law]") {
  for_each_optimizer([](const auto& rule) {
    SmallNet plain, relaid;
    auto one = rule.attach(plain), other = rule.attach(relaid);
    train(plain, one, 0, 1);
    train(relaid, other, 0, 1);
    auto& weight = relaid->convolution->weight;
    weight.set_data(weight.contiguous(torch::MemoryFormat::ChannelsLast));
    other.zero_grad();
    train(plain, one, 1, 3);
    train(relaid, other, 1, 3);
    // The convolution itself rounds differently in the other layout.
    CHECK(distance(plain, relaid) < 1e-4);
  });
}

TEST_CASE("every optimizer refuses parameters and rates it can't work with", "[optim][law]") {
  for_each_optimizer([]<class O>(const O& rule) {
    const std::string who = "jessl::optim::" + std::string(O::name);
    CHECK_THROWS_WITH(rule.attach(jessl::optim::NamedParameters{}),
                      who + ".attach: there are no parameters to optimize");
    const auto p = torch::zeros({2}).requires_grad_();
    CHECK_THROWS_WITH(rule.attach(jessl::optim::NamedParameters{{"a", p}, {"a", p}}),
                      who + ".attach: two parameters are called \"a\"; give each module a prefix of its own");
    auto optimizer = rule.attach(SmallNet());
    CHECK_THROWS_WITH(optimizer.set_lr(-1), who + ".set_lr: the learning rate is -1, expected a finite number >= 0");
    CHECK_THROWS_AS(optimizer.set_lr(NAN), jessl::ConfigError);
  });
}
