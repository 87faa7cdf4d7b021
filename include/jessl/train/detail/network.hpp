// SPDX-License-Identifier: Apache-2.0
// The modules that a loss's type asks for.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <jessl/core/autocast.hpp>
#include <jessl/core/communicator.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/kept_buffers.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/shape.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/core/views.hpp>
#include <jessl/distributed/group.hpp>
#include <jessl/loss/concept.hpp>
#include <jessl/loss/progress.hpp>
#include <jessl/loss/teacher.hpp>
#include <jessl/projector/concept.hpp>
#include <jessl/projector/mlp.hpp>
#include <jessl/train/detail/network_base.hpp>

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

/// Backbone and projector, and what the loss's type asks for around them. Who doesn't ask has no such module and no pass through
/// one; a few virtual calls a step are all that it costs.
template <class B, class P, class L>
class Network final : public NetworkBase {
  using Head = projector::HeadOf<P>;
  using State = loss::StateOrNone<L>;

 public:
  Network(B backbone, const P& projector, L loss)
      : Network(backbone, projector.make(backbone.feature_dim), projector, std::move(loss)) {}

  [[nodiscard]] const L& loss() const { return loss_; }
  [[nodiscard]] const B& backbone() const { return backbone_; }
  [[nodiscard]] const Head& projector() const { return projector_; }
  [[nodiscard]] const B& teacher() const { return teacher_backbone_; }
  [[nodiscard]] const projector::MLPHead& predictor() const { return predictor_; }
  [[nodiscard]] const State& state() const { return state_; }

  [[nodiscard]] bool predictor_keeps_lr() const override {
    if constexpr (PredictedLoss<L>) return loss_.predictor.constant_lr;
    return false;
  }

  /// Checks that the loss's own images fit the first view, with which they go through the network.
  void check_images(const ViewShape& view) const requires ImagesLoss<L> {
    const torch::Tensor images = loss_.images();
    JESSL_CHECK(images.dim() == 4 && images.size(1) == view.channels && images.size(2) == view.height &&
                    images.size(3) == view.width,
                ShapeError, "jessl::Trainer: the loss's own images are ", shape_of(images), ", the first view is ",
                view, "; expected [M, C, H, W] with the view's C, H and W");
  }

 private:
  Network(B backbone, Head head, const P& projector, L loss)
      : NetworkBase(Side(backbone, head)),
        loss_(std::move(loss)),
        backbone_(std::move(backbone)),
        projector_(std::move(head)),
        state_(make_state(loss_, projector_->out_features)) {
    projector_->initialise(0);  // made just now: whatever its constructor left, nobody has loaded it
    add_trained("backbone", backbone_);
    add_trained("projector", projector_);
    if constexpr (PredictedLoss<L>) {
      const std::string hidden = loss_.predictor.hidden.empty() ? "" : loss_.predictor.hidden + "-";
      const std::int64_t width = projector_->out_features;
      loss_.predictor.check(policy_name<L>());
      predictor_ =
          projector::MLP{.widths = hidden + std::to_string(width), .output_bias = loss_.predictor.output_bias}.make(
              width);
      add_trained("predictor", predictor_);
    }
    if constexpr (StatefulLoss<L>) {
      state_->initialise(0);
      add_trained("loss", state_, true);
    }
    if constexpr (TaughtLoss<L>) {
      auto copy = std::dynamic_pointer_cast<ModuleIn<B>>(backbone_->clone());
      JESSL_CHECK(
          copy != nullptr, ConfigError,
          "jessl::Trainer: the backbone's clone() makes another class than the backbone's, so that there can be no ",
          "teacher; derive the class itself from torch::nn::Cloneable");
      teacher_backbone_ = B(std::move(copy));
      add_teacher(Side(teacher_backbone_, projector.make(backbone_.feature_dim)));
    }
    to(device());
    start_teacher();
  }

  [[nodiscard]] static State make_state(const L& loss, std::int64_t width) {
    if constexpr (StatefulLoss<L>) {
      return loss.make(width);
    } else {
      return {};
    }
  }

  [[nodiscard]] std::string_view loss_name() const override { return policy_name<L>(); }
  [[nodiscard]] bool has_predictor() const override { return PredictedLoss<L>; }
  [[nodiscard]] bool knows_ranks() const override { return loss::knows_group<L, distributed::Group>; }
  [[nodiscard]] bool may_freeze() const override { return StatefulLoss<L>; }

  [[nodiscard]] bool student_sees(std::int64_t view) const override {
    if constexpr (SelectiveLoss<L>) return loss_.student_sees(view);
    return true;
  }
  [[nodiscard]] bool teacher_sees(std::int64_t view) const override {
    if constexpr (SelectiveLoss<L>) return loss_.teacher_sees(view);
    return true;
  }

  [[nodiscard]] double teacher_momentum(const loss::Progress& progress) const override {
    if constexpr (TaughtLoss<L>) return loss_.teacher.at(progress);
    return 0.0;
  }
  [[nodiscard]] bool teacher_follows_statistics() const override {
    if constexpr (TaughtLoss<L>) return loss_.teacher.statistics == loss::TeacherStatistics::followed;
    return false;
  }

  [[nodiscard]] torch::Tensor own_images(const torch::Tensor& view) const override {
    if constexpr (ImagesLoss<L>) {
      check_images({view.size(1), view.size(2), view.size(3)});
      return loss_.images().to(view.options());
    } else {
      return {};
    }
  }

  /// By the state itself where it knows what a call changes.
  [[nodiscard]] std::function<void()> keep_state() override {
    if constexpr (!StatefulLoss<L>) {
      return [] {};
    } else if constexpr (requires { state_->keep().put_back(); }) {
      const auto kept = std::shared_ptr<decltype(state_->keep())>(new auto(state_->keep()));  // it may not be movable
      return [kept] { kept->put_back(); };
    } else {
      const auto kept = std::make_shared<KeptBuffers>(state_->buffers());
      return [kept] { kept->put_back(); };
    }
  }

  void tell_state(const loss::Progress& progress) override {
    if constexpr (requires { state_->set_progress(progress); }) state_->set_progress(progress);
  }

  void let_state_follow(double momentum) override {
    if constexpr (requires { state_->follow(momentum); }) state_->follow(momentum);
  }

  [[nodiscard]] torch::Tensor value(const Projected& projected, const Views& targets, const torch::Tensor& labels,
                                    Precision precision) override {
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
    if constexpr (loss::knows_group<L, distributed::Group>) {
      return loss::evaluate(loss_, given, state_, group());
    } else {
      return loss::evaluate(loss_, given, state_, SingleProcess{});
    }
  }

  L loss_;
  B backbone_;
  Head projector_;
  State state_;
  projector::MLPHead predictor_{nullptr};
  B teacher_backbone_{nullptr};
};

/// Names a Network without asking for it, so that one that can't be made costs no errors of its own.
template <class B, class P, class L>
struct NetworkOf {
  using type = Network<B, P, L>;
};

}  // namespace jessl::train::detail
