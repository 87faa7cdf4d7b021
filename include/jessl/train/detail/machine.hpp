// SPDX-License-Identifier: Apache-2.0
// What training asks of the machine: a device, threads, memory, the time.
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/train/options.hpp>

namespace jessl::train::detail {

/// LibTorch's thread count for the life of the guard.
class IntraOpThreads {
 public:
  explicit IntraOpThreads(std::int64_t threads) : previous_(torch::get_num_threads()) {
    torch::set_num_threads(static_cast<int>(threads));
  }
  IntraOpThreads(const IntraOpThreads&) = delete;
  IntraOpThreads& operator=(const IntraOpThreads&) = delete;
  ~IntraOpThreads() { torch::set_num_threads(previous_); }

 private:
  int previous_;
};

/// Where to compute.
///
/// Errors     ConfigError for a CUDA device that is not there
[[nodiscard]] torch::Device resolve(Device device);

/// Tells glibc to keep freed memory for the next step. By default it gives the activations back to the system after each
/// step and pays for every page of them again in the next: 13 % of a small network's step. Holds for the whole process.
void keep_freed_memory();

[[nodiscard]] double seconds_since(std::chrono::steady_clock::time_point start);

}  // namespace jessl::train::detail

#if JESSL_DEFINITIONS

namespace jessl::train::detail {

JESSL_INLINE torch::Device resolve(Device device) {
  const bool available = torch::cuda::is_available();
  JESSL_CHECK(device != Device::cuda || available, ConfigError,
              "jessl::Trainer: device is cuda, but no CUDA device can be used here; set device = Device::cpu or look "
              "at the driver");
  return device == Device::cpu || !available ? torch::Device(torch::kCPU) : torch::Device(torch::kCUDA);
}

JESSL_INLINE void keep_freed_memory() {
#ifdef __GLIBC__
  constexpr int largest = 32 << 20;  // bytes; glibc takes no larger threshold
  ::mallopt(M_MMAP_THRESHOLD, largest);
  ::mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
#endif
}

JESSL_INLINE double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace jessl::train::detail

#endif  // JESSL_DEFINITIONS
