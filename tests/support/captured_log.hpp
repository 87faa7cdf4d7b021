// SPDX-License-Identifier: Apache-2.0
// An ear for what jessl says.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include <jessl/core/log.hpp>

namespace jessl::test {

/// Collects, while it lives, what jessl says, instead of printing it.
class CapturedLog {
 public:
  CapturedLog()
      : before_(set_log_sink([this](Severity severity, const std::string& text) {
          messages.push_back(text);
          if (severity == Severity::warning) warnings_.push_back(text);
        })) {}
  CapturedLog(const CapturedLog&) = delete;
  CapturedLog& operator=(const CapturedLog&) = delete;
  ~CapturedLog() { set_log_sink(before_); }

  /// The warnings among the messages.
  [[nodiscard]] const std::vector<std::string>& heard() const { return warnings_; }

  /// Whether some message has the text in it.
  [[nodiscard]] bool contains(const std::string& text) const {
    return std::any_of(messages.begin(), messages.end(),
                       [&](const std::string& message) { return message.find(text) != std::string::npos; });
  }

  std::vector<std::string> messages{};

 private:
  std::vector<std::string> warnings_{};
  LogSink before_;
};

}  // namespace jessl::test
