// SPDX-License-Identifier: Apache-2.0
// Maps by UMAP: that they keep neighbours as umap-learn's do, depend on nothing but features and settings, and are defined
// where there is nothing to see.
#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <jessl/eval/nearest_neighbours.hpp>
#include <jessl/eval/scatter_picture.hpp>
#include <jessl/eval/umap.hpp>

#include "eval/features.hpp"

namespace {

using Catch::Matchers::Contains;
using jessl::RowMatrix;
using jessl::eval::Distance;
using jessl::eval::NearestNeighbours;
using jessl::eval::UMAP;

/// Rows around three centres that are 20 standard deviations from each other; row i is of class i % 3.
RowMatrix three_blobs(Eigen::Index rows) {
  RowMatrix x = reference::gaussian(11, rows, 64);
  for (Eigen::Index i = 0; i < rows; ++i) x(i, i % 3) += 14.0F;
  return x;
}

/// The share of each point's 10 nearest that are of its class, point i being of class i % classes.
double purity(const RowMatrix& points, Eigen::Index classes) {
  const auto found = NearestNeighbours{.distance = Distance::euclidean}.fit(points).find(points, 11);
  double same = 0.0;
  for (Eigen::Index i = 0; i < points.rows(); ++i) {
    for (const std::int64_t row : found.rows.row(i)) same += row != i && row % classes == i % classes ? 1.0 : 0.0;
  }
  return same / (10.0 * static_cast<double>(points.rows()));
}

/// By how far the k nearest of a point in the map are beyond the k nearest of its row, as scikit-learn counts it: 1 where
/// they are the same, 0.5 for a random map. Venna and Kaski, ICANN 2001.
double trustworthiness(const RowMatrix& x, const RowMatrix& points, std::int64_t k, Distance distance) {
  const auto of_x = NearestNeighbours{.distance = distance}.fit(x).find(x, x.rows());
  const auto of_points = NearestNeighbours{.distance = Distance::euclidean}.fit(points).find(points, k + 1);
  double beyond = 0.0;
  std::vector<std::int64_t> rank(static_cast<std::size_t>(x.rows()));
  for (Eigen::Index i = 0; i < x.rows(); ++i) {
    for (Eigen::Index place = 0; place < x.rows(); ++place)
      rank[static_cast<std::size_t>(of_x.rows(i, place))] = place;  // of the row itself: 0
    for (const std::int64_t row : of_points.rows.row(i))
      beyond += static_cast<double>(std::max<std::int64_t>(0, rank[static_cast<std::size_t>(row)] - k));
  }
  const auto n = static_cast<double>(x.rows());
  const auto m = static_cast<double>(k);
  return 1.0 - beyond * 2.0 / (n * m * (2.0 * n - 3.0 * m - 1.0));
}

/// The features of tests/reference/eval/make_umap.py.
RowMatrix features_of(const std::string& name) {
  constexpr std::array<double, 16> primes{2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53};
  const auto even = [&](Eigen::Index i, std::size_t j) {
    double whole = 0.0;
    return std::modf(static_cast<double>(i) * std::sqrt(primes[j]), &whole);
  };
  RowMatrix x(600, 16);
  for (Eigen::Index i = 0; i < x.rows(); ++i) {
    for (std::size_t column = 0; column < primes.size(); ++column) {
      const auto j = static_cast<double>(column);
      const auto group = static_cast<double>(i % 6);
      const double value = name == "surfaces"
                               ? std::sin(2.0 * (1.0 + static_cast<double>(column % 4)) * even(i, 0) + 0.9 * j) +
                                     std::cos(1.5 * (1.0 + static_cast<double>(column % 3)) * even(i, 1) + 0.4 * j) +
                                     (i % 3 == static_cast<Eigen::Index>(column % 3) ? 4.0 : 0.0)
                               : even(i, column) - 0.5 + 0.6 * std::cos((group + 1.0) * (j + 1.0));
      x(i, static_cast<Eigen::Index>(column)) = static_cast<float>(value);
    }
  }
  return x;
}

}  // namespace

TEST_CASE("UMAP: the example of the documentation runs", "[eval][umap]") {
  const RowMatrix features = three_blobs(60);
  std::vector<std::int64_t> labels(60);
  for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<std::int64_t>(i % 3);
  // [example]
  const jessl::RowMatrix plane = jessl::eval::UMAP{.neighbours = 10}.embed(features);  // [N, 2]
  const jessl::Image map = jessl::eval::scatter_picture(plane, labels);
  // [/example]
  CHECK(plane.rows() == 60);
  CHECK(plane.cols() == 2);
  CHECK(map.height == 640);
}

TEST_CASE("UMAP: keeps neighbours as well as umap-learn does", "[eval][umap]") {
  const auto expected = reference::open("umap");
  const auto k = expected.at("neighbours").get<std::int64_t>();
  for (const auto& [name, distance] : {std::pair{"surfaces", Distance::euclidean}, {"cubes", Distance::cosine}}) {
    INFO(name);
    const RowMatrix x = features_of(name);
    const auto of_seeds = expected.at(name).get<std::vector<double>>();
    double mean = 0.0;
    for (const double value : of_seeds) mean += value / static_cast<double>(of_seeds.size());
    const RowMatrix plane = UMAP{.neighbours = k, .distance = distance}.embed(x);
    // umap-learn's own seeds differ by up to 0.002.
    CHECK(trustworthiness(x, plane, k, distance) == Approx(mean).margin(0.01));
  }
}

TEST_CASE("UMAP: groups that are far from each other stay apart, in one dimension as in three", "[eval][umap]") {
  const RowMatrix x = three_blobs(300);
  for (const Distance distance : {Distance::cosine, Distance::euclidean}) {
    for (const std::int64_t components : {1, 2, 3}) {
      INFO(components << " dimensions, " << static_cast<int>(distance));
      const RowMatrix points = UMAP{.components = components, .distance = distance}.embed(x);
      REQUIRE(points.cols() == components);
      CHECK(points.allFinite());
      CHECK(purity(points, 3) >= 0.99);  // on a line, a row may be caught behind another group
    }
  }
}

TEST_CASE("UMAP: groups without an edge between them lie as their principal components do", "[eval][umap]") {
  // Along a line, the middle one between the others; umappp, which starts them at random, has it there by chance.
  RowMatrix x = 0.1F * reference::gaussian(12, 150, 8);
  for (Eigen::Index i = 0; i < x.rows(); ++i) x(i, 3) += 10.0F * static_cast<float>(i % 3);
  const RowMatrix points = UMAP{.distance = Distance::euclidean}.embed(x);
  CHECK(purity(points, 3) == 1.0);
  RowMatrix centres = RowMatrix::Zero(3, 2);
  for (Eigen::Index i = 0; i < x.rows(); ++i) centres.row(i % 3) += points.row(i) / 50.0F;
  const float ends = (centres.row(2) - centres.row(0)).norm();
  CHECK((centres.row(1) - centres.row(0)).norm() < ends);
  CHECK((centres.row(2) - centres.row(1)).norm() < ends);
}

TEST_CASE("UMAP: the seed decides, and neither the number of threads nor the scale of the features", "[eval][umap]") {
  // One graph that hangs together, and one in parts.
  for (const RowMatrix& x : {features_of("cubes"), three_blobs(200)}) {
    const UMAP settings{.epochs = 30, .distance = Distance::euclidean, .seed = 5, .threads = 1};
    const RowMatrix expected = settings.embed(x);
    CHECK(settings.embed(x) == expected);
    for (const std::int64_t threads : {0, 2, 3, 7}) {
      UMAP other = settings;
      other.threads = threads;
      CHECK(other.embed(x) == expected);
    }
    UMAP other = settings;
    other.seed = 6;
    CHECK(other.embed(x) != expected);
    for (const float scale : {0x1p-40F, 0x1p40F}) CHECK(settings.embed(scale * x) == expected);
  }
  // Near the least and the largest floats.
  for (const float scale : {1e-41F, 1.5e37F}) {
    const UMAP settings{.epochs = 30, .distance = Distance::euclidean};
    CHECK(purity(settings.embed(scale * three_blobs(200)), 3) == 1.0);
  }
}

TEST_CASE("UMAP: its settings do what they say", "[eval][umap]") {
  const RowMatrix x = features_of("surfaces");
  const auto nearest = [&](const UMAP& settings) {  // the mean distance of a point to its nearest
    const RowMatrix points = settings.embed(x);
    REQUIRE(points.allFinite());
    return double{
        NearestNeighbours{.distance = Distance::euclidean}.fit(points).find(points, 2).distances.col(1).mean()};
  };
  CHECK(nearest({.min_dist = 0.8, .epochs = 200}) > 1.5 * nearest({.min_dist = 0.0, .epochs = 200}));
  CHECK(nearest({.min_dist = 0.1, .spread = 4.0, .epochs = 200}) > 1.5 * nearest({.epochs = 200}));
  for (const double spread : {0.01, 100.0}) {
    for (const double min_dist : {0.0, spread}) {
      INFO("spread " << spread << ", min_dist " << min_dist);
      CHECK(UMAP{.min_dist = min_dist, .spread = spread, .epochs = 50}.embed(x).allFinite());
    }
  }
  // Up to 10,000 rows the number of epochs is 500.
  CHECK(UMAP{}.embed(x) == UMAP{.epochs = 500}.embed(x));
  CHECK(UMAP{.epochs = 499}.embed(x) != UMAP{.epochs = 500}.embed(x));
}

TEST_CASE("UMAP: equal rows, few rows and rows of zeros", "[eval][umap]") {
  // A collapsed encoder: all at one point, as its principal components are.
  CHECK(UMAP{}.embed(RowMatrix::Constant(40, 5, 0.1F)).isZero(0.0F));
  CHECK(UMAP{}.embed(RowMatrix::Zero(40, 5)).isZero(0.0F));
  // Collapsed to a ray: of no distance where directions alone count.
  RowMatrix ray = RowMatrix::Constant(40, 5, 0.5F);
  for (Eigen::Index i = 0; i < ray.rows(); ++i) ray.row(i) *= static_cast<float>(i + 1);
  CHECK(UMAP{.distance = Distance::cosine}.embed(ray).isZero(0.0F));
  CHECK_FALSE(UMAP{.distance = Distance::euclidean}.embed(ray).isZero(0.0F));

  for (const Distance distance : {Distance::cosine, Distance::euclidean}) {
    // Three rows, 40 times each: more than there are neighbours.
    RowMatrix thrice(120, 6);
    const RowMatrix rows = reference::gaussian(13, 3, 6);
    for (Eigen::Index i = 0; i < thrice.rows(); ++i) thrice.row(i) = rows.row(i % 3);
    const RowMatrix points = UMAP{.distance = distance}.embed(thrice);
    CHECK(points.allFinite());
    CHECK(purity(points, 3) == 1.0);

    // Each row twice: it and its copy are neighbours.
    RowMatrix twice = reference::gaussian(14, 200, 6);
    twice.bottomRows(100) = twice.topRows(100);
    const RowMatrix pairs = UMAP{.distance = distance}.embed(twice);
    CHECK(pairs.allFinite());
    const auto found = NearestNeighbours{.distance = Distance::euclidean}.fit(pairs).find(pairs, 4);
    Eigen::Index near = 0;
    for (Eigen::Index i = 0; i < 200; ++i) near += (found.rows.row(i).array() == (i + 100) % 200).any() ? 1 : 0;
    CHECK(near > 150);  // of its three nearest in the map one is its copy

    RowMatrix some_zeros = reference::gaussian(15, 60, 6);
    some_zeros.topRows(20).setZero();
    CHECK(UMAP{.distance = distance}.embed(some_zeros).allFinite());
    some_zeros.setZero();
    some_zeros(59, 0) = 1.0F;
    CHECK(UMAP{.distance = distance}.embed(some_zeros).allFinite());

    for (const Eigen::Index n : {3, 4, 5, 6, 9}) {
      for (const std::int64_t neighbours : {std::int64_t{1}, n - 1}) {
        for (const std::int64_t components : {std::int64_t{1}, n - 2}) {
          INFO(n << " rows, " << neighbours << " neighbours, " << components << " dimensions");
          const UMAP settings{.neighbours = neighbours, .components = components, .distance = distance};
          CHECK(settings.embed(reference::gaussian(16, n, 4)).allFinite());
        }
      }
    }
  }
}

TEST_CASE("UMAP: mistakes are errors", "[eval][umap]") {
  reference::check_errors_of_input("jessl::eval::UMAP", [](const RowMatrix& x, std::int64_t threads) {
    return double{UMAP{.neighbours = 5, .epochs = 1, .threads = threads}.embed(x).sum()};
  });
  const RowMatrix x = reference::gaussian(1, 12, 5);
  CHECK_THROWS_AS(UMAP{.neighbours = 1}.embed(x.topRows(2)), jessl::DataError);
  CHECK_THROWS_WITH(UMAP{.neighbours = 1}.embed(x.topRows(2)), Contains("X is [2, 5], expected at least 3 rows"));
  const auto refused = [&](UMAP settings, const std::string& text) {
    if (settings.neighbours == 15) settings.neighbours = 5;
    CHECK_THROWS_AS(settings.embed(x), jessl::ConfigError);
    CHECK_THROWS_WITH(settings.embed(x), Contains("jessl::eval::UMAP: " + text));
  };
  CHECK_THROWS_AS(UMAP{}.embed(x), jessl::ConfigError);
  CHECK_THROWS_WITH(UMAP{}.embed(x), Contains("neighbours is 15, expected 1 to 11, the other rows of X, [12, 5]"));
  refused({.neighbours = 0}, "neighbours is 0, expected 1 to 11");
  refused({.min_dist = -0.1}, "min_dist is -0.1, expected 0 to 1, the spread");
  refused({.min_dist = 2.5, .spread = 2.0}, "min_dist is 2.5, expected 0 to 2, the spread");
  refused({.min_dist = std::numeric_limits<double>::quiet_NaN()}, "min_dist is nan");
  refused({.spread = 0.0}, "spread is 0, expected 0.01 to 100");
  refused({.spread = std::numeric_limits<double>::infinity()}, "spread is inf");
  refused({.components = 0}, "components is 0, expected 1 to 10, two fewer than the rows of X, [12, 5]");
  refused({.components = 11}, "components is 11");
  refused({.epochs = -1}, "epochs is -1, expected 1 to 1000000, or 0");
  refused({.epochs = 1'000'001}, "epochs is 1000001");

  // Further apart than float32 holds.
  const UMAP settings{.neighbours = 5, .distance = Distance::euclidean};
  CHECK_THROWS_AS(settings.embed(1.2e38F * x), jessl::DataError);
  CHECK_THROWS_WITH(settings.embed(1.2e38F * x), Contains("apart, expected at most 3.4028235e+38; scale the features"));
}

TEST_CASE("UMAP: its settings survive JSON", "[eval][umap]") {
  const UMAP settings{.neighbours = 7,
                      .min_dist = 0.3,
                      .spread = 2.0,
                      .components = 3,
                      .epochs = 9,
                      .distance = Distance::euclidean,
                      .seed = 4,
                      .threads = 3};
  CHECK(jessl::same_options(jessl::from_json<UMAP>(jessl::to_json(settings)), settings));
  CHECK_FALSE(jessl::same_options(settings, UMAP{}));
}
