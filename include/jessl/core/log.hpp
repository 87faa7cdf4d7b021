// SPDX-License-Identifier: Apache-2.0
// Where notes and warnings go: standard error, unless the program says otherwise.
#pragma once

#include <functional>
#include <iostream>
#include <mutex>
#include <string>
#include <utility>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>

namespace jessl {

/// How much a message matters.
enum class Severity { note, warning };

/// Receives every message. Called from any thread, one call at a time.
using LogSink = std::function<void(Severity, const std::string&)>;

namespace detail {

struct Log {
  std::mutex mutex;
  LogSink sink = [](Severity severity, const std::string& text) {
    std::cerr << (severity == Severity::warning ? "jessl warning: " : "jessl: ") << text << '\n';
  };
};

Log& log();

}  // namespace detail

/// Sends all further messages to `sink`; returns the one that had them before.
LogSink set_log_sink(LogSink sink);

/// Says something the user should know but need not act on.
template <class... Parts>
void note(const Parts&... parts) {
  detail::Log& log = detail::log();
  const std::lock_guard lock(log.mutex);
  if (log.sink) log.sink(Severity::note, concat(parts...));
}

/// Says something the user should act on, while the work goes on.
template <class... Parts>
void warn(const Parts&... parts) {
  detail::Log& log = detail::log();
  const std::lock_guard lock(log.mutex);
  if (log.sink) log.sink(Severity::warning, concat(parts...));
}

}  // namespace jessl

#if JESSL_DEFINITIONS

namespace jessl::detail {

JESSL_INLINE Log& log() {
  static Log instance;
  return instance;
}

}  // namespace jessl::detail

namespace jessl {

JESSL_INLINE LogSink set_log_sink(LogSink sink) {
  detail::Log& log = detail::log();
  const std::lock_guard lock(log.mutex);
  return std::exchange(log.sink, std::move(sink));
}

}  // namespace jessl

#endif  // JESSL_DEFINITIONS
