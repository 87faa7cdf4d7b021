// SPDX-License-Identifier: Apache-2.0
// Any backbone as one type, so that a method's trainer is compiled once and not for each of them.
#pragma once

#include <jessl/backbone/concept.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/tensor.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace cli {

/// A backbone of any type. Its parameters, buffers and children are registered here under their own names, so that
/// checkpoints and weights are those of the backbone itself, and so is what it says of its settings.
class AnyBackboneImpl : public torch::nn::Cloneable<AnyBackboneImpl> {
 public:
  using Blocks = std::vector<std::pair<std::string, torch::Tensor>>;

  /// Settings that describe themselves.
  struct Options {
    jessl::Json settings;
    [[nodiscard]] jessl::Json to_json() const { return settings; }
  };

  static constexpr bool casts_images = true;  // of all that are let in

  template <jessl::Backbone B>
  explicit AnyBackboneImpl(B net)
      : AnyBackboneImpl(std::make_shared<NetworkOf<B>>(net), net.feature_dim, {jessl::to_json(net)}) {
    static_assert(jessl::backbone::casts_images<B>(),
                  "cli::AnyBackbone takes networks that begin with a convolution or a matrix product");
  }

  [[nodiscard]] torch::Tensor forward(const torch::Tensor& images) { return network_->forward(images); }
  [[nodiscard]] Blocks blocks(const torch::Tensor& images) { return network_->blocks(images); }
  void initialise(std::uint64_t seed) { network_->initialise(seed); }

  void train(bool on = true) override {
    torch::nn::Module::train(on);
    network_->module().train(on);
  }

  [[nodiscard]] std::shared_ptr<torch::nn::Module> clone(
      const std::optional<torch::Device>& device = std::nullopt) const override {
    auto copy = std::shared_ptr<AnyBackboneImpl>(new AnyBackboneImpl(network_->clone(device), feature_dim, options));
    copy->train(is_training());
    return copy;
  }

  void reset() override { JESSL_ASSERT(false, "cli::AnyBackbone is cloned as a whole and is not reset"); }

  std::int64_t feature_dim;
  Options options;

 private:
  struct Network {
    Network() = default;
    Network(const Network&) = delete;
    Network& operator=(const Network&) = delete;
    virtual ~Network() = default;
    [[nodiscard]] virtual torch::Tensor forward(const torch::Tensor& images) = 0;
    [[nodiscard]] virtual Blocks blocks(const torch::Tensor& images) = 0;
    virtual void initialise(std::uint64_t seed) = 0;
    [[nodiscard]] virtual torch::nn::Module& module() = 0;
    [[nodiscard]] virtual std::shared_ptr<Network> clone(const std::optional<torch::Device>& device) = 0;
  };

  template <class B>
  struct NetworkOf final : Network {
    explicit NetworkOf(B of) : net(std::move(of)) {}
    torch::Tensor forward(const torch::Tensor& images) override { return net->forward(images); }
    Blocks blocks(const torch::Tensor& images) override {
      if constexpr (requires { net->blocks(images); }) {
        return net->blocks(images);
      } else {
        jessl::fail<jessl::ConfigError>("this backbone does not tell its blocks' features; leave --blocks away");
      }
    }
    void initialise(std::uint64_t seed) override { net->initialise(seed); }
    torch::nn::Module& module() override { return *net.ptr(); }
    std::shared_ptr<Network> clone(const std::optional<torch::Device>& device) override {
      using Impl = std::remove_cvref_t<decltype(*net)>;
      return std::make_shared<NetworkOf>(B(std::dynamic_pointer_cast<Impl>(net->clone(device))));
    }
    B net;
  };

  AnyBackboneImpl(std::shared_ptr<Network> network, std::int64_t width, Options settings)
      : feature_dim(width), options(std::move(settings)), network_(std::move(network)) {
    torch::nn::Module& inside = network_->module();
    for (const auto& entry : inside.named_parameters(false))
      register_parameter(entry.key(), entry.value(), entry.value().requires_grad());
    for (const auto& entry : inside.named_buffers(false)) register_buffer(entry.key(), entry.value());
    for (const auto& entry : inside.named_children()) register_module(entry.key(), entry.value());
  }

  std::shared_ptr<Network> network_;
};

using AnyBackbone = jessl::backbone::Holder<AnyBackboneImpl>;
static_assert(jessl::Backbone<AnyBackbone>);

/// A backbone by name with its settings: {"name": "resnet18", "width": 16}.
[[nodiscard]] AnyBackbone make_backbone(const jessl::Json& settings);

/// Loads a safetensors file into a backbone; a classifier "fc" in it is passed over, and so is what counts batches if absent.
void load_backbone(AnyBackbone& net, const std::string& file);

void save_backbone(const AnyBackbone& net, const std::string& file, const jessl::Json& texts);

}  // namespace cli
