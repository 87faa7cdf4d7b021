// SPDX-License-Identifier: Apache-2.0
// The laws of a classifier, for each one that jessl ships.
#include <catch2/catch.hpp>

#include <algorithm>
#include <limits>
#include <vector>

#include <boost/hana/for_each.hpp>

#include <jessl/eval.hpp>

#include "eval/reference.hpp"

namespace {

using Catch::Matchers::Contains;
using jessl::RowMatrix;
using Labels = std::vector<std::int64_t>;

constexpr std::int64_t classes = 4;
const reference::Clusters train(11, 1500, 24, classes);
const reference::Clusters test(12, 301, 24, classes);

/// Calls law(policy) with the default settings of each classifier.
template <class Law>
void for_each_classifier(Law law) {
  boost::hana::for_each(jessl::eval::All, [&](auto type) {
    using Policy = typename decltype(type)::type;
    static_assert(jessl::Classifier<Policy>);
    static_assert(jessl::Options<Policy>);
    INFO(Policy::name);
    law(Policy{});
  });
}

/// Whether two matrices are equal to the last bit.
bool same(const RowMatrix& a, const RowMatrix& b) {
  return a.rows() == b.rows() && a.cols() == b.cols() && std::equal(a.data(), a.data() + a.size(), b.data());
}

}  // namespace

TEST_CASE("Classifier: predictions and scores have a row an image, and agree", "[eval][classifier]") {
  for_each_classifier([](const auto& policy) {
    const auto model = policy.fit(train.x, train.y);
    CHECK(model.classes() == classes);
    CHECK(model.dimension() == 24);
    const RowMatrix scores = model.scores(test.x);
    REQUIRE(scores.rows() == 301);
    REQUIRE(scores.cols() == classes);
    const Labels predicted = model.predict(test.x);
    REQUIRE(predicted.size() == 301);
    CHECK(jessl::eval::accuracy(predicted, test.y) > 0.8);
    CHECK(jessl::eval::accuracy(predicted, test.y) == jessl::eval::top_k(scores, test.y, 1));
    CHECK(model.predict(RowMatrix(0, 24)).empty());
  });
}

TEST_CASE("Classifier: the number of threads changes no bit", "[eval][classifier]") {
  for_each_classifier([](auto policy) {
    policy.threads = 1;
    const RowMatrix expected = policy.fit(train.x, train.y).scores(test.x);
    for (const std::int64_t threads : {0, 2, 3, 7}) {
      policy.threads = threads;
      CHECK(same(policy.fit(train.x, train.y).scores(test.x), expected));
    }
  });
}

TEST_CASE("Classifier: other numbers for the classes give the same predictions by other numbers",
          "[eval][classifier]") {
  const std::int64_t renamed[classes] = {2, 0, 3, 1};
  const auto rename = [&](Labels labels) {
    for (std::int64_t& label : labels) label = renamed[label];
    return labels;
  };
  for_each_classifier([&](const auto& policy) {
    const Labels expected = rename(policy.fit(train.x, train.y).predict(test.x));
    CHECK(policy.fit(train.x, rename(train.y)).predict(test.x) == expected);
  });
}

TEST_CASE("Classifier: a fitted model needs nothing of its caller's any more", "[eval][classifier]") {
  for_each_classifier([](const auto& policy) {
    RowMatrix x = train.x;
    Labels y = train.y;
    const auto model = policy.fit(x, y);
    const Labels before = model.predict(test.x);
    x.setZero();
    std::fill(y.begin(), y.end(), 0);
    CHECK(model.predict(test.x) == before);
  });
}

TEST_CASE("Classifier: rows of a wider matrix are taken without a copy", "[eval][classifier]") {
  RowMatrix wide = RowMatrix::Constant(train.x.rows(), 40, 1e30F);
  wide.leftCols(24) = train.x;
  for_each_classifier([&](const auto& policy) {
    CHECK(same(policy.fit(wide.leftCols(24), train.y).scores(test.x), policy.fit(train.x, train.y).scores(test.x)));
  });
}

TEST_CASE("Classifier: classes that no training row has can still be counted", "[eval][classifier]") {
  for_each_classifier([](auto policy) {
    policy.classes = 6;
    const auto model = policy.fit(train.x, train.y);
    CHECK(model.classes() == 6);
    CHECK(model.scores(test.x).cols() == 6);
    CHECK(jessl::eval::accuracy(model.predict(test.x), test.y) > 0.8);
  });
}

TEST_CASE("Classifier: a class count that does not match is an error that names the label", "[eval][classifier]") {
  for_each_classifier([](auto policy) {
    const std::string who = "jessl::eval::" + std::string(policy.name) + ": ";
    policy.classes = 3;
    CHECK_THROWS_AS(policy.fit(train.x, train.y), jessl::DataError);
    CHECK_THROWS_WITH(policy.fit(train.x, train.y),
                      who + "y[3] is 3, expected a class in [0, 3); set .classes to the number of classes");
    for (const std::int64_t wrong : {std::int64_t{0}, (std::int64_t{1} << 31U) + 1}) {
      policy.classes = wrong;
      CHECK_THROWS_AS(policy.fit(train.x, train.y), jessl::ConfigError);
    }
    policy.classes.reset();
    for (const std::int64_t identifier :
         {std::int64_t{65536}, std::int64_t{1000000000000}, std::numeric_limits<std::int64_t>::max()}) {
      Labels far = train.y;
      far[7] = identifier;
      CHECK_THROWS_AS(policy.fit(train.x, far), jessl::DataError);
      CHECK_THROWS_WITH(policy.fit(train.x, far),
                        jessl::concat(who, "y[7] is ", identifier,
                                      ", expected a class in [0, 65536); set .classes to the number of classes"));
    }
    Labels unlabelled = train.y;
    unlabelled[5] = -1;
    CHECK_THROWS_WITH(policy.fit(train.x, unlabelled), Contains(who + "y[5] is -1") && Contains("leave such rows out"));
    CHECK_THROWS_AS(policy.fit(train.x, Labels(1500, -1)), jessl::DataError);
  });
}

TEST_CASE("Classifier: shapes that do not fit together are errors", "[eval][classifier]") {
  for_each_classifier([](auto policy) {
    CHECK_THROWS_AS(policy.fit(train.x, test.y), jessl::ShapeError);
    CHECK_THROWS_WITH(policy.fit(train.x, test.y), Contains("X is [1500, 24] but y has 301 labels"));
    const auto model = policy.fit(train.x, train.y);
    CHECK_THROWS_AS(model.predict(RowMatrix::Zero(2, 23)), jessl::ShapeError);
    CHECK_THROWS_WITH(model.scores(RowMatrix::Zero(2, 23)), Contains("X is [2, 23], expected [N, D] = [2, 24]"));
    CHECK_THROWS_AS(policy.fit(RowMatrix(0, 24), Labels{}), jessl::DataError);
    CHECK_THROWS_AS(policy.fit(RowMatrix(2, 0), Labels{0, 1}), jessl::DataError);
    policy.threads = -1;
    CHECK_THROWS_WITH(policy.fit(train.x, train.y), Contains("threads is -1"));
  });
}

TEST_CASE("Classifier: NaN and infinity are errors that name their place", "[eval][classifier]") {
  for_each_classifier([](const auto& policy) {
    RowMatrix x = train.x;
    x(1234, 5) = std::numeric_limits<float>::quiet_NaN();
    CHECK_THROWS_AS(policy.fit(x, train.y), jessl::DataError);
    CHECK_THROWS_WITH(policy.fit(x, train.y), Contains("X(1234, 5) is nan, expected a finite number"));
    const auto model = policy.fit(train.x, train.y);
    RowMatrix queries = test.x;
    queries(300, 23) = std::numeric_limits<float>::infinity();
    CHECK_THROWS_WITH(model.predict(queries), Contains("X(300, 23) is inf"));
  });
}

TEST_CASE("Classifier: settings survive JSON", "[eval][classifier]") {
  for_each_classifier([](auto policy) {
    policy.threads = 3;
    policy.classes = 10;
    CHECK(jessl::same_options(jessl::from_json<decltype(policy)>(jessl::to_json(policy)), policy));
  });
}

TEST_CASE("Classifier: the archetype has all that a classifier needs", "[eval][classifier]") {
  const auto model = jessl::ClassifierArchetype{}.fit(train.x, train.y);
  CHECK(model.predict(test.x) == Labels(301, 0));
}
