// SPDX-License-Identifier: Apache-2.0
// Standardising against numbers worked out by hand and by scikit-learn.
#include <catch2/catch.hpp>

#include <limits>

#include <jessl/eval/standardize.hpp>

#include "eval/reference.hpp"

using jessl::RowMatrix;
using jessl::eval::Standardize;

TEST_CASE("Standardize: each dimension gets mean 0 and standard deviation 1", "[eval][standardize]") {
  // Column 1: 2, 4, 6 has mean 4 and variance (4 + 0 + 4) / 3.
  const RowMatrix x = (RowMatrix(3, 2) << 0, 2, 0, 4, 3, 6).finished();
  const auto fitted = Standardize{}.fit(x);
  const RowMatrix z = fitted.transform(x);
  CHECK(z(0, 1) == Approx(-2.0 / std::sqrt(8.0 / 3.0)).epsilon(1e-6));
  CHECK(z(1, 1) == 0.0F);
  CHECK(z.colwise().mean().cwiseAbs().maxCoeff() < 1e-6F);
  CHECK(z.colwise().squaredNorm().isApproxToConstant(3.0F, 1e-6F));
  CHECK(fitted.transform(RowMatrix::Constant(1, 2, 4.0F))(0, 1) == 0.0F);  // other rows, the training rows' numbers
}

TEST_CASE("Standardize: means and deviations are scikit-learn's", "[eval][standardize]") {
  const auto fitted = Standardize{}.fit(reference::matrix(reference::numbers()["x"]));
  const auto& expected = reference::numbers()["standardize"];
  for (Eigen::Index j = 0; j < fitted.dimension(); ++j) {
    CHECK(fitted.mean()(j) == Approx(expected["mean"][static_cast<std::size_t>(j)].get<double>()).epsilon(1e-12));
    CHECK(fitted.deviation()(j) ==
          Approx(expected["deviation"][static_cast<std::size_t>(j)].get<double>()).epsilon(1e-12));
  }
}

TEST_CASE("Standardize: a constant dimension becomes 0", "[eval][standardize]") {
  RowMatrix x = RowMatrix::Constant(1000, 3, 0.1F);  // 0.1 is no binary fraction: its mean is rounded
  x.col(1).setLinSpaced(0.0F, 1.0F);
  x(0, 2) = std::nextafter(0.1F, 1.0F);  // no more than rounding
  const auto fitted = Standardize{}.fit(x);
  const RowMatrix z = fitted.transform(x);
  CHECK(z.col(0).isZero(0.0F));
  CHECK_FALSE(z.col(1).isZero(0.1F));
  CHECK(z.col(2).isZero(0.0F));
  CHECK(fitted.transform(RowMatrix::Constant(1, 3, 7.0F))(0, 0) == 0.0F);
}

TEST_CASE("Standardize: wrong shapes, no rows and NaN are errors", "[eval][standardize]") {
  using Catch::Matchers::Contains;
  const auto fitted = Standardize{}.fit(RowMatrix::Identity(3, 3));
  CHECK_THROWS_AS(fitted.transform(RowMatrix::Zero(2, 4)), jessl::ShapeError);
  CHECK_THROWS_WITH(fitted.transform(RowMatrix::Zero(2, 4)), Contains("X is [2, 4], expected [N, D] = [2, 3]"));
  CHECK_THROWS_AS(Standardize{}.fit(RowMatrix(0, 3)), jessl::DataError);
  RowMatrix x = RowMatrix::Zero(3, 3);
  x(2, 1) = std::numeric_limits<float>::infinity();
  CHECK_THROWS_WITH(Standardize{}.fit(x),
                    Contains("jessl::eval::Standardize: X(2, 1) is inf, expected a finite number"));
  CHECK_THROWS_AS(fitted.transform(x), jessl::DataError);
}
