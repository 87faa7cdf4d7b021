// SPDX-License-Identifier: Apache-2.0
// Which rows of features are nearest to others.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include <Eigen/Core>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/matrix.hpp>
#include <jessl/core/options.hpp>
#include <jessl/eval/concept.hpp>
#include <jessl/eval/detail/checks.hpp>
#include <jessl/eval/detail/neighbour_index.hpp>
#include <jessl/eval/distance.hpp>

namespace jessl::eval {

/// The rows of features nearest to some queries.
///
/// Shapes     rows, distances: [M, k], a query a row, nearest first
/// Errors     none
/// Models     none
/// Source     none
struct Neighbours {
  Eigen::Matrix<std::int64_t, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> rows;  ///< of the searched features
  RowMatrix distances;                                                                ///< as Distance says
};

class FittedNearestNeighbours;

/// An exact search for the nearest rows (docs/benchmarks.md: beside faiss and scikit-learn).
///
/// Rows of equal distance come in their order. Which rows are near is decided by products of values of 8 bits whose error
/// has a bound, and then in float64 among those that may be near.
///
/// Shapes     fit: X [N, D];  find: [M, D], k -> [M, k]
/// Units      distances: 1 - cosine, or those of X
/// Precision  float64; distances that are equal in float32 (cosines: that differ by less than 6e-8) are equal
/// Cost       2 M N D operations in 8 bits, those of a few hundred rows a query in float64; the fitted index holds a copy
///            of X and a quarter of its size
/// Randomness none; neither the number of threads nor the processor changes the result
/// Errors     ConfigError for threads < 0, and for k outside 1 to N; ShapeError for queries of another D; DataError when
///            there is no row, and for NaN or infinity
/// Models     none
/// Source     none
struct NearestNeighbours {
  static constexpr std::string_view name = "NearestNeighbours";

  Distance distance = Distance::cosine;
  std::int64_t threads = 0;  ///< threads to use; 0: all of the hardware

  template <class = void>
  [[nodiscard]] FittedNearestNeighbours fit(const Features& x) const;
};

/// Features that can be searched: what NearestNeighbours::fit gives.
///
/// Shapes     find: [M, D], k -> [M, k]
/// Errors     as NearestNeighbours
/// Models     none
/// Source     none
class FittedNearestNeighbours {
 public:
  template <class = void>
  FittedNearestNeighbours(const NearestNeighbours& settings, const Features& x);

  /// The k nearest of the rows to each row of `queries`; a row of X itself is its own nearest.
  template <class = void>
  [[nodiscard]] Neighbours find(const Features& queries, std::int64_t k) const;

  [[nodiscard]] std::int64_t dimension() const { return index_.dimension(); }

 private:
  static constexpr std::string_view who = "jessl::eval::NearestNeighbours";

  detail::NeighbourIndex<> index_;
};

template <class>
FittedNearestNeighbours::FittedNearestNeighbours(const NearestNeighbours& settings, const Features& x)
    : index_(who, (detail::check_rows(who, x, 1), x), settings.distance, detail::thread_count(who, settings.threads)) {}

template <class>
Neighbours FittedNearestNeighbours::find(const Features& queries, std::int64_t k) const {
  JESSL_CHECK(k >= 1 && k <= index_.rows(), ConfigError, who, ": k is ", k, ", expected 1 to the number of rows, ",
              index_.rows());
  Neighbours found;
  found.rows.resize(queries.rows(), k);
  found.distances.resize(queries.rows(), k);
  index_.search(queries, k,
                [&](Eigen::Index query, std::span<const detail::Neighbour> nearest, std::int64_t /*worker*/) {
                  for (std::size_t i = 0; i < nearest.size(); ++i) {
                    const auto place = static_cast<Eigen::Index>(i);
                    found.rows(query, place) = nearest[i].row;
                    found.distances(query, place) = static_cast<float>(index_.distance_of(nearest[i].closeness));
                  }
                });
  return found;
}

template <class>
FittedNearestNeighbours NearestNeighbours::fit(const Features& x) const {
  return {*this, x};
}

JESSL_INSTANTIATE(FittedNearestNeighbours NearestNeighbours::fit<void>(const Features&) const);
JESSL_INSTANTIATE(Neighbours FittedNearestNeighbours::find<void>(const Features&, std::int64_t) const);

}  // namespace jessl::eval

JESSL_OPTIONS(jessl::eval::NearestNeighbours, distance, threads);
