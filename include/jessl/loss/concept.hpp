// SPDX-License-Identifier: Apache-2.0
// What a loss is: a scalar from the embeddings of several views of one batch, and what it wants around it.
#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <tuple>
#include <utility>
#include <vector>

#include <jessl/core/communicator.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/loss/predictor.hpp>
#include <jessl/loss/progress.hpp>
#include <jessl/loss/teacher.hpp>

namespace jessl {

/// Whether the loss wants a predictor, a second head on the online side: it has a setting `loss::Predictor predictor`.
template <class L>
concept PredictedLoss = requires(const L& loss) {
  { loss.predictor } -> std::convertible_to<loss::Predictor>;
};

/// Whether the loss wants the embeddings of a momentum teacher: it has a setting `loss::Teacher teacher`.
template <class L>
concept TaughtLoss = requires(const L& loss) {
  { loss.teacher } -> std::convertible_to<loss::Teacher>;
};

/// Whether the loss compares the views with targets: a teacher's embeddings, or those before its own predictor.
template <class L>
concept TargetedLoss = PredictedLoss<L> || TaughtLoss<L>;

namespace loss {

/// What `make` of the loss `L` returns.
template <class L>
using StateOf = decltype(std::declval<const L&>().make(std::int64_t{}));

}  // namespace loss

/// Whether the loss keeps something from step to step, or has parameters of its own: a queue, a centre, prototypes.
///
/// `loss.make(width)` returns a torch::nn::ModuleHolder for embeddings of that width. Its parameters are learned with the
/// network's; a call changes its buffers. Both are in checkpoints, and a step that fails puts the buffers back.
/// `->initialise(seed)`         sets every parameter and buffer as a pure function of the seed
/// `->set_progress(progress)`   only where something depends on how far the run is; called before each step
/// `->follow(momentum)`         only where a part belongs to the teacher; called after each step, with the teacher's momentum
/// `->keep()`                   only where copies of all buffers in each step would be dear, as of a long queue: gives a KeptBuffers
///                              of those that a call changes, or what has such a put_back(); it lives no longer than the step
///
/// Errors     ConfigError from make() for settings or a width that describe no state
/// Source     none
template <class L>
concept StatefulLoss = requires(loss::StateOf<L> state, std::uint64_t seed) {
  { state.ptr() } -> std::convertible_to<std::shared_ptr<torch::nn::Module>>;
  state->initialise(seed);
};

/// Whether the loss brings images of its own, which are embedded with each batch: `loss.images()`, [M, C, H, W].
template <class L>
concept ImagesLoss = requires(const L& loss) {
  { loss.images() } -> std::convertible_to<torch::Tensor>;
};

/// Whether the loss needs but some of the views on a side: it has `bool student_sees(view)` and `bool teacher_sees(view)`, const, of
/// the number of a view. A trainer spares the others that network, and their batch norms the others: their embeddings are zeros.
///
/// Errors     none
/// Source     none
template <class L>
concept SelectiveLoss = requires(const L& loss, std::int64_t view) {
  { loss.student_sees(view) } -> std::same_as<bool>;
  { loss.teacher_sees(view) } -> std::same_as<bool>;
};

namespace loss {

/// What a loss may be called with.
///
/// Shapes     as below
/// Errors     none
/// Models     none
/// Source     none
struct Embedded {
  std::vector<torch::Tensor> views{};  ///< V x [N, D]: the predictor's output where there is one, else the projector's
  std::vector<torch::Tensor> targets{};  ///< T x [N, D], T <= V: of the first T views, without gradient
  torch::Tensor images{};                ///< [M, D]: of the loss's own images
  torch::Tensor labels{};                ///< [N], int64; undefined where there are none
};

/// What the batches of a run will be, as far as it is known before an image is read. A loss that can't work with all of them
/// says so in `check_batch(batch)`, which Trainer::check() calls where a loss has it.
///
/// Shapes     none
/// Units      below
/// Errors     none
/// Models     none
/// Source     none
struct BatchShape {
  std::int64_t views = 0;        ///< of each image
  std::int64_t large_views = 0;  ///< the first one and those after it that have its size, which have targets
  std::int64_t images = 0;       ///< in a batch, of all ranks
  std::int64_t width = 0;        ///< of the embeddings
  std::int64_t classes = 0;      ///< of the labels; 0 where there are none
  double epochs = 0;             ///< of the run; 0 where that is not known
  double last_epoch = 0;         ///< that have passed when the run's last step begins, a fraction
};

namespace detail {

/// In place of the state of a loss that has none.
struct NoState {};

template <class L>
struct StateOrNone {
  using type = NoState;
};
template <StatefulLoss L>
struct StateOrNone<L> {
  using type = StateOf<L>;
};

/// An argument of the call, or nothing where the loss doesn't want it.
template <bool wanted, class T>
[[nodiscard]] auto only_if(const T& value) {
  if constexpr (wanted) {
    return std::tuple<const T&>(value);
  } else {
    return std::tuple<>();
  }
}

/// What the loss `L` is called with, in the order that jessl::Loss gives.
template <class L, bool with_labels, class State, class Group>
[[nodiscard]] auto arguments(const Embedded& given, const State& state, const Group& group) {
  return std::tuple_cat(only_if<true>(given.views), only_if<TargetedLoss<L>>(given.targets),
                        only_if<ImagesLoss<L>>(given.images), only_if<StatefulLoss<L>>(state),
                        only_if<with_labels>(given.labels), only_if<true>(group));
}

template <class L, class Arguments>
inline constexpr bool gives_tensor = false;
template <class L, class... Argument>
inline constexpr bool gives_tensor<L, std::tuple<Argument...>> = requires(const L& loss, Argument... argument) {
  { loss(argument...) } -> std::same_as<torch::Tensor>;
};

template <class L, bool with_labels, class Group = SingleProcess>
inline constexpr bool is_loss =
    gives_tensor<L, decltype(arguments<L, with_labels>(std::declval<const Embedded&>(),
                                                       std::declval<const typename StateOrNone<L>::type&>(),
                                                       std::declval<const Group&>()))>;

}  // namespace detail

/// Whether the loss can be called with this group: one that takes SingleProcess alone is of one process.
template <class L, class Group>
inline constexpr bool knows_group = detail::is_loss<L, false, Group> || detail::is_loss<L, true, Group>;

/// The state of a loss that has one; an empty type for the others.
template <class L>
using StateOrNone = typename detail::StateOrNone<L>::type;

}  // namespace loss

/// Measures how far the embeddings are from what self-supervision asks of them.
///
/// `loss(views[, targets][, images][, state], group)` is a const call that returns a differentiable scalar, reduced in
/// float32 (float64 inputs: float64). The arguments in brackets are there for a loss that asks for them:
/// `views`    V x [N, D], the same N images in the same order: the projector's output, or the predictor's (PredictedLoss).
///            V >= 2; views of one image may have been of several sizes (multi-crop), the largest first
/// `targets`  T x [N, D], T <= V, without gradient: for the first T views, which are the large ones, the projector's output
///            (PredictedLoss) or, rather, the teacher's (TaughtLoss)
/// `images`   [M, D]: the embeddings of the loss's own images (ImagesLoss)
/// `state`    what make() gave (StatefulLoss)
/// `group`    a Communicator
///
/// With W ranks of N images each, gradients averaged over the ranks equal those of one process on the W*N images.
/// A loss may have `check()`, which throws where a setting is out of range, and `check_batch(BatchShape)`, which throws where a
/// run's batches are not what it needs.
///
/// Errors     ConfigError for too few views or a setting out of range; ShapeError for views of unequal shape
/// Source     none
template <class L>
concept Loss = loss::detail::is_loss<L, false>;

/// A loss that is told what the images show.
///
/// `loss(views[, targets][, images][, state], labels, group)`, the rest as above, labels: [N], int64, of the N images
///
/// A loss may be both: then it is called without labels where there are none.
///
/// Errors     as jessl::Loss; ShapeError for labels of another number, ConfigError for labels of another type
/// Source     none
template <class L>
concept SupervisedLoss = loss::detail::is_loss<L, true>;

namespace loss {

/// Calls a loss with what its type asks for; with labels where it takes them and they are there.
///
/// Shapes     as Embedded -> []
/// Errors     the loss's; ConfigError where it needs labels and there are none
/// Models     none
/// Source     none
template <class L, class Group>
[[nodiscard]] torch::Tensor evaluate(const L& loss, const Embedded& given, const StateOrNone<L>& state,
                                     const Group& group) {
  if constexpr (!SupervisedLoss<L>) {
    return std::apply(loss, detail::arguments<L, false>(given, state, group));
  } else if constexpr (Loss<L>) {
    return given.labels.defined() ? std::apply(loss, detail::arguments<L, true>(given, state, group))
                                  : std::apply(loss, detail::arguments<L, false>(given, state, group));
  } else {
    JESSL_CHECK(given.labels.defined(), ConfigError, "jessl::loss::", policy_name<L>(),
                ": it learns from labels, and there are none; give it data with classes, or labels [N] in the step");
    return std::apply(loss, detail::arguments<L, true>(given, state, group));
  }
}

}  // namespace loss

/// Says at compile time what `L` lacks to be a jessl::Loss.
template <class L>
constexpr void require_loss() {
  static_assert(
      Loss<L> || SupervisedLoss<L>,
      "jessl::Trainer requires 'Loss' to be a jessl::Loss: loss(views, group), with the further arguments that "
      "its settings ask for, must return a torch::Tensor and be const; see docs/loss/README.md");
}

// [archetype]
/// The least a loss can be: the mean squared difference of the first two views.
///
/// Shapes     as every jessl::Loss
/// Errors     none
/// Models     jessl::Loss (docs/loss/README.md)
/// Source     none
struct LossArchetype {
  template <class Group>
  [[nodiscard]] torch::Tensor operator()(const std::vector<torch::Tensor>& views, const Group&) const {
    return (views.at(0) - views.at(1)).square().mean();
  }
};
static_assert(Loss<LossArchetype>);
// [/archetype]

}  // namespace jessl
