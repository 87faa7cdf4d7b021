// SPDX-License-Identifier: Apache-2.0
// The sum of a matrix's singular values.
#pragma once

#include <limits>

#include <jessl/core/autocast.hpp>
#include <jessl/core/detail/separate.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/loss/detail/first_order.hpp>

namespace jessl::loss::detail {

/// The sum of the singular values of each matrix, [..., M, D] -> [...].
///
/// They are the roots of the eigenvalues of the smaller Gram matrix, [K, K] with K = min(M, D), which costs one product
/// instead of an iteration over the whole matrix. The roots would have half the digits of their matrix, so that one is summed
/// in float64: a singular value is then exact to 1e-8 of the largest. The gradient U V^T is the matrix times the Gram
/// matrix's inverse root. Singular values below 1e-7 of the largest count as zero there, where any direction is a subgradient
/// and none is the one that is taken. A matrix with entries that are not finite has the value NaN.
class NuclearNorm : public torch::autograd::Function<NuclearNorm> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context, const torch::Tensor& matrix);

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients);

 private:
  static constexpr double nan = std::numeric_limits<double>::quiet_NaN();

  [[nodiscard]] static bool tall(const torch::Tensor& matrix) { return matrix.size(-2) > matrix.size(-1); }
};

}  // namespace jessl::loss::detail

#if JESSL_DEFINITIONS

namespace jessl::loss::detail {

JESSL_INLINE torch::Tensor NuclearNorm::forward(torch::autograd::AutogradContext* context,
                                                const torch::Tensor& matrix) {
  const auto precise = matrix.to(torch::kFloat64);
  const auto gram = tall(matrix) ? precise.mT().matmul(precise) : precise.matmul(precise.mT());  // [..., K, K]
  if (!gram.isfinite().all().item<bool>()) {  // which LAPACK would refuse
    context->save_for_backward({matrix, torch::full_like(gram, nan, matrix.options())});
    return torch::full_like(gram.select(-1, 0).select(-1, 0), nan, matrix.options());
  }
  const auto [squares, vectors] = at::linalg_eigh(gram);
  const auto singular = squares.clamp_min(0).sqrt();  // [..., K]
  const auto counted = singular > 1e-7 * singular.amax(-1, /*keepdim=*/true);
  const auto inverse = singular.reciprocal().masked_fill(counted.logical_not(), 0);
  const auto root = (vectors * inverse.unsqueeze(-2)).matmul(vectors.mT());  // [..., K, K]
  context->save_for_backward({matrix, root.to(matrix.scalar_type())});
  return singular.sum(-1).to(matrix.scalar_type());
}

JESSL_INLINE torch::autograd::variable_list NuclearNorm::backward(torch::autograd::AutogradContext* context,
                                                                  const torch::autograd::variable_list& gradients) {
  check_first_order();
  const auto saved = context->get_saved_variables();
  const torch::Tensor &matrix = saved[0], &root = saved[1];
  const Autocast full_precision(matrix.device().type(), Precision::float32);
  const auto to_matrix = tall(matrix) ? matrix.matmul(root) : root.matmul(matrix);
  return {to_matrix * gradients[0].unsqueeze(-1).unsqueeze(-1)};
}

}  // namespace jessl::loss::detail

#endif  // JESSL_DEFINITIONS
