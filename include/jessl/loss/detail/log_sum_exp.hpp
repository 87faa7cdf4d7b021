// SPDX-License-Identifier: Apache-2.0
// log sum exp of similarities, row by row, without the matrix of similarities.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <numbers>
#include <optional>
#include <vector>

#include <jessl/core/autocast.hpp>
#include <jessl/core/detail/separate.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/loss/detail/first_order.hpp>

namespace jessl::loss::detail {

/// The side of a tile of similarities on a GPU, where one takes 64 MiB in float32: few launches, little memory.
inline constexpr std::int64_t device_tile_side = 4096;

/// What an anchor is not compared with.
enum class Excluded : std::uint8_t {
  itself,      ///< the anchor itself
  same_image,  ///< every candidate of the anchor's image, itself among them where it is one
  nothing      ///< no candidate is of the anchor's image
};

/// log sum_j exp(scale <anchor_i, candidate_j>) over the candidates of each view that are not excluded, of rows of length 1 or 0.
///
/// Similarities are computed in tiles, forward and again backward: memory is O(N D). Where the candidates are the anchors, the
/// matrix is symmetric and half of the tiles do for all. No similarity is beyond +-scale: up to a scale of 64 float32 holds the
/// exponentials themselves, and a tile's are taken once for its rows and its columns. Beyond that the sums have a running
/// maximum, so that nothing overflows.
///
/// `anchors` V x [N, D] of this rank, `candidates` U x [M, D] of all ranks, N of which, from `first` on, are of the anchors'
/// images: the anchors themselves, or what a teacher makes of them. With `classes` [M] of the candidates' images an anchor is
/// compared with those of its own class alone. Returns [V, U, N]: who compares with several views at once adds up. It is
/// -infinity, without gradient, where a view has no candidate that isn't excluded. What has no gradient costs a third less on
/// the way back.
class LogSumExp : public torch::autograd::Function<LogSumExp> {
 public:
  static constexpr std::int64_t cpu_tile_side = 256;  ///< a tile takes 256 KiB in float32: it stays in a core's cache

  static torch::Tensor forward(torch::autograd::AutogradContext* context, const torch::Tensor& anchors,
                               const torch::Tensor& candidates, double scale, std::int64_t first, Excluded excluded,
                               const std::optional<torch::Tensor>& classes);

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients);

 private:
  static constexpr double infinity = std::numeric_limits<double>::infinity();

  struct Block;
  struct Tile;
  struct Matrix;
};

/// LogSumExp of V views: `local` V x [N, D] of this rank against `all` V x [W*N, D]. [V, V, N]
[[nodiscard]] torch::Tensor log_sum_exp(const std::vector<torch::Tensor>& local, const std::vector<torch::Tensor>& all,
                                        double scale, std::int64_t rank, Excluded excluded,
                                        const std::optional<torch::Tensor>& classes = {});

/// InfoNCE, the mean of log(exp positive + exp negatives) - positive, where `negatives` is a log sum exp; any shapes that broadcast.
/// That is log(1 + exp(negatives - positive)), a log sigmoid: so written, a small loss is not the difference of two large
/// numbers, and value and gradient keep their digits in float32.
[[nodiscard]] torch::Tensor info_nce(const torch::Tensor& positive, const torch::Tensor& negatives);

/// InfoNCE of queries and their own candidates, [N, D], among those of the images of all ranks, [W*N, D], all of unit length;
/// 0 where there is no other image.
[[nodiscard]] torch::Tensor info_nce_among(const torch::Tensor& queries, const torch::Tensor& own,
                                           const torch::Tensor& all, double temperature, std::int64_t rank);

}  // namespace jessl::loss::detail

#if JESSL_DEFINITIONS

namespace jessl::loss::detail {

/// Some rows of one view.
struct LogSumExp::Block {
  std::int64_t view, begin, size;
  [[nodiscard]] torch::Tensor of(const torch::Tensor& all) const { return all.select(0, view).narrow(0, begin, size); }
};

struct LogSumExp::Tile {
  Block rows, columns;
  bool mirrored;         // it also stands for the tile with rows and columns exchanged
  torch::Tensor logits;  // [rows, columns], -infinity where excluded; to base 2, whose power is faster, where bounded

  /// What [V, U, N] has for the tile's rows, and for its columns as the rows of its mirror image.
  [[nodiscard]] torch::Tensor of_rows(const torch::Tensor& all) const { return rows.of(all.select(1, columns.view)); }
  [[nodiscard]] torch::Tensor of_columns(const torch::Tensor& all) const {
    return columns.of(all.select(1, rows.view));
  }
};

struct LogSumExp::Matrix {
  torch::Tensor anchors, candidates;  // V x [N, D], U x [M, D]
  double scale;
  std::int64_t first;
  Excluded excluded;
  torch::Tensor classes;  // [M], undefined where all are compared

  [[nodiscard]] bool bounded() const { return scale <= 64; }
  [[nodiscard]] bool symmetric() const { return anchors.is_same(candidates); }

  /// Visits all tiles, of a symmetric matrix those on and above the diagonal. On a CPU each thread takes a part of the matrix
  /// at a time, in rounds in which no two parts share rows or columns: `visit` may write what belongs to its tile's. What comes
  /// out depends on the number of threads, but not on who is faster.
  template <class Visit>
  void for_each_tile(const Visit& visit) const {
    const auto scaled = anchors * (bounded() ? scale * std::numbers::log2e : scale);
    const std::vector<Block> rows = blocks_of(anchors), columns = blocks_of(candidates);
    const auto threads = static_cast<std::size_t>(anchors.is_cpu() ? at::get_num_threads() : 1);
    const std::size_t least = std::min(rows.size() / (symmetric() ? 2 : 1), columns.size());
    const bool apart = threads > 1 && least >= threads;  // else each tile is the work of all
    const std::size_t parts = !apart ? 1 : symmetric() ? 2 * threads : threads;
    const auto begin_of = [&](std::size_t part, std::size_t count) { return part * count / parts; };
    const auto visit_part = [&](const Place& part) {
      for (std::size_t i = begin_of(part.row, rows.size()); i < begin_of(part.row + 1, rows.size()); ++i) {
        for (std::size_t j = begin_of(part.column, columns.size()); j < begin_of(part.column + 1, columns.size());
             ++j) {
          if (!symmetric() || i <= j) visit_tile(scaled, rows[i], columns[j], visit);
        }
      }
    };
    const at::ThreadLocalState state;  // no gradient, and whatever else the caller has switched on or off
    for (const std::vector<Place>& round : symmetric() ? rounds_of_half(parts) : rounds(parts)) {
      if (apart) {
        at::parallel_for(0, std::ssize(round), 1, [&](std::int64_t begin, std::int64_t end) {
          const at::ThreadLocalStateGuard same(state);
          for (std::int64_t i = begin; i < end; ++i) visit_part(round[static_cast<std::size_t>(i)]);
        });
      } else {
        for (const Place& part : round) visit_part(part);
      }
    }
  }

 private:
  struct Place {
    std::size_t row, column;  // of a part among the parts
  };
  using Rounds = std::vector<std::vector<Place>>;

  /// Every place of a square once, in rounds in which no two share a row or a column.
  [[nodiscard]] static Rounds rounds(std::size_t side) {
    Rounds all(side);
    for (std::size_t shift = 0; shift < side; ++shift) {
      for (std::size_t row = 0; row < side; ++row) all[shift].push_back({row, (row + shift) % side});
    }
    return all;
  }

  /// Every place of a square on or above the diagonal once, in rounds in which no row is another's column either: first those on
  /// it, then all pairs as the matches of a round robin. The side is 1 or even.
  [[nodiscard]] static Rounds rounds_of_half(std::size_t side) {
    Rounds all(1);
    for (std::size_t place = 0; place < side; ++place) all[0].push_back({place, place});
    const std::size_t circle = side - 1;
    for (std::size_t turn = 0; turn < circle; ++turn) {
      auto& round = all.emplace_back();
      const auto add = [&](std::size_t one, std::size_t other) {
        round.push_back({std::min(one, other), std::max(one, other)});
      };
      add(circle, turn);
      for (std::size_t k = 1; k < side / 2; ++k) add((turn + k) % circle, (turn + circle - k) % circle);
    }
    return all;
  }

  [[nodiscard]] static std::vector<Block> blocks_of(const torch::Tensor& all) {
    const std::int64_t side = all.is_cpu() ? cpu_tile_side : device_tile_side;
    std::vector<Block> blocks;
    for (std::int64_t view = 0; view < all.size(0); ++view) {
      for (std::int64_t begin = 0; begin < all.size(1); begin += side)
        blocks.push_back({view, begin, std::min(side, all.size(1) - begin)});
    }
    return blocks;
  }

  template <class Visit>
  void visit_tile(const torch::Tensor& scaled, const Block& rows, const Block& columns, const Visit& visit) const {
    auto logits = rows.of(scaled).mm(columns.of(candidates).t());
    const auto shift = first + rows.begin - columns.begin;  // the column of row 0's image
    const bool crosses = shift > -rows.size && shift < columns.size;
    if (crosses && (excluded == Excluded::same_image || (excluded == Excluded::itself && rows.view == columns.view)))
      logits.diagonal(shift).fill_(-infinity);
    if (classes.defined()) {
      const auto of_rows = classes.narrow(0, first + rows.begin, rows.size).unsqueeze(1);
      logits.masked_fill_(of_rows != classes.narrow(0, columns.begin, columns.size), -infinity);
    }
    const bool diagonal = rows.view == columns.view && rows.begin == columns.begin;
    visit(Tile{rows, columns, symmetric() && !diagonal, logits});
  }
};

JESSL_INLINE torch::Tensor LogSumExp::forward(torch::autograd::AutogradContext* context, const torch::Tensor& anchors,
                                              const torch::Tensor& candidates, double scale, std::int64_t first,
                                              Excluded excluded, const std::optional<torch::Tensor>& classes) {
  const Matrix matrix{anchors, candidates, scale, first, excluded, classes.value_or(torch::Tensor())};
  const auto options = anchors.options().requires_grad(false);
  auto result = torch::full({anchors.size(0), candidates.size(0), anchors.size(1)}, matrix.bounded() ? 0.0 : -infinity,
                            options);  // [V, U, N]
  matrix.for_each_tile([&](const Tile& tile) {
    if (matrix.bounded()) {
      tile.logits.exp2_();
      tile.of_rows(result).add_(tile.logits.sum(1));
      if (tile.mirrored) tile.of_columns(result).add_(tile.logits.sum(0));
      return;
    }
    const auto add = [&](const torch::Tensor& part, std::int64_t axis) {
      part.copy_(at::logaddexp(part, tile.logits.logsumexp(axis)));
    };
    add(tile.of_rows(result), 1);
    if (tile.mirrored) add(tile.of_columns(result), 0);
  });
  if (matrix.bounded()) result.log_();
  context->save_for_backward({anchors, candidates, result, matrix.classes});
  context->saved_data["scale"] = scale;
  context->saved_data["first"] = first;
  context->saved_data["excluded"] = static_cast<std::int64_t>(excluded);
  return result;
}

JESSL_INLINE torch::autograd::variable_list LogSumExp::backward(torch::autograd::AutogradContext* context,
                                                                const torch::autograd::variable_list& gradients) {
  check_first_order();
  const auto saved = context->get_saved_variables();
  const auto empty = saved[2] == -infinity;
  const auto sums = saved[2].masked_fill(empty, 0.0);  // [V, U, N]
  const Autocast full_precision(sums.device().type(), Precision::float32);
  const Matrix matrix{saved[0],
                      saved[1],
                      context->saved_data["scale"].toDouble(),
                      context->saved_data["first"].toInt(),
                      static_cast<Excluded>(context->saved_data["excluded"].toInt()),
                      saved[3]};
  const auto gradient = (gradients[0] * matrix.scale).masked_fill(empty, 0.0);                // [V, U, N]
  const auto of_exponential = matrix.bounded() ? gradient * (-sums).exp() : torch::Tensor();  // [V, U, N]
  // Neither a teacher's candidates nor a queue's rows have a gradient.
  auto to_anchors = context->needs_input_grad(0) ? torch::zeros_like(matrix.anchors) : torch::Tensor();
  const bool wanted = !matrix.symmetric() && context->needs_input_grad(1);
  auto to_candidates = matrix.symmetric() ? to_anchors
                       : wanted           ? torch::zeros_like(matrix.candidates)
                                          : torch::Tensor();
  matrix.for_each_tile([&](const Tile& tile) {
    // The softmax over each row of the matrix, times that row's gradient; a tile of a symmetric matrix stands in its columns'
    // rows too, as itself on the diagonal and else as its mirror image.
    torch::Tensor weights;
    if (matrix.bounded()) {
      const auto of_rows = tile.of_rows(of_exponential).unsqueeze(1);
      weights = tile.logits.exp2_().mul_(matrix.symmetric() ? of_rows + tile.of_columns(of_exponential) : of_rows);
    } else {
      weights = (tile.logits - tile.of_rows(sums).unsqueeze(1)).exp_().mul_(tile.of_rows(gradient).unsqueeze(1));
      if (matrix.symmetric())
        weights.add_((tile.logits - tile.of_columns(sums)).exp_().mul_(tile.of_columns(gradient)));
    }
    if (to_anchors.defined()) tile.rows.of(to_anchors).addmm_(weights, tile.columns.of(matrix.candidates));
    if (to_candidates.defined() && (tile.mirrored || !matrix.symmetric()))
      tile.columns.of(to_candidates).addmm_(weights.t(), tile.rows.of(matrix.anchors));
  });
  return {to_anchors, wanted ? to_candidates : torch::Tensor(), {}, {}, {}, {}};
}

JESSL_INLINE torch::Tensor log_sum_exp(const std::vector<torch::Tensor>& local, const std::vector<torch::Tensor>& all,
                                       double scale, std::int64_t rank, Excluded excluded,
                                       const std::optional<torch::Tensor>& classes) {
  const auto anchors = torch::stack(local);  // [V, N, D]
  const bool alone = local[0].size(0) == all[0].size(0);
  return LogSumExp::apply(anchors, alone ? anchors : torch::stack(all), scale, rank * local[0].size(0), excluded,
                          classes);
}

JESSL_INLINE torch::Tensor info_nce(const torch::Tensor& positive, const torch::Tensor& negatives) {
  return -at::log_sigmoid(positive - negatives).mean();
}

JESSL_INLINE torch::Tensor info_nce_among(const torch::Tensor& queries, const torch::Tensor& own,
                                          const torch::Tensor& all, double temperature, std::int64_t rank) {
  if (all.size(0) == 1) return 0 * (queries.sum() + own.sum());
  const torch::Tensor negatives =
      LogSumExp::apply(queries.unsqueeze(0), all.unsqueeze(0), 1 / temperature, rank * queries.size(0),
                       Excluded::same_image, std::optional<torch::Tensor>());  // [1, 1, N]
  return info_nce((queries * own).sum(1) / temperature, negatives[0][0]);
}

}  // namespace jessl::loss::detail

#endif  // JESSL_DEFINITIONS
