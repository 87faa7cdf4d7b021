// SPDX-License-Identifier: Apache-2.0
// The choice of a penalty against one fit for each, and against scikit-learn.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <jessl/eval/accuracy.hpp>
#include <jessl/eval/logistic_probe.hpp>
#include <jessl/eval/logistic_probe_search.hpp>

#include "eval/reference.hpp"
#include "support/captured_log.hpp"

namespace {

using Catch::Matchers::Contains;
using jessl::RowMatrix;
using jessl::eval::LogisticProbe;
using jessl::eval::LogisticProbeSearch;
using Labels = std::vector<std::int64_t>;

/// Rows of `a`, then rows of `b`.
reference::Clusters stacked(const reference::Clusters& a, const reference::Clusters& b) {
  reference::Clusters both = a;
  both.x.resize(a.x.rows() + b.x.rows(), a.x.cols());
  both.x << a.x, b.x;
  both.y.insert(both.y.end(), b.y.begin(), b.y.end());
  return both;
}

}  // namespace

TEST_CASE("LogisticProbeSearch: the examples of the documentation run", "[eval][logistic_probe_search]") {
  const reference::Clusters train(1, 300, 8, 3);
  const reference::Clusters validation(3, 80, 8, 3);
  const reference::Clusters test(2, 100, 8, 3);
  const RowMatrix &features = train.x, &queries = test.x;
  const Labels &labels = train.y, &expected = test.y;
  // [example]
  const jessl::eval::LogisticProbeSearch settings{.l2s = {1e-1, 1e-2, 1e-3, 1e-4}, .validation_share = 0.1};
  const auto search = settings.fit(features, labels);
  const double l2 = search.l2();                                // the one that was chosen
  const std::vector<double>& accuracies = search.accuracies();  // of each of the four, on a tenth of the rows
  const double top1 = jessl::eval::accuracy(search.predict(queries), expected);
  // [/example]
  CHECK(top1 > 0.7);
  CHECK(accuracies.size() == 4);
  CHECK(search.l2() == l2);
  const RowMatrix& own_features = validation.x;
  const Labels& own_labels = validation.y;
  // [validation]
  const auto by_own_rows = settings.fit(features, labels, own_features, own_labels);
  // [/validation]
  CHECK(by_own_rows.converged());
}

TEST_CASE("LogisticProbeSearch: accuracies are those of one fit for each strength, and the model that of all rows",
          "[eval][logistic_probe_search]") {
  const reference::Clusters train(3, 90, 20, 4);
  const reference::Clusters validation(4, 60, 20, 4);
  const reference::Clusters all = stacked(train, validation);
  const LogisticProbeSearch settings{.l2s = {1e-4, 1.0, 1e-2, 1e-1}};  // in no order
  const auto search = settings.fit(train.x, train.y, validation.x, validation.y);

  std::vector<double> accuracies;
  for (const double l2 : settings.l2s) {
    const auto probe = LogisticProbe{.l2 = l2}.fit(train.x, train.y);
    accuracies.push_back(jessl::eval::accuracy(probe.predict(validation.x), validation.y));
  }
  CHECK(search.accuracies() == accuracies);
  const double best = *std::max_element(accuracies.begin(), accuracies.end());
  double strongest = 0.0;
  for (std::size_t l = 0; l < 4; ++l) {
    if (accuracies[l] == best) strongest = std::max(strongest, settings.l2s[l]);
  }
  CHECK(search.l2() == strongest);

  const auto cold = LogisticProbe{.l2 = search.l2()}.fit(all.x, all.y);
  CHECK(search.converged());
  CHECK(search.objective() == Approx(cold.objective()).epsilon(1e-6));  // float32 logits
  CHECK((search.weights() - cold.weights()).cwiseAbs().maxCoeff() < 1e-3F);
  CHECK(search.iterations() < cold.iterations());  // it starts near its end
}

TEST_CASE("LogisticProbeSearch: accuracies, choice and optimum are scikit-learn's", "[eval][logistic_probe_search]") {
  const auto& numbers = reference::numbers();
  const auto& expected = reference::probes()["logistic_search"];
  const auto search = LogisticProbeSearch{.l2s = expected["l2s"].get<std::vector<double>>()}.fit(
      reference::matrix(numbers["x"]), reference::labels(numbers["y"]), reference::matrix(numbers["queries"]),
      reference::labels(numbers["labels"]));
  CHECK(search.accuracies() == expected["accuracies"].get<std::vector<double>>());
  CHECK(search.l2() == expected["l2"].get<double>());
  CHECK(search.objective() == Approx(expected["objective"].get<double>()).epsilon(1e-6));
  CHECK((search.weights() - reference::matrix(expected["weights"])).cwiseAbs().maxCoeff() < 1e-3F);
}

TEST_CASE("LogisticProbeSearch: of equal accuracies the strongest penalty is taken", "[eval][logistic_probe_search]") {
  const RowMatrix x = (RowMatrix(4, 1) << -2, -1, 1, 2).finished();
  const Labels y{0, 0, 1, 1};
  const auto search = LogisticProbeSearch{.l2s = {1e-3, 1e-1, 1e-2}}.fit(x, y, x, y);
  CHECK(search.accuracies() == std::vector<double>{1.0, 1.0, 1.0});
  CHECK(search.l2() == 1e-1);
}

TEST_CASE("LogisticProbeSearch: the rows kept apart are a function of the seed, and a share of each class",
          "[eval][logistic_probe_search]") {
  // A fifth of the labels are wrong, so that the accuracy tells which rows were kept apart.
  reference::Clusters train(5, 120, 3, 2);
  for (std::size_t i = 0; i < 120; i += 5) train.y[i] = 1 - train.y[i];
  const auto accuracies = [&](std::uint64_t seed, double share) {
    return LogisticProbeSearch{.l2s = {1e-2}, .validation_share = share, .seed = seed}
        .fit(train.x, train.y)
        .accuracies();
  };
  CHECK(accuracies(1, 0.3) == accuracies(1, 0.3));
  std::vector<double> by_seed;
  for (std::uint64_t seed = 0; seed < 8; ++seed) by_seed.push_back(accuracies(seed, 0.3)[0]);
  CHECK(*std::min_element(by_seed.begin(), by_seed.end()) < *std::max_element(by_seed.begin(), by_seed.end()));
  // Accuracies are multiples of one over the number of rows kept apart: those of each class, rounded.
  const auto ones = static_cast<double>(std::count(train.y.begin(), train.y.end(), 1));
  const double kept = std::round(0.3 * ones) + std::round(0.3 * (120.0 - ones));
  CHECK(std::round(by_seed[0] * kept) == Approx(by_seed[0] * kept).margin(1e-9));
}

TEST_CASE("LogisticProbeSearch: a class of one row is trained with, and no class is kept apart as a whole",
          "[eval][logistic_probe_search]") {
  // Four equal rows of class 0, four of class 1, one of class 2. Of four, 0.9 * 4 is rounded to all of them.
  RowMatrix x = RowMatrix::Zero(9, 3);
  x.col(0).head(4).setOnes();
  x.col(1).segment(4, 4).setOnes();
  x(8, 2) = 1.0F;
  const Labels y{0, 0, 0, 0, 1, 1, 1, 1, 2};
  const auto search = LogisticProbeSearch{.l2s = {1e-2}, .validation_share = 0.9}.fit(x, y);
  CHECK(search.accuracies() == std::vector<double>{1.0});
  CHECK(search.classes() == 3);
  CHECK(search.predict(x) == y);
  CHECK_THROWS_AS(LogisticProbeSearch{}.fit(x, Labels{0, 1, 2, 3, 4, 5, 6, 7, 8}), jessl::DataError);
  CHECK_THROWS_WITH(LogisticProbeSearch{}.fit(x, Labels{0, 0, 1, 1, 2, 2, 3, 3, 4}),
                    Contains("no class of y has a row to spare at validation_share = 0.2; raise it, or give"));
}

TEST_CASE("LogisticProbeSearch: features on a large scale are fitted to the same tolerance from a warm start",
          "[eval][logistic_probe_search]") {
  // The gradient at W = 0 is in the thousands, and a relative tolerance is of that, not of the gradient at the warm start,
  // which float32 sums could not bring down any further.
  reference::Clusters train(6, 400, 10, 3);
  train.x *= 3000.0F;
  const jessl::test::CapturedLog log;
  const auto search = LogisticProbeSearch{.l2s = {1e3, 1e2, 1e1}}.fit(train.x, train.y);
  CHECK(search.converged());
  CHECK(log.messages.empty());
}

TEST_CASE("LogisticProbeSearch: more columns than rows, constant columns and one class are possible",
          "[eval][logistic_probe_search]") {
  reference::Clusters train(7, 30, 50, 3);
  train.x.col(7).setZero();
  train.x.col(8).setOnes();
  const auto search = LogisticProbeSearch{.l2s = {1e-1, 1e-2}}.fit(train.x, train.y);
  CHECK(search.converged());
  CHECK(search.predict(train.x) == train.y);
  const auto one = LogisticProbeSearch{}.fit(train.x, Labels(30, 0));
  CHECK(one.l2() == 1e-1);
  CHECK(one.predict(train.x) == Labels(30, 0));
}

TEST_CASE("LogisticProbeSearch: ending short of the tolerance is a warning that names the strength",
          "[eval][logistic_probe_search]") {
  const reference::Clusters train(8, 200, 10, 3);
  const jessl::test::CapturedLog log;
  const auto search = LogisticProbeSearch{.l2s = {1e-4}, .max_iterations = 1}.fit(train.x, train.y);
  CHECK_FALSE(search.converged());
  REQUIRE(log.messages.size() == 2);  // of the choice, and of all rows
  CHECK_THAT(log.messages[0], Contains("jessl::eval::LogisticProbeSearch: stopped after 1 steps") &&
                                  Contains("(l2 1e-04, tolerance 1e-06)"));
}

TEST_CASE("LogisticProbeSearch: the number of threads changes no bit with the caller's validation rows",
          "[eval][logistic_probe_search]") {
  const reference::Clusters train(9, 900, 30, 4);
  const reference::Clusters validation(10, 300, 30, 4);
  const auto scores = [&](std::int64_t threads) {
    const LogisticProbeSearch settings{.l2s = {1e-2, 1e-3}, .threads = threads};
    return settings.fit(train.x, train.y, validation.x, validation.y).scores(validation.x);
  };
  const RowMatrix expected = scores(1);
  for (const std::int64_t threads : {2, 3, 7}) CHECK(scores(threads) == expected);
}

TEST_CASE("LogisticProbeSearch: settings and rows that cannot be used are errors that name them",
          "[eval][logistic_probe_search]") {
  const reference::Clusters train(11, 40, 3, 2);
  const auto fit = [&](const LogisticProbeSearch& settings) { return settings.fit(train.x, train.y); };
  CHECK_THROWS_AS(fit({.l2s = {}}), jessl::ConfigError);
  CHECK_THROWS_WITH(fit({.l2s = {1e-3, -1}}),
                    "jessl::eval::LogisticProbeSearch: l2s[1] is -1, expected a finite number >= 0");
  CHECK_THROWS_AS(fit({.l2s = {std::numeric_limits<double>::infinity()}}), jessl::ConfigError);
  CHECK_THROWS_AS(fit({.validation_share = 0}), jessl::ConfigError);
  CHECK_THROWS_WITH(fit({.validation_share = 1}), Contains("validation_share is 1, expected a share in (0, 1)"));
  CHECK_THROWS_AS(fit({.validation_share = std::nan("")}), jessl::ConfigError);
  CHECK_THROWS_WITH(fit({.tolerance = 0}), "jessl::eval::LogisticProbeSearch: tolerance is 0, expected a number > 0");
  CHECK_THROWS_AS(fit({.max_iterations = 0}), jessl::ConfigError);

  const LogisticProbeSearch settings;
  CHECK_THROWS_AS(settings.fit(train.x, train.y, RowMatrix::Zero(2, 4), Labels{0, 1}), jessl::ShapeError);
  CHECK_THROWS_WITH(settings.fit(train.x, train.y, RowMatrix::Zero(2, 3), Labels{0}),
                    "jessl::eval::LogisticProbeSearch, validation rows: X is [2, 3] but y has 1 labels, expected one "
                    "label a row");
  CHECK_THROWS_AS(settings.fit(train.x, train.y, RowMatrix(0, 3), Labels{}), jessl::DataError);
  CHECK_THROWS_WITH(settings.fit(train.x, train.y, RowMatrix::Zero(2, 3), Labels{0, -1}),
                    Contains("validation rows: y[1] is -1"));
  RowMatrix broken = train.x;
  broken(5, 2) = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_WITH(settings.fit(train.x, train.y, broken, train.y), Contains("validation rows: X(5, 2) is nan"));
}
