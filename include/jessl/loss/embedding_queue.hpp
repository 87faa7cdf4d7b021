// SPDX-License-Identifier: Apache-2.0
// A queue of embeddings: what losses keep of earlier steps.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/loss/detail/state.hpp>
#include <jessl/loss/detail/views.hpp>

namespace jessl::loss {

/// The last `size` embeddings that were put in, the state of losses that compare with earlier steps.
///
/// It starts full, with random directions, as MoCo's, NNCLR's and ReSSL's do: so the loss is the same function from the first
/// step on, and nothing about a step depends on how many there were.
///
/// Shapes     rows: [size, D], position: []
/// Units      none
/// Precision  float32, unless the module is converted
/// Cost       size D numbers; nothing waits for a device
/// Randomness the directions are a function of the seed given to initialise()
/// Errors     ConfigError for a size or a width below 1; ShapeError from enqueue() for rows of another width
/// Models     none; it is the module that jessl::StatefulLoss asks for
/// Source     He et al., MoCo, CVPR 2020, arXiv 1911.05722, section 3.2
/// Differs    a batch need not divide the size
class EmbeddingQueueImpl : public torch::nn::Cloneable<EmbeddingQueueImpl> {
  using Replaced = std::vector<std::pair<torch::Tensor, torch::Tensor>>;  // places [M] and what stood there [M, D]

 public:
  EmbeddingQueueImpl(std::int64_t size, std::int64_t width);

  JESSL_INLINE void reset() override;

  /// Random directions, and the first row is the next to go.
  void initialise(std::uint64_t seed);

  /// Puts rows [M, D] in the place of the oldest; of more than there is room for, the last ones stay.
  void enqueue(const torch::Tensor& newest);

  /// The queue as it was, to put back: only the rows that enqueue() replaces while this lives are copied. It lives no longer
  /// than the queue, and one at a time: a later one takes over the rows.
  class Kept {
   public:
    explicit Kept(EmbeddingQueueImpl& queue);
    Kept(const Kept&) = delete;
    Kept& operator=(const Kept&) = delete;

    void put_back();

   private:
    EmbeddingQueueImpl& queue_;
    torch::Tensor position_;
    std::shared_ptr<Replaced> replaced_ = std::make_shared<Replaced>();
  };

  [[nodiscard]] Kept keep() { return Kept(*this); }

  torch::Tensor rows;      ///< [size, D]: as they were put in, in no particular order
  torch::Tensor position;  ///< []: int64, the row that is replaced next

 private:
  std::int64_t size_, width_;
  std::weak_ptr<Replaced> replaced_;  // of the last Kept, while it lives
};
TORCH_MODULE(EmbeddingQueue);

namespace detail {

/// The queue's rows, checked to be `size` and comparable with a view [N, D], in the type that the loss is computed in.
[[nodiscard]] torch::Tensor rows_of(std::string_view loss, const EmbeddingQueue& queue, std::int64_t size,
                                    const torch::Tensor& view);

}  // namespace detail

}  // namespace jessl::loss

#if JESSL_DEFINITIONS

namespace jessl::loss {

JESSL_INLINE EmbeddingQueueImpl::EmbeddingQueueImpl(std::int64_t size, std::int64_t width)
    : size_(size), width_(width) {
  JESSL_CHECK(size >= 1, ConfigError, "jessl::loss::EmbeddingQueue: size is ", size, ", expected >= 1");
  JESSL_CHECK(width >= 1, ConfigError, "jessl::loss::EmbeddingQueue: the width of embeddings is ", width,
              ", expected >= 1");
  reset();
}

JESSL_INLINE void EmbeddingQueueImpl::initialise(std::uint64_t seed) {
  const torch::NoGradGuard no_gradient;
  const auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  // Drawn on the CPU, so that device and type of the queue change nothing.
  rows.copy_(detail::unit_rows(torch::empty({size_, width_}, torch::kFloat32).normal_(0.0, 1.0, generator)));
  position.zero_();
}

JESSL_INLINE void EmbeddingQueueImpl::enqueue(const torch::Tensor& newest) {
  JESSL_CHECK(newest.dim() == 2 && newest.size(1) == width_, ShapeError,
              "jessl::loss::EmbeddingQueue.enqueue: the rows are ", shape_of(newest), ", expected [M, ", width_, ']');
  const torch::NoGradGuard no_gradient;
  const auto count = newest.size(0), kept = std::min(count, size_);
  // The position stays on its device: reading it would wait for all that came before. It is int64 unless somebody
  // converted the module to another type, which takes all buffers along.
  const auto begin = position.to(torch::kInt64);
  const auto places = (torch::arange(count - kept, count, begin.options()) + begin).remainder(size_);
  if (const auto replaced = replaced_.lock()) replaced->emplace_back(places, rows.index_select(0, places));
  rows.index_copy_(0, places, newest.detach().narrow(0, count - kept, kept).to(rows.options()));
  position.copy_((begin + count).remainder(size_));
}

JESSL_INLINE EmbeddingQueueImpl::Kept::Kept(EmbeddingQueueImpl& queue)
    : queue_(queue), position_(queue.position.clone()) {
  queue.replaced_ = replaced_;
}

JESSL_INLINE void EmbeddingQueueImpl::Kept::put_back() {
  const torch::NoGradGuard no_gradient;
  for (; !replaced_->empty(); replaced_->pop_back()) {  // the last first: a row may have been replaced twice
    const auto& [places, before] = replaced_->back();
    queue_.rows.index_copy_(0, places, before);
  }
  queue_.position.copy_(position_);
}

JESSL_INLINE void EmbeddingQueueImpl::reset() {
  rows = register_buffer("rows", torch::empty({size_, width_}));
  position = register_buffer("position", torch::zeros({}, torch::kInt64));
  replaced_.reset();  // whoever keeps the rows of a queue does not keep its clone's
  initialise(0);
}

namespace detail {

JESSL_INLINE torch::Tensor rows_of(std::string_view loss, const EmbeddingQueue& queue, std::int64_t size,
                                   const torch::Tensor& view) {
  check_state(loss, queue, view);
  JESSL_CHECK(queue->rows.size(0) == size, ConfigError, "jessl::loss::", loss, ": the queue has ", queue->rows.size(0),
              " rows, expected ", size, " as in the settings; let make() of this loss make the queue");
  JESSL_CHECK(queue->rows.size(1) == view.size(1), ShapeError, "jessl::loss::", loss, ": the queue is ",
              shape_of(queue->rows), ", expected rows of D = ", view.size(1), " as views[0]");
  return queue->rows.to(view.scalar_type() == torch::kFloat64 ? torch::kFloat64 : torch::kFloat32);
}

}  // namespace detail

}  // namespace jessl::loss

#endif  // JESSL_DEFINITIONS
