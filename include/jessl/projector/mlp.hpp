// SPDX-License-Identifier: Apache-2.0
// The multi-layer perceptron between backbone and loss.
#pragma once

#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <jessl/core/batch_norm.hpp>
#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/projector/concept.hpp>

namespace jessl::projector {

/// What comes after each hidden layer of a multi-layer perceptron.
enum class Activation : std::uint8_t {
  relu,  ///< max(x, 0)
  gelu   ///< x times the normal distribution function of x, which is computed, not approximated
};

/// A batch norm after the last layer of a multi-layer perceptron.
enum class OutputNorm : std::uint8_t {
  none,   ///< there is none
  plain,  ///< without scale and shift
  affine  ///< with a scale and a shift that are learned
};

/// How the linear layers of a multi-layer perceptron start.
enum class LinearStart : std::uint8_t {
  uniform,  ///< weights and biases uniform in +-1/sqrt(fan in), as LibTorch's default
  normal    ///< weights normal with deviation 0.02, biases 0
};

}  // namespace jessl::projector

template <>
struct jessl::EnumNames<jessl::projector::Activation> {
  static constexpr std::array<std::pair<projector::Activation, std::string_view>, 2> value{
      {{projector::Activation::relu, "relu"}, {projector::Activation::gelu, "gelu"}}};
};

template <>
struct jessl::EnumNames<jessl::projector::OutputNorm> {
  static constexpr std::array<std::pair<projector::OutputNorm, std::string_view>, 3> value{
      {{projector::OutputNorm::none, "none"},
       {projector::OutputNorm::plain, "plain"},
       {projector::OutputNorm::affine, "affine"}}};
};

template <>
struct jessl::EnumNames<jessl::projector::LinearStart> {
  static constexpr std::array<std::pair<projector::LinearStart, std::string_view>, 2> value{
      {{projector::LinearStart::uniform, "uniform"}, {projector::LinearStart::normal, "normal"}}};
};

namespace jessl::projector {

class MLPHead;

/// A multi-layer perceptron given by its widths: "2048-2048-128".
///
/// [Linear with bias, batch norm, activation] for each width but the last, then a Linear, without bias and without a norm
/// unless they are asked for. "128" alone is linear. The page has the settings of the published heads.
///
/// Shapes     [N, in_features] -> [N, last width]
/// Units      widths: features, >= 1
/// Precision  autocast's
/// Cost       N times the number of weights
/// Randomness its parameters are a function of the seed given to initialise()
/// Errors     ConfigError from make() for a text that is not widths joined by "-"
/// Models     jessl::Projector (docs/projector/README.md)
/// Source     Bordes, Balestriero and Vincent, Towards Democratizing Joint-Embedding Self-Supervised Learning, 2023,
///            arXiv 2303.01986 (its library's --model.mlp); Chen et al., SimCLR, ICML 2020, arXiv 2002.05709. Other settings
///            than the defaults: Chen and He, SimSiam, CVPR 2021, arXiv 2011.10566 (output_norm); Chen et al., MoCo v2, 2020,
///            arXiv 2003.04297 (hidden_norm); Caron et al., DINO, ICCV 2021, arXiv 2104.14294 (activation, start)
/// Differs    DINO's code cuts the normal distribution of its start off at 100 deviations, which no draw reaches
struct MLP {
  static constexpr std::string_view name = "MLP";

  std::string widths = "2048-2048-128";       ///< output widths of the linear layers, joined by "-"; each >= 1
  bool hidden_norm = true;                    ///< a batch norm in each layer but the last
  Activation activation = Activation::relu;   ///< of each layer but the last
  bool output_bias = false;                   ///< the last linear layer has a bias
  OutputNorm output_norm = OutputNorm::none;  ///< a batch norm after the last linear layer
  LinearStart start = LinearStart::uniform;   ///< how the linear layers start

  [[nodiscard]] MLPHead make(std::int64_t in_features) const;

  /// The widths as numbers.
  [[nodiscard]] std::vector<std::int64_t> parse() const;
};

/// The head that MLP makes. Its parameters are called "0.0.weight" (layer, then linear or norm) to "2.weight" (last), those
/// of a norm after it "3.weight".
///
/// Shapes     [N, in_features] -> [N, out_features]
/// Errors     ShapeError where the input is not [N, in_features]
/// Models     none; it is the module that jessl::Projector asks for
/// Source     none
class MLPHeadImpl : public torch::nn::Cloneable<MLPHeadImpl> {
 public:
  MLPHeadImpl(std::int64_t in_features, const MLP& settings);

  JESSL_INLINE void reset() override;

  /// Linear layers as settings say; norms 1 and 0; statistics 0 and 1.
  void initialise(std::uint64_t seed);

  [[nodiscard]] torch::Tensor forward(const torch::Tensor& x);

  /// The output of every layer: after each activation, and the embedding.
  [[nodiscard]] std::vector<torch::Tensor> layers(const torch::Tensor& x);

  std::int64_t out_features;

 private:
  std::int64_t in_features_;
  MLP settings_;
  std::vector<torch::nn::Sequential> hidden_;
  torch::nn::Linear last_{nullptr};
  BatchNorm1d norm_{nullptr};
};
TORCH_MODULE(MLPHead);

}  // namespace jessl::projector

JESSL_OPTIONS(jessl::projector::MLP, widths, hidden_norm, activation, output_bias, output_norm, start);

#if JESSL_DEFINITIONS

namespace jessl::projector {

JESSL_INLINE std::vector<std::int64_t> MLP::parse() const {
  std::vector<std::int64_t> numbers;
  const char* position = widths.data();
  const char* const end = position + widths.size();
  while (true) {
    std::int64_t width = 0;
    const auto [stop, error] = std::from_chars(position, end, width);
    JESSL_CHECK(error == std::errc{} && width >= 1 && (stop == end || *stop == '-'), ConfigError,
                "jessl::projector::MLP: widths is \"", widths, "\", expected whole numbers >= 1 joined by \"-\", like ",
                "\"2048-2048-128\"; the fault is at character ", position - widths.data() + 1);
    numbers.push_back(width);
    if (stop == end) return numbers;
    position = stop + 1;
  }
}

JESSL_INLINE MLPHeadImpl::MLPHeadImpl(std::int64_t in_features, const MLP& settings)
    : out_features(settings.parse().back()), in_features_(in_features), settings_(settings) {
  reset();
}

JESSL_INLINE void MLPHeadImpl::initialise(std::uint64_t seed) {
  const torch::NoGradGuard no_grad;
  const auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  const auto linear = [&](torch::nn::LinearImpl& layer) {
    const double bound = 1.0 / std::sqrt(static_cast<double>(layer.options.in_features()));
    for (torch::Tensor* target : {&layer.weight, &layer.bias}) {
      if (!target->defined()) continue;
      // Drawn on the CPU in row order, so that device, type and layout of the target change nothing.
      const auto drawn = torch::empty(target->sizes(), torch::kFloat32);
      if (settings_.start == LinearStart::uniform) {
        target->copy_(drawn.uniform_(-bound, bound, generator));
      } else if (target == &layer.weight) {
        target->copy_(drawn.normal_(0, 0.02, generator));
      } else {
        target->zero_();
      }
    }
  };
  const auto norm = [](BatchNorm1dImpl& layer) {
    layer.reset_running_stats();
    if (!layer.options.affine()) return;
    layer.weight.fill_(1);
    layer.bias.zero_();
  };
  for (torch::nn::Sequential& layer : hidden_) {
    linear(layer->at<torch::nn::LinearImpl>(0));
    if (settings_.hidden_norm) norm(*layer[1]->as<BatchNorm1dImpl>());
  }
  linear(*last_);
  if (norm_) norm(*norm_);
}

JESSL_INLINE torch::Tensor MLPHeadImpl::forward(const torch::Tensor& x) { return layers(x).back(); }

JESSL_INLINE std::vector<torch::Tensor> MLPHeadImpl::layers(const torch::Tensor& x) {
  JESSL_CHECK(x.dim() == 2 && x.size(1) == in_features_, ShapeError, "jessl::projector::MLP: the input is ",
              shape_of(x), ", expected [N, ", in_features_, ']');
  std::vector<torch::Tensor> outputs;
  for (torch::nn::Sequential& layer : hidden_) outputs.push_back(layer->forward(outputs.empty() ? x : outputs.back()));
  const auto last = last_->forward(outputs.empty() ? x : outputs.back());
  outputs.push_back(norm_ ? norm_->forward(last) : last);
  return outputs;
}

JESSL_INLINE void MLPHeadImpl::reset() {
  hidden_.clear();
  const std::vector<std::int64_t> widths = settings_.parse();
  std::int64_t width = in_features_;
  for (std::size_t layer = 0; layer + 1 < widths.size(); ++layer) {
    torch::nn::Sequential parts;
    parts->push_back(torch::nn::Linear(width, widths[layer]));
    if (settings_.hidden_norm) parts->push_back(BatchNorm1d(widths[layer]));
    if (settings_.activation == Activation::gelu) {
      parts->push_back(torch::nn::GELU());
    } else {
      parts->push_back(torch::nn::ReLU(torch::nn::ReLUOptions().inplace(true)));
    }
    hidden_.push_back(register_module(std::to_string(layer), parts));
    width = widths[layer];
  }
  last_ = register_module(std::to_string(hidden_.size()),
                          torch::nn::Linear(torch::nn::LinearOptions(width, out_features).bias(settings_.output_bias)));
  if (settings_.output_norm != OutputNorm::none) {
    const bool affine = settings_.output_norm == OutputNorm::affine;
    norm_ = register_module(std::to_string(hidden_.size() + 1),
                            BatchNorm1d(torch::nn::BatchNormOptions(out_features).affine(affine)));
  }
  initialise(0);
}

JESSL_INLINE MLPHead MLP::make(std::int64_t in_features) const {
  JESSL_CHECK(in_features >= 1, ConfigError, "jessl::projector::MLP.make: in_features is ", in_features,
              ", expected >= 1");
  return MLPHead(std::make_shared<MLPHeadImpl>(in_features, *this));
}

}  // namespace jessl::projector

#endif  // JESSL_DEFINITIONS
