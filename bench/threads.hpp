// SPDX-License-Identifier: Apache-2.0
// How many threads a benchmark may take: JESSL_BENCH_THREADS (default: all).
#pragma once

#include <cstdint>
#include <cstdlib>
#include <string>

#include <jessl/core/thread_pool.hpp>

namespace bench {

inline std::int64_t threads() {
  const char* const text = std::getenv("JESSL_BENCH_THREADS");
  return text == nullptr ? jessl::hardware_threads() : std::stoll(text);
}

}  // namespace bench
