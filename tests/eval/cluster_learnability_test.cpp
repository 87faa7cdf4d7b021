// SPDX-License-Identifier: Apache-2.0
// The clusters, what nearest neighbours learn of them, and CLID's sum.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <span>
#include <vector>

#include <jessl/core/draw.hpp>
#include <jessl/eval/cluster_learnability.hpp>
#include <jessl/eval/detail/k_means.hpp>

#include "eval/features.hpp"

namespace {

using Catch::Matchers::Contains;
using jessl::RowMatrix;
using jessl::eval::cluster_learnability;
using jessl::eval::detail::k_means;

/// `clusters` groups of directions, narrow or wide.
RowMatrix groups(std::uint64_t seed, Eigen::Index rows, Eigen::Index columns, Eigen::Index clusters, float width) {
  const RowMatrix centres = reference::gaussian(seed, clusters, columns);
  RowMatrix x = width * reference::gaussian(seed + 1, rows, columns);
  for (Eigen::Index row = 0; row < rows; ++row) x.row(row) += centres.row(row % clusters);
  return x;
}

/// The sum of the squared distances of rows from the means of their clusters.
double inertia(const RowMatrix& x, const std::vector<std::int64_t>& labels) {
  double sum = 0.0;
  for (const std::int64_t cluster : std::set<std::int64_t>(labels.begin(), labels.end())) {
    Eigen::RowVectorXd mean = Eigen::RowVectorXd::Zero(x.cols());
    double members = 0.0;
    for (Eigen::Index row = 0; row < x.rows(); ++row) {
      if (labels[static_cast<std::size_t>(row)] != cluster) continue;
      mean += x.row(row).cast<double>();
      members += 1.0;
    }
    mean /= members;
    for (Eigen::Index row = 0; row < x.rows(); ++row)
      if (labels[static_cast<std::size_t>(row)] == cluster) sum += (x.row(row).cast<double>() - mean).squaredNorm();
  }
  return sum;
}

}  // namespace

TEST_CASE("k-means: finds groups that are far apart", "[eval][cluster_learnability]") {
  const RowMatrix x = groups(1, 700, 12, 6, 0.05F);
  jessl::ThreadPool pool(2);
  const auto labels = k_means(x, 6, 100, 3, pool);
  for (std::size_t row = 6; row < labels.size(); ++row) CHECK(labels[row] == labels[row % 6]);
  CHECK(std::set<std::int64_t>(labels.begin(), labels.end()).size() == 6);
}

TEST_CASE("k-means: ends where every row is nearest to the mean of its own cluster", "[eval][cluster_learnability]") {
  const RowMatrix x = reference::gaussian(2, 600, 5);
  jessl::ThreadPool pool(1);
  const auto labels = k_means(x, 8, 1000, 1, pool);
  Eigen::MatrixXd means = Eigen::MatrixXd::Zero(8, 5);
  Eigen::VectorXd members = Eigen::VectorXd::Zero(8);
  for (Eigen::Index row = 0; row < x.rows(); ++row) {
    means.row(labels[static_cast<std::size_t>(row)]) += x.row(row).cast<double>();
    members(labels[static_cast<std::size_t>(row)]) += 1.0;
  }
  REQUIRE(members.minCoeff() > 0.0);
  means = members.cwiseInverse().asDiagonal() * means;
  for (Eigen::Index row = 0; row < x.rows(); ++row) {
    const Eigen::VectorXd distances = (means.rowwise() - x.row(row).cast<double>()).rowwise().squaredNorm();
    CHECK(distances(labels[static_cast<std::size_t>(row)]) <= distances.minCoeff() + 1e-5);  // float32 products
  }
  // More steps never do worse than fewer.
  CHECK(inertia(x, labels) <= inertia(x, k_means(x, 8, 1, 1, pool)));
}

TEST_CASE("k-means: fewer distinct rows than clusters give as many clusters as there are",
          "[eval][cluster_learnability]") {
  jessl::ThreadPool pool(1);
  const RowMatrix x = RowMatrix::Identity(3, 3).replicate(5, 1);
  const auto labels = k_means(x, 7, 10, 0, pool);
  for (std::size_t row = 3; row < labels.size(); ++row) CHECK(labels[row] == labels[row % 3]);
  CHECK(std::set<std::int64_t>(labels.begin(), labels.end()).size() == 3);
  CHECK(k_means(RowMatrix::Ones(9, 2), 4, 10, 0, pool) == std::vector<std::int64_t>(9, 0));
}

TEST_CASE("cluster_learnability: is the accuracy of neighbours in both directions of the split",
          "[eval][cluster_learnability]") {
  const RowMatrix x = reference::gaussian(3, 240, 6);
  RowMatrix unit = x;
  unit.rowwise().normalize();
  jessl::ThreadPool pool(1);
  const auto labels = k_means(unit, 15, 100, 9, pool);  // 15: the root of 240
  std::vector<Eigen::Index> order(240);
  std::iota(order.begin(), order.end(), Eigen::Index{0});
  jessl::Draw draw({.seed = 9, .operation = 4, .purpose = jessl::Purpose::selection});
  draw.shuffle(std::span(order));
  double right = 0.0;
  for (std::size_t query = 0; query < 240; ++query) {
    const std::size_t first = query < 120 ? 120 : 0;
    std::size_t nearest = first;
    for (std::size_t other = first; other < first + 120; ++other) {
      if (unit.row(order[query]).dot(unit.row(order[other])) > unit.row(order[query]).dot(unit.row(order[nearest])))
        nearest = other;
    }
    right +=
        labels[static_cast<std::size_t>(order[query])] == labels[static_cast<std::size_t>(order[nearest])] ? 1.0 : 0.0;
  }
  // Lengths of 1 are rounded in another order than here, so that a row may change sides.
  CHECK(cluster_learnability(x, {.seed = 9}) == Approx(right / 240.0).margin(2.5 / 240.0));
}

TEST_CASE("cluster_learnability: separated groups have 1, noise of many dimensions little",
          "[eval][cluster_learnability]") {
  CHECK(cluster_learnability(groups(4, 400, 10, 8, 0.02F), {.clusters = 8}) == 1.0);
  const double noise = cluster_learnability(reference::gaussian(5, 400, 200));
  CHECK(noise < 0.5);
  CHECK(noise > 1.0 / 20.0);  // better than chance: the clusters are made of the same rows
  CHECK(cluster_learnability(reference::gaussian(6, 400, 2)) > 0.85);
}

TEST_CASE("cluster_learnability: constant features and rows of zeros are one cluster each",
          "[eval][cluster_learnability]") {
  CHECK(cluster_learnability(RowMatrix::Constant(50, 4, 0.1F)) == 1.0);
  CHECK(cluster_learnability(RowMatrix::Zero(50, 4)) == 1.0);
}

TEST_CASE("cluster_learnability: scales of the rows do not matter, the seed does little",
          "[eval][cluster_learnability]") {
  const RowMatrix x = groups(7, 300, 16, 12, 0.4F);
  const double expected = cluster_learnability(x);
  RowMatrix longer = x;
  for (Eigen::Index row = 0; row < x.rows(); ++row)
    longer.row(row) *= std::ldexp(1.0F, static_cast<int>(row % 60) - 30);
  CHECK(cluster_learnability(longer) == expected);  // powers of two: the same directions to the last bit
  CHECK(cluster_learnability(x, {.seed = 1}) == Approx(expected).margin(0.15));
}

TEST_CASE("cluster_learnability: settings out of range are errors that name them", "[eval][cluster_learnability]") {
  const RowMatrix x = reference::gaussian(8, 20, 3);
  CHECK_THROWS_AS(cluster_learnability(x, {.clusters = 1}), jessl::ConfigError);
  CHECK_THROWS_WITH(cluster_learnability(x, {.clusters = 21}),
                    "jessl::eval::cluster_learnability: clusters is 21, expected 2 to the number of rows, 20");
  CHECK_THROWS_WITH(cluster_learnability(x, {.k = 0}), Contains("k is 0, expected 1 to half of the rows, 10"));
  CHECK_THROWS_AS(cluster_learnability(x, {.k = 11}), jessl::ConfigError);
  CHECK_NOTHROW(cluster_learnability(x, {.k = 10}));
  CHECK_THROWS_WITH(cluster_learnability(x, {.iterations = 0}), Contains("iterations is 0, expected >= 1"));
  CHECK_THROWS_WITH(cluster_learnability(x.topRows(3)), Contains("X is [3, 3], expected at least 4 rows"));
}

TEST_CASE("cluster_learnability: mistakes are errors, and threads change no bit", "[eval][cluster_learnability]") {
  const reference::Metric metric = [](const auto& x, auto threads) {
    return cluster_learnability(x, {.threads = threads});
  };
  reference::check_errors_of_input("jessl::eval::cluster_learnability", metric);
  reference::check_threads(metric);
}
