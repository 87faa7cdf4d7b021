// SPDX-License-Identifier: Apache-2.0
// The laws of a regressor, for each one that jessl ships.
#include <catch2/catch.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

#include <jessl/eval.hpp>

#include "eval/reference.hpp"

namespace {

using Catch::Matchers::Contains;
using jessl::RowMatrix;

/// Rows, and three numbers of each that are nearly linear in them.
struct Numbers {
  RowMatrix x;
  RowMatrix targets;

  Numbers(std::uint64_t seed, Eigen::Index rows) : x(reference::Clusters(seed, rows, 12, 4).x), targets(rows, 3) {
    targets.col(0) = x.col(0) - 2.0F * x.col(5);
    targets.col(1) = x.rowwise().mean();
    targets.col(2) = (x.col(1).array() > 0.0F).cast<float>();
  }
};

/// Calls law(policy with that many threads).
template <class Law>
void for_each_regressor(std::int64_t threads, Law law) {
  const auto call = [&](auto policy) {
    static_assert(jessl::Regressor<decltype(policy)>);
    INFO(policy.name);
    policy.threads = threads;
    law(policy);
  };
  call(jessl::eval::KNN{.k = 5});
  call(jessl::eval::RidgeProbe{});
  call(jessl::eval::RidgeProbeSearch{});
}

}  // namespace

TEST_CASE("Regressor: predictions have a row an image and a column a target, and are no guesses", "[eval][regressor]") {
  const Numbers known(11, 700), queries(12, 101);
  for_each_regressor(0, [&](const auto& policy) {
    const auto model = policy.fit(known.x, known.targets);
    const RowMatrix predicted = model.predict(queries.x);
    REQUIRE(predicted.rows() == 101);
    REQUIRE(predicted.cols() == 3);
    CHECK(jessl::eval::r2_score(predicted, queries.targets) > 0.5);
    CHECK(model.predict(RowMatrix(0, 12)).rows() == 0);
  });
}

TEST_CASE("Regressor: the number of threads changes no bit, and the model needs nothing of its caller's",
          "[eval][regressor]") {
  const Numbers known(11, 700), queries(12, 101);
  for_each_regressor(1, [&](auto policy) {
    const RowMatrix expected = policy.fit(known.x, known.targets).predict(queries.x);
    for (const std::int64_t threads : {0, 2, 3}) {
      policy.threads = threads;
      Numbers gone = known;
      const auto model = policy.fit(gone.x, gone.targets);
      gone.x.setZero();
      gone.targets.setZero();
      CHECK(model.predict(queries.x) == expected);
    }
  });
}

TEST_CASE("Regressor: what does not fit is an error that names its place", "[eval][regressor]") {
  const Numbers known(11, 40);
  for_each_regressor(1, [&](const auto& policy) {
    const std::string who = "jessl::eval::" + std::string(policy.name) + ": ";
    CHECK_THROWS_AS(policy.fit(known.x, RowMatrix::Ones(39, 2)), jessl::ShapeError);
    CHECK_THROWS_WITH(policy.fit(known.x, RowMatrix::Ones(39, 2)),
                      Contains(who + "X is [40, 12] but targets is [39, 2]"));
    CHECK_THROWS_AS(policy.fit(RowMatrix(0, 12), RowMatrix(0, 2)), jessl::DataError);
    CHECK_THROWS_WITH(policy.fit(RowMatrix(0, 12), RowMatrix(0, 2)), Contains("expected at least one row"));
    CHECK_THROWS_AS(policy.fit(known.x, RowMatrix(40, 0)), jessl::DataError);
    Numbers bad = known;
    bad.targets(7, 1) = std::numeric_limits<float>::infinity();
    CHECK_THROWS_AS(policy.fit(bad.x, bad.targets), jessl::DataError);
    CHECK_THROWS_WITH(policy.fit(bad.x, bad.targets), Contains(who + "targets(7, 1) is inf"));
    bad = known;
    bad.x(3, 4) = NAN;
    CHECK_THROWS_WITH(policy.fit(bad.x, bad.targets), Contains(who + "X(3, 4) is nan"));
    CHECK_THROWS_AS(policy.fit(known.x, known.targets).predict(RowMatrix::Ones(2, 11)), jessl::ShapeError);
  });
}
