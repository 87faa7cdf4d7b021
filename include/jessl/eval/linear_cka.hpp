// SPDX-License-Identifier: Apache-2.0
// How similar two representations of the same images are, whatever their widths.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string_view>

#include <Eigen/Core>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/thread_pool.hpp>
#include <jessl/eval/concept.hpp>
#include <jessl/eval/detail/checks.hpp>
#include <jessl/eval/detail/rows.hpp>
#include <jessl/eval/detail/second_moment.hpp>
#include <jessl/eval/metric_options.hpp>

namespace jessl::eval {

/// Linear centred kernel alignment of two representations of the same images.
///
/// |B^T A|_F^2 / (|A^T A|_F |B^T B|_F) with the columns of A and B centred: the cosine of the two matrices of inner
/// products between images. From 0 (uncorrelated) to 1; rotations, shifts and a common scale of either side do not
/// change it, other linear maps do. For comparing layers, models and stages of a run. Unrelated features do not have 0
/// but, white ones of D dimensions each, about D / (N + D): take many more images than dimensions, and compare at equal
/// N.
///
/// Shapes     A: [N, D_A], B: [N, D_B] -> number
/// Units      dimensionless
/// Precision  float32 products of centred features, added in float64
/// Cost       N (D_A + D_B) min(N, D_A + D_B) operations as blocked matrix products; memory 8 (D_A + D_B)^2 or 16 N^2
///            bytes
/// Randomness none; the result does not depend on the number of threads, bit for bit
/// Errors     ConfigError for threads < 0; ShapeError when A and B differ in their rows; DataError when there are fewer
///            than two rows or no column, for NaN or infinity, and where a side is constant: its similarity is 0 / 0
/// Models     none
/// Source     Kornblith, Norouzi, Lee, Hinton: Similarity of Neural Network Representations Revisited, ICML 2019, arXiv
///            1905.00414, section 3
/// Differs    none
template <class = void>
[[nodiscard]] double linear_cka(const Features& a, const Features& b, const MetricOptions& options = {}) {
  constexpr std::string_view who = "jessl::eval::linear_cka";
  JESSL_CHECK(a.rows() == b.rows(), ShapeError, who, ": A is ", detail::shape_of(a), " but B is ", detail::shape_of(b),
              ", expected as many rows: one each of every image");
  detail::check_rows(who, a, 2, "A");
  detail::check_rows(who, b, 2, "B");
  ThreadPool pool(detail::thread_count(who, options.threads));
  const detail::Centre centre_a = detail::centre_of(who, a, pool, "A");
  const detail::Centre centre_b = detail::centre_of(who, b, pool, "B");

  double with_a = 0.0;
  double with_b = 0.0;
  double across = 0.0;
  const Eigen::Index width = a.cols() + b.cols();
  if (width <= a.rows()) {
    // The columns of both together: A^T A, B^T A and B^T B are the blocks of one triangle.
    Eigen::MatrixXd products = Eigen::MatrixXd::Zero(width, width);
    detail::add_second_moment<float>(
        pool, a.rows(),
        [&](Eigen::Index first, auto out) {
          centre_a.write_rows(a, first, out.leftCols(a.cols()));
          centre_b.write_rows(b, first, out.rightCols(b.cols()));
        },
        products);
    const auto of_a = products.topLeftCorner(a.cols(), a.cols());
    const auto of_b = products.bottomRightCorner(b.cols(), b.cols());
    with_a = detail::dot_of_lower(of_a, of_a);
    with_b = detail::dot_of_lower(of_b, of_b);
    across = products.bottomLeftCorner(b.cols(), a.cols()).squaredNorm();
  } else {
    const auto gram = [&](const Features& x, const detail::Centre& centre) {
      Eigen::MatrixXd products = Eigen::MatrixXd::Zero(x.rows(), x.rows());
      detail::add_second_moment<float>(
          pool, x.cols(), [&](Eigen::Index first, auto out) { centre.write_columns(x, first, out); }, products);
      return products;
    };
    const Eigen::MatrixXd gram_a = gram(a, centre_a);
    const Eigen::MatrixXd gram_b = gram(b, centre_b);
    with_a = detail::dot_of_lower(gram_a, gram_a);
    with_b = detail::dot_of_lower(gram_b, gram_b);
    across = detail::dot_of_lower(gram_a, gram_b);
  }
  JESSL_CHECK(with_a > 0.0 && with_b > 0.0, DataError, who, ": all rows of ", with_a > 0.0 ? "B" : "A",
              " are equal, expected features that differ; has the encoder collapsed?");
  return std::min(1.0, across / (std::sqrt(with_a) * std::sqrt(with_b)));
}

JESSL_INSTANTIATE(double linear_cka<void>(const Features&, const Features&, const MetricOptions&));

}  // namespace jessl::eval
