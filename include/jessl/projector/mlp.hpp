// SPDX-License-Identifier: Apache-2.0
// The multi-layer perceptron between backbone and loss.
#pragma once

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

#include <jessl/core/error.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/projector/concept.hpp>

namespace jessl::projector {

/// The head that MLP makes. Its parameters are called "0.0.weight" (layer, then linear or norm) to "2.weight" (last).
///
/// Shapes     [N, in_features] -> [N, out_features]
/// Errors     ShapeError where the input is not [N, in_features]
/// Models     none; it is the module that jessl::Projector asks for
/// Source     none
class MLPHeadImpl : public torch::nn::Cloneable<MLPHeadImpl> {
 public:
  MLPHeadImpl(std::int64_t in_features, std::vector<std::int64_t> widths)
      : out_features(widths.back()), in_features_(in_features), widths_(std::move(widths)) {
    reset();
  }

  void reset() override {
    hidden_.clear();
    std::int64_t width = in_features_;
    for (std::size_t layer = 0; layer + 1 < widths_.size(); ++layer) {
      hidden_.push_back(register_module(
          std::to_string(layer),
          torch::nn::Sequential(torch::nn::Linear(width, widths_[layer]), torch::nn::BatchNorm1d(widths_[layer]),
                                torch::nn::ReLU(torch::nn::ReLUOptions().inplace(true)))));
      width = widths_[layer];
    }
    last_ = register_module(std::to_string(hidden_.size()),
                            torch::nn::Linear(torch::nn::LinearOptions(width, out_features).bias(false)));
    initialise(0);
  }

  /// Linear layers uniform in +-1/sqrt(fan in), as LibTorch's default; norms 1 and 0; statistics 0 and 1.
  void initialise(std::uint64_t seed) {
    const torch::NoGradGuard no_grad;
    const auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
    const auto fill = [&](torch::Tensor& target, std::int64_t fan_in) {
      const double bound = 1.0 / std::sqrt(static_cast<double>(fan_in));
      // Drawn on the CPU in row order, so that device, type and layout of the target change nothing.
      target.copy_(torch::empty(target.sizes(), torch::kFloat32).uniform_(-bound, bound, generator));
    };
    for (torch::nn::Sequential& layer : hidden_) {
      auto& linear = layer->at<torch::nn::LinearImpl>(0);
      fill(linear.weight, linear.options.in_features());
      fill(linear.bias, linear.options.in_features());
      auto& norm = *layer[1]->as<torch::nn::BatchNorm1dImpl>();
      norm.reset_running_stats();
      norm.weight.fill_(1);
      norm.bias.zero_();
    }
    fill(last_->weight, last_->options.in_features());
  }

  [[nodiscard]] torch::Tensor forward(const torch::Tensor& x) { return layers(x).back(); }

  /// The output of every layer: after each ReLU, and the embedding.
  [[nodiscard]] std::vector<torch::Tensor> layers(const torch::Tensor& x) {
    JESSL_CHECK(x.dim() == 2 && x.size(1) == in_features_, ShapeError, "jessl::projector::MLP: the input is ",
                shape_of(x), ", expected [N, ", in_features_, ']');
    std::vector<torch::Tensor> outputs;
    for (torch::nn::Sequential& layer : hidden_)
      outputs.push_back(layer->forward(outputs.empty() ? x : outputs.back()));
    outputs.push_back(last_->forward(outputs.empty() ? x : outputs.back()));
    return outputs;
  }

  std::int64_t out_features;

 private:
  std::int64_t in_features_;
  std::vector<std::int64_t> widths_;
  std::vector<torch::nn::Sequential> hidden_;
  torch::nn::Linear last_{nullptr};
};
TORCH_MODULE(MLPHead);

/// A multi-layer perceptron given by its widths: "2048-2048-128".
///
/// [Linear with bias, batch norm, ReLU] for each width but the last, then a Linear without bias. "128" alone is linear.
///
/// Shapes     [N, in_features] -> [N, last width]
/// Units      widths: features, >= 1
/// Precision  autocast's
/// Cost       N times the number of weights
/// Randomness its parameters are a function of the seed given to initialise()
/// Errors     ConfigError from make() for a text that is not widths joined by "-"
/// Models     jessl::Projector (docs/projector/README.md)
/// Source     Bordes, Balestriero and Vincent, Towards Democratizing Joint-Embedding Self-Supervised Learning, 2023,
///            arXiv 2303.01986 (its library's --model.mlp); Chen et al., SimCLR, ICML 2020, arXiv 2002.05709
/// Differs    none
struct MLP {
  static constexpr std::string_view name = "MLP";

  std::string widths = "2048-2048-128";  ///< output widths of the linear layers, joined by "-"; each >= 1

  [[nodiscard]] MLPHead make(std::int64_t in_features) const {
    JESSL_CHECK(in_features >= 1, ConfigError, "jessl::projector::MLP.make: in_features is ", in_features,
                ", expected >= 1");
    return MLPHead(std::make_shared<MLPHeadImpl>(in_features, parse()));
  }

  /// The widths as numbers.
  [[nodiscard]] std::vector<std::int64_t> parse() const {
    std::vector<std::int64_t> numbers;
    const char* position = widths.data();
    const char* const end = position + widths.size();
    while (true) {
      std::int64_t width = 0;
      const auto [stop, error] = std::from_chars(position, end, width);
      JESSL_CHECK(error == std::errc{} && width >= 1 && (stop == end || *stop == '-'), ConfigError,
                  "jessl::projector::MLP: widths is \"", widths,
                  "\", expected whole numbers >= 1 joined by \"-\", like ",
                  "\"2048-2048-128\"; the fault is at character ", position - widths.data() + 1);
      numbers.push_back(width);
      if (stop == end) return numbers;
      position = stop + 1;
    }
  }
};

}  // namespace jessl::projector

BOOST_HANA_ADAPT_STRUCT(jessl::projector::MLP, widths);
