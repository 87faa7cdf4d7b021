// SPDX-License-Identifier: Apache-2.0
// VGG: plain stacks of 3x3 convolutions.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <jessl/backbone/concept.hpp>
#include <jessl/backbone/detail/draw_weights.hpp>
#include <jessl/backbone/detail/image_layout.hpp>
#include <jessl/backbone/detail/normalise.hpp>
#include <jessl/core/batch_norm.hpp>
#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/tensor.hpp>

namespace jessl::backbone {

/// What the networks of fixed depth leave open.
///
/// Shapes     none
/// Errors     none; VGG checks them
/// Models     jessl::Options
/// Source     as VGG
struct VGGOptions {
  static constexpr std::string_view name = "VGGOptions";

  bool batch_norm = false;       ///< a batch norm after each convolution (torchvision's vgg11_bn and so on)
  std::int64_t pooled_size = 1;  ///< side of the map that is pooled to, >= 1; 7: what torchvision's classifier reads
  std::int64_t in_channels = 3;  ///< of the images, >= 1
  std::int64_t width = 64;       ///< channels of the first stage, >= 1; each later one doubles them, the fifth apart
};

/// A VGG in full.
///
/// Shapes     none
/// Errors     none; VGG checks them
/// Models     jessl::Options
/// Source     as VGG
struct VGGLayout {
  static constexpr std::string_view name = "VGG";

  std::array<std::int64_t, 5> layers{{1, 1, 2, 2, 2}};  ///< convolutions in each stage, >= 1
  bool batch_norm = false;                              ///< a batch norm after each convolution
  std::int64_t pooled_size = 1;                         ///< side of the map that is pooled to, >= 1
  std::int64_t in_channels = 3;                         ///< of the images, >= 1
  std::int64_t width = 64;  ///< channels of the first stage, >= 1; each later one doubles them, the fifth apart
};

namespace detail {

/// The convolutions of a VGG, numbered as torchvision numbers all of its layers.
class VGGFeaturesImpl : public torch::nn::Cloneable<VGGFeaturesImpl> {
 public:
  explicit VGGFeaturesImpl(const VGGLayout& layout);

  JESSL_INLINE void reset() override;

  /// A stage with its max pooling at the end: [N, C, H, W] -> [N, C', H / 2, W / 2].
  [[nodiscard]] torch::Tensor stage(std::size_t number, torch::Tensor x);

  /// The number of a stage's pooling among torchvision's layers.
  [[nodiscard]] std::int64_t place(std::size_t number) const { return places_[number]; }

 private:
  VGGLayout layout_;
  std::array<std::vector<torch::nn::Conv2d>, 5> convolutions_;
  std::array<std::vector<BatchNorm2d>, 5> norms_;  // as many, or none
  std::array<std::int64_t, 5> places_{};
};
TORCH_MODULE(VGGFeatures);

}  // namespace detail

/// The module behind VGG; its settings are `options`.
///
/// Shapes     [N, in_channels, H, W] -> [N, feature_dim]
/// Errors     as VGG
/// Models     none; jessl::backbone::VGG holds it
/// Source     as VGG
class VGGImpl : public torch::nn::Cloneable<VGGImpl> {
 public:
  static constexpr bool casts_images = true;  ///< it begins with a convolution

  explicit VGGImpl(const VGGLayout& layout = {});

  JESSL_INLINE void reset() override;

  /// torchvision's: convolutions normal with variance 2 / fan out, biases 0; norms 1 and 0; statistics 0 and 1.
  void initialise(std::uint64_t seed);

  [[nodiscard]] torch::Tensor forward(const torch::Tensor& images);

  /// The mean of the map after every stage, [N, its channels], by the name of the stage's max pooling in torchvision
  /// ("features.2"); the last is forward(images).
  [[nodiscard]] std::vector<std::pair<std::string, torch::Tensor>> blocks(const torch::Tensor& images);

  VGGLayout options;
  std::int64_t feature_dim;

 private:
  void check() const;
  void check_images(const torch::Tensor& images) const;

  [[nodiscard]] torch::Tensor pooled(const torch::Tensor& x) const;

  detail::VGGFeatures features_{nullptr};
};

/// A VGG without its classifier: the mean of the last map, or more of it.
///
/// For comparisons with older work, and as a network without shortcuts; train it with batch_norm. What torchvision's network hands
/// to its classifier is the last map pooled to 7x7 and flattened, 25088 numbers: that is pooled_size = 7. Self-supervised learning
/// takes the map's mean, as of other networks: pooled_size = 1. Parameter and buffer names, shapes and order are torchvision's,
/// `classifier` (three linear layers, of 120 million weights) apart, so that weights go both ways.
///
/// Shapes     [N, in_channels, H, W] -> [N, feature_dim]   feature_dim = 8 width pooled_size^2; H and W >= 32
/// Units      none
/// Precision  autocast's; batch statistics in float32
/// Cost       VGG-11 7.5, -13 11.2, -16 15.3, -19 19.5 billion multiply-adds for an image of 224x224
/// Randomness its parameters are a function of the seed given to initialise(); initialise(0) when made
/// Errors     ConfigError for settings out of range; ShapeError where the images have another number of channels or are too small
/// Models     jessl::Backbone (docs/backbone/README.md)
/// Source     Simonyan and Zisserman, Very Deep Convolutional Networks for Large-Scale Image Recognition, ICLR 2015, arXiv
///            1409.1556; names and start: torchvision 0.26, vgg.py; initialisation: He et al., ICCV 2015, arXiv 1502.01852
/// Differs    the paper starts deep networks from trained shallow ones
using VGG = Holder<VGGImpl>;

/// Any VGG: backbone::vgg({.layers = {1, 1, 1, 1, 1}, .batch_norm = true, .width = 16}).
[[nodiscard]] VGG vgg(const VGGLayout& layout);

namespace detail {

[[nodiscard]] VGG vgg_of(const std::array<std::int64_t, 5>& layers, const VGGOptions& options);

}  // namespace detail

/// VGG-11: backbone::vgg11({.batch_norm = true}).
[[nodiscard]] VGG vgg11(const VGGOptions& options = {});

/// VGG-13.
[[nodiscard]] VGG vgg13(const VGGOptions& options = {});

/// VGG-16.
[[nodiscard]] VGG vgg16(const VGGOptions& options = {});

/// VGG-19.
[[nodiscard]] VGG vgg19(const VGGOptions& options = {});

}  // namespace jessl::backbone

JESSL_OPTIONS(jessl::backbone::VGGOptions, batch_norm, pooled_size, in_channels, width);
JESSL_OPTIONS(jessl::backbone::VGGLayout, layers, batch_norm, pooled_size, in_channels, width);

#if JESSL_DEFINITIONS
namespace jessl::backbone {

namespace detail {

JESSL_INLINE VGGFeaturesImpl::VGGFeaturesImpl(const VGGLayout& layout) : layout_(layout) { reset(); }

JESSL_INLINE void VGGFeaturesImpl::reset() {
  std::int64_t next = 0;
  std::int64_t in = layout_.in_channels;
  for (std::size_t stage = 0; stage < layout_.layers.size(); ++stage) {
    const std::int64_t out = layout_.width << std::min<std::size_t>(stage, 3);
    convolutions_[stage].clear();
    norms_[stage].clear();
    for (std::int64_t i = 0; i < layout_.layers[stage]; ++i) {
      const auto options = torch::nn::Conv2dOptions(in, out, /*kernel_size=*/3).padding(1);
      convolutions_[stage].push_back(register_module(std::to_string(next++), torch::nn::Conv2d(options)));
      if (layout_.batch_norm) norms_[stage].push_back(register_module(std::to_string(next++), BatchNorm2d(out)));
      ++next;  // a ReLU
      in = out;
    }
    places_[stage] = next++;
  }
}

JESSL_INLINE torch::Tensor VGGFeaturesImpl::stage(std::size_t number, torch::Tensor x) {
  for (std::size_t i = 0; i < convolutions_[number].size(); ++i) {
    x = convolutions_[number][i]->forward(x);
    x = norms_[number].empty() ? x.relu_() : normalise_relu(*norms_[number][i], x);
  }
  return torch::max_pool2d(x, /*kernel_size=*/2, /*stride=*/2);
}

JESSL_INLINE VGG vgg_of(const std::array<std::int64_t, 5>& layers, const VGGOptions& options) {
  return vgg({.layers = layers,
              .batch_norm = options.batch_norm,
              .pooled_size = options.pooled_size,
              .in_channels = options.in_channels,
              .width = options.width});
}

}  // namespace detail

JESSL_INLINE VGGImpl::VGGImpl(const VGGLayout& layout)
    : options(layout), feature_dim(8 * layout.width * layout.pooled_size * layout.pooled_size) {
  check();
  reset();
}

JESSL_INLINE void VGGImpl::check() const {
  const auto positive = [](const std::string& setting, std::int64_t value) {
    JESSL_CHECK(value >= 1, ConfigError, "jessl::backbone::VGG: ", setting, " is ", value, ", expected >= 1");
  };
  for (std::size_t stage = 0; stage < options.layers.size(); ++stage)
    positive(concat("layers[", stage, ']'), options.layers[stage]);
  positive("pooled_size", options.pooled_size);
  positive("in_channels", options.in_channels);
  positive("width", options.width);
}

JESSL_INLINE void VGGImpl::reset() { features_ = register_module("features", detail::VGGFeatures(options)); }

JESSL_INLINE void VGGImpl::initialise(std::uint64_t seed) {
  const torch::NoGradGuard no_grad;
  const auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  for (const auto& module : modules(/*include_self=*/false)) {
    if (auto* convolution = module->as<torch::nn::Conv2dImpl>()) {
      detail::draw_he(convolution->weight, generator);
      convolution->bias.zero_();
    } else if (auto* norm = module->as<BatchNorm2dImpl>()) {
      norm->reset_running_stats();
      norm->weight.fill_(1);
      norm->bias.zero_();
    }
  }
}

JESSL_INLINE void VGGImpl::check_images(const torch::Tensor& images) const {
  JESSL_CHECK(images.dim() == 4 && images.size(1) == options.in_channels, ShapeError,
              "jessl::backbone::VGG: the images are ", shape_of(images), ", expected [N, ", options.in_channels,
              ", H, W]; set .in_channels to the images' channels");
  JESSL_CHECK(images.size(2) >= 32 && images.size(3) >= 32, ShapeError, "jessl::backbone::VGG: the images are ",
              shape_of(images), ", expected sides of at least 32 pixels, which five poolings halve; enlarge them");
}

JESSL_INLINE torch::Tensor VGGImpl::pooled(const torch::Tensor& x) const {
  if (options.pooled_size == 1) return x.mean({2, 3});
  return at::adaptive_avg_pool2d(x, {options.pooled_size, options.pooled_size}).flatten(1);
}

JESSL_INLINE torch::Tensor VGGImpl::forward(const torch::Tensor& images) {
  check_images(images);
  torch::Tensor x = detail::grey_as_channels_last(images);
  for (std::size_t stage = 0; stage < options.layers.size(); ++stage) x = features_->stage(stage, x);
  return pooled(x);  // [N, feature_dim]
}

JESSL_INLINE std::vector<std::pair<std::string, torch::Tensor>> VGGImpl::blocks(const torch::Tensor& images) {
  check_images(images);
  std::vector<std::pair<std::string, torch::Tensor>> outputs;
  torch::Tensor x = detail::grey_as_channels_last(images);
  for (std::size_t stage = 0; stage < options.layers.size(); ++stage) {
    x = features_->stage(stage, x);
    const bool last = stage + 1 == options.layers.size();
    outputs.emplace_back(concat("features.", features_->place(stage)), last ? pooled(x) : x.mean({2, 3}));
  }
  return outputs;
}

JESSL_INLINE VGG vgg(const VGGLayout& layout) { return VGG(layout); }

JESSL_INLINE VGG vgg11(const VGGOptions& options) { return detail::vgg_of({1, 1, 2, 2, 2}, options); }

JESSL_INLINE VGG vgg13(const VGGOptions& options) { return detail::vgg_of({2, 2, 2, 2, 2}, options); }

JESSL_INLINE VGG vgg16(const VGGOptions& options) { return detail::vgg_of({2, 2, 3, 3, 3}, options); }

JESSL_INLINE VGG vgg19(const VGGOptions& options) { return detail::vgg_of({2, 2, 4, 4, 4}, options); }

}  // namespace jessl::backbone
#endif
