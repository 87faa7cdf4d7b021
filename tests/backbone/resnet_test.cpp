// SPDX-License-Identifier: Apache-2.0
// Tests of ResNet.
#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <tuple>
#include <vector>

#include <catch2/catch.hpp>

#include <jessl/backbone/resnet.hpp>
#include <support/safetensors.hpp>

using jessl::backbone::Block;
using jessl::backbone::ResNet;
using jessl::backbone::Stem;

namespace {

/// "parameter layer1.0.conv1.weight 64 64 3 3", a line a tensor, as make_resnet.py writes them.
std::map<std::string, std::vector<std::string>> torchvision_keys() {
  std::ifstream file(JESSL_TEST_DATA "/reference/backbone/resnet_keys.txt");
  REQUIRE(file);
  std::map<std::string, std::vector<std::string>> keys;
  std::string name;
  for (std::string line; std::getline(file, line);) {
    if (line[0] != ' ')
      name = line;
    else
      keys[name].push_back(line.substr(2));
  }
  return keys;
}

std::vector<std::string> keys_of(const ResNet& net) {
  std::vector<std::string> keys;
  const auto add = [&keys](const char* kind, const auto& entry) {
    std::string line = std::string(kind) + ' ' + entry.key();
    for (const auto extent : entry.value().sizes()) line += ' ' + std::to_string(extent);
    keys.push_back(line);
  };
  for (const auto& entry : net->named_parameters()) add("parameter", entry);
  for (const auto& entry : net->named_buffers()) add("buffer", entry);
  std::sort(keys.begin(), keys.end());
  return keys;
}

/// Irregular numbers in [-1, 1), as make_resnet.py makes them.
torch::Tensor noise(std::int64_t count, std::int64_t k) {
  const std::int64_t m = 2147483647;
  auto x = (torch::arange(count) * 48271 + 7919 * k + 12345) % m;
  x = (x * x + 1) % m;
  x = (x * x + k) % m;
  return x.to(torch::kFloat64) / 1073741824.0 - 1;
}

/// Fills a network as make_resnet.py does.
void fill(ResNet& net) {
  const torch::NoGradGuard no_grad;
  std::int64_t k = 0;
  for (const auto& entry : net->named_parameters()) {
    auto parameter = entry.value();
    auto value = noise(parameter.numel(), k++).view(parameter.sizes());
    if (parameter.dim() > 1) {
      value = value * std::sqrt(6.0 / static_cast<double>(parameter[0].numel()));
    } else {
      value = entry.key().ends_with("weight") ? 1 + 0.2 * value : 0.1 * value;
    }
    parameter.copy_(value);
  }
}

torch::Tensor some_images(std::int64_t count, std::int64_t channels, std::int64_t side) {
  return torch::sin(0.37 * torch::arange(count * channels * side * side, torch::kFloat32))
      .view({count, channels, side, side});
}

}  // namespace

TEST_CASE("ResNet: parameters and buffers have torchvision's names and shapes, fc apart", "[backbone][resnet]") {
  auto expected = torchvision_keys();
  const auto check = [&](const char* name, const ResNet& net) {
    INFO(name);
    auto& keys = expected.at(name);
    std::sort(keys.begin(), keys.end());
    CHECK(keys_of(net) == keys);
  };
  check("resnet18", jessl::backbone::resnet18());
  check("resnet34", jessl::backbone::resnet34());
  check("resnet50", jessl::backbone::resnet50());
  check("resnet101", jessl::backbone::resnet101());
  check("resnet152", jessl::backbone::resnet152());
  check("wide_resnet50_2", jessl::backbone::wide_resnet50_2());
  check("resnext50_32x4d", jessl::backbone::resnext50_32x4d());
}

TEST_CASE("ResNet: computes what torchvision's does with the same weights", "[backbone][resnet]") {
  std::ifstream file(JESSL_TEST_DATA "/reference/backbone/resnet_forward.json");
  REQUIRE(file);
  const auto expected = nlohmann::json::parse(file);
  const auto check = [&](const char* name, ResNet net) {
    INFO(name);
    const torch::NoGradGuard no_grad;
    const auto wanted = [&](const char* mode) {
      return jessl::test::to_tensor(expected[name][mode], {4, net.feature_dim / 8});
    };
    const auto every_eighth = [](const torch::Tensor& y) { return y.slice(1, 0, c10::nullopt, 8); };
    const auto images = noise(4 * 3 * 64 * 64, 99).view({4, 3, 64, 64});
    fill(net);
    net->train();
    // Channels-last float32 takes the fused norms. Batch statistics of 16 values in up to 53 layers amplify rounding:
    // torchvision's own float32 is 6e-5 away from its float64.
    const auto single = net->forward(images.to(torch::kFloat32).contiguous(torch::MemoryFormat::ChannelsLast));
    CHECK(jessl::test::relative_error(every_eighth(single), wanted("train")) < 5e-4);

    for (const auto& buffer : net->named_buffers()) buffer.value().fill_(buffer.key().ends_with("running_var") ? 1 : 0);
    net->to(torch::kFloat64);
    fill(net);
    // In float64 only the file's nine digits differ.
    CHECK(jessl::test::relative_error(every_eighth(net->forward(images)), wanted("train")) < 1e-7);
    CHECK(jessl::test::relative_error(net->named_buffers()["bn1.running_var"],
                                      jessl::test::to_tensor(expected[name]["bn1.running_var"], {64})) < 1e-7);
    net->eval();
    CHECK(jessl::test::relative_error(every_eighth(net->forward(images)), wanted("eval")) < 1e-7);
  };
  check("resnet18", jessl::backbone::resnet18());
  check("resnet50", jessl::backbone::resnet50());
  check("wide_resnet50_2", jessl::backbone::wide_resnet50_2());
  check("resnext50_32x4d", jessl::backbone::resnext50_32x4d());
}

TEST_CASE("ResNet: the declared width is the real one for each stem, block and channel count", "[backbone][resnet]") {
  // [first]
  auto net = jessl::backbone::resnet18({.stem = jessl::backbone::Stem::small, .in_channels = 1, .width = 8});
  torch::Tensor features = net->forward(torch::rand({4, 1, 28, 28}));  // [4, net.feature_dim]
  // [/first]
  CHECK(features.sizes() == at::IntArrayRef{4, 64});
  CHECK(net.feature_dim == 64);
  CHECK(net->feature_dim == 64);
  for (const auto stem : {Stem::large, Stem::medium, Stem::small}) {
    for (const auto block : {Block::basic, Block::bottleneck}) {
      auto other =
          jessl::backbone::resnet({.block = block, .layers = {1, 1, 2, 1}, .width = 4, .stem = stem, .in_channels = 3});
      CHECK(other->forward(some_images(2, 3, 32)).sizes() == at::IntArrayRef{2, other.feature_dim});
      CHECK(other.feature_dim == (block == Block::basic ? 32 : 128));
    }
  }
}

TEST_CASE("ResNet: the stems begin with 7x7 of stride 2, 3x3 of stride 2 and 3x3 of stride 1", "[backbone][resnet]") {
  for (const auto& [stem, kernel, stride] :
       {std::tuple{Stem::large, 7, 2}, std::tuple{Stem::medium, 3, 2}, std::tuple{Stem::small, 3, 1}}) {
    const auto net = jessl::backbone::resnet({.layers = {1, 1, 1, 1}, .width = 4, .stem = stem, .in_channels = 1});
    const auto* const first = net->named_children()["conv1"]->as<torch::nn::Conv2d>();
    CHECK(first->weight.sizes() == at::IntArrayRef{4, 1, kernel, kernel});
    CHECK(*first->options.stride()->data() == stride);
  }
}

TEST_CASE("ResNet: initial weights follow He's rule, and norms start as the identity", "[backbone][resnet]") {
  const auto net = jessl::backbone::resnet18();
  const auto parameters = net->named_parameters();
  const auto weight = parameters["layer3.0.conv2.weight"];  // [256, 256, 3, 3], fan out 2304
  // 590 thousand draws: the standard error of the deviation is 0.1 %.
  CHECK(weight.std().item<double>() == Approx(std::sqrt(2.0 / 2304)).epsilon(0.005));
  CHECK(std::abs(weight.mean().item<double>()) < 5 * std::sqrt(2.0 / 2304 / 589824));
  CHECK(parameters["layer3.0.bn2.weight"].eq(1).all().item<bool>());
  CHECK(parameters["layer3.0.bn2.bias"].eq(0).all().item<bool>());
}

TEST_CASE("ResNet: with zero_init_residual a block starts as its shortcut", "[backbone][resnet]") {
  const auto parameters =
      jessl::backbone::resnet(
          {.block = Block::bottleneck, .layers = {1, 1, 1, 1}, .width = 4, .zero_init_residual = true})
          ->named_parameters();
  CHECK(parameters["layer2.0.bn3.weight"].eq(0).all().item<bool>());
  CHECK(parameters["layer2.0.bn2.weight"].eq(1).all().item<bool>());
}

TEST_CASE("ResNet: describes itself by its settings", "[backbone][resnet]") {
  const auto net = jessl::backbone::resnet18({.stem = Stem::medium, .in_channels = 1, .width = 8});
  CHECK(jessl::to_json(net).dump() ==
        R"({"name":"ResNet","block":"basic","layers":[2,2,2,2],"width":8,"stem":"medium","in_channels":1,)"
        R"("zero_init_residual":false,"groups":1,"width_per_group":64})");
}

TEST_CASE("ResNet: images with another number of channels, and settings out of range, are refused",
          "[backbone][resnet]") {
  auto net = jessl::backbone::resnet({.layers = {1, 1, 1, 1}, .width = 4});
  CHECK_THROWS_WITH(net->forward(torch::zeros({2, 1, 32, 32})),
                    "jessl::backbone::ResNet: the images are [2, 1, 32, 32], expected "
                    "[N, 3, H, W]; set .in_channels to the images' channels");
  CHECK_THROWS_AS(net->forward(torch::zeros({3, 32, 32})), jessl::ShapeError);
  CHECK_THROWS_WITH(jessl::backbone::resnet18({.width = 0}), "jessl::backbone::ResNet: width is 0, expected >= 1");
  CHECK_THROWS_WITH(jessl::backbone::resnet({.layers = {1, 0, 1, 1}}),
                    "jessl::backbone::ResNet: layers[1] is 0, expected >= 1");
  CHECK_THROWS_WITH(
      jessl::backbone::resnet({.groups = 2}),
      "jessl::backbone::ResNet: groups is 2 and width_per_group is 64 with basic blocks, which have none of "
      "them, expected 1 and 64; take bottlenecks");
  CHECK_THROWS_WITH(jessl::backbone::resnext50_32x4d({.width = 8}),
                    "jessl::backbone::ResNet: width_per_group is 4 and width is 8, which leave less than a channel for "
                    "each group, expected a product of at least 64");
}
