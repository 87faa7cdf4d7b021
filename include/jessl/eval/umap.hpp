// SPDX-License-Identifier: Apache-2.0
// Maps of features by UMAP, of the library umappp.
#pragma once

#if !__has_include(<umappp/umappp.hpp>)
#error \
    "jessl/eval/umap.hpp needs the headers of umappp: run cmake/bootstrap.sh and link jessl::umappp; see docs/packaging.md"
#endif

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <string_view>
#include <utility>

#include <Eigen/Core>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/draw.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/matrix.hpp>
#include <jessl/core/options.hpp>
#include <jessl/eval/concept.hpp>
#include <jessl/eval/detail/checks.hpp>
#include <jessl/eval/detail/neighbour_index.hpp>
#include <jessl/eval/detail/rows.hpp>
#include <jessl/eval/distance.hpp>
#include <jessl/eval/pca.hpp>
#if JESSL_DEFINITIONS
#include <umappp/umappp.hpp>
#endif

namespace jessl::eval {

/// Uniform manifold approximation and projection: a map in which rows that are near each other stay so.
///
/// For a picture of an embedding (eval::scatter_picture) whose classes overlap along its principal components (eval::PCA).
/// The nearest neighbours of each row make a graph whose edges weigh w = exp(-max(0, d - d_1) / s), d_1 the distance of the
/// nearest that is not equal, and s such that a row's weights add up to log2(neighbours + 1); the weights of both directions
/// are joined as w + w' - w w'. Points in the map start at the eigenvectors of the graph's Laplacian, are pulled together along edges, as
/// often as these weigh, and pushed away from five random points each time, with forces of 1 / (1 + a d^(2 b)).
/// Which points are near each other says something; distances between groups, their sizes and the axes say little. There
/// is no way to place rows that come later: they are to be mapped with the others.
///
/// Shapes     X [N, D] -> [N, components]
/// Units      of the map; min_dist and spread are told in them
/// Precision  float32, but the distances and eigenvectors float64
/// Cost       the search for neighbours, 2 N^2 D operations in 8 bits; then, on one thread, up to
///            12 log2(neighbours + 1) N epochs powers; memory of 40 neighbours N bytes
/// Randomness umappp's stream of the seed, and the noise Purpose::initialisation, operation 1; the number of threads changes
///            no bit
/// Errors     ConfigError for a setting out of range, threads < 0 among them; DataError when there are fewer than three rows
///            or no column, for NaN or infinity, and for distances that float32 does not hold
/// Models     none
/// Source     McInnes, Healy, Melville: UMAP: Uniform Manifold Approximation and Projection for Dimension Reduction, 2018,
///            arXiv 1802.03426; the graph's weights and the map by umappp 2.0 (Aaron Lun)
/// Differs    umap-learn searches for neighbours approximately, and counts a row as its own. Where the graph is in several
///            parts, the points start at their principal components, with noise; umap-learn places each part by itself, and
///            umappp starts at random. Rows that are nowhere apart are all at 0
struct UMAP {
  static constexpr std::string_view name = "UMAP";

  std::int64_t neighbours = 15;          ///< that each row is joined with, itself not counted, 1 to N - 1
  double min_dist = 0.1;                 ///< up to which points are as near as can be, 0 to spread
  double spread = 1.0;                   ///< over which nearness falls off, 0.01 to 100
  std::int64_t components = 2;           ///< dimensions of the map, 1 to N - 2
  std::int64_t epochs = 0;               ///< to 1,000,000; 0: 500 for up to 10,000 rows, 200 + 3,000,000 / N for more
  Distance distance = Distance::cosine;  ///< between features
  std::uint64_t seed = 0;                ///< of the points that are pushed away
  std::int64_t threads = 0;              ///< threads to use for the search; 0: all of the hardware

  template <class = void>
  [[nodiscard]] RowMatrix embed(const Features& x) const;
};

}  // namespace jessl::eval

JESSL_OPTIONS(jessl::eval::UMAP, neighbours, min_dist, spread, components, epochs, distance, seed, threads);

#if JESSL_DEFINITIONS

namespace jessl::eval {

namespace detail {

/// Puts points that the graph's eigenvectors do not place along the principal components, in the range of the eigenvectors, with
/// so much noise that equal rows part and no dimension is empty. The points stay where they are in memory.
template <class = void>
void start_at_components(const UMAP& settings, const Features& x, RowMatrix& points) {
  RowMatrix rows = (scale_of(x.cwiseAbs().maxCoeff()) * x.cast<double>()).cast<float>();
  if (settings.distance == Distance::cosine) {
    for (Eigen::Index i = 0; i < rows.rows(); ++i) rows.row(i).stableNormalize();
  }
  const Eigen::Index found = std::min({points.cols(), x.rows(), x.cols()});
  points.setZero();
  points.leftCols(found) = PCA{.components = found, .threads = settings.threads}.fit(rows).transform(rows);
  const float largest = points.cwiseAbs().maxCoeff();
  constexpr float extent = 10.0F;
  if (largest > 0.0F) points *= extent / largest;
  Draw draw({.seed = settings.seed, .operation = 1, .purpose = Purpose::initialisation});
  for (float& value : points.reshaped<Eigen::RowMajor>()) value += static_cast<float>(1e-4 * draw.normal());
}

}  // namespace detail

template <class>
RowMatrix UMAP::embed(const Features& x) const {
  constexpr std::string_view who = "jessl::eval::UMAP";
  const std::int64_t thread_count = detail::thread_count(who, threads);
  detail::check_rows(who, x, 3);
  JESSL_CHECK(neighbours >= 1 && neighbours < x.rows(), ConfigError, who, ": neighbours is ", neighbours,
              ", expected 1 to ", x.rows() - 1, ", the other rows of X, ", detail::shape_of(x));
  JESSL_CHECK(spread >= 0.01 && spread <= 100.0, ConfigError, who, ": spread is ", spread, ", expected 0.01 to 100");
  JESSL_CHECK(min_dist >= 0.0 && min_dist <= spread, ConfigError, who, ": min_dist is ", min_dist, ", expected 0 to ",
              spread, ", the spread");
  JESSL_CHECK(components >= 1 && components <= x.rows() - 2, ConfigError, who, ": components is ", components,
              ", expected 1 to ", x.rows() - 2, ", two fewer than the rows of X, ", detail::shape_of(x));
  JESSL_CHECK(epochs >= 0 && epochs <= 1'000'000, ConfigError, who, ": epochs is ", epochs,
              ", expected 1 to 1000000, or 0 for a number that suits N");

  // The neighbours of each row but itself, which is one of the nearest unless more rows are equal to it than are asked for.
  const detail::NeighbourIndex<> index(who, x, distance, thread_count);
  umappp::NeighborList<int, float> graph(static_cast<std::size_t>(x.rows()));
  using Use = std::function<void(Eigen::Index, std::span<const detail::Neighbour>, std::int64_t)>;
  const Use join = [&](Eigen::Index row, std::span<const detail::Neighbour> nearest, std::int64_t) {
    auto& found = graph[static_cast<std::size_t>(row)];
    for (const detail::Neighbour& neighbour : nearest) {
      if (neighbour.row == row || found.size() == static_cast<std::size_t>(neighbours)) continue;
      const auto length = static_cast<float>(index.distance_of(neighbour.closeness));
      JESSL_CHECK(std::isfinite(length), DataError, who, ": X's rows ", row, " and ", neighbour.row, " are ",
                  index.distance_of(neighbour.closeness), " apart, expected at most ",
                  std::numeric_limits<float>::max(), "; scale the features down");
      found.emplace_back(static_cast<int>(neighbour.row), length);
    }
  };
  index.search(x, neighbours + 1, join);

  // umappp looks for the scale of each row's distances from 1 on: the largest of them all is brought there.
  float largest = 0.0F;
  for (const auto& found : graph) largest = std::max(largest, found.back().second);
  const double scale = detail::scale_of(largest);
  for (auto& found : graph) {
    for (auto& neighbour : found) neighbour.second = static_cast<float>(scale * double{neighbour.second});
  }

  // Rows that are nowhere apart have no neighbours but by their order, of which umappp would draw a map.
  bool apart = false;
  const Use look = [&](Eigen::Index, std::span<const detail::Neighbour> nearest, std::int64_t) {
    apart = index.distance_of(nearest.back().closeness) > 0.0;
  };
  index.search(x.topRows(1), x.rows(), look);
  Eigen::Index equal = 1;  // rows of zeros, which have no direction, count as apart from each other
  while (equal < x.rows() && x.row(equal) == x.row(0)) ++equal;
  if (!apart || equal == x.rows()) return RowMatrix::Zero(x.rows(), components);

  // One thread: several would wait for each other by spinning, and could add in another order.
  umappp::Options options;
  options.min_dist = min_dist;
  options.spread = spread;
  if (epochs > 0) options.num_epochs = static_cast<int>(epochs);
  options.seed = seed;
  options.num_threads = 1;
  options.initialize = umappp::InitializeMethod::SPECTRAL_ONLY;  // which leaves the points as they are if it fails
  RowMatrix points = RowMatrix::Constant(x.rows(), components, std::numeric_limits<float>::quiet_NaN());
  auto layout = umappp::initialize(std::move(graph), static_cast<int>(components), points.data(), options);
  if (!points.allFinite()) detail::start_at_components(*this, x, points);
  layout.run();
  return points;
}

}  // namespace jessl::eval

#endif  // JESSL_DEFINITIONS

namespace jessl::eval {

JESSL_INSTANTIATE(RowMatrix UMAP::embed<void>(const Features&) const);

}  // namespace jessl::eval
