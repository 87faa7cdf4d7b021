// SPDX-License-Identifier: Apache-2.0
// The bytes of a file by their place: mapped, held in memory, or read when they are asked for.
#pragma once

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/storage.hpp>

namespace jessl::detail {

/// A file descriptor that is closed with its owner.
class Descriptor {
 public:
  explicit Descriptor(int descriptor) : descriptor_(descriptor) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { close(); }

  [[nodiscard]] int get() const { return descriptor_; }
  void close() {
    if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
  }

 private:
  int descriptor_;
};

/// A file whose bytes can be had by their place. Safe to read from several threads.
///
/// Its size is that at opening. If it becomes shorter, the system ends a program (SIGBUS) that touches what is gone of a
/// mapped file; a file in memory does not notice, and reading one is an error.
///
/// Errors     DataError when it cannot be opened, mapped, held or read, is no regular file, or became shorter
class StoredFile {
 public:
  StoredFile(std::string path, Storage storage, std::string_view who);
  StoredFile(const StoredFile&) = delete;
  StoredFile& operator=(const StoredFile&) = delete;
  ~StoredFile() {
    if (mapped_ != nullptr) ::munmap(mapped_, static_cast<std::size_t>(size_));
  }

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::uint64_t size() const { return size_; }

  /// Whether the bytes are in memory for as long as this object lives, so that read() leaves its storage alone.
  [[nodiscard]] bool held() const { return descriptor_.get() < 0; }

  /// The `size` bytes from `offset` on, which must lie in the file; in `storage` where they are not held.
  [[nodiscard]] std::span<const std::byte> read(std::uint64_t offset, std::uint64_t size,
                                                std::vector<std::byte>& storage) const;

  /// Has the system read the `size` bytes from `offset` on, without waiting for them; what is not in the file is passed
  /// over. It is advice, which a system may not take: nothing depends on it.
  ///
  /// From the first call on the system reads of a mapped file what prefetch() and read() name, and no longer what lies
  /// around a byte that is touched. Where memory is short, that would drive out what was read ahead, and be read for a
  /// few bytes of it. As a consequence the system gives up first what it read first, whether it was touched or not.
  void prefetch(std::uint64_t offset, std::uint64_t size) const;

  /// Maps a file whose storage was reads: the file that was read until now, whatever stands at its path.
  void map();

 private:
  void load();

  /// Has the system read a part of a mapped file at once, where the first touch of each of its pages would wait for it.
  void ask_for(std::uint64_t offset, std::uint64_t size) const {
    static const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    const std::uint64_t begin = offset / page * page;
    static_cast<void>(::madvise(static_cast<std::byte*>(mapped_) + begin,
                                static_cast<std::size_t>(offset + size - begin), MADV_WILLNEED));
  }

  void read_all(std::uint64_t offset, std::span<std::byte> target) const;

  /// Advice, which a system may not take: nothing depends on it.
  void advise(int advice) const { static_cast<void>(::posix_fadvise(descriptor_.get(), 0, 0, advice)); }

  std::string path_;
  std::string_view who_;
  Descriptor descriptor_;
  std::uint64_t size_ = 0;
  void* mapped_ = nullptr;
  mutable std::atomic<bool> in_pieces_ = false;  // of a mapped file the system reads what it is told to
  std::unique_ptr<std::byte[]> loaded_{};
  const std::byte* bytes_ = nullptr;  // all of the file, where it is held
};

}  // namespace jessl::detail

#if JESSL_DEFINITIONS

namespace jessl::detail {

JESSL_INLINE StoredFile::StoredFile(std::string path, Storage storage, std::string_view who)
    : path_(std::move(path)), who_(who), descriptor_(::open(path_.c_str(), O_RDONLY | O_CLOEXEC)) {
  const int reason = errno;
  JESSL_CHECK(descriptor_.get() >= 0, DataError, who_, ": cannot open ", path_, ": ", std::strerror(reason),
              reason == EMFILE ? "; a file stays open where its storage is reads: allow more of them (ulimit -n), or "
                                 "set storage to mapped"
                               : "");
  struct stat status {};
  JESSL_CHECK(::fstat(descriptor_.get(), &status) == 0, DataError, who_, ": cannot tell the size of ", path_, ": ",
              std::strerror(errno));
  JESSL_CHECK(S_ISREG(status.st_mode), DataError, who_, ": ", path_, " is no regular file");
  size_ = static_cast<std::uint64_t>(status.st_size);
  if (storage == Storage::mapped) {
    map();
  } else if (storage == Storage::memory) {
    load();
  } else {
    // What lies beside a sample is another sample, which is not the next one wanted.
    advise(POSIX_FADV_RANDOM);
  }
}

JESSL_INLINE std::span<const std::byte> StoredFile::read(std::uint64_t offset, std::uint64_t size,
                                                         std::vector<std::byte>& storage) const {
  JESSL_ASSERT(offset <= size_ && size <= size_ - offset, "bytes ", offset, " + ", size, " of ", size_);
  if (size == 0) return {};
  if (held()) {
    if (in_pieces_.load(std::memory_order_relaxed)) ask_for(offset, size);
    return {bytes_ + offset, static_cast<std::size_t>(size)};
  }
  storage.resize(static_cast<std::size_t>(size));
  read_all(offset, storage);
  return storage;
}

JESSL_INLINE void StoredFile::prefetch(std::uint64_t offset, std::uint64_t size) const {
  if (offset >= size_) return;
  size = std::min(size, size_ - offset);
  if (mapped_ != nullptr) {
    if (!in_pieces_.exchange(true)) static_cast<void>(::madvise(mapped_, static_cast<std::size_t>(size_), MADV_RANDOM));
    ask_for(offset, size);
  } else if (!held()) {
    static_cast<void>(
        ::posix_fadvise(descriptor_.get(), static_cast<off_t>(offset), static_cast<off_t>(size), POSIX_FADV_WILLNEED));
  }
}

JESSL_INLINE void StoredFile::map() {
  if (size_ != 0) {  // nothing cannot be mapped
    void* const memory = ::mmap(nullptr, static_cast<std::size_t>(size_), PROT_READ, MAP_SHARED, descriptor_.get(), 0);
    JESSL_CHECK(memory != MAP_FAILED, DataError, who_, ": cannot map ", path_, " of ", size_,
                " bytes: ", std::strerror(errno));
    mapped_ = memory;
    bytes_ = static_cast<const std::byte*>(memory);
  }
  advise(POSIX_FADV_NORMAL);
  descriptor_.close();
}

JESSL_INLINE void StoredFile::load() {
  loaded_.reset(new (std::nothrow) std::byte[static_cast<std::size_t>(size_)]);
  JESSL_CHECK(loaded_, DataError, who_, ": no memory for the ", size_, " bytes of ", path_,
              "; set storage to mapped, which takes none");
  advise(POSIX_FADV_SEQUENTIAL);
  read_all(0, {loaded_.get(), static_cast<std::size_t>(size_)});
  bytes_ = loaded_.get();
  descriptor_.close();
}

JESSL_INLINE void StoredFile::read_all(std::uint64_t offset, std::span<std::byte> target) const {
  constexpr std::size_t piece = std::size_t{1} << 26U;
  std::size_t got = 0;
  while (got < target.size()) {
    const ssize_t count = ::pread(descriptor_.get(), target.data() + got, std::min(target.size() - got, piece),
                                  static_cast<off_t>(offset + got));
    if (count < 0 && errno == EINTR) continue;
    JESSL_CHECK(count >= 0, DataError, who_, ": cannot read ", path_, " at byte ", offset + got, ": ",
                std::strerror(errno));
    JESSL_CHECK(count > 0, DataError, who_, ": ", path_, " has nothing at byte ", offset + got, ", expected ", size_,
                " bytes as when it was opened: it became shorter");
    got += static_cast<std::size_t>(count);
  }
}

}  // namespace jessl::detail

#endif  // JESSL_DEFINITIONS
