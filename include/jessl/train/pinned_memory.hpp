// SPDX-License-Identifier: Apache-2.0
// Page-locked memory for batches that go to a GPU.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory_resource>
#include <mutex>
#include <utility>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/tensor.hpp>

namespace jessl::train {

/// Page-locked memory from LibTorch's allocator, for data::Loader: copies from it to a GPU don't hold up the caller, and
/// run at the full rate of the bus.
///
///     train::PinnedMemory pinned;
///     data::Loader loader{dataset, maker, {.batch_size = 256}, data::order::Shuffled{}, &pinned};
///
/// Must outlive the loader and its batches. Several threads may use it.
///
/// Shapes     none
/// Cost       LibTorch takes the next power of two of each size, and keeps what is given back for whoever asks next
/// Errors     ConfigError where no memory can be locked: there is no GPU, or the system's limit is reached
/// Models     std::pmr::memory_resource
/// Source     none
class PinnedMemory : public std::pmr::memory_resource {
 private:
  void* do_allocate(std::size_t bytes, std::size_t /*alignment*/) override;

  void do_deallocate(void* memory, std::size_t, std::size_t) override;

  [[nodiscard]] bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
    return this == &other;
  }

  std::mutex mutex_{};
  std::map<void*, torch::Tensor> blocks_{};
};

}  // namespace jessl::train

#if JESSL_DEFINITIONS

namespace jessl::train {

JESSL_INLINE void* PinnedMemory::do_allocate(std::size_t bytes, std::size_t /*alignment*/) {  // whole pages
  torch::Tensor block;
  try {
    // A byte at least, so that each block has a place of its own.
    block = torch::empty({static_cast<std::int64_t>(std::max(bytes, std::size_t{1}))},
                         torch::dtype(torch::kByte).pinned_memory(true));
  } catch (const c10::Error& error) {
    fail<ConfigError>("jessl::train::PinnedMemory: ", bytes,
                      " bytes cannot be locked: ", error.what_without_backtrace());
  }
  const std::lock_guard lock(mutex_);
  void* const memory = block.data_ptr();
  blocks_.emplace(memory, std::move(block));
  return memory;
}

JESSL_INLINE void PinnedMemory::do_deallocate(void* memory, std::size_t, std::size_t) {
  const std::lock_guard lock(mutex_);
  blocks_.erase(memory);
}

}  // namespace jessl::train

#endif  // JESSL_DEFINITIONS
