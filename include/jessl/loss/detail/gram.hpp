// SPDX-License-Identifier: Apache-2.0
// Sums over the squared entries of a matrix product, by whichever product is smaller.
#pragma once

#include <cstdint>

#include <jessl/core/tensor.hpp>

namespace jessl::loss::detail {

/// The sum of the squared entries of A^T B off a diagonal, for A [K, P] and B [K, Q]: entries (i, i + shift) are left out.
///
/// |A^T B|^2 equals <A A^T, B B^T>, of two [K, K] matrices instead of one [P, Q], which is taken where it is less work; so
/// memory never exceeds a few times that of A and B. Close to a diagonal matrix the entries off it are the difference of
/// two large sums there, but that needs K >= P, Q, where the product itself is taken.
[[nodiscard]] inline torch::Tensor squared_off_diagonal(const torch::Tensor& a, const torch::Tensor& b,
                                                        std::int64_t shift = 0) {
  const auto k = a.size(0), p = a.size(1), q = b.size(1);
  if (k * (a.is_same(b) ? p : p + q) < p * q) {
    const auto gram = a.mm(a.t());  // [K, K]
    const auto diagonal = (a * b.narrow(1, shift, p)).sum(0);
    return (gram * (a.is_same(b) ? gram : b.mm(b.t()))).sum() - diagonal.square().sum();
  }
  auto product = a.t().mm(b);  // [P, Q]
  product.diagonal(shift).zero_();
  return product.square().sum();
}

}  // namespace jessl::loss::detail
