// SPDX-License-Identifier: Apache-2.0
// What a run tells its callbacks, once at the start, after each step and after each epoch, and its caller at the end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include <jessl/core/autocast.hpp>
#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/loss/parts.hpp>

namespace jessl::train {

/// What a run decided where its settings leave it open, and by which jessl.
///
/// Shapes     none
/// Errors     none
/// Models     jessl::Options
/// Source     none
struct Resolved {
  std::string device{};                      ///< "cpu" or "cuda"
  Precision precision = Precision::float32;  ///< float32 or bfloat16
  std::int64_t ranks = 1;                    ///< processes that share each batch
  std::int64_t threads = 0;                  ///< of LibTorch, in each of them
  std::int64_t workers = 0;                  ///< of the loader
  double warmup_epochs = 0.0;                ///< linear rise of the learning rate
  std::string version{};                     ///< of jessl
};

/// What a callback measured: how good the representation is, by some protocol.
///
/// Shapes     none
/// Errors     none
/// Models     none
/// Source     none
struct Measurement {
  std::int64_t step = 0;   ///< steps taken since the run began; the run sets it
  std::int64_t epoch = 0;  ///< of that step; the run sets it
  std::string by{};        ///< who measured: the callback's name
  Json protocol{};         ///< how: an object
  Json values{};           ///< what: an object of numbers, or of objects of numbers
};

/// A run at its start.
///
/// Shapes     none
/// Errors     none
/// Models     none
/// Source     none
struct Run {
  std::int64_t epochs = 0;               ///< in the whole run
  std::int64_t steps_per_epoch = 0;      ///< batches
  std::int64_t batch_size = 0;           ///< images per step
  std::int64_t classes = 0;              ///< of the data set; 0 where it has no labels
  std::int64_t first_step = 0;           ///< steps already taken by the run that this one resumes; 0 for a new run
  std::filesystem::path resumed_from{};  ///< checkpoint that this run goes on from, as it was read; empty for a new run
  double resumed_loss = std::numeric_limits<double>::quiet_NaN();  ///< of step first_step; NaN where it is not known
  Json configuration{};                     ///< every policy's settings and those of the run that decide its numbers
  Resolved resolved{};                      ///< what the settings of the run left open
  std::int64_t least_checkpoint_bytes = 0;  ///< the weights; the optimizer's state comes to them

  /// Writes a checkpoint of the run as it stands; throws IOError. For the hooks of a state, until the run ends.
  std::function<void(const std::filesystem::path&)> save{};

  /// Hands a measurement to every callback that listens, the log and the progress lines among them. For the hooks of a state,
  /// after_measurement apart, until the run ends.
  std::function<void(const Measurement&)> report{};

  [[nodiscard]] std::int64_t total_steps() const { return epochs * steps_per_epoch; }
};

/// One step, after the optimizer has moved the parameters.
///
/// Shapes     none
/// Errors     none
/// Models     none
/// Source     none
struct StepRecord {
  std::int64_t step = 0;        ///< steps taken since the run began, the first is 1
  std::int64_t epoch = 0;       ///< 0, 1, ...
  double loss = 0.0;            ///< of this batch, of all ranks together
  double learning_rate = 0.0;   ///< used in this step
  std::int64_t images = 0;      ///< in this batch, of all ranks together
  double step_seconds = 0.0;    ///< forward, backward and optimizer
  double loader_seconds = 0.0;  ///< waited for, or spent on, the batch

  std::vector<loss::Part> parts{};  ///< the terms that add up to the loss; none where it tells none
  bool save_asked = false;          ///< somebody asked for a checkpoint now, by SIGUSR1 or SIGTERM
};

/// Where CheckpointEvery keeps the checkpoint before the one at `path`.
///
/// Errors     none
/// Source     none
[[nodiscard]] std::filesystem::path checkpoint_before(const std::filesystem::path& path);

/// What one layer of the network made of a batch.
///
/// Shapes     output: [V*N, width]
/// Errors     none
/// Models     none
/// Source     none
struct Layer {
  std::string name;      ///< "representation", "projector.0", ...
  torch::Tensor output;  ///< [V*N, width], without gradient, of the type in which the network computes
};

/// The name of layer i of a network: the representation is 0, the projector's layers come after it.
///
/// Errors     none
/// Source     none
[[nodiscard]] std::string layer_name(std::size_t i);

/// What the forward pass of a step made of its views, at every layer: made by the step itself, not by a second pass. The V
/// views are those of the first size that the network sees: of multi-crop the large ones, and where a loss looks at some views
/// through its teacher alone, the others.
///
/// Shapes     layers: L, each [V*N, width]; labels: [V*N]
/// Errors     none
/// Models     none
/// Source     none
struct StepFeatures {
  std::int64_t step = 0;        ///< as StepRecord::step
  std::int64_t epoch = 0;       ///< 0, 1, ...
  std::vector<Layer> layers{};  ///< the backbone's representation, then each layer of the projector
  torch::Tensor labels{};       ///< [V*N] int64, of the rows of each layer; -1 where the data set has none
};

/// One epoch, after its last step.
///
/// Shapes     none
/// Errors     none
/// Models     none
/// Source     none
struct EpochRecord {
  std::int64_t epoch = 0;          ///< 0, 1, ...
  std::int64_t step = 0;           ///< steps taken since the run began
  double mean_loss = 0.0;          ///< over the steps of the epoch that this process took
  double images_per_second = 0.0;  ///< loader included
};

}  // namespace jessl::train

namespace jessl {

/// What a run did.
///
/// Shapes     none
/// Errors     none
/// Models     none
/// Source     none
struct FitResult {
  std::int64_t steps = 0;          ///< taken by this call
  std::int64_t images = 0;         ///< seen by this call
  std::int64_t corrupt = 0;        ///< different damaged images met by this call, each replaced by another
  double seconds = 0.0;            ///< wall time of this call's steps, with the loader's and the callbacks' work
  double images_per_second = 0.0;  ///< of this call
  double run_seconds = 0.0;        ///< of the whole run: this call's and those of the calls that it resumed
  std::int64_t run_images = 0;     ///< seen by the whole run
  double loss = std::numeric_limits<double>::quiet_NaN();  ///< of the last step; NaN where there was none to take
  train::Resolved resolved{};                              ///< what the settings of the run left open
};

}  // namespace jessl

JESSL_OPTIONS(jessl::train::Resolved, device, precision, ranks, threads, workers, warmup_epochs, version);

#if JESSL_DEFINITIONS

namespace jessl::train {

JESSL_INLINE std::filesystem::path checkpoint_before(const std::filesystem::path& path) {
  return path.string() + ".before";
}

JESSL_INLINE std::string layer_name(std::size_t i) { return i == 0 ? "representation" : concat("projector.", i - 1); }

}  // namespace jessl::train

#endif  // JESSL_DEFINITIONS
