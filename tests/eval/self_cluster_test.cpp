// SPDX-License-Identifier: Apache-2.0
// SelfCluster against NumPy's matrix of all cosines and on directions that are as even, or as equal, as can be.
#include <catch2/catch.hpp>

#include <jessl/eval/self_cluster.hpp>

#include "eval/features.hpp"

namespace {

using Catch::Matchers::Contains;
using jessl::RowMatrix;
using jessl::eval::self_cluster;

}  // namespace

TEST_CASE("self_cluster: values are NumPy's", "[eval][self_cluster]") {
  reference::for_each_features([](const RowMatrix& x, const auto& expected) {
    CHECK(self_cluster(x) == Approx(expected["self_cluster"].template get<double>()).margin(1e-6));
  });
}

TEST_CASE("self_cluster: a line has 1, an orthogonal matrix -1 / (N - 1), chance 0", "[eval][self_cluster]") {
  const RowMatrix line = reference::gaussian(1, 40, 1) * reference::gaussian(2, 1, 7);  // either direction of it
  CHECK(self_cluster(line) == Approx(1.0).epsilon(1e-6));
  CHECK(self_cluster(RowMatrix(line.transpose())) == Approx(1.0).epsilon(1e-6));
  CHECK(self_cluster(RowMatrix::Identity(9, 9)) == Approx(-1.0 / 8.0).epsilon(1e-6));
  CHECK(self_cluster(RowMatrix::Identity(5, 9)) == Approx(-1.0 / 8.0).epsilon(1e-6));
  CHECK(self_cluster(RowMatrix(RowMatrix::Identity(4, 4).replicate(3, 1))) == Approx(-1.0 / 11.0).epsilon(1e-6));
  CHECK(self_cluster(reference::gaussian(3, 900, 40)) == Approx(0.0).margin(1e-3));
  CHECK(self_cluster(reference::gaussian(4, 40, 900)) == Approx(0.0).margin(1e-3));
}

TEST_CASE("self_cluster: two rows at an angle, worked out by hand", "[eval][self_cluster]") {
  // Cosine 0.6: q = 2 + 2 * 0.36, e = 2 + 2 / 2 = 3, N^2 = 4.
  const RowMatrix x = (RowMatrix(2, 2) << 5, 0, 3, 4).finished();
  CHECK(self_cluster(x) == Approx((2.72 - 3.0) / 1.0).epsilon(1e-6));
}

TEST_CASE("self_cluster: lengths, signs, rotation and order do not matter", "[eval][self_cluster]") {
  const RowMatrix x = reference::decaying(reference::gaussian(5, 200, 12), 0.5);
  const double expected = self_cluster(x);
  RowMatrix longer = x;
  for (Eigen::Index row = 0; row < x.rows(); row += 2) longer.row(row) *= -1e20F;
  CHECK(self_cluster(longer) == Approx(expected).epsilon(1e-5));
  CHECK(self_cluster(reference::rotated(x, 6)) == Approx(expected).epsilon(1e-5));
  CHECK(self_cluster(RowMatrix(x.colwise().reverse())) == Approx(expected).epsilon(1e-5));
}

TEST_CASE("self_cluster: constant features and zeros have collapsed", "[eval][self_cluster]") {
  CHECK(self_cluster(RowMatrix::Constant(50, 6, 0.1F)) == Approx(1.0).epsilon(1e-6));
  CHECK(self_cluster(RowMatrix::Zero(50, 6)) == 1.0);
  // Two equal rows, two of zeros, and nothing between the pairs: q = 4 + 4, e = 4 + 12 / 3.
  RowMatrix halves = RowMatrix::Zero(4, 3);
  halves.topRows(2).setOnes();
  CHECK(self_cluster(halves) == Approx(0.0).margin(1e-6));
}

TEST_CASE("self_cluster: one row and one column are errors", "[eval][self_cluster]") {
  CHECK_THROWS_AS(self_cluster(RowMatrix::Ones(1, 4)), jessl::DataError);
  CHECK_THROWS_WITH(self_cluster(RowMatrix::Ones(4, 1)),
                    Contains("X is [4, 1], expected at least two rows and two columns"));
}

TEST_CASE("self_cluster: mistakes are errors, and threads change no bit", "[eval][self_cluster]") {
  const reference::Metric metric = [](const auto& x, auto threads) { return self_cluster(x, {.threads = threads}); };
  reference::check_errors_of_input("jessl::eval::self_cluster", metric);
  reference::check_threads(metric);
}
