// SPDX-License-Identifier: Apache-2.0
// The eigenvalues of a symmetric matrix, by way of a tridiagonal one, on several threads.
#pragma once

#include <algorithm>
#include <cstdint>

#include <Eigen/Core>
#include <Eigen/Eigenvalues>
#include <Eigen/Householder>

#include <jessl/core/error.hpp>
#include <jessl/core/thread_pool.hpp>
#include <jessl/eval/detail/gemm.hpp>
#include <jessl/eval/detail/rows.hpp>

namespace jessl::eval::detail {

/// A symmetric tridiagonal matrix.
struct Tridiagonal {
  Eigen::VectorXd diagonal;     // [n]
  Eigen::VectorXd subdiagonal;  // [n - 1]
};

/// How many columns of a matrix a thread multiplies in one go: of 2,000 rows they stay in the second-level cache for
/// their second use.
inline constexpr Eigen::Index columns_a_block = 64;

/// A v for a symmetric matrix of which the lower triangle is there. Partial sums, a column of `parts` each, belong to
/// blocks of columns and are added in their order.
template <class Matrix, class Vector, class Product>
void multiply_lower(const Matrix& a, const Vector& v, Eigen::MatrixXd& parts, Product& product, ThreadPool& pool) {
  constexpr Eigen::Index worth_a_wake_up = 512;
  const Eigen::Index size = a.rows();
  const Eigen::Index blocks = (size + columns_a_block - 1) / columns_a_block;
  const auto multiply_block = [&](Eigen::Index block) {
    const Eigen::Index left = block * columns_a_block;
    const Eigen::Index width = std::min(columns_a_block, size - left);
    const Eigen::Index below = size - left - width;
    auto part = parts.col(block).head(size);
    part.setZero();
    part.segment(left, width).noalias() +=
        a.block(left, left, width, width).template selfadjointView<Eigen::Lower>() * v.segment(left, width);
    if (below == 0) return;
    const auto rectangle = a.block(left + width, left, below, width);
    part.tail(below).noalias() += rectangle * v.segment(left, width);
    part.segment(left, width).noalias() += rectangle.transpose() * v.tail(below);
  };
  if (size < worth_a_wake_up) {
    for (Eigen::Index block = 0; block < blocks; ++block) multiply_block(block);
  } else {
    pool.parallel_for(blocks, [&](std::int64_t block, std::int64_t) { multiply_block(block); });
  }
  product.setZero();
  for (Eigen::Index block = 0; block < blocks; ++block) {
    const Eigen::Index from = block * columns_a_block;  // a block's part is 0 above
    product.tail(size - from) += parts.col(block).segment(from, size - from);
  }
}

/// T = Q^T A Q for a symmetric matrix A, of which the lower triangle is there. Q is orthogonal, and its first row and
/// column are those of the identity. Below the diagonal A is left with the vectors of the reflections that Q is made of.
///
/// A panel of reflections at a time: half of the work is products of matrices, and the matrix is read once a column.
///
/// Source     Dongarra, Sorensen, Hammarling: Block reduction of matrices to condensed forms for eigenvalue
///            computations, Journal of Computational and Applied Mathematics 27, 1989
template <class Matrix>
[[nodiscard]] Tridiagonal tridiagonalise(Matrix& a, ThreadPool& pool) {
  constexpr Eigen::Index panel = 32;
  constexpr Eigen::Index tile = 256;
  const Eigen::Index size = a.rows();
  Tridiagonal result{Eigen::VectorXd(size), Eigen::VectorXd(size - 1)};
  Matrix v(size, panel);  // the reflections I - tau v v^T of the panel
  Matrix w(size, panel);  // the panel makes A of A + V W^T + W V^T: w has the sign for it
  Eigen::MatrixXd parts(size, (size + columns_a_block - 1) / columns_a_block);
  Eigen::VectorXd product(size);
  for (Eigen::Index begin = 0; begin + 1 < size; begin += panel) {
    const Eigen::Index width = std::min(panel, size - 1 - begin);
    for (Eigen::Index k = 0; k < width; ++k) {
      const Eigen::Index column = begin + k;
      const Eigen::Index rest = size - column - 1;
      auto current = a.col(column).tail(rest + 1);
      if (k > 0) {
        current.noalias() += v.block(column, 0, rest + 1, k) * w.row(column).head(k).transpose();
        current.noalias() += w.block(column, 0, rest + 1, k) * v.row(column).head(k).transpose();
      }
      result.diagonal(column) = current(0);
      auto below = current.tail(rest);
      double tau = 0.0;
      below.makeHouseholderInPlace(tau, result.subdiagonal(column));
      below(0) = 1.0;
      v.col(k).tail(rest) = below;

      auto image = product.tail(rest);
      multiply_lower(a.bottomRightCorner(rest, rest), below, parts, image, pool);
      if (k > 0) {
        const Eigen::VectorXd along_w = w.block(column + 1, 0, rest, k).transpose() * below;
        const Eigen::VectorXd along_v = v.block(column + 1, 0, rest, k).transpose() * below;
        image.noalias() += v.block(column + 1, 0, rest, k) * along_w;
        image.noalias() += w.block(column + 1, 0, rest, k) * along_v;
      }
      image *= tau;
      w.col(k).tail(rest) = 0.5 * tau * image.dot(below) * below - image;
    }

    const Eigen::Index end = begin + width;
    const Eigen::Index rest = size - end;
    const Eigen::Index side = (rest + tile - 1) / tile;
    pool.parallel_for(side * (side + 1) / 2, [&](std::int64_t index, std::int64_t) {
      const auto [row, block] = tile_of(index);
      const Eigen::Index top = end + row * tile;
      const Eigen::Index left = end + block * tile;
      const Eigen::Index height = std::min(tile, size - top);
      const Eigen::Index breadth = std::min(tile, size - left);
      // Transposed, as add_product writes row by row.
      auto target = a.block(top, left, height, breadth).transpose();
      add_product(w.block(left, 0, breadth, width), v.block(top, 0, height, width).transpose(), target);
      add_product(v.block(left, 0, breadth, width), w.block(top, 0, height, width).transpose(), target);
    });
  }
  result.diagonal(size - 1) = a(size - 1, size - 1);
  return result;
}

/// The eigenvalues of a symmetric tridiagonal matrix, largest first.
template <class = void>
[[nodiscard]] Eigen::VectorXd eigenvalues_of(const Tridiagonal& matrix) {
  double largest = matrix.diagonal.cwiseAbs().maxCoeff();
  if (matrix.subdiagonal.size() > 0) largest = std::max(largest, matrix.subdiagonal.cwiseAbs().maxCoeff());
  if (!(largest > 0.0)) return Eigen::VectorXd::Zero(matrix.diagonal.size());
  Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver;
  // Its test for a subdiagonal entry that is as good as 0 takes the matrix to be of size 1.
  solver.computeFromTridiagonal(matrix.diagonal / largest, matrix.subdiagonal / largest, Eigen::EigenvaluesOnly);
  JESSL_ASSERT(solver.info() == Eigen::Success, "the eigenvalues of a tridiagonal matrix did not converge");
  return solver.eigenvalues().reverse() * largest;
}

}  // namespace jessl::eval::detail
