// SPDX-License-Identifier: Apache-2.0
// The dimension of the surface that features lie on, by the two nearest neighbours of each.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <string_view>
#include <vector>

#include <Eigen/Core>

#include <jessl/core/error.hpp>
#include <jessl/core/matrix.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/thread_pool.hpp>
#include <jessl/eval/concept.hpp>
#include <jessl/eval/detail/checks.hpp>
#include <jessl/eval/detail/gemm.hpp>
#include <jessl/eval/detail/rows.hpp>

namespace jessl::eval {

/// Which rows intrinsic_dimension fits, and how it is computed.
///
/// Shapes     none
/// Errors     ConfigError from intrinsic_dimension for discard outside [0, 1), and for threads < 0
/// Models     none
/// Source     that of intrinsic_dimension
struct IntrinsicDimensionOptions {
  double discard = 0.1;      ///< share of the rows, those with the largest ratios, that take no part in the fit, [0, 1)
  std::int64_t threads = 0;  ///< threads to use; 0: all of the hardware
};

namespace detail {

/// The rows of x without those that equal an earlier one, in rising order.
[[nodiscard]] inline std::vector<Eigen::Index> distinct_rows(const Features& x) {
  const auto row = [&](Eigen::Index index) { return x.data() + index * x.outerStride(); };
  std::vector<Eigen::Index> order(static_cast<std::size_t>(x.rows()));
  std::iota(order.begin(), order.end(), Eigen::Index{0});
  std::stable_sort(order.begin(), order.end(), [&](Eigen::Index a, Eigen::Index b) {
    return std::lexicographical_compare(row(a), row(a) + x.cols(), row(b), row(b) + x.cols());
  });
  const auto equal = [&](Eigen::Index a, Eigen::Index b) { return std::equal(row(a), row(a) + x.cols(), row(b)); };
  order.erase(std::unique(order.begin(), order.end(), equal), order.end());
  std::sort(order.begin(), order.end());
  return order;
}

/// log(r_2 / r_1) of each of `rows`, which are distinct rows of x: r_1 and r_2 are the distances of the two nearest
/// others.
///
/// Matrix products give squared distances up to float32's rounding, of which a bound is known; those that may be among
/// the two least are computed again from the rows themselves in float64. So the result is that of float64.
[[nodiscard]] inline std::vector<double> neighbour_ratios(const Features& x, const std::vector<Eigen::Index>& rows,
                                                          const Centre& centre, ThreadPool& pool) {
  const auto count = static_cast<Eigen::Index>(rows.size());
  RowMatrix bank(count, x.cols());
  Eigen::RowVectorXf squares(count);
  for_each_block(pool, count, [&](Eigen::Index first, Eigen::Index many, std::size_t) {
    for (Eigen::Index i = first; i < first + many; ++i) {
      centre.write_rows(x, rows[static_cast<std::size_t>(i)], bank.middleRows(i, 1));
      squares(i) = static_cast<float>(bank.row(i).cast<double>().squaredNorm());
    }
  });
  // |fl(d^2) - d^2| <= slack (|a|^2 + |b|^2): D products, and a few roundings of the values and of their sums.
  const float slack = static_cast<float>(x.cols() + 8) * std::numeric_limits<float>::epsilon();
  const Eigen::RowVectorXf lower_squares = (1.0F - slack) * squares;

  std::vector<double> ratios(rows.size());
  constexpr Eigen::Index queries = 256;
  constexpr Eigen::Index tile = 1024;
  std::vector<RowMatrix> scratch(static_cast<std::size_t>(pool.size()));
  pool.parallel_for((count + queries - 1) / queries, [&](std::int64_t block, std::int64_t worker) {
    struct Two {
      double least = std::numeric_limits<double>::infinity();
      double next = std::numeric_limits<double>::infinity();

      void add(double value) {
        next = std::min(next, std::max(least, value));
        least = std::min(least, value);
      }
    };
    const Eigen::Index top = block * queries;
    const Eigen::Index height = std::min(queries, count - top);
    std::vector<Two> nearest(static_cast<std::size_t>(height));  // squared distances, scaled
    RowMatrix& distances = scratch[static_cast<std::size_t>(worker)];
    for (Eigen::Index left = 0; left < count; left += tile) {
      const Eigen::Index breadth = std::min(tile, count - left);
      distances.setZero(height, breadth);
      add_product(bank.middleRows(top, height), bank.middleRows(left, breadth).transpose(), distances);
      for (Eigen::Index i = 0; i < height; ++i) {
        const Eigen::Index query = top + i;
        Two& two = nearest[static_cast<std::size_t>(i)];
        // No squared distance is less than this.
        auto lower = distances.row(i);
        lower = (lower_squares.segment(left, breadth) - 2.0F * lower).array() + lower_squares(query);
        if (query >= left && query < left + breadth) lower(query - left) = std::numeric_limits<float>::infinity();
        if (double{lower.minCoeff()} > two.next) continue;
        Two upper = two;
        for (Eigen::Index j = 0; j < breadth; ++j)
          upper.add(double{lower(j)} + 2.0 * double{slack} * (double{squares(query)} + double{squares(left + j)}));
        for (Eigen::Index j = 0; j < breadth; ++j) {
          if (double{lower(j)} > std::min(upper.next, two.next)) continue;
          const auto difference = x.row(rows[static_cast<std::size_t>(query)]).cast<double>() -
                                  x.row(rows[static_cast<std::size_t>(left + j)]).cast<double>();
          two.add((difference * centre.scale).squaredNorm());
        }
      }
    }
    for (Eigen::Index i = 0; i < height; ++i) {
      const Two& two = nearest[static_cast<std::size_t>(i)];
      ratios[static_cast<std::size_t>(top + i)] = 0.5 * std::log(two.next / two.least);
    }
  });
  return ratios;
}

}  // namespace detail

/// The intrinsic dimension by TwoNN: how many coordinates are needed near each of the rows.
///
/// With r_1 and r_2 the distances of a row's two nearest others, mu = r_2 / r_1 has the distribution F(mu) = 1 - mu^-d
/// where the density is constant over that distance. The result is the slope d of the line through the origin that fits
/// -log(1 - i / N) over log mu_(i), the ratios in rising order, by least squares; the largest tenth of the ratios, for
/// which the density is seldom constant, is left out. Points of a d-dimensional surface have about d, and less than
/// that where d is above ten or twenty, whatever D; higher is more expressive (CLID). Compare at equal N. Rows that
/// equal an earlier one do not count.
///
/// Shapes     X: [N, D] -> number
/// Units      dimensions
/// Precision  float64; float32 only to find candidates for the neighbours
/// Cost       2 N^2 D operations as blocked matrix products; memory a copy of X and 1 MB a thread
/// Randomness none; the result does not depend on the number of threads, bit for bit
/// Errors     ConfigError for discard outside [0, 1), and for threads < 0; DataError when there is no column, for NaN
///            or infinity, for fewer than three distinct rows, and where all ratios that are fitted are 1
/// Models     none
/// Source     Facco, d'Errico, Rodriguez, Laio: Estimating the intrinsic dimension of datasets by a minimal
///            neighborhood information, Scientific Reports 7, 2017, arXiv 1803.06992
/// Differs    none
template <class = void>
[[nodiscard]] double intrinsic_dimension(const Features& x, const IntrinsicDimensionOptions& options = {}) {
  constexpr std::string_view who = "jessl::eval::intrinsic_dimension";
  JESSL_CHECK(options.discard >= 0 && options.discard < 1, ConfigError, who, ": discard is ", options.discard,
              ", expected a number in [0, 1)");
  detail::check_rows(who, x, 3);
  ThreadPool pool(detail::thread_count(who, options.threads));
  const detail::Centre centre = detail::centre_of(who, x, pool);
  const std::vector<Eigen::Index> rows = detail::distinct_rows(x);
  JESSL_CHECK(rows.size() >= 3, DataError, who, ": X has ", rows.size(),
              " distinct rows, expected at least 3; has the encoder collapsed?");
  std::vector<double> ratios = detail::neighbour_ratios(x, rows, centre, pool);
  std::sort(ratios.begin(), ratios.end());

  // The last one would be fitted to -log(0).
  const auto count = static_cast<double>(ratios.size());
  const auto kept = static_cast<std::size_t>((1.0 - options.discard) * count);
  const std::size_t fitted = std::clamp<std::size_t>(kept, 1, ratios.size() - 1);
  double products = 0.0;
  double squares = 0.0;
  for (std::size_t i = 0; i < fitted; ++i) {
    products -= ratios[i] * std::log1p(-static_cast<double>(i + 1) / count);
    squares += ratios[i] * ratios[i];
  }
  JESSL_CHECK(
      squares > 0.0, DataError, who,
      ": the two nearest neighbours of each row that is fitted are equally far, expected distances that differ; "
      "X may be a regular grid");
  return products / squares;
}

}  // namespace jessl::eval

BOOST_HANA_ADAPT_STRUCT(jessl::eval::IntrinsicDimensionOptions, discard, threads);
