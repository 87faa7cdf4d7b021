// SPDX-License-Identifier: Apache-2.0
// The linear probe against optima that other programs found, and against the conditions of an optimum.
#include <catch2/catch.hpp>

#include <cmath>
#include <vector>

#include <jessl/core/draw.hpp>
#include <jessl/eval/accuracy.hpp>
#include <jessl/eval/logistic_probe.hpp>
#include <jessl/eval/standardize.hpp>

#include "eval/reference.hpp"
#include "support/captured_log.hpp"

namespace {

using Catch::Matchers::Contains;
using jessl::RowMatrix;
using jessl::eval::LogisticProbe;
using Labels = std::vector<std::int64_t>;

/// The objective and its gradient in float64, straight from the definition.
struct Plain {
  double objective = 0.0;
  Eigen::MatrixXd weight_gradient;
  Eigen::VectorXd intercept_gradient;

  template <class Model>
  Plain(const Model& model, const RowMatrix& x, const Labels& y, double l2) {
    const Eigen::MatrixXd features = x.cast<double>();
    const Eigen::MatrixXd weights = model.weights().template cast<double>();
    Eigen::MatrixXd residual =
        (features * weights.transpose()).rowwise() + model.intercept().template cast<double>().transpose();
    for (Eigen::Index i = 0; i < x.rows(); ++i) {
      const double largest = residual.row(i).maxCoeff();
      const double log_sum = largest + std::log((residual.row(i).array() - largest).exp().sum());
      const auto label = y[static_cast<std::size_t>(i)];
      objective += log_sum - residual(i, label);
      residual.row(i) = (residual.row(i).array() - log_sum).exp();
      residual(i, label) -= 1.0;
    }
    const auto rows = static_cast<double>(x.rows());
    objective = objective / rows + 0.5 * l2 * weights.squaredNorm();
    weight_gradient = residual.transpose() * features / rows + l2 * weights;
    intercept_gradient = residual.colwise().sum().transpose() / rows;
  }
};

}  // namespace

TEST_CASE("LogisticProbe: the example of the documentation runs", "[eval][logistic_probe]") {
  const reference::Clusters train(1, 300, 8, 3);
  const reference::Clusters test(2, 100, 8, 3);
  const RowMatrix &features = train.x, &queries = test.x;
  const Labels &labels = train.y, &expected = test.y;
  // [example]
  const auto scale = jessl::eval::Standardize{}.fit(features);
  const auto probe = jessl::eval::LogisticProbe{.l2 = 1e-4}.fit(scale.transform(features), labels);
  const double top1 = jessl::eval::accuracy(probe.predict(scale.transform(queries)), expected);
  // [/example]
  CHECK(top1 > 0.7);
  CHECK(probe.converged());
}

TEST_CASE("LogisticProbe: objective, weights and predictions are scikit-learn's", "[eval][logistic_probe]") {
  const auto& numbers = reference::numbers();
  const RowMatrix x = reference::matrix(numbers["x"]);
  for (const auto& item : numbers["logistic"]) {
    const auto model = LogisticProbe{.l2 = item["l2"].get<double>()}.fit(x, reference::labels(numbers["y"]));
    CHECK(model.converged());
    CHECK(model.objective() == Approx(item["objective"].get<double>()).epsilon(1e-6));  // float32 logits
    CHECK((model.weights() - reference::matrix(item["weights"])).cwiseAbs().maxCoeff() < 1e-3F);
    CHECK(model.predict(reference::matrix(numbers["queries"])) == reference::labels(item["predicted"]));
  }
}

TEST_CASE("LogisticProbe: the optimum for many rows is scikit-learn's", "[eval][logistic_probe][outside]") {
  const auto collection = reference::Collection::open();
  if (!collection) return;
  const auto& expected = collection->expected()["logistic"];
  const auto model =
      LogisticProbe{.l2 = expected["l2"].get<double>()}.fit(collection->features("X"), collection->labels("y"));
  CHECK(model.objective() == Approx(expected["objective"].get<double>()).epsilon(1e-6));
  const auto predicted = model.predict(collection->features("T"));
  CHECK(predicted == collection->labels("logistic_pred"));
  CHECK(jessl::eval::accuracy(predicted, collection->labels("yt")) == expected["test_accuracy"].get<double>());
}

TEST_CASE("LogisticProbe: at the end the gradient is below the tolerance, by float64's account too",
          "[eval][logistic_probe]") {
  const reference::Clusters train(3, 2000, 20, 5);
  const auto model = LogisticProbe{.l2 = 1e-3}.fit(train.x, train.y);
  const Plain plain(model, train.x, train.y, 1e-3);
  CHECK(model.converged());
  CHECK(model.gradient_norm() <= 1e-6);
  CHECK(model.objective() == Approx(plain.objective).epsilon(1e-6));
  // The weights are rounded to float32 when they are handed out: 6e-8 of them, times the curvature.
  CHECK(plain.weight_gradient.cwiseAbs().maxCoeff() < 2e-6);
  CHECK(plain.intercept_gradient.cwiseAbs().maxCoeff() < 2e-6);
}

TEST_CASE("LogisticProbe: the intercept is not penalised", "[eval][logistic_probe]") {
  // Features without information: the optimum is W = 0 with the classes' log frequencies, whatever the penalty.
  const RowMatrix x = RowMatrix::Zero(10, 3);
  const Labels y{0, 0, 0, 0, 0, 0, 0, 1, 1, 1};
  const auto model = LogisticProbe{.l2 = 10.0}.fit(x, y);
  CHECK(model.intercept()(0) - model.intercept()(1) == Approx(std::log(7.0 / 3.0)).epsilon(1e-4));
  CHECK(model.intercept().sum() == Approx(0.0).margin(1e-6));
  CHECK(model.weights().isZero(1e-6F));
  CHECK(model.objective() == Approx(-0.7 * std::log(0.7) - 0.3 * std::log(0.3)).epsilon(1e-6));
}

TEST_CASE("LogisticProbe: correlated features of very different scales take few steps", "[eval][logistic_probe]") {
  reference::Clusters train(4, 3000, 12, 4);
  for (Eigen::Index j = 0; j < 12; ++j)
    train.x.col(j) *= std::pow(10.0F, static_cast<float>(j % 5) - 2.0F);  // 0.01 to 100
  train.x.col(11) += 30.0F * train.x.col(0);
  train.x.array() += 1.0F;
  const auto model = LogisticProbe{.l2 = 1e-6}.fit(train.x, train.y);
  CHECK(model.converged());
  CHECK(model.iterations() < 60);
  CHECK(model.objective() == Approx(Plain(model, train.x, train.y, 1e-6).objective).epsilon(1e-5));
}

TEST_CASE("LogisticProbe: features that are seldom non-zero take few steps", "[eval][logistic_probe]") {
  // Each feature is there in one row of 200, as an untrained network's often are; standardised, its values are large.
  reference::Clusters train(8, 4000, 64, 4);
  jessl::Draw draw({.seed = 8, .purpose = jessl::Purpose::initialisation});
  for (float& value : train.x.reshaped()) value = draw.uniform() < 0.005 ? std::abs(value) : 0.0F;
  const RowMatrix x = jessl::eval::Standardize{}.fit(train.x).transform(train.x);
  const auto model = LogisticProbe{.l2 = 1e-4, .tolerance = 1e-4}.fit(x, train.y);
  CHECK(model.converged());
  CHECK(model.iterations() < 40);
}

TEST_CASE("LogisticProbe: more columns than rows, columns without values and one class are possible",
          "[eval][logistic_probe]") {
  reference::Clusters train(5, 30, 50, 3);
  train.x.col(7).setZero();
  train.x.col(8).setOnes();
  const auto model = LogisticProbe{.l2 = 1e-2}.fit(train.x, train.y);
  CHECK(model.converged());
  CHECK(model.predict(train.x) == train.y);
  CHECK(model.weights().col(7).isZero(1e-6F));
  const auto one = LogisticProbe{}.fit(train.x, Labels(30, 0));
  CHECK(one.converged());
  CHECK(one.objective() == 0.0);
}

TEST_CASE("LogisticProbe: separable features without a penalty end, with weights that stay finite",
          "[eval][logistic_probe]") {
  const RowMatrix x = (RowMatrix(4, 1) << -2, -1, 1, 2).finished();
  const auto model = LogisticProbe{.l2 = 0.0}.fit(x, Labels{0, 0, 1, 1});
  CHECK(model.weights().allFinite());
  CHECK(model.objective() < 1e-4);
  CHECK(model.predict(x) == Labels{0, 0, 1, 1});
}

TEST_CASE("LogisticProbe: huge logits give a finite loss", "[eval][logistic_probe]") {
  RowMatrix x = (RowMatrix(4, 1) << -2e4F, 1e4F, -1e4F, 2e4F).finished();
  const auto model = LogisticProbe{.l2 = 1e-12}.fit(x, Labels{0, 0, 1, 1});
  CHECK(std::isfinite(model.objective()));
  CHECK(model.objective() <= std::log(2.0) + 1e-6);
}

TEST_CASE("LogisticProbe: ending short of the tolerance is a warning, and converged() says so",
          "[eval][logistic_probe]") {
  const reference::Clusters train(6, 200, 10, 3);
  const jessl::test::CapturedLog log;
  const auto model = LogisticProbe{.l2 = 1e-4, .max_iterations = 2}.fit(train.x, train.y);
  CHECK_FALSE(model.converged());
  CHECK(model.iterations() == 2);
  REQUIRE(log.messages.size() == 1);
  CHECK_THAT(log.messages[0],
             Contains("jessl::eval::LogisticProbe: stopped after 2 steps") && Contains("tolerance 1e-06"));
}

TEST_CASE("LogisticProbe: settings out of range are errors that name them", "[eval][logistic_probe]") {
  const reference::Clusters train(7, 20, 2, 2);
  CHECK_THROWS_WITH(LogisticProbe{.l2 = -1}.fit(train.x, train.y),
                    "jessl::eval::LogisticProbe: l2 is -1, expected a finite number >= 0");
  CHECK_THROWS_AS(LogisticProbe{.l2 = std::nan("")}.fit(train.x, train.y), jessl::ConfigError);
  CHECK_THROWS_AS(LogisticProbe{.tolerance = 0}.fit(train.x, train.y), jessl::ConfigError);
  CHECK_THROWS_AS(LogisticProbe{.max_iterations = 0}.fit(train.x, train.y), jessl::ConfigError);
}
