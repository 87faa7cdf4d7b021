// SPDX-License-Identifier: Apache-2.0
// How close the directions of two views of one image are.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include <Eigen/Core>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/thread_pool.hpp>
#include <jessl/eval/concept.hpp>
#include <jessl/eval/detail/checks.hpp>
#include <jessl/eval/detail/rows.hpp>

namespace jessl::eval {

/// The distance of alignment, and how it is computed.
///
/// Shapes     none
/// Errors     ConfigError from alignment for alpha not above 0 or not finite, and for threads < 0
/// Models     none
/// Source     that of alignment
struct AlignmentOptions {
  double alpha = 2.0;        ///< power of the distance, > 0
  std::int64_t threads = 0;  ///< threads to use; 0: all of the hardware
};

/// Alignment: the mean distance of two views of an image on the unit sphere, to the power alpha.
///
/// mean_i |a_i / |a_i| - b_i / |b_i||^alpha, where rows i of A and B are two views of image i. From 0 (equal
/// directions) to 2^alpha; lower is better as long as uniformity is low too, for constant features have 0. Unrelated
/// directions in many dimensions have 2^(alpha / 2). loss::AlignmentUniformity trains with it.
///
/// Shapes     A: [N, D], B: [N, D] -> number
/// Units      alpha: dimensionless
/// Precision  float64
/// Cost       A and B are read twice
/// Randomness none; the result does not depend on the number of threads, bit for bit
/// Errors     ConfigError for alpha not above 0 or not finite, and for threads < 0; ShapeError when A and B differ in
///            shape; DataError when there is no row or column, for NaN or infinity
/// Models     none
/// Source     Wang, Isola: Understanding Contrastive Representation Learning through Alignment and Uniformity on the
///            Hypersphere, ICML 2020, arXiv 2005.10242, section 4.1.1 and figure 5
/// Differs    none; a row of zeros stays where it is, at distance 1 of every direction
template <class = void>
[[nodiscard]] double alignment(const Features& a, const Features& b, const AlignmentOptions& options = {}) {
  constexpr std::string_view who = "jessl::eval::alignment";
  JESSL_CHECK(std::isfinite(options.alpha) && options.alpha > 0, ConfigError, who, ": alpha is ", options.alpha,
              ", expected a finite number > 0");
  JESSL_CHECK(a.rows() == b.rows() && a.cols() == b.cols(), ShapeError, who, ": A is ", detail::shape_of(a),
              " but B is ", detail::shape_of(b), ", expected equal shapes: a row each of every image");
  detail::check_rows(who, a, 1, "A");
  ThreadPool pool(detail::thread_count(who, options.threads));
  const Eigen::VectorXd inverse_a = detail::inverse_lengths(who, a, pool, "A");
  const Eigen::VectorXd inverse_b = detail::inverse_lengths(who, b, pool, "B");
  std::vector<double> sums(static_cast<std::size_t>(detail::block_count(a.rows())));
  detail::for_each_block(pool, a.rows(), [&](Eigen::Index first, Eigen::Index count, std::size_t block) {
    for (Eigen::Index row = first; row < first + count; ++row) {
      const auto y_a = a.row(row).cast<double>() * inverse_a(row);
      const auto y_b = b.row(row).cast<double>() * inverse_b(row);
      const double squared = (y_a - y_b).squaredNorm();
      sums[block] += options.alpha == 2.0 ? squared : std::pow(squared, 0.5 * options.alpha);
    }
  });
  double sum = 0.0;
  for (const double part : sums) sum += part;
  return sum / static_cast<double>(a.rows());
}

JESSL_INSTANTIATE(double alignment<void>(const Features&, const Features&, const AlignmentOptions&));

}  // namespace jessl::eval

JESSL_OPTIONS(jessl::eval::AlignmentOptions, alpha, threads);
