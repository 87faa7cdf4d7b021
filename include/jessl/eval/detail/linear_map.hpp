// SPDX-License-Identifier: Apache-2.0
// Linear maps of features: what ridge regressions and principal components come to.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>

#include <Eigen/Core>

#include <jessl/core/matrix.hpp>
#include <jessl/core/thread_pool.hpp>
#include <jessl/eval/concept.hpp>
#include <jessl/eval/detail/checks.hpp>
#include <jessl/eval/detail/gemm.hpp>
#include <jessl/eval/detail/moments.hpp>
#include <jessl/eval/detail/rows.hpp>

namespace jessl::eval::detail {

/// x -> W x + b.
struct LinearMap {
  RowMatrixD weights;         // W, [T, D]
  Eigen::VectorXd intercept;  // b, [T]
};

/// The map with these weights that takes the mean of the features to the mean of the targets.
template <class = void>
[[nodiscard]] LinearMap through_means(RowMatrixD weights, const Eigen::RowVectorXd& features,
                                      const Eigen::RowVectorXd& targets) {
  Eigen::VectorXd intercept = targets.transpose() - weights * features.transpose();
  return {std::move(weights), std::move(intercept)};
}

/// W x + b for each row of `x`, [M, T]; also checks them.
template <class = void>
[[nodiscard]] RowMatrix map_rows(std::string_view who, const LinearMap& map, const Features& x, std::int64_t threads) {
  check_columns(who, x, map.weights.cols());
  RowMatrix values(x.rows(), map.weights.rows());
  ThreadPool pool(threads);
  for_each_block(pool, x.rows(), rows_a_call, [&](Eigen::Index first, Eigen::Index count) {
    check_finite(who, x, first, count);
    const RowMatrixD rows = x.middleRows(first, count).cast<double>();
    RowMatrixD block = map.intercept.transpose().replicate(count, 1);
    add_product(rows, map.weights.transpose(), block);
    values.middleRows(first, count) = block.cast<float>();
  });
  return values;
}

}  // namespace jessl::eval::detail
