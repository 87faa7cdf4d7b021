// SPDX-License-Identifier: Apache-2.0
// Any module of LibTorch's as a backbone.
#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <jessl/backbone/concept.hpp>
#include <jessl/backbone/detail/seeded_generator.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/module_state.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/tensor.hpp>

namespace jessl::backbone {

/// What is said of a wrapped network.
///
/// Shapes     none
/// Errors     none; Wrap checks them
/// Models     jessl::Options
/// Source     none
struct WrapOptions {
  static constexpr std::string_view name = "Wrap";

  std::int64_t feature_dim = 0;  ///< width of the features that the network makes, >= 1
  std::string network{};         ///< what it is, for logs and for the checkpoints that are compared when a run goes on
};

namespace detail {

template <class M>
[[nodiscard]] std::shared_ptr<M> module_of(const std::shared_ptr<M>& module) {
  return module;
}

template <class M>
[[nodiscard]] std::shared_ptr<M> module_of(const torch::nn::ModuleHolder<M>& holder) {
  return holder.is_empty() ? nullptr : holder.ptr();
}

}  // namespace detail

/// A function that makes a module, in a std::shared_ptr or a torch::nn::ModuleHolder, which makes a tensor of images.
template <class Make>
concept ModuleMaker = std::copy_constructible<Make> && requires(const Make& make, const torch::Tensor& images) {
  requires std::derived_from<typename decltype(detail::module_of(make()))::element_type, torch::nn::Module>;
  { detail::module_of(make())->forward(images) } -> std::same_as<torch::Tensor>;
};

/// The module behind Wrap: the parameters, buffers and children of the one that `Make` makes, under their own names.
///
/// Shapes     [N, C, H, W] -> [N, feature_dim]
/// Errors     as Wrap
/// Models     none; jessl::backbone::Wrap holds it
/// Source     none
template <ModuleMaker Make>
class WrapImpl : public torch::nn::Cloneable<WrapImpl<Make>> {
  using Base = torch::nn::Cloneable<WrapImpl<Make>>;
  using Module = typename decltype(detail::module_of(std::declval<const Make&>()()))::element_type;

 public:
  /// As the network's own constant of this name says, if it has one.
  static constexpr bool casts_images = [] {
    if constexpr (requires { bool(Module::casts_images); }) {
      return bool(Module::casts_images);
    } else {
      return false;
    }
  }();

  WrapImpl(const WrapOptions& settings, const Make& make)
      : options(settings), feature_dim(settings.feature_dim), make_(std::make_shared<const Make>(make)) {
    JESSL_CHECK(feature_dim >= 1, ConfigError, "jessl::backbone::Wrap: feature_dim is ", feature_dim,
                ", expected the width of what the network makes, >= 1");
    reset();
  }

  /// A new network.
  void reset() override {
    module_ = made_with(0);
    for (const auto& entry : module_->named_parameters(/*recurse=*/false))
      this->register_parameter(entry.key(), entry.value(), entry.value().requires_grad());
    for (const auto& entry : module_->named_buffers(/*recurse=*/false))
      this->register_buffer(entry.key(), entry.value());
    for (const auto& entry : module_->named_children()) this->register_module(entry.key(), entry.value());
  }

  /// The weights and buffers of a network that is made anew while LibTorch's default CPU generator has that seed. The generator
  /// is then what it was.
  void initialise(std::uint64_t seed) {
    const std::shared_ptr<Module> fresh = made_with(seed);
    const StateDict from = module_state(*fresh);
    for (const auto& [name, own] : module_state(*this)) {
      const auto other = from.find(name);
      JESSL_CHECK(other == from.end() || !other->second.is_same(own), ConfigError, "jessl::backbone::Wrap: ", name,
                  " is the same tensor in two networks, expected new ones from each call; make the network inside of "
                  "the function");
    }
    load_module_state(*this, from, "jessl::backbone::Wrap: the function made two networks that differ");
  }

  [[nodiscard]] torch::Tensor forward(const torch::Tensor& images) {
    JESSL_CHECK(images.dim() == 4, ShapeError, "jessl::backbone::Wrap: the images are ", shape_of(images),
                ", expected [N, C, H, W]");
    torch::Tensor features = module_->forward(images);
    JESSL_CHECK(features.dim() == 2 && features.size(0) == images.size(0) && features.size(1) == feature_dim,
                ShapeError, "jessl::backbone::Wrap: of images ", shape_of(images), " the network makes ",
                shape_of(features), ", expected [", images.size(0), ", ", feature_dim,
                "]; set .feature_dim to its width, or let it pool and flatten");
    return features;
  }

  /// As the network's own, where it has them.
  [[nodiscard]] std::vector<std::pair<std::string, torch::Tensor>> blocks(const torch::Tensor& images) requires
      requires(Module& module) {
    { module.blocks(images) } -> std::same_as<std::vector<std::pair<std::string, torch::Tensor>>>;
  }
  { return module_->blocks(images); }

  /// The network itself.
  [[nodiscard]] Module& module() { return *module_; }

  /// A network of its own with the same values, whether or not the module can be cloned. In training mode, as LibTorch's.
  [[nodiscard]] std::shared_ptr<torch::nn::Module> clone(
      const std::optional<torch::Device>& device = std::nullopt) const override {
    const torch::NoGradGuard no_grad;
    auto copy = std::make_shared<WrapImpl>(options, *make_);
    const StateDict from = module_state(*this);
    check_module_state(*copy, from, "jessl::backbone::Wrap: the function made two networks that differ");
    for (auto [name, target] : module_state(*copy)) {
      const torch::Tensor& value = from.at(name);
      target.set_data(device && value.device() != *device ? value.to(*device) : value.clone());
      target.set_requires_grad(value.requires_grad());
    }
    return copy;
  }

  /// Of the network, too, which is no child of this module.
  void train(bool on = true) override {
    Base::train(on);
    module_->train(on);
  }

  void to(torch::Device device, torch::Dtype type, bool non_blocking = false) override {
    module_->to(device, type, non_blocking);
  }
  void to(torch::Dtype type, bool non_blocking = false) override { module_->to(type, non_blocking); }
  void to(torch::Device device, bool non_blocking = false) override { module_->to(device, non_blocking); }

  WrapOptions options;
  std::int64_t feature_dim;

 private:
  [[nodiscard]] std::shared_ptr<Module> made_with(std::uint64_t seed) const {
    const detail::SeededGenerator seeded(seed);
    auto made = detail::module_of((*make_)());
    JESSL_CHECK(made != nullptr, ConfigError,
                "jessl::backbone::Wrap: the function made no module, expected a new one from each call");
    return made;
  }

  std::shared_ptr<const Make> make_;  // in a pointer, as a lambda with captures can't be assigned
  std::shared_ptr<Module> module_;
};

/// Any module that makes features [N, D] of images [N, C, H, W], as a backbone.
///
/// For networks that know nothing of jessl: torch::nn::Sequential, a module of somebody else's. It is given as the function that
/// makes it, since a backbone's weights are to follow from a seed and a teacher is a second network: both make it anew, and the
/// module need be neither Cloneable nor able to start again. Names of parameters and buffers are its own. A module of yours that has
/// feature_dim and initialise(seed) is a backbone in backbone::Holder without this.
///
/// Shapes     [N, C, H, W] -> [N, feature_dim]
/// Precision  autocast's
/// Randomness initialise(seed) makes the network with LibTorch's default CPU generator at that seed, which is how LibTorch's layers
///            start; what draws from elsewhere does not follow from the seed
/// Errors     ConfigError for a feature_dim < 1, and for a function that makes no module, or one that shares tensors with another;
///            ShapeError where the network makes something else than [N, feature_dim], or the function different networks; what the
///            network itself throws
/// Models     jessl::Backbone (docs/backbone/README.md)
/// Source     none
template <ModuleMaker Make>
using Wrap = Holder<WrapImpl<Make>>;

/// Wraps the modules that `make` makes: backbone::wrap({.feature_dim = 64}, [] { return MyNet(64); }).
///
/// Errors     as Wrap
/// Source     none
template <class Make>
[[nodiscard]] auto wrap(const WrapOptions& options, const Make& make) {
  static_assert(
      ModuleMaker<Make>,
      "jessl::backbone::wrap requires a function without arguments that makes a module, in a torch::nn::ModuleHolder "
      "or a std::shared_ptr, whose ->forward(images) returns a tensor; see docs/backbone/wrap.md");
  if constexpr (ModuleMaker<Make>) return Wrap<Make>(options, make);
}

}  // namespace jessl::backbone

JESSL_OPTIONS(jessl::backbone::WrapOptions, feature_dim, network);
