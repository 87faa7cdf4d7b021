// SPDX-License-Identifier: Apache-2.0
// Tests of Identity.
#include <catch2/catch.hpp>

#include <jessl/projector/identity.hpp>

TEST_CASE("Identity: gives back what it gets and has no parameters", "[projector][identity]") {
  auto head = jessl::projector::Identity{}.make(5);
  const auto x = torch::randn({3, 5});
  CHECK(head->forward(x).is_same(x));
  CHECK(head->parameters().empty());
  CHECK_THROWS_WITH(jessl::projector::Identity{}.make(0),
                    "jessl::projector::Identity.make: in_features is 0, expected >= 1");
}
