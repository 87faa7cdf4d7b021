// SPDX-License-Identifier: Apache-2.0
// The progress bar of a packing.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <string>

#include <unistd.h>

#include <jessl/core/detail/separate.hpp>

namespace jessl::data::detail {

/// A bar that redraws itself on a terminal, a plain line every 20 seconds anywhere else; nothing where it is quick.
class PackProgress {
 public:
  PackProgress(bool shown, std::int64_t images)
      : shown_(shown), terminal_(isatty(STDERR_FILENO) == 1), images_(images) {}

  void report(std::int64_t done, std::int64_t bytes);

 private:
  using Clock = std::chrono::steady_clock;

  [[nodiscard]] static double seconds(Clock::time_point from, Clock::time_point to) {
    return std::chrono::duration<double>(to - from).count();
  }

  void draw(std::int64_t done, std::int64_t bytes, double elapsed) const;

  bool shown_;
  bool terminal_;
  bool drawn_ = false;
  std::int64_t images_;
  Clock::time_point begin_ = Clock::now();
  Clock::time_point last_ = begin_;
};

}  // namespace jessl::data::detail

#if JESSL_DEFINITIONS

namespace jessl::data::detail {

JESSL_INLINE void PackProgress::report(std::int64_t done, std::int64_t bytes) {
  if (!shown_) return;
  const auto now = Clock::now();
  const bool last = done == images_;
  if (seconds(last_, now) < (terminal_ ? 0.2 : 20.0) && !(last && drawn_)) return;
  last_ = now;
  drawn_ = true;
  draw(done, bytes, seconds(begin_, now));
}

JESSL_INLINE void PackProgress::draw(std::int64_t done, std::int64_t bytes, double elapsed) const {
  const double share = static_cast<double>(done) / static_cast<double>(images_);
  const double rate = static_cast<double>(done) / elapsed;
  const auto left = static_cast<std::int64_t>(std::llround(static_cast<double>(images_ - done) / std::max(rate, 1e-9)));
  std::array<char, 160> text{};
  std::snprintf(text.data(), text.size(), "packing %lld/%lld  %.0f images/s  %.1f GB  %02lld:%02lld left",
                static_cast<long long>(done), static_cast<long long>(images_), rate, static_cast<double>(bytes) / 1e9,
                static_cast<long long>(left / 60), static_cast<long long>(left % 60));
  if (!terminal_) {
    std::cerr << text.data() << '\n';
    return;
  }
  constexpr int width = 24;
  const auto filled = static_cast<std::size_t>(std::lround(share * width));
  std::cerr << "\r[" << std::string(filled, '#') << std::string(width - filled, '.') << "] " << text.data() << "\x1b[K"
            << (done == images_ ? "\n" : "") << std::flush;
}

}  // namespace jessl::data::detail

#endif  // JESSL_DEFINITIONS
