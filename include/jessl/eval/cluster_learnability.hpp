// SPDX-License-Identifier: Apache-2.0
// How well the clusters of features are learned from half of the rows.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include <Eigen/Core>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/draw.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/matrix.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/thread_pool.hpp>
#include <jessl/eval/concept.hpp>
#include <jessl/eval/detail/checks.hpp>
#include <jessl/eval/detail/k_means.hpp>
#include <jessl/eval/detail/rows.hpp>
#include <jessl/eval/knn.hpp>

namespace jessl::eval {

/// The clusters and the classifier of cluster_learnability, and how it is computed.
///
/// Shapes     none
/// Errors     ConfigError from cluster_learnability for a setting out of range
/// Models     none
/// Source     that of cluster_learnability
struct ClusterLearnabilityOptions {
  std::optional<std::int64_t> clusters{};  ///< number of clusters, 2 to N; absent: the root of N, rounded
  std::int64_t k = 1;                      ///< neighbours that vote, 1 to N / 2
  std::int64_t iterations = 100;           ///< steps of k-means at most, >= 1
  std::uint64_t seed = 0;                  ///< of the first centres and of the halves
  std::int64_t threads = 0;                ///< threads to use; 0: all of the hardware
};

/// Cluster learnability, a half of CLID: how well nearest neighbours predict the clusters of the features.
///
/// The rows, scaled to length 1, are clustered by k-means; then half of them, drawn at random, predicts the clusters of
/// the other half by the k nearest neighbours (eval::KNN), and the other way round. The result is the share of all rows
/// that were predicted rightly, from 0 to 1; higher is better, 1 / clusters is chance. Well separated clusters have 1,
/// and so have features that have collapsed to points: intrinsic_dimension, CLID's other half, tells those.
///
/// Shapes     X: [N, D] -> number
/// Units      none
/// Precision  distances in float32, means in float64
/// Cost       with C clusters, 2 N C D operations for each step of k-means and N^2 D for the neighbours, as blocked
///            matrix products, and 3 N C D for the first centres; memory three copies of X
/// Randomness the first centres from the seed's stream `initialisation`, the halves from `selection`; the result does
///            not depend on the number of threads, bit for bit
/// Errors     ConfigError for a setting out of range; DataError when there are fewer than four rows or no column, for
///            NaN or infinity
/// Models     none
/// Source     Lu, Liu, Baratin, Laroche, Courville, Sordoni: Using Representation Expressiveness and Learnability to
///            Evaluate Self-Supervised Learning Methods, TMLR 2023, arXiv 2206.01251
/// Differs    the accuracy is the mean of both directions of one split. Rows of zeros are a point of their own to
///            k-means, and at similarity 0 of every row to the neighbours
template <class = void>
[[nodiscard]] double cluster_learnability(const Features& x, const ClusterLearnabilityOptions& options = {}) {
  constexpr std::string_view who = "jessl::eval::cluster_learnability";
  detail::check_rows(who, x, 4);
  const std::int64_t clusters = options.clusters.value_or(std::llround(std::sqrt(static_cast<double>(x.rows()))));
  JESSL_CHECK(clusters >= 2 && clusters <= x.rows(), ConfigError, who, ": clusters is ", clusters,
              ", expected 2 to the number of rows, ", x.rows());
  JESSL_CHECK(options.k >= 1 && options.k <= x.rows() / 2, ConfigError, who, ": k is ", options.k,
              ", expected 1 to half of the rows, ", x.rows() / 2);
  JESSL_CHECK(options.iterations >= 1, ConfigError, who, ": iterations is ", options.iterations, ", expected >= 1");
  const std::int64_t threads = detail::thread_count(who, options.threads);

  RowMatrix unit;
  std::vector<std::int64_t> labels;
  {
    ThreadPool pool(threads);
    unit = detail::unit_rows(x, detail::inverse_lengths(who, x, pool), pool);
    labels = detail::k_means(unit, clusters, options.iterations, options.seed, pool);
  }
  std::vector<Eigen::Index> order(labels.size());
  std::iota(order.begin(), order.end(), Eigen::Index{0});
  Draw draw({.seed = options.seed, .operation = 4, .purpose = Purpose::selection});
  draw.shuffle(std::span(order));
  const auto take = [&](std::span<const Eigen::Index> rows) {
    Embedding part{RowMatrix(static_cast<Eigen::Index>(rows.size()), x.cols()), {}};
    for (std::size_t i = 0; i < rows.size(); ++i) {
      part.features.row(static_cast<Eigen::Index>(i)) = unit.row(rows[i]);
      part.labels.push_back(labels[static_cast<std::size_t>(rows[i])]);
    }
    return part;
  };
  const std::span<const Eigen::Index> all(order);
  const Embedding halves[] = {take(all.first(order.size() / 2)), take(all.subspan(order.size() / 2))};

  const KNN neighbours{.k = options.k, .classes = clusters, .threads = threads};
  std::int64_t right = 0;
  for (const std::size_t known : {0U, 1U}) {
    const Embedding& queries = halves[1 - known];
    const auto predicted = neighbours.fit(halves[known].features, halves[known].labels).predict(queries.features);
    for (std::size_t i = 0; i < predicted.size(); ++i) right += predicted[i] == queries.labels[i] ? 1 : 0;
  }
  return static_cast<double>(right) / static_cast<double>(x.rows());
}

JESSL_INSTANTIATE(double cluster_learnability<void>(const Features&, const ClusterLearnabilityOptions&));

}  // namespace jessl::eval

JESSL_OPTIONS(jessl::eval::ClusterLearnabilityOptions, clusters, k, iterations, seed, threads);
