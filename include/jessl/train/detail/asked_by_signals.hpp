// SPDX-License-Identifier: Apache-2.0
// What a cluster's signals ask of a run.
#pragma once

#include <csignal>
#include <exception>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>

namespace jessl::train::detail {

/// Listens to SIGUSR1, which asks for a checkpoint, and SIGTERM, which asks for one and the end of the run: SLURM and torchrun send
/// them some time before they kill. For the life of the object; a SIGTERM that came too late to be heeded has its effect after it.
///
/// Shapes     none
/// Errors     none
/// Models     none
/// Source     signal(7)
class AskedBySignals {
 public:
  /// Listens where `heeds`.
  explicit AskedBySignals(bool heeds);
  AskedBySignals(const AskedBySignals&) = delete;
  AskedBySignals& operator=(const AskedBySignals&) = delete;
  ~AskedBySignals();

  [[nodiscard]] bool to_save() const;
  [[nodiscard]] bool to_end() const;

  /// A checkpoint has been written.
  void saved();

  /// The run ends as SIGTERM asked.
  void ends();

 private:
  bool heeds_;
  struct sigaction save_before_ {};
  struct sigaction end_before_ {};
};

}  // namespace jessl::train::detail

#if JESSL_DEFINITIONS

namespace jessl::train::detail {

/// What a signal handler may touch.
struct Asked {
  static inline volatile std::sig_atomic_t save = 0;
  static inline volatile std::sig_atomic_t end = 0;
};

JESSL_INLINE AskedBySignals::AskedBySignals(bool heeds) : heeds_(heeds) {
  if (!heeds_) return;
  Asked::save = 0;
  Asked::end = 0;
  struct sigaction action {};
  action.sa_flags = SA_RESTART;
  action.sa_handler = [](int) { Asked::save = 1; };
  (void)sigaction(SIGUSR1, &action, &save_before_);
  action.sa_handler = [](int) { Asked::end = 1; };
  (void)sigaction(SIGTERM, &action, &end_before_);
}

JESSL_INLINE AskedBySignals::~AskedBySignals() {
  if (!heeds_) return;
  (void)sigaction(SIGUSR1, &save_before_, nullptr);
  (void)sigaction(SIGTERM, &end_before_, nullptr);
  if (to_end() && std::uncaught_exceptions() == 0) (void)std::raise(SIGTERM);
}

JESSL_INLINE bool AskedBySignals::to_save() const { return heeds_ && (Asked::save != 0 || to_end()); }

JESSL_INLINE bool AskedBySignals::to_end() const { return heeds_ && Asked::end != 0; }

JESSL_INLINE void AskedBySignals::saved() { Asked::save = 0; }

JESSL_INLINE void AskedBySignals::ends() { Asked::end = 0; }

}  // namespace jessl::train::detail

#endif  // JESSL_DEFINITIONS
