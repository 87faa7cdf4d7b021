// SPDX-License-Identifier: Apache-2.0
// Vision transformers.
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
#include <jessl/backbone/detail/draw_weights.hpp>
#include <jessl/backbone/detail/layer_norm.hpp>
#include <jessl/backbone/detail/residual.hpp>
#include <jessl/backbone/detail/transformer.hpp>
#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/tensor.hpp>

namespace jessl::backbone {

/// How the tokens of an image become its features.
enum class Pooling : std::uint8_t {
  class_token,  ///< the class token alone
  mean          ///< the mean of the patches' tokens
};

/// What the transformers of fixed width and depth leave open.
///
/// Shapes     none
/// Errors     none; ViT checks them
/// Models     jessl::Options
/// Source     as ViT
struct ViTOptions {
  static constexpr std::string_view name = "ViTOptions";

  std::int64_t patch_size = 16;   ///< side of a patch in pixels, >= 1; 8, 14 and 16 are usual
  std::int64_t image_size = 224;  ///< side of the images that positions are learned for, a multiple of patch_size
  std::int64_t in_channels = 3;   ///< of the images, >= 1
  Pooling pooling = Pooling::class_token;  ///< what the features are
  double drop_path = 0.0;                  ///< probability with which the last block's branches are dropped, in [0, 1)
  double layer_scale = 0.0;                ///< where the factors of the branches start, >= 0; 0: there are none
};

/// A vision transformer in full.
///
/// Shapes     none
/// Errors     none; ViT checks them
/// Models     jessl::Options
/// Source     as ViT
struct ViTLayout {
  static constexpr std::string_view name = "ViT";

  std::int64_t width = 192;       ///< of a token, >= 1, a multiple of heads
  std::int64_t depth = 12;        ///< blocks, >= 1
  std::int64_t heads = 3;         ///< of each block's attention, >= 1
  std::int64_t mlp_ratio = 4;     ///< hidden width of a block's perceptron, in widths of a token, >= 1
  std::int64_t patch_size = 16;   ///< side of a patch in pixels, >= 1
  std::int64_t image_size = 224;  ///< side of the images that positions are learned for, a multiple of patch_size
  std::int64_t in_channels = 3;   ///< of the images, >= 1
  Pooling pooling = Pooling::class_token;  ///< what the features are
  double drop_path = 0.0;                  ///< probability with which the last block's branches are dropped, in [0, 1)
  double layer_scale = 0.0;                ///< where the factors of the branches start, >= 0; 0: there are none
};

/// The module behind ViT; its settings are `options`.
///
/// Shapes     [N, in_channels, H, W] -> [N, feature_dim]
/// Errors     as ViT
/// Models     none; jessl::backbone::ViT holds it
/// Source     as ViT
class ViTImpl : public torch::nn::Cloneable<ViTImpl> {
 public:
  static constexpr bool casts_images = true;  ///< it begins with a convolution

  explicit ViTImpl(const ViTLayout& layout = {});

  JESSL_INLINE void reset() override;

  /// timm's: linear weights and positions normal with deviation 0.02, the class token with 1e-6, the patches' convolution
  /// uniform in +-1 / sqrt(fan in); biases 0, norms 1 and 0.
  void initialise(std::uint64_t seed);

  [[nodiscard]] torch::Tensor forward(const torch::Tensor& images);

  /// The normalised tokens, [N, 1 + H / patch_size * W / patch_size, width]: the class token, then the patches row by row.
  [[nodiscard]] torch::Tensor tokens(const torch::Tensor& images);

  /// What every block's tokens are as features, [N, width], by the block's name ("blocks.0"): normalised by the last norm and
  /// pooled. The last is forward(images).
  [[nodiscard]] std::vector<std::pair<std::string, torch::Tensor>> blocks(const torch::Tensor& images);

  ViTLayout options;
  std::int64_t feature_dim;

 private:
  void check() const;

  [[nodiscard]] std::int64_t grid() const { return options.image_size / options.patch_size; }

  /// The images' patches behind the class token, with their positions.
  [[nodiscard]] torch::Tensor embed(const torch::Tensor& images);

  [[nodiscard]] torch::Tensor pooled(const torch::Tensor& tokens) const;

  /// Runs the blocks over embed(images), calls visit(number, tokens) after each, and returns the last one's tokens.
  template <class Visit>
  [[nodiscard]] torch::Tensor run(const torch::Tensor& images, const Visit& visit) {
    torch::Tensor x = embed(images);
    const std::vector<torch::Tensor> factors = draw_factors(x);
    std::size_t number = 0;
    for (const auto& block : *blocks_) {
      x = block->as<detail::TransformerBlockImpl>()->forward(x, factors[2 * number], factors[2 * number + 1]);
      visit(number++, x);
    }
    return x;
  }

  /// The factors of stochastic depth in this pass, two a block.
  [[nodiscard]] std::vector<torch::Tensor> draw_factors(const torch::Tensor& tokens) const;

  torch::Tensor cls_token_;
  torch::Tensor pos_embed_;
  detail::PatchEmbedding patch_embed_{nullptr};
  torch::nn::ModuleList blocks_{nullptr};
  detail::LayerNorm norm_{nullptr};
};

/// A vision transformer without its classifier: the class token, or the mean of the patches' tokens, after the last norm.
///
/// For large data and long training; it has no batch norm. Parameter names, shapes and order are timm's, `head` apart, so that
/// weights go both ways. Images of other sizes than image_size, such as the small views of multi-crop, get positions that are
/// interpolated from the learned ones (bicubic, antialiased).
///
/// Shapes     [N, in_channels, H, W] -> [N, feature_dim]   feature_dim = width; H and W multiples of patch_size
/// Units      patch_size, image_size: pixels
/// Precision  autocast's; norms and the sum of the branches in float32
/// Cost       ViT-Ti/16 1.3, -S/16 4.6, -B/16 17.6 billion multiply-adds for an image of 224x224
/// Randomness its parameters are a function of the seed given to initialise(); initialise(0) when made. With drop_path, each
///            pass in training draws from LibTorch's default CPU generator, on any device
/// Errors     ConfigError for settings out of range; ShapeError where the images have another number of channels, or sides that
///            are no multiples of patch_size
/// Models     jessl::Backbone (docs/backbone/README.md)
/// Source     Dosovitskiy et al., An Image is Worth 16x16 Words, ICLR 2021, arXiv 2010.11929; tiny and small: Touvron et al.,
///            DeiT, ICML 2021, arXiv 2012.12877; drop_path: Huang et al., ECCV 2016, arXiv 1603.09382; layer_scale: Touvron et
///            al., CaiT, ICCV 2021, arXiv 2103.17239; names, start and interpolation: timm 1.0, vision_transformer.py
/// Differs    with Pooling::mean tokens are normalised before the mean (timm's global_pool="avg", fc_norm=False), so that one set
///            of weights serves both; timm's default for "avg" has `fc_norm` after the mean instead. timm's start cuts normals off
///            at 100 deviations, which no draw reaches
using ViT = Holder<ViTImpl>;

/// Any vision transformer: backbone::vit({.width = 64, .depth = 4, .heads = 2, .patch_size = 4, .image_size = 32}).
[[nodiscard]] ViT vit(const ViTLayout& layout);

namespace detail {

[[nodiscard]] ViT vit_of(std::int64_t width, std::int64_t heads, const ViTOptions& options);

}  // namespace detail

/// ViT-Ti, 192 wide: backbone::vit_tiny({.patch_size = 8, .image_size = 96}).
[[nodiscard]] ViT vit_tiny(const ViTOptions& options = {});

/// ViT-S, 384 wide.
[[nodiscard]] ViT vit_small(const ViTOptions& options = {});

/// ViT-B, 768 wide.
[[nodiscard]] ViT vit_base(const ViTOptions& options = {});

}  // namespace jessl::backbone

template <>
struct jessl::EnumNames<jessl::backbone::Pooling> {
  static constexpr std::array<std::pair<backbone::Pooling, std::string_view>, 2> value{
      {{backbone::Pooling::class_token, "class_token"}, {backbone::Pooling::mean, "mean"}}};
};

JESSL_OPTIONS(jessl::backbone::ViTOptions, patch_size, image_size, in_channels, pooling, drop_path, layer_scale);
JESSL_OPTIONS(jessl::backbone::ViTLayout, width, depth, heads, mlp_ratio, patch_size, image_size, in_channels, pooling,
              drop_path, layer_scale);

#if JESSL_DEFINITIONS
namespace jessl::backbone {

JESSL_INLINE void ViTImpl::check() const {
  const auto positive = [](std::string_view setting, std::int64_t value) {
    JESSL_CHECK(value >= 1, ConfigError, "jessl::backbone::ViT: ", setting, " is ", value, ", expected >= 1");
  };
  positive("width", options.width);
  positive("depth", options.depth);
  positive("heads", options.heads);
  positive("mlp_ratio", options.mlp_ratio);
  positive("patch_size", options.patch_size);
  positive("in_channels", options.in_channels);
  JESSL_CHECK(options.width % options.heads == 0, ConfigError, "jessl::backbone::ViT: width is ", options.width,
              ", expected a multiple of heads = ", options.heads);
  JESSL_CHECK(options.image_size >= options.patch_size && options.image_size % options.patch_size == 0, ConfigError,
              "jessl::backbone::ViT: image_size is ", options.image_size,
              ", expected a multiple of patch_size = ", options.patch_size);
  JESSL_CHECK(options.drop_path >= 0 && options.drop_path < 1, ConfigError, "jessl::backbone::ViT: drop_path is ",
              options.drop_path, ", expected a probability in [0, 1)");
  JESSL_CHECK(std::isfinite(options.layer_scale) && options.layer_scale >= 0, ConfigError,
              "jessl::backbone::ViT: layer_scale is ", options.layer_scale, ", expected >= 0; 0 is without");
}

JESSL_INLINE ViTImpl::ViTImpl(const ViTLayout& layout) : options(layout), feature_dim(layout.width) {
  check();
  reset();
}

JESSL_INLINE void ViTImpl::reset() {
  cls_token_ = register_parameter("cls_token", torch::zeros({1, 1, options.width}));
  pos_embed_ = register_parameter("pos_embed", torch::zeros({1, 1 + grid() * grid(), options.width}));
  patch_embed_ =
      register_module("patch_embed", detail::PatchEmbedding(options.in_channels, options.width, options.patch_size));
  torch::nn::ModuleList blocks;
  for (std::int64_t i = 0; i < options.depth; ++i) {
    blocks->push_back(
        detail::TransformerBlock(options.width, options.heads, options.mlp_ratio * options.width, options.layer_scale));
  }
  blocks_ = register_module("blocks", blocks);
  norm_ = register_module("norm", detail::LayerNorm(options.width));
}

JESSL_INLINE void ViTImpl::initialise(std::uint64_t seed) {
  const torch::NoGradGuard no_grad;
  const auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  detail::draw_normal(cls_token_, 1e-6, generator);
  detail::draw_normal(pos_embed_, 0.02, generator);
  for (const auto& module : modules(/*include_self=*/false)) {
    if (auto* convolution = module->as<torch::nn::Conv2dImpl>()) {
      const double bound = 1.0 / std::sqrt(static_cast<double>(convolution->weight[0].numel()));
      detail::draw_uniform(convolution->weight, bound, generator);
      detail::draw_uniform(convolution->bias, bound, generator);
    } else if (auto* linear = module->as<torch::nn::LinearImpl>()) {
      detail::draw_normal(linear->weight, 0.02, generator);
      linear->bias.zero_();
    } else if (auto* norm = module->as<detail::LayerNormImpl>()) {
      norm->initialise();
    } else if (auto* scale = module->as<detail::LayerScaleImpl>()) {
      scale->gamma.fill_(scale->start);
    }
  }
}

JESSL_INLINE torch::Tensor ViTImpl::embed(const torch::Tensor& images) {
  JESSL_CHECK(images.dim() == 4 && images.size(1) == options.in_channels, ShapeError,
              "jessl::backbone::ViT: the images are ", shape_of(images), ", expected [N, ", options.in_channels,
              ", H, W]; set .in_channels to the images' channels");
  const std::int64_t patch = options.patch_size;
  JESSL_CHECK(
      images.size(2) >= patch && images.size(3) >= patch && images.size(2) % patch == 0 && images.size(3) % patch == 0,
      ShapeError, "jessl::backbone::ViT: the images are ", shape_of(images),
      ", expected sides that are multiples of patch_size = ", patch, "; crop or resize them to such");
  const torch::Tensor patches = patch_embed_->forward(images);  // [N, T, width]
  const std::int64_t rows = images.size(2) / patch;
  const std::int64_t columns = images.size(3) / patch;
  const bool learned = rows == grid() && columns == grid();
  const torch::Tensor positions =
      learned ? pos_embed_ : detail::resample_positions(pos_embed_, grid(), rows, columns);  // [1, 1 + T, width]
  return at::cat({cls_token_.expand({images.size(0), 1, options.width}), patches}, 1).add_(positions);
}

JESSL_INLINE std::vector<torch::Tensor> ViTImpl::draw_factors(const torch::Tensor& tokens) const {
  std::vector<double> branches;
  for (const double probability : detail::drop_probabilities(is_training() ? options.drop_path : 0.0, options.depth))
    branches.insert(branches.end(), 2, probability);
  return detail::draw_depth(branches, tokens.size(0), tokens);
}

JESSL_INLINE torch::Tensor ViTImpl::pooled(const torch::Tensor& tokens) const {
  // A norm of one token is that of the token, so the others' are not computed.
  if (options.pooling == Pooling::class_token) return norm_->forward(tokens.select(1, 0));
  return norm_->forward(tokens).narrow(1, 1, tokens.size(1) - 1).mean(1);
}

JESSL_INLINE torch::Tensor ViTImpl::forward(const torch::Tensor& images) {
  return pooled(run(images, [](std::size_t, const torch::Tensor&) {}));  // [N, width]
}

JESSL_INLINE torch::Tensor ViTImpl::tokens(const torch::Tensor& images) {
  return norm_->forward(run(images, [](std::size_t, const torch::Tensor&) {}));
}

JESSL_INLINE std::vector<std::pair<std::string, torch::Tensor>> ViTImpl::blocks(const torch::Tensor& images) {
  std::vector<std::pair<std::string, torch::Tensor>> outputs;
  static_cast<void>(run(images, [&](std::size_t number, const torch::Tensor& tokens) {
    outputs.emplace_back(concat("blocks.", number), pooled(tokens));
  }));
  return outputs;
}

JESSL_INLINE ViT vit(const ViTLayout& layout) { return ViT(layout); }

namespace detail {

JESSL_INLINE ViT vit_of(std::int64_t width, std::int64_t heads, const ViTOptions& options) {
  return vit({.width = width,
              .heads = heads,
              .patch_size = options.patch_size,
              .image_size = options.image_size,
              .in_channels = options.in_channels,
              .pooling = options.pooling,
              .drop_path = options.drop_path,
              .layer_scale = options.layer_scale});
}

}  // namespace detail

JESSL_INLINE ViT vit_tiny(const ViTOptions& options) { return detail::vit_of(192, 3, options); }

JESSL_INLINE ViT vit_small(const ViTOptions& options) { return detail::vit_of(384, 6, options); }

JESSL_INLINE ViT vit_base(const ViTOptions& options) { return detail::vit_of(768, 12, options); }

}  // namespace jessl::backbone
#endif
