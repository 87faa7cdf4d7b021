// SPDX-License-Identifier: Apache-2.0
// Sums of outer products and eigenvalues against Eigen's own, over blocks, tiles and panels.
#include <catch2/catch.hpp>

#include <Eigen/Eigenvalues>

#include <jessl/eval/detail/eigenvalues.hpp>
#include <jessl/eval/detail/second_moment.hpp>

#include "eval/features.hpp"

namespace {

using jessl::eval::detail::eigenvalues_of;
using jessl::eval::detail::tridiagonalise;

Eigen::MatrixXd symmetric(std::uint64_t seed, Eigen::Index size) {
  const Eigen::MatrixXd entries = reference::gaussian(seed, size, size).cast<double>();
  return entries + entries.transpose();
}

}  // namespace

TEST_CASE("tridiagonalise: keeps the eigenvalues, for every size about a panel and a block", "[eval][eigenvalues]") {
  jessl::ThreadPool pool(2);
  for (const Eigen::Index size : {1, 2, 3, 31, 32, 33, 34, 64, 65, 130, 290}) {
    INFO(size);
    Eigen::MatrixXd a = symmetric(1, size);
    const Eigen::VectorXd expected = Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>(a).eigenvalues().reverse();
    a.triangularView<Eigen::StrictlyUpper>().setConstant(std::nan(""));  // only the lower triangle is looked at
    const auto tridiagonal = tridiagonalise(a, pool);
    REQUIRE(tridiagonal.diagonal.size() == size);
    REQUIRE(tridiagonal.subdiagonal.size() == size - 1);
    // Backward stable: errors of 1e-16 of the largest, times a root of the size.
    CHECK((eigenvalues_of(tridiagonal) - expected).cwiseAbs().maxCoeff() < 1e-13 * expected.cwiseAbs().maxCoeff());
  }
}

TEST_CASE("tridiagonalise: leaves the first basis vector, so that the first entry is that of the matrix",
          "[eval][eigenvalues]") {
  jessl::ThreadPool pool(1);
  Eigen::MatrixXd a = symmetric(2, 50);
  const double first = a(0, 0);
  CHECK(tridiagonalise(a, pool).diagonal(0) == first);
}

TEST_CASE("tridiagonalise: matrices that need no reflection", "[eval][eigenvalues]") {
  jessl::ThreadPool pool(1);
  Eigen::MatrixXd zero = Eigen::MatrixXd::Zero(40, 40);
  CHECK(eigenvalues_of(tridiagonalise(zero, pool)).isZero(0.0));
  Eigen::MatrixXd diagonal = Eigen::VectorXd::LinSpaced(40, 1.0, 40.0).asDiagonal();
  CHECK((eigenvalues_of(tridiagonalise(diagonal, pool)) - Eigen::VectorXd::LinSpaced(40, 40.0, 1.0)).norm() < 1e-12);
}

TEST_CASE("tridiagonalise: the number of threads changes no bit", "[eval][eigenvalues]") {
  const Eigen::MatrixXd a = symmetric(3, 600);  // large enough that products with vectors are shared, too
  jessl::ThreadPool alone(1);
  Eigen::MatrixXd copy = a;
  const auto expected = tridiagonalise(copy, alone);
  for (const std::int64_t threads : {2, 3, 7}) {
    jessl::ThreadPool pool(threads);
    copy = a;
    const auto tridiagonal = tridiagonalise(copy, pool);
    CHECK(tridiagonal.diagonal == expected.diagonal);
    CHECK(tridiagonal.subdiagonal == expected.subdiagonal);
  }
}

TEST_CASE("eigenvalues_of: largest first, whatever the scale", "[eval][eigenvalues]") {
  // [2 1; 1 2] has 3 and 1.
  for (const double scale : {1e-200, 1.0, 1e200}) {
    const Eigen::VectorXd values =
        eigenvalues_of({Eigen::VectorXd::Constant(2, 2.0 * scale), Eigen::VectorXd::Constant(1, scale)});
    CHECK(values(0) == Approx(3.0 * scale).epsilon(1e-14));
    CHECK(values(1) == Approx(1.0 * scale).epsilon(1e-14));
  }
}

TEST_CASE("second moment: is the sum of outer products, within the rounding that it states", "[eval][eigenvalues]") {
  jessl::ThreadPool pool(2);
  // Whole blocks and parts of them; rows of two values only, whose products round alike; one column that dominates.
  for (const auto& [rows, columns] :
       {std::pair{700, 90}, std::pair{1024, 64}, std::pair{3, 130}, std::pair{2600, 65}}) {
    for (const int kind : {0, 1, 2}) {
      INFO(rows << " x " << columns << ", kind " << kind);
      jessl::RowMatrix x = reference::gaussian(4, rows, columns);
      if (kind == 1)
        x = (jessl::RowMatrix(2, columns) << x.row(0), x.row(1))
                .finished()
                .replicate((rows + 1) / 2, 1)
                .topRows(rows)
                .eval();
      if (kind == 2) x.col(columns / 2) *= 100.0F;
      Eigen::MatrixXd sum = Eigen::MatrixXd::Zero(columns, columns);
      const auto rounding = jessl::eval::detail::add_second_moment<float>(
          pool, rows, [&](Eigen::Index first, auto out) { out = x.middleRows(first, out.rows()); }, sum);
      const Eigen::MatrixXd expected = x.cast<double>().transpose() * x.cast<double>();
      const Eigen::MatrixXd error = (sum - expected).eval().selfadjointView<Eigen::Lower>();
      using Solver = Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>;
      const double moved = Solver(error, Eigen::EigenvaluesOnly).eigenvalues().cwiseAbs().maxCoeff();
      const double largest = Solver(expected, Eigen::EigenvaluesOnly).eigenvalues().maxCoeff();
      CHECK(moved < rounding(largest));
      CHECK(rounding(largest) < 5e-6 * largest);  // and the statement is worth something
    }
  }
}

TEST_CASE("second moment: float64 products are a hundred million times as accurate", "[eval][eigenvalues]") {
  jessl::ThreadPool pool(1);
  const jessl::RowMatrix x = reference::gaussian(5, 500, 70);
  Eigen::MatrixXd sum = Eigen::MatrixXd::Zero(70, 70);
  const auto rounding = jessl::eval::detail::add_second_moment<double>(
      pool, 500, [&](Eigen::Index first, auto out) { out = x.middleRows(first, out.rows()).template cast<double>(); },
      sum);
  const Eigen::MatrixXd expected = x.cast<double>().transpose() * x.cast<double>();
  const Eigen::MatrixXd lower = (sum - expected).triangularView<Eigen::Lower>();
  CHECK(lower.cwiseAbs().maxCoeff() < 1e-14 * expected.diagonal().maxCoeff());
  CHECK(rounding(expected.trace()) < 1e-13 * expected.trace());
}
