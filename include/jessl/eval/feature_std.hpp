// SPDX-License-Identifier: Apache-2.0
// Whether features have collapsed to one direction.
#pragma once

#include <cmath>
#include <cstddef>
#include <string_view>
#include <vector>

#include <Eigen/Core>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/thread_pool.hpp>
#include <jessl/eval/concept.hpp>
#include <jessl/eval/detail/checks.hpp>
#include <jessl/eval/detail/rows.hpp>
#include <jessl/eval/metric_options.hpp>

namespace jessl::eval {

/// The standard deviation of a dimension of the normalised features, on average: SimSiam's sign of collapse.
///
/// mean_d std_i(y_id) with y = x / |x|. From 0 (every row has one direction: collapsed) to 1 / sqrt(D), which
/// directions drawn evenly from the sphere have. It does not see features that have collapsed to a few dimensions:
/// rank_me does.
///
/// Shapes     X: [N, D] -> number
/// Units      dimensionless
/// Precision  float64; the standard deviation is that of the population (divided by N)
/// Cost       X is read three times; memory 16 bytes a column for each 1,024 rows
/// Randomness none; the result does not depend on the number of threads, bit for bit
/// Errors     ConfigError for threads < 0; DataError when there is no row or column, for NaN or infinity
/// Models     none
/// Source     Chen, He: Exploring Simple Siamese Representation Learning, CVPR 2021, arXiv 2011.10566, section 4.1 and
///            figure 2
/// Differs    none; a row of zeros stays 0. lightly's std_of_l2_normalized divides by N - 1
template <class = void>
[[nodiscard]] double feature_std(const Features& x, const MetricOptions& options = {}) {
  constexpr std::string_view who = "jessl::eval::feature_std";
  detail::check_rows(who, x, 1);
  ThreadPool pool(detail::thread_count(who, options.threads));
  const Eigen::VectorXd inverse = detail::inverse_lengths(who, x, pool);
  // The mean over rows of a function of a normalised row.
  const auto mean_of = [&](const auto& function) {
    std::vector<Eigen::RowVectorXd> sums(static_cast<std::size_t>(detail::block_count(x.rows())));
    detail::for_each_block(pool, x.rows(), [&](Eigen::Index first, Eigen::Index count, std::size_t block) {
      sums[block].setZero(x.cols());
      for (Eigen::Index row = first; row < first + count; ++row)
        sums[block] += function(x.row(row).cast<double>() * inverse(row));
    });
    Eigen::RowVectorXd mean = Eigen::RowVectorXd::Zero(x.cols());
    for (const Eigen::RowVectorXd& sum : sums) mean += sum;
    return Eigen::RowVectorXd(mean / static_cast<double>(x.rows()));
  };
  const Eigen::RowVectorXd mean = mean_of([](const Eigen::RowVectorXd& y) -> const Eigen::RowVectorXd& { return y; });
  const Eigen::RowVectorXd variance =
      mean_of([&](const Eigen::RowVectorXd& y) -> Eigen::RowVectorXd { return (y - mean).cwiseAbs2(); });
  return variance.cwiseSqrt().mean();
}

JESSL_INSTANTIATE(double feature_std<void>(const Features&, const MetricOptions&));

}  // namespace jessl::eval
