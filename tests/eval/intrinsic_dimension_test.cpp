// SPDX-License-Identifier: Apache-2.0
// TwoNN against SciPy's matrix of all distances, and on points whose dimension is known.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <vector>

#include <jessl/core/draw.hpp>
#include <jessl/eval/intrinsic_dimension.hpp>

#include "eval/features.hpp"

namespace {

using Catch::Matchers::Contains;
using jessl::RowMatrix;
using jessl::eval::intrinsic_dimension;

/// Points of a cube, which have one density, turned into more dimensions.
RowMatrix cube(std::uint64_t seed, Eigen::Index rows, Eigen::Index dimension, Eigen::Index columns) {
  jessl::Draw draw({.seed = seed, .purpose = jessl::Purpose::initialisation});
  RowMatrix x = RowMatrix::Zero(rows, columns);
  for (Eigen::Index row = 0; row < rows; ++row)
    for (Eigen::Index d = 0; d < dimension; ++d) x(row, d) = static_cast<float>(draw.uniform());
  return reference::rotated(x, seed + 1);
}

/// The estimate from all distances in float64.
double by_all_distances(const RowMatrix& x, double discard) {
  std::vector<double> ratios;
  for (Eigen::Index i = 0; i < x.rows(); ++i) {
    std::vector<double> distances;
    for (Eigen::Index j = 0; j < x.rows(); ++j) {
      double squares = 0.0;
      for (const float *a = x.row(i).data(), *b = x.row(j).data(), *end = a + x.cols(); a != end; ++a, ++b)
        squares += (static_cast<double>(*a) - *b) * (static_cast<double>(*a) - *b);
      distances.push_back(std::sqrt(squares));
    }
    std::partial_sort(distances.begin(), distances.begin() + 3, distances.end());
    ratios.push_back(std::log(distances[2] / distances[1]));
  }
  std::sort(ratios.begin(), ratios.end());
  double products = 0.0;
  double squares = 0.0;
  const auto count = static_cast<double>(ratios.size());
  for (std::size_t i = 0; i < static_cast<std::size_t>((1.0 - discard) * count); ++i) {
    products -= ratios[i] * std::log1p(-static_cast<double>(i + 1) / count);
    squares += ratios[i] * ratios[i];
  }
  return products / squares;
}

}  // namespace

TEST_CASE("intrinsic_dimension: estimates are SciPy's", "[eval][intrinsic_dimension]") {
  reference::for_each_features([](const RowMatrix& x, const auto& expected) {
    for (const auto& item : expected["intrinsic_dimension"]) {
      CHECK(intrinsic_dimension(x, {.discard = item["discard"].template get<double>()}) ==
            Approx(item["value"].template get<double>()).epsilon(1e-9));  // float64, from the same float32 rows
    }
  });
}

TEST_CASE("intrinsic_dimension: is that of all distances over several tiles, with clusters and a large mean",
          "[eval][intrinsic_dimension]") {
  const RowMatrix even = cube(1, 1300, 4, 20);
  CHECK(intrinsic_dimension(even) == Approx(by_all_distances(even, 0.1)).epsilon(1e-9));
  // Neighbours are a thousandth of the distance between clusters, which float32 products do not resolve.
  RowMatrix clustered = 1e-3F * even;
  for (Eigen::Index row = 0; row < clustered.rows(); ++row)
    clustered.row(row).array() += static_cast<float>(row % 7) * 3.0F;
  CHECK(intrinsic_dimension(clustered) == Approx(by_all_distances(clustered, 0.1)).epsilon(1e-9));
  const RowMatrix shifted = even.array() + 50.0F;
  CHECK(intrinsic_dimension(shifted, {.discard = 0.3}) == Approx(by_all_distances(shifted, 0.3)).epsilon(1e-9));
}

TEST_CASE("intrinsic_dimension: points of a cube have its dimension, in however many columns",
          "[eval][intrinsic_dimension]") {
  for (const Eigen::Index dimension : {1, 2, 5}) {
    INFO(dimension);
    // The error of the slope is about d / sqrt(N); the faces of the cube take away a little.
    CHECK(intrinsic_dimension(cube(2, 2500, dimension, 30)) == Approx(static_cast<double>(dimension)).epsilon(0.1));
  }
}

TEST_CASE("intrinsic_dimension: scale, rotation, shift, order and repetition do not matter",
          "[eval][intrinsic_dimension]") {
  const RowMatrix x = cube(3, 400, 3, 8);
  const double expected = intrinsic_dimension(x);
  CHECK(intrinsic_dimension(RowMatrix(0x1p90F * x)) == Approx(expected).epsilon(1e-9));
  CHECK(intrinsic_dimension(RowMatrix(0x1p-90F * x)) == Approx(expected).epsilon(1e-9));
  CHECK(intrinsic_dimension(reference::rotated(x, 4)) == Approx(expected).epsilon(1e-3));
  CHECK(intrinsic_dimension(RowMatrix(x.colwise().reverse())) == Approx(expected).epsilon(1e-9));
  CHECK(intrinsic_dimension(RowMatrix(x.replicate(3, 1))) == expected);
  RowMatrix signs = RowMatrix::Zero(402, 8);
  signs.topRows(400) = x;
  signs.row(401).setConstant(-0.0F);  // equal to the row of zeros before it
  CHECK(intrinsic_dimension(signs) == intrinsic_dimension(signs.topRows(401)));
}

TEST_CASE("intrinsic_dimension: too few distinct rows, a regular grid and a discard out of range are errors",
          "[eval][intrinsic_dimension]") {
  CHECK_THROWS_AS(intrinsic_dimension(RowMatrix::Ones(100, 4)), jessl::DataError);
  CHECK_THROWS_WITH(
      intrinsic_dimension(RowMatrix::Ones(100, 4)),
      "jessl::eval::intrinsic_dimension: X has 1 distinct rows, expected at least 3; has the encoder collapsed?");
  CHECK_THROWS_WITH(intrinsic_dimension(RowMatrix(RowMatrix::Identity(2, 2).replicate(9, 1))),
                    Contains("2 distinct rows"));
  CHECK_NOTHROW(intrinsic_dimension((RowMatrix(3, 1) << 0, 1, 3).finished()));
  CHECK_THROWS_AS(intrinsic_dimension(RowMatrix::Identity(6, 6)), jessl::DataError);
  CHECK_THROWS_WITH(intrinsic_dimension(RowMatrix::Identity(6, 6)), Contains("equally far"));
  for (const double discard : {-0.1, 1.0, std::nan("")}) {
    CHECK_THROWS_AS(intrinsic_dimension(cube(5, 20, 2, 2), {.discard = discard}), jessl::ConfigError);
  }
  CHECK_NOTHROW(intrinsic_dimension(cube(5, 20, 2, 2), {.discard = 0.0}));
  CHECK_NOTHROW(intrinsic_dimension(cube(5, 20, 2, 2), {.discard = 0.999}));
}

TEST_CASE("intrinsic_dimension: mistakes are errors, and threads change no bit", "[eval][intrinsic_dimension]") {
  const reference::Metric metric = [](const auto& x, auto threads) {
    return intrinsic_dimension(x, {.threads = threads});
  };
  reference::check_errors_of_input("jessl::eval::intrinsic_dimension", metric);
  reference::check_threads(metric);
}
