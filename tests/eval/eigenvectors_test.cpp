// SPDX-License-Identifier: Apache-2.0
// Eigenvectors by inverse iteration: A v = value v and orthonormal, also where eigenvalues are close, equal or apart.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>

#include <Eigen/Eigenvalues>

#include <jessl/eval/detail/eigenvectors.hpp>

#include "eval/features.hpp"

namespace {

using jessl::eval::detail::apply_reflections;
using jessl::eval::detail::eigenvalues_of;
using jessl::eval::detail::eigenvectors_of;
using jessl::eval::detail::Tridiagonal;
using jessl::eval::detail::tridiagonalise;

/// The vectors of the `count` largest eigenvalues of a symmetric matrix, checked by what they are.
Eigen::MatrixXd checked_vectors(const Eigen::MatrixXd& matrix, Eigen::Index count, jessl::ThreadPool& pool) {
  Eigen::MatrixXd work = matrix;
  work.triangularView<Eigen::StrictlyUpper>().setConstant(std::nan(""));  // only the lower triangle is looked at
  const auto tridiagonal = tridiagonalise(work, pool);
  const Eigen::VectorXd values = eigenvalues_of(tridiagonal).head(count);
  Eigen::MatrixXd vectors = eigenvectors_of(tridiagonal, values);
  apply_reflections(work, vectors, pool);
  REQUIRE(vectors.rows() == matrix.rows());
  REQUIRE(vectors.cols() == count);
  // Rounding, times a few for the sums: of entries of 1 at most, and of the largest eigenvalue.
  CHECK((vectors.transpose() * vectors - Eigen::MatrixXd::Identity(count, count)).cwiseAbs().maxCoeff() < 1e-12);
  const Eigen::MatrixXd off = matrix * vectors - vectors * values.asDiagonal();
  CHECK(off.cwiseAbs().maxCoeff() <= 1e-12 * matrix.cwiseAbs().maxCoeff());
  return vectors;
}

Eigen::MatrixXd with_eigenvalues(const Eigen::VectorXd& values) {
  const Eigen::MatrixXd basis = reference::rotation(7, values.size());
  const Eigen::MatrixXd matrix = basis * values.asDiagonal() * basis.transpose();
  return 0.5 * (matrix + matrix.transpose());
}

}  // namespace

TEST_CASE("eigenvectors: of random matrices of every size about a panel, some of them and all",
          "[eval][eigenvectors]") {
  jessl::ThreadPool pool(2);
  for (const Eigen::Index size : {1, 2, 3, 31, 32, 33, 64, 65, 130, 290}) {
    INFO(size);
    const Eigen::MatrixXd entries = reference::gaussian(1, size, size).cast<double>();
    const Eigen::MatrixXd matrix = entries + entries.transpose();
    for (const Eigen::Index count : {Eigen::Index{1}, (size + 1) / 2, size}) checked_vectors(matrix, count, pool);
    const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(matrix);
    const Eigen::VectorXd leading = checked_vectors(matrix, 1, pool);
    CHECK(std::abs(leading.dot(solver.eigenvectors().col(size - 1))) == Approx(1.0).epsilon(1e-12));
  }
}

TEST_CASE("eigenvectors: of eigenvalues that are equal, or close to each other by rounding", "[eval][eigenvectors]") {
  jessl::ThreadPool pool(2);
  Eigen::VectorXd values = Eigen::VectorXd::LinSpaced(90, 1.0, 0.1);
  values.head(40).setOnes();
  for (const double apart : {0.0, 1e-15, 1e-12, 1e-8, 1e-4}) {
    INFO("apart by " << apart);
    for (Eigen::Index i = 0; i < 40; ++i) values(i) = 1.0 + apart * static_cast<double>(40 - i);
    for (const Eigen::Index count : {2, 40, 90}) checked_vectors(with_eigenvalues(values), count, pool);
  }
  checked_vectors(Eigen::MatrixXd::Identity(50, 50), 50, pool);
  checked_vectors(Eigen::MatrixXd::Zero(50, 50), 50, pool);
  checked_vectors(Eigen::MatrixXd::Constant(60, 60, 1.0), 3, pool);  // rank 1
}

TEST_CASE("eigenvectors: of matrices that fall apart, and of Wilkinson's", "[eval][eigenvectors]") {
  jessl::ThreadPool pool(1);
  Eigen::MatrixXd blocks = Eigen::MatrixXd::Zero(60, 60);
  const Eigen::MatrixXd block = with_eigenvalues(Eigen::VectorXd::LinSpaced(20, 2.0, 1.0));
  for (const Eigen::Index i : {0, 20, 40}) blocks.block(i, i, 20, 20) = block;  // each eigenvalue three times
  for (const Eigen::Index count : {1, 2, 3, 60}) checked_vectors(blocks, count, pool);
  checked_vectors(Eigen::VectorXd::LinSpaced(40, 40.0, 1.0).asDiagonal(), 40, pool);
  checked_vectors(Eigen::VectorXd::LinSpaced(40, 1.0, 40.0).asDiagonal(), 7, pool);
  // W21+: pairs of eigenvalues that agree to as many as fifteen digits, though nothing falls apart.
  Eigen::MatrixXd wilkinson = Eigen::MatrixXd::Zero(21, 21);
  for (Eigen::Index i = 0; i < 21; ++i) wilkinson(i, i) = std::abs(10.0 - static_cast<double>(i));
  wilkinson.diagonal(1).setOnes();
  wilkinson.diagonal(-1).setOnes();
  checked_vectors(wilkinson, 21, pool);
}

TEST_CASE("eigenvectors: whatever the scale, and whatever the number of threads", "[eval][eigenvectors]") {
  const Eigen::MatrixXd entries = reference::gaussian(2, 70, 70).cast<double>();
  const Eigen::MatrixXd matrix = entries + entries.transpose();
  jessl::ThreadPool alone(1);
  const Eigen::MatrixXd expected = checked_vectors(matrix, 20, alone);
  for (const double scale : {0x1p-400, 0x1p400}) CHECK(checked_vectors(scale * matrix, 20, alone) == expected);
  for (const std::int64_t threads : {2, 3, 7}) {
    jessl::ThreadPool pool(threads);
    CHECK(checked_vectors(matrix, 20, pool) == expected);
  }
}
