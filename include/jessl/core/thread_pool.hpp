// SPDX-License-Identifier: Apache-2.0
// A small pool of threads that sleep when there is nothing to do.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/hardware_threads.hpp>

namespace jessl {

/// Runs loops on a fixed number of threads, the caller's own among them.
///
/// Waiting threads sleep on a condition variable and never spin: a spinning thread beside LibTorch's own slows a
/// training step by a factor of 20 and more.
///
/// Shapes     none
/// Cost       one wake-up per thread and loop; no allocation
/// Errors     ConfigError for fewer than one thread or more than the system gives; the first exception thrown in a loop reaches the caller
///            of parallel_for after every thread has left the loop (the rest of the loop is skipped)
/// Models     none
/// Source     none
class ThreadPool {
 public:
  /// `threads` counts the calling thread: 1 runs every loop on the caller alone.
  explicit ThreadPool(std::int64_t threads = hardware_threads());

  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  ~ThreadPool() { close(); }

  /// How many threads take part in a loop.
  [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(workers_.size()) + 1; }

  /// Calls body(index, worker) for every index in [0, count), in any order; `worker` in [0, size()) names the thread,
  /// for scratch memory. Returns when all calls have. Must not be called from inside a body of the same pool.
  template <class Body>
  void parallel_for(std::int64_t count, Body&& body) {
    if (count <= 0) return;
    const std::lock_guard one_loop_at_a_time(loop_mutex_);
    {
      const std::lock_guard lock(mutex_);
      using Plain = std::remove_reference_t<Body>;
      body_ = {
          [](void* target, std::int64_t index, std::int64_t worker) { (*static_cast<Plain*>(target))(index, worker); },
          const_cast<void*>(static_cast<const void*>(std::addressof(body)))};
      count_ = count;
      next_ = 0;
      running_ = static_cast<std::int64_t>(workers_.size());
      failure_ = nullptr;
      ++loop_;
    }
    wake_.notify_all();
    work(0);
    std::unique_lock lock(mutex_);
    done_.wait(lock, [this] { return running_ == 0; });
    if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
  }

 private:
  struct ErasedBody {
    void (*call)(void*, std::int64_t, std::int64_t) = nullptr;
    void* target = nullptr;
  };

  void close();

  void serve(std::int64_t worker);

  void work(std::int64_t worker);

  std::mutex loop_mutex_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable done_;
  ErasedBody body_;
  std::int64_t count_ = 0;
  std::int64_t next_ = 0;
  std::int64_t running_ = 0;
  std::uint64_t loop_ = 0;
  bool closing_ = false;
  std::exception_ptr failure_;
  std::vector<std::thread> workers_;
};

}  // namespace jessl

#if JESSL_DEFINITIONS

namespace jessl {

JESSL_INLINE ThreadPool::ThreadPool(std::int64_t threads) {
  JESSL_CHECK(threads >= 1, ConfigError, "jessl::ThreadPool: threads is ", threads, ", expected >= 1");
  try {
    workers_.reserve(static_cast<std::size_t>(threads - 1));
    for (std::int64_t worker = 1; worker < threads; ++worker) {
      workers_.emplace_back([this, worker] { serve(worker); });
    }
  } catch (const std::exception& error) {
    const std::size_t started = workers_.size() + 1;
    close();
    fail<ConfigError>("jessl::ThreadPool: threads is ", threads, ", but the system gave only ", started, " (",
                      error.what(), "); ask for fewer");
  }
}

JESSL_INLINE void ThreadPool::close() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  wake_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

JESSL_INLINE void ThreadPool::serve(std::int64_t worker) {
  std::uint64_t seen = 0;
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return closing_ || loop_ != seen; });
      if (closing_) return;
      seen = loop_;
    }
    work(worker);
    const std::lock_guard lock(mutex_);
    if (--running_ == 0) done_.notify_one();
  }
}

JESSL_INLINE void ThreadPool::work(std::int64_t worker) {
  for (;;) {
    std::int64_t index = 0;
    {
      // One lock a call: bodies here work for microseconds and more, and a plain mutex needs no argument.
      const std::lock_guard lock(mutex_);
      if (next_ >= count_) return;
      index = next_++;
    }
    try {
      body_.call(body_.target, index, worker);
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!failure_) failure_ = std::current_exception();
      next_ = count_;
    }
  }
}

}  // namespace jessl

#endif  // JESSL_DEFINITIONS
