// SPDX-License-Identifier: Apache-2.0
// The memory of batches: slots that go from the loader to whoever holds a batch, and back.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <memory_resource>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/element.hpp>
#include <jessl/core/shape.hpp>

namespace jessl::data::detail {

/// Memory for one view of a whole batch. It starts on a cache line, as vector units and LibTorch's kernels like it.
class AlignedBytes {
 public:
  AlignedBytes(std::pmr::memory_resource* memory, std::size_t size)
      : bytes_(static_cast<std::byte*>(memory->allocate(size, alignment)), Free{memory, size}) {}
  [[nodiscard]] std::span<std::byte> first(std::size_t size) const {
    return std::span(bytes_.get(), bytes_.get_deleter().size).first(size);
  }

 private:
  static constexpr std::size_t alignment = 64;
  struct Free {
    std::pmr::memory_resource* memory;
    std::size_t size;
    void operator()(std::byte* bytes) const { memory->deallocate(bytes, size, alignment); }
  };
  std::unique_ptr<std::byte[], Free> bytes_;
};

/// Bytes as the values that they are.
template <class T>
[[nodiscard]] std::span<T> values_of(std::span<std::byte> bytes) {
  return {reinterpret_cast<T*>(bytes.data()), bytes.size() / sizeof(T)};
}

/// The memory of one batch, and how far the work on it has come.
struct Slot {
  std::vector<AlignedBytes> memory{};         // one a view
  std::vector<std::span<std::byte>> bytes{};  // the part of it that the batch fills
  std::vector<std::span<float>> views{};      // the same as values, where they are float32
  std::vector<ViewShape> shapes{};            // of the views in the batch's epoch
  std::vector<AlignedBytes> parameter_memory{};
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

/// What all batches of a loader have in common.
struct BatchFormat {
  std::int64_t rows = 0;                               // images, at most
  std::vector<ViewShape> shapes{};                     // the largest that each view has in any epoch
  std::vector<std::vector<std::string>> parameters{};  // their names, of each view; no view where nobody asked
  Element element = Element::float32;
  Layout layout = Layout::channels_first;
};

/// The slots of a loader. Batches share its ownership, so that a batch may outlive the loader.
class Ring {
 public:
  Ring(std::int64_t slots, BatchFormat format, std::pmr::memory_resource* memory);

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

  [[nodiscard]] const BatchFormat& format() const { return format_; }

  std::mutex mutex;
  std::condition_variable work;      // there is something to do for a worker
  std::condition_variable progress;  // a batch is ready, or a worker stopped

 private:
  [[nodiscard]] std::unique_ptr<Slot> make();

  BatchFormat format_;
  std::pmr::memory_resource* memory_;
  std::size_t made_ = 0;
  std::vector<std::unique_ptr<Slot>> free_;
};

}  // namespace jessl::data::detail

#if JESSL_DEFINITIONS

namespace jessl::data::detail {

JESSL_INLINE Ring::Ring(std::int64_t slots, BatchFormat format, std::pmr::memory_resource* memory)
    : format_(std::move(format)), memory_(memory) {
  for (std::int64_t i = 0; i < slots; ++i) free_.push_back(make());
}

JESSL_INLINE std::unique_ptr<Slot> Ring::make() {
  auto slot = std::make_unique<Slot>();
  const auto rows = static_cast<std::size_t>(format_.rows);
  for (const ViewShape& shape : format_.shapes)
    slot->memory.emplace_back(memory_, rows * static_cast<std::size_t>(shape.count()) * size_of(format_.element));
  slot->bytes.resize(format_.shapes.size());
  slot->views.resize(format_.shapes.size());
  slot->shapes = format_.shapes;
  for (const auto& names : format_.parameters)
    slot->parameter_memory.emplace_back(memory_, rows * names.size() * sizeof(float));
  slot->parameters.resize(format_.parameters.size());
  slot->indices.reserve(rows);
  slot->labels.reserve(rows);
  free_.reserve(++made_);
  return slot;
}

}  // namespace jessl::data::detail

#endif  // JESSL_DEFINITIONS
