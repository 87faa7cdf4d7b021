// SPDX-License-Identifier: Apache-2.0
// Laws that every backbone obeys.
#include <algorithm>
#include <concepts>
#include <memory>
#include <type_traits>
#include <vector>

#include <catch2/catch.hpp>

#include <boost/hana/for_each.hpp>

#include <jessl/backbone.hpp>
#include <jessl/core/autocast.hpp>

namespace {

/// A new default one, or a smaller one where the default takes long.
template <class B>
B new_backbone() {
  if constexpr (std::same_as<B, jessl::backbone::ViT>) {
    return jessl::backbone::vit({.width = 32, .depth = 3, .heads = 2, .patch_size = 8, .image_size = 64});
  } else if constexpr (std::same_as<B, jessl::backbone::ConvNeXt>) {
    return jessl::backbone::convnext({.widths = {8, 16, 24, 32}, .layers = {1, 1, 2, 1}});
  } else if constexpr (std::same_as<B, jessl::backbone::VGG>) {
    return jessl::backbone::vgg11({.batch_norm = true, .width = 8});
  } else {
    return B();
  }
}

/// A module that is no backbone by itself.
struct WrappedNetImpl : torch::nn::Module {
  torch::Tensor forward(const torch::Tensor& images) {
    return torch::relu(norm->forward(convolution->forward(images))).mean({2, 3});
  }

  torch::nn::Conv2d convolution = register_module("convolution", torch::nn::Conv2d(3, 8, 3));
  torch::nn::BatchNorm2d norm = register_module("norm", torch::nn::BatchNorm2d(8));
};

/// Calls body(make) for every kind of backbone; make() gives a new one.
template <class Body>
void for_each_backbone(const Body& body) {
  boost::hana::for_each(jessl::backbone::All, [&](auto type) {
    using B = typename decltype(type)::type;
    body([] { return new_backbone<B>(); });
  });
  const auto wrapped = [] { return std::make_shared<WrappedNetImpl>(); };
  body([&] { return jessl::backbone::wrap({.feature_dim = 8}, wrapped); });
}

torch::Tensor images() { return torch::sin(0.37 * torch::arange(2 * 3 * 32 * 32)).view({2, 3, 32, 32}); }

bool equal(const std::vector<torch::Tensor>& a, const std::vector<torch::Tensor>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const auto& x, const auto& y) { return torch::equal(x, y); });
}

}  // namespace

TEST_CASE("every backbone models the concept", "[backbone][law]") {
  for_each_backbone([](const auto& make) { jessl::require_backbone<decltype(make())>(); });
}

TEST_CASE("every backbone: the declared width is the real one", "[backbone][law]") {
  for_each_backbone([](const auto& make) {
    auto net = make();
    CHECK(net->forward(images()).sizes() == at::IntArrayRef{2, net.feature_dim});
    CHECK(net->feature_dim == net.feature_dim);
  });
}

TEST_CASE("every backbone: its weights are a function of the seed, whatever its layout and history",
          "[backbone][law]") {
  for_each_backbone([](const auto& make) {
    auto one = make(), other = make();
    torch::manual_seed(3);
    one->initialise(7);
    other->initialise(8);
    CHECK_FALSE(equal(one->parameters(), other->parameters()));
    static_cast<void>(other->forward(images()));  // moves the running statistics
    for (auto& p : other->parameters()) {
      if (p.dim() == 4) p.set_data(p.contiguous(torch::MemoryFormat::ChannelsLast));
    }
    torch::manual_seed(4);
    other->initialise(7);
    CHECK(equal(one->parameters(), other->parameters()));
    CHECK(equal(one->buffers(), other->buffers()));
  });
}

TEST_CASE("every backbone: a new one is as initialise(0) leaves it", "[backbone][law]") {
  for_each_backbone([](const auto& make) {
    torch::manual_seed(3);
    auto made = make(), drawn = make();
    drawn->initialise(7);
    drawn->initialise(0);
    CHECK(made.made_from_seed);
    CHECK(equal(made->parameters(), drawn->parameters()));
    CHECK(equal(made->buffers(), drawn->buffers()));
  });
}

TEST_CASE("every backbone: if it casts its images, rounded ones give the same under autocast", "[backbone][law]") {
  for_each_backbone([](const auto& make) {
    if constexpr (jessl::backbone::casts_images<decltype(make())>()) {
      auto net = make();
      const jessl::Autocast autocast(torch::kCPU, jessl::Precision::bfloat16);
      torch::manual_seed(3);
      const torch::Tensor features = net->forward(images());
      torch::manual_seed(3);  // for those that draw in training
      CHECK(torch::equal(features, net->forward(images().to(torch::kBFloat16))));
    }
  });
}

TEST_CASE("every backbone: what a pass draws in training follows from LibTorch's seed", "[backbone][law]") {
  for_each_backbone([](const auto& make) {
    auto one = make(), other = make();
    torch::manual_seed(3);
    const torch::Tensor features = one->forward(images());
    torch::manual_seed(3);
    CHECK(torch::equal(features, other->forward(images())));
  });
}

TEST_CASE("every backbone: if it tells its blocks' features, the last are the network's", "[backbone][law]") {
  for_each_backbone([](const auto& make) {
    auto net = make();
    net->eval();
    if constexpr (requires { net->blocks(images()); }) {
      const auto blocks = net->blocks(images());
      REQUIRE(blocks.size() > 1);
      CHECK(torch::equal(blocks.back().second, net->forward(images())));
      for (const auto& [name, features] : blocks) {
        INFO(name);
        CHECK((features.dim() == 2 && features.size(0) == 2));
      }
    }
  });
}

TEST_CASE("every backbone: a clone computes the same and shares nothing", "[backbone][law]") {
  for_each_backbone([](const auto& make) {
    auto net = make();
    net->initialise(5);
    net->eval();
    using Impl = std::decay_t<decltype(*net)>;
    decltype(make()) copy(std::dynamic_pointer_cast<Impl>(net->clone()));
    copy->eval();  // LibTorch's clone() starts in training mode
    CHECK(equal(copy->parameters(), net->parameters()));
    CHECK(torch::equal(copy->forward(images()), net->forward(images())));
    const torch::NoGradGuard no_grad;
    for (auto& p : copy->parameters()) p.zero_();
    CHECK_FALSE(equal(copy->parameters(), net->parameters()));
  });
}

TEST_CASE("every backbone: each parameter gets a gradient", "[backbone][law]") {
  for_each_backbone([](const auto& make) {
    auto net = make();
    net->forward(images()).square().sum().backward();
    for (const auto& entry : net->named_parameters()) {
      INFO(entry.key());
      CHECK(entry.value().grad().defined());
    }
  });
}
