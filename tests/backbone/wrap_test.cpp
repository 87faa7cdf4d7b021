// SPDX-License-Identifier: Apache-2.0
// Tests of Wrap.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include <jessl/backbone/wrap.hpp>
#include <support/backbones.hpp>

namespace {

// [theirs]
/// A network that knows nothing of jessl.
struct TheirsImpl : torch::nn::Module {
  explicit TheirsImpl(std::int64_t width)
      : convolution(register_module("convolution", torch::nn::Conv2d(torch::nn::Conv2dOptions(3, width, 3).stride(2)))),
        norm(register_module("norm", torch::nn::BatchNorm2d(width))),
        scale(register_parameter("scale", torch::rand({width, 1, 1}))) {}

  torch::Tensor forward(const torch::Tensor& images) {
    return torch::relu(norm->forward(convolution->forward(images)) * scale).mean({2, 3});
  }

  torch::nn::Conv2d convolution;
  torch::nn::BatchNorm2d norm;
  torch::Tensor scale;
};
TORCH_MODULE(Theirs);
// [/theirs]

auto wrapped(std::int64_t width = 16) {
  return jessl::backbone::wrap({.feature_dim = width, .network = "theirs"}, [width] { return Theirs(width); });
}

/// Draws by itself, has a buffer and blocks, and minds its mode.
struct ModedImpl : torch::nn::Module {
  static constexpr bool casts_images = true;

  ModedImpl() { seen = register_buffer("seen", torch::zeros({}, torch::kInt64)); }

  torch::Tensor forward(const torch::Tensor& images) {
    seen += 1;
    return images.mean({2, 3}) * (is_training() ? 2 : 1);
  }

  std::vector<std::pair<std::string, torch::Tensor>> blocks(const torch::Tensor& images) {
    return {{"all", forward(images)}};
  }

  torch::Tensor seen;
};
TORCH_MODULE(Moded);

torch::Tensor wrap_images() {
  return jessl::test::closed_noise(2 * 3 * 16 * 16, 5).view({2, 3, 16, 16}).to(torch::kFloat32);
}

bool same_values(const torch::nn::Module& one, const torch::nn::Module& other) {
  const auto a = jessl::module_state(one), b = jessl::module_state(other);
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    return x.first == y.first && torch::equal(x.second, y.second);
  });
}

}  // namespace

TEST_CASE("Wrap: makes a backbone of a module that knows nothing of jessl, with its names", "[backbone][wrap]") {
  // [first]
  auto net = jessl::backbone::wrap({.feature_dim = 32, .network = "theirs"}, [] { return Theirs(32); });
  torch::Tensor features = net->forward(torch::rand({4, 3, 28, 28}));  // [4, net.feature_dim]
  // [/first]
  jessl::require_backbone<decltype(net)>();
  CHECK(features.sizes() == at::IntArrayRef{4, 32});
  CHECK(net.feature_dim == 32);
  CHECK(net.made_from_seed);
  CHECK(jessl::test::module_keys(*net) == jessl::test::module_keys(*Theirs(32)));
  CHECK(jessl::to_json(net).dump() == R"({"name":"Wrap","feature_dim":32,"network":"theirs"})");
}

TEST_CASE("Wrap: computes what the module computes, on its tensors", "[backbone][wrap]") {
  auto net = wrapped();
  Theirs theirs(16);
  jessl::test::fill_by_formula(*theirs);
  jessl::test::fill_by_formula(*net);
  CHECK(torch::equal(net->forward(wrap_images()), theirs->forward(wrap_images())));
  CHECK(net->module().scale.is_same(net->named_parameters()["scale"]));
  CHECK(same_values(*net, *theirs));  // running statistics, too
  net->forward(wrap_images()).sum().backward();
  for (const auto& entry : net->named_parameters()) {
    INFO(entry.key());
    CHECK(entry.value().grad().defined());
  }
}

TEST_CASE(
    "Wrap: weights are a function of the seed, are those of the module's own start, and cost the generator nothing",
    "[backbone][wrap]") {
  auto one = wrapped(), other = wrapped();
  CHECK(same_values(*one, *other));
  other->initialise(8);
  CHECK_FALSE(same_values(*one, *other));
  static_cast<void>(one->forward(wrap_images()));
  one->initialise(8);
  CHECK(same_values(*one, *other));
  torch::manual_seed(8);
  CHECK(same_values(*one, *Theirs(16)));

  torch::manual_seed(1);
  const auto next = torch::rand({4});
  torch::manual_seed(1);
  auto made = wrapped();
  made->initialise(3);
  static_cast<void>(made->clone());
  CHECK(torch::equal(torch::rand({4}), next));
}

TEST_CASE("Wrap: a clone computes the same and shares nothing, though the module is not Cloneable",
          "[backbone][wrap]") {
  auto net = wrapped();
  net->initialise(5);
  static_cast<void>(net->forward(wrap_images()));
  net->named_parameters()["scale"].set_requires_grad(false);
  net->eval();
  net->to(torch::kFloat64);
  using Impl = std::decay_t<decltype(*net)>;
  decltype(net) copy(std::dynamic_pointer_cast<Impl>(net->clone()));
  copy->eval();
  const auto images = wrap_images().to(torch::kFloat64);
  CHECK(same_values(*net, *copy));
  CHECK(torch::equal(copy->forward(images), net->forward(images)));
  CHECK_FALSE(copy->named_parameters()["scale"].requires_grad());
  const torch::NoGradGuard no_grad;
  for (auto& p : copy->parameters()) p.zero_();
  CHECK_FALSE(same_values(*net, *copy));
}

TEST_CASE("Wrap: the module takes its mode, and what it says of casts and blocks is passed on", "[backbone][wrap]") {
  auto net = jessl::backbone::wrap({.feature_dim = 3}, [] { return std::make_shared<ModedImpl>(); });
  const auto images = wrap_images();
  CHECK(torch::equal(net->forward(images), images.mean({2, 3}) * 2));
  net->eval();
  CHECK(torch::equal(net->forward(images), images.mean({2, 3})));
  CHECK(net->named_buffers()["seen"].item<std::int64_t>() == 2);
  CHECK(net->blocks(images).front().first == "all");
  CHECK(jessl::backbone::casts_images<decltype(net)>());
  CHECK_FALSE(jessl::backbone::casts_images<decltype(wrapped())>());
}

TEST_CASE("Wrap: a Sequential is a backbone", "[backbone][wrap]") {
  struct MeanImpl : torch::nn::Module {
    torch::Tensor forward(const torch::Tensor& x) { return x.mean({2, 3}); }
  };
  auto net = jessl::backbone::wrap({.feature_dim = 8}, [] {
    return torch::nn::Sequential(torch::nn::Conv2d(1, 8, 3), torch::nn::ReLU(), std::make_shared<MeanImpl>());
  });
  CHECK(net->forward(torch::rand({2, 1, 8, 8})).sizes() == at::IntArrayRef{2, 8});
  CHECK(jessl::test::module_keys(*net) == std::vector<std::string>{"parameter 0.weight 8 1 3 3", "parameter 0.bias 8"});
}

TEST_CASE("Wrap: what does not fit is refused", "[backbone][wrap]") {
  auto net = jessl::backbone::wrap({.feature_dim = 8}, [] { return Theirs(16); });
  CHECK_THROWS_WITH(net->forward(torch::zeros({2, 3, 16, 16})),
                    "jessl::backbone::Wrap: of images [2, 3, 16, 16] the network makes [2, 16], expected [2, 8]; set "
                    ".feature_dim to its width, or let it pool and flatten");
  CHECK_THROWS_WITH(net->forward(torch::zeros({3, 16, 16})),
                    "jessl::backbone::Wrap: the images are [3, 16, 16], expected [N, C, H, W]");
  CHECK_THROWS_WITH(jessl::backbone::wrap({}, [] { return Theirs(16); }),
                    "jessl::backbone::Wrap: feature_dim is 0, expected the width of what the network makes, >= 1");
  CHECK_THROWS_WITH(jessl::backbone::wrap({.feature_dim = 16}, [] { return std::shared_ptr<TheirsImpl>(); }),
                    "jessl::backbone::Wrap: the function made no module, expected a new one from each call");
  const Theirs once(16);
  CHECK_THROWS_WITH(
      jessl::backbone::wrap({.feature_dim = 16}, [&] { return once; }),
      "jessl::backbone::Wrap: convolution.bias is the same tensor in two networks, expected new ones from "
      "each call; make the network inside of the function");
  std::int64_t width = 15;
  CHECK_THROWS_WITH(jessl::backbone::wrap({.feature_dim = 16}, [&] { return Theirs(++width); }),
                    "jessl::backbone::Wrap: the function made two networks that differ: another architecture: "
                    "convolution.bias is [17], expected [16]");
}
