// SPDX-License-Identifier: Apache-2.0
// The memory of batches: slots that go from the loader to whoever holds a batch, and back.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <new>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <jessl/core/shape.hpp>

namespace jessl::data::detail {

/// Memory for one view of a whole batch. It starts on a cache line, as vector units and LibTorch's kernels like it.
class AlignedFloats {
 public:
  explicit AlignedFloats(std::size_t count)
      : values_(static_cast<float*>(::operator new[](count * sizeof(float), alignment))), count_(count) {}
  [[nodiscard]] std::span<float> first(std::size_t count) const {
    return std::span(values_.get(), count_).first(count);
  }

 private:
  static constexpr std::align_val_t alignment{64};
  struct Free {
    void operator()(float* values) const { ::operator delete[](values, alignment); }
  };
  std::unique_ptr<float[], Free> values_;
  std::size_t count_;
};

/// The memory of one batch, and how far the work on it has come.
struct Slot {
  std::vector<AlignedFloats> memory{};    // one a view
  std::vector<std::span<float>> views{};  // the part of it that the batch fills
  std::vector<ViewShape> shapes{};        // of the views in the batch's epoch
  std::vector<AlignedFloats> parameter_memory{};
  std::vector<std::span<float>> parameters{};
  std::vector<std::int64_t> indices{};
  std::vector<std::int64_t> labels{};
  std::int64_t epoch = 0;
  std::int64_t number = 0;
  std::int64_t chunks = 0;       // pieces of work in this batch
  std::int64_t next_chunk = 0;   // the first that nobody has taken
  std::int64_t unfinished = 0;   // those that are not done
  std::exception_ptr failure{};  // of the first chunk that failed, by position
  std::int64_t failed_chunk = 0;
};

/// The slots of a loader. Batches share its ownership, so that a batch may outlive the loader.
class Ring {
 public:
  Ring(std::int64_t slots, std::int64_t batch_size, std::vector<ViewShape> shapes,
       std::vector<std::vector<std::string>> parameters)
      : batch_size_(batch_size), shapes_(std::move(shapes)), parameters_(std::move(parameters)) {
    for (std::int64_t i = 0; i < slots; ++i) free_.push_back(make());
  }

  /// A slot that nobody uses, if there is one. Call with the mutex held.
  [[nodiscard]] std::unique_ptr<Slot> take() {
    if (free_.empty()) return nullptr;
    std::unique_ptr<Slot> slot = std::move(free_.back());
    free_.pop_back();
    return slot;
  }

  /// Sees to it that there is a slot that nobody uses: where the caller keeps all of them as batches, a further one is
  /// made, because nothing would ever be ready otherwise. Call with the mutex held.
  void provide() {
    if (free_.empty()) free_.push_back(make());
  }

  /// Call with the mutex held.
  void give_back(std::unique_ptr<Slot> slot) {
    slot->failure = nullptr;
    free_.push_back(std::move(slot));  // within the capacity that make() reserved
    work.notify_one();
  }

  /// The largest that each view has in any epoch.
  [[nodiscard]] const std::vector<ViewShape>& shapes() const { return shapes_; }
  [[nodiscard]] const std::vector<std::vector<std::string>>& parameters() const { return parameters_; }

  std::mutex mutex;
  std::condition_variable work;      // there is something to do for a worker
  std::condition_variable progress;  // a batch is ready, or a worker stopped

 private:
  [[nodiscard]] std::unique_ptr<Slot> make() {
    auto slot = std::make_unique<Slot>();
    for (const ViewShape& shape : shapes_)
      slot->memory.emplace_back(static_cast<std::size_t>(batch_size_ * shape.count()));
    slot->views.resize(shapes_.size());
    slot->shapes = shapes_;
    for (const auto& names : parameters_)
      slot->parameter_memory.emplace_back(static_cast<std::size_t>(batch_size_) * names.size());
    slot->parameters.resize(parameters_.size());
    slot->indices.reserve(static_cast<std::size_t>(batch_size_));
    slot->labels.reserve(static_cast<std::size_t>(batch_size_));
    free_.reserve(++made_);
    return slot;
  }

  std::int64_t batch_size_;
  std::vector<ViewShape> shapes_;
  std::vector<std::vector<std::string>> parameters_;  // their names, of each view; no view where nobody asked
  std::size_t made_ = 0;
  std::vector<std::unique_ptr<Slot>> free_;
};

}  // namespace jessl::data::detail
