// SPDX-License-Identifier: Apache-2.0
// A network without the types of its parts: its modules, and the way from views to their gradients.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <jessl/core/autocast.hpp>
#include <jessl/core/batch_norm.hpp>
#include <jessl/core/collectives.hpp>
#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/kept_buffers.hpp>
#include <jessl/core/shape.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/core/views.hpp>
#include <jessl/distributed/group.hpp>
#include <jessl/loss/parts.hpp>
#include <jessl/loss/progress.hpp>

namespace jessl::train::detail {

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
  explicit RandomState(const torch::Device& device);
  /// Sets the generators to what they were when this was made.
  void put_back();

 private:
  void keep(const torch::Device& device);

  std::vector<std::pair<at::Generator, torch::Tensor>> generators_;
};

/// Puts weights of convolutions into channels-last order, which the fast kernels want. LibTorch's Module::to has no such form.
void to_channels_last(torch::nn::Module& module);

/// A module by the name under which checkpoints keep it.
struct NamedModule {
  std::string name;
  std::shared_ptr<torch::nn::Module> module;
};

/// A module that starts from weights of its own, and how it draws them.
struct DrawnModule : NamedModule {
  std::function<void(std::uint64_t seed)> initialise;
  bool is_loss_state = false;  // which knows better than its buffers what a call changes
};

/// What a forward pass changes, as it was, to put back.
struct Kept {
  KeptBuffers networks;
  std::function<void()> put_back_state;  ///< of the loss

  void put_back();
};

/// What the layers made of some of a batch's images, without gradient: the representation, then the projector's layers.
struct Watched {
  std::vector<torch::Tensor> layers{};  // [views * images, width], one view after another
  std::int64_t views = 0;
  std::int64_t images = 0;
};

/// What the projector made of views and of the loss's own images.
struct Projected {
  std::vector<torch::Tensor> views{};  // V x [N, E]
  torch::Tensor images{};              // [M, E]
};

/// A backbone and a projector: the student or the teacher.
struct Side {
  template <class B, class Head>
  Side(B net, Head head)
      : backbone(net.ptr()),
        projector(head.ptr()),
        represent([net](const torch::Tensor& images) mutable { return net->forward(images); }),
        project([head](const torch::Tensor& features) mutable { return head->forward(features); }),
        layers([head](const torch::Tensor& features) mutable { return head->layers(features); }) {}

  [[nodiscard]] std::vector<torch::Tensor> parameters() const;

  [[nodiscard]] std::vector<torch::Tensor> buffers() const;

  std::shared_ptr<torch::nn::Module> backbone;
  std::shared_ptr<torch::nn::Module> projector;
  std::function<torch::Tensor(const torch::Tensor&)> represent;            // [N, C, H, W] -> [N, D]
  std::function<torch::Tensor(const torch::Tensor&)> project;              // [N, D] -> [N, E]
  std::function<std::vector<torch::Tensor>(const torch::Tensor&)> layers;  // [N, D] -> each layer's, the last [N, E]
};

/// Backbone and projector, and what the loss asks for around them: a predictor, a teacher, the loss's own state.
///
/// All that the types of the parts don't decide is here, compiled once a source file however many networks there are; Network,
/// which knows the types, derives from it.
class NetworkBase {
 public:
  virtual ~NetworkBase() = default;
  NetworkBase(const NetworkBase&) = delete;
  NetworkBase& operator=(const NetworkBase&) = delete;

  /// What learns by gradients: backbone, projector, predictor, the loss's parameters.
  [[nodiscard]] const torch::nn::Module& trained() const { return *trained_; }

  /// The modules that start from weights of their own, the backbone first.
  [[nodiscard]] const std::vector<DrawnModule>& drawn() const { return drawn_; }

  /// The modules that a checkpoint holds.
  [[nodiscard]] const std::vector<NamedModule>& modules() const { return modules_; }

  /// Those of them that are the encoder: backbone and projector.
  [[nodiscard]] std::vector<NamedModule> encoder() const;

  [[nodiscard]] const Side& student() const { return student_; }

  /// The predictor's learning rate stays at the highest one after the warm-up.
  [[nodiscard]] virtual bool predictor_keeps_lr() const = 0;

  [[nodiscard]] torch::Device device() const;

  /// From now on the batch is that of all ranks: batch norms, the loss and gradients are those of the joint batch.
  ///
  /// Errors     ConfigError for a batch norm of LibTorch's own, which knows no ranks
  void join(distributed::Group group);

  [[nodiscard]] const distributed::Group& group() const { return group_; }

  /// All ranks start from the weights and statistics of rank 0.
  void take_from_first() const;

  /// From now on backward passes average the gradients of what is trained over the ranks.
  void average_gradients();

  /// A number that travels with the loss of the next step: message() is then its sum over the ranks.
  void send(double message) { sent_ = message; }
  [[nodiscard]] double message() const { return message_; }

  /// Moves everything to a device, in the type that the backbone has: a caller may have changed that of the modules he sees.
  void to(const torch::Device& device);

  /// Without progress the teacher's momentum and the loss's state keep to what they were last told.
  void set_progress(const std::optional<loss::Progress>& progress);

  /// Makes the teacher equal to the student, as it is when a run starts.
  void start_teacher();

  /// After the optimizer's step: lets the teacher follow.
  void after_step();

  /// From now on steps take down what the layers make of their large views, or no longer.
  void watch(bool watching);

  /// What the layers made in the last step, in the order of its images.
  [[nodiscard]] std::vector<Watched> take_watched();

  /// What a forward pass changes, as it is now: running statistics and the loss's memory.
  [[nodiscard]] Kept keep();

  /// Adds the gradient of these views' loss to that of the weights and returns the loss, []; adds nothing where the loss is
  /// not finite.
  ///
  /// With a `micro_batch` > 0 backbone and projector see that many images at once, twice: first for the embeddings, at which
  /// the loss of the whole batch is differentiated, then for the weights. So the gradient is the whole batch's, in the memory of
  /// a part of it; what batch norms see is the part. It is GradCache: Gao et al., Scaling Deep Contrastive Learning Batch Size
  /// under Memory Limited Setup, 2021, arXiv 2101.06983.
  ///
  /// Errors     those of the loss; ShapeError where it is no scalar, ConfigError where it doesn't depend on the weights
  double differentiate(const std::vector<torch::Tensor>& views, const torch::Tensor& labels, Precision precision,
                       std::int64_t micro_batch);

  /// The terms of the loss in the last step.
  [[nodiscard]] const std::vector<loss::Part>& loss_parts() const { return loss_parts_; }

  /// Sends two blank images of each shape through the backbone, so that a mismatch is known before the run.
  void try_backbone(const std::vector<ViewShape>& shapes, std::int64_t feature_dim) const;

 protected:
  using Views = std::vector<torch::Tensor>;

  explicit NetworkBase(Side student) : student_(std::move(student)) {}

  /// Takes in a module that is trained.
  template <class Holder>
  void add_trained(const std::string& name, Holder holder, bool is_loss_state = false) {
    trained_->register_module(name, holder.ptr());
    modules_.push_back({name, holder.ptr()});
    drawn_.push_back(
        {modules_.back(), [holder](std::uint64_t seed) mutable { holder->initialise(seed); }, is_loss_state});
  }

  /// Takes in the teacher, last of all modules.
  void add_teacher(Side teacher);

  [[nodiscard]] static std::vector<std::int64_t> row_counts(const Views& tensors);

 private:
  // What the loss's type decides.
  [[nodiscard]] virtual std::string_view loss_name() const = 0;
  [[nodiscard]] virtual bool has_predictor() const = 0;
  /// The loss can be called with ranks.
  [[nodiscard]] virtual bool knows_ranks() const = 0;
  /// The loss's own parameters may be left out of some steps' gradients.
  [[nodiscard]] virtual bool may_freeze() const = 0;
  [[nodiscard]] virtual bool student_sees(std::int64_t view) const = 0;
  [[nodiscard]] virtual bool teacher_sees(std::int64_t view) const = 0;
  [[nodiscard]] virtual double teacher_momentum(const loss::Progress& progress) const = 0;
  [[nodiscard]] virtual bool teacher_follows_statistics() const = 0;
  /// The loss's own images in the form of a view; undefined where it has none.
  [[nodiscard]] virtual torch::Tensor own_images(const torch::Tensor& view) const = 0;
  /// Its memory as it is now; the function puts it back.
  [[nodiscard]] virtual std::function<void()> keep_state() = 0;
  virtual void tell_state(const loss::Progress& progress) = 0;
  virtual void let_state_follow(double momentum) = 0;
  /// The loss of what the projector made.
  [[nodiscard]] virtual torch::Tensor value(const Projected& projected, const Views& targets,
                                            const torch::Tensor& labels, Precision precision) = 0;

  void follow(double momentum);

  void follow_all_statistics(double momentum);

  /// Adds the gradient of the loss of what the projector made, and returns its value. `is_last`: no other pass of the step adds
  /// to the weights' gradient.
  double backward(const Projected& projected, const Views& targets, const torch::Tensor& labels, Precision precision,
                  bool is_last);

  /// The mean over the ranks of the loss and its terms; adds up the message.
  double share(double loss);

  /// Averages over the ranks what several passes have added up.
  void average_added_up() const;

  double differentiate_by_parts(const Views& views, const torch::Tensor& labels, Precision precision,
                                std::int64_t micro_batch);

  /// Behind the last view in a row that has the shape of the one at `begin`.
  [[nodiscard]] static auto end_of_size(const Views& views, Views::const_iterator begin) {
    return std::find_if(begin, views.end(), [&](const torch::Tensor& view) { return view.sizes() != begin->sizes(); });
  }

  /// Embeddings of some of the views, and zeros like them in the place of the others: `made` lists those that `seen(view)`.
  [[nodiscard]] static Views in_places(const Views& made, std::size_t count,
                                       const std::function<bool(std::int64_t)>& seen);

  /// Through a network in one pass, which costs less than one for each view and shows batch norms all of them: images of one
  /// shape, V x [N, C, H, W] -> V x [N, E]. Where `layers` is given it gets what each layer made, without gradient.
  [[nodiscard]] static Views embed(const Side& side, const Views& images, Views* layers = nullptr);

  /// Where project() is to take down what the layers make.
  [[nodiscard]] std::vector<Watched>* watched() { return watching_ ? &watched_ : nullptr; }

  [[nodiscard]] Projected project(const Views& views, Precision precision, bool with_images,
                                  std::vector<Watched>* watched) const;

  /// What the views are to agree with, without gradient; for the large views only.
  [[nodiscard]] Views targets(const Views& views, const Projected& projected, Precision precision) const;

  Side student_;
  std::optional<Side> teacher_{};
  std::vector<NamedModule> modules_{};
  std::vector<DrawnModule> drawn_{};
  loss::Progress progress_{};
  distributed::Group group_{};
  std::unique_ptr<GradientAverage> average_{};
  double sent_ = 0.0;
  double message_ = 0.0;
  bool watching_ = false;
  std::vector<Watched> watched_{};        // in the last step
  std::vector<loss::Part> loss_parts_{};  // in the last step
  std::shared_ptr<Modules> trained_ = std::make_shared<Modules>();
  std::shared_ptr<Modules> taught_ = std::make_shared<Modules>();
};

}  // namespace jessl::train::detail

#if JESSL_DEFINITIONS

namespace jessl::train::detail {

JESSL_INLINE RandomState::RandomState(const torch::Device& device) {
  keep(torch::Device(torch::kCPU));
  if (!device.is_cpu()) keep(device);
}

JESSL_INLINE void RandomState::put_back() {
  for (auto& [generator, state] : generators_) {
    const std::lock_guard lock(generator.mutex());
    generator.set_state(state);
  }
}

JESSL_INLINE void RandomState::keep(const torch::Device& device) {
  at::Generator generator = at::globalContext().defaultGenerator(device);
  const std::lock_guard lock(generator.mutex());
  generators_.emplace_back(generator, generator.get_state());
}

JESSL_INLINE void to_channels_last(torch::nn::Module& module) {
  for (torch::Tensor& parameter : module.parameters()) {
    if (parameter.dim() == 4) parameter.set_data(parameter.contiguous(torch::MemoryFormat::ChannelsLast));
  }
}

/// `tensors` <- momentum `tensors` + (1 - momentum) `others`; a copy for momentum 0.
JESSL_INLINE void follow(std::vector<torch::Tensor> tensors, const std::vector<torch::Tensor>& others,
                         double momentum) {
  if (tensors.empty()) return;
  if (momentum == 0.0) {  // not by arithmetic, which would keep what is not finite
    at::_foreach_copy_(tensors, others);
  } else {
    at::_foreach_lerp_(tensors, others, 1.0 - momentum);
  }
}

/// As above, of the numbers among a module's running statistics; counts are copied.
JESSL_INLINE void follow_statistics(const torch::nn::Module& teacher, const torch::nn::Module& student,
                                    double momentum) {
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
JESSL_INLINE std::vector<torch::Tensor> part_of(const std::vector<torch::Tensor>& views, std::int64_t begin,
                                                std::int64_t size) {
  std::vector<torch::Tensor> part;
  for (const torch::Tensor& view : views) part.push_back(view.narrow(0, begin, size));
  return part;
}

JESSL_INLINE void Kept::put_back() {
  networks.put_back();
  put_back_state();
}

JESSL_INLINE std::vector<torch::Tensor> Side::parameters() const {
  std::vector<torch::Tensor> all = backbone->parameters();
  for (const torch::Tensor& parameter : projector->parameters()) all.push_back(parameter);
  return all;
}

JESSL_INLINE std::vector<torch::Tensor> Side::buffers() const {
  std::vector<torch::Tensor> all = backbone->buffers();
  for (const torch::Tensor& buffer : projector->buffers()) all.push_back(buffer);
  return all;
}

JESSL_INLINE std::vector<NamedModule> NetworkBase::encoder() const {
  return {{"backbone", student_.backbone}, {"projector", student_.projector}};
}

JESSL_INLINE torch::Device NetworkBase::device() const {
  const Views parameters = trained_->parameters();
  return parameters.empty() ? torch::Device(torch::kCPU) : parameters.front().device();
}

JESSL_INLINE void NetworkBase::to(const torch::Device& device) {
  const Views parameters = student_.backbone->parameters();
  const torch::ScalarType type = parameters.empty() ? torch::kFloat32 : parameters.front().scalar_type();
  const torch::NoGradGuard no_gradient;
  for (const auto& modules : {trained_, taught_}) {
    for (Views tensors : {modules->parameters(), modules->buffers()}) {
      for (torch::Tensor& tensor : tensors)
        tensor.set_data(tensor.to(device, tensor.is_floating_point() ? type : tensor.scalar_type()));
    }
    to_channels_last(*modules);
  }
}

JESSL_INLINE void NetworkBase::join(distributed::Group group) {
  std::vector<JointModule*> joint_modules;
  for (const auto& modules : {trained_, taught_}) {
    for (const auto& entry : modules->named_modules()) {
      torch::nn::Module& module = *entry.value();
      if (auto* const joint = dynamic_cast<JointModule*>(&module)) {
        joint_modules.push_back(joint);
        continue;
      }
      const bool alone = module.as<torch::nn::BatchNorm1dImpl>() != nullptr ||
                         module.as<torch::nn::BatchNorm2dImpl>() != nullptr ||
                         module.as<torch::nn::BatchNorm3dImpl>() != nullptr;
      JESSL_CHECK(
          !alone || group.size() == 1, ConfigError, "jessl::Trainer::join: ", entry.key(),
          " is a batch norm of torch::nn, which would normalise by this rank's images alone; make it a "
          "jessl::BatchNorm1d or jessl::BatchNorm2d (jessl/core/batch_norm.hpp), which have its names and settings");
    }
  }
  JESSL_CHECK(group.size() == 1 || knows_ranks(), ConfigError, "jessl::Trainer::join: there are ", group.size(),
              " ranks, and the loss ", loss_name(),
              " takes a jessl::SingleProcess alone; make the type of its last argument a template's");
  for (JointModule* const joint : joint_modules) joint->join(group.ranks());
  average_.reset();
  group_ = std::move(group);
}

JESSL_INLINE void NetworkBase::take_from_first() const {
  if (!group_.ranks()) return;
  for (const auto& modules : {trained_, taught_}) {
    group_.ranks()->broadcast(modules->parameters());
    group_.ranks()->broadcast(modules->buffers());
  }
}

JESSL_INLINE void NetworkBase::average_gradients() {
  if (!group_.ranks()) return;
  average_.reset();  // its hooks first
  std::vector<std::pair<std::string, torch::Tensor>> parameters;
  for (const auto& entry : trained_->named_parameters()) parameters.emplace_back(entry.key(), entry.value());
  average_ = group_.ranks()->average_gradients(parameters, may_freeze());
}

JESSL_INLINE void NetworkBase::set_progress(const std::optional<loss::Progress>& progress) {
  if (!progress) return;
  progress_ = *progress;
  tell_state(progress_);
}

JESSL_INLINE void NetworkBase::start_teacher() {
  follow(0.0);
  follow_all_statistics(0.0);
}

JESSL_INLINE void NetworkBase::after_step() {
  if (!teacher_) return;
  const double momentum = teacher_momentum(progress_);
  follow(momentum);
  if (teacher_follows_statistics()) follow_all_statistics(momentum);
}

JESSL_INLINE void NetworkBase::watch(bool watching) {
  watching_ = watching;
  watched_.clear();
}

JESSL_INLINE std::vector<Watched> NetworkBase::take_watched() { return std::exchange(watched_, {}); }

JESSL_INLINE Kept NetworkBase::keep() {
  Views networks = taught_->buffers();
  for (const DrawnModule& drawn : drawn_) {
    if (drawn.is_loss_state) continue;
    for (const torch::Tensor& buffer : drawn.module->buffers()) networks.push_back(buffer);
  }
  return {KeptBuffers(std::move(networks)), keep_state()};
}

JESSL_INLINE double NetworkBase::differentiate(const std::vector<torch::Tensor>& views, const torch::Tensor& labels,
                                               Precision precision, std::int64_t micro_batch) {
  watched_.clear();
  trained_->train();
  taught_->train();
  if (teacher_ && teacher_follows_statistics()) taught_->eval();
  if (micro_batch > 0 && micro_batch < views.front().size(0))
    return differentiate_by_parts(views, labels, precision, micro_batch);
  const Projected projected = project(views, precision, true, watched());
  return backward(projected, targets(views, projected, precision), labels, precision, /*is_last=*/true);
}

JESSL_INLINE void NetworkBase::try_backbone(const std::vector<ViewShape>& shapes, std::int64_t feature_dim) const {
  const torch::NoGradGuard no_gradient;
  const EvaluationMode evaluation_mode(student_.backbone);
  for (const ViewShape& shape : shapes) {
    try {
      const torch::Tensor features =
          student_.represent(torch::zeros({2, shape.channels, shape.height, shape.width}, device()));
      JESSL_CHECK(features.dim() == 2 && features.size(1) == feature_dim, ShapeError,
                  "jessl::Trainer: the backbone makes ", shape_of(features), " of two images, expected [2, ",
                  feature_dim, "]");
    } catch (const c10::Error& error) {
      const std::string reason = error.what_without_backtrace();
      fail<ShapeError>("jessl::Trainer: the backbone does not take views of shape ", shape, ": ",
                       reason.substr(0, reason.find('\n')), "; do the backbone's in_channels and stem fit the images?");
    }
  }
}

JESSL_INLINE void NetworkBase::add_teacher(Side teacher) {
  taught_->register_module("backbone", teacher.backbone);
  taught_->register_module("projector", teacher.projector);
  for (torch::Tensor& parameter : taught_->parameters()) parameter.requires_grad_(false);
  modules_.push_back({"teacher_backbone", teacher.backbone});
  modules_.push_back({"teacher_projector", teacher.projector});
  teacher_ = std::move(teacher);
}

JESSL_INLINE std::vector<std::int64_t> NetworkBase::row_counts(const Views& tensors) {
  std::vector<std::int64_t> counts;
  for (const torch::Tensor& tensor : tensors) counts.push_back(tensor.size(0));
  return counts;
}

JESSL_INLINE void NetworkBase::follow(double momentum) {
  const torch::NoGradGuard no_gradient;
  if (teacher_) detail::follow(teacher_->parameters(), student_.parameters(), momentum);
  let_state_follow(momentum);
}

JESSL_INLINE void NetworkBase::follow_all_statistics(double momentum) {
  if (!teacher_) return;
  const torch::NoGradGuard no_gradient;
  follow_statistics(*teacher_->backbone, *student_.backbone, momentum);
  follow_statistics(*teacher_->projector, *student_.projector, momentum);
}

JESSL_INLINE double NetworkBase::backward(const Projected& projected, const Views& targets, const torch::Tensor& labels,
                                          Precision precision, bool is_last) {
  loss::Parts parts;
  const torch::Tensor loss = value(projected, targets, labels, precision);
  JESSL_CHECK(loss.defined() && loss.dim() == 0, ShapeError, "jessl::Trainer::step: the loss is ",
              loss.defined() ? concat(shape_of(loss)) : "undefined", ", expected a scalar, []");
  JESSL_CHECK(
      loss.requires_grad(), ConfigError,
      "jessl::Trainer::step: the loss does not depend on the weights; are they frozen, is a NoGradGuard alive, or "
      "does the loss detach its views?");
  const double own = loss.item<double>();
  loss_parts_ = parts.values();  // while the device has nothing else to do
  const double result = share(own);
  if (!std::isfinite(result)) return result;
  average_&& is_last ? average_->backward(loss) : loss.backward();
  return result;
}

JESSL_INLINE double NetworkBase::share(double loss) {
  message_ = sent_;
  if (!group_.ranks()) return loss;
  const auto count = static_cast<std::int64_t>(loss_parts_.size());
  torch::Tensor numbers = torch::empty({count + 2}, torch::kFloat64);
  auto* const values = numbers.data_ptr<double>();
  values[0] = loss / static_cast<double>(group_.size());
  values[1] = sent_;
  for (std::int64_t i = 0; i < count; ++i)
    values[2 + i] = loss_parts_[static_cast<std::size_t>(i)].value / static_cast<double>(group_.size());
  group_.ranks()->all_reduce(numbers);
  const auto* const sums = numbers.const_data_ptr<double>();
  message_ = sums[1];
  for (std::int64_t i = 0; i < count; ++i) loss_parts_[static_cast<std::size_t>(i)].value = sums[2 + i];
  return sums[0];
}

JESSL_INLINE void NetworkBase::average_added_up() const {
  if (!group_.ranks()) return;
  const torch::NoGradGuard no_gradient;
  Views gradients;
  for (const torch::Tensor& parameter : trained_->parameters()) {
    if (parameter.grad().defined()) gradients.push_back(parameter.grad());
  }
  if (gradients.empty()) return;
  Views flat;
  for (const torch::Tensor& gradient : gradients) flat.push_back(gradient.reshape({-1}));
  torch::Tensor all = torch::cat(flat).div_(static_cast<double>(group_.size()));
  group_.ranks()->all_reduce(all);
  std::int64_t begin = 0;
  for (torch::Tensor& gradient : gradients) {
    gradient.copy_(all.narrow(0, begin, gradient.numel()).view_as(gradient));
    begin += gradient.numel();
  }
}

JESSL_INLINE double NetworkBase::differentiate_by_parts(const Views& views, const torch::Tensor& labels,
                                                        Precision precision, std::int64_t micro_batch) {
  const std::int64_t images = views.front().size(0);
  const auto for_each_part = [&](const auto& visit) {
    for (std::int64_t begin = 0; begin < images; begin += micro_batch) {
      const std::int64_t size = std::min(micro_batch, images - begin);
      visit(part_of(views, begin, size), begin, size);
    }
  };

  const Views weights = student_.parameters();
  const bool learns = std::any_of(weights.begin(), weights.end(), [](const auto& x) { return x.requires_grad(); });
  RandomState before(views.front().device());
  KeptBuffers statistics(student_.buffers());
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
    if (teacher_) {
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
  if (!teacher_) aims = targets(views, projected, precision);

  const double result = backward(projected, aims, labels, precision, /*is_last=*/false);
  if (!std::isfinite(result)) return result;
  if (!learns) {
    average_added_up();
    return result;
  }

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
  average_added_up();
  return result;
}

JESSL_INLINE NetworkBase::Views NetworkBase::in_places(const Views& made, std::size_t count,
                                                       const std::function<bool(std::int64_t)>& seen) {
  Views all;
  auto next = made.begin();
  for (std::size_t v = 0; v < count; ++v)
    all.push_back(seen(static_cast<std::int64_t>(v)) ? *next++ : torch::zeros_like(made.front()));
  return all;
}

JESSL_INLINE NetworkBase::Views NetworkBase::embed(const Side& side, const Views& images, Views* layers) {
  const torch::Tensor stacked = torch::cat(images).contiguous(torch::MemoryFormat::ChannelsLast);  // [V*N, C, H, W]
  const torch::Tensor features = side.represent(stacked);
  if (layers == nullptr) return side.project(features).split_with_sizes(row_counts(images));
  const Views outputs = side.layers(features);
  layers->push_back(features.detach());
  for (const torch::Tensor& output : outputs) layers->push_back(output.detach());
  return outputs.back().split_with_sizes(row_counts(images));
}

JESSL_INLINE Projected NetworkBase::project(const Views& views, Precision precision, bool with_images,
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
    // They go with the first views, so that batch norms treat them alike.
    const torch::Tensor own = with_images && begin == views.begin() ? own_images(views.front()) : torch::Tensor();
    if (own.defined()) images.push_back(own);
    begin = end;
    if (images.empty()) continue;
    Views layers;
    Views embeddings = embed(student_, images, watches && count > 0 ? &layers : nullptr);
    if (!layers.empty()) {
      const std::int64_t rows = views.front().size(0);
      for (torch::Tensor& layer : layers) layer = layer.narrow(0, 0, count * rows);  // without the loss's own images
      watched->push_back({.layers = std::move(layers), .views = count, .images = rows});
      watches = false;
    }
    if (own.defined()) {
      result.images = embeddings.back();
      embeddings.pop_back();
    }
    made.insert(made.end(), embeddings.begin(), embeddings.end());
  }
  JESSL_CHECK(!made.empty(), ConfigError, "jessl::Trainer::step: ", loss_name(), " looks at none of the ", views.size(),
              " views on the student's side; let student_sees(view) be true for one");
  result.views = in_places(made, views.size(), seen);
  return result;
}

JESSL_INLINE NetworkBase::Views NetworkBase::targets(const Views& views, const Projected& projected,
                                                     Precision precision) const {
  const torch::NoGradGuard no_gradient;
  const auto large = end_of_size(views, views.begin());  // views of the first size are the large ones
  if (teacher_) {
    const Autocast autocast(views.front().device().type(), precision);
    const auto seen = [&](std::int64_t view) { return teacher_sees(view); };
    Views images;
    for (auto view = views.begin(); view != large; ++view) {
      if (seen(view - views.begin())) images.push_back(*view);
    }
    if (images.empty()) images.push_back(views.front());  // the loss says what it misses
    return in_places(embed(*teacher_, images), static_cast<std::size_t>(large - views.begin()), seen);
  }
  Views result;
  if (has_predictor()) {
    for (std::int64_t v = 0; v < large - views.begin(); ++v)
      result.push_back(projected.views[static_cast<std::size_t>(v)].detach());
  }
  return result;
}

}  // namespace jessl::train::detail

#endif  // JESSL_DEFINITIONS
