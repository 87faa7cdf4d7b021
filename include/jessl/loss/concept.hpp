// SPDX-License-Identifier: Apache-2.0
// What a loss is: a scalar from the embeddings of several views of one batch.
#pragma once

#include <concepts>
#include <vector>

#include <jessl/core/communicator.hpp>
#include <jessl/core/tensor.hpp>

namespace jessl {

/// Measures how far the embeddings are from what self-supervision asks of them.
///
/// `loss(views, group)`  views: V x [N, D], V >= 2, the same N images in the same order; group: a Communicator.
///                       Returns a differentiable scalar, reduced in float32 (float64 inputs: float64)
///
/// With W ranks of N images each, gradients averaged over the ranks equal those of one process on the W*N images.
/// A loss that needs more around it says so in its type, by static constexpr bool members that are false where absent:
/// `needs_predictor`     a second head after the projector on the online side
/// `needs_teacher`       embeddings of a momentum copy of the network
///
/// Errors     ConfigError for fewer than two views or a setting out of range; ShapeError for views of unequal shape
/// Source     none
template <class L>
concept Loss = requires(const L& loss, const std::vector<torch::Tensor>& views, const SingleProcess& group) {
  { loss(views, group) } -> std::same_as<torch::Tensor>;
};

/// A loss that is told what the images show.
///
/// `loss(views, labels, group)`  views and group as above, labels: [N], int64, of the N images
///
/// A loss may be both: then it is called without labels where there are none.
///
/// Errors     as jessl::Loss; ShapeError for labels of another number, ConfigError for labels of another type
/// Source     none
template <class L>
concept SupervisedLoss = requires(const L& loss, const std::vector<torch::Tensor>& views, const torch::Tensor& labels,
                                  const SingleProcess& group) {
  { loss(views, labels, group) } -> std::same_as<torch::Tensor>;
};

/// Whether the loss wants a predictor head.
template <class L>
[[nodiscard]] constexpr bool needs_predictor() {
  if constexpr (requires { bool(L::needs_predictor); }) {
    return L::needs_predictor;
  } else {
    return false;
  }
}

/// Whether the loss wants a momentum teacher.
template <class L>
[[nodiscard]] constexpr bool needs_teacher() {
  if constexpr (requires { bool(L::needs_teacher); }) {
    return L::needs_teacher;
  } else {
    return false;
  }
}

/// Says at compile time what `L` lacks to be a jessl::Loss.
template <class L>
constexpr void require_loss() {
  static_assert(
      Loss<L>,
      "jessl::Trainer requires 'Loss' to be a jessl::Loss: loss(views, group) must return a torch::Tensor and be "
      "const; see docs/loss/README.md");
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
