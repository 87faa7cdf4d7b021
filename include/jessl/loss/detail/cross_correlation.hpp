// SPDX-License-Identifier: Apache-2.0
// Cross-correlations of standardised views by their Gram matrices, a block of columns at a time.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <tuple>
#include <vector>

#include <jessl/core/autocast.hpp>
#include <jessl/core/detail/separate.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/loss/detail/first_order.hpp>
#include <jessl/loss/detail/gram.hpp>

namespace jessl::loss::detail {

/// What a loss takes of C = Y_a^T Y_b, for each pair a < b of V views [N, D] that it standardises over their rows, where N is less
/// than D: the diagonals, [P, D], and the sums of the squares of the other entries, [P]; pairs in the order (0, 1), (0, 2), ..., (1, 2).
///
/// Y = (Z - mean) / sqrt(var + epsilon), and |Y_a^T Y_b|^2 is <Y_a Y_a^T, Y_b Y_b^T>, so that there is a product a view forward
/// and another backward, however many the pairs. All else is between columns alone: each thread takes a part of them, in blocks
/// that stay in its core's cache. Blocks that were the work of all threads took 30.8 ms a step of 256 x 8192 where this takes
/// 26.7, as threads waited for each other after every operation.
class CrossCorrelationFunction : public torch::autograd::Function<CrossCorrelationFunction> {
 public:
  static torch::autograd::variable_list forward(torch::autograd::AutogradContext* context, at::TensorList views,
                                                double epsilon);

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients);

  /// Columns of a block of a view that has so many rows: 1 MB of float32, of which a core's cache holds what a block needs.
  [[nodiscard]] static std::int64_t block_columns(std::int64_t rows) {
    return std::max<std::int64_t>((1 << 18) / rows, 64);
  }

 private:
  struct Pair {
    std::size_t a, b;
  };

  [[nodiscard]] static std::vector<Pair> pairs_of(std::size_t views);

  [[nodiscard]] static torch::Tensor row_of(const torch::Tensor& matrix, std::size_t row);

  [[nodiscard]] static torch::Tensor part_of(const torch::Tensor& matrix, std::size_t row, std::int64_t begin,
                                             std::int64_t width);

  /// In how many parts the columns of a view are visited: on a CPU each thread takes one, if that is not for the price of
  /// Gram matrices larger than the views; else each block is the work of all threads.
  [[nodiscard]] static std::int64_t parts_of(const torch::Tensor& view);

  /// Calls visit(part, begin, width) for blocks of the columns of a view; a GPU takes them all at once.
  template <class Visit>
  static void for_each_block(const torch::Tensor& view, const Visit& visit) {
    const auto columns = view.size(1), width = view.is_cpu() ? block_columns(view.size(0)) : columns;
    const auto parts = parts_of(view);
    const auto visit_part = [&](std::int64_t part) {
      const auto end = (part + 1) * columns / parts;
      for (auto begin = part * columns / parts; begin < end; begin += width)
        visit(part, begin, std::min(width, end - begin));
    };
    if (parts == 1) return visit_part(0);
    const at::ThreadLocalState state;  // no gradient, and whatever else the caller has switched on or off
    at::parallel_for(0, parts, 1, [&](std::int64_t begin, std::int64_t end) {
      const at::ThreadLocalStateGuard same(state);
      for (auto part = begin; part < end; ++part) visit_part(part);
    });
  }
};

}  // namespace jessl::loss::detail

#if JESSL_DEFINITIONS

namespace jessl::loss::detail {

JESSL_INLINE torch::autograd::variable_list CrossCorrelationFunction::forward(torch::autograd::AutogradContext* context,
                                                                              at::TensorList views, double epsilon) {
  const auto pairs = pairs_of(views.size());
  const auto options = views[0].options();
  const auto rows = views[0].size(0), columns = views[0].size(1);
  const auto mean = torch::empty({std::ssize(views), columns}, options), inverse_deviation = torch::empty_like(mean);
  const auto diagonal = torch::empty({std::ssize(pairs), columns}, options);
  const auto part_grams = torch::zeros({parts_of(views[0]), std::ssize(views), rows, rows}, options);

  for_each_block(views[0], [&](std::int64_t part, std::int64_t begin, std::int64_t width) {
    std::vector<torch::Tensor> y;  // V x [N, width]
    for (std::size_t v = 0; v < views.size(); ++v) {
      auto [standardised, its_mean, its_inverse_deviation] =
          at::native_batch_norm(views[v].narrow(1, begin, width).contiguous(), {}, {}, {}, {}, true, 0, epsilon);
      part_of(mean, v, begin, width).copy_(its_mean);
      part_of(inverse_deviation, v, begin, width).copy_(its_inverse_deviation);
      row_of(part_grams[part], v).add_(symmetric_product(standardised.t()));
      y.push_back(standardised);
    }
    for (std::size_t p = 0; p < pairs.size(); ++p) {
      part_of(diagonal, p, begin, width).copy_((y[pairs[p].a] * y[pairs[p].b]).sum(0));
    }
  });

  const auto grams = part_grams.sum(0);  // [V, N, N]
  std::vector<torch::Tensor> squares;    // P x []
  for (const auto [a, b] : pairs) squares.push_back((row_of(grams, a) * row_of(grams, b)).sum());
  context->saved_data["epsilon"] = epsilon;
  torch::autograd::variable_list saved{mean, inverse_deviation, diagonal, grams};
  saved.insert(saved.end(), views.begin(), views.end());
  context->save_for_backward(saved);
  return {diagonal, torch::stack(squares) - diagonal.square().sum(1)};
}

JESSL_INLINE torch::autograd::variable_list CrossCorrelationFunction::backward(
    torch::autograd::AutogradContext* context, const torch::autograd::variable_list& gradients) {
  check_first_order();
  const auto saved = context->get_saved_variables();
  const torch::Tensor &mean = saved[0], &inverse_deviation = saved[1], &diagonal = saved[2], &grams = saved[3];
  const at::TensorList views(&saved[4], saved.size() - 4);
  const auto pairs = pairs_of(views.size());
  const double epsilon = context->saved_data["epsilon"].toDouble();
  const Autocast full_precision(views[0].device().type(), Precision::float32);

  // The Gram matrices are of all entries, of which the diagonal is taken out again.
  const auto of_squares = 2 * gradients[1];                                    // [P]
  const auto of_diagonal = gradients[0] - of_squares.unsqueeze(1) * diagonal;  // [P, D]
  const auto weights = torch::zeros_like(grams);  // V x [N, N]: of the others' Gram matrices
  for (std::size_t p = 0; p < pairs.size(); ++p) {
    const auto [a, b] = pairs[p];
    row_of(weights, a).addcmul_(row_of(grams, b), row_of(of_squares, p));
    row_of(weights, b).addcmul_(row_of(grams, a), row_of(of_squares, p));
  }

  torch::autograd::variable_list to_views(views.size() + 1);
  for (std::size_t v = 0; v < views.size(); ++v) {
    if (context->needs_input_grad(v)) to_views[v] = torch::empty_like(views[v]);
  }
  for_each_block(views[0], [&](std::int64_t, std::int64_t begin, std::int64_t width) {
    std::vector<torch::Tensor> z, y, to_y;  // V x [N, width]
    for (std::size_t v = 0; v < views.size(); ++v) {
      z.push_back(views[v].narrow(1, begin, width).contiguous());
      y.push_back((z[v] - part_of(mean, v, begin, width)).mul_(part_of(inverse_deviation, v, begin, width)));
      to_y.push_back(row_of(weights, v).mm(y[v]));
    }
    for (std::size_t p = 0; p < pairs.size(); ++p) {
      const auto [a, b] = pairs[p];
      to_y[a].addcmul_(y[b], part_of(of_diagonal, p, begin, width));
      to_y[b].addcmul_(y[a], part_of(of_diagonal, p, begin, width));
    }
    for (std::size_t v = 0; v < views.size(); ++v) {
      if (!to_views[v].defined()) continue;
      const auto to_z = std::get<0>(at::native_batch_norm_backward(
          to_y[v], z[v], {}, {}, {}, part_of(mean, v, begin, width), part_of(inverse_deviation, v, begin, width), true,
          epsilon, {true, false, false}));
      to_views[v].narrow(1, begin, width).copy_(to_z);
    }
  });
  return to_views;
}

JESSL_INLINE std::vector<CrossCorrelationFunction::Pair> CrossCorrelationFunction::pairs_of(std::size_t views) {
  std::vector<Pair> pairs;
  for (std::size_t a = 0; a < views; ++a) {
    for (std::size_t b = a + 1; b < views; ++b) pairs.push_back({a, b});
  }
  return pairs;
}

JESSL_INLINE torch::Tensor CrossCorrelationFunction::row_of(const torch::Tensor& matrix, std::size_t row) {
  return matrix.select(0, static_cast<std::int64_t>(row));
}

JESSL_INLINE torch::Tensor CrossCorrelationFunction::part_of(const torch::Tensor& matrix, std::size_t row,
                                                             std::int64_t begin, std::int64_t width) {
  return row_of(matrix, row).narrow(0, begin, width);
}

JESSL_INLINE std::int64_t CrossCorrelationFunction::parts_of(const torch::Tensor& view) {
  const std::int64_t threads = view.is_cpu() ? at::get_num_threads() : 1;
  return view.size(1) >= threads * view.size(0) ? threads : 1;
}

}  // namespace jessl::loss::detail

#endif  // JESSL_DEFINITIONS
