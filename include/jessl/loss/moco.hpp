// SPDX-License-Identifier: Apache-2.0
// MoCo's contrastive loss: negatives from a queue of a momentum teacher's embeddings.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include <jessl/core/autocast.hpp>
#include <jessl/core/communicator.hpp>
#include <jessl/core/detail/check_setting.hpp>
#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/loss/concept.hpp>
#include <jessl/loss/detail/attend.hpp>
#include <jessl/loss/detail/log_sum_exp.hpp>
#include <jessl/loss/detail/targets.hpp>
#include <jessl/loss/detail/views.hpp>
#include <jessl/loss/embedding_queue.hpp>
#include <jessl/loss/teacher.hpp>

namespace jessl::loss {

/// Momentum contrast: each embedding must find the teacher's embedding of another view among those of earlier images.
///
/// Negatives come from a queue, so that a small batch has as many as wanted, and they are consistent since the teacher that
/// made them changes slowly. With q = z / |z| of a view, k+ likewise of the teacher's embedding of another view, and the
/// queue's rows k_j: loss = mean_i ( log( exp(<q_i, k+_i> / t) + sum_j exp(<q_i, k_j> / t) ) - <q_i, k+_i> / t ), the mean over
/// all pairs of a view and another's target, or the first view and the second's target alone. Keys join the queue after
/// the loss was taken: no query meets its own positive among the negatives.
///
/// Shapes     views: V x [N, D], targets: T x [N, D], queue: [queue_size, D] -> []      N images per rank
/// Units      temperature: dimensionless, > 0; queue_size: rows, >= 1
/// Precision  reduced in float32 under autocast; float64 stays
/// Cost       O(N queue_size D) time per view and O(V N D) memory beside the queue: the gradient is known after one pass, in
///            tiles; gathers W N D numbers per target, without gradient
/// Randomness none; the queue starts with random directions
/// Errors     ConfigError for a setting out of range, fewer than two views, too few targets, or tensors of different devices
///            or types; ShapeError for views and targets of different shapes or not [N, D], or a queue of another width
/// Models     jessl::Loss, jessl::TaughtLoss, jessl::StatefulLoss (docs/loss/README.md)
/// Source     He et al., Momentum Contrast for Unsupervised Visual Representation Learning, CVPR 2020, arXiv 1911.05722,
///            equation 1; Chen et al., Improved Baselines with Momentum Contrastive Learning, 2020, arXiv 2003.04297, for
///            the temperature (MoCo v2)
/// Differs    symmetric unless asked otherwise; the authors' loss, of MoCo v2 too, is that of symmetric = false. The mean
///            of the directions, whose keys share one queue. Batches are not shuffled between devices for batch norm
struct MoCo {
  static constexpr std::string_view name = "MoCo";

  double temperature = 0.2;         ///< divides the cosine similarities; dimensionless, > 0
  std::int64_t queue_size = 65536;  ///< keys of earlier images that are the negatives, >= 1
  bool symmetric = true;  ///< every view is query and key; else the first view is the query, the second the key
  Teacher teacher{.momentum = 0.999, .final_momentum = 0.999};  ///< makes the keys

  /// The queue.
  [[nodiscard]] EmbeddingQueue make(std::int64_t width) const;

  template <Communicator<torch::Tensor> Group = SingleProcess>
  [[nodiscard]] torch::Tensor operator()(const std::vector<torch::Tensor>& views,
                                         const std::vector<torch::Tensor>& targets, const EmbeddingQueue& queue,
                                         const Group& group = {}) const {
    check();
    detail::check_views_and_targets(name, views, targets);
    JESSL_CHECK(symmetric || targets.size() >= 2, ConfigError,
                "jessl::loss::MoCo: there is a target of the first view ",
                "alone, expected one of the second, which is the key where symmetric is false");
    const auto rows = detail::rows_of(name, queue, queue_size, views[0]);
    const Autocast full_precision(views[0].device().type(), Precision::float32);
    const auto queries = detail::unit_rows(views), keys = detail::unit_rows(detail::detached(targets));

    const std::size_t query_views = symmetric ? queries.size() : 1;
    const std::size_t first_key = symmetric ? 0 : 1, end_of_keys = symmetric ? keys.size() : 2;
    std::vector<torch::Tensor> values;  // one for each query and key of different views
    for (std::size_t a = 0; a < query_views; ++a) {
      torch::Tensor negatives;  // [N], of view a
      for (std::size_t b = first_key; b < end_of_keys; ++b) {
        if (a == b) continue;
        if (!negatives.defined()) negatives = detail::log_sum_exp_of(queries[a], rows, 1 / temperature);
        values.push_back(detail::info_nce((queries[a] * keys[b]).sum(1) / temperature, negatives));
      }
    }
    for (std::size_t b = first_key; b < end_of_keys; ++b) queue.ptr()->enqueue(detail::gathered(keys[b], group));
    return torch::stack(values).mean();
  }

  /// Queries [N, D] and their keys [N, D] against rows [M, D], M >= 1, of any lengths; only what is a parameter or comes of
  /// one gets a gradient.
  [[nodiscard]] torch::Tensor operator()(const torch::Tensor& query, const torch::Tensor& key,
                                         const torch::Tensor& rows) const;

  /// Which views a trainer is to send through the student, and which through the teacher.
  [[nodiscard]] bool student_sees(std::int64_t view) const { return symmetric || view == 0; }
  [[nodiscard]] bool teacher_sees(std::int64_t view) const { return symmetric || view == 1; }

  /// Checks that the second view has a target where it is the only key.
  void check_batch(const BatchShape& batch) const;

  void check() const;
};
static_assert(Loss<MoCo> && TaughtLoss<MoCo> && StatefulLoss<MoCo>);

}  // namespace jessl::loss

JESSL_OPTIONS(jessl::loss::MoCo, temperature, queue_size, symmetric, teacher);

#if JESSL_DEFINITIONS

namespace jessl::loss {

JESSL_INLINE EmbeddingQueue MoCo::make(std::int64_t width) const {
  check();
  return EmbeddingQueue(queue_size, width);
}

JESSL_INLINE torch::Tensor MoCo::operator()(const torch::Tensor& query, const torch::Tensor& key,
                                            const torch::Tensor& rows) const {
  check();
  detail::check_views(name, {query, key}, 1);
  detail::check_rows(name, rows, query);
  const Autocast full_precision(query.device().type(), Precision::float32);
  const auto unit = detail::unit_rows({query, key, rows});
  return detail::info_nce((unit[0] * unit[1]).sum(1) / temperature,
                          detail::log_sum_exp_of(unit[0], unit[2], 1 / temperature));
}

JESSL_INLINE void MoCo::check_batch(const BatchShape& batch) const {
  JESSL_CHECK(
      symmetric || batch.large_views >= 2, ConfigError,
      "jessl::loss::MoCo: symmetric is false, so that the second view is the key, but the teacher sees views of ",
      "the first one's size alone, and the second has another; set symmetric = true, or let the augmentation ",
      "begin with two large views");
}

JESSL_INLINE void MoCo::check() const {
  jessl::detail::check_setting(temperature > 0, "loss", name, "temperature", temperature, "a finite number > 0");
  jessl::detail::check_setting(queue_size >= 1, "loss", name, "queue_size", static_cast<double>(queue_size),
                               "a whole number >= 1");
  teacher.check(name);
}

}  // namespace jessl::loss

#endif  // JESSL_DEFINITIONS
