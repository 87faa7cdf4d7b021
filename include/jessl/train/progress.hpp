// SPDX-License-Identifier: Apache-2.0
// The progress bar of a run.
#pragma once

#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <ostream>
#include <string>
#include <string_view>

#include <unistd.h>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/options.hpp>
#include <jessl/train/callback.hpp>

namespace jessl::train {

/// Shows where a run is: a bar that redraws itself on a terminal, plain lines anywhere else; and what callbacks measure.
///
/// Shapes     none
/// Units      interval: seconds between two redraws; log_interval: seconds between two plain lines
/// Randomness none
/// Errors     ConfigError from start() for an interval below 0
/// Models     jessl::Callback (docs/train/README.md)
/// Source     none
struct Progress {
  static constexpr std::string_view name = "Progress";

  double interval = 0.2;       ///< seconds, >= 0
  double log_interval = 20.0;  ///< seconds, >= 0

  class State {
   public:
    State(const Progress& settings, const Run& run);

    void after_step(const StepRecord& record);

    /// A line for each object of numbers: "epoch 3, OnlineProbe, test, representation: top1 0.4130, loss 1.6532".
    void after_measurement(const Measurement& measurement) const;

   private:
    using Clock = std::chrono::steady_clock;

    [[nodiscard]] static double seconds(Clock::time_point from, Clock::time_point to);

    [[nodiscard]] static std::string clock(double duration);

    static void print(const std::string& place, const Json& values);

    void show(const StepRecord& record, double elapsed) const;

    bool terminal_;
    double interval_;
    std::int64_t epochs_;
    std::int64_t first_step_;
    std::int64_t total_steps_;
    Clock::time_point begin_;
    Clock::time_point shown_;
    std::int64_t images_ = 0;
    double smooth_loss_;  // NaN until one is known
  };

  [[nodiscard]] State start(const Run& run) const;
};

}  // namespace jessl::train

JESSL_OPTIONS(jessl::train::Progress, interval, log_interval);

#if JESSL_DEFINITIONS

namespace jessl::train {

JESSL_INLINE Progress::State::State(const Progress& settings, const Run& run)
    : terminal_(isatty(STDERR_FILENO) == 1),
      interval_(terminal_ ? settings.interval : settings.log_interval),
      epochs_(run.epochs),
      first_step_(run.first_step),
      total_steps_(run.total_steps()),
      begin_(Clock::now()),
      shown_(begin_),
      smooth_loss_(run.resumed_loss) {}

JESSL_INLINE void Progress::State::after_step(const StepRecord& record) {
  images_ += record.images;
  smooth_loss_ = std::isnan(smooth_loss_) ? record.loss : 0.95 * smooth_loss_ + 0.05 * record.loss;
  const auto now = Clock::now();
  if (seconds(shown_, now) < interval_ && record.step != total_steps_) return;
  shown_ = now;
  show(record, seconds(begin_, now));
}

JESSL_INLINE void Progress::State::after_measurement(const Measurement& measurement) const {
  if (terminal_) std::cerr << "\r\x1b[K";  // in the place of the bar, which the next step draws below
  print(concat("epoch ", measurement.epoch + 1, ", ", measurement.by), measurement.values);
  std::cerr << std::flush;
}

JESSL_INLINE double Progress::State::seconds(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

JESSL_INLINE std::string Progress::State::clock(double duration) {
  const auto whole = static_cast<std::int64_t>(std::llround(duration));
  char text[32];
  std::snprintf(text, sizeof text, "%02lld:%02lld", static_cast<long long>(whole / 60),
                static_cast<long long>(whole % 60));
  return text;
}

JESSL_INLINE void Progress::State::print(const std::string& place, const Json& values) {
  std::string numbers;
  for (const auto& [key, value] : values.items()) {
    if (value.is_object()) {
      print(place + ", " + key, value);
    } else if (value.is_number()) {
      char text[32];
      std::snprintf(text, sizeof text, "%.4f", value.template get<double>());
      numbers += (numbers.empty() ? ": " : ", ") + key + ' ' + text;
    }
  }
  if (!numbers.empty()) std::cerr << place << numbers << '\n';
}

JESSL_INLINE void Progress::State::show(const StepRecord& record, double elapsed) const {
  const double done = static_cast<double>(record.step) / static_cast<double>(total_steps_);
  const auto taken = static_cast<double>(record.step - first_step_);
  const double left = elapsed / taken * static_cast<double>(total_steps_ - record.step);
  char text[200];
  std::snprintf(
      text, sizeof text, "epoch %lld/%lld  step %lld/%lld  loss %.4f  lr %.2e  %.0f images/s  %s elapsed, %s left",
      static_cast<long long>(record.epoch + 1), static_cast<long long>(epochs_), static_cast<long long>(record.step),
      static_cast<long long>(total_steps_), smooth_loss_, record.learning_rate, static_cast<double>(images_) / elapsed,
      clock(elapsed).c_str(), clock(left).c_str());
  if (!terminal_) {
    std::cerr << text << '\n';
    return;
  }
  constexpr int width = 24;
  const auto filled = static_cast<std::size_t>(std::lround(done * width));
  std::cerr << '\r' << '[' << std::string(filled, '#') << std::string(width - filled, '.') << "] " << text << "\x1b[K"
            << (record.step == total_steps_ ? "\n" : "") << std::flush;
}

JESSL_INLINE Progress::State Progress::start(const Run& run) const {
  JESSL_CHECK(interval >= 0, ConfigError, "jessl::train::Progress: interval is ", interval,
              ", expected at least 0 seconds");
  JESSL_CHECK(log_interval >= 0, ConfigError, "jessl::train::Progress: log_interval is ", log_interval,
              ", expected at least 0 seconds");
  return {*this, run};
}

}  // namespace jessl::train

#endif  // JESSL_DEFINITIONS
