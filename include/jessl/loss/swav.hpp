// SPDX-License-Identifier: Apache-2.0
// SwAV: views that predict each other's cluster assignments.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

#include <jessl/core/autocast.hpp>
#include <jessl/core/communicator.hpp>
#include <jessl/core/detail/check_setting.hpp>
#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/shape.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/loss/concept.hpp>
#include <jessl/loss/detail/global_views.hpp>
#include <jessl/loss/detail/prototypes.hpp>
#include <jessl/loss/detail/sinkhorn.hpp>
#include <jessl/loss/detail/views.hpp>
#include <jessl/loss/progress.hpp>

namespace jessl::loss {

/// What SwAV keeps: the prototypes, which are learned, and a queue of earlier embeddings where one is asked for.
///
/// Shapes     prototypes: [K, D]; queue: [global views, queue_size, D], the latest first; queued: [], images in it
/// Errors     none
/// Models     none; it is the module that jessl::StatefulLoss asks for
/// Source     none
class SwAVStateImpl : public torch::nn::Cloneable<SwAVStateImpl> {
 public:
  SwAVStateImpl(std::int64_t width, std::int64_t count, std::int64_t global_views, std::int64_t queue_size);

  JESSL_INLINE void reset() override;

  /// Prototypes uniform in +-1/sqrt(D), then of length 1; nothing in the queue.
  void initialise(std::uint64_t seed);

  void set_progress(const Progress& progress) { epoch_ = progress.epoch; }

  /// The epochs that have passed; a state that was never told is past all that happens at the beginning.
  [[nodiscard]] double epoch() const { return epoch_; }

  torch::Tensor prototypes, queue, queued;

 private:
  std::int64_t width_, count_, global_views_, queue_size_;
  double epoch_ = std::numeric_limits<double>::infinity();
};
TORCH_MODULE(SwAVState);

/// Each view predicts the cluster assignments of the others, which are made to use all prototypes alike.
///
/// It needs no large batch and no teacher, and gains from many small views (multi-crop). With y = z / |z|, prototypes c of
/// length 1 and s_ik = <y_i, c_k>: q = Sinkhorn-Knopp(s / epsilon) over the batch of all ranks, without a gradient, for each of the
/// first `global_views` views; loss = the mean over views i among these and v != i, and over images, of
/// -sum_k q_ik log softmax_k(s_vk / temperature). A batch of fewer images than prototypes takes assignments of earlier
/// images from a queue to help: with `queue_size`, that many of the latest embeddings take part in Sinkhorn-Knopp.
///
/// Shapes     views: V x [N, D], the first global_views of them global; state: make(D) -> []    N images per rank
/// Units      temperature, epsilon: dimensionless, > 0; freeze_epochs, queue_epoch: epochs; queue_size: images of all ranks
/// Precision  reduced in float32 under autocast; float64 stays
/// Cost       O((V N + queue_size / W) K D) time; O((N + queue_size / W) K) memory, and O(K D + queue_size D) for the state;
///            reduces K numbers per global view and iteration, and gathers W N D per global view for the queue
/// Randomness initialise(seed) draws the prototypes
/// Errors     ConfigError for a setting out of range, fewer than two or than global_views views, views of different devices
///            or types, or a state of other settings or elsewhere; ShapeError for views of different shapes, not [N, D], or of
///            another width than the state's
/// Models     jessl::Loss, jessl::StatefulLoss (docs/loss/README.md)
/// Source     Caron et al., Unsupervised Learning of Visual Features by Contrasting Cluster Assignments, NeurIPS 2020,
///            arXiv 2006.09882, section 3
/// Differs    prototypes are normalised in the call, with the gradient of that, where the authors' code normalises the weights
///            before each step. So their length is free: weight decay shortens it, gradients lengthen it, and a step of SGD or
///            AdamW turns short ones further, as in any weight-normalised layer; LARS's steps go with the length. The queue is one
///            of all ranks and need not be a multiple of the batch
struct SwAV {
  static constexpr std::string_view name = "SwAV";

  double temperature = 0.1;        ///< of the predictions; dimensionless, > 0
  double epsilon = 0.05;           ///< of the assignments, which are the softer the larger it is; dimensionless, > 0
  std::int64_t iterations = 3;     ///< of Sinkhorn-Knopp, >= 1
  std::int64_t prototypes = 3000;  ///< clusters, >= 2
  std::int64_t global_views = 2;   ///< the first so many views are assigned, >= 1
  double freeze_epochs = 1.0;      ///< for so long the prototypes stay as they are, >= 0
  std::int64_t queue_size = 0;     ///< earlier images that take part in the assignment, >= 0; 3840 for a batch of 256
  double queue_epoch = 15.0;       ///< when the queue begins to fill; it is used once it is full; >= 0

  /// The state for embeddings of that width.
  [[nodiscard]] SwAVState make(std::int64_t width) const;

  template <Communicator<torch::Tensor> Group = SingleProcess>
  [[nodiscard]] torch::Tensor operator()(const std::vector<torch::Tensor>& views, const SwAVState& state,
                                         const Group& group = {}) const {
    check();
    detail::check_views(name, views, 1);
    detail::check_global_views(name, global_views, views.size());
    detail::check_prototypes(name, state, prototypes, views[0]);
    const Shape queue = state->queue.defined() ? shape_of(state->queue) : Shape();
    JESSL_CHECK(queue == queue_shape(views[0].size(1)), ConfigError, "jessl::loss::SwAV: the state's queue is ", queue,
                ", expected ", queue_shape(views[0].size(1)),
                " as in the settings; let make() of this loss make the state");
    const Autocast full_precision(views[0].device().type(), Precision::float32);

    const std::vector<torch::Tensor> unit = detail::unit_rows(views);  // V x [N, D]
    const bool frozen = state->epoch() < freeze_epochs;
    const auto learned = frozen ? state->prototypes.detach() : state->prototypes;
    const auto directions = detail::unit_rows(learned.to(unit[0].scalar_type()));  // [K, D]
    std::vector<torch::Tensor> assignments;                                        // global_views x [N, K]
    for (std::int64_t i = 0; i < global_views; ++i) {
      assignments.push_back(assign(unit[static_cast<std::size_t>(i)], directions, i, state, group));
    }
    const auto value = detail::prototype_cross_entropy(torch::stack(unit), directions, assignments, temperature);
    if (uses_queue(state)) enqueue(unit, state, group);
    return value;
  }

  template <Communicator<torch::Tensor> Group = SingleProcess>
  [[nodiscard]] torch::Tensor operator()(const torch::Tensor& z1, const torch::Tensor& z2, const SwAVState& state,
                                         const Group& group = {}) const {
    return (*this)({z1, z2}, state, group);
  }

  /// Checks that the views that are assigned are large ones.
  /// Also that prototypes learn, and that the queue is used, within the run.
  void check_batch(const BatchShape& batch) const;

  void check() const;

 private:
  /// The shape of the queue of these settings; [] for none.
  [[nodiscard]] Shape queue_shape(std::int64_t width) const {
    return queue_size > 0 ? Shape(std::vector<std::int64_t>{global_views, queue_size, width}) : Shape();
  }

  [[nodiscard]] bool uses_queue(const SwAVState& state) const {
    return queue_size > 0 && state->epoch() >= queue_epoch;
  }

  /// The assignments [N, K] of global view `view`, given the directions [N, D] of its images and [K, D] of the prototypes.
  template <class Group>
  [[nodiscard]] torch::Tensor assign(const torch::Tensor& images, const torch::Tensor& directions, std::int64_t view,
                                     const SwAVState& state, const Group& group) const {
    const torch::NoGradGuard no_gradient;
    auto rows = images;  // [N, D], and then some of the queue
    auto counts = torch::ones({images.size(0)}, images.options().requires_grad(false));
    if (uses_queue(state)) {
      // Each rank takes its share of the queue. Before it is full its rows don't count; whether it is stays on the device.
      const auto first = queue_size * group.rank() / group.size();
      const auto share = queue_size * (group.rank() + 1) / group.size() - first;
      rows = torch::cat({images, state->queue.select(0, view).narrow(0, first, share).to(images.scalar_type())});
      counts = torch::cat({counts, (state->queued >= queue_size).to(images.scalar_type()).expand({share})});
    }
    return detail::sinkhorn(rows.mm(directions.t()).div_(epsilon), 1 / epsilon, counts, iterations, images.size(0),
                            group);
  }

  /// Puts the embeddings of all ranks first in the queue; the last ones fall out.
  template <class Group>
  void enqueue(const std::vector<torch::Tensor>& unit, const SwAVState& state, const Group& group) const {
    const torch::NoGradGuard no_gradient;
    for (std::int64_t i = 0; i < global_views; ++i) {
      auto kept = state->queue.select(0, i);  // [queue_size, D]
      const auto all = detail::gathered(unit[static_cast<std::size_t>(i)].detach(), group);
      kept.copy_(torch::cat({all.to(kept.scalar_type()), kept}).narrow(0, 0, queue_size));
    }
    state->queued.add_(group.size() * unit[0].size(0)).clamp_max_(queue_size);
  }
};
static_assert(StatefulLoss<SwAV> && Loss<SwAV>);

}  // namespace jessl::loss

JESSL_OPTIONS(jessl::loss::SwAV, temperature, epsilon, iterations, prototypes, global_views, freeze_epochs, queue_size,
              queue_epoch);

#if JESSL_DEFINITIONS

namespace jessl::loss {

JESSL_INLINE SwAVStateImpl::SwAVStateImpl(std::int64_t width, std::int64_t count, std::int64_t global_views,
                                          std::int64_t queue_size)
    : width_(width), count_(count), global_views_(global_views), queue_size_(queue_size) {
  reset();
}

JESSL_INLINE void SwAVStateImpl::initialise(std::uint64_t seed) {
  const torch::NoGradGuard no_gradient;
  detail::draw_prototypes(prototypes, seed);
  prototypes.copy_(detail::unit_rows(prototypes));
  if (queue_size_ > 0) {
    queue.zero_();
    queued.zero_();
  }
}

JESSL_INLINE void SwAVStateImpl::reset() {
  prototypes = register_parameter("prototypes", torch::empty({count_, width_}));
  if (queue_size_ > 0) {
    queue = register_buffer("queue", torch::empty({global_views_, queue_size_, width_}));
    queued = register_buffer("queued", torch::empty({}, torch::kInt64));
  }
  initialise(0);
}

JESSL_INLINE SwAVState SwAV::make(std::int64_t width) const {
  check();
  JESSL_CHECK(width >= 1, ConfigError, "jessl::loss::SwAV.make: width is ", width, ", expected >= 1");
  return SwAVState(width, prototypes, global_views, queue_size);
}

JESSL_INLINE void SwAV::check_batch(const BatchShape& batch) const {
  detail::check_global_views(name, global_views, batch);
  detail::check_frozen(name, freeze_epochs, batch);
  JESSL_CHECK(queue_size == 0 || batch.epochs == 0 || queue_epoch <= batch.last_epoch, ConfigError,
              "jessl::loss::SwAV: queue_epoch is ", queue_epoch, " and the run has ", batch.epochs,
              " epochs, so that the queue would never be used; set queue_epoch below that, or queue_size = 0");
}

JESSL_INLINE void SwAV::check() const {
  const auto require = [](bool in_range, std::string_view setting, auto value, std::string_view range) {
    jessl::detail::check_setting(in_range, "loss", name, setting, static_cast<double>(value), range);
  };
  require(temperature > 0, "temperature", temperature, "a finite number > 0");
  require(epsilon > 0, "epsilon", epsilon, "a finite number > 0");
  require(iterations >= 1, "iterations", iterations, "an integer >= 1");
  require(prototypes >= 2, "prototypes", prototypes, "an integer >= 2");
  require(global_views >= 1, "global_views", global_views, "an integer >= 1");
  require(freeze_epochs >= 0, "freeze_epochs", freeze_epochs, "a finite number >= 0");
  require(queue_size >= 0, "queue_size", queue_size, "an integer >= 0");
  require(queue_epoch >= 0, "queue_epoch", queue_epoch, "a finite number >= 0");
}

}  // namespace jessl::loss

#endif  // JESSL_DEFINITIONS
