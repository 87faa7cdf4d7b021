// SPDX-License-Identifier: Apache-2.0
// Ridge regression against numbers worked out by hand, by NumPy and by scikit-learn.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <jessl/core/draw.hpp>
#include <jessl/eval/accuracy.hpp>
#include <jessl/eval/mean_average_precision.hpp>
#include <jessl/eval/r2_score.hpp>
#include <jessl/eval/ridge_probe.hpp>

#include "eval/reference.hpp"

namespace {

using Catch::Matchers::Contains;
using jessl::RowMatrix;
using jessl::eval::RidgeProbe;
using jessl::eval::RowMatrixD;
using Labels = std::vector<std::int64_t>;

/// The largest difference, over the largest absolute entry of what is expected.
double relative_difference(const Eigen::MatrixXd& found, const Eigen::MatrixXd& expected) {
  return (found - expected).cwiseAbs().maxCoeff() / expected.cwiseAbs().maxCoeff();
}

/// Standard normal numbers, a pure function of the seed.
RowMatrix normal_matrix(std::uint64_t seed, Eigen::Index rows, Eigen::Index columns) {
  RowMatrix matrix(rows, columns);
  jessl::Draw draw({.seed = seed});
  for (Eigen::Index i = 0; i < rows; ++i)
    for (Eigen::Index j = 0; j < columns; ++j) matrix(i, j) = static_cast<float>(draw.normal());
  return matrix;
}

}  // namespace

TEST_CASE("RidgeProbe: the examples of the documentation run", "[eval][ridge_probe]") {
  const reference::Clusters train(1, 300, 8, 3);
  const reference::Clusters test(2, 100, 8, 3);
  const RowMatrix &features = train.x, &queries = test.x;
  const Labels &labels = train.y, &expected = test.y;
  // [example]
  const auto probe = jessl::eval::RidgeProbe{.lambda = 10.0}.fit(features, labels);
  const double top1 = jessl::eval::accuracy(probe.predict(queries), expected);
  // [/example]
  CHECK(top1 > 0.7);

  const RowMatrix positions = features * RowMatrix::Ones(8, 2), wanted_positions = queries * RowMatrix::Ones(8, 2);
  const RowMatrix tags = (features.leftCols(4).array() > 0.0F).cast<float>();
  const RowMatrix wanted_tags = (queries.leftCols(4).array() > 0.0F).cast<float>();
  // [targets]
  const jessl::eval::RidgeProbe ridge{.lambda = 10.0};
  const auto regression = ridge.fit(features, positions);  // [N, T] real numbers
  const double r2 = jessl::eval::r2_score(regression.predict(queries), wanted_positions);

  const auto tagger = ridge.fit(features, tags);  // [N, T], 1 where an image has the label, else 0
  const double map = jessl::eval::mean_average_precision(tagger.predict(queries), wanted_tags);
  // [/targets]
  CHECK(r2 > 0.99);
  CHECK(map > 0.9);
}

TEST_CASE("RidgeProbe: two points on a line, worked out by hand", "[eval][ridge_probe]") {
  // x = -1 and 3, centred -2 and 2: Z^T Z = 8. Targets of class 1 are 0 and 1, centred -1/2 and 1/2: Z^T T = 2.
  // With lambda = 2, w = 2 / (8 + 2) = 0.2 and b = 1/2 - 0.2 * mean(x) = 0.3; class 0 is what is left to 1.
  const RowMatrix x = (RowMatrix(2, 1) << -1, 3).finished();
  const auto model = RidgeProbe{.lambda = 2.0}.fit(x, Labels{0, 1});
  CHECK(model.weights()(1, 0) == Approx(0.2).epsilon(1e-14));
  CHECK(model.weights()(0, 0) == Approx(-0.2).epsilon(1e-14));
  CHECK(model.intercept()(1) == Approx(0.3).epsilon(1e-14));
  CHECK(model.intercept()(0) == Approx(0.7).epsilon(1e-14));
  CHECK(model.scores(RowMatrix::Constant(1, 1, 6.0F))(0, 1) == Approx(1.5).epsilon(1e-6));
  CHECK(model.predict(x) == Labels{0, 1});
  CHECK(model.lambda() == 2.0);
}

TEST_CASE("RidgeProbe: weights, intercepts and values are NumPy's and scikit-learn's", "[eval][ridge_probe]") {
  const auto& numbers = reference::numbers();
  const RowMatrix x = reference::matrix(numbers["x"]);
  const RowMatrix queries = reference::matrix(numbers["queries"]);
  for (const auto& item : reference::probes()["ridge"]["classes"]) {
    const auto model = RidgeProbe{.lambda = item["lambda"].get<double>()}.fit(x, reference::labels(numbers["y"]));
    CHECK(relative_difference(model.weights(), reference::matrix<double>(item["weights"])) < 1e-12);
    const auto intercept = item["intercept"].get<std::vector<double>>();
    CHECK(relative_difference(model.intercept(), Eigen::Map<const Eigen::VectorXd>(intercept.data(), 4)) < 1e-12);
    const RowMatrixD values = reference::matrix<double>(item["values"]);
    CHECK(relative_difference(model.scores(queries).cast<double>(), values) < 1e-7);  // rounded to float32
  }
  const RowMatrix targets = reference::matrix(reference::probes()["targets"]);
  for (const auto& item : reference::probes()["ridge"]["targets"]) {
    const auto model = RidgeProbe{.lambda = item["lambda"].get<double>()}.fit(x, targets);
    CHECK(model.targets() == 3);
    CHECK(relative_difference(model.weights(), reference::matrix<double>(item["weights"])) < 1e-12);
    CHECK(relative_difference(model.predict(queries).cast<double>(), reference::matrix<double>(item["values"])) < 1e-7);
  }
}

TEST_CASE("RidgeProbe: with fewer rows than columns too, by the Gram matrix", "[eval][ridge_probe]") {
  const auto& wide = reference::probes()["wide"];
  for (const auto& item : reference::probes()["ridge"]["wide"]) {
    const auto model = RidgeProbe{.lambda = item["lambda"].get<double>()}.fit(reference::matrix(wide["x"]),
                                                                              reference::matrix(wide["targets"]));
    CHECK(relative_difference(model.weights(), reference::matrix<double>(item["weights"])) < 1e-11);
    CHECK(relative_difference(model.predict(reference::matrix(wide["queries"])).cast<double>(),
                              reference::matrix<double>(item["values"])) < 1e-7);
  }
}

TEST_CASE("RidgeProbe: the values for many rows are those of a program in float64", "[eval][ridge_probe][outside]") {
  const auto collection = reference::Collection::open();
  if (!collection) return;
  const auto& expected = collection->expected()["ridge"];
  const auto model =
      RidgeProbe{.lambda = expected["lambda"].get<double>()}.fit(collection->features("X"), collection->labels("y"));
  const RowMatrix queries = collection->features("T");
  CHECK(relative_difference(model.scores(queries).cast<double>(), collection->values("ridge_scores")) < 1e-7);
  CHECK(jessl::eval::accuracy(model.predict(queries), collection->labels("yt")) ==
        expected["test_accuracy"].get<double>());
}

TEST_CASE("RidgeProbe: the gradient vanishes over several blocks, batches and tiles", "[eval][ridge_probe]") {
  // Sizes beyond a batch of 4096 rows and a tile of 64 columns, and no round numbers; then fewer rows than columns.
  for (const auto& [rows, columns] : {std::pair{4500, 131}, std::pair{150, 700}}) {
    const RowMatrix x = normal_matrix(3, rows, columns).array() + 0.5F;
    const RowMatrix targets = normal_matrix(4, rows, 3).array() - 2.0F;
    const auto model = RidgeProbe{.lambda = 5.0}.fit(x, targets);
    const Eigen::MatrixXd features = x.cast<double>();
    const Eigen::MatrixXd residual =
        ((features * model.weights().transpose()).rowwise() + model.intercept().transpose()) - targets.cast<double>();
    CHECK((residual.transpose() * features + 5.0 * model.weights()).cwiseAbs().maxCoeff() < 1e-8);
    CHECK(residual.colwise().sum().cwiseAbs().maxCoeff() < 1e-8);
  }
}

TEST_CASE("RidgeProbe: labels are targets of 0 and 1", "[eval][ridge_probe]") {
  for (const std::int64_t columns : {9, 80}) {
    const reference::Clusters train(5, 60, columns, 4);
    RowMatrix one_hot = RowMatrix::Zero(60, 4);
    for (Eigen::Index i = 0; i < 60; ++i) one_hot(i, train.y[static_cast<std::size_t>(i)]) = 1.0F;
    const RidgeProbe probe{.lambda = 3.0};
    const auto model = probe.fit(train.x, train.y);
    CHECK(relative_difference(model.weights(), probe.fit(train.x, one_hot).weights()) < 1e-12);
    CHECK((model.scores(train.x).rowwise().sum().array() - 1.0F).abs().maxCoeff() < 1e-6F);
  }
}

TEST_CASE("RidgeProbe: the intercept is not penalised", "[eval][ridge_probe]") {
  const reference::Clusters train(6, 50, 5, 2);
  const auto model = RidgeProbe{.lambda = 1e15}.fit(train.x, train.y);
  CHECK(model.weights().cwiseAbs().maxCoeff() < 1e-12);
  const auto ones = static_cast<double>(std::count(train.y.begin(), train.y.end(), 1));
  CHECK(model.intercept()(1) == Approx(ones / 50.0).epsilon(1e-10));

  const RowMatrix targets = normal_matrix(7, 50, 2);
  const auto plain = RidgeProbe{.lambda = 4.0}.fit(train.x, targets);
  const auto moved = RidgeProbe{.lambda = 4.0}.fit(train.x, RowMatrix(targets.array() + 64.0F));
  CHECK(relative_difference(moved.weights(), plain.weights()) < 1e-5);  // targets + 64 are rounded to float32
  CHECK(relative_difference(moved.intercept(), plain.intercept().array() + 64.0) < 1e-5);
}

TEST_CASE("RidgeProbe: a large mean of the features costs no digits", "[eval][ridge_probe]") {
  // Multiples of 1/64 up to 4, so that 1024 more is exact in float32.
  const RowMatrix x = (normal_matrix(8, 200, 6) * 64.0F).array().round().max(-256.0F).min(256.0F) / 64.0F;
  const RowMatrix far = x.array() + 1024.0F;
  const RowMatrix targets = normal_matrix(9, 200, 2);
  for (const double lambda : {1e-4, 1.0}) {
    const RidgeProbe probe{.lambda = lambda};
    const RowMatrix expected = probe.fit(x, targets).predict(x);
    CHECK((probe.fit(far, targets).predict(far) - expected).cwiseAbs().maxCoeff() < 1e-6F);
  }
}

TEST_CASE("RidgeProbe: constant columns, repeated columns, one class and one row are possible", "[eval][ridge_probe]") {
  reference::Clusters train(10, 40, 6, 3);
  train.x.col(2).setConstant(0.1F);
  train.x.col(4) = train.x.col(3);
  const auto model = RidgeProbe{.lambda = 1e-3}.fit(train.x, train.y);
  CHECK(model.weights().col(2).cwiseAbs().maxCoeff() < 1e-9);
  CHECK(relative_difference(model.weights().col(4), model.weights().col(3)) < 1e-6);
  const auto constant = RidgeProbe{}.fit(RowMatrix::Ones(4, 3), Labels{1, 1, 1, 0});
  CHECK(constant.predict(RowMatrix::Zero(2, 3)) == Labels{1, 1});
  CHECK(RidgeProbe{}.fit(train.x, Labels(40, 0)).scores(train.x).isOnes(1e-6F));
  const auto one = RidgeProbe{}.fit(train.x.topRows(1), Labels{2});
  CHECK(one.predict(train.x) == Labels(40, 2));
}

TEST_CASE("RidgeProbe: several targets at once are what one each would be", "[eval][ridge_probe]") {
  const RowMatrix x = normal_matrix(11, 30, 4);
  const RowMatrix targets = normal_matrix(12, 30, 3);
  const auto together = RidgeProbe{}.fit(x, targets);
  for (Eigen::Index t = 0; t < 3; ++t) {
    const Eigen::VectorXf column = targets.col(t);  // a vector is a matrix of one column
    const auto alone = RidgeProbe{}.fit(x, column);
    CHECK(alone.targets() == 1);
    CHECK(relative_difference(alone.weights(), together.weights().row(t)) < 1e-12);
  }
}

TEST_CASE("RidgeProbe: the number of threads changes no bit of a regression", "[eval][ridge_probe]") {
  for (const std::int64_t columns : {70, 900}) {
    const RowMatrix x = normal_matrix(13, 700, columns);
    const RowMatrix targets = normal_matrix(14, 700, 5);
    const RowMatrix expected = RidgeProbe{.threads = 1}.fit(x, targets).predict(x);
    for (const std::int64_t threads : {2, 3, 7}) {
      CHECK((RidgeProbe{.threads = threads}.fit(x, targets).predict(x).array() == expected.array()).all());
    }
  }
}

TEST_CASE("RidgeProbe: settings and targets that cannot be used are errors that name them", "[eval][ridge_probe]") {
  const reference::Clusters train(15, 20, 3, 2);
  CHECK_THROWS_AS(RidgeProbe{.lambda = 0}.fit(train.x, train.y), jessl::ConfigError);
  CHECK_THROWS_WITH(RidgeProbe{.lambda = 0}.fit(train.x, train.y),
                    "jessl::eval::RidgeProbe: lambda is 0, expected a finite number > 0");
  for (const double wrong : {-1.0, std::nan(""), std::numeric_limits<double>::infinity()}) {
    CHECK_THROWS_AS(RidgeProbe{.lambda = wrong}.fit(train.x, train.y), jessl::ConfigError);
    CHECK_THROWS_AS(RidgeProbe{.lambda = wrong}.fit(train.x, train.x), jessl::ConfigError);
  }
  CHECK_THROWS_AS(RidgeProbe{}.fit(train.x, RowMatrix::Zero(19, 2)), jessl::ShapeError);
  CHECK_THROWS_WITH(RidgeProbe{}.fit(train.x, RowMatrix::Zero(19, 2)),
                    Contains("X is [20, 3] but targets is [19, 2], expected one row of targets a row"));
  CHECK_THROWS_AS(RidgeProbe{}.fit(train.x, RowMatrix(20, 0)), jessl::DataError);
  CHECK_THROWS_AS(RidgeProbe{}.fit(RowMatrix(0, 3), RowMatrix(0, 2)), jessl::DataError);
  RowMatrix targets = RowMatrix::Zero(20, 2);
  targets(7, 1) = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_AS(RidgeProbe{}.fit(train.x, targets), jessl::DataError);
  CHECK_THROWS_WITH(RidgeProbe{}.fit(train.x, targets),
                    Contains("targets(7, 1) is nan, expected a finite number; leave rows without a target out"));
  RowMatrix x = train.x;
  x(3, 2) = std::numeric_limits<float>::infinity();
  CHECK_THROWS_WITH(RidgeProbe{}.fit(x, RowMatrix::Zero(20, 2)), Contains("X(3, 2) is inf"));
  CHECK_THROWS_WITH(RidgeProbe{}.fit(train.x, targets.leftCols(1)).predict(RowMatrix::Zero(2, 4)),
                    Contains("X is [2, 4], expected [N, D] = [2, 3]"));
}

TEST_CASE("RidgeProbe: a lambda that vanishes beside dependent features is an error", "[eval][ridge_probe]") {
  RowMatrix x = normal_matrix(16, 30, 3);
  x.col(2) = x.col(1);
  const Labels y = reference::Clusters(16, 30, 3, 2).y;
  CHECK_THROWS_AS(RidgeProbe{.lambda = 1e-18}.fit(x, y), jessl::ConfigError);
  CHECK_THROWS_WITH(RidgeProbe{.lambda = 1e-18}.fit(x, y), Contains("lambda is 1e-18, too small"));
  CHECK_THROWS_AS(RidgeProbe{.lambda = 1e-18}.fit(normal_matrix(17, 10, 20), Labels(10, 1)), jessl::ConfigError);
  // Scales that differ are no dependence.
  x.col(2) = 1e-6F * normal_matrix(18, 30, 1);
  x.col(0) *= 1e6F;
  CHECK_NOTHROW(RidgeProbe{.lambda = 1e-18}.fit(x, y));
}
