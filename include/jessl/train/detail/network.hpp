// SPDX-License-Identifier: Apache-2.0
// The modules that a loss's type asks for, and the way from views to their gradients.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <jessl/core/autocast.hpp>
#include <jessl/core/communicator.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/kept_buffers.hpp>
#include <jessl/core/module_state.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/shape.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/loss/concept.hpp>
#include <jessl/projector/concept.hpp>
#include <jessl/projector/mlp.hpp>

namespace jessl::train::detail {

/// The module inside a holder.
template <class Holder>
using ModuleIn = std::remove_cvref_t<decltype(*std::declval<Holder&>())>;

/// Whether a holder's module can be copied, as a teacher is: by torch::nn::Module::clone().
template <class Holder>
concept Copyable = requires(const ModuleIn<Holder>& module, std::shared_ptr<ModuleIn<Holder>> copy) {
  []<class Impl>(const torch::nn::Cloneable<Impl>&) {}(module);
  Holder(copy);
};

/// Modules as one, so that one optimizer moves all that are trained and names tell them apart.
struct Modules : torch::nn::Module {};

/// Evaluation mode for the life of the guard.
class EvaluationMode {
 public:
  explicit EvaluationMode(std::shared_ptr<torch::nn::Module> module)
      : module_(std::move(module)), was_training_(module_->is_training()) {
    module_->eval();
  }
  EvaluationMode(const EvaluationMode&) = delete;
  EvaluationMode& operator=(const EvaluationMode&) = delete;
  ~EvaluationMode() { module_->train(was_training_); }

 private:
  std::shared_ptr<torch::nn::Module> module_;
  bool was_training_;
};

/// The state of the random numbers that a network on a device may draw: the device's and the CPU's.
class RandomState {
 public:
  explicit RandomState(const torch::Device& device) {
    keep(torch::Device(torch::kCPU));
    if (!device.is_cpu()) keep(device);
  }
  /// Sets the generators to what they were when this was made.
  void put_back() {
    for (auto& [generator, state] : generators_) {
      const std::lock_guard lock(generator.mutex());
      generator.set_state(state);
    }
  }

 private:
  void keep(const torch::Device& device) {
    at::Generator generator = at::globalContext().defaultGenerator(device);
    const std::lock_guard lock(generator.mutex());
    generators_.emplace_back(generator, generator.get_state());
  }

  std::vector<std::pair<at::Generator, torch::Tensor>> generators_;
};

/// Puts weights of convolutions into channels-last order, which the fast kernels want. LibTorch's Module::to has no such form.
inline void to_channels_last(torch::nn::Module& module) {
  for (torch::Tensor& parameter : module.parameters()) {
    if (parameter.dim() == 4) parameter.set_data(parameter.contiguous(torch::MemoryFormat::ChannelsLast));
  }
}

/// `tensors` <- momentum `tensors` + (1 - momentum) `others`; a copy for momentum 0.
inline void follow(std::vector<torch::Tensor> tensors, const std::vector<torch::Tensor>& others, double momentum) {
  if (tensors.empty()) return;
  if (momentum == 0.0) {  // not by arithmetic, which would keep what is not finite
    at::_foreach_copy_(tensors, others);
  } else {
    at::_foreach_lerp_(tensors, others, 1.0 - momentum);
  }
}

/// As above, of the numbers among a module's running statistics; counts are copied.
inline void follow_statistics(const torch::nn::Module& teacher, const torch::nn::Module& student, double momentum) {
  const std::vector<torch::Tensor> own = teacher.buffers();
  const std::vector<torch::Tensor> others = student.buffers();
  std::vector<torch::Tensor> own_numbers, other_numbers;
  for (std::size_t i = 0; i < own.size(); ++i) {
    if (own[i].is_floating_point()) {
      own_numbers.push_back(own[i]);
      other_numbers.push_back(others[i]);
    } else {
      own[i].copy_(others[i]);
    }
  }
  follow(own_numbers, other_numbers, momentum);
}

/// Rows [begin, begin + size) of every view.
[[nodiscard]] inline std::vector<torch::Tensor> part_of(const std::vector<torch::Tensor>& views, std::int64_t begin,
                                                        std::int64_t size) {
  std::vector<torch::Tensor> part;
  for (const torch::Tensor& view : views) part.push_back(view.narrow(0, begin, size));
  return part;
}

/// What a forward pass changes, as it was, to put back.
template <class OfState>
struct Kept {
  KeptBuffers networks;
  OfState state;  ///< of the loss

  void put_back() {
    networks.put_back();
    state.put_back();
  }
};

/// What the layers made of some of a batch's images, without gradient: the representation, then the projector's layers.
struct Watched {
  std::vector<torch::Tensor> layers{};  // [views * images, width], one view after another
  std::int64_t views = 0;
  std::int64_t images = 0;
};

/// Backbone and projector, and what the loss's type asks for around them: a predictor, a teacher, the loss's own state.
/// Whoever doesn't ask pays nothing.
template <class B, class P, class L>
class Network {
  using Head = projector::HeadOf<P>;
  using State = loss::StateOrNone<L>;
  using Views = std::vector<torch::Tensor>;

 public:
  Network(B backbone, const P& projector, L loss)
      : loss_(std::move(loss)),
        backbone_(std::move(backbone)),
        projector_(projector.make(backbone_.feature_dim)),
        state_(make_state(loss_, projector_->out_features)) {
    projector_->initialise(0);  // made just now: whatever its constructor left, nobody has loaded it
    trained_->register_module("backbone", backbone_.ptr());
    trained_->register_module("projector", projector_.ptr());
    if constexpr (PredictedLoss<L>) {
      const std::string hidden = loss_.predictor.hidden.empty() ? "" : loss_.predictor.hidden + "-";
      const std::int64_t width = projector_->out_features;
      loss_.predictor.check(policy_name<L>());
      predictor_ =
          projector::MLP{.widths = hidden + std::to_string(width), .output_bias = loss_.predictor.output_bias}.make(
              width);
      trained_->register_module("predictor", predictor_.ptr());
    }
    if constexpr (StatefulLoss<L>) {
      state_->initialise(0);
      trained_->register_module("loss", state_.ptr());
    }
    if constexpr (TaughtLoss<L>) {
      auto copy = std::dynamic_pointer_cast<ModuleIn<B>>(backbone_->clone());
      JESSL_CHECK(
          copy != nullptr, ConfigError,
          "jessl::Trainer: the backbone's clone() makes another class than the backbone's, so that there can be no ",
          "teacher; derive the class itself from torch::nn::Cloneable");
      teacher_backbone_ = B(std::move(copy));
      teacher_projector_ = projector.make(backbone_.feature_dim);
      teacher_->register_module("backbone", teacher_backbone_.ptr());
      teacher_->register_module("projector", teacher_projector_.ptr());
      for (torch::Tensor& parameter : teacher_->parameters()) parameter.requires_grad_(false);
    }
    to(device());
    start_teacher();
  }

  [[nodiscard]] const L& loss() const { return loss_; }
  [[nodiscard]] const B& backbone() const { return backbone_; }
  [[nodiscard]] const Head& projector() const { return projector_; }
  [[nodiscard]] const B& teacher() const { return teacher_backbone_; }
  [[nodiscard]] const projector::MLPHead& predictor() const { return predictor_; }
  [[nodiscard]] const State& state() const { return state_; }

  /// What learns by gradients: backbone, projector, predictor, the loss's parameters.
  [[nodiscard]] const torch::nn::Module& trained() const { return *trained_; }

  /// Calls visit(name, module holder) for each module that starts from weights of its own.
  template <class Visit>
  void for_each_drawn(const Visit& visit) const {
    visit("backbone", backbone_);
    visit("projector", projector_);
    if constexpr (PredictedLoss<L>) visit("predictor", predictor_);
    if constexpr (StatefulLoss<L>) visit("loss", state_);
  }

  /// Calls visit(name, module holder) for each module that a checkpoint holds.
  template <class Visit>
  void for_each(const Visit& visit) const {
    for_each_drawn(visit);
    if constexpr (TaughtLoss<L>) {
      visit("teacher_backbone", teacher_backbone_);
      visit("teacher_projector", teacher_projector_);
    }
  }

  [[nodiscard]] torch::Device device() const {
    const Views parameters = trained_->parameters();
    return parameters.empty() ? torch::Device(torch::kCPU) : parameters.front().device();
  }

  /// Moves everything to a device, in the type that the backbone has: a caller may have changed that of the modules he sees.
  void to(const torch::Device& device) {
    const Views parameters = backbone_->parameters();
    const torch::ScalarType type = parameters.empty() ? torch::kFloat32 : parameters.front().scalar_type();
    const torch::NoGradGuard no_gradient;
    for (const auto& modules : {trained_, teacher_}) {
      for (Views tensors : {modules->parameters(), modules->buffers()}) {
        for (torch::Tensor& tensor : tensors)
          tensor.set_data(tensor.to(device, tensor.is_floating_point() ? type : tensor.scalar_type()));
      }
      to_channels_last(*modules);
    }
  }

  /// Without progress the teacher's momentum and the loss's state keep to what they were last told.
  void set_progress(const std::optional<loss::Progress>& progress) {
    if (!progress) return;
    progress_ = *progress;
    if constexpr (StatefulLoss<L>) {
      if constexpr (requires { state_->set_progress(progress_); }) state_->set_progress(progress_);
    }
  }

  /// Makes the teacher equal to the student, as it is when a run starts.
  void start_teacher() {
    follow(0.0);
    if constexpr (TaughtLoss<L>) follow_all_statistics(0.0);
  }

  /// After the optimizer's step: lets the teacher follow.
  void after_step() {
    if constexpr (TaughtLoss<L>) {
      const double momentum = loss_.teacher.at(progress_);
      follow(momentum);
      if (loss_.teacher.statistics == loss::TeacherStatistics::followed) follow_all_statistics(momentum);
    }
  }

  /// Checks that the loss's own images fit the first view, with which they go through the network.
  void check_images(const ViewShape& view) const requires ImagesLoss<L> {
    const torch::Tensor images = loss_.images();
    JESSL_CHECK(images.dim() == 4 && images.size(1) == view.channels && images.size(2) == view.height &&
                    images.size(3) == view.width,
                ShapeError, "jessl::Trainer: the loss's own images are ", shape_of(images), ", the first view is ",
                view, "; expected [M, C, H, W] with the view's C, H and W");
  }

  /// From now on steps take down what the layers make of their large views, or no longer.
  void watch(bool watching) {
    watching_ = watching;
    watched_.clear();
  }

  /// What the layers made in the last step, in the order of its images.
  [[nodiscard]] std::vector<Watched> take_watched() { return std::exchange(watched_, {}); }

  /// What a forward pass changes, as it is now: running statistics and the loss's memory.
  [[nodiscard]] auto keep() {
    Views networks = student_buffers();
    for (const torch::Tensor& buffer : teacher_->buffers()) networks.push_back(buffer);
    if constexpr (PredictedLoss<L>) {
      for (const torch::Tensor& buffer : predictor_->buffers()) networks.push_back(buffer);
    }
    return Kept<decltype(keep_state())>{KeptBuffers(std::move(networks)), keep_state()};
  }

  /// Adds the gradient of these views' loss to that of the weights and returns the loss, []; adds nothing where the loss is
  /// not finite.
  ///
  /// With a `micro_batch` > 0 backbone and projector see that many images at once, twice: first for the embeddings, at which
  /// the loss of the whole batch is differentiated, then for the weights. So the gradient is the whole batch's, in the memory of
  /// a part of it; what batch norms see is the part. It is GradCache: Gao et al., Scaling Deep Contrastive Learning Batch Size
  /// under Memory Limited Setup, 2021, arXiv 2101.06983.
  ///
  /// Errors     those of the loss; ShapeError where it is no scalar, ConfigError where it doesn't depend on the weights
  double differentiate(const Views& views, const torch::Tensor& labels, Precision precision, std::int64_t micro_batch) {
    watched_.clear();
    trained_->train();
    teacher_->train();
    if constexpr (TaughtLoss<L>) {
      if (loss_.teacher.statistics == loss::TeacherStatistics::followed) teacher_->eval();
    }
    if (micro_batch > 0 && micro_batch < views.front().size(0))
      return differentiate_by_parts(views, labels, precision, micro_batch);
    const Projected projected = project(views, precision, true, watched());
    return backward_from(value(projected, targets(views, projected, precision), labels, precision));
  }

 private:
  /// What the projector made of views and of the loss's own images.
  struct Projected {
    Views views{};           // V x [N, E]
    torch::Tensor images{};  // [M, E]
  };

  [[nodiscard]] static State make_state(const L& loss, std::int64_t width) {
    if constexpr (StatefulLoss<L>) {
      return loss.make(width);
    } else {
      return {};
    }
  }

  /// The loss's memory, by the state itself where it knows what a call changes.
  [[nodiscard]] auto keep_state() {
    if constexpr (!StatefulLoss<L>) {
      return KeptBuffers({});
    } else if constexpr (requires { state_->keep().put_back(); }) {
      return state_->keep();
    } else {
      return KeptBuffers(state_->buffers());
    }
  }

  void follow(double momentum) {
    const torch::NoGradGuard no_gradient;
    if constexpr (TaughtLoss<L>) {
      detail::follow(teacher_backbone_->parameters(), backbone_->parameters(), momentum);
      detail::follow(teacher_projector_->parameters(), projector_->parameters(), momentum);
    }
    if constexpr (StatefulLoss<L>) {
      if constexpr (requires { state_->follow(momentum); }) state_->follow(momentum);
    }
  }

  void follow_all_statistics(double momentum) {
    const torch::NoGradGuard no_gradient;
    follow_statistics(*teacher_backbone_, *backbone_, momentum);
    follow_statistics(*teacher_projector_, *projector_, momentum);
  }

  static double backward_from(const torch::Tensor& loss) {
    JESSL_CHECK(loss.defined() && loss.dim() == 0, ShapeError, "jessl::Trainer::step: the loss is ",
                loss.defined() ? concat(shape_of(loss)) : "undefined", ", expected a scalar, []");
    JESSL_CHECK(
        loss.requires_grad(), ConfigError,
        "jessl::Trainer::step: the loss does not depend on the weights; are they frozen, is a NoGradGuard alive, or "
        "does the loss detach its views?");
    const double value = loss.template item<double>();
    if (std::isfinite(value)) loss.backward();
    return value;
  }

  double differentiate_by_parts(const Views& views, const torch::Tensor& labels, Precision precision,
                                std::int64_t micro_batch) {
    const std::int64_t images = views.front().size(0);
    const auto for_each_part = [&](const auto& visit) {
      for (std::int64_t begin = 0; begin < images; begin += micro_batch) {
        const std::int64_t size = std::min(micro_batch, images - begin);
        visit(part_of(views, begin, size), begin, size);
      }
    };

    const Views weights = student_weights();
    const bool learns = std::any_of(weights.begin(), weights.end(), [](const auto& x) { return x.requires_grad(); });
    RandomState before(views.front().device());
    KeptBuffers statistics(student_buffers());
    std::vector<Views> projected_parts(views.size());  // [view][part]
    std::vector<Views> target_parts;                   // [view][part]
    Projected projected;
    {
      const torch::NoGradGuard no_gradient;
      for_each_part([&](const Views& part, std::int64_t begin, std::int64_t) {
        const Projected some = project(part, precision, begin == 0, watched());
        for (std::size_t v = 0; v < views.size(); ++v) projected_parts[v].push_back(some.views[v]);
        if (begin == 0) projected.images = some.images;
      });
      // After all of the student's, since it may draw too, and the second pass is the student's alone.
      if constexpr (TaughtLoss<L>) {
        for_each_part([&](const Views& part, std::int64_t, std::int64_t) {
          const Views taught = targets(part, {}, precision);
          target_parts.resize(taught.size());
          for (std::size_t v = 0; v < taught.size(); ++v) target_parts[v].push_back(taught[v]);
        });
      }
    }
    for (const Views& parts : projected_parts) projected.views.push_back(torch::cat(parts).requires_grad_(learns));
    if (projected.images.defined()) projected.images.requires_grad_(learns);
    Views aims;
    for (const Views& parts : target_parts) aims.push_back(torch::cat(parts));
    if constexpr (!TaughtLoss<L>) aims = targets(views, projected, precision);

    const double result = backward_from(value(projected, aims, labels, precision));
    if (!std::isfinite(result) || !learns) return result;

    // The second pass draws what the first one drew, and moves the running statistics that the first one moved.
    struct Afterwards {
      RandomState state;
      ~Afterwards() { state.put_back(); }
    } afterwards{RandomState(views.front().device())};
    before.put_back();
    statistics.put_back();
    for_each_part([&](const Views& part, std::int64_t begin, std::int64_t size) {
      const Projected some = project(part, precision, begin == 0, nullptr);
      Views outputs, gradients;
      const auto add = [&](const torch::Tensor& output, const torch::Tensor& gradient) {
        if (!gradient.defined()) return;  // the loss does not look at it
        outputs.push_back(output);
        gradients.push_back(gradient);
      };
      for (std::size_t v = 0; v < views.size(); ++v) {
        const torch::Tensor& gradient = projected.views[v].grad();
        add(some.views[v], gradient.defined() ? gradient.narrow(0, begin, size) : gradient);
      }
      if (some.images.defined()) add(some.images, projected.images.grad());
      if (!outputs.empty()) torch::cat(outputs).backward(torch::cat(gradients));
    });
    return result;
  }

  [[nodiscard]] Views student_weights() const {
    Views weights = backbone_->parameters();
    for (const torch::Tensor& weight : projector_->parameters()) weights.push_back(weight);
    return weights;
  }

  [[nodiscard]] Views student_buffers() const {
    Views buffers = backbone_->buffers();
    for (const torch::Tensor& buffer : projector_->buffers()) buffers.push_back(buffer);
    return buffers;
  }

  /// Behind the last view in a row that has the shape of the one at `begin`.
  [[nodiscard]] static auto end_of_size(const Views& views, Views::const_iterator begin) {
    return std::find_if(begin, views.end(), [&](const torch::Tensor& view) { return view.sizes() != begin->sizes(); });
  }

  /// Whether the loss looks at what a side makes of a view.
  [[nodiscard]] bool student_sees(std::int64_t view) const {
    if constexpr (SelectiveLoss<L>) return loss_.student_sees(view);
    return true;
  }
  [[nodiscard]] bool teacher_sees(std::int64_t view) const {
    if constexpr (SelectiveLoss<L>) return loss_.teacher_sees(view);
    return true;
  }

  /// Embeddings of some of the views, and zeros like them in the place of the others: `made` lists those that `seen(view)`.
  template <class Seen>
  [[nodiscard]] static Views in_places(const Views& made, std::size_t count, const Seen& seen) {
    Views all;
    auto next = made.begin();
    for (std::size_t v = 0; v < count; ++v)
      all.push_back(seen(static_cast<std::int64_t>(v)) ? *next++ : torch::zeros_like(made.front()));
    return all;
  }

  /// Through a network in one pass, which costs less than one for each view and shows batch norms all of them: images of one
  /// shape, V x [N, C, H, W] -> V x [N, E]. Where `layers` is given it gets what each layer made, without gradient.
  template <class Net, class Top>
  [[nodiscard]] static Views embed(Net net, Top top, const Views& images, Views* layers = nullptr) {
    const torch::Tensor stacked = torch::cat(images).contiguous(torch::MemoryFormat::ChannelsLast);  // [V*N, C, H, W]
    const torch::Tensor features = net->forward(stacked);
    if (layers == nullptr) return top->forward(features).split_with_sizes(row_counts(images));
    const Views outputs = top->layers(features);
    layers->push_back(features.detach());
    for (const torch::Tensor& output : outputs) layers->push_back(output.detach());
    return outputs.back().split_with_sizes(row_counts(images));
  }

  /// Where project() is to take down what the layers make.
  [[nodiscard]] std::vector<Watched>* watched() { return watching_ ? &watched_ : nullptr; }

  [[nodiscard]] static std::vector<std::int64_t> row_counts(const Views& tensors) {
    std::vector<std::int64_t> counts;
    for (const torch::Tensor& tensor : tensors) counts.push_back(tensor.size(0));
    return counts;
  }

  [[nodiscard]] Projected project(const Views& views, Precision precision, bool with_images,
                                  std::vector<Watched>* watched) const {
    const Autocast autocast(views.front().device().type(), precision);
    const auto seen = [&](std::int64_t view) { return student_sees(view); };
    Projected result;
    Views made;
    bool watches = watched != nullptr;  // the first size that the student sees: that of the large views
    for (auto begin = views.begin(); begin != views.end();) {
      const auto end = end_of_size(views, begin);
      Views images;
      for (auto view = begin; view != end; ++view) {
        if (seen(view - views.begin())) images.push_back(*view);
      }
      const auto count = static_cast<std::int64_t>(images.size());
      const bool add_own = ImagesLoss<L> && with_images && begin == views.begin();
      if (add_own) images.push_back(own_images(views.front()));
      begin = end;
      if (images.empty()) continue;
      Views layers;
      Views embeddings = embed(backbone_, projector_, images, watches && count > 0 ? &layers : nullptr);
      if (!layers.empty()) {
        const std::int64_t rows = views.front().size(0);
        for (torch::Tensor& layer : layers) layer = layer.narrow(0, 0, count * rows);  // without the loss's own images
        watched->push_back({.layers = std::move(layers), .views = count, .images = rows});
        watches = false;
      }
      if (add_own) {
        result.images = embeddings.back();
        embeddings.pop_back();
      }
      made.insert(made.end(), embeddings.begin(), embeddings.end());
    }
    JESSL_CHECK(!made.empty(), ConfigError, "jessl::Trainer::step: ", policy_name<L>(), " looks at none of the ",
                views.size(), " views on the student's side; let student_sees(view) be true for one");
    result.views = in_places(made, views.size(), seen);
    return result;
  }

  /// The loss's own images in the form of a view; they go with the first views, so that batch norms treat them alike.
  [[nodiscard]] torch::Tensor own_images(const torch::Tensor& view) const {
    if constexpr (ImagesLoss<L>) {
      check_images({view.size(1), view.size(2), view.size(3)});
      return loss_.images().to(view.options());
    } else {
      return {};
    }
  }

  /// What the views are to agree with, without gradient; for the large views only.
  [[nodiscard]] Views targets(const Views& views, const Projected& projected, Precision precision) const {
    const torch::NoGradGuard no_gradient;
    const auto large = end_of_size(views, views.begin());  // views of the first size are the large ones
    if constexpr (TaughtLoss<L>) {
      const Autocast autocast(views.front().device().type(), precision);
      const auto seen = [&](std::int64_t view) { return teacher_sees(view); };
      Views images;
      for (auto view = views.begin(); view != large; ++view) {
        if (seen(view - views.begin())) images.push_back(*view);
      }
      if (images.empty()) images.push_back(views.front());  // the loss says what it misses
      return in_places(embed(teacher_backbone_, teacher_projector_, images),
                       static_cast<std::size_t>(large - views.begin()), seen);
    } else {
      Views result;
      if constexpr (PredictedLoss<L>) {
        for (std::int64_t v = 0; v < large - views.begin(); ++v)
          result.push_back(projected.views[static_cast<std::size_t>(v)].detach());
      }
      return result;
    }
  }

  /// The loss of what the projector made.
  [[nodiscard]] torch::Tensor value(const Projected& projected, const Views& targets, const torch::Tensor& labels,
                                    Precision precision) {
    loss::Embedded given{.views = projected.views, .targets = targets, .images = projected.images, .labels = labels};
    if constexpr (PredictedLoss<L>) {
      const Autocast autocast(projected.views.front().device().type(), precision);
      given.views = predictor_->forward(torch::cat(projected.views)).split_with_sizes(row_counts(projected.views));
    }
    // A head may leave autocast's type, which the predictor's last layer does not.
    if (!given.targets.empty()) {
      const torch::ScalarType type =
          at::promote_types(given.views.front().scalar_type(), given.targets.front().scalar_type());
      for (Views* tensors : {&given.views, &given.targets}) {
        for (torch::Tensor& tensor : *tensors) tensor = tensor.to(type);
      }
    }
    return loss::evaluate(loss_, given, state_, SingleProcess{});
  }

  L loss_;
  B backbone_;
  Head projector_;
  State state_;
  projector::MLPHead predictor_{nullptr};
  B teacher_backbone_{nullptr};
  Head teacher_projector_{nullptr};
  loss::Progress progress_;
  bool watching_ = false;
  std::vector<Watched> watched_;  // in the last step
  std::shared_ptr<Modules> trained_ = std::make_shared<Modules>();
  std::shared_ptr<Modules> teacher_ = std::make_shared<Modules>();
};

/// Names a Network without asking for it, so that one that can't be made costs no errors of its own.
template <class B, class P, class L>
struct NetworkOf {
  using type = Network<B, P, L>;
};

}  // namespace jessl::train::detail
