// SPDX-License-Identifier: Apache-2.0
// Residual networks.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <jessl/backbone/concept.hpp>
#include <jessl/backbone/detail/convolve.hpp>
#include <jessl/backbone/detail/normalise.hpp>
#include <jessl/core/batch_norm.hpp>
#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/tensor.hpp>

namespace jessl::backbone {

/// What a residual network does before its first block.
enum class Stem : std::uint8_t {
  large,   ///< 7x7 convolution of stride 2 and max pooling, for 224x224: a quarter of the side remains
  medium,  ///< 3x3 convolution of stride 2, for 28x28 to 64x64 where time is short: half of the side remains
  small    ///< 3x3 convolution of stride 1, for 28x28 to 64x64: the whole side remains
};

/// The residual block.
enum class Block : std::uint8_t {
  basic,      ///< two 3x3 convolutions (ResNet-18, -34)
  bottleneck  ///< 1x1, 3x3, 1x1, four times as wide at its end (ResNet-50 and deeper)
};

/// What the networks of fixed depth leave open.
///
/// Shapes     none
/// Errors     none; ResNet checks them
/// Models     jessl::Options
/// Source     as ResNet
struct ResNetOptions {
  static constexpr std::string_view name = "ResNetOptions";

  Stem stem = Stem::large;          ///< by the size of the images
  std::int64_t in_channels = 3;     ///< of the images, >= 1
  std::int64_t width = 64;          ///< channels of the first stage, >= 1; each later stage doubles them
  bool zero_init_residual = false;  ///< start each block as the identity: the last norm's scale is 0
};

/// A residual network in full.
///
/// Shapes     none
/// Errors     none; ResNet checks them
/// Models     jessl::Options
/// Source     as ResNet
struct ResNetLayout {
  static constexpr std::string_view name = "ResNet";

  Block block = Block::basic;                        ///< residual block
  std::array<std::int64_t, 4> layers{{2, 2, 2, 2}};  ///< blocks in each stage, >= 1
  std::int64_t width = 64;          ///< channels of the first stage, >= 1; each later stage doubles them
  Stem stem = Stem::large;          ///< by the size of the images
  std::int64_t in_channels = 3;     ///< of the images, >= 1
  bool zero_init_residual = false;  ///< start each block as the identity: the last norm's scale is 0
  std::int64_t groups = 1;          ///< of a bottleneck's 3x3 convolution, >= 1
  std::int64_t width_per_group =
      64;  ///< channels of each group in the first stage, for a width of 64; of bottlenecks, >= 1
};

namespace detail {

/// Images of one channel with the strides of channels-last order. They are in both orders at once, and LibTorch takes them
/// for the other one, in which its convolution and all that follows it then stay.
[[nodiscard]] torch::Tensor channels_last_if_grey(const torch::Tensor& images);

/// A residual block. The members carry torchvision's names.
class ResidualBlockImpl : public torch::nn::Cloneable<ResidualBlockImpl> {
 public:
  /// `inner`: channels of a bottleneck's 3x3 convolution, which has so many groups.
  ResidualBlockImpl(Block block, std::int64_t in, std::int64_t width, std::int64_t stride, std::int64_t inner,
                    std::int64_t groups);

  [[nodiscard]] static std::int64_t expansion(Block block) { return block == Block::basic ? 1 : 4; }

  JESSL_INLINE void reset() override;

  [[nodiscard]] torch::Tensor forward(const torch::Tensor& x);

  /// The norm whose scale decides how much the block adds at first.
  [[nodiscard]] BatchNorm2d& last_norm() { return norms_[depth() - 1]; }

 private:
  [[nodiscard]] torch::Tensor downsampled(const torch::Tensor& x);

  [[nodiscard]] std::size_t depth() const { return block_ == Block::basic ? 2 : 3; }

  void add(std::size_t i, std::int64_t in, std::int64_t out, std::int64_t kernel, std::int64_t stride,
           std::int64_t groups = 1);

  Block block_;
  std::int64_t in_;
  std::int64_t width_;
  std::int64_t stride_;
  std::int64_t inner_;
  std::int64_t groups_;
  std::array<torch::nn::Conv2d, 3> convolutions_{nullptr, nullptr, nullptr};
  std::array<BatchNorm2d, 3> norms_{nullptr, nullptr, nullptr};
  torch::nn::Sequential downsample_{nullptr};
};
TORCH_MODULE(ResidualBlock);

}  // namespace detail

/// The module behind ResNet; its settings are `options`.
///
/// Shapes     [N, in_channels, H, W] -> [N, feature_dim]
/// Errors     ConfigError for settings out of range; ShapeError where the images have another number of channels
/// Models     none; jessl::backbone::ResNet holds it
/// Source     as ResNet
class ResNetImpl : public torch::nn::Cloneable<ResNetImpl> {
 public:
  static constexpr bool casts_images = true;  ///< it begins with a convolution

  explicit ResNetImpl(const ResNetLayout& layout = {});

  JESSL_INLINE void reset() override;

  /// He initialisation: convolutions normal with variance 2 / fan out; norms 1 and 0; statistics 0 and 1.
  void initialise(std::uint64_t seed);

  [[nodiscard]] torch::Tensor forward(const torch::Tensor& images);

  /// The pooled output of every block, [N, width of its stage], by the block's name ("layer1.0"); the last is forward(images).
  [[nodiscard]] std::vector<std::pair<std::string, torch::Tensor>> blocks(const torch::Tensor& images);

  ResNetLayout options;
  std::int64_t feature_dim;

 private:
  [[nodiscard]] torch::Tensor stem(const torch::Tensor& images);

  [[nodiscard]] static torch::Tensor pooled(const torch::Tensor& x);

  /// Calls visit(name, block) in the order in which images pass the blocks.
  template <class Visit>
  void for_each_block(const Visit& visit) {
    for (std::size_t stage = 0; stage < stages_.size(); ++stage) {
      std::size_t number = 0;
      for (const auto& block : *stages_[stage])
        visit(concat("layer", stage + 1, '.', number++), *block->as<detail::ResidualBlockImpl>());
    }
  }

  /// Channels of a bottleneck's 3x3 convolution in a stage.
  [[nodiscard]] std::int64_t inner(std::size_t stage) const;

  static void check(const std::string& setting, std::int64_t value);

  torch::nn::Conv2d stem_convolution_{nullptr};
  BatchNorm2d stem_norm_{nullptr};
  std::vector<torch::nn::ModuleList> stages_;
};

/// A residual network without its classifier: pooled features.
///
/// The standard encoder of joint-embedding methods. Parameter names, shapes and count are torchvision's, `fc` apart, so
/// that weights go both ways. In training on a CPU in channels-last layout, batch norm, shortcut and ReLU are one fused
/// pass.
///
/// Shapes     [N, in_channels, H, W] -> [N, feature_dim]   feature_dim = 8 width (basic) or 32 width (bottleneck)
/// Units      none
/// Precision  autocast's; batch statistics in float32
/// Cost       ResNet-18 1.8, -50 4.1 billion multiply-adds for an image of 224x224
/// Randomness its parameters are a function of the seed given to initialise(); initialise(0) when made
/// Errors     ConfigError for settings out of range; ShapeError where the images have another number of channels
/// Models     jessl::Backbone (docs/backbone/README.md)
/// Source     He et al., Deep Residual Learning for Image Recognition, CVPR 2016, arXiv 1512.03385; initialisation: He
///            et al., ICCV 2015, arXiv 1502.01852; small stem: Chen et al., SimCLR, ICML 2020, arXiv 2002.05709,
///            appendix B.9
/// Differs    a bottleneck's stride is in its 3x3 convolution, as in torchvision ("v1.5"); the medium stem is ours
using ResNet = Holder<ResNetImpl>;

/// Any residual network: backbone::resnet({.layers = {1, 1, 1, 1}, .width = 32, .stem = Stem::medium}).
[[nodiscard]] ResNet resnet(const ResNetLayout& layout);

/// ResNet-18: backbone::resnet18({.stem = Stem::small, .in_channels = 1}).
[[nodiscard]] ResNet resnet18(const ResNetOptions& options = {});

/// ResNet-34.
[[nodiscard]] ResNet resnet34(const ResNetOptions& options = {});

/// ResNet-50.
[[nodiscard]] ResNet resnet50(const ResNetOptions& options = {});

/// ResNet-101.
[[nodiscard]] ResNet resnet101(const ResNetOptions& options = {});

/// ResNet-152.
[[nodiscard]] ResNet resnet152(const ResNetOptions& options = {});

/// Wide ResNet-50-2: twice the channels within the blocks (Zagoruyko and Komodakis, BMVC 2016, arXiv 1605.07146).
[[nodiscard]] ResNet wide_resnet50_2(const ResNetOptions& options = {});

/// ResNeXt-50 32x4d: 32 groups of 4 channels within the blocks (Xie et al., CVPR 2017, arXiv 1611.05431).
[[nodiscard]] ResNet resnext50_32x4d(const ResNetOptions& options = {});

}  // namespace jessl::backbone

template <>
struct jessl::EnumNames<jessl::backbone::Stem> {
  static constexpr std::array<std::pair<backbone::Stem, std::string_view>, 3> value{
      {{backbone::Stem::large, "large"}, {backbone::Stem::medium, "medium"}, {backbone::Stem::small, "small"}}};
};

template <>
struct jessl::EnumNames<jessl::backbone::Block> {
  static constexpr std::array<std::pair<backbone::Block, std::string_view>, 2> value{
      {{backbone::Block::basic, "basic"}, {backbone::Block::bottleneck, "bottleneck"}}};
};

JESSL_OPTIONS(jessl::backbone::ResNetOptions, stem, in_channels, width, zero_init_residual);
JESSL_OPTIONS(jessl::backbone::ResNetLayout, block, layers, width, stem, in_channels, zero_init_residual, groups,
              width_per_group);

#if JESSL_DEFINITIONS

namespace jessl::backbone {

namespace detail {

[[nodiscard]] JESSL_INLINE torch::nn::Conv2d convolution(std::int64_t in, std::int64_t out, std::int64_t kernel,
                                                         std::int64_t stride = 1, std::int64_t groups = 1) {
  return torch::nn::Conv2d(
      torch::nn::Conv2dOptions(in, out, kernel).stride(stride).padding(kernel / 2).groups(groups).bias(false));
}

JESSL_INLINE torch::Tensor channels_last_if_grey(const torch::Tensor& images) {
  if (images.size(1) != 1 || !images.is_contiguous()) return images;
  const std::int64_t width = images.size(3);
  return images.as_strided(images.sizes(), {images.size(2) * width, 1, width, 1});
}

JESSL_INLINE ResidualBlockImpl::ResidualBlockImpl(Block block, std::int64_t in, std::int64_t width, std::int64_t stride,
                                                  std::int64_t inner, std::int64_t groups)
    : block_(block), in_(in), width_(width), stride_(stride), inner_(inner), groups_(groups) {
  reset();
}

JESSL_INLINE torch::Tensor ResidualBlockImpl::forward(const torch::Tensor& x) {
  const auto shortcut = downsample_ ? downsampled(x) : x;
  auto y = x;
  const std::size_t last = depth() - 1;
  for (std::size_t i = 0; i < last; ++i) y = normalise_relu(*norms_[i], convolve(*convolutions_[i], y));
  return normalise_relu(*norms_[last], convolve(*convolutions_[last], y), shortcut);
}

JESSL_INLINE void ResidualBlockImpl::reset() {
  const std::int64_t out = width_ * expansion(block_);
  if (block_ == Block::basic) {
    add(0, in_, width_, 3, stride_);
    add(1, width_, out, 3, 1);
  } else {
    add(0, in_, inner_, 1, 1);
    add(1, inner_, inner_, 3, stride_, groups_);
    add(2, inner_, out, 1, 1);
  }
  if (stride_ != 1 || in_ != out) {
    downsample_ =
        register_module("downsample", torch::nn::Sequential(convolution(in_, out, 1, stride_), BatchNorm2d(out)));
  }
}

JESSL_INLINE torch::Tensor ResidualBlockImpl::downsampled(const torch::Tensor& x) {
  const auto y = convolve(*downsample_->ptr(0)->as<torch::nn::Conv2d>(), x);
  return normalise(*downsample_->ptr(1)->as<BatchNorm2d>(), y, /*relu=*/false);
}

JESSL_INLINE void ResidualBlockImpl::add(std::size_t i, std::int64_t in, std::int64_t out, std::int64_t kernel,
                                         std::int64_t stride, std::int64_t groups) {
  const std::string number = std::to_string(i + 1);
  convolutions_[i] = register_module("conv" + number, convolution(in, out, kernel, stride, groups));
  norms_[i] = register_module("bn" + number, BatchNorm2d(out));
}

}  // namespace detail

JESSL_INLINE ResNetImpl::ResNetImpl(const ResNetLayout& layout)
    : options(layout), feature_dim(8 * layout.width * detail::ResidualBlockImpl::expansion(layout.block)) {
  check("in_channels", options.in_channels);
  check("width", options.width);
  for (std::size_t stage = 0; stage < options.layers.size(); ++stage)
    check(concat("layers[", stage, ']'), options.layers[stage]);
  check("groups", options.groups);
  check("width_per_group", options.width_per_group);
  JESSL_CHECK(options.block == Block::bottleneck || (options.groups == 1 && options.width_per_group == 64), ConfigError,
              "jessl::backbone::ResNet: groups is ", options.groups, " and width_per_group is ",
              options.width_per_group,
              " with basic blocks, which have none of them, expected 1 and 64; take bottlenecks");
  JESSL_CHECK(options.block == Block::basic || inner(0) >= options.groups, ConfigError,
              "jessl::backbone::ResNet: width_per_group is ", options.width_per_group, " and width is ", options.width,
              ", which leave less than a channel for each group, expected a product of at least 64");
  reset();
}

JESSL_INLINE void ResNetImpl::initialise(std::uint64_t seed) {
  const torch::NoGradGuard no_grad;
  const auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  for (const auto& module : modules(/*include_self=*/false)) {
    if (auto* convolution = module->as<torch::nn::Conv2dImpl>()) {
      auto& weight = convolution->weight;  // [out, in, k, k]
      const double deviation = std::sqrt(2.0 / static_cast<double>(weight.size(0) * weight.size(2) * weight.size(3)));
      // Drawn on the CPU in row order, so that device, type and layout of the weight change nothing.
      weight.copy_(torch::empty(weight.sizes(), torch::kFloat32).normal_(0.0, deviation, generator));
    } else if (auto* norm = module->as<BatchNorm2dImpl>()) {
      norm->reset_running_stats();
      norm->weight.fill_(1);
      norm->bias.zero_();
    }
  }
  if (options.zero_init_residual) {
    for_each_block([](const std::string&, detail::ResidualBlockImpl& block) { block.last_norm()->weight.zero_(); });
  }
}

JESSL_INLINE torch::Tensor ResNetImpl::forward(const torch::Tensor& images) {
  auto x = stem(images);
  for_each_block([&x](const std::string&, detail::ResidualBlockImpl& block) { x = block.forward(x); });
  return pooled(x);  // [N, feature_dim]
}

JESSL_INLINE std::vector<std::pair<std::string, torch::Tensor>> ResNetImpl::blocks(const torch::Tensor& images) {
  std::vector<std::pair<std::string, torch::Tensor>> outputs;
  auto x = stem(images);
  for_each_block([&](const std::string& name, detail::ResidualBlockImpl& block) {
    x = block.forward(x);
    outputs.emplace_back(name, pooled(x));
  });
  return outputs;
}

JESSL_INLINE void ResNetImpl::reset() {
  const bool large = options.stem == Stem::large;
  stem_convolution_ = register_module("conv1", detail::convolution(options.in_channels, options.width, large ? 7 : 3,
                                                                   options.stem == Stem::small ? 1 : 2));
  stem_norm_ = register_module("bn1", BatchNorm2d(options.width));
  std::int64_t in = options.width;
  stages_.clear();
  for (std::size_t stage = 0; stage < options.layers.size(); ++stage) {
    const std::int64_t width = options.width << stage;
    torch::nn::ModuleList blocks;
    for (std::int64_t i = 0; i < options.layers[stage]; ++i) {
      blocks->push_back(
          detail::ResidualBlock(options.block, in, width, i == 0 && stage > 0 ? 2 : 1, inner(stage), options.groups));
      in = width * detail::ResidualBlockImpl::expansion(options.block);
    }
    stages_.push_back(register_module("layer" + std::to_string(stage + 1), blocks));
  }
}

JESSL_INLINE torch::Tensor ResNetImpl::stem(const torch::Tensor& images) {
  JESSL_CHECK(images.dim() == 4 && images.size(1) == options.in_channels, ShapeError,
              "jessl::backbone::ResNet: the images are ", shape_of(images), ", expected [N, ", options.in_channels,
              ", H, W]; set .in_channels to the images' channels");
  auto x = detail::normalise_relu(
      *stem_norm_, stem_convolution_->forward(detail::channels_last_if_grey(images)));  // [N, width, H', W']
  if (options.stem == Stem::large) x = torch::max_pool2d(x, /*kernel_size=*/3, /*stride=*/2, /*padding=*/1);
  return x;
}

JESSL_INLINE torch::Tensor ResNetImpl::pooled(const torch::Tensor& x) { return x.mean({2, 3}); }

JESSL_INLINE std::int64_t ResNetImpl::inner(std::size_t stage) const {
  return (options.width << stage) * options.width_per_group / 64 * options.groups;
}

JESSL_INLINE void ResNetImpl::check(const std::string& setting, std::int64_t value) {
  JESSL_CHECK(value >= 1, ConfigError, "jessl::backbone::ResNet: ", setting, " is ", value, ", expected >= 1");
}

JESSL_INLINE ResNet resnet(const ResNetLayout& layout) { return ResNet(layout); }

namespace detail {

[[nodiscard]] JESSL_INLINE ResNetLayout layout_of(Block block, const std::array<std::int64_t, 4>& layers,
                                                  const ResNetOptions& options) {
  return {.block = block,
          .layers = layers,
          .width = options.width,
          .stem = options.stem,
          .in_channels = options.in_channels,
          .zero_init_residual = options.zero_init_residual};
}

}  // namespace detail

JESSL_INLINE ResNet resnet18(const ResNetOptions& options) {
  return resnet(detail::layout_of(Block::basic, {2, 2, 2, 2}, options));
}

JESSL_INLINE ResNet resnet34(const ResNetOptions& options) {
  return resnet(detail::layout_of(Block::basic, {3, 4, 6, 3}, options));
}

JESSL_INLINE ResNet resnet50(const ResNetOptions& options) {
  return resnet(detail::layout_of(Block::bottleneck, {3, 4, 6, 3}, options));
}

JESSL_INLINE ResNet resnet101(const ResNetOptions& options) {
  return resnet(detail::layout_of(Block::bottleneck, {3, 4, 23, 3}, options));
}

JESSL_INLINE ResNet resnet152(const ResNetOptions& options) {
  return resnet(detail::layout_of(Block::bottleneck, {3, 8, 36, 3}, options));
}

JESSL_INLINE ResNet wide_resnet50_2(const ResNetOptions& options) {
  ResNetLayout layout = detail::layout_of(Block::bottleneck, {3, 4, 6, 3}, options);
  layout.width_per_group = 128;
  return resnet(layout);
}

JESSL_INLINE ResNet resnext50_32x4d(const ResNetOptions& options) {
  ResNetLayout layout = detail::layout_of(Block::bottleneck, {3, 4, 6, 3}, options);
  layout.groups = 32;
  layout.width_per_group = 4;
  return resnet(layout);
}

}  // namespace jessl::backbone

#endif  // JESSL_DEFINITIONS
