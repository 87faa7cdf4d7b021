// SPDX-License-Identifier: Apache-2.0
// What a backbone is: the network whose features are kept.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

#include <jessl/core/options.hpp>
#include <jessl/core/tensor.hpp>

namespace jessl {

/// A network from images to features: a torch::nn::ModuleHolder with
///
/// `->forward(x)`         [N, C, H, W] -> [N, D], pooled
/// `.feature_dim`         D
/// `->initialise(seed)`   sets every parameter and running statistic as a pure function of the seed
///
/// A new one is as initialise(0) leaves it; backbone::Holder sees to that for the modules that it makes. So a Trainer can tell
/// loaded weights, which it keeps, from new ones, which it draws from the seed of the run before the first step.
///
/// Errors     ShapeError from forward() for images of another shape
/// Source     none
template <class B>
concept Backbone = requires(B net, const torch::Tensor& images, std::uint64_t seed) {
  { net.ptr() } -> std::convertible_to<std::shared_ptr<torch::nn::Module>>;
  { net->forward(images) } -> std::same_as<torch::Tensor>;
  { net.feature_dim } -> std::convertible_to<std::int64_t>;
  net->initialise(seed);
};

/// Says at compile time what `B` lacks to be a jessl::Backbone.
template <class B>
constexpr void require_backbone() {
  static_assert(
      Backbone<B>,
      "jessl::Trainer requires 'Backbone' to be a jessl::Backbone: a torch::nn::ModuleHolder with ->forward(images), "
      ".feature_dim and ->initialise(seed); see docs/backbone/README.md");
}

namespace backbone {

/// Whether autocast would round the images before anything else happens to them, because the network begins with a
/// convolution or a matrix product, so that a Trainer may hand them over rounded. The network's module says so by
/// `static constexpr bool casts_images = true`.
///
/// Shapes     none
/// Errors     none
/// Models     none
/// Source     none
template <class B>
[[nodiscard]] constexpr bool casts_images() {
  using Module = std::remove_cvref_t<decltype(*std::declval<B&>())>;
  if constexpr (requires { Module::casts_images; }) {
    return Module::casts_images;
  } else {
    return false;
  }
}

/// A torch::nn::ModuleHolder that also says how wide the features are: `net.feature_dim`, as its module does.
///
/// A module that the holder makes starts as initialise(0) leaves it, whatever its constructor leaves. A module that is handed
/// over is taken as it is.
///
/// Shapes     [N, C, H, W] -> [N, feature_dim]
/// Errors     none of its own
/// Models     jessl::Backbone, where `Impl` has forward, feature_dim and initialise (docs/backbone/README.md)
/// Source     none
template <class Impl>
class Holder : public torch::nn::ModuleHolder<Impl> {
 public:
  /// The default network.
  Holder() : Holder(std::make_shared<Impl>()) { make_from_seed(); }

  /// A network of these settings, which its module's constructor takes.
  template <class First, class... Rest>
  requires(std::constructible_from<Impl, const First&, const Rest&...> &&
           !std::derived_from<First, torch::nn::Module>) explicit Holder(const First& first, const Rest&... rest)
      : Holder(std::make_shared<Impl>(first, rest...)) {
    make_from_seed();
  }

  /// Empty: for a member that is set later.
  Holder(std::nullptr_t) : torch::nn::ModuleHolder<Impl>(nullptr) {}  // NOLINT: implicit, as LibTorch's

  Holder(std::shared_ptr<Impl> module)  // NOLINT: implicit, as LibTorch's
      : torch::nn::ModuleHolder<Impl>(std::move(module)), feature_dim(this->get()->feature_dim) {}

  /// The network's settings, where it has any.
  [[nodiscard]] Json to_json() const requires requires(const Impl& module) { module.options; }
  { return jessl::to_json(this->get()->options); }

  std::int64_t feature_dim = 0;  ///< width of the features; not const, so that holders can be assigned
  bool made_from_seed = false;   ///< the holder made the module: other weights than those of initialise(0) were loaded

 private:
  void make_from_seed() {
    this->get()->initialise(0);
    made_from_seed = true;
  }
};

/// Whether a backbone is known to have been made as initialise(0) leaves it.
template <class B>
[[nodiscard]] bool is_made_from_seed(const B& net) {
  if constexpr (requires { bool(net.made_from_seed); }) {
    return net.made_from_seed;
  } else {
    return false;
  }
}

}  // namespace backbone

// [archetype]
/// The least a backbone can be: the mean of each channel.
///
/// Shapes     [B, 3, H, W] -> [B, 3]
/// Errors     none
/// Models     jessl::Backbone, inside backbone::Holder
/// Source     none
struct BackboneArchetypeImpl : torch::nn::Module {
  [[nodiscard]] torch::Tensor forward(const torch::Tensor& images) const { return images.mean({2, 3}); }
  void initialise(std::uint64_t) {}
  std::int64_t feature_dim = 3;
};
using BackboneArchetype = backbone::Holder<BackboneArchetypeImpl>;
static_assert(Backbone<BackboneArchetype>);
// [/archetype]

}  // namespace jessl
