// SPDX-License-Identifier: Apache-2.0
// ReSSL: relations between images that do not depend on the augmentation.
#pragma once

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
#include <jessl/loss/detail/attend.hpp>
#include <jessl/loss/detail/targets.hpp>
#include <jessl/loss/detail/views.hpp>
#include <jessl/loss/embedding_queue.hpp>
#include <jessl/loss/teacher.hpp>

namespace jessl::loss {

/// Relational self-supervised learning: a view must be as similar to each earlier image as the teacher says of another view.
///
/// No image is pushed away: which ones are alike is the teacher's to say, who sees a weakly augmented view. With q = z / |z| of
/// a student's view, k likewise of the teacher's, and the queue's rows r_j:
/// loss = - mean_i sum_j softmax_j(<k_i, r_j> / t_teacher) log softmax_j(<q_i, r_j> / t), the mean over the student's views.
/// The first view is the teacher's alone and should be augmented weakly (crop and flip); all others are the student's. Then
/// the teacher's embeddings join the queue.
///
/// Shapes     views: V x [N, D], targets: T x [N, D], queue: [queue_size, D] -> []      N images per rank
/// Units      temperature, teacher_temperature: dimensionless, > 0; queue_size: rows, >= 1
/// Precision  reduced in float32 under autocast; float64 stays
/// Cost       O(N queue_size D) time per view and O(V N D) memory beside the queue: the target's part is one with the
///            weighted mean of the rows, and the gradient is known after one pass, in tiles; gathers W N D numbers, without gradient
/// Randomness none; the queue starts with random directions
/// Errors     ConfigError for a setting out of range, fewer than two views, no targets, or tensors of different devices or
///            types; ShapeError for views and targets of different shapes or not [N, D], or a queue of another width
/// Models     jessl::Loss, jessl::TaughtLoss, jessl::StatefulLoss (docs/loss/README.md)
/// Source     Zheng et al., ReSSL: Relational Self-Supervised Learning with Weak Augmentation, NeurIPS 2021,
///            arXiv 2107.09282; queue, momentum and the order of views: the authors' code
/// Differs    rows are of unit length; in solo-learn the second view is the weak one
struct ReSSL {
  static constexpr std::string_view name = "ReSSL";

  double temperature = 0.1;           ///< divides the student's cosine similarities; dimensionless, > 0
  double teacher_temperature = 0.04;  ///< divides the teacher's, lower to be sharper; dimensionless, > 0
  std::int64_t queue_size = 131072;   ///< embeddings of earlier images to which relations are looked at, >= 1
  Teacher teacher{.momentum = 0.999, .final_momentum = 0.999};  ///< says which images are alike

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
    const auto queries = detail::unit_rows({views.begin() + 1, views.end()});  // V-1 x [N, D]
    const auto weak = detail::unit_rows(detail::detached(targets)).front();    // [N, D]

    // sum_j p_j <q, r_j> is the inner product of q and the mean of the rows under the teacher's softmax p.
    const auto related = detail::attend(weak, rows, 1 / teacher_temperature).mean;  // [N, D]
    const auto student = torch::cat(queries);                                       // [(V-1)*N, D]
    const auto agreement = (torch::stack(queries) * related).sum(2) / temperature;  // [V-1, N]
    const auto value = detail::log_sum_exp_of(student, rows, 1 / temperature).mean() - agreement.mean();
    queue.ptr()->enqueue(detail::gathered(weak, group));
    return value;
  }

  /// Which views a trainer is to send through the student, and which through the teacher.
  [[nodiscard]] static bool student_sees(std::int64_t view) { return view != 0; }
  [[nodiscard]] static bool teacher_sees(std::int64_t view) { return view == 0; }

  void check() const;
};
static_assert(Loss<ReSSL> && TaughtLoss<ReSSL> && StatefulLoss<ReSSL>);

}  // namespace jessl::loss

JESSL_OPTIONS(jessl::loss::ReSSL, temperature, teacher_temperature, queue_size, teacher);

#if JESSL_DEFINITIONS

namespace jessl::loss {

JESSL_INLINE EmbeddingQueue ReSSL::make(std::int64_t width) const {
  check();
  return EmbeddingQueue(queue_size, width);
}

JESSL_INLINE void ReSSL::check() const {
  jessl::detail::check_setting(temperature > 0, "loss", name, "temperature", temperature, "a finite number > 0");
  jessl::detail::check_setting(teacher_temperature > 0, "loss", name, "teacher_temperature", teacher_temperature,
                               "a finite number > 0");
  jessl::detail::check_setting(queue_size >= 1, "loss", name, "queue_size", static_cast<double>(queue_size),
                               "a whole number >= 1");
  teacher.check(name);
}

}  // namespace jessl::loss

#endif  // JESSL_DEFINITIONS
