// SPDX-License-Identifier: Apache-2.0
// How much memory tensors take at most while something runs.
#pragma once

#include <atomic>
#include <cstddef>

#include <c10/core/CPUAllocator.h>

namespace jessl::test {

/// Stands in for LibTorch's CPU allocator while it lives, one at a time, and counts the bytes of living tensors.
class PeakMemory {
 public:
  PeakMemory() : previous_(c10::GetCPUAllocator()) {
    counter().inner = previous_;
    counter().live = 0;
    counter().peak = 0;
    c10::SetCPUAllocator(&counter());
  }
  PeakMemory(const PeakMemory&) = delete;
  PeakMemory& operator=(const PeakMemory&) = delete;
  ~PeakMemory() { c10::SetCPUAllocator(previous_); }

  /// The most bytes at once since the beginning, beyond what there was.
  [[nodiscard]] static std::ptrdiff_t bytes() { return counter().peak; }

 private:
  struct Block {
    c10::DataPtr memory;
    std::ptrdiff_t bytes;
  };

  struct Counter final : c10::Allocator {
    c10::Allocator* inner = nullptr;
    std::atomic<std::ptrdiff_t> live{0}, peak{0};

    c10::DataPtr allocate(std::size_t size) override {
      const auto bytes = static_cast<std::ptrdiff_t>(size);
      const std::ptrdiff_t now = live += bytes;
      std::ptrdiff_t before = peak;
      while (before < now && !peak.compare_exchange_weak(before, now)) {
      }
      auto* const block = new Block{inner->allocate(size), bytes};
      return {block->memory.get(), block, &release, c10::DeviceType::CPU};
    }
    void copy_data(void* to, const void* from, std::size_t size) const override { default_copy_data(to, from, size); }
    static void release(void* context) {
      auto* const block = static_cast<Block*>(context);
      counter().live -= block->bytes;
      delete block;
    }
  };

  // Never destroyed: tensors that outlive the count still release their memory through it.
  static Counter& counter() {
    static auto* const one = new Counter;
    return *one;
  }

  c10::Allocator* previous_;
};

}  // namespace jessl::test
