// SPDX-License-Identifier: Apache-2.0
// How evenly the directions of features spread over the unit sphere.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

#include <Eigen/Core>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/matrix.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/thread_pool.hpp>
#include <jessl/eval/concept.hpp>
#include <jessl/eval/detail/checks.hpp>
#include <jessl/eval/detail/gemm.hpp>
#include <jessl/eval/detail/rows.hpp>

namespace jessl::eval {

/// The potential of uniformity, and how it is computed.
///
/// Shapes     none
/// Errors     ConfigError from uniformity for t outside (0, 1e6], and for threads < 0
/// Models     none
/// Source     that of uniformity
struct UniformityOptions {
  double t = 2.0;            ///< how fast the potential of two rows falls with their squared distance, in (0, 1e6]
  std::int64_t threads = 0;  ///< threads to use; 0: all of the hardware
};

namespace detail {

/// log sum exp of numbers that come one group after the other.
struct LogSumExp {
  double largest = -std::numeric_limits<double>::infinity();
  double sum = 0.0;  // of exp(number - largest)

  void add(const LogSumExp& other) {
    if (!(other.sum > 0.0)) return;
    if (other.largest > largest) {
      sum = sum * std::exp(largest - other.largest) + other.sum;
      largest = other.largest;
    } else {
      sum += other.sum * std::exp(other.largest - largest);
    }
  }

  [[nodiscard]] double value() const { return largest + std::log(sum); }
};

}  // namespace detail

/// Uniformity: the logarithm of the mean Gaussian potential of two rows on the unit sphere.
///
/// log mean_{i < j} exp(-t |y_i - y_j|^2) with y = x / |x|. From -4 t (two opposite rows) to 0 (all directions are
/// equal); lower is better. Directions drawn evenly from the sphere have about -2 t + 2 t^2 / D where D is well above
/// t, the least that many rows can have. loss::AlignmentUniformity trains with it.
///
/// Shapes     X: [N, D] -> number
/// Units      t: dimensionless
/// Precision  cosines in float32, sums in float64
/// Cost       N^2 D operations as blocked matrix products, N^2 / 2 exponentials; memory a copy of X and 1 MB a thread
/// Randomness none; the result does not depend on the number of threads, bit for bit
/// Errors     ConfigError for t outside (0, 1e6], and for threads < 0; DataError when there are fewer than two rows or
///            no column, for NaN or infinity
/// Models     none
/// Source     Wang, Isola: Understanding Contrastive Representation Learning through Alignment and Uniformity on the
///            Hypersphere, ICML 2020, arXiv 2005.10242, section 4.1.2 and figure 5
/// Differs    none; a row of zeros stays where it is, at distance 1 of every direction and 0 of other such rows
template <class = void>
[[nodiscard]] double uniformity(const Features& x, const UniformityOptions& options = {}) {
  constexpr std::string_view who = "jessl::eval::uniformity";
  JESSL_CHECK(options.t > 0 && options.t <= 1e6, ConfigError, who, ": t is ", options.t,
              ", expected a number above 0 and up to 1e6");
  detail::check_rows(who, x, 2);
  ThreadPool pool(detail::thread_count(who, options.threads));
  const Eigen::VectorXd inverse = detail::inverse_lengths(who, x, pool);
  const RowMatrix unit = detail::unit_rows(x, inverse, pool);
  const Eigen::ArrayXf squares = (inverse.array() > 0.0).cast<float>();  // of the lengths: 1, or 0 for a row of zeros
  const auto t = static_cast<float>(options.t);

  constexpr Eigen::Index tile = 512;
  const Eigen::Index side = (x.rows() + tile - 1) / tile;
  std::vector<detail::LogSumExp> parts(static_cast<std::size_t>(side * (side + 1) / 2));
  std::vector<RowMatrix> scratch(static_cast<std::size_t>(pool.size()));
  pool.parallel_for(side * (side + 1) / 2, [&](std::int64_t index, std::int64_t worker) {
    const auto [row, column] = detail::tile_of(index);
    const Eigen::Index top = row * tile;
    const Eigen::Index left = column * tile;
    const Eigen::Index height = std::min(tile, x.rows() - top);
    const Eigen::Index breadth = std::min(tile, x.rows() - left);
    RowMatrix& products = scratch[static_cast<std::size_t>(worker)];
    products.setZero(height, breadth);
    detail::add_product(unit.middleRows(top, height), unit.middleRows(left, breadth).transpose(), products);
    detail::LogSumExp& part = parts[static_cast<std::size_t>(index)];
    for (Eigen::Index i = 0; i < height; ++i) {
      const Eigen::Index before = row == column ? i : breadth;  // of two rows, the later one counts the pair
      if (before == 0) continue;
      auto exponents = products.row(i).head(before).array();
      // -t |y_i - y_j|^2; rounding must not make it positive.
      exponents = (t * (2.0F * exponents - squares.segment(left, before).transpose() - squares(top + i))).min(0.0F);
      const float largest = exponents.maxCoeff();
      part.add({largest, (exponents - largest).exp().cast<double>().sum()});
    }
  });
  detail::LogSumExp all;
  for (const detail::LogSumExp& part : parts) all.add(part);
  const auto rows = static_cast<double>(x.rows());
  return all.value() - std::log(0.5 * rows * (rows - 1.0));
}

JESSL_INSTANTIATE(double uniformity<void>(const Features&, const UniformityOptions&));

}  // namespace jessl::eval

JESSL_OPTIONS(jessl::eval::UniformityOptions, t, threads);
