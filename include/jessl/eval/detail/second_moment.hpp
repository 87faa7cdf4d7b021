// SPDX-License-Identifier: Apache-2.0
// Sums of outer products: products of blocks in float32 or float64, added up in float64.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include <Eigen/Core>

#include <jessl/core/thread_pool.hpp>
#include <jessl/eval/detail/gemm.hpp>
#include <jessl/eval/detail/rows.hpp>

namespace jessl::eval::detail {

/// A matrix of vectors, a row each, as they are multiplied.
template <class Scalar>
using Vectors = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// How many products are added before their sum goes into float64: enough that the conversion from float32 is a small
/// part of the work, and few, because the error of such a sum grows with them.
inline constexpr Eigen::Index block_depth = 256;

/// How far rounding may have moved the eigenvalues of a sum of outer products.
///
/// A sum of K products of one sign is off by about e sqrt(K) / 6 of itself, e being the epsilon of the products' type,
/// and one of products of either sign by e / 5 of the root of its diagonal entries' product. The errors of B blocks are
/// as good as independent, so that their sum grows with sqrt(B) only, and so are those of the entries, whose matrix has
/// a norm of about twice the root of the largest row's sum of squares. The first kind is what a dominating direction
/// makes: it is taken 4.5 times, which covers rows that take two values only, whose errors in a block add up; the
/// second is taken 1.25 times.
///
/// Source     Higham, Mary: A new approach to probabilistic rounding error analysis, SIAM Journal on Scientific
///            Computing 41, 2019 (the root of K); Latala: Some estimates of norms of random matrices, Proceedings of
///            the AMS 133, 2005
struct Rounding {
  double fixed = 0.0;
  double of_root = 0.0;

  /// For a sum whose largest eigenvalue is `largest`.
  [[nodiscard]] double operator()(double largest) const { return fixed + of_root * std::sqrt(std::max(0.0, largest)); }
};

/// The lower triangle of sum += p p^T over `count` vectors p of sum.rows() values, whose products are taken in
/// `Scalar`; `sum` is 0 before.
///
/// `fill(first, out)`, out being Vectors<Scalar>, writes vectors [first, first + out.rows()), a row each, and is called
/// on several threads. Every entry of the sum is made by one thread, from the same blocks in the same order, whatever
/// their number.
template <class Scalar, class Fill>
Rounding add_second_moment(ThreadPool& pool, Eigen::Index count, const Fill& fill, Eigen::Ref<Eigen::MatrixXd> sum) {
  constexpr Eigen::Index batch = 4 * block_depth;  // vectors held at a time, for all threads
  constexpr Eigen::Index filled_at_once = 64;
  const Eigen::Index width = sum.rows();
  // Small matrices get small tiles, so that there are enough of them for several threads.
  const Eigen::Index tile = std::clamp<Eigen::Index>((width / 8 + 63) / 64 * 64, 64, 256);
  const Eigen::Index side = (width + tile - 1) / tile;

  // Each block is added up in a scale of its own: products of equal vectors would be rounded equally in all of them, and
  // the errors add up instead of averaging out. Multiples of the golden ratio are as different as numbers can be.
  const auto scale_of_block = [](Eigen::Index block) {
    const double turns = 0.6180339887498949 * static_cast<double>(block);
    return static_cast<Scalar>(1.0 + turns - std::floor(turns));
  };

  Vectors<Scalar> vectors(std::min(batch, count), width);
  std::vector<Vectors<Scalar>> products(static_cast<std::size_t>(pool.size()));
  for (Eigen::Index begin = 0; begin < count; begin += batch) {
    const Eigen::Index held = std::min(batch, count - begin);
    pool.parallel_for((held + filled_at_once - 1) / filled_at_once, [&](std::int64_t part, std::int64_t) {
      const Eigen::Index first = part * filled_at_once;
      auto filled = vectors.middleRows(first, std::min(filled_at_once, held - first));
      fill(begin + first, filled);
      filled *= scale_of_block((begin + first) / block_depth);
    });
    pool.parallel_for(side * (side + 1) / 2, [&](std::int64_t index, std::int64_t worker) {
      const auto [row, column] = tile_of(index);
      const Eigen::Index top = row * tile;
      const Eigen::Index left = column * tile;
      const Eigen::Index height = std::min(tile, width - top);
      const Eigen::Index breadth = std::min(tile, width - left);
      Vectors<Scalar>& product = products[static_cast<std::size_t>(worker)];
      for (Eigen::Index first = 0; first < held; first += block_depth) {
        const Eigen::Index depth = std::min(block_depth, held - first);
        const auto scale = static_cast<double>(scale_of_block((begin + first) / block_depth));
        // The tile lies in `sum` column by column: its transpose does row by row, as add_product writes.
        product.setZero(breadth, height);
        add_product(vectors.block(first, left, depth, breadth).transpose(), vectors.block(first, top, depth, height),
                    product);
        sum.block(top, left, height, breadth).transpose() += product.template cast<double>() * (1.0 / (scale * scale));
      }
    });
  }
  const double largest = std::max(0.0, sum.diagonal().maxCoeff());
  const double products_in_block = static_cast<double>(std::min(count, block_depth));
  const double blocks = std::ceil(static_cast<double>(count) / static_cast<double>(block_depth));
  const double error = 0.5 * static_cast<double>(std::numeric_limits<Scalar>::epsilon()) * std::sqrt(largest / blocks);
  return {.fixed = error * std::sqrt(std::max(0.0, sum.trace())),
          .of_root = 3.0 * error * std::sqrt(products_in_block)};
}

/// The inner product sum_ij a_ij b_ij of two symmetric matrices of which the lower triangles are there.
template <class = void>
[[nodiscard]] double dot_of_lower(const Eigen::Ref<const Eigen::MatrixXd>& a,
                                  const Eigen::Ref<const Eigen::MatrixXd>& b) {
  double sum = 0.0;
  for (Eigen::Index j = 0; j < a.cols(); ++j) {
    const Eigen::Index below = a.rows() - j - 1;
    sum += a(j, j) * b(j, j) + 2.0 * a.col(j).tail(below).dot(b.col(j).tail(below));
  }
  return sum;
}

}  // namespace jessl::eval::detail
