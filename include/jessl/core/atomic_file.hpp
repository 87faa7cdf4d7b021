// SPDX-License-Identifier: Apache-2.0
// A file that appears whole or not at all: what checkpoints, exported weights and packed data sets are written with.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include <jessl/core/detail/file_size_signal.hpp>
#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/file_lock.hpp>

namespace jessl {

/// Writes a file in one step as its readers see it: they find the old file or the complete new one.
///
/// The bytes go to `<path>.partial` in the same folder. commit() flushes them to the disk, renames that file to `path`
/// and flushes the folder, so that the new file also survives a power cut. Without commit(), after an error or when the
/// object dies early, the partial file is removed and what stood at `path` stays. After a `kill -9` the partial file
/// stays behind; the next writer of the same path takes it over, so such leftovers never add up.
///
/// A symbolic link at `path` is replaced, not followed. The file gets the permissions that the umask gives new files.
///
/// Shapes     none
/// Cost       one fsync of the file and one of its folder a commit
/// Errors     IOError with the operating system's reason: the folder is absent or read-only, the disk is full, `path`
///            is a folder or a device, another writer holds the same path. Whatever fails before the rename leaves
///            what stood at `path` unchanged
/// Models     none
/// Source     none
class AtomicFile {
 public:
  /// Starts writing. `who` names the caller in messages: "jessl::io::safetensors".
  explicit AtomicFile(std::filesystem::path path, std::string who = "jessl::AtomicFile");

  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  ~AtomicFile() { discard(); }

  /// Appends bytes.
  void write(std::span<const std::byte> bytes);

  /// Appends text.
  void write(std::string_view text) { write(std::as_bytes(std::span(text))); }

  /// Writes bytes at an offset of their own, over what is there or beyond the end; a gap reads as zeros. A file is
  /// written either by write() or by write_at().
  void write_at(std::int64_t offset, std::span<const std::byte> bytes);

  /// Whether a file of `bytes` would find room now: an IOError where not. The file stays as it is, and nothing is kept free for
  /// it. A system that cannot tell says nothing.
  void require_room(std::int64_t bytes);

  /// Has the system begin to put `bytes` from `offset` on onto the disk, without waiting for it, so that commit() finds
  /// less to do. It is advice, which a system may not take: nothing depends on it.
  void start_flush([[maybe_unused]] std::int64_t offset, [[maybe_unused]] std::int64_t bytes);

  /// Reads back what write_at() wrote; less than `target` holds only at the end of the file. The number of bytes read.
  [[nodiscard]] std::size_t read_at(std::int64_t offset, std::span<std::byte> target);

  /// Moves what lies from `begin` to the end of a file of write_at() to `target`, in pieces of 4 MB. Below `target` there is
  /// anything afterwards, for the caller to write over.
  void move_tail(std::int64_t begin, std::int64_t target);

  /// Cuts a file of write_at() to `bytes`, or lengthens it with zeros.
  void resize(std::int64_t bytes);

  /// Puts the file into its place. Nothing can be written afterwards.
  void commit();

  /// Ends without a trace; what stood at path() stays. Harmless after commit().
  void discard() noexcept;

  /// Where the file will be.
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

  /// Bytes written so far: where the file ends.
  [[nodiscard]] std::int64_t size() const { return size_; }

 private:
  struct Close {
    void operator()(std::FILE* file) const noexcept { std::fclose(file); }
  };

  void require_open() const;

  /// Opens the partial file and locks it; a leftover of a killed writer is emptied, a live writer's is not touched.
  void open();

  /// Makes the rename itself durable.
  void flush_folder() const;

  [[noreturn]] void give_up(std::string_view action, int reason);

  [[nodiscard]] static std::string_view advice(int reason);

  std::string who_;
  std::filesystem::path path_;
  std::filesystem::path partial_;
  std::unique_ptr<std::FILE, Close> file_;
  std::int64_t size_ = 0;
};

/// Replaces the file at `path` by these bytes in one step.
///
/// Shapes     none
/// Errors     IOError as AtomicFile
/// Models     none
/// Source     none
void write_file(const std::filesystem::path& path, std::string_view bytes, std::string who = "jessl::write_file");

}  // namespace jessl

#if JESSL_DEFINITIONS

namespace jessl {

JESSL_INLINE AtomicFile::AtomicFile(std::filesystem::path path, std::string who)
    : who_(std::move(who)), path_(std::move(path)), partial_(path_.string() + ".partial") {
  JESSL_CHECK(path_.has_filename(), IOError, who_, ": the path '", path_.string(), "' does not name a file");
  std::error_code absent;
  const auto present = std::filesystem::symlink_status(path_, absent);
  JESSL_CHECK(!std::filesystem::exists(present) || std::filesystem::is_regular_file(present) ||
                  std::filesystem::is_symlink(present),
              IOError, who_, ": ", path_.string(), " exists and is not a file; choose another name");
  open();
}

JESSL_INLINE void AtomicFile::write(std::span<const std::byte> bytes) {
  const detail::FileSizeSignal as_error;
  require_open();
  if (bytes.empty()) return;  // the address of nothing may be null, which fwrite does not take
  errno = 0;
  const std::size_t written = std::fwrite(bytes.data(), 1, bytes.size(), file_.get());
  if (written != bytes.size()) give_up("write to", errno);
  size_ += static_cast<std::int64_t>(written);
}

JESSL_INLINE void AtomicFile::write_at(std::int64_t offset, std::span<const std::byte> bytes) {
  const detail::FileSizeSignal as_error;
  require_open();
  const std::int64_t end = offset + static_cast<std::int64_t>(bytes.size());
  while (!bytes.empty()) {
    const ::ssize_t written = ::pwrite(::fileno(file_.get()), bytes.data(), bytes.size(), offset);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) give_up("write to", written < 0 ? errno : EIO);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
    offset += written;
  }
  size_ = std::max(size_, end);
}

JESSL_INLINE void AtomicFile::require_room(std::int64_t bytes) {
  require_open();
  if (bytes <= size_) return;
#ifdef __linux__
  const detail::FileSizeSignal as_error;
  int failed = 0;
  do {
    failed = ::fallocate(::fileno(file_.get()), 0, 0, bytes);
  } while (failed != 0 && errno == EINTR);
  const int reason = failed != 0 ? errno : 0;
  if (reason == ENOSPC || reason == EDQUOT || reason == EFBIG)
    give_up(concat("find room for ", bytes, " bytes in"), reason);
  if (::ftruncate(::fileno(file_.get()), size_) != 0) give_up("resize", errno);
#endif
}

JESSL_INLINE void AtomicFile::start_flush([[maybe_unused]] std::int64_t offset, [[maybe_unused]] std::int64_t bytes) {
  require_open();
  if (bytes <= 0) return;  // 0 would be up to the end of the file
#ifdef SYNC_FILE_RANGE_WRITE
  static_cast<void>(::sync_file_range(::fileno(file_.get()), offset, bytes, SYNC_FILE_RANGE_WRITE));
#endif
}

JESSL_INLINE std::size_t AtomicFile::read_at(std::int64_t offset, std::span<std::byte> target) {
  require_open();
  std::size_t got = 0;
  while (got < target.size()) {
    const ::ssize_t count = ::pread(::fileno(file_.get()), target.data() + got, target.size() - got,
                                    offset + static_cast<std::int64_t>(got));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) give_up("read", errno);
    if (count == 0) break;
    got += static_cast<std::size_t>(count);
  }
  return got;
}

JESSL_INLINE void AtomicFile::move_tail(std::int64_t begin, std::int64_t target) {
  require_open();
  if (target == begin) return;
  const std::int64_t bytes = size_ - begin;
  JESSL_ASSERT(bytes >= 0, "the file ends at ", size_, ", before ", begin);
  constexpr std::int64_t most = std::int64_t{4} << 20U;
  std::vector<std::byte> buffer(static_cast<std::size_t>(std::min(most, bytes)));
  for (std::int64_t done = 0; done < bytes;) {
    const auto piece = std::span(buffer).first(static_cast<std::size_t>(std::min(most, bytes - done)));
    const auto step = static_cast<std::int64_t>(piece.size());
    // From the end when it goes up, from the beginning when it goes down: nothing is overwritten before it is read.
    const std::int64_t from = target > begin ? bytes - done - step : done;
    const std::size_t got = read_at(begin + from, piece);
    JESSL_CHECK(got == piece.size(), IOError, who_, ": ", partial_.string(), " became shorter while it was written");
    write_at(target + from, piece);
    done += step;
  }
  resize(target + bytes);
}

JESSL_INLINE void AtomicFile::resize(std::int64_t bytes) {
  require_open();
  if (::ftruncate(::fileno(file_.get()), bytes) != 0) give_up("resize", errno);
  size_ = bytes;
}

JESSL_INLINE void AtomicFile::commit() {
  JESSL_CHECK(file_ != nullptr, IOError, who_, ": ", path_.string(),
              " cannot be committed: it was committed, discarded or has failed");
  const detail::FileSizeSignal as_error;
  errno = 0;
  if (std::fflush(file_.get()) != 0) give_up("write to", errno);
  if (::fsync(::fileno(file_.get())) != 0) give_up("flush", errno);
  // Renamed while still open, because closing gives up the lock and another writer could then take the file over.
  if (std::rename(partial_.c_str(), path_.c_str()) != 0) give_up("rename", errno);
  file_.reset();
  flush_folder();
}

JESSL_INLINE void AtomicFile::discard() noexcept {
  if (file_ == nullptr) return;
  const detail::FileSizeSignal as_error;  // what is buffered is written when the file is closed
  ::unlink(partial_.c_str());
  file_.reset();
}

JESSL_INLINE void AtomicFile::require_open() const {
  JESSL_CHECK(file_ != nullptr, IOError, who_, ": ", path_.string(),
              " is no longer being written (committed, discarded or failed)");
}

JESSL_INLINE void AtomicFile::open() {
  const int descriptor = detail::open_locked(partial_);
  if (descriptor < 0) {
    const int reason = errno;
    JESSL_CHECK(reason != EWOULDBLOCK, IOError, who_, ": ", partial_.string(),
                " is being written by another program or thread; let each write its own file");
    give_up("create", reason);
  }
  file_.reset(::fdopen(descriptor, "w+"));
  if (file_ == nullptr) {
    const int reason = errno;
    ::close(descriptor);
    give_up("open", reason);
  }
  if (::ftruncate(descriptor, 0) != 0) give_up("empty", errno);
}

JESSL_INLINE void AtomicFile::flush_folder() const {
  const std::filesystem::path folder = path_.has_parent_path() ? path_.parent_path() : std::filesystem::path(".");
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  // A folder may be writable and yet not readable, and some file systems cannot flush one: neither loses the file.
  if (descriptor < 0) return;
  const bool failed = ::fsync(descriptor) != 0 && errno != EINVAL;
  const int reason = errno;
  ::close(descriptor);
  JESSL_CHECK(!failed, IOError, who_, ": ", path_.string(),
              " is written, but its folder could not be flushed to the disk: ", std::system_category().message(reason),
              "; it may not survive a power cut");
}

JESSL_INLINE void AtomicFile::give_up(std::string_view action, int reason) {
  discard();
  std::error_code ignored;
  const bool was_there = std::filesystem::exists(path_, ignored);
  fail<IOError>(who_, ": cannot ", action, ' ', partial_.string(), " after ", size_,
                " bytes: ", std::system_category().message(reason), " (errno ", reason, "). ", path_.string(),
                was_there ? " was not changed. " : " was not written. ", advice(reason));
}

JESSL_INLINE std::string_view AtomicFile::advice(int reason) {
  switch (reason) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return "Free some space, or write to another disk.";
    case ENOENT:
    case ENOTDIR:
      return "Create its folder first.";
    case EACCES:
    case EPERM:
    case EROFS:
      return "Choose a folder that you may write to.";
    default:
      return "Check the disk and the path.";
  }
}

JESSL_INLINE void write_file(const std::filesystem::path& path, std::string_view bytes, std::string who) {
  AtomicFile file(path, std::move(who));
  file.write(bytes);
  file.commit();
}

}  // namespace jessl

#endif  // JESSL_DEFINITIONS
