// SPDX-License-Identifier: Apache-2.0
// The trainer: augmentation, backbone, projector, loss and optimizer composed into one run.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <memory>
#include <memory_resource>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <jessl/backbone/concept.hpp>
#include <jessl/core/autocast.hpp>
#include <jessl/core/communicator.hpp>
#include <jessl/core/draw.hpp>
#include <jessl/core/element.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/log.hpp>
#include <jessl/core/matrix.hpp>
#include <jessl/core/module_state.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/core/thread_pool.hpp>
#include <jessl/core/version.hpp>
#include <jessl/core/views.hpp>
#include <jessl/data/concept.hpp>
#include <jessl/data/loader.hpp>
#include <jessl/data/order.hpp>
#include <jessl/io/checkpoint.hpp>
#include <jessl/io/feature_file.hpp>
#include <jessl/loss/concept.hpp>
#include <jessl/optim/concept.hpp>
#include <jessl/optim/warmup_cosine.hpp>
#include <jessl/projector/concept.hpp>
#include <jessl/train/callback.hpp>
#include <jessl/train/detail/network.hpp>
#include <jessl/train/detail/start_weights.hpp>
#include <jessl/train/options.hpp>
#include <jessl/train/pinned_memory.hpp>
#include <jessl/train/progress.hpp>
#include <jessl/train/record.hpp>
#include <jessl/train/tensors.hpp>

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

/// What a step of a loop of one's own is told besides its views.
///
/// Shapes     labels: [N]
/// Errors     see Trainer::step
/// Models     none
/// Source     none
struct StepOptions {
  torch::Tensor labels{};        ///< int64, for a loss that learns from them
  std::int64_t micro_batch = 0;  ///< as FitOptions::micro_batch, but any number of images
  std::optional<loss::Progress>
      progress{};  ///< how far the run is; unset: as in the step before, and at its start in the first
};

namespace detail {

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

/// A policy's settings as JSON, and its type where it has no name; these alone where it does not describe itself.
template <class Policy>
[[nodiscard]] Json policy_json(const Policy& policy) {
  Json document = Json::object();
  if constexpr (Recorded<Policy>) {
    document = to_json(policy);
  } else if constexpr (!policy_name<Policy>().empty()) {
    document["name"] = policy_name<Policy>();
  }
  if (policy_name<Policy>().empty() && document.is_object() && !document.contains("name"))
    document["type"] = c10::demangle(typeid(Policy).name());
  return document;
}

[[nodiscard]] inline torch::Device resolve(Device device) {
  const bool available = torch::cuda::is_available();
  JESSL_CHECK(device != Device::cuda || available, ConfigError,
              "jessl::Trainer: device is cuda, but no CUDA device can be used here; set device = Device::cpu or look "
              "at the driver");
  return device == Device::cpu || !available ? torch::Device(torch::kCPU) : torch::Device(torch::kCUDA);
}

/// Where two JSON documents differ, in words: "/loss/temperature is 0.5 there and 0.2 here". Nothing where only the order of
/// members does, which Json's own comparison sees.
[[nodiscard]] inline std::string differences(const Json& there, const Json& here) {
  std::string text;
  for (const auto& change : Json::diff(there, here)) {
    Json::json_pointer place(change["path"].template get<std::string>());
    if (!place.empty() && place.back() == "-") place.pop_back();  // an element more: the whole list is shown
    text += (text.empty() ? "" : "; ") + (place.empty() ? "the whole" : place.to_string()) + " is " +
            (there.contains(place) ? there[place].dump() : "absent") + " there and " +
            (here.contains(place) ? here[place].dump() : "absent") + " here";
  }
  return text;
}

/// Tells glibc to keep freed memory for the next step. By default it gives the activations back to the system after each
/// step and pays for every page of them again in the next: 13 % of a small network's step. Holds for the whole process.
inline void keep_freed_memory() {
#ifdef __GLIBC__
  constexpr int largest = 32 << 20;  // bytes; glibc takes no larger threshold
  ::mallopt(M_MMAP_THRESHOLD, largest);
  ::mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
#endif
}

/// In the place of a policy that was left out.
struct LeftOut {};

[[nodiscard]] inline double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace detail

/// Learns an image representation: makes views, embeds them, and moves the weights so that views of one image agree.
///
///     jessl::Trainer trainer{jessl::augment::simclr({.size = 28}), jessl::backbone::resnet18({.in_channels = 1}),
///                            jessl::projector::MLP{"2048-2048-128"}, jessl::loss::NTXent{.temperature = 0.2},
///                            jessl::optim::LARS{.lr = 0.5}};
///     trainer.fit(train, {.epochs = 10});
///     jessl::Embedding bank = trainer.embed(train);
///
/// All views of one size go through the encoder in one forward pass. On a CPU the loader makes the next batch between two
/// steps on the same threads, because a loader beside the step would fight it for the cores; beside a GPU it works ahead.
///
/// Shapes     views: V x [N, C, H, W] -> representation [N, D] -> embedding [N, E]
/// Precision  convolutions and products as FitOptions::precision says; statistics, losses and optimizer in float32
/// Randomness weights that nobody loaded, order and augmentation from FitOptions::seed; equal seeds give equal runs, on a CPU
///            with the same number of LibTorch threads bit for bit
/// Errors     see check(), fit() and embed(); a template argument that is not a policy of its role is a one-line message
///            of the compiler
/// Models     none
/// Source     none
template <class A, class B, class P, class L, class O>
class Trainer {
  static_assert(ViewMaker<A>,
                "jessl::Trainer requires 'Augmentation' to be a jessl::ViewMaker: views, shape(view, channels), "
                "region(extent, key) and make(part, key, scratch, out); see docs/augment/README.md");
  // Said here, before any other line can fail for the same reason.
  using Requirements = std::bool_constant<(require_backbone<B>(), require_projector<P>(), require_loss<L>(),
                                           require_optimizer<O>(), true)>;
  static_assert(
      !TaughtLoss<L> || !Backbone<B> || train::detail::Copyable<B>,
      "jessl::Trainer requires 'Backbone' to hold a torch::nn::Cloneable where the loss wants a teacher, which is a "
      "copy of it; see docs/backbone/README.md");

 public:
  Trainer(A augmentation, B backbone, P projector, L loss, O optimizer)
      : augmentation_(std::move(augmentation)),
        projector_policy_(std::move(projector)),
        optimizer_policy_(std::move(optimizer)),
        network_(make_network(std::move(backbone), projector_policy_, std::move(loss))) {
    tells_loaded_weights_ =
        backbone::is_made_from_seed(network_.backbone()) || train::detail::is_drawn_from(network_.backbone(), 0);
  }

  // A copy would share the weights and train them twice.
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;
  Trainer(Trainer&&) = default;
  Trainer& operator=(Trainer&&) = default;

  /// Says whether a run can work, and why not, before any image is decoded.
  ///
  /// It reads the labels of all images and the stored bytes of sixteen, which say whose data a checkpoint belongs to, and
  /// the checkpoint to resume. One that can't be read is left out of the comparison.
  ///
  /// Errors     ConfigError for a setting out of range (of the run, the loss or the optimizer), a batch that the data
  ///            cannot fill, views that cannot be made from such images, views or batches that the loss can't work with, a
  ///            device that is not there, a checkpoint of another run to resume, a backbone of which nobody can tell whether
  ///            its weights were loaded; DataError when that checkpoint is absent or damaged; ShapeError when the backbone does
  ///            not take the views
  template <Dataset D, Order<D> R = data::order::Shuffled>
  void check(const D& data, const FitOptions& options, const R& order = {}) const {
    (void)checked(data, options, order);
  }

  /// Trains on `data`. Without callbacks a progress bar shows the run.
  ///
  /// Weights that are as they were made are drawn anew from the seed; weights that were loaded, before or after the
  /// trainer was made, or trained are kept, and with them what the loss remembers (keep_weights() says it of a module that
  /// was not made by its backbone::Holder). A teacher starts as the student.
  ///
  /// It changes the process: LibTorch's default generators are seeded, or set to what they were in the run that is resumed,
  /// and stay so; on a CPU glibc keeps freed memory from now on (FitOptions::keep_freed_memory).
  ///
  /// Errors     what check() says; what the data set and the callbacks throw; DivergenceError when the loss is not
  ///            finite (the weights are then those before the step); when resuming, DataError or ConfigError if the
  ///            checkpoint is damaged or belongs to another run
  template <Dataset D, Callback<Trainer>... C>
  FitResult fit(const D& data, const FitOptions& options = {}, const C&... callbacks) {
    if constexpr (sizeof...(C) == 0) {
      return fit(data, options, train::Progress{});
    } else {
      return fit(data, options, data::order::Shuffled{}, callbacks...);
    }
  }

  /// As above, with epochs in another order than data::order::Shuffled: data::order::QuasiRandom for data larger than memory.
  template <Dataset D, Order<D> R, Callback<Trainer>... C>
  FitResult fit(const D& data, const FitOptions& options, const R& order, const C&... callbacks) {
    if constexpr (sizeof...(C) == 0) {
      return fit(data, options, order, train::Progress{});
    } else {
      (require_hooks<C, Trainer>(), ...);
      return run(data, options, order, checked(data, options, order), callbacks...);
    }
  }

  /// Takes one step on views [N, C, H, W] and returns the loss. For loops of one's own: fit() calls this too. The learning rate
  /// is the optimizer's own, and what is computed is of the weights' type, also after a run.
  ///
  /// Errors     ShapeError when there are fewer than two views (for a jessl::SupervisedLoss alone: none), one is not
  ///            [N, C, H, W] or the loss is no scalar; ConfigError when a view is not of a floating type or on another device
  ///            than the weights, or the loss does not depend on them; DivergenceError when the loss or its gradient is not
  ///            finite: weights, running statistics and the loss's state are then those before the step
  double step(const std::vector<torch::Tensor>& views, const StepOptions& options = {}) {
    check_views(views);
    JESSL_CHECK(options.micro_batch >= 0, ConfigError, "jessl::Trainer::step: micro_batch is ", options.micro_batch,
                ", expected 0 (the whole batch) or more");
    if (!optimizer_) {
      network_.to(network_.device());
      network_.start_teacher();
      attach_optimizers();
    }
    network_.set_progress(options.progress);
    for_each_optimizer([](Attached& optimizer) { optimizer.zero_grad(); });
    // The forward pass moves them before the loss tells whether the step was good.
    auto kept = network_.keep();
    double loss = 0.0;
    try {
      loss = network_.differentiate(views, options.labels, precision_, options.micro_batch);
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
    for_each_optimizer([](Attached& optimizer) { optimizer.step(); });
    network_.after_step();
    ++steps_taken_;
    start_weights_.keep_all(network_);
    return loss;
  }

  /// The representations of all images of `data`, in order, with their labels: the backbone's output in evaluation mode,
  /// on the views of `evaluation(augmentation)`.
  ///
  /// The row of a damaged image is that of another one, with its label, as in a run; each is a warning.
  ///
  /// Errors     ConfigError for a setting out of range or data without images; DataError for a damaged image
  ///            (OnCorrupt::error), or too many (OnCorrupt::substitute); ShapeError where the backbone does not take the
  ///            channels or the size of the views
  template <Dataset D>
  [[nodiscard]] Embedding embed(const D& data, const EmbedOptions& options = {}) {
    return embed(data, options, evaluation_views());
  }

  /// As above, on the first view that `maker` makes of each image.
  template <Dataset D, ViewMaker M>
  [[nodiscard]] Embedding embed(const D& data, const EmbedOptions& options, const M& maker) {
    Embedding result{RowMatrix(data.size(), network_.backbone().feature_dim), {}};
    B backbone = network_.backbone();
    evaluate("jessl::Trainer::embed", data, options, maker,
             [&](const torch::Tensor& images, Eigen::Index row, std::span<const std::int64_t> labels) {
               copy_rows(backbone->forward(images), result.features, row);
               result.labels.insert(result.labels.end(), labels.begin(), labels.end());
             });
    return result;
  }

  /// As embed(), into a file for io::FeatureFile, batch by batch: of more images than memory holds the features of.
  ///
  /// The file has labels where the data set has classes. Its texts say the layer ("representation"), the settings of the
  /// backbone, the views and this call as JSON, and jessl's version; `metadata` adds others, and replaces those of its names.
  ///
  /// Errors     as embed(); IOError as io::FeatureFileWriter, where the disk has no room before the first image is read:
  ///            what stood at `path` then stays
  template <Dataset D>
  void embed_to(const D& data, const std::filesystem::path& path, const EmbedOptions& options = {},
                const io::safetensors::Metadata& metadata = {}) {
    embed_to(data, path, options, evaluation_views(), metadata);
  }

  /// As above, on the first view that `maker` makes of each image.
  template <Dataset D, ViewMaker M>
  void embed_to(const D& data, const std::filesystem::path& path, const EmbedOptions& options, const M& maker,
                const io::safetensors::Metadata& metadata = {}) {
    io::safetensors::Metadata texts = metadata;
    texts.insert({{"layer", "representation"},
                  {"backbone", detail::policy_json(network_.backbone()).dump()},
                  {"views", detail::policy_json(maker).dump()},
                  {"options", to_json(options).dump()},
                  {"jessl", std::string(version)}});
    const bool labelled = data.classes() > 0;
    B backbone = network_.backbone();
    io::FeatureFileWriter file(
        path,
        {.dimension = backbone.feature_dim, .rows = data.size(), .labels = labelled, .metadata = std::move(texts)});
    evaluate("jessl::Trainer::embed_to", data, options, maker,
             [&](const torch::Tensor& images, Eigen::Index, std::span<const std::int64_t> labels) {
               const torch::Tensor rows = rows_of(backbone->forward(images));
               file.append(map_rows(rows), labelled ? labels : std::span<const std::int64_t>());
             });
    file.commit();
  }

  /// The features of all images of `data` at every layer, in order, with their labels: the backbone's representation and the
  /// output of each layer of the projector, in evaluation mode, on the views of `evaluation(augmentation)`. With
  /// `options.blocks` those of the backbone's blocks come first, pooled.
  ///
  /// Errors     as embed(); ConfigError for `blocks` where the backbone's module has no blocks(images)
  template <Dataset D>
  [[nodiscard]] LayerEmbedding embed_layers(const D& data, const EmbedOptions& options = {}) {
    return embed_layers(data, options, evaluation_views());
  }

  /// As above, on the first view that `maker` makes of each image.
  template <Dataset D, ViewMaker M>
  [[nodiscard]] LayerEmbedding embed_layers(const D& data, const EmbedOptions& options, const M& maker) {
    LayerEmbedding result;
    evaluate("jessl::Trainer::embed_layers", data, options, maker,
             [&](const torch::Tensor& images, Eigen::Index row, std::span<const std::int64_t> labels) {
               const std::vector<train::Layer> layers = layers_of(images, options.blocks);
               result.layers.resize(layers.size());
               for (std::size_t i = 0; i < layers.size(); ++i) {
                 auto& [name, features] = result.layers[i];
                 if (row == 0) {
                   name = layers[i].name;
                   features.resize(data.size(), layers[i].output.size(1));
                 }
                 copy_rows(layers[i].output, features, row);
               }
               result.labels.insert(result.labels.end(), labels.begin(), labels.end());
             });
    return result;
  }

  /// The embeddings of all images of `data`, in order, with their labels: the projector's output in evaluation mode, on the
  /// views of `evaluation(augmentation)`. Of a network that was trained as a classifier they are the class scores.
  ///
  /// Errors     as embed()
  template <Dataset D>
  [[nodiscard]] Embedding project(const D& data, const EmbedOptions& options = {}) {
    return project(data, options, evaluation_views());
  }

  /// As above, on the first view that `maker` makes of each image.
  template <Dataset D, ViewMaker M>
  [[nodiscard]] Embedding project(const D& data, const EmbedOptions& options, const M& maker) {
    auto head = network_.projector();
    Embedding result{RowMatrix(data.size(), head->out_features), {}};
    B backbone = network_.backbone();
    evaluate("jessl::Trainer::project", data, options, maker,
             [&](const torch::Tensor& images, Eigen::Index row, std::span<const std::int64_t> labels) {
               copy_rows(head->forward(backbone->forward(images)), result.features, row);
               result.labels.insert(result.labels.end(), labels.begin(), labels.end());
             });
    return result;
  }

  /// Draws all weights anew as a pure function of the seed: those that a run with this seed starts from.
  void initialise(std::uint64_t seed) {
    start_weights_.draw(network_, seed);
    forget_training();
  }

  /// Says that fit() is to start from the weights that the modules have, wherever those come from.
  void keep_weights() { start_weights_.keep_all(network_); }

  /// What makes the views.
  [[nodiscard]] const A& augmentation() const { return augmentation_; }

  /// The backbone; shared with the trainer, not copied.
  [[nodiscard]] B backbone() const { return network_.backbone(); }

  /// The backbone of the teacher, where the loss wants one; shared with the trainer, not copied.
  [[nodiscard]] B teacher() const requires TaughtLoss<L> { return network_.teacher(); }

  /// The predictor's module, where the loss wants one; shared with the trainer, not copied.
  [[nodiscard]] auto predictor() const requires PredictedLoss<L> { return network_.predictor(); }

  /// What the loss made for itself, where it has a state; shared with the trainer, not copied.
  [[nodiscard]] auto loss_state() const requires StatefulLoss<L> { return network_.state(); }

  /// The projector's module; shared with the trainer, not copied.
  [[nodiscard]] auto projector() const { return network_.projector(); }

  /// Where the weights are.
  [[nodiscard]] torch::Device device() const { return network_.device(); }

  /// The settings of all five policies.
  [[nodiscard]] Json configuration() const {
    return {{"augmentation", detail::policy_json(augmentation_)},
            {"backbone", detail::policy_json(network_.backbone())},
            {"projector", detail::policy_json(projector_policy_)},
            {"loss", detail::policy_json(network_.loss())},
            {"optimizer", detail::policy_json(optimizer_policy_)}};
  }

  /// The backbone's and projector's weights from a checkpoint, without the rest of its run.
  ///
  /// Errors     DataError when the file is damaged; ShapeError when it is of another architecture
  void load_weights(const std::filesystem::path& path) {
    const io::Checkpoint checkpoint = io::Checkpoint::load(path);
    const auto is_weight = [](std::string_view name) { return name == "backbone" || name == "projector"; };
    load(checkpoint, path, is_weight);
    for (const std::string_view name : {"backbone", "projector"}) start_weights_.keep(name);
    forget_training();
  }

  /// Writes the backbone's and projector's weights to a file that load_weights() reads.
  ///
  /// Errors     IOError; the file that was there before stays
  void save_weights(const std::filesystem::path& path) const {
    io::Checkpoint checkpoint;
    checkpoint.record = {{"configuration", configuration()}};
    checkpoint.groups["backbone"] = module_state(*network_.backbone());
    checkpoint.groups["projector"] = module_state(*network_.projector());
    checkpoint.save(path);
  }

 private:
  static constexpr std::int64_t most_epochs =
      1'000'000;  // each is asked for its views' shapes; a draw's key has 32 bits
  static constexpr std::int64_t least_views = Loss<L> ? 2 : 1;  // labels alone need no second view
  static constexpr std::int64_t most_threads = data::LoaderOptions::most_workers;

  // Of the archetypes where a requirement is not met, so that its message is not followed by those of every use.
  using Attached = optim::StateOf<std::conditional_t<Optimizer<O>, O, OptimizerArchetype>>;
  static constexpr bool fits = Backbone<B> && Projector<P> && (Loss<L> || SupervisedLoss<L>);
  using Network =
      std::conditional_t<fits, train::detail::NetworkOf<B, P, L>,
                         train::detail::NetworkOf<BackboneArchetype, ProjectorArchetype, LossArchetype>>::type;

  /// What fit() decided where the options leave it open.
  struct Plan {
    torch::Device device;
    std::int64_t threads = 0;
    std::int64_t workers = 0;
    std::int64_t ahead = 0;
  };

  /// What a run needs of its check: its resolved settings, and the checkpoint that it goes on from.
  struct Checked {
    Json configuration{};
    std::optional<io::Checkpoint> resumed{};
  };

  template <Dataset D, class R>
  [[nodiscard]] Checked checked(const D& data, const FitOptions& options, const R& order) const {
    static_assert(Recorded<R>,
                  "jessl::Trainer requires an order that can be recorded in checkpoints: adapt it by "
                  "JESSL_OPTIONS, or give it to_json(); see docs/data/order.md");
    static_assert(A::views >= least_views,
                  "jessl::Trainer::fit requires an augmentation of at least two views, which the loss compares; see "
                  "augment::two_views in docs/augment/README.md");
    const auto require = [](bool condition, auto&&... text) {
      JESSL_CHECK(condition, ConfigError, "jessl::Trainer: ", text...);
    };
    require(options.epochs >= 1 && options.epochs <= most_epochs, "epochs is ", options.epochs, ", expected 1 to ",
            most_epochs);
    require(options.batch_size >= 2, "batch_size is ", options.batch_size,
            ", expected at least 2: a loss compares images");
    require(options.batch_size <= data.size(), "batch_size is ", options.batch_size, ", but the data set has only ",
            data.size(), " images; take a smaller batch_size");
    require(options.micro_batch >= 0 && options.micro_batch != 1 &&
                (options.micro_batch == 0 || options.batch_size % options.micro_batch == 0),
            "micro_batch is ", options.micro_batch,
            ", expected 0 (the whole batch), or at least 2 images and a divisor of batch_size = ", options.batch_size);
    require(Loss<L> || data.classes() >= 1, "the loss learns from labels, and the data set has none");
    require(options.max_corrupt_share >= 0.0 && options.max_corrupt_share <= 1.0, "max_corrupt_share is ",
            options.max_corrupt_share, ", expected 0 to 1");
    require(options.end_ratio >= 0.0 && options.end_ratio <= 1.0, "end_ratio is ", options.end_ratio,
            ", expected 0 to 1");
    require(options.threads >= 0 && options.threads <= most_threads, "threads is ", options.threads,
            ", expected 0 (all) to ", most_threads);
    require(options.workers >= 0 && options.workers <= most_threads, "workers is ", options.workers,
            ", expected 0 (chosen for you) to ", most_threads);
    if constexpr (requires { network_.loss().check(); }) network_.loss().check();
    (void)attached();  // checks its settings
    const double warmup = warmup_epochs(options);
    require(warmup >= 0.0 && warmup <= static_cast<double>(options.epochs), "warmup_epochs is ", warmup,
            ", expected 0 to epochs = ", options.epochs, "; set fewer, or leave it unset");
    (void)detail::resolve(options.device);
    require(start_weights_.keeps("backbone") || tells_loaded_weights_ || !options.resume.empty(),
            "the backbone came with weights that its initialise(0) does not give: perhaps loaded ones. Call "
            "keep_weights() to start from them or initialise(seed) to draw others, or let backbone::Holder make the "
            "module");
    std::vector<ViewShape> shapes;  // of all views in all epochs
    const std::int64_t different_epochs = ProgressiveViewMaker<A> ? options.epochs : 1;
    for (std::int64_t epoch = 0; epoch < different_epochs; ++epoch) {
      std::vector<ViewShape> views;
      for (std::int64_t view = 0; view < A::views; ++view)
        views.push_back(shape_in_epoch(augmentation_, view, data.channels(), epoch));
      if constexpr (ImagesLoss<L>) network_.check_images(views.front());
      check_batch(views, options.batch_size, data.classes(), static_cast<double>(options.epochs),
                  1.0 / static_cast<double>(data.size() / options.batch_size));
      for (const ViewShape& shape : views) {
        if (std::find(shapes.begin(), shapes.end(), shape) == shapes.end()) shapes.push_back(shape);
      }
    }
    try_backbone(shapes);
    Checked result{run_configuration(data, options, order), {}};
    if (!options.resume.empty()) result.resumed = resumable(options.resume, result.configuration);
    return result;
  }

  /// The views of an evaluation: those of the run without chance.
  [[nodiscard]] auto evaluation_views() const {
    static_assert(
        requires { evaluation(augmentation_); },
        "jessl::Trainer::embed requires evaluation(augmentation), or a view maker after the options; see "
        "docs/train/README.md");
    return evaluation(augmentation_);
  }

  /// Calls visit(images [n, C, H, W], row of the first, labels [n]) for all images of `data`, in order, in evaluation mode and
  /// without gradient.
  template <Dataset D, ViewMaker M, class Visit>
  void evaluate(std::string_view who, const D& data, const EmbedOptions& options, const M& maker, const Visit& visit) {
    JESSL_CHECK(data.size() >= 1, ConfigError, who, ": the data set has no images");
    JESSL_CHECK(options.batch_size >= 1, ConfigError, who, ": batch_size is ", options.batch_size,
                ", expected at least 1");
    JESSL_CHECK(options.threads >= 0 && options.threads <= most_threads, ConfigError, who, ": threads is ",
                options.threads, ", expected 0 (all) to ", most_threads);
    const std::int64_t threads = options.threads == 0 ? hardware_threads() : options.threads;
    const detail::IntraOpThreads intra_op(threads);
    const torch::NoGradGuard no_gradient;
    network_.to(network_.device());  // all of it, where a caller has moved or converted the backbone alone
    const train::detail::EvaluationMode backbone_mode(network_.backbone().ptr());
    const train::detail::EvaluationMode projector_mode(network_.projector().ptr());
    train::PinnedMemory pinned;
    data::Loader loader(data, maker,
                        {.batch_size = std::min(options.batch_size, data.size()),
                         .workers = threads,
                         .ahead = 0,
                         .drop_last = false,
                         .on_corrupt = options.on_corrupt,
                         .max_corrupt_share = options.max_corrupt_share,
                         .element = element(resolve(options.precision, device().type())),
                         .layout = Layout::channels_last},
                        data::order::Sequential{}, batch_memory(device(), pinned));
    const Autocast autocast(device().type(), options.precision);
    Eigen::Index row = 0;
    for (const data::Batch& batch : loader.epoch(0)) {
      visit(on_device(train::to_tensors(batch).views.front()), row, batch.labels);
      row += batch.size();
    }
  }

  /// Features [n, D] of any type and on any device as map_rows() takes them.
  [[nodiscard]] static torch::Tensor rows_of(const torch::Tensor& features) {
    return features.to(torch::kCPU, torch::kFloat).contiguous();
  }

  [[nodiscard]] static Eigen::Map<const RowMatrix> map_rows(const torch::Tensor& rows) {
    return {rows.template data_ptr<float>(), rows.size(0), rows.size(1)};
  }

  /// Features [n, D] into the rows of a matrix from `first` on.
  static void copy_rows(const torch::Tensor& features, RowMatrix& matrix, Eigen::Index first) {
    const torch::Tensor rows = rows_of(features);
    matrix.middleRows(first, rows.size(0)) = map_rows(rows);
  }

  /// The network's layers, named: the backbone's blocks where they are asked for, its representation, the projector's.
  [[nodiscard]] std::vector<train::Layer> layers_of(const torch::Tensor& images, bool blocks) const {
    std::vector<train::Layer> layers;
    B backbone = network_.backbone();
    torch::Tensor features;
    if constexpr (requires { backbone->blocks(images); }) {
      if (blocks) {
        for (auto& [name, output] : backbone->blocks(images)) layers.push_back({name, std::move(output)});
        features = layers.back().output;
        layers.pop_back();  // the representation, which has a name of its own
      }
    } else {
      JESSL_CHECK(!blocks, ConfigError,
                  "jessl::Trainer::embed_layers: the backbone does not tell its blocks' features; ",
                  "give its module blocks(images) (docs/backbone/README.md), or leave blocks off");
    }
    if (!features.defined()) features = backbone->forward(images);
    auto head = network_.projector();
    std::vector<torch::Tensor> outputs = head->layers(features);
    outputs.insert(outputs.begin(), features);
    name_layers(outputs, layers);
    return layers;
  }

  /// Appends the representation and the projector's layers, with their names.
  static void name_layers(const std::vector<torch::Tensor>& outputs, std::vector<train::Layer>& layers) {
    for (std::size_t i = 0; i < outputs.size(); ++i) layers.push_back({train::layer_name(i), outputs[i]});
  }

  /// Asks the loss whether it can work with batches of such views of an image.
  void check_batch(const std::vector<ViewShape>& views, std::int64_t images, std::int64_t classes, double epochs,
                   double epochs_of_step) const {
    if constexpr (requires(const loss::BatchShape& batch) { network_.loss().check_batch(batch); }) {
      const auto large = std::find_if(views.begin(), views.end(), [&](const auto& view) { return view != views[0]; });
      network_.loss().check_batch({.views = static_cast<std::int64_t>(views.size()),
                                   .large_views = large - views.begin(),
                                   .images = images,
                                   .width = network_.projector()->out_features,
                                   .classes = classes,
                                   .epochs = epochs,
                                   .last_epoch = epochs - epochs_of_step});
    }
  }

  [[nodiscard]] static double warmup_epochs(const FitOptions& options) {
    return options.warmup_epochs.value_or(std::min(10.0, static_cast<double>(options.epochs) / 10.0));
  }

  [[nodiscard]] static Plan plan(const FitOptions& options, const std::optional<io::Checkpoint>& resumed) {
    const torch::Device device = detail::resolve(options.device);
    const std::int64_t cores = hardware_threads();
    // Sums over another number of threads have other last bits. More threads than cores are not chosen for anybody.
    const std::int64_t recorded = resumed ? resumed->record.value("threads", cores) : cores;
    const std::int64_t threads = options.threads == 0 ? std::clamp<std::int64_t>(recorded, 1, cores) : options.threads;
    if (device.is_cpu()) return {device, threads, options.workers == 0 ? threads : options.workers, 0};
    return {device, threads, options.workers == 0 ? std::max<std::int64_t>(1, cores - 1) : options.workers, 2};
  }

  /// Sends two blank images through the backbone, so that a mismatch is known before the run.
  void try_backbone(const std::vector<ViewShape>& shapes) const {
    const torch::NoGradGuard no_gradient;
    B backbone = network_.backbone();
    const train::detail::EvaluationMode evaluation_mode(backbone.ptr());
    for (const ViewShape& shape : shapes) {
      try {
        const torch::Tensor features =
            backbone->forward(torch::zeros({2, shape.channels, shape.height, shape.width}, device()));
        JESSL_CHECK(features.dim() == 2 && features.size(1) == backbone.feature_dim, ShapeError,
                    "jessl::Trainer: the backbone makes ", shape_of(features), " of two images, expected [2, ",
                    backbone.feature_dim, "]");
      } catch (const c10::Error& error) {
        const std::string reason = error.what_without_backtrace();
        fail<ShapeError>("jessl::Trainer: the backbone does not take views of shape ", shape, ": ",
                         reason.substr(0, reason.find('\n')),
                         "; do the backbone's in_channels and stem fit the images?");
      }
    }
  }

  void check_views(const std::vector<torch::Tensor>& views) const {
    JESSL_CHECK(static_cast<std::int64_t>(views.size()) >= least_views, ShapeError, "jessl::Trainer::step: got ",
                views.size(), " views, expected at least ", least_views);
    for (std::size_t v = 0; v < views.size(); ++v) {
      JESSL_CHECK(views[v].defined() && views[v].dim() == 4, ShapeError, "jessl::Trainer::step: views[", v, "] is ",
                  views[v].defined() ? concat(shape_of(views[v])) : "undefined", ", expected [N, C, H, W]");
      JESSL_CHECK(views[v].size(0) == views[0].size(0), ShapeError, "jessl::Trainer::step: views[", v, "] is ",
                  shape_of(views[v]), ", expected as many images as views[0], ", views[0].size(0));
      JESSL_CHECK(views[v].is_floating_point(), ConfigError, "jessl::Trainer::step: views[", v, "] is of type ",
                  views[v].dtype().name(), ", expected a floating type; use .to(torch::kFloat)");
      JESSL_CHECK(views[v].device() == device(), ConfigError, "jessl::Trainer::step: views[", v, "] is on ",
                  views[v].device().str(), ", the weights are on ", device().str(), "; use .to(trainer.device())");
    }
  }

  [[nodiscard]] bool gradients_are_finite() const {
    std::vector<torch::Tensor> gradients;
    for (const torch::Tensor& parameter : network_.trained().parameters()) {
      if (parameter.grad().defined()) gradients.push_back(parameter.grad());
    }
    return gradients.empty() || torch::isfinite(torch::stack(at::_foreach_norm(gradients))).all().template item<bool>();
  }

  [[nodiscard]] static Network make_network(B backbone, const P& projector, L loss) {
    if constexpr (fits) {
      return Network(std::move(backbone), projector, std::move(loss));
    } else {
      return Network({}, {}, {});
    }
  }

  /// The optimizer's state for all that learns; for a predictor whose learning rate is constant a state of its own.
  [[nodiscard]] std::pair<Attached, std::optional<Attached>> attached() const {
    optim::NamedParameters all = optim::named_parameters(network_.trained());
    std::optional<Attached> predictors;
    if constexpr (PredictedLoss<L>) {
      if (network_.loss().predictor.constant_lr) {
        const auto first = std::stable_partition(
            all.begin(), all.end(), [](const auto& parameter) { return !parameter.first.starts_with("predictor."); });
        predictors.emplace(optimizer_policy_.attach(optim::NamedParameters(first, all.end())));
        all.erase(first, all.end());
      }
    }
    return {optimizer_policy_.attach(all), std::move(predictors)};
  }

  /// Of other weights: momenta, and the teacher that followed them.
  void forget_training() {
    optimizer_.reset();
    predictor_optimizer_.reset();
    base_lr_.reset();
    network_.start_teacher();
  }

  void attach_optimizers() {
    auto [all, predictors] = attached();
    optimizer_.emplace(std::move(all));
    predictor_optimizer_ = std::move(predictors);
    base_lr_ = optimizer_->lr();
  }

  template <class Visit>
  void for_each_optimizer(const Visit& visit) {
    visit(*optimizer_);
    if (predictor_optimizer_) visit(*predictor_optimizer_);
  }

  /// A tensor where the weights are. Beside a GPU the copy is under way: whoever reads a result of it, as step() does, has
  /// waited for it.
  [[nodiscard]] torch::Tensor on_device(const torch::Tensor& tensor) const {
    return tensor.to(device(), /*non_blocking=*/true);
  }

  /// What a loader's batches are to be, so that the step needs no other form of them: in the order in which the network
  /// runs, and, if autocast would round them first of all, rounded.
  [[nodiscard]] static Element element(Precision precision) {
    return precision == Precision::bfloat16 && backbone::casts_images<B>() ? Element::bfloat16 : Element::float32;
  }

  /// Where a loader's batches are to lie: a GPU copies from page-locked memory while the CPU goes on.
  [[nodiscard]] static std::pmr::memory_resource* batch_memory(const torch::Device& device,
                                                               train::PinnedMemory& pinned) {
    return device.is_cuda() ? &pinned : std::pmr::new_delete_resource();
  }

  /// Puts back what a run sets for its steps, so that those of one's own after it are as those before it.
  class Afterwards {
   public:
    explicit Afterwards(Trainer& trainer) : trainer_(trainer), precision_(trainer.precision_) {}
    Afterwards(const Afterwards&) = delete;
    Afterwards& operator=(const Afterwards&) = delete;
    ~Afterwards() {
      trainer_.precision_ = precision_;
      trainer_.network_.watch(false);
      if (!trainer_.base_lr_) return;  // nothing was attached
      trainer_.for_each_optimizer([&](Attached& optimizer) { optimizer.set_lr(*trainer_.base_lr_); });
    }

   private:
    Trainer& trainer_;
    Precision precision_;
  };

  template <class D, class R, class... C>
  FitResult run(const D& data, const FitOptions& options, const R& order, const Checked& from, const C&... callbacks) {
    const Afterwards afterwards(*this);
    const Plan chosen = plan(options, from.resumed);
    const detail::IntraOpThreads intra_op(chosen.threads);
    if (chosen.device.is_cpu() && options.keep_freed_memory) detail::keep_freed_memory();
    precision_ = resolve(options.precision, chosen.device.type());
    torch::manual_seed(options.seed);
    if (!from.resumed) start_weights_.prepare(network_, options.seed);
    network_.to(chosen.device);
    if (!from.resumed) network_.start_teacher();
    attach_optimizers();
    steps_taken_ = 0;

    train::PinnedMemory pinned;
    data::Loader loader(data, augmentation_,
                        {.batch_size = options.batch_size,
                         .workers = chosen.workers,
                         .ahead = chosen.ahead,
                         .drop_last = true,
                         .seed = options.seed,
                         .decoding = options.decoding,
                         .on_corrupt = options.on_corrupt,
                         .max_corrupt_share = options.max_corrupt_share,
                         .element = element(precision_),
                         .layout = Layout::channels_last},
                        order, batch_memory(chosen.device, pinned));
    const std::int64_t steps_per_epoch = loader.batches();
    const Json& configuration = from.configuration;
    const double earlier_seconds = from.resumed ? resume(*from.resumed, options.resume) : 0.0;
    double last_loss = from.resumed ? loss_of(*from.resumed) : std::numeric_limits<double>::quiet_NaN();

    auto begin = std::chrono::steady_clock::now();
    const auto run_seconds = [&] { return earlier_seconds + detail::seconds_since(begin); };
    // Of the callbacks' states, once there are any.
    std::function<void(io::Checkpoint&)> add_states = [](io::Checkpoint&) {
      fail<ConfigError>("jessl::Trainer: a callback's start() calls run.save, which is for the hooks of its state");
    };
    std::function<void(train::Measurement)> deliver = [](const train::Measurement&) {
      fail<ConfigError>("jessl::Trainer: a callback's start() calls run.report, which is for the hooks of its state");
    };
    train::Run info{
        .epochs = options.epochs,
        .steps_per_epoch = steps_per_epoch,
        .batch_size = options.batch_size,
        .classes = data.classes(),
        .first_step = steps_taken_,
        .resumed_from = options.resume,
        .resumed_loss = last_loss,
        .configuration = configuration,
        .resolved = {.device = chosen.device.str(),
                     .precision = precision_,
                     .threads = chosen.threads,
                     .workers = chosen.workers,
                     .warmup_epochs = warmup_epochs(options),
                     .version = std::string(version)},
        .least_checkpoint_bytes = weight_bytes(),
        .save =
            [&](const std::filesystem::path& path) { save(path, configuration, run_seconds(), last_loss, add_states); },
        .report = [&](const train::Measurement& measurement) { deliver(measurement); }};
    const double lr_scale = options.scale_lr ? static_cast<double>(options.batch_size) / 256.0 : 1.0;
    const optim::WarmupCosine schedule{.base_lr = *base_lr_ * lr_scale,
                                       .warmup_steps = static_cast<std::int64_t>(
                                           std::llround(warmup_epochs(options) * static_cast<double>(steps_per_epoch))),
                                       .total_steps = info.total_steps(),
                                       .end_ratio = options.end_ratio};
    const bool labelled = SupervisedLoss<L> && data.classes() >= 1;
    announce(chosen, data.size());

    std::tuple states{train::start(callbacks, info, *this)...};
    const auto tell = [&states](auto&& hook) { std::apply([&](auto&... state) { (hook(state), ...); }, states); };
    deliver = [&](train::Measurement measurement) {
      measurement.step = steps_taken_;
      measurement.epoch = std::max<std::int64_t>(0, steps_taken_ - 1) / steps_per_epoch;
      tell([&](auto& state) {
        if constexpr (requires { state.after_measurement(measurement); }) state.after_measurement(measurement);
      });
    };
    const std::vector<std::string> names = callback_groups<C...>();
    if (from.resumed) restore(states, names, *from.resumed);
    add_states = [&](io::Checkpoint& checkpoint) {
      auto group = names.begin();
      tell([&](const auto& state) {
        if constexpr (train::KeptInCheckpoints<std::remove_cvref_t<decltype(state)>>)
          checkpoint.groups[*group] = state.state_dict();
        ++group;
      });
    };
    constexpr bool watched = (train::SeesFeatures<train::StateOf<C, Trainer>> || ...);
    network_.watch(watched);

    FitResult result;
    result.resolved = info.resolved;
    begin = std::chrono::steady_clock::now();
    for (std::int64_t epoch = steps_taken_ / steps_per_epoch; epoch < options.epochs; ++epoch) {
      const auto epoch_begin = std::chrono::steady_clock::now();
      const std::int64_t first_batch = steps_taken_ % steps_per_epoch;
      double loss_sum = 0.0;
      auto waiting_since = epoch_begin;
      for (const data::Batch& batch : loader.epoch(epoch, first_batch)) {
        const double loader_seconds = detail::seconds_since(waiting_since);
        const auto step_begin = std::chrono::steady_clock::now();
        train::BatchTensors tensors = train::to_tensors(batch);
        for (torch::Tensor& view : tensors.views) view = on_device(view);
        const double lr = schedule.at(steps_taken_);
        optimizer_->set_lr(lr);
        if (predictor_optimizer_)
          predictor_optimizer_->set_lr(steps_taken_ < schedule.warmup_steps ? lr : schedule.base_lr);
        last_loss = result.loss =
            step(tensors.views, {.labels = labelled ? on_device(tensors.labels) : torch::Tensor(),
                                 .micro_batch = options.micro_batch,
                                 .progress = jessl::loss::Progress{
                                     .epoch = static_cast<double>(steps_taken_) / static_cast<double>(steps_per_epoch),
                                     .epochs = static_cast<double>(options.epochs)}});
        const double step_seconds = detail::seconds_since(step_begin);
        loss_sum += result.loss;
        result.images += batch.size();
        ++result.steps;
        if constexpr (watched) {
          const train::StepFeatures features = features_of_step(epoch, tensors.labels);
          tell([&](auto& state) {
            if constexpr (requires { state.after_forward(features); }) state.after_forward(features);
          });
        }
        const train::StepRecord record{.step = steps_taken_,
                                       .epoch = epoch,
                                       .loss = result.loss,
                                       .learning_rate = lr,
                                       .images = batch.size(),
                                       .step_seconds = step_seconds,
                                       .loader_seconds = loader_seconds};
        tell([&](auto& state) {
          if constexpr (requires { state.after_step(record); }) state.after_step(record);
        });
        if (steps_taken_ % steps_per_epoch == 0) {
          const std::int64_t steps = steps_per_epoch - first_batch;
          const train::EpochRecord summary{.epoch = epoch,
                                           .step = steps_taken_,
                                           .mean_loss = loss_sum / static_cast<double>(steps),
                                           .images_per_second = static_cast<double>(steps * options.batch_size) /
                                                                detail::seconds_since(epoch_begin)};
          tell([&](auto& state) {
            if constexpr (requires { state.after_epoch(summary); }) state.after_epoch(summary);
          });
        }
        // Last, so that a checkpoint never stands for an epoch whose callbacks have not run.
        tell([&](auto& state) {
          if constexpr (requires { state.save_point(record); }) state.save_point(record);
        });
        waiting_since = std::chrono::steady_clock::now();
      }
    }
    tell([&](auto& state) {
      if constexpr (requires { state.finish(); }) state.finish();
    });
    result.corrupt = loader.corrupt();
    if (result.corrupt > 0)
      note(result.corrupt, result.corrupt == 1 ? " damaged image was replaced" : " damaged images were replaced",
           " by others");
    result.seconds = detail::seconds_since(begin);
    result.run_seconds = run_seconds();
    result.run_images = steps_taken_ * options.batch_size;
    result.images_per_second = result.seconds > 0.0 ? static_cast<double>(result.images) / result.seconds : 0.0;
    return result;
  }

  /// What the step just taken made of its batch at every layer, with the labels of its rows.
  [[nodiscard]] train::StepFeatures features_of_step(std::int64_t epoch, const torch::Tensor& labels) {
    const std::vector<train::detail::Watched> watched = network_.take_watched();
    std::vector<std::vector<torch::Tensor>> outputs(watched.front().layers.size());  // [layer][part of the batch]
    std::vector<torch::Tensor> repeated;                                             // [part of the batch]
    std::int64_t begin = 0;
    for (const train::detail::Watched& part : watched) {
      for (std::size_t i = 0; i < outputs.size(); ++i) outputs[i].push_back(part.layers[i]);
      repeated.push_back(labels.narrow(0, begin, part.images).repeat(part.views));
      begin += part.images;
    }
    std::vector<torch::Tensor> whole;
    for (const std::vector<torch::Tensor>& parts : outputs)
      whole.push_back(parts.size() == 1 ? parts.front() : torch::cat(parts));
    train::StepFeatures features{.step = steps_taken_, .epoch = epoch, .labels = on_device(torch::cat(repeated))};
    name_layers(whole, features.layers);
    return features;
  }

  /// The groups under which checkpoints keep the states of callbacks, one a callback: "callback.OnlineProbe", and
  /// "callback.OnlineProbe-2" for a second one.
  template <class... C>
  [[nodiscard]] static std::vector<std::string> callback_groups() {
    std::vector<std::string> groups;
    for (const std::string_view name : {policy_name<C>()...}) {
      std::string group = concat("callback.", name);
      const auto equal = std::count_if(groups.begin(), groups.end(), [&](const std::string& other) {
        return other == group || other.starts_with(group + '-');
      });
      groups.push_back(equal == 0 ? group : concat(group, '-', equal + 1));
    }
    return groups;
  }

  /// Gives the callbacks' states what a checkpoint holds of them.
  template <class... S>
  static void restore(std::tuple<S...>& states, const std::vector<std::string>& groups,
                      const io::Checkpoint& checkpoint) {
    auto group = groups.begin();
    const auto one = [&](auto& state) {
      if constexpr (train::KeptInCheckpoints<std::remove_cvref_t<decltype(state)>>) {
        if (checkpoint.groups.contains(*group)) {
          state.load_state_dict(checkpoint.group(*group));
        } else {
          warn("jessl::Trainer: the checkpoint has no \"", *group, "\": that callback starts anew");
        }
      }
      ++group;
    };
    std::apply([&](auto&... state) { (one(state), ...); }, states);
    for (const auto& [name, tensors] : checkpoint.groups) {
      if (name.starts_with("callback.") && std::find(groups.begin(), groups.end(), name) == groups.end())
        warn("jessl::Trainer: the checkpoint has a \"", name,
             "\", which no callback of this run takes up; the run's own ", "checkpoints are without it");
    }
  }

  /// The settings and the data that decide the numbers of a run. With the same number of LibTorch threads on the same
  /// kind of machine, two runs with equal configurations have equal losses.
  template <class D, class R>
  [[nodiscard]] Json run_configuration(const D& data, const FitOptions& options, const R& order) const {
    Json document = configuration();
    document["run"] = {{"epochs", options.epochs},
                       {"batch_size", options.batch_size},
                       {"seed", options.seed},
                       {"precision", to_json(resolve(options.precision, detail::resolve(options.device).type()))},
                       {"scale_lr", options.scale_lr},
                       {"warmup_epochs", warmup_epochs(options)},
                       {"end_ratio", options.end_ratio},
                       {"order", to_json(order)},
                       {"decoding", to_json(options.decoding)},
                       {"images", data.size()},
                       {"channels", data.channels()},
                       {"fingerprint", fingerprint(data)}};
    // Where it is used alone: it changes a run, and a checkpoint without it is one of whole batches.
    if (options.micro_batch > 0) document["run"]["micro_batch"] = options.micro_batch;
    return document;
  }

  /// What tells two data sets of one size apart: FNV-1a of all labels, and of the stored bytes of each of a few images; null
  /// for an image that can't be read, which the loader reports.
  template <class D>
  [[nodiscard]] static Json fingerprint(const D& data) {
    constexpr std::uint64_t basis = 0xCBF29CE484222325U;
    const auto add = [](std::uint64_t& hash, std::uint64_t value) { hash = (hash ^ value) * 0x100000001B3U; };
    std::uint64_t labels = basis;
    for (std::int64_t i = 0; i < data.size(); ++i) add(labels, static_cast<std::uint64_t>(data.label(i)));
    Json images = Json::array();
    const std::int64_t count = std::min<std::int64_t>(16, data.size());
    std::vector<std::byte> storage;
    for (std::int64_t k = 0; k < count; ++k) {
      try {
        std::uint64_t hash = basis;
        for (const std::byte byte : data.read(k * data.size() / count, storage).bytes)
          add(hash, std::to_integer<std::uint64_t>(byte));
        images.push_back(hash);
      } catch (const DataError&) {
        images.push_back(nullptr);
      }
    }
    return {{"labels", labels}, {"images", images}};
  }

  /// A run's configuration without the fingerprints of those images that `other` could not read.
  [[nodiscard]] static Json without_unread(Json configuration, const Json& other) {
    const Json::json_pointer place("/run/fingerprint/images");
    if (!configuration.contains(place) || !other.contains(place) || !configuration[place].is_array())
      return configuration;
    for (std::size_t k = 0; k < std::min(configuration[place].size(), other[place].size()); ++k) {
      if (other[place][k].is_null()) configuration[place][k] = nullptr;
    }
    return configuration;
  }

  void announce(const Plan& chosen, std::int64_t images) const {
    const std::string threads = std::to_string(chosen.threads) + (chosen.threads == 1 ? " thread" : " threads");
    const std::string workers = std::to_string(chosen.workers) + (chosen.workers == 1 ? " worker" : " workers");
    note("training on ", images, " images, ", chosen.device.str(), ", ", std::string(to_json(precision_)), ", ",
         threads, "; ", workers, chosen.ahead == 0 ? " load between the steps" : " load beside the steps",
         steps_taken_ > 0 ? "; resumed after step " + std::to_string(steps_taken_) : std::string());
    if (chosen.device.is_cpu() && std::max(chosen.threads, chosen.workers) > hardware_threads()) {
      warn("this process may use ", hardware_threads(),
           " cores: more threads than cores make a step many times slower");
    }
  }

  [[nodiscard]] std::int64_t weight_bytes() const {
    std::size_t bytes = 0;
    std::set<const void*> counted;  // a checkpoint holds once what several tensors share
    network_.for_each([&](std::string_view, const auto& module) {
      for (const auto& [name, tensor] : module_state(*module))
        if (counted.insert(tensor.storage().unsafeGetStorageImpl()).second) bytes += tensor.nbytes();
    });
    return static_cast<std::int64_t>(bytes);
  }

  void save(const std::filesystem::path& path, const Json& configuration, double run_seconds, double loss,
            const std::function<void(io::Checkpoint&)>& add_states) const {
    io::Checkpoint checkpoint;
    checkpoint.record = {
        {"configuration", configuration}, {"steps_taken", steps_taken_},         {"loss", loss},
        {"seconds", run_seconds},         {"threads", torch::get_num_threads()}, {"device", device().str()}};
    network_.for_each([&](std::string_view name, const auto& module) {
      checkpoint.groups[std::string(name)] = module_state(*module);
    });
    checkpoint.groups["optimizer"] = optimizer_->state_dict();
    if (predictor_optimizer_) checkpoint.groups["predictor_optimizer"] = predictor_optimizer_->state_dict();
    add_states(checkpoint);
    at::Generator generator = at::detail::getDefaultCPUGenerator();
    const std::lock_guard lock(generator.mutex());
    checkpoint.groups["random"]["cpu"] = generator.get_state();
    checkpoint.save(path);
  }

  /// Copies the modules that are chosen by name from a checkpoint; none where one of them doesn't fit.
  template <class Chosen>
  void load(const io::Checkpoint& checkpoint, const std::filesystem::path& path, const Chosen& chosen) {
    check_modules(checkpoint, path, chosen);
    network_.for_each([&](std::string_view name, auto module) {
      if (chosen(name)) load_module_state(*module, checkpoint.group(std::string(name)), "jessl::Trainer");
    });
  }

  template <class Chosen>
  void check_modules(const io::Checkpoint& checkpoint, const std::filesystem::path& path, const Chosen& chosen) const {
    network_.for_each([&](std::string_view name, const auto& module) {
      if (chosen(name))
        check_module_state(*module, checkpoint.group(std::string(name)),
                           concat("jessl::Trainer: checkpoint ", path, ", ", name));
    });
  }

  static constexpr auto every_module = [](std::string_view) { return true; };

  /// The loss of the last step that a run had taken; NaN where it is not known.
  [[nodiscard]] static double loss_of(const io::Checkpoint& checkpoint) {
    const Json loss = checkpoint.record.value("loss", Json());
    return loss.is_number() ? loss.template get<double>() : std::numeric_limits<double>::quiet_NaN();
  }

  /// The checkpoint to go on from, when nothing speaks against it. Changes nothing.
  [[nodiscard]] io::Checkpoint resumable(const std::filesystem::path& path, const Json& configuration) const {
    io::Checkpoint checkpoint = io::Checkpoint::load(path);
    const std::string who = concat("jessl::Trainer: checkpoint ", path);
    const Json& record = checkpoint.record;
    JESSL_CHECK(record.contains("configuration") && record.contains("steps_taken") &&
                    record["steps_taken"].is_number_unsigned(),
                DataError, who, " holds weights, but no run to resume; use load_weights()");
    Json there = without_unread(record["configuration"], configuration);
    Json here = without_unread(configuration, record["configuration"]);
    // Sixteen hashes would tell nobody more than that they differ.
    const Json::json_pointer fingerprint("/run/fingerprint");
    const bool compared = there.contains(fingerprint) && here.contains(fingerprint);
    const bool other_images = compared && !Json::diff(there[fingerprint], here[fingerprint]).empty();
    if (compared) {
      for (Json* document : {&there, &here}) (*document)["run"].erase("fingerprint");
    }
    std::string differences = detail::differences(there, here);
    if (other_images)
      differences +=
          concat(differences.empty() ? "" : "; ", "the images or their labels are others (/run/fingerprint)");
    JESSL_CHECK(differences.empty(), ConfigError, who, " belongs to another run: ", differences,
                "; resume with the same settings, or use load_weights()");
    check_modules(checkpoint, path, every_module);
    try {
      auto [all, predictors] = attached();
      all.load_state_dict(checkpoint.group("optimizer"));
      if (predictors) predictors->load_state_dict(checkpoint.group("predictor_optimizer"));
    } catch (const ShapeError& error) {
      fail<ShapeError>(who, ", optimizer: ", error.what());
    } catch (const ConfigError& error) {
      fail<ConfigError>(who, ", optimizer: ", error.what());
    }
    const StateDict& random = checkpoint.group("random");
    JESSL_CHECK(random.contains("cpu"), DataError, who, " lacks the state of the random numbers, random/cpu");
    try {
      at::detail::createCPUGenerator().set_state(random.at("cpu"));
    } catch (const c10::Error& error) {
      fail<DataError>(who, ": random/cpu is not the state of a generator: ", error.what_without_backtrace());
    }
    return checkpoint;
  }

  /// Goes on from a checkpoint that resumable() gave; gives the seconds that its run has taken.
  [[nodiscard]] double resume(const io::Checkpoint& checkpoint, const std::filesystem::path& path) {
    const Json& record = checkpoint.record;
    const int threads = record.value("threads", torch::get_num_threads());
    const std::string where = record.value("device", device().str());
    if (threads != torch::get_num_threads() || where != device().str() || checkpoint.version != version) {
      warn("the run began with ", threads, " threads on ", where, " and jessl ", checkpoint.version,
           " and goes on with ", torch::get_num_threads(), " on ", device().str(), " and jessl ", version,
           "; its losses may differ in the last bits");
    }
    load(checkpoint, path, every_module);
    optimizer_->load_state_dict(checkpoint.group("optimizer"));
    if (predictor_optimizer_) predictor_optimizer_->load_state_dict(checkpoint.group("predictor_optimizer"));
    steps_taken_ = record["steps_taken"].template get<std::int64_t>();
    at::Generator generator = at::detail::getDefaultCPUGenerator();
    const std::lock_guard lock(generator.mutex());
    generator.set_state(checkpoint.group("random").at("cpu"));
    return record.value("seconds", 0.0);
  }

  A augmentation_;
  P projector_policy_;
  O optimizer_policy_;
  Network network_;
  std::optional<Attached> optimizer_;
  std::optional<Attached> predictor_optimizer_;
  std::optional<double> base_lr_;  // of the optimizers as they were attached
  Precision precision_ = Precision::float32;
  std::int64_t steps_taken_ = 0;
  train::detail::StartWeights start_weights_;
  bool tells_loaded_weights_ = false;  // the backbone was made as initialise(0) leaves it: other weights were loaded
};

/// An optimizer that is left out is none: the message says which role it would have had.
template <class A, class B, class P, class L>
Trainer(A, B, P, L) -> Trainer<A, B, P, L, detail::LeftOut>;

}  // namespace jessl
