// SPDX-License-Identifier: Apache-2.0
// DINO: self-distillation with a momentum teacher whose outputs are centred and sharpened.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

#include <jessl/core/autocast.hpp>
#include <jessl/core/communicator.hpp>
#include <jessl/core/detail/check_setting.hpp>
#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/kept_buffers.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/loss/concept.hpp>
#include <jessl/loss/detail/prototypes.hpp>
#include <jessl/loss/detail/targets.hpp>
#include <jessl/loss/detail/views.hpp>
#include <jessl/loss/progress.hpp>
#include <jessl/loss/teacher.hpp>

namespace jessl::loss {

/// What DINO keeps: the last layer of the student's head, which is learned, the teacher's copy of it, and the centre of the
/// teacher's outputs.
///
/// Shapes     prototypes, teacher_prototypes: [K, D]; centre: [K]
/// Errors     none
/// Models     none; it is the module that jessl::StatefulLoss asks for
/// Source     none
class DINOStateImpl : public torch::nn::Cloneable<DINOStateImpl> {
 public:
  DINOStateImpl(std::int64_t width, std::int64_t count);

  JESSL_INLINE void reset() override;

  /// Prototypes uniform in +-1/sqrt(D), the teacher's the same; the centre is 0.
  void initialise(std::uint64_t seed);

  void set_progress(const Progress& progress) { epoch_ = progress.epoch; }

  /// The epochs that have passed; a state that was never told is past all that happens at the beginning.
  [[nodiscard]] double epoch() const { return epoch_; }

  /// The teacher's last layer follows the student's, as the rest of the teacher does; to be called after each step.
  void follow(double momentum);

  /// All that a call changes; the teacher's layer, which is much larger, follows after a step that went well.
  [[nodiscard]] KeptBuffers keep() const { return KeptBuffers({centre}); }

  torch::Tensor prototypes, teacher_prototypes, centre;

 private:
  std::int64_t width_, count_;
  double epoch_ = std::numeric_limits<double>::infinity();
};
TORCH_MODULE(DINOState);

/// Each view predicts what a momentum teacher says of the other views of the image.
///
/// The student sees all views, the teacher the first, large ones. With y = z / |z| and prototypes c of length 1 (the last,
/// weight-normalised layer of DINO's head, of which the teacher has a copy of its own) s_k = <y, c_k>: the teacher's p = softmax((s -
/// centre) / teacher temperature), without a gradient; loss = the mean over the teacher's views i, the student's views v != i
/// and the images of -sum_k p_ik log softmax_k(s_vk / temperature). Then centre <- centre_momentum centre + (1 -
/// centre_momentum) mean s, over the teacher's views and the images of all ranks. Centring keeps the teacher from one
/// output for all, the low temperature from the same weight for all outputs.
///
/// Shapes     views: V x [N, D], targets: T x [N, D], T <= V; state: make(D) -> []    N images per rank
/// Units      temperatures: dimensionless, > 0; warmup_epochs, freeze_epochs: epochs
/// Precision  reduced in float32 under autocast; float64 stays
/// Cost       O((V + T) N K D) time; O(T N K + K D) memory, as the student's views are taken one by one; reduces D numbers. The state
///            holds 2 K D numbers, and the optimizer its own for K D of them
/// Randomness initialise(seed) draws the prototypes
/// Errors     ConfigError for a setting out of range, fewer than two views, no target or more than views, views or targets of
///            different devices or types, or a state of other settings or elsewhere; ShapeError for views or targets of
///            different shapes, not [N, D], or of another width than the state's
/// Models     jessl::Loss, jessl::TaughtLoss, jessl::StatefulLoss (docs/loss/README.md)
/// Source     Caron et al., Emerging Properties in Self-Supervised Vision Transformers, ICCV 2021, arXiv 2104.14294,
///            section 3 and algorithm 1
/// Differs    the teacher's temperature goes from 0.04 to 0.07 in 30 epochs, as the authors recommend for longer runs; their
///            code's default is 0.04 throughout (.teacher_temperature = 0.04). It rises with every step, not once an epoch
struct DINO {
  static constexpr std::string_view name = "DINO";

  Teacher teacher{.momentum = 0.996, .final_momentum = 1.0};  ///< the momentum teacher, and its last layer's momentum
  double temperature = 0.1;                                   ///< of the student; dimensionless, > 0
  double warmup_temperature = 0.04;                           ///< of the teacher at first; dimensionless, > 0
  double teacher_temperature = 0.07;                          ///< of the teacher after the warm-up; dimensionless, > 0
  double warmup_epochs = 30.0;      ///< the teacher's temperature goes linearly from one to the other, >= 0
  double centre_momentum = 0.9;     ///< share of itself that the centre keeps in a step, in [0, 1]
  std::int64_t prototypes = 65536;  ///< outputs of the head, >= 2; a few thousand do for small data sets
  double freeze_epochs = 1.0;       ///< for so long the student's last layer stays as it is, >= 0

  /// The state for embeddings of that width.
  [[nodiscard]] DINOState make(std::int64_t width) const;

  template <Communicator<torch::Tensor> Group = SingleProcess>
  [[nodiscard]] torch::Tensor operator()(const std::vector<torch::Tensor>& views,
                                         const std::vector<torch::Tensor>& targets, const DINOState& state,
                                         const Group& group = {}) const {
    check();
    detail::check_views_and_targets(name, views, targets);
    detail::check_prototypes(name, state, prototypes, views[0]);
    const Autocast full_precision(views[0].device().type(), Precision::float32);

    const auto student = torch::stack(detail::unit_rows(views));  // [V, N, D]
    const auto type = student.scalar_type();
    const bool frozen = state->epoch() < freeze_epochs;
    const auto learned = frozen ? state->prototypes.detach() : state->prototypes;
    const auto directions = detail::unit_rows(learned.to(type));  // [K, D]

    const Teaching teaching = teach(targets, state, type, group);
    const auto value = detail::prototype_cross_entropy(student, directions, teaching.outputs, temperature);
    const torch::NoGradGuard no_gradient;
    state->centre.lerp_(teaching.mean.to(state->centre.scalar_type()), 1 - centre_momentum);
    return value;
  }

  /// Checks that the prototypes learn within the run.
  void check_batch(const BatchShape& batch) const { detail::check_frozen(name, freeze_epochs, batch); }

  /// The teacher's temperature when so many epochs have passed.
  [[nodiscard]] double temperature_at(double epoch) const {
    const double share = epoch < warmup_epochs ? epoch / warmup_epochs : 1.0;
    return warmup_temperature + (teacher_temperature - warmup_temperature) * share;
  }

  void check() const;

 private:
  /// What the teacher says.
  struct Teaching {
    std::vector<torch::Tensor> outputs;  ///< T x [N, K], of each of its views
    torch::Tensor mean;  ///< [K]: of the outputs before the centre is taken off, over views and all ranks
  };

  template <class Group>
  [[nodiscard]] Teaching teach(const std::vector<torch::Tensor>& targets, const DINOState& state,
                               torch::ScalarType type, const Group& group) const {
    const torch::NoGradGuard no_gradient;
    const auto directions = detail::unit_rows(state->teacher_prototypes.to(type));  // [K, D]
    const double sharpening = 1 / temperature_at(state->epoch());
    const auto centre = state->centre.to(type);
    Teaching teaching;
    torch::Tensor sum;  // [D]
    for (const torch::Tensor& y : detail::unit_rows(targets)) {
      teaching.outputs.push_back(y.mm(directions.t()).sub_(centre).mul_(sharpening).softmax(1));
      sum = sum.defined() ? sum + y.mean(0) : y.mean(0);
    }
    // The mean output is the last layer's for the mean embedding: D numbers are sent, not K.
    teaching.mean = directions.mv(group.all_reduce_mean(sum / static_cast<double>(targets.size())));
    return teaching;
  }
};
static_assert(StatefulLoss<DINO> && TaughtLoss<DINO> && Loss<DINO>);

}  // namespace jessl::loss

JESSL_OPTIONS(jessl::loss::DINO, teacher, temperature, warmup_temperature, teacher_temperature, warmup_epochs,
              centre_momentum, prototypes, freeze_epochs);

#if JESSL_DEFINITIONS

namespace jessl::loss {

JESSL_INLINE DINOStateImpl::DINOStateImpl(std::int64_t width, std::int64_t count) : width_(width), count_(count) {
  reset();
}

JESSL_INLINE void DINOStateImpl::initialise(std::uint64_t seed) {
  const torch::NoGradGuard no_gradient;
  detail::draw_prototypes(prototypes, seed);
  teacher_prototypes.copy_(prototypes);
  centre.zero_();
}

JESSL_INLINE void DINOStateImpl::follow(double momentum) {
  const torch::NoGradGuard no_gradient;
  if (momentum == 0) {  // not by arithmetic, which would keep what is not finite
    teacher_prototypes.copy_(prototypes);
  } else {
    teacher_prototypes.lerp_(prototypes, 1 - momentum);
  }
}

JESSL_INLINE void DINOStateImpl::reset() {
  prototypes = register_parameter("prototypes", torch::empty({count_, width_}));
  teacher_prototypes = register_buffer("teacher_prototypes", torch::empty({count_, width_}));
  centre = register_buffer("centre", torch::empty({count_}));
  initialise(0);
}

JESSL_INLINE DINOState DINO::make(std::int64_t width) const {
  check();
  JESSL_CHECK(width >= 1, ConfigError, "jessl::loss::DINO.make: width is ", width, ", expected >= 1");
  return DINOState(width, prototypes);
}

JESSL_INLINE void DINO::check() const {
  const auto require = [](bool in_range, std::string_view setting, auto value, std::string_view range) {
    jessl::detail::check_setting(in_range, "loss", name, setting, static_cast<double>(value), range);
  };
  teacher.check(name);
  require(temperature > 0, "temperature", temperature, "a finite number > 0");
  require(warmup_temperature > 0, "warmup_temperature", warmup_temperature, "a finite number > 0");
  require(teacher_temperature > 0, "teacher_temperature", teacher_temperature, "a finite number > 0");
  require(warmup_epochs >= 0, "warmup_epochs", warmup_epochs, "a finite number >= 0");
  require(centre_momentum >= 0 && centre_momentum <= 1, "centre_momentum", centre_momentum, "a number in [0, 1]");
  require(prototypes >= 2, "prototypes", prototypes, "an integer >= 2");
  require(freeze_epochs >= 0, "freeze_epochs", freeze_epochs, "a finite number >= 0");
}

}  // namespace jessl::loss

#endif  // JESSL_DEFINITIONS
