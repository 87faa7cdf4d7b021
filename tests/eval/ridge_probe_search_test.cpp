// SPDX-License-Identifier: Apache-2.0
// Leave-one-out errors against regressions that leave one out, and against scikit-learn.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <vector>

#include <jessl/core/draw.hpp>
#include <jessl/eval/accuracy.hpp>
#include <jessl/eval/ridge_probe.hpp>
#include <jessl/eval/ridge_probe_search.hpp>

#include "eval/reference.hpp"

namespace {

using Catch::Matchers::Contains;
using jessl::RowMatrix;
using jessl::eval::RidgeProbe;
using jessl::eval::RidgeProbeSearch;
using Labels = std::vector<std::int64_t>;

/// The leave-one-out error from its definition: a regression for each row.
double error_by_refits(const RowMatrix& x, const RowMatrix& targets, double lambda) {
  double sum = 0.0;
  for (Eigen::Index left_out = 0; left_out < x.rows(); ++left_out) {
    RowMatrix others(x.rows() - 1, x.cols());
    RowMatrix their_targets(x.rows() - 1, targets.cols());
    others << x.topRows(left_out), x.bottomRows(x.rows() - 1 - left_out);
    their_targets << targets.topRows(left_out), targets.bottomRows(x.rows() - 1 - left_out);
    const auto model = RidgeProbe{.lambda = lambda, .threads = 1}.fit(others, their_targets);
    const Eigen::VectorXd value = model.weights() * x.row(left_out).transpose().cast<double>() + model.intercept();
    sum += (value - targets.row(left_out).transpose().cast<double>()).squaredNorm();
  }
  return sum / static_cast<double>(targets.size());
}

/// Features with their targets.
struct Problem {
  RowMatrix x;
  RowMatrix targets;
};

/// Targets that depend on the features, and noise; a pure function of the seed.
Problem noisy_problem(std::uint64_t seed, Eigen::Index rows, Eigen::Index columns) {
  jessl::Draw draw({.seed = seed});
  Problem problem{RowMatrix(rows, columns), RowMatrix(rows, 2)};
  for (float& value : problem.x.reshaped()) value = static_cast<float>(draw.normal() + 1.0);
  for (float& value : problem.targets.reshaped()) value = static_cast<float>(draw.normal());
  problem.targets.col(0) += problem.x.col(0);
  problem.targets.col(1) -= 2.0F * problem.x.col(columns - 1);
  return problem;
}

}  // namespace

TEST_CASE("RidgeProbeSearch: the example of the documentation runs", "[eval][ridge_probe_search]") {
  const reference::Clusters train(1, 300, 8, 3);
  const reference::Clusters test(2, 100, 8, 3);
  const RowMatrix &features = train.x, &queries = test.x;
  const Labels &labels = train.y, &expected = test.y;
  // [example]
  const auto search = jessl::eval::RidgeProbeSearch{.lambdas = {0.1, 1.0, 10.0, 100.0}}.fit(features, labels);
  const double lambda = search.lambda();                       // the one that was chosen
  const std::vector<double>& leave_one_out = search.errors();  // of each of the four
  const double top1 = jessl::eval::accuracy(search.predict(queries), expected);
  // [/example]
  CHECK(top1 > 0.7);
  CHECK(leave_one_out.size() == 4);
  CHECK(search.lambda() == lambda);
}

TEST_CASE("RidgeProbeSearch: errors are those of regressions that leave one row out", "[eval][ridge_probe_search]") {
  // More rows than columns, a few more, as many, one less, far fewer.
  for (const auto& [rows, columns] :
       {std::pair{40, 6}, std::pair{23, 20}, std::pair{20, 20}, std::pair{19, 20}, std::pair{8, 50}, std::pair{2, 3}}) {
    const Problem problem = noisy_problem(3, rows, columns);
    const std::vector<double> lambdas{1e-3, 1e-1, 1.0, 30.0, 1e4};
    const auto search = RidgeProbeSearch{.lambdas = lambdas}.fit(problem.x, problem.targets);
    for (std::size_t l = 0; l < lambdas.size(); ++l) {
      INFO(rows << " x " << columns << ", lambda " << lambdas[l]);
      CHECK(search.errors()[l] == Approx(error_by_refits(problem.x, problem.targets, lambdas[l])).epsilon(1e-8));
    }
  }
}

TEST_CASE("RidgeProbeSearch: constant and repeated columns and rows leave the errors exact",
          "[eval][ridge_probe_search]") {
  for (const auto& [rows, columns] : {std::pair{30, 8}, std::pair{10, 25}}) {
    Problem problem = noisy_problem(4, rows, columns);
    problem.x.col(2).setConstant(3.0F);
    problem.x.col(4) = problem.x.col(3);
    problem.x.row(5) = problem.x.row(6);
    problem.x.col(5).setZero();
    problem.x(1, 5) = 1.0F;  // a feature that one row alone has
    const auto search = RidgeProbeSearch{.lambdas = {1e-2, 1.0}}.fit(problem.x, problem.targets);
    CHECK(search.errors()[0] == Approx(error_by_refits(problem.x, problem.targets, 1e-2)).epsilon(1e-8));
    CHECK(search.errors()[1] == Approx(error_by_refits(problem.x, problem.targets, 1.0)).epsilon(1e-8));
  }
}

TEST_CASE("RidgeProbeSearch: errors and choice are scikit-learn's", "[eval][ridge_probe_search]") {
  const auto& numbers = reference::numbers();
  const auto& probes = reference::probes();
  const RowMatrix x = reference::matrix(numbers["x"]);
  const auto check = [](const auto& search, const auto& expected) {
    const auto errors = expected["errors"].template get<std::vector<double>>();
    REQUIRE(search.errors().size() == errors.size());
    for (std::size_t l = 0; l < errors.size(); ++l) CHECK(search.errors()[l] == Approx(errors[l]).epsilon(1e-9));
    CHECK(search.lambda() == expected["lambda"].template get<double>());
  };
  const auto searching = [](const auto& expected) {
    return RidgeProbeSearch{.lambdas = expected["lambdas"].template get<std::vector<double>>()};
  };
  const auto& expected = probes["ridge_search"];
  check(searching(expected["classes"]).fit(x, reference::labels(numbers["y"])), expected["classes"]);
  check(searching(expected["targets"]).fit(x, reference::matrix(probes["targets"])), expected["targets"]);
  check(searching(expected["wide"])
            .fit(reference::matrix(probes["wide"]["x"]), reference::matrix(probes["wide"]["targets"])),
        expected["wide"]);
}

TEST_CASE("RidgeProbeSearch: the model is the RidgeProbe of the lambda with the lowest error",
          "[eval][ridge_probe_search]") {
  for (const std::int64_t columns : {12, 90}) {
    const reference::Clusters train(5, 70, columns, 3);
    const RidgeProbeSearch settings{.lambdas = {1e-2, 1e3, 1.0, 50.0}};
    const auto search = settings.fit(train.x, train.y);
    const auto lowest = std::min_element(search.errors().begin(), search.errors().end()) - search.errors().begin();
    CHECK(search.lambda() == settings.lambdas[static_cast<std::size_t>(lowest)]);
    const auto probe = RidgeProbe{.lambda = search.lambda()}.fit(train.x, train.y);
    CHECK((search.weights() - probe.weights()).cwiseAbs().maxCoeff() < 1e-12);
    CHECK((search.intercept() - probe.intercept()).cwiseAbs().maxCoeff() < 1e-11);
    CHECK(search.predict(train.x) == probe.predict(train.x));
  }
}

TEST_CASE("RidgeProbeSearch: a lambda that lets the regression pass through all points has the right error",
          "[eval][ridge_probe_search]") {
  // The residuals of all rows are about 1e-9 of the targets, and 1 - h as small: their quotient is what is wanted.
  const Problem problem = noisy_problem(6, 12, 60);
  const auto search = RidgeProbeSearch{.lambdas = {1e-7}}.fit(problem.x, problem.targets);
  CHECK(search.errors()[0] == Approx(error_by_refits(problem.x, problem.targets, 1e-7)).epsilon(1e-6));
}

TEST_CASE("RidgeProbeSearch: of equal errors the largest lambda is taken", "[eval][ridge_probe_search]") {
  // Constant features: every lambda predicts the mean of the others. Errors of 0, 0 and 1 from the means 1/2, 1/2, 0.
  const auto search = RidgeProbeSearch{.lambdas = {1.0, 100.0, 10.0}}.fit(RowMatrix::Ones(3, 1), Labels{0, 0, 1});
  CHECK(search.lambda() == 100.0);
  for (const double error : search.errors()) CHECK(error == Approx((0.25 + 0.25 + 1.0) / 3.0).epsilon(1e-14));
}

TEST_CASE("RidgeProbeSearch: the number of threads changes no bit of a regression", "[eval][ridge_probe_search]") {
  for (const std::int64_t rows : {600, 100}) {
    const Problem problem = noisy_problem(7, rows, 130);
    const auto expected = RidgeProbeSearch{.threads = 1}.fit(problem.x, problem.targets);
    for (const std::int64_t threads : {2, 3, 7}) {
      const auto search = RidgeProbeSearch{.threads = threads}.fit(problem.x, problem.targets);
      CHECK(search.errors() == expected.errors());
      CHECK((search.predict(problem.x).array() == expected.predict(problem.x).array()).all());
    }
  }
}

TEST_CASE("RidgeProbeSearch: settings and rows that cannot be used are errors that name them",
          "[eval][ridge_probe_search]") {
  const reference::Clusters train(8, 20, 3, 2);
  CHECK_THROWS_AS(RidgeProbeSearch{.lambdas = {}}.fit(train.x, train.y), jessl::ConfigError);
  CHECK_THROWS_WITH(RidgeProbeSearch{.lambdas = {}}.fit(train.x, train.x),
                    Contains("lambdas is empty, expected at least one number"));
  CHECK_THROWS_WITH((RidgeProbeSearch{.lambdas = {1.0, 0.0}}.fit(train.x, train.y)),
                    "jessl::eval::RidgeProbeSearch: lambdas[1] is 0, expected a finite number > 0");
  CHECK_THROWS_AS(RidgeProbeSearch{.lambdas = {std::nan("")}}.fit(train.x, train.y), jessl::ConfigError);
  CHECK_THROWS_AS(RidgeProbeSearch{}.fit(train.x.topRows(1), Labels{1}), jessl::DataError);
  CHECK_THROWS_WITH(RidgeProbeSearch{}.fit(train.x.topRows(1), train.x.topRows(1)),
                    Contains("X is [1, 3], expected at least two rows"));
  CHECK_THROWS_AS(RidgeProbeSearch{}.fit(train.x, RowMatrix::Zero(19, 2)), jessl::ShapeError);
}
