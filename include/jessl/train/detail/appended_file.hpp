// SPDX-License-Identifier: Apache-2.0
// A log that grows by whole records and keeps what a full disk refuses.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <unistd.h>

#include <jessl/core/detail/file_size_signal.hpp>
#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>

namespace jessl::train::detail {

/// A file that records are appended to. Each is kept until the operating system has taken it whole, so that a disk that was full for
/// a while costs none.
class AppendedFile {
 public:
  /// `who` names the caller in messages.
  explicit AppendedFile(std::string_view who) : who_(who) {}

  [[nodiscard]] bool is_open() const { return file_ != nullptr; }

  /// Whether records are kept that are not written yet.
  [[nodiscard]] bool is_pending() const { return !pending_.empty(); }

  void add(std::string_view record) { pending_ += record; }

  /// Goes on behind what the file holds, with `head` before the records that were added already. IOError where it can't be
  /// written.
  void open(std::filesystem::path path, std::string_view head = {});

  /// Hands the operating system what was added. IOError where it does not take all of it.
  void write();

 private:
  struct Close {
    void operator()(std::FILE* file) const noexcept { std::fclose(file); }
  };

  std::string who_;
  std::filesystem::path path_{};
  std::unique_ptr<std::FILE, Close> file_{};
  std::string pending_{};  // whole records, the first perhaps without its beginning
};

#if JESSL_DEFINITIONS

JESSL_INLINE void AppendedFile::open(std::filesystem::path path, std::string_view head) {
  path_ = std::move(path);
  file_.reset(std::fopen(path_.c_str(), "ab"));
  JESSL_CHECK(file_ != nullptr, IOError, who_, ": cannot write ", path_, ": ", std::strerror(errno),
              "; choose a folder that you may write to");
  pending_.insert(0, head);
}

JESSL_INLINE void AppendedFile::write() {
  const jessl::detail::FileSizeSignal as_error;
  while (!pending_.empty()) {
    const ::ssize_t written = ::write(::fileno(file_.get()), pending_.data(), pending_.size());
    JESSL_CHECK(written >= 0 || errno == EINTR, IOError, who_, ": cannot write ", pending_.size(), " bytes to ", path_,
                ": ", std::strerror(errno), "; is the disk full?");
    if (written > 0) pending_.erase(0, static_cast<std::size_t>(written));
  }
}

#endif  // JESSL_DEFINITIONS

}  // namespace jessl::train::detail
