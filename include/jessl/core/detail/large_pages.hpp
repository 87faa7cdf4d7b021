// SPDX-License-Identifier: Apache-2.0
// Memory that is read here and there: in pages of 2 MB, where the system has them.
#pragma once

#include <cstddef>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace jessl::detail {

/// An allocator for standard containers. Rows of a large matrix that are read in no order cost a walk through the page table
/// each with pages of 4 KB, which takes longer than the row; Linux gives larger ones to those that ask.
template <class T>
struct LargePages {
  using value_type = T;

  LargePages() = default;
  template <class U>
  LargePages(const LargePages<U>& /*other*/) {}  // NOLINT(google-explicit-constructor): allocators convert

  [[nodiscard]] T* allocate(std::size_t count) {
    const std::size_t bytes = count * sizeof(T);
    void* const memory = ::operator new (bytes, std::align_val_t{alignment(count)});
#if defined(__linux__)
    if (bytes >= page) static_cast<void>(::madvise(memory, bytes, MADV_HUGEPAGE));
#endif
    return static_cast<T*>(memory);
  }

  void deallocate(T* memory, std::size_t count) { ::operator delete (memory, std::align_val_t{alignment(count)}); }

  friend bool operator==(const LargePages& /*a*/, const LargePages& /*b*/) { return true; }

 private:
  static constexpr std::size_t page = std::size_t{2} << 20U;

  static constexpr std::size_t alignment(std::size_t count) { return count * sizeof(T) < page ? 64 : page; }
};

}  // namespace jessl::detail
