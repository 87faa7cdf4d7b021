// SPDX-License-Identifier: Apache-2.0
// The dimension of the surface that features lie on, by the two nearest neighbours of each.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
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
#include <jessl/eval/detail/neighbour_index.hpp>
#include <jessl/eval/detail/rows.hpp>
#include <jessl/eval/distance.hpp>

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

/// log(r_2 / r_1) of each row, all of which are distinct: r_1 and r_2 are the distances of the two nearest others.
template <class = void>
[[nodiscard]] std::vector<double> neighbour_ratios(std::string_view who, const Features& x, std::int64_t threads) {
  std::vector<double> ratios(static_cast<std::size_t>(x.rows()));
  const NeighbourIndex<> index(who, x, Distance::euclidean, threads);
  index.search(x, 3, [&](Eigen::Index query, std::span<const Neighbour> nearest, std::int64_t /*worker*/) {
    std::array<double, 3> distances{};
    std::size_t others = 0;
    for (const Neighbour& neighbour : nearest) {
      if (neighbour.row != query) distances[others++] = -neighbour.closeness;
    }
    ratios[static_cast<std::size_t>(query)] = std::log(distances[1] / distances[0]);
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
/// Precision  float64
/// Cost       2 N^2 D operations in 8 bits, those of a few rows each in float64 (eval::NearestNeighbours); memory two
///            copies of X and a quarter of its size
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
  const std::int64_t threads = detail::thread_count(who, options.threads);
  detail::check_finite(who, x, 0, x.rows());
  const std::vector<Eigen::Index> rows = detail::distinct_rows(x);
  JESSL_CHECK(rows.size() >= 3, DataError, who, ": X has ", rows.size(),
              " distinct rows, expected at least 3; has the encoder collapsed?");
  std::vector<double> ratios = detail::neighbour_ratios(who, x(rows, Eigen::all), threads);
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

JESSL_INSTANTIATE(double intrinsic_dimension<void>(const Features&, const IntrinsicDimensionOptions&));

}  // namespace jessl::eval

JESSL_OPTIONS(jessl::eval::IntrinsicDimensionOptions, discard, threads);
