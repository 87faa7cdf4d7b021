// SPDX-License-Identifier: Apache-2.0
// What a projector is: the head between the features that are kept and the embedding that the loss sees.
#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include <jessl/core/tensor.hpp>

namespace jessl {

namespace projector {

/// What `make` of the policy `P` returns.
template <class P>
using HeadOf = decltype(std::declval<const P&>().make(std::int64_t{}));

}  // namespace projector

/// Makes the head that maps a backbone's features to embeddings.
///
/// The policy is its settings. `make(in_features)` returns a torch::nn::ModuleHolder with
/// `->forward(x)`           [N, in_features] -> [N, out_features]
/// `->layers(x)`            the output of every layer, the last being forward(x)
/// `->out_features`         the embedding's width
/// `->initialise(seed)`     sets every parameter and running statistic as a pure function of the seed
///
/// Errors     ConfigError from make() for settings that describe no head
/// Source     none
template <class P>
concept Projector = requires(projector::HeadOf<P> head, const torch::Tensor& x, std::uint64_t seed) {
  { head.ptr() } -> std::convertible_to<std::shared_ptr<torch::nn::Module>>;
  { head->forward(x) } -> std::same_as<torch::Tensor>;
  { head->layers(x) } -> std::same_as<std::vector<torch::Tensor>>;
  { head->out_features } -> std::convertible_to<std::int64_t>;
  head->initialise(seed);
};

/// Says at compile time what `P` lacks to be a jessl::Projector.
template <class P>
constexpr void require_projector() {
  static_assert(Projector<P>,
                "jessl::Trainer requires 'Projector' to be a jessl::Projector: make(in_features) must return a "
                "torch::nn::ModuleHolder with forward(x), layers(x), out_features and initialise(seed); see "
                "docs/projector/README.md");
}

// [archetype]
/// The least a projector can be: a head without parameters.
///
/// Shapes     [B, in_features] -> [B, in_features]
/// Errors     none
/// Models     jessl::Projector (docs/projector/README.md)
/// Source     none
struct ProjectorArchetype {
  struct HeadImpl : torch::nn::Module {
    explicit HeadImpl(std::int64_t width) : out_features(width) {}
    [[nodiscard]] torch::Tensor forward(const torch::Tensor& x) const { return x; }
    [[nodiscard]] std::vector<torch::Tensor> layers(const torch::Tensor& x) const { return {x}; }
    void initialise(std::uint64_t) {}
    std::int64_t out_features;
  };
  [[nodiscard]] torch::nn::ModuleHolder<HeadImpl> make(std::int64_t in_features) const {
    return torch::nn::ModuleHolder<HeadImpl>(std::make_shared<HeadImpl>(in_features));
  }
};
static_assert(Projector<ProjectorArchetype>);
// [/archetype]

}  // namespace jessl
