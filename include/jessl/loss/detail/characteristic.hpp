// SPDX-License-Identifier: Apache-2.0
// Empirical characteristic functions of many projections at once.
#pragma once

#include <algorithm>
#include <cstdint>

#include <jessl/core/autocast.hpp>
#include <jessl/core/detail/separate.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/loss/detail/first_order.hpp>

namespace jessl::loss::detail {

/// The mean over the rows of exp(i t <z, a>), for z [N, D], the columns a of directions [D, S] and t = 0, step, ...,
/// (points - 1) step: real parts and imaginary parts, [2, points, S]. Directions have no gradient.
///
/// exp(i (k + 1) step x) = exp(i k step x) exp(i step x): one sine and one cosine per projection x serve all points. Forward and
/// backward project block by block, so that nothing of [N, S] is kept.
class CharacteristicFunction : public torch::autograd::Function<CharacteristicFunction> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context, const torch::Tensor& z,
                               const torch::Tensor& directions, double step, std::int64_t points);

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients);

 private:
  /// visit(projections of some rows, the first row). On a CPU they stay in a core's cache with what is computed from them.
  template <class Visit>
  static void for_each_block(const torch::Tensor& z, const torch::Tensor& directions, const Visit& visit) {
    const std::int64_t entries = z.is_cpu() ? 65'536 : 16'777'216;
    const auto size = std::max<std::int64_t>(1, entries / directions.size(1));
    for (std::int64_t begin = 0; begin < z.size(0); begin += size)
      visit(z.narrow(0, begin, std::min(size, z.size(0) - begin)).mm(directions), begin);
  }

  /// visit(k, cos(k step x), sin(k step x)).
  template <class Visit>
  static void for_each_point(const torch::Tensor& x, double step, std::int64_t points, const Visit& visit) {
    const auto angle = x * step, cosine = angle.cos(), sine = angle.sin();
    auto real = torch::ones_like(x), imaginary = torch::zeros_like(x);
    for (std::int64_t k = 0; k < points; ++k) {
      visit(k, real, imaginary);
      const auto next = (real * cosine).addcmul_(imaginary, sine, -1);
      imaginary.mul_(cosine).addcmul_(real, sine);
      real = next;
    }
  }
};

}  // namespace jessl::loss::detail

#if JESSL_DEFINITIONS

namespace jessl::loss::detail {

JESSL_INLINE torch::Tensor CharacteristicFunction::forward(torch::autograd::AutogradContext* context,
                                                           const torch::Tensor& z, const torch::Tensor& directions,
                                                           double step, std::int64_t points) {
  auto means = torch::zeros({2, points, directions.size(1)}, z.options().requires_grad(false));
  for_each_block(z, directions, [&](const torch::Tensor& x, std::int64_t) {
    for_each_point(x, step, points, [&](std::int64_t k, const torch::Tensor& real, const torch::Tensor& imaginary) {
      means[0][k].add_(real.sum(0));
      means[1][k].add_(imaginary.sum(0));
    });
  });
  context->save_for_backward({z, directions});
  context->saved_data["step"] = step;
  return means.div_(static_cast<double>(z.size(0)));
}

JESSL_INLINE torch::autograd::variable_list CharacteristicFunction::backward(
    torch::autograd::AutogradContext* context, const torch::autograd::variable_list& gradients) {
  check_first_order();
  const auto saved = context->get_saved_variables();
  const torch::Tensor &z = saved[0], &directions = saved[1];
  const Autocast full_precision(z.device().type(), Precision::float32);
  const double step = context->saved_data["step"].toDouble();
  const auto points = gradients[0].size(1);
  // d cos(t x) = -t sin(t x), d sin(t x) = t cos(t x), with t = k step and the mean's 1 / N taken into the gradients.
  const auto t = torch::arange(points, directions.options()).mul_(step / static_cast<double>(z.size(0)));
  const auto scaled = gradients[0] * t.unsqueeze(1);  // [2, points, S]
  auto to_z = torch::empty_like(z);
  for_each_block(z, directions, [&](const torch::Tensor& x, std::int64_t begin) {
    auto to_x = torch::zeros_like(x);
    for_each_point(x, step, points, [&](std::int64_t k, const torch::Tensor& real, const torch::Tensor& imaginary) {
      to_x.addcmul_(real, scaled[1][k]).addcmul_(imaginary, scaled[0][k], -1);
    });
    to_z.narrow(0, begin, x.size(0)).copy_(to_x.mm(directions.t()));
  });
  return {to_z, {}, {}, {}};
}

}  // namespace jessl::loss::detail

#endif  // JESSL_DEFINITIONS
