// SPDX-License-Identifier: Apache-2.0
// NNCLR: contrast with nearest neighbours as positives.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include <jessl/core/autocast.hpp>
#include <jessl/core/communicator.hpp>
#include <jessl/core/detail/check_setting.hpp>
#include <jessl/core/detail/separate.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/loss/concept.hpp>
#include <jessl/loss/detail/log_sum_exp.hpp>
#include <jessl/loss/detail/nearest.hpp>
#include <jessl/loss/detail/targets.hpp>
#include <jessl/loss/detail/views.hpp>
#include <jessl/loss/embedding_queue.hpp>
#include <jessl/loss/predictor.hpp>

namespace jessl::loss {

/// Nearest-neighbour contrast: the nearest of the earlier embeddings must find the prediction for its image's other view.
///
/// The positive is another image that is alike, which brings more variety than augmentation does. With p = z / |z| of a view
/// and n_i the row of the queue that is nearest to the target of another view of image i:
/// loss = mean_i ( log sum_j exp(<n_i, p_j> / t) - <n_i, p_i> / t ), j over the predictions for all images of all ranks; the
/// mean over all pairs of a target and another view. The gradient flows through the predictions. Then the first view's
/// targets join the queue.
///
/// Shapes     views: V x [N, D], targets: T x [N, D], queue: [queue_size, D] -> []      N images per rank
/// Units      temperature: dimensionless, > 0; queue_size: rows, >= 1
/// Precision  reduced in float32 under autocast; float64 stays
/// Cost       O(N queue_size D + V W N^2 D) time per target and O(V W N D) memory beside the queue: similarities are
///            computed in tiles; gathers W N D numbers per view, and per step another W N D without gradient
/// Randomness none; the queue starts with random directions
/// Errors     ConfigError for a setting out of range, fewer than two views, no targets, or tensors of different devices or
///            types; ShapeError for views and targets of different shapes or not [N, D], or a queue of another width
/// Models     jessl::Loss, jessl::PredictedLoss, jessl::StatefulLoss (docs/loss/README.md)
/// Source     Dwibedi et al., With a Little Help from My Friends: Nearest-Neighbor Contrastive Learning of Visual
///            Representations, ICCV 2021, arXiv 2104.14548, equation 3 and algorithm 1
/// Differs    the queue is that of solo-learn, 65536 rows; the mean over more than two views
///            is ours
struct NNCLR {
  static constexpr std::string_view name = "NNCLR";

  double temperature = 0.1;               ///< divides the cosine similarities; dimensionless, > 0
  std::int64_t queue_size = 65536;        ///< embeddings among which the nearest is sought, >= 1
  Predictor predictor{.hidden = "4096"};  ///< what the views go through after the projector

  /// The queue.
  [[nodiscard]] EmbeddingQueue make(std::int64_t width) const;

  template <Communicator<torch::Tensor> Group = SingleProcess>
  [[nodiscard]] torch::Tensor operator()(const std::vector<torch::Tensor>& views,
                                         const std::vector<torch::Tensor>& targets, const EmbeddingQueue& queue,
                                         const Group& group = {}) const {
    check();
    detail::check_views_and_targets(name, views, targets);
    const auto rows = detail::rows_of(name, queue, queue_size, views[0]);
    const Autocast full_precision(views[0].device().type(), Precision::float32);
    const auto embeddings = detail::unit_rows(detail::detached(targets)), predictions = detail::unit_rows(views);
    const auto all = detail::gathered(predictions, group);  // V x [W*N, D]
    std::vector<torch::Tensor> neighbours;                  // T x [N, D]
    // A queue that was filled by hand may have rows of any length.
    for (const torch::Tensor& z : embeddings) neighbours.push_back(detail::unit_rows(detail::nearest_rows(z, rows)));

    const auto value =
        detail::mean_over_targets(neighbours.size(), predictions.size(), [&](std::size_t t, std::size_t v) {
          return detail::info_nce_among(neighbours[t], predictions[v], all[v], temperature, group.rank());
        });
    queue.ptr()->enqueue(detail::gathered(embeddings[0], group));
    return value;
  }

  void check() const;
};
static_assert(Loss<NNCLR> && PredictedLoss<NNCLR> && StatefulLoss<NNCLR>);

}  // namespace jessl::loss

JESSL_OPTIONS(jessl::loss::NNCLR, temperature, queue_size, predictor);

#if JESSL_DEFINITIONS

namespace jessl::loss {

JESSL_INLINE EmbeddingQueue NNCLR::make(std::int64_t width) const {
  check();
  return EmbeddingQueue(queue_size, width);
}

JESSL_INLINE void NNCLR::check() const {
  predictor.check(name);
  jessl::detail::check_setting(temperature > 0, "loss", name, "temperature", temperature, "a finite number > 0");
  jessl::detail::check_setting(queue_size >= 1, "loss", name, "queue_size", static_cast<double>(queue_size),
                               "a whole number >= 1");
}

}  // namespace jessl::loss

#endif  // JESSL_DEFINITIONS
