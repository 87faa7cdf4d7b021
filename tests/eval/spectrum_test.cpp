// SPDX-License-Identifier: Apache-2.0
// Spectra against NumPy's singular value decomposition, against closed forms, and where float32 products end.
#include <catch2/catch.hpp>

#include <cmath>

#include <Eigen/SVD>

#include <jessl/eval/alpha_req.hpp>
#include <jessl/eval/nesum.hpp>
#include <jessl/eval/rank_me.hpp>
#include <jessl/eval/spectrum.hpp>

#include "eval/features.hpp"

namespace {

using jessl::RowMatrix;

/// The singular values by a decomposition in float64.
Eigen::VectorXd decomposed(const RowMatrix& x) {
  return Eigen::JacobiSVD<Eigen::MatrixXd>(x.cast<double>()).singularValues();
}

double largest_difference(const Eigen::VectorXd& a, const Eigen::VectorXd& b) {
  REQUIRE(a.size() == b.size());
  return (a - b).cwiseAbs().maxCoeff();
}

}  // namespace

TEST_CASE("spectrum: the example of the documentation runs", "[eval][spectrum]") {
  const RowMatrix features = reference::decaying(reference::gaussian(1, 500, 64), 0.5);
  // [example]
  const auto spectrum = jessl::eval::spectrum(features);  // one decomposition
  const double rank = jessl::eval::rank_me(spectrum);
  const double alpha = jessl::eval::alpha_req(spectrum, {.first = 11, .last = 50});
  const double whiteness = jessl::eval::nesum(spectrum);
  // [/example]
  CHECK(rank == Approx(jessl::eval::rank_me(features)).epsilon(1e-12));
  CHECK(alpha == Approx(jessl::eval::alpha_req(features, {.first = 11, .last = 50})).epsilon(1e-12));
  CHECK(whiteness == Approx(jessl::eval::nesum(features)).epsilon(1e-12));
}

TEST_CASE("spectrum: singular values and eigenvalues are NumPy's", "[eval][spectrum]") {
  reference::for_each_features([](const RowMatrix& x, const auto& expected) {
    const auto spectrum = jessl::eval::spectrum(x);
    REQUIRE(spectrum.singular_values.size() == std::min(x.rows(), x.cols()));
    REQUIRE(spectrum.covariance_eigenvalues.size() == std::min(x.rows(), x.cols()));
    const auto& values = expected["singular_values"];
    const auto& eigenvalues = expected["covariance_eigenvalues"];
    const double largest = eigenvalues[0].template get<double>();
    for (Eigen::Index k = 0; k < spectrum.singular_values.size(); ++k) {
      const auto i = static_cast<std::size_t>(k);
      // The eigenvalues are off by a small part of the largest one of the centred features, float32's resolution.
      CHECK(spectrum.covariance_eigenvalues(k) == Approx(eigenvalues[i].template get<double>()).margin(1e-7 * largest));
      const double square = std::pow(values[i].template get<double>(), 2);
      const double rows = static_cast<double>(x.rows());
      CHECK(std::pow(spectrum.singular_values(k), 2) == Approx(square).margin(1e-7 * rows * largest));
      // Those that are 0 in float64 are 0.
      if (square < 1e-20 * rows * largest) CHECK(spectrum.singular_values(k) == 0.0);
    }
  });
}

TEST_CASE("spectrum: closed forms", "[eval][spectrum]") {
  const auto identity = jessl::eval::spectrum(RowMatrix::Identity(5, 5));
  CHECK(largest_difference(identity.singular_values, Eigen::VectorXd::Ones(5)) < 1e-6);
  // The covariance of the rows of I is (I - 1 1^T / 5) / 4.
  CHECK(largest_difference(identity.covariance_eigenvalues.head(4), Eigen::VectorXd::Constant(4, 0.25)) < 1e-7);
  CHECK(identity.covariance_eigenvalues(4) == 0.0);

  const RowMatrix one_row = (RowMatrix(1, 3) << 3, 0, 4).finished();
  CHECK(jessl::eval::spectrum(one_row).singular_values(0) == Approx(5.0).epsilon(1e-12));
  CHECK(jessl::eval::spectrum(one_row).covariance_eigenvalues(0) == 0.0);
  const RowMatrix one_column = (RowMatrix(4, 1) << 1, 2, 3, 4).finished();
  CHECK(jessl::eval::spectrum(one_column).singular_values(0) == Approx(std::sqrt(30.0)).epsilon(1e-6));
  CHECK(jessl::eval::spectrum(one_column).covariance_eigenvalues(0) == Approx(5.0 / 3.0).epsilon(1e-6));
}

TEST_CASE("spectrum: constant features have one singular value and no covariance", "[eval][spectrum]") {
  for (const auto& [rows, columns] : {std::pair{2000, 9}, std::pair{6, 30}}) {
    const RowMatrix x = RowMatrix::Constant(rows, columns, 0.1F);  // 0.1 is no binary fraction
    const auto spectrum = jessl::eval::spectrum(x);
    CHECK(spectrum.singular_values(0) == Approx(double{0.1F} * std::sqrt(rows * columns)).epsilon(1e-12));
    CHECK(spectrum.singular_values.tail(spectrum.singular_values.size() - 1).isZero(0.0));
    CHECK(spectrum.covariance_eigenvalues.isZero(0.0));
  }
  CHECK(jessl::eval::spectrum(RowMatrix::Zero(5, 4)).singular_values.isZero(0.0));
}

TEST_CASE("spectrum: is that of the decomposition over several blocks and tiles", "[eval][spectrum]") {
  // 70 columns are two tiles, 1,100 rows five blocks and two batches; the other way round for the Gram matrix.
  const RowMatrix tall = reference::decaying(reference::gaussian(3, 1100, 70), 0.7);
  const RowMatrix wide = tall.transpose();
  const Eigen::VectorXd expected = decomposed(tall);
  CHECK(largest_difference(jessl::eval::spectrum(tall).singular_values, expected) < 1e-5 * expected(0));
  CHECK(largest_difference(jessl::eval::spectrum(wide).singular_values, expected) < 1e-5 * expected(0));
}

TEST_CASE("spectrum: a large mean costs no accuracy", "[eval][spectrum]") {
  // Without taking the mean out, the products' rounding would be 1e-7 of 100^2 N, more than all of the eigenvalues.
  const RowMatrix spread = reference::decaying(reference::gaussian(4, 400, 20), 1.0);
  const RowMatrix x = spread.array() + 100.0F;
  const auto spectrum = jessl::eval::spectrum(x);
  const Eigen::VectorXd expected = decomposed(x);
  CHECK(largest_difference(spectrum.singular_values.tail(19), expected.tail(19)) < 1e-5 * expected(1));
  CHECK(spectrum.singular_values(0) == Approx(expected(0)).epsilon(1e-9));
}

TEST_CASE("spectrum: low rank is found: what is only rounding is 0", "[eval][spectrum]") {
  for (const auto& [rows, columns] : {std::pair{900, 80}, std::pair{80, 900}, std::pair{40, 40}, std::pair{5000, 33}}) {
    for (const Eigen::Index rank : {1, 5, 17}) {
      INFO(rows << " x " << columns << ", rank " << rank);
      // Whole numbers, whose products are no rounded ones.
      const RowMatrix left = (4.0F * reference::gaussian(5, rows, rank)).array().round();
      const RowMatrix right = (4.0F * reference::gaussian(6, rank, columns)).array().round();
      const auto spectrum = jessl::eval::spectrum(left * right);
      CHECK((spectrum.singular_values.array() > 0.0).count() == rank);
      CHECK((spectrum.covariance_eigenvalues.array() > 0.0).count() == rank);
    }
  }
}

TEST_CASE("spectrum: repeated rows, of which there are few different ones, have the rank of these",
          "[eval][spectrum]") {
  // Their products round alike in every block: without care the errors add up to false eigenvalues.
  const RowMatrix points = reference::gaussian(11, 4, 60);
  const auto spectrum = jessl::eval::spectrum(points.replicate(500, 1));
  CHECK((spectrum.singular_values.array() > 0.0).count() == 4);
  CHECK((spectrum.covariance_eigenvalues.array() > 0.0).count() == 3);
}

TEST_CASE("spectrum: values far below the largest are found by products in float64", "[eval][spectrum]") {
  const RowMatrix x = reference::rotated(reference::decaying(reference::gaussian(12, 400, 40), 3.5), 13);
  for (const RowMatrix& features : {x, RowMatrix(x.transpose())}) {
    const Eigen::VectorXd expected = decomposed(features);
    REQUIRE(expected(39) < 1e-5 * expected(0));  // its square is below float32's epsilon
    const auto spectrum = jessl::eval::spectrum(features);
    for (Eigen::Index k = 0; k < 40; ++k) CHECK(spectrum.singular_values(k) == Approx(expected(k)).epsilon(1e-4));
  }
}

TEST_CASE("spectrum: dead columns are 0, and cost nothing of the others", "[eval][spectrum]") {
  RowMatrix x = RowMatrix::Zero(300, 30);
  x.leftCols(20) = reference::gaussian(14, 300, 20);
  x.col(25).setConstant(3.0F);  // constant, but not 0: a direction of the mean
  const auto spectrum = jessl::eval::spectrum(x);
  CHECK((spectrum.singular_values.array() > 0.0).count() == 21);
  CHECK((spectrum.covariance_eigenvalues.array() > 0.0).count() == 20);
  CHECK(largest_difference(spectrum.singular_values, decomposed(x)) < 1e-5);
}

TEST_CASE("spectrum: scales from the smallest to the largest floats", "[eval][spectrum]") {
  const RowMatrix x = reference::gaussian(7, 50, 8);
  const auto expected = jessl::eval::spectrum(x);
  for (const float scale : {0x1p-120F, 0x1p100F}) {
    const auto scaled = jessl::eval::spectrum(scale * x);
    CHECK(largest_difference(scaled.singular_values / double{scale}, expected.singular_values) < 1e-6);
    CHECK((scaled.singular_values.array() > 0.0).all());
  }
}

TEST_CASE("spectrum: rotating features, permuting rows and doubling them", "[eval][spectrum]") {
  const RowMatrix x = reference::decaying(reference::gaussian(8, 300, 24), 0.5);
  const auto expected = jessl::eval::spectrum(x);
  const double tolerance = 1e-5 * expected.singular_values(0);  // of the rounded rotation
  CHECK(largest_difference(jessl::eval::spectrum(reference::rotated(x, 9)).singular_values, expected.singular_values) <
        tolerance);
  CHECK(largest_difference(jessl::eval::spectrum(x.colwise().reverse()).singular_values, expected.singular_values) <
        tolerance);
  RowMatrix twice(600, 24);
  twice << x, x;
  const auto doubled = jessl::eval::spectrum(twice);
  CHECK(largest_difference(doubled.singular_values / std::sqrt(2.0), expected.singular_values) < tolerance);
  CHECK(largest_difference(doubled.covariance_eigenvalues * (599.0 / 598.0), expected.covariance_eigenvalues) <
        tolerance);
}

TEST_CASE("spectrum: mistakes are errors, and threads change no bit", "[eval][spectrum]") {
  const reference::Metric sum = [](const RowMatrix& x, std::int64_t threads) {
    const auto spectrum = jessl::eval::spectrum(x, {.threads = threads});
    return spectrum.singular_values.sum() + spectrum.covariance_eigenvalues.sum();
  };
  reference::check_errors_of_input("jessl::eval::spectrum", sum);
  reference::check_threads(sum);
}

TEST_CASE("spectrum: columns of a wider matrix are taken without a copy", "[eval][spectrum]") {
  RowMatrix wide = RowMatrix::Constant(90, 40, 1e30F);
  wide.leftCols(12) = reference::gaussian(10, 90, 12);
  const RowMatrix alone = wide.leftCols(12);
  CHECK(jessl::eval::spectrum(wide.leftCols(12)).singular_values == jessl::eval::spectrum(alone).singular_values);
}
