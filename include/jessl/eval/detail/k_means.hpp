// SPDX-License-Identifier: Apache-2.0
// Clusters of rows: Lloyd's algorithm from centres that k-means++ draws.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <vector>

#include <Eigen/Core>

#include <jessl/core/draw.hpp>
#include <jessl/core/matrix.hpp>
#include <jessl/core/thread_pool.hpp>
#include <jessl/eval/detail/gemm.hpp>
#include <jessl/eval/detail/rows.hpp>

namespace jessl::eval::detail {

/// Up to `clusters` rows of x, fewer where not as many are distinct: the first at random, each further one with a
/// probability in proportion to its squared distance from the nearest centre before it.
///
/// Source     Arthur, Vassilvitskii: k-means++: the advantages of careful seeding, SODA 2007
template <class = void>
[[nodiscard]] RowMatrix k_means_seeds(const RowMatrix& x, Eigen::Index clusters, std::uint64_t seed, ThreadPool& pool) {
  Draw draw({.seed = seed, .purpose = Purpose::initialisation});
  RowMatrix centres(clusters, x.cols());
  std::vector<double> distances(static_cast<std::size_t>(x.rows()), std::numeric_limits<double>::infinity());
  Eigen::Index chosen = draw.below(x.rows());
  for (Eigen::Index cluster = 0; cluster < clusters; ++cluster) {
    centres.row(cluster) = x.row(chosen);
    for_each_block(pool, x.rows(), [&](Eigen::Index first, Eigen::Index count, std::size_t) {
      for (Eigen::Index row = first; row < first + count; ++row) {
        const double distance = double{(x.row(row) - centres.row(cluster)).squaredNorm()};
        distances[static_cast<std::size_t>(row)] = std::min(distances[static_cast<std::size_t>(row)], distance);
      }
    });
    double rest = draw.uniform() * std::accumulate(distances.begin(), distances.end(), 0.0);
    // The row at which the sum of the distances reaches `rest`; it is not one of those at distance 0.
    chosen = -1;
    for (Eigen::Index row = 0; row < x.rows(); ++row) {
      const double distance = distances[static_cast<std::size_t>(row)];
      if (distance > 0.0) chosen = row;
      rest -= distance;
      if (chosen == row && rest < 0.0) break;
    }
    if (chosen < 0) return centres.topRows(cluster + 1);  // every row is a centre
  }
  return centres;
}

/// The cluster of each row, [N], in [0, clusters): where Lloyd's algorithm stays, or is after `iterations` steps.
///
/// A row belongs to the nearest centre, of equally near ones to the first; a centre is the mean of its rows. A cluster
/// that has lost all of its rows starts again at the row that is furthest from its own centre. A function of the rows
/// and the seed, whatever the number of threads.
///
/// Source     Lloyd: Least squares quantization in PCM, IEEE Transactions on Information Theory 28, 1982
template <class = void>
[[nodiscard]] std::vector<std::int64_t> k_means(const RowMatrix& x, Eigen::Index clusters, std::int64_t iterations,
                                                std::uint64_t seed, ThreadPool& pool) {
  RowMatrix centres = k_means_seeds(x, clusters, seed, pool);
  const auto rows = static_cast<std::size_t>(x.rows());
  std::vector<std::int64_t> labels(rows, -1);
  std::vector<float> distances(rows);  // to the own centre, squared, less the row's own square
  std::vector<std::vector<Eigen::Index>> members(static_cast<std::size_t>(centres.rows()));
  std::vector<RowMatrix> scratch(static_cast<std::size_t>(pool.size()));

  for (std::int64_t iteration = 0; iteration < iterations; ++iteration) {
    const Eigen::RowVectorXf squares = centres.rowwise().squaredNorm().transpose();
    std::atomic<bool> moved = false;
    constexpr Eigen::Index block_rows = 256;
    pool.parallel_for((x.rows() + block_rows - 1) / block_rows, [&](std::int64_t block, std::int64_t worker) {
      const Eigen::Index first = block * block_rows;
      const Eigen::Index count = std::min(block_rows, x.rows() - first);
      RowMatrix& products = scratch[static_cast<std::size_t>(worker)];
      products.setZero(count, centres.rows());
      add_product(x.middleRows(first, count), centres.transpose(), products);
      for (Eigen::Index i = 0; i < count; ++i) {
        const auto row = static_cast<std::size_t>(first + i);
        Eigen::Index nearest = 0;
        distances[row] = (squares - 2.0F * products.row(i)).minCoeff(&nearest);
        if (labels[row] != nearest) moved = true;
        labels[row] = nearest;
      }
    });
    if (!moved) break;

    for (auto& cluster : members) cluster.clear();
    for (std::size_t row = 0; row < rows; ++row)
      members[static_cast<std::size_t>(labels[row])].push_back(static_cast<Eigen::Index>(row));
    pool.parallel_for(centres.rows(), [&](std::int64_t cluster, std::int64_t) {
      const auto& mine = members[static_cast<std::size_t>(cluster)];
      if (mine.empty()) return;
      Eigen::RowVectorXd sum = Eigen::RowVectorXd::Zero(x.cols());
      for (const Eigen::Index row : mine) sum += x.row(row).cast<double>();
      centres.row(cluster) = (sum / static_cast<double>(mine.size())).cast<float>();
    });
    for (Eigen::Index cluster = 0; cluster < centres.rows(); ++cluster) {
      if (!members[static_cast<std::size_t>(cluster)].empty()) continue;
      // Rows of one length: the square that `distances` lacks is the same for all.
      const auto furthest = std::max_element(distances.begin(), distances.end());
      centres.row(cluster) = x.row(furthest - distances.begin());
      *furthest = -std::numeric_limits<float>::infinity();
    }
  }
  return labels;
}

}  // namespace jessl::eval::detail
