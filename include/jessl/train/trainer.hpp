// SPDX-License-Identifier: Apache-2.0
// The trainer: augmentation, backbone, projector, loss and optimizer composed into one run.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

#include <jessl/backbone/concept.hpp>
#include <jessl/core/autocast.hpp>
#include <jessl/core/element.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/matrix.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/core/version.hpp>
#include <jessl/core/views.hpp>
#include <jessl/data/batch.hpp>
#include <jessl/data/concept.hpp>
#include <jessl/data/loader.hpp>
#include <jessl/data/order.hpp>
#include <jessl/distributed/group.hpp>
#include <jessl/io/feature_file.hpp>
#include <jessl/loss/concept.hpp>
#include <jessl/optim/concept.hpp>
#include <jessl/projector/concept.hpp>
#include <jessl/train/callback.hpp>
#include <jessl/train/detail/any_optimizer.hpp>
#include <jessl/train/detail/evaluation_pass.hpp>
#include <jessl/train/detail/hooks.hpp>
#include <jessl/train/detail/network.hpp>
#include <jessl/train/detail/start_weights.hpp>
#include <jessl/train/detail/training.hpp>
#include <jessl/train/options.hpp>
#include <jessl/train/pinned_memory.hpp>
#include <jessl/train/progress.hpp>
#include <jessl/train/record.hpp>
#include <jessl/train/step_options.hpp>

namespace jessl {

namespace detail {

/// A policy's settings as JSON, and its type where it has no name; these alone where it does not describe itself.
template <class Policy>
[[nodiscard]] Json policy_json(const Policy& policy) {
  Json document = Json::object();
  if constexpr (Recorded<Policy>) {
    document = to_json(policy);
  } else if constexpr (!policy_name<Policy>().empty()) {
    document["name"] = policy_name<Policy>();
  }
  const bool names_itself = SelfDescribing<Policy> && document.contains("name");
  if (policy_name<Policy>().empty() && document.is_object() && !names_itself)
    document["type"] = c10::demangle(typeid(Policy).name());
  return document;
}

/// What tells two data sets of one size apart: FNV-1a of all labels, and of the stored bytes of each of a few images; null
/// for an image that can't be read, which the loader reports.
template <Dataset D>
[[nodiscard]] Json fingerprint(const D& data) {
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

/// In the place of a policy that was left out.
struct LeftOut {};

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
        optimizer_policy_(std::make_shared<const O>(std::move(optimizer))),
        training_(make_training(std::move(backbone), std::move(loss))) {}

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
  /// It changes the process: LibTorch's default generators are seeded in each step, from the run's seed and the step, and stay so; on a CPU glibc keeps freed memory from now on (FitOptions::keep_freed_memory).
  ///
  /// SIGUSR1 has a checkpoint written after the step at work, SIGTERM has one written and ends the run, where a callback writes any
  /// (FitOptions::heed_signals).
  ///
  /// Errors     what check() says; what the data set and the callbacks throw; DivergenceError when the loss is not
  ///            finite (the weights are then those before the step); when resuming, DataError or ConfigError if the
  ///            checkpoint is damaged or belongs to another run; InterruptedError after SIGTERM; DistributedError when another
  ///            rank is gone, or does not come within the group's time limit
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
      FitResult result;
      training_.tell_ranks_of_errors([&] { result = run(data, options, order, callbacks...); });
      return result;
    }
  }

  /// From now on this process is one of a group that trains one network: all ranks make the same trainer and call fit() with the same
  /// settings and data, or step() with their shares of a batch. A batch is that of all ranks together, and so are batch norms, loss and
  /// gradients: with W ranks a run has the numbers of the run of one process, but for the order of sums and for what LibTorch draws.
  /// Callbacks live in rank 0 alone, which is shown the joint batch; the others wait where it measures or saves. embed() and its kin
  /// are each rank's own.
  ///
  /// What the optimizer has remembered is forgotten, as by load_weights().
  ///
  /// Errors     ConfigError for a backbone with a batch norm of torch::nn, which knows no ranks
  void join(const distributed::Group& group) { training_.join(group); }

  /// The processes that train this network.
  [[nodiscard]] const distributed::Group& group() const { return network().group(); }

  /// Takes one step on views [N, C, H, W] and returns the loss. For loops of one's own: fit() calls this too. The learning rate
  /// is the optimizer's own, and what is computed is of the weights' type, also after a run.
  ///
  /// Errors     ShapeError when there are fewer than two views (for a jessl::SupervisedLoss alone: none), one is not
  ///            [N, C, H, W] or the loss is no scalar; ConfigError when a view is not of a floating type or on another device
  ///            than the weights, or the loss does not depend on them; DivergenceError when the loss or its gradient is not
  ///            finite: weights, running statistics and the loss's state are then those before the step
  double step(const std::vector<torch::Tensor>& views, const StepOptions& options = {}) {
    return training_.step(views, options);
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
    Embedding result{RowMatrix(data.size(), network().backbone().feature_dim), {}};
    B backbone = network().backbone();
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
                  {"backbone", detail::policy_json(network().backbone()).dump()},
                  {"views", detail::policy_json(maker).dump()},
                  {"options", to_json(options).dump()},
                  {"jessl", std::string(version)}});
    const bool labelled = data.classes() > 0;
    B backbone = network().backbone();
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
    auto head = network().projector();
    Embedding result{RowMatrix(data.size(), head->out_features), {}};
    B backbone = network().backbone();
    evaluate("jessl::Trainer::project", data, options, maker,
             [&](const torch::Tensor& images, Eigen::Index row, std::span<const std::int64_t> labels) {
               copy_rows(head->forward(backbone->forward(images)), result.features, row);
               result.labels.insert(result.labels.end(), labels.begin(), labels.end());
             });
    return result;
  }

  /// Draws all weights anew as a pure function of the seed: those that a run with this seed starts from.
  void initialise(std::uint64_t seed) { training_.initialise(seed); }

  /// Says that fit() is to start from the weights that the modules have, wherever those come from.
  void keep_weights() { training_.keep_weights(); }

  /// What makes the views.
  [[nodiscard]] const A& augmentation() const { return augmentation_; }

  /// The backbone; shared with the trainer, not copied.
  [[nodiscard]] B backbone() const { return network().backbone(); }

  /// The backbone of the teacher, where the loss wants one; shared with the trainer, not copied.
  [[nodiscard]] B teacher() const requires TaughtLoss<L> { return network().teacher(); }

  /// The predictor's module, where the loss wants one; shared with the trainer, not copied.
  [[nodiscard]] auto predictor() const requires PredictedLoss<L> { return network().predictor(); }

  /// What the loss made for itself, where it has a state; shared with the trainer, not copied.
  [[nodiscard]] auto loss_state() const requires StatefulLoss<L> { return network().state(); }

  /// The projector's module; shared with the trainer, not copied.
  [[nodiscard]] auto projector() const { return network().projector(); }

  /// Where the weights are.
  [[nodiscard]] torch::Device device() const { return network().device(); }

  /// The settings of all five policies.
  [[nodiscard]] Json configuration() const {
    return {{"augmentation", detail::policy_json(augmentation_)},
            {"backbone", detail::policy_json(network().backbone())},
            {"projector", detail::policy_json(projector_policy_)},
            {"loss", detail::policy_json(network().loss())},
            {"optimizer", detail::policy_json(*optimizer_policy_)}};
  }

  /// The backbone's and projector's weights from a checkpoint, without the rest of its run.
  ///
  /// Errors     DataError when the file is damaged; ShapeError when it is of another architecture
  void load_weights(const std::filesystem::path& path) { training_.load_weights(path); }

  /// Writes the backbone's and projector's weights to a file that load_weights() reads.
  ///
  /// Errors     IOError; the file that was there before stays
  void save_weights(const std::filesystem::path& path) const { training_.save_weights(path, configuration()); }

 private:
  static constexpr std::int64_t least_views = Loss<L> ? 2 : 1;  // labels alone need no second view

  // Of the archetypes where a requirement is not met, so that its message is not followed by those of every use.
  static constexpr bool fits = Backbone<B> && Projector<P> && (Loss<L> || SupervisedLoss<L>);
  using Network =
      std::conditional_t<fits, train::detail::NetworkOf<B, P, L>,
                         train::detail::NetworkOf<BackboneArchetype, ProjectorArchetype, LossArchetype>>::type;

  template <Dataset D, class R>
  [[nodiscard]] train::detail::Checked checked(const D& data, const FitOptions& options, const R& order) const {
    static_assert(Recorded<R>,
                  "jessl::Trainer requires an order that can be recorded in checkpoints: adapt it by "
                  "JESSL_OPTIONS, or give it to_json(); see docs/data/order.md");
    static_assert(A::views >= least_views,
                  "jessl::Trainer::fit requires an augmentation of at least two views, which the loss compares; see "
                  "augment::two_views in docs/augment/README.md");
    if constexpr (requires { network().loss().check(); }) network().loss().check();
    training_.check(options, data.size(), data.classes());
    std::vector<ViewShape> shapes;  // of all views in all epochs
    const std::int64_t different_epochs = ProgressiveViewMaker<A> ? options.epochs : 1;
    for (std::int64_t epoch = 0; epoch < different_epochs; ++epoch) {
      std::vector<ViewShape> views;
      for (std::int64_t view = 0; view < A::views; ++view)
        views.push_back(shape_in_epoch(augmentation_, view, data.channels(), epoch));
      if constexpr (ImagesLoss<L>) network().check_images(views.front());
      check_batch(views, options.batch_size, data.classes(), static_cast<double>(options.epochs),
                  1.0 / static_cast<double>(data.size() / options.batch_size));
      for (const ViewShape& shape : views) {
        if (std::find(shapes.begin(), shapes.end(), shape) == shapes.end()) shapes.push_back(shape);
      }
    }
    network().try_backbone(shapes, network().backbone().feature_dim);
    train::detail::Checked result{run_configuration(data, options, order), {}};
    if (!options.resume.empty()) result.resumed = training_.resumable(options.resume, result.configuration);
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
  template <Dataset D, ViewMaker M>
  void evaluate(std::string_view who, const D& data, const EmbedOptions& options, const M& maker,
                const train::detail::EvaluationPass::Visit& visit) {
    train::detail::EvaluationPass pass(who, training_.network(), options, data.size(), backbone::casts_images<B>());
    data::Loader loader(data, maker, pass.loader_options(), data::order::Sequential{}, pass.memory());
    for (const data::Batch& batch : loader.epoch(0)) pass.show(batch, visit);
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
    B backbone = network().backbone();
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
    auto head = network().projector();
    std::vector<torch::Tensor> outputs = head->layers(features);
    outputs.insert(outputs.begin(), features);
    train::detail::name_layers(outputs, layers);
    return layers;
  }

  /// Asks the loss whether it can work with batches of such views of an image.
  void check_batch(const std::vector<ViewShape>& views, std::int64_t images, std::int64_t classes, double epochs,
                   double epochs_of_step) const {
    if constexpr (requires(const loss::BatchShape& batch) { network().loss().check_batch(batch); }) {
      const auto large = std::find_if(views.begin(), views.end(), [&](const auto& view) { return view != views[0]; });
      network().loss().check_batch({.views = static_cast<std::int64_t>(views.size()),
                                    .large_views = large - views.begin(),
                                    .images = images,
                                    .width = network().projector()->out_features,
                                    .classes = classes,
                                    .epochs = epochs,
                                    .last_epoch = epochs - epochs_of_step});
    }
  }

  [[nodiscard]] train::detail::Training make_training(B backbone, L loss) const {
    if constexpr (fits && Optimizer<O>) {
      const bool made_from_seed = backbone::is_made_from_seed(backbone);
      return {std::make_unique<Network>(std::move(backbone), projector_policy_, std::move(loss)),
              train::detail::attaching(optimizer_policy_),
              {.views = Loss<L>, .labels = SupervisedLoss<L>},
              made_from_seed};
    } else {
      return {nullptr, {}, {}, true};
    }
  }

  [[nodiscard]] const Network& network() const { return static_cast<const Network&>(training_.network()); }

  template <class D, class R, class... C>
  FitResult run(const D& data, const FitOptions& options, const R& order, const C&... callbacks) {
    const train::detail::Checked from = checked(data, options, order);
    const distributed::Group& group = network().group();
    const train::detail::Plan chosen = train::detail::plan(options, from.resumed, group);
    const Precision precision = resolve(options.precision, chosen.device.type());
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
                         .element = train::detail::batch_element(precision, backbone::casts_images<B>()),
                         .layout = Layout::channels_last,
                         .partition = {.rank = group.rank(), .ranks = group.size()}},
                        order, train::detail::batch_memory(chosen.device, pinned));
    const train::detail::Source source{
        .images = data.size(),
        .classes = data.classes(),
        .steps_per_epoch = loader.batches(),
        .for_each_batch =
            [&](std::int64_t epoch, std::int64_t first_batch, const std::function<void(const data::Batch&)>& visit) {
              for (const data::Batch& batch : loader.epoch(epoch, first_batch)) visit(batch);
            },
        .corrupt = [&] { return loader.corrupt(); }};
    return training_.run(options, from, chosen, source, [&](const train::Run& info) {
      train::detail::Hooks hooks;
      if (group.is_first()) (hooks.template add<C>(train::start(callbacks, info, *this)), ...);
      return hooks;
    });
  }

  /// The settings and the data that decide the numbers of a run. With the same number of LibTorch threads on the same
  /// kind of machine, two runs with equal configurations have equal losses.
  template <class D, class R>
  [[nodiscard]] Json run_configuration(const D& data, const FitOptions& options, const R& order) const {
    Json document = configuration();
    document["run"] =
        train::detail::run_settings(options, to_json(order), data.size(), data.channels(), detail::fingerprint(data));
    return document;
  }

  A augmentation_;
  P projector_policy_;
  std::shared_ptr<const O> optimizer_policy_;
  train::detail::Training training_;
};

/// An optimizer that is left out is none: the message says which role it would have had.
template <class A, class B, class P, class L>
Trainer(A, B, P, L) -> Trainer<A, B, P, L, detail::LeftOut>;

}  // namespace jessl
