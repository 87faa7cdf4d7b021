// SPDX-License-Identifier: Apache-2.0
// ConvNeXt: convolutional networks made as transformers are.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <numeric>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <jessl/backbone/concept.hpp>
#include <jessl/backbone/detail/convnext_block.hpp>
#include <jessl/backbone/detail/draw_weights.hpp>
#include <jessl/backbone/detail/layer_norm.hpp>
#include <jessl/backbone/detail/residual.hpp>
#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/tensor.hpp>

namespace jessl::backbone {

/// What the networks of fixed width and depth leave open.
///
/// Shapes     none
/// Errors     none; ConvNeXt checks them
/// Models     jessl::Options
/// Source     as ConvNeXt
struct ConvNeXtOptions {
  static constexpr std::string_view name = "ConvNeXtOptions";

  std::int64_t stem_size = 4;  ///< side and stride of the first convolution, >= 1; 1 or 2 for images of 8 to 31 pixels
  std::int64_t in_channels = 3;  ///< of the images, >= 1
  double drop_path = 0.1;        ///< probability with which the last block's branch is dropped, in [0, 1)
  double layer_scale = 1e-6;     ///< where the factors of the branches start, > 0
};

/// A ConvNeXt in full.
///
/// Shapes     none
/// Errors     none; ConvNeXt checks them
/// Models     jessl::Options
/// Source     as ConvNeXt
struct ConvNeXtLayout {
  static constexpr std::string_view name = "ConvNeXt";

  std::array<std::int64_t, 4> widths{{96, 192, 384, 768}};  ///< channels of each stage, >= 1
  std::array<std::int64_t, 4> layers{{3, 3, 9, 3}};         ///< blocks in each stage, >= 1
  std::int64_t stem_size = 4;                               ///< side and stride of the first convolution, >= 1
  std::int64_t in_channels = 3;                             ///< of the images, >= 1
  double drop_path = 0.1;     ///< probability with which the last block's branch is dropped, in [0, 1)
  double layer_scale = 1e-6;  ///< where the factors of the branches start, > 0
};

/// The module behind ConvNeXt; its settings are `options`.
///
/// Shapes     [N, in_channels, H, W] -> [N, feature_dim]
/// Errors     as ConvNeXt
/// Models     none; jessl::backbone::ConvNeXt holds it
/// Source     as ConvNeXt
class ConvNeXtImpl : public torch::nn::Cloneable<ConvNeXtImpl> {
 public:
  static constexpr bool casts_images = true;  ///< it begins with a convolution

  explicit ConvNeXtImpl(const ConvNeXtLayout& layout = {});

  JESSL_INLINE void reset() override;

  /// torchvision's: weights normal with deviation 0.02, biases 0, norms 1 and 0, the branches' factors as set.
  void initialise(std::uint64_t seed);

  [[nodiscard]] torch::Tensor forward(const torch::Tensor& images);

  /// The pooled output of every block, [N, width of its stage], by the block's name ("features.1.0"); the last is
  /// forward(images), which is normalised.
  [[nodiscard]] std::vector<std::pair<std::string, torch::Tensor>> blocks(const torch::Tensor& images);

  ConvNeXtLayout options;
  std::int64_t feature_dim;

 private:
  void check() const;
  void check_images(const torch::Tensor& images) const;

  /// The last norm of a map's mean.
  [[nodiscard]] torch::Tensor representation(const torch::Tensor& x) const;

  /// Runs the features over the images, calls visit(name, map) after each block, and returns the last one's map.
  template <class Visit>
  [[nodiscard]] torch::Tensor run(const torch::Tensor& images, const Visit& visit) {
    check_images(images);
    torch::Tensor x = features_->ptr(0)->as<detail::ConvNeXtStemImpl>()->forward(images);
    const std::vector<torch::Tensor> factors = draw_factors(x);
    std::size_t drawn = 0;
    for (std::size_t stage = 0; stage < options.layers.size(); ++stage) {
      const std::size_t place = 2 * stage + 1;  // among the features
      if (stage > 0) x = features_->ptr(place - 1)->as<detail::ConvNeXtDownsamplingImpl>()->forward(x);
      std::size_t number = 0;
      for (const auto& block : *features_->ptr(place)->as<torch::nn::ModuleListImpl>()) {
        x = block->as<detail::ConvNeXtBlockImpl>()->forward(x, factors[drawn++]);
        visit(concat("features.", place, '.', number++), x);
      }
    }
    return x;
  }

  /// The factors of stochastic depth in this pass, one a block.
  [[nodiscard]] std::vector<torch::Tensor> draw_factors(const torch::Tensor& x) const;

  torch::nn::ModuleList features_{nullptr};
  torch::nn::ModuleList classifier_{nullptr};
};

/// A ConvNeXt without its last layer: pooled features after the last norm.
///
/// Convolutions of each channel, layer norm over channels and wide linear layers at each pixel, in channels-last layout; there is
/// no batch norm. Parameter names, shapes and order are torchvision's, `classifier.2` (its linear layer) apart, so that weights go
/// both ways; `classifier.0` is the last norm.
///
/// Shapes     [N, in_channels, H, W] -> [N, feature_dim]   feature_dim = the last width; H and W >= 8 stem_size
/// Units      stem_size: pixels
/// Precision  autocast's; the sum of the branches in float32
/// Cost       ConvNeXt-T 4.5 billion multiply-adds for an image of 224x224
/// Randomness its parameters are a function of the seed given to initialise(); initialise(0) when made. With drop_path, each
///            pass in training draws from LibTorch's default CPU generator, on any device
/// Errors     ConfigError for settings out of range; ShapeError where the images have another number of channels or are too small
/// Models     jessl::Backbone (docs/backbone/README.md)
/// Source     Liu et al., A ConvNet for the 2020s, CVPR 2022, arXiv 2201.03545; drop_path: Huang et al., ECCV 2016, arXiv
///            1603.09382; layer_scale: Touvron et al., CaiT, ICCV 2021, arXiv 2103.17239; names, start and defaults: torchvision
///            0.26, convnext.py
/// Differs    torchvision's start cuts normals off at 100 deviations, which no draw reaches; stem_size other than 4 is ours
using ConvNeXt = Holder<ConvNeXtImpl>;

/// Any ConvNeXt: backbone::convnext({.widths = {40, 80, 160, 320}, .layers = {2, 2, 6, 2}}).
[[nodiscard]] ConvNeXt convnext(const ConvNeXtLayout& layout);

/// ConvNeXt-T: backbone::convnext_tiny({.drop_path = 0.0}).
[[nodiscard]] ConvNeXt convnext_tiny(const ConvNeXtOptions& options = {});

}  // namespace jessl::backbone

JESSL_OPTIONS(jessl::backbone::ConvNeXtOptions, stem_size, in_channels, drop_path, layer_scale);
JESSL_OPTIONS(jessl::backbone::ConvNeXtLayout, widths, layers, stem_size, in_channels, drop_path, layer_scale);

#if JESSL_DEFINITIONS
namespace jessl::backbone {

JESSL_INLINE ConvNeXtImpl::ConvNeXtImpl(const ConvNeXtLayout& layout)
    : options(layout), feature_dim(layout.widths.back()) {
  check();
  reset();
}

JESSL_INLINE void ConvNeXtImpl::check() const {
  const auto positive = [](const std::string& setting, std::int64_t value) {
    JESSL_CHECK(value >= 1, ConfigError, "jessl::backbone::ConvNeXt: ", setting, " is ", value, ", expected >= 1");
  };
  for (std::size_t stage = 0; stage < options.widths.size(); ++stage) {
    positive(concat("widths[", stage, ']'), options.widths[stage]);
    positive(concat("layers[", stage, ']'), options.layers[stage]);
  }
  positive("stem_size", options.stem_size);
  positive("in_channels", options.in_channels);
  JESSL_CHECK(options.drop_path >= 0 && options.drop_path < 1, ConfigError, "jessl::backbone::ConvNeXt: drop_path is ",
              options.drop_path, ", expected a probability in [0, 1)");
  JESSL_CHECK(std::isfinite(options.layer_scale) && options.layer_scale > 0, ConfigError,
              "jessl::backbone::ConvNeXt: layer_scale is ", options.layer_scale,
              ", expected > 0; 1 starts the branches whole");
}

JESSL_INLINE void ConvNeXtImpl::reset() {
  torch::nn::ModuleList features;
  features->push_back(detail::ConvNeXtStem(options.in_channels, options.widths[0], options.stem_size));
  for (std::size_t stage = 0; stage < options.layers.size(); ++stage) {
    const std::int64_t width = options.widths[stage];
    if (stage > 0) features->push_back(detail::ConvNeXtDownsampling(options.widths[stage - 1], width));
    torch::nn::ModuleList blocks;
    for (std::int64_t i = 0; i < options.layers[stage]; ++i)
      blocks->push_back(detail::ConvNeXtBlock(width, options.layer_scale));
    features->push_back(blocks);
  }
  features_ = register_module("features", features);
  torch::nn::ModuleList classifier;
  classifier->push_back(detail::LayerNorm(feature_dim));
  classifier_ = register_module("classifier", classifier);
}

JESSL_INLINE void ConvNeXtImpl::initialise(std::uint64_t seed) {
  const torch::NoGradGuard no_grad;
  const auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  for (const auto& module : modules(/*include_self=*/false)) {
    if (auto* convolution = module->as<torch::nn::Conv2dImpl>()) {
      detail::draw_normal(convolution->weight, 0.02, generator);
      convolution->bias.zero_();
    } else if (auto* linear = module->as<torch::nn::LinearImpl>()) {
      detail::draw_normal(linear->weight, 0.02, generator);
      linear->bias.zero_();
    } else if (auto* norm = module->as<detail::LayerNormImpl>()) {
      norm->initialise();
    } else if (auto* block = module->as<detail::ConvNeXtBlockImpl>()) {
      block->initialise();
    }
  }
}

JESSL_INLINE void ConvNeXtImpl::check_images(const torch::Tensor& images) const {
  JESSL_CHECK(images.dim() == 4 && images.size(1) == options.in_channels, ShapeError,
              "jessl::backbone::ConvNeXt: the images are ", shape_of(images), ", expected [N, ", options.in_channels,
              ", H, W]; set .in_channels to the images' channels");
  const std::int64_t least = 8 * options.stem_size;
  JESSL_CHECK(images.size(2) >= least && images.size(3) >= least, ShapeError,
              "jessl::backbone::ConvNeXt: the images are ", shape_of(images), ", expected sides of at least ", least,
              " pixels, 8 times stem_size; enlarge them", options.stem_size > 1 ? " or set a smaller .stem_size" : "");
}

JESSL_INLINE std::vector<torch::Tensor> ConvNeXtImpl::draw_factors(const torch::Tensor& x) const {
  const std::int64_t blocks = std::accumulate(options.layers.begin(), options.layers.end(), std::int64_t{0});
  return detail::draw_depth(detail::drop_probabilities(is_training() ? options.drop_path : 0.0, blocks), x.size(0), x);
}

JESSL_INLINE torch::Tensor ConvNeXtImpl::representation(const torch::Tensor& x) const {
  return classifier_->ptr(0)->as<detail::LayerNormImpl>()->forward(x.mean({2, 3}));
}

JESSL_INLINE torch::Tensor ConvNeXtImpl::forward(const torch::Tensor& images) {
  return representation(run(images, [](const std::string&, const torch::Tensor&) {}));  // [N, feature_dim]
}

JESSL_INLINE std::vector<std::pair<std::string, torch::Tensor>> ConvNeXtImpl::blocks(const torch::Tensor& images) {
  std::vector<std::pair<std::string, torch::Tensor>> outputs;
  const torch::Tensor last = run(images, [&](const std::string& name, const torch::Tensor& x) {
    outputs.emplace_back(name, x.mean({2, 3}));
  });
  outputs.back().second = representation(last);
  return outputs;
}

JESSL_INLINE ConvNeXt convnext(const ConvNeXtLayout& layout) { return ConvNeXt(layout); }

JESSL_INLINE ConvNeXt convnext_tiny(const ConvNeXtOptions& options) {
  return convnext({.stem_size = options.stem_size,
                   .in_channels = options.in_channels,
                   .drop_path = options.drop_path,
                   .layer_scale = options.layer_scale});
}

}  // namespace jessl::backbone
#endif
