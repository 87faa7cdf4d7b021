// SPDX-License-Identifier: Apache-2.0
// Laws that every projector obeys.
#include <catch2/catch.hpp>

#include <boost/hana/for_each.hpp>

#include <jessl/projector.hpp>

namespace {

/// Calls body(policy) with the default of every projector.
template <class Body>
void for_each_projector(const Body& body) {
  boost::hana::for_each(jessl::projector::All, [&](auto type) {
    using P = typename decltype(type)::type;
    INFO(P::name);
    body(P{});
  });
}

}  // namespace

TEST_CASE("every projector models the concept and describes itself", "[projector][law]") {
  for_each_projector([]<class P>(const P& policy) {
    jessl::require_projector<P>();
    CHECK(jessl::same_options(jessl::from_json<P>(jessl::to_json(policy)), policy));
  });
}

TEST_CASE("every projector: the declared width is the real one, and the last layer is the output", "[projector][law]") {
  for_each_projector([](const auto& policy) {
    auto head = policy.make(6);
    head->eval();
    const auto x = torch::sin(torch::arange(24)).view({4, 6});
    const auto y = head->forward(x);
    CHECK(y.sizes() == at::IntArrayRef{4, head->out_features});
    CHECK(torch::equal(head->layers(x).back(), y));
  });
}

TEST_CASE("every projector: its weights are a function of the seed", "[projector][law]") {
  for_each_projector([](const auto& policy) {
    auto one = policy.make(6), other = policy.make(6);
    torch::manual_seed(3);
    one->initialise(7);
    other->initialise(8);
    bool different = one->parameters().empty();
    for (std::size_t i = 0; i < one->parameters().size(); ++i) {
      different = different || !torch::equal(one->parameters()[i], other->parameters()[i]);
    }
    CHECK(different);
    static_cast<void>(other->forward(torch::randn({4, 6})));  // moves the running statistics
    torch::manual_seed(4);
    other->initialise(7);
    for (std::size_t i = 0; i < one->parameters().size(); ++i)
      CHECK(torch::equal(one->parameters()[i], other->parameters()[i]));
    for (std::size_t i = 0; i < one->buffers().size(); ++i) CHECK(torch::equal(one->buffers()[i], other->buffers()[i]));
  });
}

TEST_CASE("every projector: a clone computes the same and shares nothing", "[projector][law]") {
  for_each_projector([](const auto& policy) {
    auto head = policy.make(6);
    head->initialise(5);
    using Head = std::decay_t<decltype(*head)>;
    const auto copy = std::dynamic_pointer_cast<Head>(head->clone());
    const auto x = torch::sin(torch::arange(24)).view({4, 6});
    CHECK(torch::equal(copy->forward(x), head->forward(x)));
    for (std::size_t i = 0; i < head->parameters().size(); ++i) {
      CHECK(copy->parameters()[i].data_ptr() != head->parameters()[i].data_ptr());
    }
  });
}
