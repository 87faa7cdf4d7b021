// SPDX-License-Identifier: Apache-2.0
// A path that belongs to one writer, and the earlier file at a path out of the way: what the files of a run need.
#pragma once

#include <array>
#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jessl/core/detail/file_size_signal.hpp>
#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>

namespace jessl {

namespace detail {

/// Opens a file to read and write, makes it where it is missing, and locks it against every other open_locked(). Gives the
/// descriptor, or -1 and errno; EWOULDBLOCK says that somebody else has the lock.
[[nodiscard]] int open_locked(const std::filesystem::path& path);

}  // namespace detail

/// Holds a path for one writer while it lives: a second holder, of this process or another, is refused.
///
/// The lock is on `<path>.lock` beside the file, which goes with the holder. After a `kill -9` that file stays behind and
/// holds nothing; the next holder takes it over. On file systems without locks nobody is refused.
///
/// Shapes     none
/// Errors     IOError that names the other holder's process; IOError with the operating system's reason when the folder is
///            absent or can't be written
/// Models     none
/// Source     none
class FileLock {
 public:
  /// `who` names the caller in messages: "jessl::train::JSONLines".
  explicit FileLock(const std::filesystem::path& path, std::string_view who = "jessl::FileLock");

  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
  FileLock(FileLock&& other) noexcept
      : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)) {}
  FileLock& operator=(FileLock&&) = delete;

  ~FileLock();

 private:
  [[nodiscard]] static std::string host();

  /// What the holder wrote about itself.
  [[nodiscard]] std::string holder() const;

  std::filesystem::path path_;
  int descriptor_;
};

/// Moves the file at `path`, where there is one, to `<path>.previous`, or `<path>.previous-2` and so on where that is taken.
/// Returns where it is now.
///
/// Errors     IOError with the operating system's reason; the file is then where it was
/// Source     none
std::optional<std::filesystem::path> keep_previous(const std::filesystem::path& path,
                                                   std::string_view who = "jessl::keep_previous");

}  // namespace jessl

#if JESSL_DEFINITIONS

namespace jessl::detail {

JESSL_INLINE int open_locked(const std::filesystem::path& path) {
  for (;;) {
    const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (descriptor < 0) return -1;
    // File systems without locks are written without: two writers of one path are a mistake to report, not to rely on.
    if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
      ::close(descriptor);
      errno = EWOULDBLOCK;
      return -1;
    }
    // Between open and lock its last holder may have renamed or removed it; then this is no longer the file of that name.
    struct stat opened {};
    struct stat named {};
    if (::fstat(descriptor, &opened) == 0 && ::stat(path.c_str(), &named) == 0 && opened.st_dev == named.st_dev &&
        opened.st_ino == named.st_ino)
      return descriptor;
    ::close(descriptor);
  }
}

}  // namespace jessl::detail

namespace jessl {

JESSL_INLINE FileLock::FileLock(const std::filesystem::path& path, std::string_view who)
    : path_(path.string() + ".lock"), descriptor_(detail::open_locked(path_)) {
  const int reason = errno;
  JESSL_CHECK(descriptor_ >= 0 || reason != EWOULDBLOCK, IOError, who, ": ", path.string(), " is being written by ",
              holder(), "; end that one, or write to another folder");
  JESSL_CHECK(descriptor_ >= 0, IOError, who, ": cannot create ", path_.string(), ": ",
              std::system_category().message(reason), "; choose a folder that you may write to");
  const std::string mine = concat("process ", ::getpid(), host());
  const detail::FileSizeSignal as_error;
  // For people to read; where it can't be written, the lock holds all the same.
  if (::ftruncate(descriptor_, 0) != 0 || ::pwrite(descriptor_, mine.data(), mine.size(), 0) < 0) errno = 0;
}

JESSL_INLINE FileLock::~FileLock() {
  if (descriptor_ < 0) return;
  ::unlink(path_.c_str());  // before the lock goes, so that it is never the next holder's
  ::close(descriptor_);
}

JESSL_INLINE std::string FileLock::host() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? concat(" on ", name.data()) : "";
}

JESSL_INLINE std::string FileLock::holder() const {
  std::array<char, 300> text{};
  const int descriptor = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  const ::ssize_t length = descriptor < 0 ? 0 : ::read(descriptor, text.data(), text.size());
  if (descriptor >= 0) ::close(descriptor);
  return length > 0 ? std::string(text.data(), static_cast<std::size_t>(length)) : "another program";
}

JESSL_INLINE std::optional<std::filesystem::path> keep_previous(const std::filesystem::path& path,
                                                                std::string_view who) {
  const auto is_taken = [&](const std::filesystem::path& name) {
    std::error_code failure;
    const bool taken = std::filesystem::exists(std::filesystem::symlink_status(name, failure));
    JESSL_CHECK(
        taken || !failure || failure == std::errc::no_such_file_or_directory || failure == std::errc::not_a_directory,
        IOError, who, ": cannot look at ", name.string(), ": ", failure.message(), "; is the disk in order?");
    return taken;
  };
  if (!is_taken(path)) return std::nullopt;
  std::filesystem::path previous = path.string() + ".previous";
  for (int number = 2; is_taken(previous); ++number) previous = concat(path.string(), ".previous-", number);
  std::error_code failure;
  std::filesystem::rename(path, previous, failure);
  JESSL_CHECK(!failure, IOError, who, ": cannot move the earlier ", path.string(), " to ", previous.string(), ": ",
              failure.message(), "; move it yourself, or write to another folder");
  return previous;
}

}  // namespace jessl

#endif  // JESSL_DEFINITIONS
