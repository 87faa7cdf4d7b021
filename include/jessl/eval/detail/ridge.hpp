// SPDX-License-Identifier: Apache-2.0
// Ridge regression in float64: one strength of the penalty by Cholesky, any number of them from one eigendecomposition.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <Eigen/Eigenvalues>

#include <jessl/core/error.hpp>
#include <jessl/core/matrix.hpp>
#include <jessl/core/thread_pool.hpp>
#include <jessl/eval/concept.hpp>
#include <jessl/eval/detail/checks.hpp>
#include <jessl/eval/detail/gemm.hpp>
#include <jessl/eval/detail/linear_map.hpp>
#include <jessl/eval/detail/moments.hpp>

namespace jessl::eval::detail {

/// Class labels as targets: 1 in the column of the row's class, else 0.
template <class = void>
class OneHotTargets {
 public:
  OneHotTargets(Labels y, Eigen::Index classes)
      : y_(y), counts_(class_counts(y, classes)), mean_(counts_.transpose() / static_cast<double>(y.size())) {}

  [[nodiscard]] const Eigen::RowVectorXd& mean() const { return mean_; }  // [T]

  /// Rows of Y - mean, [count, T].
  [[nodiscard]] RowMatrixD centred(Eigen::Index first, Eigen::Index count) const {
    RowMatrixD rows = (-mean_).replicate(count, 1);
    for (Eigen::Index i = 0; i < count; ++i) rows(i, y_[static_cast<std::size_t>(first + i)]) += 1.0;
    return rows;
  }

  /// Y^T (X - mean), [T, D]: sums by class, without a product of matrices.
  [[nodiscard]] RowMatrixD products(const Features& x, const Eigen::RowVectorXd& mean, ThreadPool& pool) const {
    RowMatrixD sums = class_sums(x, y_, counts_.size(), pool, [](Eigen::Index) { return 1.0; });
    for (Eigen::Index c = 0; c < sums.rows(); ++c) sums.row(c) -= counts_(c) * mean;
    return sums;
  }

 private:
  Labels y_;
  Eigen::VectorXd counts_;
  Eigen::RowVectorXd mean_;
};

/// Targets that are numbers, [N, T].
template <class = void>
class RealTargets {
 public:
  RealTargets(const Features& targets, ThreadPool& pool) : targets_(targets), mean_(row_mean(targets, pool)) {}

  [[nodiscard]] const Eigen::RowVectorXd& mean() const { return mean_; }  // [T]

  /// Rows of Y - mean, [count, T].
  [[nodiscard]] RowMatrixD centred(Eigen::Index first, Eigen::Index count) const {
    return targets_.middleRows(first, count).cast<double>().rowwise() - mean_;
  }

  /// (Y - mean)^T (X - mean), [T, D].
  [[nodiscard]] RowMatrixD products(const Features& x, const Eigen::RowVectorXd& mean, ThreadPool& pool) const {
    return cross_products(x, mean, mean_.size(), pool,
                          [this](Eigen::Index first, Eigen::Index count) { return centred(first, count); });
  }

 private:
  const Features& targets_;
  Eigen::RowVectorXd mean_;
};

inline void check_lambda(std::string_view who, double lambda) {
  JESSL_CHECK(std::isfinite(lambda) && lambda > 0, ConfigError, who, ": lambda is ", lambda,
              ", expected a finite number > 0");
}

/// Solves (A + lambda I) Z^T = B^T for Z, in place of B [T, size]. A, [size, size], whose lower triangle is read, holds
/// sums of `terms` numbers.
template <class = void>
void solve_penalised(std::string_view who, const RowMatrixD& a, Eigen::Index terms, double lambda, RowMatrixD& b) {
  Eigen::MatrixXd matrix = a;
  matrix.diagonal().array() += lambda;
  const Eigen::VectorXd diagonal = matrix.diagonal();
  const Eigen::LLT<Eigen::Ref<Eigen::MatrixXd>> factor(matrix);
  // A pivot is what is left of its diagonal entry after the rows before it have explained theirs. Below what rounding
  // does to so long a sum there is nothing left but error, whatever the scales of the features.
  const double rounding =
      4.0 * std::numeric_limits<double>::epsilon() * std::sqrt(static_cast<double>(terms + a.rows()));
  JESSL_CHECK(factor.info() == Eigen::Success &&
                  (factor.matrixLLT().diagonal().array().square() > rounding * diagonal.array()).all(),
              ConfigError, who, ": lambda is ", lambda,
              ", too small for features that are linearly dependent or more than the rows: the weights would be "
              "rounding errors; raise lambda");
  Eigen::Map<Eigen::MatrixXd> columns(b.data(), b.cols(), b.rows());
  factor.solveInPlace(columns);
}

/// The ridge regression for one strength of the penalty, by Cholesky's factors of the smaller of the scatter matrix,
/// [D, D], and the Gram matrix, [N, N].
template <class Targets>
[[nodiscard]] LinearMap fit_ridge(std::string_view who, const Features& x, const Targets& targets, double lambda,
                                  ThreadPool& pool) {
  const Eigen::RowVectorXd mean = row_mean(x, pool);
  RowMatrixD weights;
  if (x.rows() > x.cols()) {
    weights = targets.products(x, mean, pool);
    solve_penalised(who, scatter_matrix<double>(x, mean, pool), x.rows(), lambda, weights);
  } else {
    RowMatrixD dual = targets.centred(0, x.rows()).transpose();  // [T, N]
    solve_penalised(who, gram_matrix(x, mean, pool), x.cols(), lambda, dual);
    weights = cross_products(x, mean, dual.rows(), pool, [&](Eigen::Index first, Eigen::Index count) -> RowMatrixD {
      return dual.middleCols(first, count).transpose();
    });
  }
  return through_means(std::move(weights), mean, targets.mean());
}

/// Ridge regressions for any strength of the penalty, and their leave-one-out errors, from one eigendecomposition of the
/// smaller of the scatter matrix, [D, D], and the Gram matrix, [N, N].
///
/// With X and Y centred and X^T X = V diag(s) V^T the weights are V diag(1 / (s + lambda)) V^T X^T Y, and row i has the
/// leverage h_i = 1/N + sum_j (X V)_ij^2 / (s_j + lambda), where 1/N is the intercept's. Its error by the regression
/// of all other rows is that of the regression of all rows over 1 - h_i. With X X^T = U diag(s) U^T the weights are X^T A for
/// A = U diag(1 / (s + lambda)) U^T Y, and the error of row i is A_i / sum_j U_ij^2 / (s_j + lambda), without the
/// vector of ones among the U_j: no small number is left of two large ones where the regression passes through all points.
///
/// Source     Allen: The relationship between variable selection and data augmentation and a method for prediction,
///            Technometrics 16, 1974; Golub, Heath, Wahba: Generalized cross-validation as a method for choosing a good
///            ridge parameter, Technometrics 21, 1979; Rifkin, Lippert: Notes on regularized least squares,
///            MIT-CSAIL-TR-2007-025, 2007 (the dual form)
template <class Targets>
class RidgePath {
 public:
  RidgePath(const Features& x, const Targets& targets, ThreadPool& pool)
      : x_(x), targets_(targets), pool_(pool), dual_(x.rows() <= x.cols()), mean_(row_mean(x, pool)) {
    Eigen::MatrixXd matrix = dual_ ? gram_matrix(x, mean_, pool) : scatter_matrix<double>(x, mean_, pool);
    if (dual_) {
      // The vector of ones has the eigenvalue 0, as others may. Lifted above all of them, it is the last one, and alone.
      const double trace = matrix.trace();
      matrix.array() += (trace > 0 ? 2.0 * trace : 1.0) / static_cast<double>(x.rows());
    }
    const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(matrix);
    JESSL_ASSERT(solver.info() == Eigen::Success, "RidgePath's eigenvalues did not converge");
    values_ = solver.eigenvalues().cwiseMax(0.0);
    vectors_ = solver.eigenvectors();

    RowMatrixD right;  // Y^T or Y^T X, [T, R]
    if (dual_) {
      right = targets.centred(0, x.rows()).transpose();
    } else {
      right = targets.products(x, mean_, pool);
    }
    coefficients_ = RowMatrixD::Zero(vectors_.cols(), right.rows());
    for_each_block(pool, vectors_.cols(), columns_a_call, [&](Eigen::Index first, Eigen::Index count) {
      add_product(vectors_.middleCols(first, count).transpose(), right.transpose(),
                  coefficients_.middleRows(first, count));
    });
  }

  /// The mean squared error, over rows and targets, of each row by the regression of all others, for each strength.
  [[nodiscard]] std::vector<double> leave_one_out(std::span<const double> lambdas) const {
    const auto strengths = static_cast<Eigen::Index>(lambdas.size());
    RowMatrixD filters(vectors_.cols(), strengths);
    for (Eigen::Index l = 0; l < strengths; ++l) filters.col(l) = filter(lambdas[static_cast<std::size_t>(l)]);
    RowMatrixD sums = RowMatrixD::Zero((x_.rows() + rows_a_call - 1) / rows_a_call, strengths);
    for_each_block(pool_, x_.rows(), rows_a_call, [&](Eigen::Index first, Eigen::Index count) {
      const RowMatrixD rows = basis(first, count);  // [count, R]
      const RowMatrixD squares = rows.cwiseAbs2();
      RowMatrixD leverages = RowMatrixD::Zero(count, strengths);
      add_product(squares, filters, leverages);
      const RowMatrixD wanted = dual_ ? RowMatrixD() : targets_.centred(first, count);
      for (Eigen::Index l = 0; l < strengths; ++l) {
        const RowMatrixD filtered = rows * filters.col(l).asDiagonal();
        RowMatrixD residuals = RowMatrixD::Zero(count, coefficients_.cols());
        add_product(filtered, coefficients_, residuals);
        Eigen::VectorXd shares = leverages.col(l);  // 1 - h, in the dual form over lambda, as the residuals are
        if (!dual_) {
          residuals = wanted - residuals;
          const double most = 1.0 - 1.0 / static_cast<double>(x_.rows());
          shares = (most - shares.array()).max(std::numeric_limits<double>::epsilon());
        }
        sums(first / rows_a_call, l) = (residuals.rowwise().squaredNorm().array() / shares.array().square()).sum();
      }
    });
    std::vector<double> errors(lambdas.size(), 0.0);
    for (std::size_t l = 0; l < errors.size(); ++l) {
      for (Eigen::Index block = 0; block < sums.rows(); ++block) errors[l] += sums(block, static_cast<Eigen::Index>(l));
      errors[l] /= static_cast<double>(x_.rows()) * static_cast<double>(coefficients_.cols());
    }
    return errors;
  }

  /// The regression for one strength.
  [[nodiscard]] LinearMap at(double lambda) const {
    const RowMatrixD filtered = filter(lambda).asDiagonal() * coefficients_;  // [R, T]
    RowMatrixD solution = RowMatrixD::Zero(vectors_.rows(), filtered.cols());
    for_each_block(pool_, vectors_.rows(), columns_a_call, [&](Eigen::Index first, Eigen::Index count) {
      add_product(vectors_.middleRows(first, count), filtered, solution.middleRows(first, count));
    });
    RowMatrixD weights;
    if (dual_) {
      weights = cross_products(
          x_, mean_, solution.cols(), pool_,
          [&](Eigen::Index first, Eigen::Index count) -> RowMatrixD { return solution.middleRows(first, count); });
    } else {
      weights = solution.transpose();
    }
    return through_means(std::move(weights), mean_, targets_.mean());
  }

 private:
  /// 1 / (s + lambda), [R]; 0 for the vector of ones.
  [[nodiscard]] Eigen::VectorXd filter(double lambda) const {
    Eigen::VectorXd factors = (values_.array() + lambda).inverse();
    if (dual_) factors(factors.size() - 1) = 0.0;
    return factors;
  }

  /// Rows of X V, or of U, [count, R].
  [[nodiscard]] RowMatrixD basis(Eigen::Index first, Eigen::Index count) const {
    if (dual_) return vectors_.middleRows(first, count);
    const RowMatrixD centred = x_.middleRows(first, count).cast<double>().rowwise() - mean_;
    RowMatrixD rows = RowMatrixD::Zero(count, vectors_.cols());
    add_product(centred, vectors_, rows);
    return rows;
  }

  const Features& x_;
  const Targets& targets_;
  ThreadPool& pool_;
  bool dual_;
  Eigen::RowVectorXd mean_;  // of the features, [D]
  Eigen::VectorXd values_;   // s, rising, [R]: R is D or N
  Eigen::MatrixXd vectors_;  // V or U, a column an eigenvector, [R, R]
  RowMatrixD coefficients_;  // (X V)^T Y or U^T Y, [R, T]
};

}  // namespace jessl::eval::detail
