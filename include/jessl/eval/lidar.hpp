// SPDX-License-Identifier: Apache-2.0
// How many directions tell objects apart in spite of the differences between views of one object.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string_view>

#include <Eigen/Cholesky>
#include <Eigen/Core>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/thread_pool.hpp>
#include <jessl/eval/concept.hpp>
#include <jessl/eval/detail/checks.hpp>
#include <jessl/eval/detail/eigenvalues.hpp>
#include <jessl/eval/detail/entropy.hpp>
#include <jessl/eval/detail/rows.hpp>
#include <jessl/eval/detail/second_moment.hpp>

namespace jessl::eval {

/// What lidar adds to the scatter of views, and how it is computed.
///
/// Shapes     none
/// Errors     ConfigError from lidar for delta not above 0 or not finite, and for threads < 0
/// Models     none
/// Source     that of lidar
struct LiDAROptions {
  double delta = 1e-4;       ///< added to the diagonal of the within-object covariance, in squared units of X, > 0
  std::int64_t threads = 0;  ///< threads to use; 0: all of the hardware
};

/// LiDAR: the effective rank of the linear discriminant analysis that tells objects apart by their views.
///
/// With m_i the mean of the q views of object i and m that of the m_i:
///     S_b = sum_i (m_i - m)(m_i - m)^T / (n - 1),
///     S_w = sum_ij (x_ij - m_i)(x_ij - m_i)^T / (n (q - 1)) + delta I,
/// and l the D eigenvalues of S_w^-1/2 S_b S_w^-1/2, it is exp(-sum_k p_k log p_k) with p_k = l_k / sum(l) + 1e-7. From
/// 1 (one direction tells the objects apart) to min(n - 1, D), 0 where the means of all objects are equal; higher is
/// better. Unlike RankMe it does not count directions in which views of one object differ as much as objects do. The
/// views are those of the training's augmentations. Take more objects than dimensions, and compare at equal n, q and D.
///
/// Shapes     X: [n q, D], the q views of object 0 first, then those of object 1, ... -> number
/// Units      dimensions; delta: squared units of X
/// Precision  float64
/// Cost       (n q + n) D^2 operations as blocked matrix products, n D^2 and D^3 / 3 for the whitening, 4/3 min(n, D)^3
///            for the eigenvalues; memory 16 D^2 + 16 n D bytes
/// Randomness none; the result does not depend on the number of threads, bit for bit
/// Errors     ConfigError for fewer than two views, delta not above 0 or not finite, and for threads < 0; ShapeError
///            when the rows are not a multiple of the views; DataError when there are fewer than two objects or no
///            column, for NaN or infinity
/// Models     none
/// Source     Thilak, Huang, Saremi, Dinh, Goh, Nakkiran, Susskind, Littwin: LiDAR: Sensing Linear Probing Performance
///            in Joint Embedding SSL Architectures, ICLR 2024, arXiv 2312.04000, section 4
/// Differs    what is added to the diagonal is at least what rounding leaves uncertain of S_w: 1e-14 of its trace or
///            less. Of the two small constants delta has the default of stable-pretraining, and 1e-7 is that of RankMe
template <class = void>
[[nodiscard]] double lidar(const Features& x, std::int64_t views, const LiDAROptions& options = {}) {
  constexpr std::string_view who = "jessl::eval::lidar";
  JESSL_CHECK(views >= 2, ConfigError, who, ": views is ", views, ", expected at least 2 of each object");
  JESSL_CHECK(std::isfinite(options.delta) && options.delta > 0, ConfigError, who, ": delta is ", options.delta,
              ", expected a finite number > 0");
  JESSL_CHECK(x.rows() % views == 0, ShapeError, who, ": X is ", detail::shape_of(x), " with ", views,
              " views of each object, expected a multiple of ", views, " rows, the views of an object in a row");
  detail::check_rows(who, x, 2 * views);
  ThreadPool pool(detail::thread_count(who, options.threads));
  const double scale = detail::centre_of(who, x, pool).scale;
  const Eigen::Index objects = x.rows() / views;
  const Eigen::Index width = x.cols();

  // All in float64: the inverse of the within-object covariance magnifies what float32 would lose.
  detail::Vectors<double> means(objects, width);
  pool.parallel_for(objects, [&](std::int64_t object, std::int64_t) {
    means.row(object) =
        x.middleRows(object * views, views).cast<double>().colwise().sum() * (scale / static_cast<double>(views));
  });
  Eigen::MatrixXd within = Eigen::MatrixXd::Zero(width, width);
  const detail::Rounding rounding = detail::add_second_moment<double>(
      pool, x.rows(),
      [&](Eigen::Index first, auto out) {
        for (Eigen::Index row = 0; row < out.rows(); ++row)
          out.row(row) = x.row(first + row).cast<double>() * scale - means.row((first + row) / views);
      },
      within);
  const auto degrees = static_cast<double>(objects * (views - 1));
  const double uncertain = rounding(within.trace()) / degrees;  // the largest eigenvalue is at most the trace
  within /= degrees;
  within.diagonal().array() += std::max(options.delta * scale * scale, uncertain);
  const Eigen::LLT<Eigen::Ref<Eigen::MatrixXd>> factor(within);
  JESSL_ASSERT(factor.info() == Eigen::Success, "LiDAR's within-object covariance is not positive definite");

  const Eigen::RowVectorXd mean = means.colwise().mean();
  Eigen::MatrixXd whitened(width, objects);  // a column an object
  constexpr Eigen::Index objects_a_call = 64;
  pool.parallel_for((objects + objects_a_call - 1) / objects_a_call, [&](std::int64_t part, std::int64_t) {
    const Eigen::Index first = part * objects_a_call;
    auto columns = whitened.middleCols(first, std::min(objects_a_call, objects - first));
    for (Eigen::Index i = 0; i < columns.cols(); ++i) {
      // Means that are equal differ by rounding, which whitening would make something of.
      const Eigen::VectorXd difference = (means.row(first + i) - mean).transpose();
      columns.col(i) = (difference.array().abs() > 1e-14 * mean.transpose().array().abs()).select(difference, 0.0);
    }
    factor.matrixL().solveInPlace(columns);
  });
  const Eigen::Index size = std::min(objects, width);
  Eigen::MatrixXd between = Eigen::MatrixXd::Zero(size, size);
  if (objects < width) {
    detail::add_second_moment<double>(
        pool, width, [&](Eigen::Index first, auto out) { out = whitened.middleRows(first, out.rows()); }, between);
  } else {
    detail::add_second_moment<double>(
        pool, objects, [&](Eigen::Index first, auto out) { out = whitened.middleCols(first, out.rows()).transpose(); },
        between);
  }
  const Eigen::VectorXd eigenvalues = detail::eigenvalues_of(detail::tridiagonalise(between, pool));
  return detail::exponential_entropy(eigenvalues.cwiseMax(0.0), 1e-7, width - size);
}

JESSL_INSTANTIATE(double lidar<void>(const Features&, std::int64_t, const LiDAROptions&));

}  // namespace jessl::eval

JESSL_OPTIONS(jessl::eval::LiDAROptions, delta, threads);
