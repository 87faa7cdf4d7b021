// SPDX-License-Identifier: Apache-2.0
// Results that several threads make, taken in order.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <mutex>
#include <vector>

namespace jessl::data::detail {

/// Has results taken in the order of their numbers, by one thread at a time, while others make the next ones.
///
/// Result i is made and lies in place i modulo the number of places. Threads start with results in order, and wait where
/// a place is still taken.
class InOrder {
 public:
  explicit InOrder(std::int64_t places) : ready_(static_cast<std::size_t>(places), false) {}

  /// Calls make(place) for result `i`, and take(number, place) for all results whose turn it is then, unless another
  /// thread is doing so. `make` must not throw; when `take` has thrown, nothing is made or taken any more.
  template <class Make, class Take>
  void add(std::int64_t i, const Make& make, const Take& take) {
    std::unique_lock lock(mutex_);
    free_.wait(lock, [&] { return failed_ || i < next_ + std::ssize(ready_); });
    if (failed_) return;
    lock.unlock();
    make(place_of(i));
    lock.lock();
    ready_[place_of(i)] = true;
    if (taking_) return;
    taking_ = true;
    while (!failed_ && ready_[place_of(next_)]) {
      lock.unlock();
      try {
        take(next_, place_of(next_));
      } catch (...) {
        lock.lock();
        failed_ = true;
        free_.notify_all();
        throw;
      }
      lock.lock();
      ready_[place_of(next_++)] = false;
      free_.notify_all();
    }
    taking_ = false;
  }

 private:
  [[nodiscard]] std::size_t place_of(std::int64_t i) const { return static_cast<std::size_t>(i) % ready_.size(); }

  std::mutex mutex_{};
  std::condition_variable free_{};
  std::vector<bool> ready_;  // of each place, whether a result lies there that is made and not taken
  std::int64_t next_ = 0;    // the result whose turn it is; changed by the thread that takes
  bool taking_ = false;
  bool failed_ = false;
};

}  // namespace jessl::data::detail
