// SPDX-License-Identifier: Apache-2.0
// Principal components against scikit-learn's, against what they are by definition, and where there are none.
#include <catch2/catch.hpp>

#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include <jessl/eval/pca.hpp>

#include "eval/features.hpp"

using Catch::Matchers::Contains;
using jessl::RowMatrix;
using jessl::eval::PCA;
using jessl::eval::RowMatrixD;

TEST_CASE("PCA: the example of the documentation runs", "[eval][pca]") {
  const RowMatrix features = reference::decaying(reference::gaussian(1, 200, 16), 0.5);
  // [example]
  const auto pca = jessl::eval::PCA{.components = 2}.fit(features);
  const jessl::RowMatrix plane = pca.transform(features);              // [N, 2]
  const double shown = pca.explained_variance_ratio().sum();           // of the variance, 0 to 1
  const Eigen::RowVectorXd first_direction = pca.components().row(0);  // [D]
  // [/example]
  CHECK(plane.rows() == 200);
  CHECK(plane.cols() == 2);
  CHECK((shown > 0.0 && shown < 1.0));
  CHECK(first_direction.norm() == Approx(1.0).epsilon(1e-14));
}

TEST_CASE("PCA: components, variances and transformed rows are scikit-learn's", "[eval][pca]") {
  const auto& all = reference::probes()["principal_components"];
  REQUIRE(all.size() == 4);
  for (const auto& [name, expected] : all.items()) {
    INFO(name);
    const auto components = static_cast<std::int64_t>(expected["components"].size());
    const RowMatrix x = reference::matrix(expected["x"]);
    const auto fitted = PCA{.components = components}.fit(x);
    REQUIRE(fitted.dimension() == x.cols());
    // Both are float64; the directions of close eigenvalues are off by rounding over their distance.
    CHECK((fitted.components() - reference::matrix<double>(expected["components"])).cwiseAbs().maxCoeff() < 1e-9);
    const RowMatrix transformed = fitted.transform(reference::matrix(expected["queries"]));
    const RowMatrix wanted = reference::matrix(expected["transformed"]);
    CHECK((transformed - wanted).cwiseAbs().maxCoeff() <= 2e-7F * wanted.cwiseAbs().maxCoeff());  // float32
    for (Eigen::Index k = 0; k < components; ++k) {
      const auto i = static_cast<std::size_t>(k);
      const double variance = expected["explained_variance"][i].get<double>();
      CHECK(fitted.explained_variance()(k) == Approx(variance).epsilon(1e-10));
      const double ratio = expected["explained_variance_ratio"][i].get<double>();
      CHECK(fitted.explained_variance_ratio()(k) == Approx(ratio).epsilon(1e-10));
    }
    for (Eigen::Index j = 0; j < x.cols(); ++j)
      CHECK(fitted.mean()(j) == Approx(expected["mean"][static_cast<std::size_t>(j)].get<double>()).epsilon(1e-12));
  }
}

TEST_CASE("PCA: directions are orthonormal, and rows along them uncorrelated, with the variances it tells",
          "[eval][pca]") {
  // 70 columns are two tiles, 1,100 rows several blocks; the other way round the Gram matrix is decomposed.
  const RowMatrix tall = reference::rotated(reference::decaying(reference::gaussian(3, 1100, 70), 0.7), 4);
  for (const RowMatrix& x : {tall, RowMatrix(tall.transpose())}) {
    constexpr std::int64_t components = 69;  // all but the last, which 70 centred rows do not have
    const auto fitted = PCA{.components = components}.fit(x);
    const RowMatrixD& directions = fitted.components();
    CHECK((directions * directions.transpose() - RowMatrixD::Identity(components, components)).cwiseAbs().maxCoeff() <
          1e-10);
    const RowMatrixD along = fitted.transform(x).cast<double>();
    CHECK(along.colwise().mean().cwiseAbs().maxCoeff() < 1e-6);
    const RowMatrixD covariance = along.transpose() * along / static_cast<double>(x.rows() - 1);
    const RowMatrixD expected = fitted.explained_variance().asDiagonal();
    CHECK((covariance - expected).cwiseAbs().maxCoeff() < 1e-6 * expected(0, 0));  // of values in float32
    CHECK(fitted.explained_variance_ratio().sum() == Approx(1.0).epsilon(0.01));
    for (Eigen::Index k = 0; k < components; ++k) {
      CHECK(directions.row(k).maxCoeff() == directions.row(k).cwiseAbs().maxCoeff());
      if (k > 0) CHECK(fitted.explained_variance()(k) <= fitted.explained_variance()(k - 1));
    }
  }
}

TEST_CASE("PCA: a sign is defined: the entry of largest absolute value is positive, of equal ones the first",
          "[eval][pca]") {
  // Along (3, -4) / 5, whichever way the rows go.
  const RowMatrix x = (RowMatrix(4, 2) << 3, -4, -3, 4, 6, -8, -6, 8).finished();
  const RowMatrixD direction = PCA{.components = 1}.fit(x).components();
  CHECK(direction(0, 0) == Approx(-0.6).epsilon(1e-14));
  CHECK(direction(0, 1) == Approx(0.8).epsilon(1e-14));
  CHECK(PCA{.components = 1}.fit(-x).components().isApprox(direction, 1e-14));
  const RowMatrix equal = (RowMatrix(2, 2) << -1, 1, 1, -1).finished();
  CHECK(PCA{.components = 1}.fit(equal).components()(0, 0) == Approx(std::sqrt(0.5)).epsilon(1e-14));
}

TEST_CASE("PCA: where the rows do not vary there is no component", "[eval][pca]") {
  // Whole numbers, seven times the same column: the second and third component are none, with fewer columns than rows
  // and with more.
  const RowMatrix line = (100.0F * reference::gaussian(5, 40, 1)).array().round().matrix().replicate(1, 7);
  for (const RowMatrix& x : {line, RowMatrix(line.topRows(4))}) {
    const auto fitted = PCA{.components = 3}.fit(x);
    CHECK(fitted.components().row(0).isApproxToConstant(std::sqrt(1.0 / 7.0), 1e-13));
    CHECK(fitted.explained_variance_ratio()(0) == Approx(1.0).epsilon(1e-12));
    CHECK(fitted.explained_variance().tail(2).isZero(0.0));
    CHECK(fitted.components().bottomRows(2).isZero(0.0));
    CHECK(fitted.transform(reference::gaussian(6, 5, 7)).rightCols(2).isZero(0.0F));
  }
  // Two rows differ along one line.
  const auto two = PCA{}.fit((RowMatrix(2, 3) << 0, 0, 0, 3, 0, 4).finished());
  CHECK(two.components().row(0).isApprox(Eigen::RowVector3d(0.6, 0.0, 0.8), 1e-14));
  CHECK(two.explained_variance()(0) == Approx(12.5).epsilon(1e-14));  // 2 * 2.5^2 / 1
  CHECK(two.explained_variance()(1) == 0.0);
  // All rows are equal: everything is 0, which is where the points of a collapsed encoder are.
  for (const auto& [rows, columns] : {std::pair{2000, 9}, std::pair{6, 30}}) {
    const RowMatrix constant = RowMatrix::Constant(rows, columns, 0.1F);  // 0.1 is no binary fraction
    const auto fitted = PCA{}.fit(constant);
    CHECK(fitted.explained_variance().isZero(0.0));
    CHECK(fitted.explained_variance_ratio().isZero(0.0));
    CHECK(fitted.transform(constant).isZero(0.0F));
  }
}

TEST_CASE("PCA: constant dimensions have no part in a component", "[eval][pca]") {
  RowMatrix x = reference::gaussian(6, 90, 12);
  x.col(3).setConstant(7.0F);
  x.col(8).setZero();
  const auto fitted = PCA{.components = 12}.fit(x);
  CHECK(fitted.components().col(3).isZero(1e-14));
  CHECK(fitted.components().col(8).isZero(1e-14));
  CHECK((fitted.explained_variance().array() > 0.0).count() == 10);
}

TEST_CASE("PCA: scales from the smallest to the largest floats", "[eval][pca]") {
  const RowMatrix x = reference::gaussian(7, 50, 8);
  const auto expected = PCA{.components = 8}.fit(x);
  for (const float scale : {0x1p-100F, 0x1p100F}) {
    const RowMatrix scaled = scale * x;
    const auto fitted = PCA{.components = 8}.fit(scaled);
    CHECK(fitted.components().isApprox(expected.components(), 1e-12));
    const RowMatrix along = fitted.transform(scaled) / scale;
    CHECK(along.isApprox(expected.transform(x), 1e-6F));
  }
}

TEST_CASE("PCA: mistakes are errors, and threads change no bit", "[eval][pca]") {
  const reference::Metric sum = [](const RowMatrix& x, std::int64_t threads) {
    const auto fitted = PCA{.components = 3, .threads = threads}.fit(x);
    return fitted.components().sum() + fitted.explained_variance().sum() + double{fitted.transform(x).sum()};
  };
  reference::check_errors_of_input("jessl::eval::PCA", sum);
  reference::check_threads(sum);
  CHECK_THROWS_AS(PCA{}.fit(RowMatrix::Ones(1, 3)), jessl::DataError);
  CHECK_THROWS_WITH(PCA{}.fit(RowMatrix::Ones(1, 3)), Contains("X is [1, 3], expected at least 2 rows"));
  for (const std::int64_t components : {-1, 0, 5}) {
    CHECK_THROWS_AS(PCA{.components = components}.fit(RowMatrix::Identity(4, 6)), jessl::ConfigError);
    CHECK_THROWS_WITH(PCA{.components = components}.fit(RowMatrix::Identity(4, 6)),
                      Contains("jessl::eval::PCA: components is " + std::to_string(components) +
                               ", expected 1 to 4, the smaller side of X, [4, 6]"));
  }
  const auto fitted = PCA{}.fit(RowMatrix::Identity(4, 6));
  CHECK_THROWS_AS(fitted.transform(RowMatrix::Zero(2, 5)), jessl::ShapeError);
  CHECK_THROWS_WITH(fitted.transform(RowMatrix::Zero(2, 5)), Contains("X is [2, 5], expected [N, D] = [2, 6]"));
  RowMatrix broken = RowMatrix::Zero(2, 6);
  broken(1, 4) = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_WITH(fitted.transform(broken), Contains("jessl::eval::PCA: X(1, 4) is nan"));
  CHECK(fitted.transform(RowMatrix(0, 6)).rows() == 0);
}

TEST_CASE("PCA: its settings survive JSON", "[eval][pca]") {
  const PCA settings{.components = 7, .threads = 3};
  CHECK(jessl::same_options(jessl::from_json<PCA>(jessl::to_json(settings)), settings));
  CHECK_FALSE(jessl::same_options(settings, PCA{}));
}
