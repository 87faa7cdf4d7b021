// SPDX-License-Identifier: Apache-2.0
// Training without the types of its parts: the step, the run, and its checkpoints.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <jessl/core/autocast.hpp>
#include <jessl/core/detail/separate.hpp>
#include <jessl/core/draw.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/log.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/shape.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/core/thread_pool.hpp>
#include <jessl/core/version.hpp>
#include <jessl/data/batch.hpp>
#include <jessl/data/loader_options.hpp>
#include <jessl/data/partition.hpp>
#include <jessl/distributed/group.hpp>
#include <jessl/io/checkpoint.hpp>
#include <jessl/loss/progress.hpp>
#include <jessl/optim/concept.hpp>
#include <jessl/train/detail/any_optimizer.hpp>
#include <jessl/train/detail/asked_by_signals.hpp>
#include <jessl/train/detail/course.hpp>
#include <jessl/train/detail/hooks.hpp>
#include <jessl/train/detail/machine.hpp>
#include <jessl/train/detail/network_base.hpp>
#include <jessl/train/detail/run_checkpoint.hpp>
#include <jessl/train/detail/start_weights.hpp>
#include <jessl/train/options.hpp>
#include <jessl/train/record.hpp>
#include <jessl/train/step_options.hpp>
#include <jessl/train/tensors.hpp>

namespace jessl::train::detail {

/// What a run decided where the options leave it open.
struct Plan {
  torch::Device device;
  std::int64_t threads = 0;
  std::int64_t workers = 0;
  std::int64_t ahead = 0;
};

/// What a run needs of its check: its settings, and the checkpoint that it goes on from.
struct Checked {
  Json configuration{};
  std::optional<io::Checkpoint> resumed{};
};

/// What a run learns from, without its type.
struct Source {
  std::int64_t images = 0;
  std::int64_t classes = 0;
  std::int64_t steps_per_epoch = 0;
  /// Shows the batches of an epoch, from the given one on, to a visitor.
  std::function<void(std::int64_t epoch, std::int64_t first_batch, const std::function<void(const data::Batch&)>&)>
      for_each_batch{};
  /// Different damaged images met so far.
  std::function<std::int64_t()> corrupt{};
};

/// What a loss wants of the data.
struct LossAsks {
  bool views = true;    ///< at least two views of an image, which it compares
  bool labels = false;  ///< labels, where there are any; without `views` there must be
};

[[nodiscard]] Plan plan(const FitOptions& options, const std::optional<io::Checkpoint>& resumed,
                        const distributed::Group& group);

/// What of a run's settings and data decides its numbers, as JSON.
[[nodiscard]] Json run_settings(const FitOptions& options, Json order, std::int64_t images, std::int64_t channels,
                                Json fingerprint);

/// Appends the representation and the projector's layers, with their names.
void name_layers(const std::vector<torch::Tensor>& outputs, std::vector<Layer>& layers);

/// A network and its optimizer at work. Trainer, which knows the types of both, of the data and of the callbacks, has one; what
/// they don't decide is here, compiled once a source file however many trainers there are.
class Training {
 public:
  Training(std::unique_ptr<NetworkBase> network, AttachOptimizer attach, const LossAsks& loss, bool made_from_seed);

  [[nodiscard]] NetworkBase& network() const { return *network_; }

  /// Says whether a run with such options over so many images and classes can work.
  void check(const FitOptions& options, std::int64_t images, std::int64_t classes) const;

  /// From now on steps and runs are those of all ranks together.
  void join(distributed::Group group);

  /// The checkpoint to go on from, when nothing speaks against it. Changes nothing.
  [[nodiscard]] io::Checkpoint resumable(const std::filesystem::path& path, const Json& configuration) const;

  /// One step on views [N, C, H, W]; see Trainer::step.
  double step(const std::vector<torch::Tensor>& views, const StepOptions& options);

  /// A whole run, or the rest of the one that is resumed. `start` makes the callbacks' states.
  FitResult run(const FitOptions& options, const Checked& from, const Plan& chosen, const Source& source,
                const std::function<Hooks(const Run&)>& start);

  /// Calls body(); of what it throws the other ranks are told, which would wait for this one.
  void tell_ranks_of_errors(const std::function<void()>& body) const;

  /// Draws all weights anew as a pure function of the seed.
  void initialise(std::uint64_t seed);

  /// Says that a run is to start from the weights that the modules have.
  void keep_weights();

  /// The backbone's and projector's weights from a checkpoint, without the rest of its run.
  void load_weights(const std::filesystem::path& path);

  void save_weights(const std::filesystem::path& path, Json configuration) const;

 private:
  /// The optimizer of all that learns; for a predictor whose learning rate is constant one of its own.
  struct Optimizers {
    template <class Visit>
    void for_each(const Visit& visit) const {
      if (all) visit(*all);
      if (predictor) visit(*predictor);
    }
    void load(const io::Checkpoint& checkpoint) const;
    void save(io::Checkpoint& checkpoint) const;

    std::unique_ptr<AnyOptimizer> all{};
    std::unique_ptr<AnyOptimizer> predictor{};
  };

  /// Puts back what a run sets for its steps, so that those of one's own after it are as those before it.
  class Afterwards {
   public:
    Afterwards(Training& training, bool changes_weight_decay)
        : training_(training), precision_(training.precision_), changes_weight_decay_(changes_weight_decay) {}
    Afterwards(const Afterwards&) = delete;
    Afterwards& operator=(const Afterwards&) = delete;
    ~Afterwards();

   private:
    Training& training_;
    Precision precision_;
    bool changes_weight_decay_;
  };

  [[nodiscard]] Optimizers attached() const;

  void attach();

  /// Of other weights: momenta, and the teacher that followed them.
  void forget();

  void check_views(const std::vector<torch::Tensor>& views) const;

  /// Those that there are.
  [[nodiscard]] std::vector<torch::Tensor> gradients() const;

  [[nodiscard]] bool gradients_are_finite() const;

  /// Shortens all gradients together to this norm where they are longer.
  void limit_gradients(double most) const;

  /// A tensor where the weights are. Beside a GPU the copy is under way: whoever reads a result of it, as step() does, has
  /// waited for it.
  [[nodiscard]] torch::Tensor on_device(const torch::Tensor& tensor) const;

  /// Errors     ConfigError on all ranks where they don't all begin at one step of one run
  void check_ranks_agree(const FitOptions& options, const Checked& from) const;

  /// Whether it is so on some rank. All ask together.
  [[nodiscard]] bool any_rank(bool here) const;

  /// Rows [V*N, ...] of all ranks [V*W*N, ...], in the order in which one process has those of the joint batch.
  [[nodiscard]] torch::Tensor of_all_ranks(const torch::Tensor& rows, std::int64_t views) const;

  /// What the step just taken made of its batch at every layer, with the labels of its rows.
  [[nodiscard]] StepFeatures features_of_step(std::int64_t epoch, const torch::Tensor& labels);

  void announce(const Plan& chosen, std::int64_t images) const;

  void save(const std::filesystem::path& path, const Json& configuration, double run_seconds, double loss,
            const Hooks& hooks) const;

  /// Goes on from a checkpoint that resumable() gave; gives the seconds that its run has taken.
  [[nodiscard]] double resume(const io::Checkpoint& checkpoint);

  std::unique_ptr<NetworkBase> network_;
  AttachOptimizer attach_;
  LossAsks loss_;
  bool tells_loaded_weights_;  // the backbone was made as its initialise(0) leaves it: other weights were loaded
  Optimizers optimizers_{};
  std::optional<double> base_lr_{};            // of the optimizers as they were attached
  std::optional<double> base_weight_decay_{};  // of those, where they have one
  Precision precision_ = Precision::float32;
  std::int64_t steps_taken_ = 0;
  StartWeights start_weights_{};
};

}  // namespace jessl::train::detail

#if JESSL_DEFINITIONS

namespace jessl::train::detail {

// What a signal asks for, as a number whose sum over the ranks says it of any of them: fewer than 10^6 ranks ask to save.
inline constexpr double ask_save = 1.0;
inline constexpr double ask_end = 1e6;

JESSL_INLINE Plan plan(const FitOptions& options, const std::optional<io::Checkpoint>& resumed,
                       const distributed::Group& group) {
  const torch::Device device = detail::resolve(options.device);
  const std::int64_t sharing = group.ranks() ? group.ranks()->sharing_cores() : 1;
  const std::int64_t cores = std::max<std::int64_t>(1, hardware_threads() / sharing);
  // Sums over another number of threads have other last bits. More threads than cores are not chosen for anybody.
  const std::int64_t recorded = resumed ? resumed->record.value("threads", cores) : cores;
  const std::int64_t threads = options.threads == 0 ? std::clamp<std::int64_t>(recorded, 1, cores) : options.threads;
  if (device.is_cpu()) return {device, threads, options.workers == 0 ? threads : options.workers, 0};
  return {device, threads, options.workers == 0 ? std::max<std::int64_t>(1, cores - 1) : options.workers, 2};
}

/// The seed of what LibTorch draws in a step: dropout, and a loss's own directions. A function of the step, so that a run that is
/// resumed draws what the undisturbed one does; rank 0's is that of one process.
JESSL_INLINE std::uint64_t seed_of_step(std::uint64_t seed, std::int64_t step, std::int64_t rank) {
  Draw draw({.seed = seed,
             .epoch = static_cast<std::uint32_t>(rank),
             .sample = static_cast<std::uint64_t>(step),
             .purpose = Purpose::step});
  const std::uint64_t high = draw.bits();
  return (high << 32U) | draw.bits();
}

JESSL_INLINE Json run_settings(const FitOptions& options, Json order, std::int64_t images, std::int64_t channels,
                               Json fingerprint) {
  Json settings{{"epochs", options.epochs},
                {"batch_size", options.batch_size},
                {"seed", options.seed},
                {"precision", to_json(resolve(options.precision, detail::resolve(options.device).type()))},
                {"scale_lr", options.scale_lr},
                {"warmup_epochs", warmup_epochs(options)},
                {"end_ratio", options.end_ratio},
                {"order", std::move(order)},
                {"decoding", to_json(options.decoding)},
                {"images", images},
                {"channels", channels},
                {"fingerprint", std::move(fingerprint)}};
  // What follows only where it is used: it changes a run, and a checkpoint without it is one of a run without.
  if (options.micro_batch > 0) settings["micro_batch"] = options.micro_batch;
  if (!options.lr_milestones.empty())
    settings.update({{"lr_milestones", options.lr_milestones}, {"lr_gamma", options.lr_gamma}});
  if (options.weight_decay_end) settings["weight_decay_end"] = *options.weight_decay_end;
  if (options.max_gradient_norm > 0) settings["max_gradient_norm"] = options.max_gradient_norm;
  return settings;
}

JESSL_INLINE void name_layers(const std::vector<torch::Tensor>& outputs, std::vector<Layer>& layers) {
  for (std::size_t i = 0; i < outputs.size(); ++i) layers.push_back({layer_name(i), outputs[i]});
}

JESSL_INLINE Training::Training(std::unique_ptr<NetworkBase> network, AttachOptimizer attach, const LossAsks& loss,
                                bool made_from_seed)
    : network_(std::move(network)),
      attach_(std::move(attach)),
      loss_(loss),
      tells_loaded_weights_(made_from_seed || is_drawn_from(network_->drawn().front(), 0)) {}

JESSL_INLINE void Training::check(const FitOptions& options, std::int64_t images, std::int64_t classes) const {
  constexpr std::int64_t most_epochs = 1'000'000;  // each is asked for its views' shapes; a draw's key has 32 bits
  constexpr std::int64_t most_threads = data::LoaderOptions::most_workers;
  const auto require = [](bool condition, auto&&... text) {
    JESSL_CHECK(condition, ConfigError, "jessl::Trainer: ", text...);
  };
  require(options.epochs >= 1 && options.epochs <= most_epochs, "epochs is ", options.epochs, ", expected 1 to ",
          most_epochs);
  require(options.batch_size >= 2, "batch_size is ", options.batch_size,
          ", expected at least 2: a loss compares images");
  require(options.batch_size <= images, "batch_size is ", options.batch_size, ", but the data set has only ", images,
          " images; take a smaller batch_size");
  const distributed::Group& group = network_->group();
  data::Partition{.rank = group.rank(), .ranks = group.size()}.check("jessl::Trainer", options.batch_size);
  const std::int64_t share = options.batch_size / group.size();
  require(options.micro_batch >= 0 && options.micro_batch != 1 &&
              (options.micro_batch == 0 || share % options.micro_batch == 0),
          "micro_batch is ", options.micro_batch,
          ", expected 0 (the whole batch), or at least 2 images and a divisor of batch_size = ", options.batch_size,
          group.size() == 1 ? "" : concat(" / ", group.size(), " ranks"));
  require(loss_.views || classes >= 1, "the loss learns from labels, and the data set has none");
  require(options.max_corrupt_share >= 0.0 && options.max_corrupt_share <= 1.0, "max_corrupt_share is ",
          options.max_corrupt_share, ", expected 0 to 1");
  require(options.end_ratio >= 0.0 && options.end_ratio <= 1.0, "end_ratio is ", options.end_ratio,
          ", expected 0 to 1");
  require(options.threads >= 0 && options.threads <= most_threads, "threads is ", options.threads,
          ", expected 0 (all) to ", most_threads);
  require(options.workers >= 0 && options.workers <= most_threads, "workers is ", options.workers,
          ", expected 0 (chosen for you) to ", most_threads);
  require(options.max_gradient_norm >= 0.0 && std::isfinite(options.max_gradient_norm), "max_gradient_norm is ",
          options.max_gradient_norm, ", expected a finite number >= 0, 0 being none");
  const Optimizers optimizers = attached();  // checks its settings
  require(!options.weight_decay_end || optimizers.all->weight_decay().has_value(),
          "weight_decay_end is set, and the optimizer has no weight_decay that a run can change (set_weight_decay(), "
          "weight_decay()); leave it unset");
  require(!options.weight_decay_end || (*options.weight_decay_end >= 0.0 && std::isfinite(*options.weight_decay_end)),
          "weight_decay_end is ", options.weight_decay_end.value_or(0.0), ", expected a finite number >= 0");
  require(options.lr_gamma > 0.0 && options.lr_gamma <= 1.0, "lr_gamma is ", options.lr_gamma,
          ", expected more than 0 and at most 1");
  const double warmup = warmup_epochs(options);
  require(warmup >= 0.0 && warmup <= static_cast<double>(options.epochs), "warmup_epochs is ", warmup,
          ", expected 0 to epochs = ", options.epochs, "; set fewer, or leave it unset");
  double earlier = warmup;
  for (const double milestone : options.lr_milestones) {
    require(milestone > earlier && milestone < static_cast<double>(options.epochs), "lr_milestones is ",
            to_json(options.lr_milestones).dump(), ", expected epochs between warmup_epochs = ", warmup,
            " and epochs = ", options.epochs, ", each later than the one before");
    earlier = milestone;
  }
  (void)detail::resolve(options.device);
  require(start_weights_.keeps("backbone") || tells_loaded_weights_ || !options.resume.empty(),
          "the backbone came with weights that its initialise(0) does not give: perhaps loaded ones. Call "
          "keep_weights() to start from them or initialise(seed) to draw others, or let backbone::Holder make the "
          "module");
}

JESSL_INLINE io::Checkpoint Training::resumable(const std::filesystem::path& path, const Json& configuration) const {
  io::Checkpoint checkpoint = load_last(path);
  const std::string who = concat("jessl::Trainer: checkpoint ", checkpoint.loaded_from);
  check_same_run(checkpoint, configuration, who);
  check_modules(network_->modules(), checkpoint, path);
  try {
    attached().load(checkpoint);
  } catch (const ShapeError& error) {
    fail<ShapeError>(who, ", optimizer: ", error.what());
  } catch (const ConfigError& error) {
    fail<ConfigError>(who, ", optimizer: ", error.what());
  }
  return checkpoint;
}

JESSL_INLINE void Training::join(distributed::Group group) {
  network_->join(std::move(group));
  forget();
}

JESSL_INLINE double Training::step(const std::vector<torch::Tensor>& views, const StepOptions& options) {
  check_views(views);
  JESSL_CHECK(options.micro_batch >= 0, ConfigError, "jessl::Trainer::step: micro_batch is ", options.micro_batch,
              ", expected 0 (the whole batch) or more");
  JESSL_CHECK(options.max_gradient_norm >= 0 && std::isfinite(options.max_gradient_norm), ConfigError,
              "jessl::Trainer::step: max_gradient_norm is ", options.max_gradient_norm,
              ", expected a finite number >= 0, 0 being none");
  if (!optimizers_.all) {
    network_->to(network_->device());
    network_->take_from_first();
    network_->start_teacher();
    attach();
  }
  network_->set_progress(options.progress);
  optimizers_.for_each([](AnyOptimizer& optimizer) { optimizer.zero_grad(); });
  // The forward pass moves them before the loss tells whether the step was good.
  Kept kept = network_->keep();
  double loss = 0.0;
  try {
    loss = network_->differentiate(views, options.labels, precision_, options.micro_batch);
  } catch (...) {
    kept.put_back();
    throw;
  }
  if (!std::isfinite(loss) || !gradients_are_finite()) {
    kept.put_back();
    fail<DivergenceError>("jessl::Trainer: the loss is ", loss,
                          std::isfinite(loss) ? ", but its gradient is not finite," : "", " after ", steps_taken_,
                          " good steps; the weights are those before this step. Try a lower learning rate, a longer ",
                          "warm-up or float32");
  }
  if (options.max_gradient_norm > 0) limit_gradients(options.max_gradient_norm);
  optimizers_.for_each([](AnyOptimizer& optimizer) { optimizer.step(); });
  network_->after_step();
  ++steps_taken_;
  start_weights_.keep_all(*network_);
  return loss;
}

JESSL_INLINE FitResult Training::run(const FitOptions& options, const Checked& from, const Plan& chosen,
                                     const Source& source, const std::function<Hooks(const Run&)>& start) {
  const Afterwards afterwards(*this, options.weight_decay_end.has_value());
  const IntraOpThreads intra_op(chosen.threads);
  if (chosen.device.is_cpu() && options.keep_freed_memory) keep_freed_memory();
  precision_ = resolve(options.precision, chosen.device.type());
  const distributed::Group& group = network_->group();
  torch::manual_seed(options.seed);  // for what callbacks draw before the first step
  if (!from.resumed) start_weights_.prepare(*network_, options.seed);
  network_->to(chosen.device);
  network_->take_from_first();
  if (!from.resumed) network_->start_teacher();
  attach();
  steps_taken_ = 0;
  if (group.ranks()) group.ranks()->begin_run();
  const double earlier_seconds = from.resumed ? resume(*from.resumed) : 0.0;
  check_ranks_agree(options, from);
  if (from.resumed) network_->take_from_first();
  double last_loss = from.resumed ? loss_of(*from.resumed) : std::numeric_limits<double>::quiet_NaN();

  auto begin = std::chrono::steady_clock::now();
  const auto run_seconds = [&] { return earlier_seconds + seconds_since(begin); };
  const Hooks* started = nullptr;   // the callbacks' states, once they are there
  const Hooks* restored = nullptr;  // and once they are as the checkpoint has them
  const Run info{
      .epochs = options.epochs,
      .steps_per_epoch = source.steps_per_epoch,
      .batch_size = options.batch_size,
      .classes = source.classes,
      .first_step = steps_taken_,
      .resumed_from = from.resumed ? from.resumed->loaded_from : std::filesystem::path(),
      .resumed_loss = last_loss,
      .configuration = from.configuration,
      .resolved = {.device = chosen.device.str(),
                   .precision = precision_,
                   .ranks = group.size(),
                   .threads = chosen.threads,
                   .workers = chosen.workers,
                   .warmup_epochs = warmup_epochs(options),
                   .version = std::string(version)},
      .least_checkpoint_bytes = weight_bytes(network_->modules()),
      .save =
          [&](const std::filesystem::path& path) {
            JESSL_CHECK(restored != nullptr, ConfigError, "jessl::Trainer: a callback's start() calls run.save, ",
                        "which is for the hooks of its state");
            save(path, from.configuration, run_seconds(), last_loss, *restored);
          },
      .report =
          [&](train::Measurement measurement) {
            JESSL_CHECK(started != nullptr, ConfigError, "jessl::Trainer: a callback's start() calls run.report, ",
                        "which is for the hooks of its state");
            measurement.step = steps_taken_;
            measurement.epoch = std::max<std::int64_t>(0, steps_taken_ - 1) / source.steps_per_epoch;
            started->after_measurement(measurement);
          }};
  const double lr_scale = options.scale_lr ? static_cast<double>(options.batch_size) / 256.0 : 1.0;
  const Course course(options, *base_lr_ * lr_scale, base_weight_decay_, source.steps_per_epoch);
  const bool labelled = loss_.labels && source.classes >= 1;
  announce(chosen, source.images);

  const Hooks hooks = start(info);
  started = &hooks;
  if (from.resumed && group.is_first()) hooks.restore(*from.resumed);
  restored = &hooks;
  const bool watched = any_rank(!hooks.after_forward.empty());
  network_->watch(watched);
  AskedBySignals asked(options.heed_signals && any_rank(!hooks.save_point.empty()));

  FitResult result;
  result.resolved = info.resolved;
  begin = std::chrono::steady_clock::now();
  for (std::int64_t epoch = steps_taken_ / source.steps_per_epoch; epoch < options.epochs; ++epoch) {
    const auto epoch_begin = std::chrono::steady_clock::now();
    const std::int64_t first_batch = steps_taken_ % source.steps_per_epoch;
    double loss_sum = 0.0;
    auto waiting_since = epoch_begin;
    source.for_each_batch(epoch, first_batch, [&](const data::Batch& batch) {
      const double loader_seconds = seconds_since(waiting_since);
      const auto step_begin = std::chrono::steady_clock::now();
      BatchTensors tensors = to_tensors(batch);
      for (torch::Tensor& view : tensors.views) view = on_device(view);
      const double lr = course.lr(steps_taken_);
      optimizers_.all->set_lr(lr);
      if (optimizers_.predictor) optimizers_.predictor->set_lr(course.lr_without_decay(steps_taken_));
      if (const auto decay = course.weight_decay(steps_taken_))
        optimizers_.for_each([&](AnyOptimizer& optimizer) { optimizer.set_weight_decay(*decay); });
      const double taken = static_cast<double>(steps_taken_) / static_cast<double>(source.steps_per_epoch);
      torch::manual_seed(seed_of_step(options.seed, steps_taken_, group.rank()));
      network_->send((asked.to_save() ? ask_save : 0.0) + (asked.to_end() ? ask_end : 0.0));
      last_loss =
          step(tensors.views,
               {.labels = labelled ? on_device(tensors.labels) : torch::Tensor(),
                .micro_batch = options.micro_batch,
                .max_gradient_norm = options.max_gradient_norm,
                .progress = jessl::loss::Progress{.epoch = taken, .epochs = static_cast<double>(options.epochs)}});
      const double step_seconds = seconds_since(step_begin);
      loss_sum += last_loss;
      result.loss = last_loss;
      result.images += options.batch_size;
      ++result.steps;
      if (watched) hooks.after_forward(features_of_step(epoch, tensors.labels));
      const StepRecord record{.step = steps_taken_,
                              .epoch = epoch,
                              .loss = last_loss,
                              .learning_rate = lr,
                              .images = options.batch_size,
                              .step_seconds = step_seconds,
                              .loader_seconds = loader_seconds,
                              .parts = network_->loss_parts(),
                              .save_asked = network_->message() > 0.0};
      hooks.after_step(record);
      if (steps_taken_ % source.steps_per_epoch == 0) {
        const std::int64_t steps = source.steps_per_epoch - first_batch;
        hooks.after_epoch(
            {.epoch = epoch,
             .step = steps_taken_,
             .mean_loss = loss_sum / static_cast<double>(steps),
             .images_per_second = static_cast<double>(steps * options.batch_size) / seconds_since(epoch_begin)});
      }
      // Last, so that a checkpoint never stands for an epoch whose callbacks have not run.
      hooks.save_point(record);
      if (record.save_asked) asked.saved();
      if (network_->message() >= ask_end && steps_taken_ < info.total_steps()) {
        asked.ends();
        (void)any_rank(false);  // the first one may be writing yet, and who ends early may have its launcher end all
        fail<InterruptedError>("jessl::Trainer: stopped by SIGTERM after step ", steps_taken_, " of ",
                               info.total_steps(),
                               "; callbacks that save have been asked to, and the run goes on from there with resume");
      }
      waiting_since = std::chrono::steady_clock::now();
    });
  }
  hooks.finish();
  const auto corrupt = torch::full({1}, static_cast<double>(source.corrupt()), torch::kFloat64);
  result.corrupt = static_cast<std::int64_t>(group.all_reduce_sum(corrupt).item<double>());
  if (result.corrupt > 0 && group.is_first())
    note(result.corrupt, result.corrupt == 1 ? " damaged image was replaced" : " damaged images were replaced",
         " by others");
  result.seconds = seconds_since(begin);
  result.run_seconds = run_seconds();
  result.run_images = steps_taken_ * options.batch_size;
  result.images_per_second = result.seconds > 0.0 ? static_cast<double>(result.images) / result.seconds : 0.0;
  return result;
}

JESSL_INLINE void Training::tell_ranks_of_errors(const std::function<void()>& body) const {
  try {
    body();
  } catch (const DistributedError&) {  // they know, or are not there
    throw;
  } catch (const std::exception& error) {
    if (const CollectivesPtr& ranks = network_->group().ranks()) ranks->say_farewell(error.what());
    throw;
  }
}

JESSL_INLINE void Training::initialise(std::uint64_t seed) {
  start_weights_.draw(*network_, seed);
  forget();
}

JESSL_INLINE void Training::keep_weights() { start_weights_.keep_all(*network_); }

JESSL_INLINE void Training::load_weights(const std::filesystem::path& path) {
  const std::vector<NamedModule> modules = network_->encoder();
  load_modules(modules, io::Checkpoint::load(path), path);
  for (const NamedModule& entry : modules) start_weights_.keep(entry.name);
  forget();
}

JESSL_INLINE void Training::save_weights(const std::filesystem::path& path, Json configuration) const {
  io::Checkpoint checkpoint;
  checkpoint.record = {{"configuration", std::move(configuration)}};
  save_modules(network_->encoder(), checkpoint);
  checkpoint.save(path);
}

JESSL_INLINE void Training::Optimizers::load(const io::Checkpoint& checkpoint) const {
  all->load_state_dict(checkpoint.group("optimizer"));
  if (predictor) predictor->load_state_dict(checkpoint.group("predictor_optimizer"));
}

JESSL_INLINE void Training::Optimizers::save(io::Checkpoint& checkpoint) const {
  checkpoint.groups["optimizer"] = all->state_dict();
  if (predictor) checkpoint.groups["predictor_optimizer"] = predictor->state_dict();
}

JESSL_INLINE Training::Afterwards::~Afterwards() {
  training_.precision_ = precision_;
  training_.network_->watch(false);
  try {
    training_.optimizers_.for_each([&](AnyOptimizer& optimizer) {
      optimizer.set_lr(*training_.base_lr_);
      if (changes_weight_decay_) optimizer.set_weight_decay(*training_.base_weight_decay_);
    });
  } catch (const std::exception& error) {
    warn("the optimizer kept the learning rate of the last step: ", error.what());
  }
}

JESSL_INLINE Training::Optimizers Training::attached() const {
  optim::NamedParameters all = optim::named_parameters(network_->trained());
  Optimizers result;
  if (network_->predictor_keeps_lr()) {
    const auto first = std::stable_partition(
        all.begin(), all.end(), [](const auto& parameter) { return !parameter.first.starts_with("predictor."); });
    result.predictor = attach_(optim::NamedParameters(first, all.end()));
    all.erase(first, all.end());
  }
  result.all = attach_(all);
  return result;
}

JESSL_INLINE void Training::attach() {
  Optimizers made = attached();
  base_lr_ = made.all->lr();
  base_weight_decay_ = made.all->weight_decay();
  optimizers_ = std::move(made);
  network_->average_gradients();
}

JESSL_INLINE void Training::forget() {
  optimizers_ = {};
  base_lr_.reset();
  base_weight_decay_.reset();
  network_->start_teacher();
}

JESSL_INLINE void Training::check_views(const std::vector<torch::Tensor>& views) const {
  const std::size_t least = loss_.views ? 2 : 1;
  JESSL_CHECK(views.size() >= least, ShapeError, "jessl::Trainer::step: got ", views.size(),
              " views, expected at least ", least);
  const torch::Device device = network_->device();
  for (std::size_t v = 0; v < views.size(); ++v) {
    JESSL_CHECK(views[v].defined() && views[v].dim() == 4, ShapeError, "jessl::Trainer::step: views[", v, "] is ",
                views[v].defined() ? concat(shape_of(views[v])) : "undefined", ", expected [N, C, H, W]");
    JESSL_CHECK(views[v].size(0) == views[0].size(0), ShapeError, "jessl::Trainer::step: views[", v, "] is ",
                shape_of(views[v]), ", expected as many images as views[0], ", views[0].size(0));
    JESSL_CHECK(views[v].is_floating_point(), ConfigError, "jessl::Trainer::step: views[", v, "] is of type ",
                views[v].dtype().name(), ", expected a floating type; use .to(torch::kFloat)");
    JESSL_CHECK(views[v].device() == device, ConfigError, "jessl::Trainer::step: views[", v, "] is on ",
                views[v].device().str(), ", the weights are on ", device.str(), "; use .to(trainer.device())");
  }
}

JESSL_INLINE std::vector<torch::Tensor> Training::gradients() const {
  std::vector<torch::Tensor> gradients;
  for (const torch::Tensor& parameter : network_->trained().parameters()) {
    if (parameter.grad().defined()) gradients.push_back(parameter.grad());
  }
  return gradients;
}

JESSL_INLINE void Training::limit_gradients(double most) const {
  const std::vector<torch::Tensor> gradients = this->gradients();
  if (gradients.empty()) return;
  const torch::NoGradGuard no_grad;
  const torch::Tensor norm = torch::stack(at::_foreach_norm(gradients)).norm();
  constexpr double least = 1e-6;  // in the denominator, as torch.nn.utils.clip_grad_norm_
  at::_foreach_mul_(gradients, (most / (norm + least)).clamp_max(1.0));
}

JESSL_INLINE bool Training::gradients_are_finite() const {
  const std::vector<torch::Tensor> gradients = this->gradients();
  return gradients.empty() || torch::isfinite(torch::stack(at::_foreach_norm(gradients))).all().item<bool>();
}

JESSL_INLINE torch::Tensor Training::on_device(const torch::Tensor& tensor) const {
  return tensor.to(network_->device(), /*non_blocking=*/true);
}

JESSL_INLINE void Training::check_ranks_agree(const FitOptions& options, const Checked& from) const {
  const distributed::Group& group = network_->group();
  if (!group.ranks()) return;
  const std::string settings = from.configuration.dump() + to_json(options).dump();
  const auto hash = static_cast<std::int64_t>(std::hash<std::string>{}(settings));
  const torch::Tensor all = group.all_gather(torch::tensor({{steps_taken_, hash}}, torch::kInt64));  // [W, 2]
  for (std::int64_t rank = 1; rank < group.size(); ++rank) {
    const auto first = all[0][0].item<std::int64_t>(), begins = all[rank][0].item<std::int64_t>();
    JESSL_CHECK(begins == first, ConfigError, "jessl::Trainer: rank 0 begins after step ", first, " and rank ", rank,
                " after step ", begins, "; all must see the same checkpoint file");
    JESSL_CHECK(all[rank][1].item<std::int64_t>() == all[0][1].item<std::int64_t>(), ConfigError,
                "jessl::Trainer: rank ", rank, " has other settings or other data than rank 0; they must be the same");
  }
}

JESSL_INLINE bool Training::any_rank(bool here) const {
  return network_->group().all_reduce_sum(torch::full({1}, here ? 1.0 : 0.0)).item<double>() > 0.0;
}

JESSL_INLINE torch::Tensor Training::of_all_ranks(const torch::Tensor& rows, std::int64_t views) const {
  const distributed::Group& group = network_->group();
  if (group.size() == 1) return rows;
  const torch::NoGradGuard no_gradient;
  const std::int64_t images = rows.size(0) / views;
  const torch::Tensor all = group.all_gather(rows);  // [W*V*N, ...]
  std::vector<std::int64_t> split{group.size(), views, images};
  for (const std::int64_t extent : rows.sizes().slice(1)) split.push_back(extent);
  return all.view(split).transpose(0, 1).reshape(all.sizes());
}

JESSL_INLINE StepFeatures Training::features_of_step(std::int64_t epoch, const torch::Tensor& labels) {
  const std::vector<Watched> watched = network_->take_watched();
  const torch::Tensor own_labels = on_device(labels);
  std::vector<std::vector<torch::Tensor>> outputs(watched.front().layers.size());  // [layer][part of the batch]
  std::vector<torch::Tensor> repeated;                                             // [part of the batch]
  std::int64_t begin = 0;
  for (const Watched& part : watched) {
    for (std::size_t i = 0; i < outputs.size(); ++i) outputs[i].push_back(of_all_ranks(part.layers[i], part.views));
    repeated.push_back(of_all_ranks(own_labels.narrow(0, begin, part.images), 1).repeat(part.views));
    begin += part.images;
  }
  std::vector<torch::Tensor> whole;
  for (const std::vector<torch::Tensor>& parts : outputs)
    whole.push_back(parts.size() == 1 ? parts.front() : torch::cat(parts));
  StepFeatures features{.step = steps_taken_, .epoch = epoch, .labels = torch::cat(repeated)};
  name_layers(whole, features.layers);
  return features;
}

JESSL_INLINE void Training::announce(const Plan& chosen, std::int64_t images) const {
  const std::string threads = std::to_string(chosen.threads) + (chosen.threads == 1 ? " thread" : " threads");
  const std::string workers = std::to_string(chosen.workers) + (chosen.workers == 1 ? " worker" : " workers");
  const distributed::Group& group = network_->group();
  if (!group.is_first()) return;
  note("training on ", images, " images, ", chosen.device.str(), ", ", std::string(to_json(precision_)), ", ", threads,
       group.size() == 1 ? "" : concat(", in each of ", group.size(), " ranks"), "; ", workers,
       chosen.ahead == 0 ? " load between the steps" : " load beside the steps",
       steps_taken_ > 0 ? concat("; resumed after step ", steps_taken_) : std::string());
  if (chosen.device.is_cpu() && std::max(chosen.threads, chosen.workers) > hardware_threads()) {
    warn("this process may use ", hardware_threads(), " cores: more threads than cores make a step many times slower");
  }
}

JESSL_INLINE void Training::save(const std::filesystem::path& path, const Json& configuration, double run_seconds,
                                 double loss, const Hooks& hooks) const {
  io::Checkpoint checkpoint;
  checkpoint.record = {
      {"configuration", configuration},   {"steps_taken", steps_taken_},         {"loss", loss},
      {"seconds", run_seconds},           {"threads", torch::get_num_threads()}, {"device", network_->device().str()},
      {"ranks", network_->group().size()}};
  save_modules(network_->modules(), checkpoint);
  optimizers_.save(checkpoint);
  hooks.save(checkpoint);
  checkpoint.save(path);
}

JESSL_INLINE double Training::resume(const io::Checkpoint& checkpoint) {
  const Json& record = checkpoint.record;
  const std::string here = network_->device().str();
  const int threads = record.value("threads", torch::get_num_threads());
  const std::string where = record.value("device", here);
  const std::int64_t ranks = network_->group().size();
  const std::int64_t ranks_before = record.value("ranks", std::int64_t{1});
  const auto in_words = [](std::int64_t processes, int of_each, const std::string& device, const std::string& release) {
    return concat(processes == 1 ? "" : concat(processes, " ranks of "), of_each, " threads on ", device, " and jessl ",
                  release);
  };
  const bool says = network_->group().is_first();
  if (says && (threads != torch::get_num_threads() || where != here || checkpoint.version != version ||
               ranks != ranks_before)) {
    warn("the run began with ", in_words(ranks_before, threads, where, checkpoint.version), " and goes on with ",
         in_words(ranks, torch::get_num_threads(), here, std::string(version)),
         "; its losses may differ in the last bits");
  }
  load_modules(network_->modules(), checkpoint, checkpoint.loaded_from);
  optimizers_.load(checkpoint);
  steps_taken_ = record["steps_taken"].get<std::int64_t>();
  return record.value("seconds", 0.0);
}

}  // namespace jessl::train::detail

#endif  // JESSL_DEFINITIONS
