// SPDX-License-Identifier: Apache-2.0
// Sums over the rows of features: means, scatter and Gram matrices, sums by class.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include <Eigen/Core>

#include <jessl/core/thread_pool.hpp>
#include <jessl/eval/concept.hpp>
#include <jessl/eval/detail/gemm.hpp>
#include <jessl/eval/detail/rows.hpp>

namespace jessl::eval::detail {

inline constexpr Eigen::Index rows_a_call = 256;    // of features, that a thread converts or maps at once
inline constexpr Eigen::Index columns_a_call = 64;  // of a matrix of sums, that a thread adds to

/// Calls work(first, count) for batches of rows of x in their order, so many that they stay in the last cache: where threads
/// share the columns, each row comes once from memory or, in a mapped file, from the disk.
template <class Work>
void for_each_row_batch(const Features& x, const Work& work) {
  constexpr Eigen::Index values = 1 << 20;
  const Eigen::Index batch = std::max(rows_a_call, values / std::max<Eigen::Index>(1, x.cols()));
  for (Eigen::Index first = 0; first < x.rows(); first += batch) work(first, std::min(batch, x.rows() - first));
}

/// The mean of the rows, [D].
template <class = void>
[[nodiscard]] Eigen::RowVectorXd row_mean(const Features& x, ThreadPool& pool) {
  Eigen::RowVectorXd mean = Eigen::RowVectorXd::Zero(x.cols());
  for_each_row_batch(x, [&](Eigen::Index first, Eigen::Index count) {
    for_each_block(pool, x.cols(), columns_a_call, [&](Eigen::Index left, Eigen::Index width) {
      auto part = mean.segment(left, width);
      for (Eigen::Index i = first; i < first + count; ++i) part += x.row(i).segment(left, width).cast<double>();
    });
  });
  return mean / static_cast<double>(x.rows());
}

/// Calls use(first, batch) for batches of rows of x - mean, in their order: [at most 4096, D], row-major.
template <class Scalar, class Use>
void for_each_centred_batch(const Features& x, const Eigen::RowVectorXd& mean, ThreadPool& pool, const Use& use) {
  const Eigen::Matrix<Scalar, 1, Eigen::Dynamic> shift = mean.cast<Scalar>();
  Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> centred;
  constexpr Eigen::Index batch = 4096;
  for (Eigen::Index first = 0; first < x.rows(); first += batch) {
    centred.resize(std::min(batch, x.rows() - first), x.cols());
    for_each_block(pool, centred.rows(), rows_a_call, [&](Eigen::Index begin, Eigen::Index count) {
      centred.middleRows(begin, count) = x.middleRows(first + begin, count).cast<Scalar>().rowwise() - shift;
    });
    use(first, centred);
  }
}

/// Adds the lower triangle of a a^T to `sum`, in tiles of rows.
template <class A, class Sum>
void add_lower_self_product(const A& a, Sum& sum, ThreadPool& pool) {
  for_each_block(pool, a.rows(), columns_a_call, [&](Eigen::Index top, Eigen::Index height) {
    add_product(a.middleRows(top, height), a.topRows(top + height).transpose(),
                sum.block(top, 0, height, top + height));
  });
}

/// The scatter matrix (X - mean)^T (X - mean), [D, D]: N times the covariance. Its lower triangle alone is meant.
template <class Scalar, class Matrix = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>
[[nodiscard]] Matrix scatter_matrix(const Features& x, const Eigen::RowVectorXd& mean, ThreadPool& pool) {
  Matrix scatter = Matrix::Zero(x.cols(), x.cols());
  for_each_centred_batch<Scalar>(x, mean, pool, [&](Eigen::Index, const Matrix& centred) {
    add_lower_self_product(centred.transpose(), scatter, pool);
  });
  return scatter;
}

/// The Gram matrix (X - mean) (X - mean)^T, [N, N], in float64. Its lower triangle alone is meant.
template <class = void>
[[nodiscard]] RowMatrixD gram_matrix(const Features& x, const Eigen::RowVectorXd& mean, ThreadPool& pool) {
  RowMatrixD gram = RowMatrixD::Zero(x.rows(), x.rows());
  RowMatrixD centred;
  constexpr Eigen::Index batch = 512;
  for (Eigen::Index left = 0; left < x.cols(); left += batch) {
    const Eigen::Index width = std::min(batch, x.cols() - left);
    centred = x.middleCols(left, width).cast<double>().rowwise() - mean.segment(left, width);
    add_lower_self_product(centred, gram, pool);
  }
  return gram;
}

/// A^T (X - mean), [T, D], of a matrix A [N, T] whose rows `rows(first, count)` gives, [count, T], row-major.
template <class Rows>
[[nodiscard]] RowMatrixD cross_products(const Features& x, const Eigen::RowVectorXd& mean, Eigen::Index columns,
                                        ThreadPool& pool, const Rows& rows) {
  RowMatrixD sum = RowMatrixD::Zero(columns, x.cols());
  for_each_centred_batch<double>(x, mean, pool, [&](Eigen::Index first, const RowMatrixD& centred) {
    const RowMatrixD a = rows(first, centred.rows());
    for_each_block(pool, x.cols(), columns_a_call, [&](Eigen::Index left, Eigen::Index width) {
      add_product(a.transpose(), centred.middleCols(left, width), sum.middleCols(left, width));
    });
  });
  return sum;
}

/// The sum of each class's rows, row i times weight(i), in the order of the rows, [C, D].
template <class Weight>
[[nodiscard]] RowMatrixD class_sums(const Features& x, Labels y, Eigen::Index classes, ThreadPool& pool,
                                    const Weight& weight) {
  RowMatrixD sums = RowMatrixD::Zero(classes, x.cols());
  for_each_row_batch(x, [&](Eigen::Index first, Eigen::Index count) {
    for_each_block(pool, x.cols(), columns_a_call, [&](Eigen::Index left, Eigen::Index width) {
      for (Eigen::Index i = first; i < first + count; ++i) {
        sums.row(y[static_cast<std::size_t>(i)]).segment(left, width) +=
            weight(i) * x.row(i).segment(left, width).cast<double>();
      }
    });
  });
  return sums;
}

/// How many rows each class has, [C].
[[nodiscard]] inline Eigen::VectorXd class_counts(Labels y, Eigen::Index classes) {
  Eigen::VectorXd counts = Eigen::VectorXd::Zero(classes);
  for (const std::int64_t label : y) counts(label) += 1.0;
  return counts;
}

}  // namespace jessl::eval::detail
