// SPDX-License-Identifier: Apache-2.0
// What a row sees of many others that have no gradient, such as a queue: without the matrix of similarities, in one pass.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/shape.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/loss/detail/first_order.hpp>
#include <jessl/loss/detail/log_sum_exp.hpp>

namespace jessl::loss::detail {

/// Checks rows [M, D], M >= 1, with which a view [N, D] is compared: of its width, type and device.
void check_rows(std::string_view loss, const torch::Tensor& rows, const torch::Tensor& view);

/// A softmax over rows, seen from queries.
struct Attention {
  torch::Tensor log_sum_exp;  ///< [N]: log sum_j exp(scale <query_i, row_j>)
  torch::Tensor mean;         ///< [N, D]: of the rows, weighted by the softmax over j
};

/// Visits [N, D] queries and M rows in tiles, whose similarities stay in a core's cache: visit(first query, their
/// number, first row, their number).
template <class Visit>
void for_each_tile(const torch::Tensor& queries, std::int64_t rows, const Visit& visit) {
  const std::int64_t side = queries.is_cpu() ? 512 : device_tile_side;  // a float32 tile takes 1 MiB
  for (std::int64_t query = 0; query < queries.size(0); query += side) {
    for (std::int64_t row = 0; row < rows; row += side)
      visit(query, std::min(side, queries.size(0) - query), row, std::min(side, rows - row));
  }
}

/// The softmax over [M, D] rows seen from [N, D] queries, in one pass with a running maximum: O(N D) memory. M >= 1. Without
/// `with_mean` half of the products and no mean.
[[nodiscard]] Attention attend(const torch::Tensor& queries, const torch::Tensor& rows, double scale,
                               bool with_mean = true);

/// log sum_j exp(scale <query_i, row_j>) with a gradient for the queries alone, which is known after the first pass: nothing
/// but [N, D] numbers is kept, and the rows may change before backward().
class LogSumExpOfRows : public torch::autograd::Function<LogSumExpOfRows> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context, const torch::Tensor& queries,
                               const torch::Tensor& rows, double scale);

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients);
};

/// log sum_j exp(scale <query_i, row_j>), [N], of [N, D] queries and [M, D] rows, M >= 1.
[[nodiscard]] torch::Tensor log_sum_exp_of(const torch::Tensor& queries, const torch::Tensor& rows, double scale);

}  // namespace jessl::loss::detail

#if JESSL_DEFINITIONS

namespace jessl::loss::detail {

JESSL_INLINE void check_rows(std::string_view loss, const torch::Tensor& rows, const torch::Tensor& view) {
  JESSL_CHECK(rows.defined(), ConfigError, "jessl::loss::", loss, ": the negatives are undefined");
  JESSL_CHECK(rows.dim() == 2 && rows.size(0) >= 1 && rows.size(1) == view.size(1), ShapeError, "jessl::loss::", loss,
              ": the negatives are ", shape_of(rows), ", expected [M, D] with M >= 1 and D = ", view.size(1),
              " as views[0]");
  JESSL_CHECK(rows.device() == view.device() && rows.scalar_type() == view.scalar_type(), ConfigError,
              "jessl::loss::", loss, ": the negatives hold ", rows.dtype().name(), " on ", rows.device(), ", expected ",
              view.dtype().name(), " on ", view.device(), " as views[0]");
}

JESSL_INLINE Attention attend(const torch::Tensor& queries, const torch::Tensor& rows, double scale, bool with_mean) {
  const torch::NoGradGuard no_gradient;
  const auto scaled = queries.detach() * scale;
  const auto n = queries.size(0);
  auto largest = torch::full({n, 1}, -std::numeric_limits<double>::infinity(), scaled.options());
  auto sum = torch::zeros({n, 1}, scaled.options());
  auto mean = with_mean ? torch::zeros_like(scaled) : torch::Tensor();
  for_each_tile(queries, rows.size(0),
                [&](std::int64_t query, std::int64_t count, std::int64_t row, std::int64_t width) {
                  const auto block = rows.narrow(0, row, width);
                  auto weights = scaled.narrow(0, query, count).mm(block.t());
                  auto before = largest.narrow(0, query, count);
                  const auto now = at::maximum(before, weights.amax(1, /*keepdim=*/true));
                  weights.sub_(now).exp_();
                  const auto kept = (before - now).exp_();  // of what was summed so far
                  sum.narrow(0, query, count).mul_(kept).add_(weights.sum(1, /*keepdim=*/true));
                  if (with_mean) mean.narrow(0, query, count).mul_(kept).addmm_(weights, block);
                  before.copy_(now);
                });
  return {(largest + sum.log()).squeeze(1), with_mean ? mean.div_(sum) : mean};
}

JESSL_INLINE torch::Tensor LogSumExpOfRows::forward(torch::autograd::AutogradContext* context,
                                                    const torch::Tensor& queries, const torch::Tensor& rows,
                                                    double scale) {
  auto [log_sum_exp, mean] = attend(queries, rows, scale, queries.requires_grad());
  context->save_for_backward({mean.defined() ? mean.mul_(scale) : mean});
  return log_sum_exp;
}

JESSL_INLINE torch::autograd::variable_list LogSumExpOfRows::backward(torch::autograd::AutogradContext* context,
                                                                      const torch::autograd::variable_list& gradients) {
  check_first_order();
  return {gradients[0].unsqueeze(1) * context->get_saved_variables()[0], {}, {}};
}

JESSL_INLINE torch::Tensor log_sum_exp_of(const torch::Tensor& queries, const torch::Tensor& rows, double scale) {
  if (!rows.requires_grad()) return LogSumExpOfRows::apply(queries, rows, scale);
  return LogSumExp::apply(queries.unsqueeze(0), rows.unsqueeze(0), scale, /*first=*/0, Excluded::nothing,
                          std::optional<torch::Tensor>())
      .view({-1});
}

}  // namespace jessl::loss::detail

#endif  // JESSL_DEFINITIONS
