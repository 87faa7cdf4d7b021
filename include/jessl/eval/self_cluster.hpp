// SPDX-License-Identifier: Apache-2.0
// How much more than by chance the directions of features agree.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>

#include <Eigen/Core>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/thread_pool.hpp>
#include <jessl/eval/concept.hpp>
#include <jessl/eval/detail/checks.hpp>
#include <jessl/eval/detail/rows.hpp>
#include <jessl/eval/detail/second_moment.hpp>
#include <jessl/eval/metric_options.hpp>

namespace jessl::eval {

/// SelfCluster: the squared cosines of all pairs of rows, between what even directions and equal ones have.
///
/// With y = x / |x| and q = sum_ij (y_i . y_j)^2: (q - e) / (N^2 - e), where e = N + N (N - 1) / D is what directions
/// drawn evenly from the sphere have on average. 1 where all rows lie on one line, 0 by chance, at the least -1 /
/// (max(N, D) - 1) for directions that are spread more evenly than by chance; lower is less collapsed.
///
/// Shapes     X: [N, D] -> number
/// Units      dimensionless
/// Precision  float32 products, added in float64
/// Cost       N D min(N, D) operations as blocked matrix products; memory 8 min(N, D)^2 bytes and 4 KB a column
/// Randomness none; the result does not depend on the number of threads, bit for bit
/// Errors     ConfigError for threads < 0; DataError when there are fewer than two rows or columns, for NaN or infinity
/// Models     none
/// Source     Tsitsulin, Munkhoeva, Perozzi: Unsupervised Embedding Quality Evaluation, TAG-ML at ICML 2023, arXiv
///            2305.16562, definition 3.5
/// Differs    the paper writes q as the norm of Y Y^T; its mean and maximum, and its code, are those of the squared
///            norm. Rows of zeros, which have no direction, count as equal to each other and orthogonal to the rest
template <class = void>
[[nodiscard]] double self_cluster(const Features& x, const MetricOptions& options = {}) {
  constexpr std::string_view who = "jessl::eval::self_cluster";
  JESSL_CHECK(x.rows() >= 2 && x.cols() >= 2, DataError, who, ": X is ", detail::shape_of(x),
              ", expected at least two rows and two columns");
  ThreadPool pool(detail::thread_count(who, options.threads));
  const Eigen::VectorXd inverse = detail::inverse_lengths(who, x, pool);
  const Eigen::Index size = std::min(x.rows(), x.cols());
  Eigen::MatrixXd products = Eigen::MatrixXd::Zero(size, size);
  if (x.cols() <= x.rows()) {
    detail::add_second_moment<float>(
        pool, x.rows(),
        [&](Eigen::Index first, auto out) {
          for (Eigen::Index row = 0; row < out.rows(); ++row)
            out.row(row) = (x.row(first + row).cast<double>() * inverse(first + row)).template cast<float>();
        },
        products);
  } else {
    detail::add_second_moment<float>(
        pool, x.cols(),
        [&](Eigen::Index first, auto out) {
          const auto columns = x.middleCols(first, out.rows()).template cast<double>();
          out = (columns.array().colwise() * inverse.array()).matrix().template cast<float>().transpose();
        },
        products);
  }
  const auto zeros = static_cast<double>((inverse.array() == 0.0).count());
  const double squared_cosines = detail::dot_of_lower(products, products) + zeros * zeros;
  const auto rows = static_cast<double>(x.rows());
  const double by_chance = rows + rows * (rows - 1.0) / static_cast<double>(x.cols());
  return (squared_cosines - by_chance) / (rows * rows - by_chance);
}

JESSL_INSTANTIATE(double self_cluster<void>(const Features&, const MetricOptions&));

}  // namespace jessl::eval
