// SPDX-License-Identifier: Apache-2.0
// Some eigenvectors of a symmetric matrix, by way of a tridiagonal one, on several threads.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include <Eigen/Core>

#include <jessl/core/draw.hpp>
#include <jessl/core/thread_pool.hpp>
#include <jessl/eval/detail/eigenvalues.hpp>
#include <jessl/eval/detail/rows.hpp>

namespace jessl::eval::detail {

/// Solves (T - shift I) x = b for a symmetric tridiagonal T, with rows exchanged for the sake of larger pivots.
///
/// Pivots below `least` are taken for it, so that there is a solution where the shift is an eigenvalue: a multiple of the
/// eigenvector, as good as.
template <class = void>
class ShiftedTridiagonal {
 public:
  ShiftedTridiagonal(const Tridiagonal& matrix, double shift, double least)
      : pivots_(matrix.diagonal.array() - shift),
        above_(matrix.subdiagonal),
        two_above_(Eigen::VectorXd::Zero(matrix.subdiagonal.size())),
        factors_(matrix.subdiagonal),
        exchanged_(static_cast<std::size_t>(matrix.subdiagonal.size()), false) {
    for (Eigen::Index i = 0; i < factors_.size(); ++i) {
      const double below = factors_(i);
      if (std::abs(pivots_(i)) >= std::abs(below)) {
        factors_(i) = below == 0.0 ? 0.0 : below / pivots_(i);
        pivots_(i + 1) -= factors_(i) * above_(i);
        continue;
      }
      exchanged_[static_cast<std::size_t>(i)] = true;
      factors_(i) = pivots_(i) / below;
      pivots_(i) = below;
      const double was_above = std::exchange(above_(i), pivots_(i + 1));
      pivots_(i + 1) = was_above - factors_(i) * above_(i);
      if (i + 1 < above_.size()) {
        two_above_(i) = above_(i + 1);
        above_(i + 1) *= -factors_(i);
      }
    }
    for (double& pivot : pivots_) {
      if (std::abs(pivot) < least) pivot = std::copysign(least, pivot);
    }
  }

  void solve_in_place(Eigen::Ref<Eigen::VectorXd> b) const {
    for (Eigen::Index i = 0; i < factors_.size(); ++i) {
      if (exchanged_[static_cast<std::size_t>(i)]) std::swap(b(i), b(i + 1));
      b(i + 1) -= factors_(i) * b(i);
    }
    for (Eigen::Index i = b.size() - 1; i >= 0; --i) {
      if (i + 1 < b.size()) b(i) -= above_(i) * b(i + 1);
      if (i + 2 < b.size()) b(i) -= two_above_(i) * b(i + 2);
      b(i) /= pivots_(i);
    }
  }

 private:
  Eigen::VectorXd pivots_;
  Eigen::VectorXd above_;      // the first diagonal above
  Eigen::VectorXd two_above_;  // the second, where rows were exchanged
  Eigen::VectorXd factors_;    // of a row, that were taken off the next one
  std::vector<bool> exchanged_;
};

/// Eigenvectors of a symmetric tridiagonal matrix, [n, values.size()], orthonormal, for some of its eigenvalues, largest
/// first, of which none is missing among those that are close to each other.
///
/// Inverse iteration: the solution of (T - value I) x = b for nearly any b is the eigenvector, to rounding over the
/// distance to the next eigenvalue. Those of close eigenvalues are made orthogonal to each other.
///
/// Source     Golub, Van Loan: Matrix Computations, 4th edition, 2013, section 8.4; Jessup, Ipsen: Improving the accuracy
///            of inverse iteration, SIAM Journal on Scientific and Statistical Computing 13, 1992
template <class = void>
[[nodiscard]] Eigen::MatrixXd eigenvectors_of(const Tridiagonal& matrix, const Eigen::VectorXd& values) {
  constexpr int iterations = 3;
  constexpr double close = 1e-3;  // of the largest entry
  constexpr double rounding = std::numeric_limits<double>::epsilon();
  const Eigen::Index size = matrix.diagonal.size();
  double largest = matrix.diagonal.cwiseAbs().maxCoeff();
  if (size > 1) largest = std::max(largest, matrix.subdiagonal.cwiseAbs().maxCoeff());
  if (!(largest > 0.0)) return Eigen::MatrixXd::Identity(size, values.size());
  const Tridiagonal scaled{matrix.diagonal / largest, matrix.subdiagonal / largest};
  Eigen::MatrixXd vectors(size, values.size());
  Eigen::Index first = 0;  // of those that are close to the current one
  double shift = std::numeric_limits<double>::infinity();
  for (Eigen::Index k = 0; k < values.size(); ++k) {
    while (values(first) - values(k) > close * largest) ++first;
    // Equal shifts would give equal vectors, of which next to nothing is left when they are made orthogonal.
    shift = std::min(values(k) / largest, shift - 4.0 * rounding);
    const ShiftedTridiagonal<> shifted(scaled, shift, rounding);
    auto vector = vectors.col(k);
    Draw draw({.sample = static_cast<std::uint64_t>(k), .purpose = Purpose::initialisation});
    for (double& value : vector) value = draw.uniform(-1.0, 1.0);
    const auto others = vectors.middleCols(first, k - first);
    for (int i = 0; i < iterations; ++i) {
      shifted.solve_in_place(vector);
      vector.normalize();
      for (int pass = 0; pass < 2 && k > first; ++pass) {  // the second removes what rounding of the first has left
        const Eigen::VectorXd along = others.transpose() * vector;
        vector.noalias() -= others * along;
        vector.normalize();
      }
    }
  }
  return vectors;
}

/// Q V for the Q with which tridiagonalise() made T = Q^T A Q of the matrix A, which it has left with the reflections:
/// eigenvectors of A from those of T.
template <class = void>
void apply_reflections(const Eigen::Ref<const Eigen::MatrixXd>& reflections, Eigen::Ref<Eigen::MatrixXd> vectors,
                       ThreadPool& pool) {
  constexpr Eigen::Index columns_at_once = 8;
  for_each_block(pool, vectors.cols(), columns_at_once, [&](Eigen::Index left, Eigen::Index width) {
    for (Eigen::Index column = reflections.cols() - 2; column >= 0; --column) {
      const Eigen::Index rest = reflections.rows() - column - 1;
      const auto v = reflections.col(column).tail(rest);
      if (v.tail(rest - 1).isZero(0.0)) continue;  // nothing was to be reflected
      const double tau = 2.0 / v.squaredNorm();
      for (Eigen::Index k = left; k < left + width; ++k) {
        auto part = vectors.col(k).tail(rest);
        part -= tau * v.dot(part) * v;
      }
    }
  });
}

}  // namespace jessl::eval::detail
