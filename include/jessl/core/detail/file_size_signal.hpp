// SPDX-License-Identifier: Apache-2.0
// A file that may not grow further as an error, not as the end of the process.
#pragma once

#include <cerrno>
#include <csignal>

#include <pthread.h>
#include <signal.h>

namespace jessl::detail {

/// While it lives, a write of this thread beyond the limit of file sizes (ulimit -f) fails with EFBIG. Elsewhere the system ends
/// the process there by a signal, SIGXFSZ, and nobody learns why. Other threads and the program's own handling of the signal
/// are left as they are.
class FileSizeSignal {
 public:
  FileSizeSignal() noexcept {
    sigemptyset(&signal_);
    sigaddset(&signal_, SIGXFSZ);
    blocked_ = !is_pending() && ::pthread_sigmask(SIG_BLOCK, &signal_, &before_) == 0;
  }
  FileSizeSignal(const FileSizeSignal&) = delete;
  FileSizeSignal& operator=(const FileSizeSignal&) = delete;
  ~FileSizeSignal() {
    if (!blocked_) return;
    const int reason = errno;  // of the write
    int taken = 0;
    if (is_pending()) ::sigwait(&signal_, &taken);
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    errno = reason;
  }

 private:
  static bool is_pending() noexcept {
    sigset_t pending;
    sigemptyset(&pending);
    return ::sigpending(&pending) == 0 && sigismember(&pending, SIGXFSZ) == 1;
  }

  sigset_t signal_{};
  sigset_t before_{};
  bool blocked_ = false;
};

}  // namespace jessl::detail
