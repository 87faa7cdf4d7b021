// SPDX-License-Identifier: Apache-2.0
// The search for neighbours against one written plainly in float64, by every instruction set. Compiled for any x86-64
// processor, so that the program has them all.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include <jessl/core/detail/instruction_set.hpp>
#include <jessl/core/draw.hpp>
#include <jessl/core/error.hpp>
#include <jessl/eval/detail/code_products.hpp>
#include <jessl/eval/nearest_neighbours.hpp>

namespace {

using Catch::Matchers::Contains;
using jessl::RowMatrix;
using jessl::eval::Distance;
using jessl::eval::NearestNeighbours;
using jessl::eval::Neighbours;

RowMatrix gaussian(std::uint64_t seed, Eigen::Index rows, Eigen::Index columns) {
  jessl::Draw draw({.seed = seed, .purpose = jessl::Purpose::initialisation});
  RowMatrix x(rows, columns);
  for (float& value : x.reshaped<Eigen::RowMajor>()) value = static_cast<float>(draw.normal());
  return x;
}

/// Distances of each query to every row, in float64 (differences of long ones in long double).
Eigen::MatrixXd plain_distances(const RowMatrix& x, const RowMatrix& queries, Distance distance) {
  Eigen::MatrixXd result(queries.rows(), x.rows());
  const auto direction = [](const auto& row) -> Eigen::RowVectorXd {
    const Eigen::RowVectorXd values = row.template cast<double>();
    return values.norm() > 0.0 ? Eigen::RowVectorXd(values / values.norm()) : values;
  };
  for (Eigen::Index i = 0; i < queries.rows(); ++i) {
    for (Eigen::Index j = 0; j < x.rows(); ++j) {
      result(i, j) = distance == Distance::cosine ? 1.0 - direction(queries.row(i)).dot(direction(x.row(j)))
                                                  : (queries.row(i).cast<double>() - x.row(j).cast<double>()).norm();
    }
  }
  return result;
}

/// The neighbours are k different rows, as near as the k nearest that the plain search finds, with their distances.
void check_neighbours(const RowMatrix& x, const RowMatrix& queries, std::int64_t k, Distance distance,
                      const Neighbours& found) {
  const Eigen::MatrixXd expected = plain_distances(x, queries, distance);
  REQUIRE(found.rows.rows() == queries.rows());
  REQUIRE(found.rows.cols() == k);
  double worst = 0.0;
  for (Eigen::Index i = 0; i < queries.rows(); ++i) {
    std::vector<double> sorted(expected.row(i).begin(), expected.row(i).end());
    std::sort(sorted.begin(), sorted.end());
    std::vector<std::int64_t> rows(found.rows.row(i).begin(), found.rows.row(i).end());
    for (std::int64_t n = 0; n < k; ++n) {
      const auto rank = static_cast<std::size_t>(n);
      // Cosines have the precision of numbers near 1, distances that of their own.
      const double unit = distance == Distance::cosine ? 1.0 : std::max(sorted[rank], 1e-38);
      worst = std::max(worst, std::abs(expected(i, rows[rank]) - sorted[rank]) / unit);
      worst = std::max(worst, std::abs(double{found.distances(i, n)} - sorted[rank]) / unit);
    }
    std::sort(rows.begin(), rows.end());
    CHECK(std::adjacent_find(rows.begin(), rows.end()) == rows.end());
  }
  CHECK(worst < 2e-7);
}

/// Calls check() with each of the program's instruction sets.
template <class Check>
void for_each_set(const Check& check) {
  const auto best = jessl::detail::instruction_set.load();
  for (const auto set : jessl::detail::available_instruction_sets()) {
    INFO("instruction set " << static_cast<int>(set));
    jessl::detail::instruction_set = set;
    check();
  }
  jessl::detail::instruction_set = best;
}

/// Features of every kind that could mislead a bound.
std::vector<std::pair<std::string, RowMatrix>> kinds(Eigen::Index rows, Eigen::Index columns) {
  std::vector<std::pair<std::string, RowMatrix>> result;
  const RowMatrix plain = gaussian(1, rows, columns);
  result.emplace_back("normal", plain);
  result.emplace_back("a large mean", plain.array() + 100.0F);
  result.emplace_back("all but equal", (1e-6F * plain).array() + 1.0F);
  result.emplace_back("equal", RowMatrix::Ones(rows, columns));
  result.emplace_back("zeros", RowMatrix::Zero(rows, columns));
  RowMatrix outliers = plain;
  outliers.row(rows / 2) *= 1e6F;
  outliers.row(rows / 3).setZero();
  result.emplace_back("a long row and a row of zeros", outliers);
  RowMatrix dimension = plain;
  dimension.col(columns / 2) *= 1e4F;
  result.emplace_back("a large dimension", dimension);
  result.emplace_back("huge", 1e37F * plain);
  result.emplace_back("of denormals", 1e-42F * plain);
  RowMatrix twice = plain;
  twice.bottomRows(rows / 2) = 3.0F * plain.topRows(rows / 2);
  result.emplace_back("each direction twice", twice);
  result.emplace_back("decaying lengths",
                      plain.array().colwise() * Eigen::ArrayXf::LinSpaced(rows, 0.0F, -20.0F).exp());
  return result;
}

}  // namespace

TEST_CASE("NearestNeighbours: the example of the documentation runs", "[eval][nearest_neighbours]") {
  const RowMatrix features = gaussian(1, 50, 6);
  const RowMatrix queries = features.bottomRows(3);
  // [example]
  const auto index = jessl::eval::NearestNeighbours{}.fit(features);
  const auto found = index.find(queries, 8);  // found.rows and found.distances, [M, 8], nearest first
  // [/example]
  CHECK(found.rows.col(0) == Eigen::Matrix<std::int64_t, 3, 1>(47, 48, 49));
  CHECK(found.distances.col(0).isZero());
}

TEST_CASE("NearestNeighbours: those of a plain search in float64, whatever the features, by every instruction set",
          "[eval][nearest_neighbours]") {
  // Of the last so many rows that a part of them tells a threshold.
  for (const auto& [rows, columns] :
       {std::pair{1, 1}, std::pair{31, 3}, std::pair{33, 37}, std::pair{700, 24}, std::pair{9000, 13}}) {
    const auto all = kinds(rows, columns);
    for (const auto& [kind, x] : all) {
      for (const Distance distance : {Distance::cosine, Distance::euclidean}) {
        RowMatrix queries(30, columns);  // some of x, and some of other scales and places
        for (Eigen::Index i = 0; i < queries.rows(); ++i)
          queries.row(i) = all[static_cast<std::size_t>(i) % all.size()].second.row(i * 7 % rows);
        queries.bottomRows(10) = x.row(0).replicate(10, 1);
        INFO(rows << " x " << columns << ", " << kind << ", "
                  << (distance == Distance::cosine ? "cosine" : "euclidean"));
        for_each_set([&, &x = x, rows = rows] {
          for (const std::int64_t k : {1, 20, rows}) {
            if (k > std::min(rows, 700)) continue;
            INFO("k = " << k);
            check_neighbours(x, queries, k, distance,
                             NearestNeighbours{.distance = distance, .threads = 2}.fit(x).find(queries, k));
          }
        });
      }
    }
  }
}

TEST_CASE("NearestNeighbours: neither threads nor instruction sets change a row", "[eval][nearest_neighbours]") {
  const RowMatrix x = gaussian(3, 3000, 61);
  const RowMatrix queries = gaussian(4, 101, 61);
  for (const Distance distance : {Distance::cosine, Distance::euclidean}) {
    const auto expected = NearestNeighbours{.distance = distance, .threads = 1}.fit(x).find(queries, 40);
    for_each_set([&] {
      for (const std::int64_t threads : {0, 1, 3}) {
        const auto found = NearestNeighbours{.distance = distance, .threads = threads}.fit(x).find(queries, 40);
        CHECK(found.rows == expected.rows);
        CHECK(found.distances == expected.distances);
      }
    });
  }
}

TEST_CASE("NearestNeighbours: of rows that are equally near the first come first", "[eval][nearest_neighbours]") {
  // Far more equal rows than are looked at together; a row of a direction has it at any length.
  RowMatrix x = gaussian(5, 1, 37).replicate(5000, 1);
  const RowMatrix query = x.topRows(1);
  const auto first = [](const Neighbours& found, std::int64_t row) {
    for (Eigen::Index n = 0; n < found.rows.cols(); ++n) {
      if (found.rows(0, n) != row + n) return false;
    }
    return true;
  };
  for_each_set([&] {
    CHECK(first(NearestNeighbours{.distance = Distance::euclidean}.fit(x).find(query, 300), 0));
    CHECK(first(NearestNeighbours{}.fit(x).find(query, 300), 0));
  });
  for (Eigen::Index row = 0; row < x.rows(); ++row) x.row(row) *= 1.0F + 0.37F * static_cast<float>(row % 11);
  for_each_set([&] { CHECK(first(NearestNeighbours{}.fit(x).find(query, 300), 0)); });
}

TEST_CASE("NearestNeighbours: a threshold that was guessed too high is noticed", "[eval][nearest_neighbours]") {
  // Every 16th of the panels of 32 rows, which are looked at first, has a row near the queries, and no other has.
  RowMatrix x = gaussian(7, 51'200, 4);
  const RowMatrix queries = (1e-2F * gaussian(8, 13, 4)).array() + 5.0F;
  x.rowwise().normalize();
  for (Eigen::Index row = 0; row < x.rows(); row += 512) x.row(row) = queries.row(0);
  for_each_set([&] {
    for (const Distance distance : {Distance::cosine, Distance::euclidean}) {
      const auto found = NearestNeighbours{.distance = distance, .threads = 2}.fit(x).find(queries, 200);
      check_neighbours(x, queries, 200, distance, found);
    }
  });
}

TEST_CASE("NearestNeighbours: codes whose sums would not fit 32 bits are made smaller", "[eval][nearest_neighbours]") {
  // Every value of every row has the largest code, and of the first query too.
  constexpr Eigen::Index columns = 70'001;
  RowMatrix x(3, columns);
  x.row(0).setConstant(1.0F);
  x.row(1).setConstant(-1.0F);
  x.row(2).setConstant(0.25F);
  for_each_set([&] {
    for (const Distance distance : {Distance::cosine, Distance::euclidean})
      check_neighbours(x, x, 3, distance, NearestNeighbours{.distance = distance}.fit(x).find(x, 3));
  });
}

TEST_CASE("NearestNeighbours: products of the largest codes are exact in every instruction set",
          "[eval][nearest_neighbours]") {
  using namespace jessl::eval::detail;
  const std::size_t groups = GENERATE(as<std::size_t>(), 9, 2 * tile_groups);
  for_each_set([&] {
    const CodeProducts products = code_products();
    const auto largest = static_cast<std::int8_t>(products.largest_query_code);
    std::vector<std::uint8_t> panel(groups * panel_rows * 4, 255);
    std::vector<std::int8_t> queries(queries_at_once * groups * 4);
    for (std::size_t i = 0; i < queries.size(); ++i)
      queries[i] = static_cast<std::int8_t>(i / (groups * 4) % 2 == 0 ? largest : -largest);
    const std::vector<float> ones(panel_rows, 1.0F);
    const std::vector<float> zeros(panel_rows, 0.0F);
    std::vector<QueryTerms> terms(queries_at_once, {.offset = 3, .scale = 1.0F, .threshold = 0.0F});
    PanelScores scores;
    products.score(panel.data(), {ones.data(), zeros.data(), ones.data(), zeros.data()}, queries.data(), terms.data(),
                   groups, scores);
    const auto sum = static_cast<float>(groups * 4 * 255) * static_cast<float>(largest);
    for (std::size_t q = 0; q < queries_at_once; ++q) {
      for (const float bound : scores.bounds[q]) CHECK(bound == (q % 2 == 0 ? sum - 3.0F : -sum - 3.0F));
      CHECK(scores.above[q] == (q % 2 == 0 ? ~std::uint32_t{0} : 0U));
    }
  });
}

TEST_CASE("NearestNeighbours: bad input is an error that names its place", "[eval][nearest_neighbours]") {
  const RowMatrix x = gaussian(6, 12, 5);
  const auto fitted = NearestNeighbours{}.fit(x);
  CHECK(fitted.dimension() == 5);
  CHECK(fitted.find(RowMatrix(0, 5), 3).rows.rows() == 0);
  CHECK_THROWS_AS(fitted.find(x, 0), jessl::ConfigError);
  CHECK_THROWS_WITH(fitted.find(x, 13),
                    "jessl::eval::NearestNeighbours: k is 13, expected 1 to the number of rows, 12");
  CHECK_THROWS_AS(fitted.find(gaussian(1, 2, 4), 1), jessl::ShapeError);
  CHECK_THROWS_AS(NearestNeighbours{}.fit(RowMatrix(0, 5)), jessl::DataError);
  CHECK_THROWS_AS(NearestNeighbours{}.fit(RowMatrix(5, 0)), jessl::DataError);
  CHECK_THROWS_AS(NearestNeighbours{.threads = -1}.fit(x), jessl::ConfigError);
  RowMatrix broken = x;
  broken(7, 3) = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_WITH(NearestNeighbours{}.fit(broken),
                    Contains("jessl::eval::NearestNeighbours: X(7, 3) is nan, expected a finite number"));
  CHECK_THROWS_WITH(fitted.find(broken, 1), Contains("X(7, 3) is nan"));
}
