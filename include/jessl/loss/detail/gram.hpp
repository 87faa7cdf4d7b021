// SPDX-License-Identifier: Apache-2.0
// Sums over the squared entries of a matrix product, by whichever product is faster.
#pragma once

#include <algorithm>
#include <cstdint>

#include <jessl/core/autocast.hpp>
#include <jessl/core/detail/separate.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/loss/algebra.hpp>
#include <jessl/loss/detail/first_order.hpp>

namespace jessl::loss::detail {

/// A^T A of [K, P], outside of autograd: blocks of its upper half, which are the lower half's too. Four strips take 10/16 of
/// the work of the whole.
[[nodiscard]] torch::Tensor symmetric_product(const torch::Tensor& a);

/// Whether <A A^T, B B^T>, of products [K, K], is to be taken in place of |A^T B|^2, of one [P, Q], for A [K, P] and B [K, Q],
/// whose rows are `rows`; B may be A. Left to itself it is where it is faster: the two take about as long, with their
/// gradients, where K is P for one matrix, and for two where K is 0.9 P (docs/benchmarks.md, "Losses beside other libraries").
[[nodiscard]] bool by_gram(Algebra algebra, const torch::Tensor& a, const torch::Tensor& b,
                           Algebra rows = Algebra::images);

/// What a loss takes of A^T B, for A [K, P] and B [K, Q]: a diagonal, the entries (i, i + shift), and all others squared.
struct SplitProduct {
  torch::Tensor diagonal;     ///< [P]
  torch::Tensor off_squares;  ///< []: the sum of the squares of the others
};

/// Computes SplitProduct.
///
/// |A^T B|^2 equals <A A^T, B B^T>, of two [K, K] matrices instead of one [P, Q]; with the smaller of the two ways memory never
/// exceeds a few times that of A and B. Close to a diagonal matrix the entries off it are the difference of two large sums in
/// the Gram way, but that needs K >= P, Q. The gradient is one more product for each of A and B, with the matrices of the way
/// forward, and one in all where B is A.
class SplitProductFunction : public torch::autograd::Function<SplitProductFunction> {
 public:
  static torch::autograd::variable_list forward(torch::autograd::AutogradContext* context, const torch::Tensor& a,
                                                const torch::Tensor& b, std::int64_t shift, bool by_gram);

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients);
};

/// SplitProduct of A and B, which may be one.
[[nodiscard]] SplitProduct split_product(const torch::Tensor& a, const torch::Tensor& b, bool by_gram,
                                         std::int64_t shift = 0);

}  // namespace jessl::loss::detail

#if JESSL_DEFINITIONS

namespace jessl::loss::detail {

JESSL_INLINE torch::Tensor symmetric_product(const torch::Tensor& a) {
  const auto p = a.size(1), strip = (p + 3) / 4;
  auto product = torch::empty({p, p}, a.options());
  for (std::int64_t begin = 0; begin < p; begin += strip) {
    const auto end = std::min(begin + strip, p);
    auto rows = product.narrow(0, begin, end - begin).narrow(1, begin, p - begin);
    at::mm_out(rows, a.narrow(1, begin, end - begin).t(), a.narrow(1, begin, p - begin));
    product.narrow(0, end, p - end).narrow(1, begin, end - begin).copy_(rows.narrow(1, end - begin, p - end).t());
  }
  return product;
}

JESSL_INLINE bool by_gram(Algebra algebra, const torch::Tensor& a, const torch::Tensor& b, Algebra rows) {
  if (algebra != Algebra::automatic) return algebra == rows;
  const auto k = static_cast<double>(a.size(0)), p = static_cast<double>(a.size(1)), q = static_cast<double>(b.size(1));
  return a.is_same(b) ? k < p : k * (p + q) < 1.8 * p * q;
}

JESSL_INLINE torch::autograd::variable_list SplitProductFunction::forward(torch::autograd::AutogradContext* context,
                                                                          const torch::Tensor& a,
                                                                          const torch::Tensor& b, std::int64_t shift,
                                                                          bool by_gram) {
  const bool same = a.is_same(b);
  context->saved_data["same"] = same;
  context->saved_data["by_gram"] = by_gram;
  context->saved_data["shift"] = shift;
  if (by_gram) {
    const auto of_a = symmetric_product(a.t()), of_b = same ? of_a : symmetric_product(b.t());  // [K, K]
    const auto diagonal = (a * b.narrow(1, shift, a.size(1))).sum(0);                           // [P]
    context->save_for_backward({a, b, of_a, of_b, diagonal});
    return {diagonal, (of_a * of_b).sum() - diagonal.square().sum()};
  }
  auto product = same ? symmetric_product(a) : a.t().mm(b);  // [P, Q]
  const auto diagonal = product.diagonal(shift).clone();
  product.diagonal(shift).zero_();
  context->save_for_backward({a, b, product});
  return {diagonal, at::linalg_vector_norm(product, 2, at::IntArrayRef{1}).square().sum()};
}

JESSL_INLINE torch::autograd::variable_list SplitProductFunction::backward(
    torch::autograd::AutogradContext* context, const torch::autograd::variable_list& gradients) {
  check_first_order();
  const auto saved = context->get_saved_variables();
  const torch::Tensor &a = saved[0], &b = saved[1];
  const Autocast full_precision(a.device().type(), Precision::float32);
  const bool same = context->saved_data["same"].toBool(), by_gram = context->saved_data["by_gram"].toBool();
  const auto shift = context->saved_data["shift"].toInt();
  const bool symmetric = same && shift == 0;  // both gradients are equal
  const auto scale = (symmetric ? 4 : 2) * gradients[1];
  auto of_diagonal = symmetric ? 2 * gradients[0] : gradients[0];  // [P]
  // The Gram matrices are of all entries, of which the diagonal is taken out again.
  if (by_gram) of_diagonal = of_diagonal - scale * saved[4];

  torch::Tensor to_a, to_b;
  const auto weights =
      by_gram ? torch::Tensor() : scale * saved[2];  // [P, Q]; with the diagonal a gradient is one product
  if (!by_gram) weights.diagonal(shift).copy_(of_diagonal);
  if (context->needs_input_grad(0)) {
    to_a = by_gram ? (scale * saved[3]).mm(a).addcmul_(b.narrow(1, shift, a.size(1)), of_diagonal)
                   : b.mm(weights.t());  // [K, P]
  }
  if (context->needs_input_grad(1) && !symmetric) {
    to_b = by_gram ? (scale * saved[2]).mm(b) : a.mm(weights);  // [K, Q]
    if (by_gram) to_b.narrow(1, shift, a.size(1)).addcmul_(a, of_diagonal);
  }
  return {to_a, to_b, {}, {}};
}

JESSL_INLINE SplitProduct split_product(const torch::Tensor& a, const torch::Tensor& b, bool by_gram,
                                        std::int64_t shift) {
  const auto parts = SplitProductFunction::apply(a, b, shift, by_gram);
  return {.diagonal = parts[0], .off_squares = parts[1]};
}

}  // namespace jessl::loss::detail

#endif  // JESSL_DEFINITIONS
