// SPDX-License-Identifier: Apache-2.0
// Tests of VGG.
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include <jessl/backbone/vgg.hpp>
#include <support/backbones.hpp>

using jessl::backbone::VGG;

namespace {

/// The networks of make_vgg.py.
VGG small_vgg(bool batch_norm, std::int64_t pooled_size = 1) {
  return jessl::backbone::vgg16({.batch_norm = batch_norm, .pooled_size = pooled_size, .width = 8});
}

nlohmann::json vgg_reference() {
  std::ifstream file(JESSL_TEST_DATA "/reference/backbone/vgg_forward.json");
  REQUIRE(file);
  return nlohmann::json::parse(file);
}

}  // namespace

TEST_CASE("VGG: parameters and buffers have torchvision's names, shapes and order, classifier apart",
          "[backbone][vgg]") {
  const auto expected = jessl::test::reference_keys("vgg_keys.txt");
  for (const bool batch_norm : {false, true}) {
    const jessl::backbone::VGGOptions options{.batch_norm = batch_norm};
    const std::string ending = batch_norm ? "_bn" : "";
    CHECK(jessl::test::module_keys(*jessl::backbone::vgg11(options)) == expected.at("vgg11" + ending));
    CHECK(jessl::test::module_keys(*jessl::backbone::vgg13(options)) == expected.at("vgg13" + ending));
    CHECK(jessl::test::module_keys(*jessl::backbone::vgg16(options)) == expected.at("vgg16" + ending));
    CHECK(jessl::test::module_keys(*jessl::backbone::vgg19(options)) == expected.at("vgg19" + ending));
  }
}

TEST_CASE("VGG: features and gradients are torchvision's with the same weights", "[backbone][vgg]") {
  const auto expected = vgg_reference();
  using jessl::test::check_case;
  // In float64 only the file's nine digits differ.
  check_case(small_vgg(false), expected["plain"], 1, /*in_float64=*/1e-7, /*in_float32=*/1e-4);
  check_case(small_vgg(false, 7), expected["plain, 7x7"], 32, 1e-7, 1e-4);
  // With batch norm rounding moves inputs of ReLUs across 0: torchvision's own gradients in float32 are 1.3e-3 from its float64's.
  check_case(small_vgg(true), expected["batch_norm"], 1, 1e-7, 1e-4, /*gradients_in_float32=*/5e-3);
}

TEST_CASE("VGG: running statistics move as torchvision's", "[backbone][vgg]") {
  const auto expected = vgg_reference();
  auto net = small_vgg(true);
  net->to(torch::kFloat64);
  jessl::test::fill_by_formula(*net);
  static_cast<void>(net->forward(jessl::test::closed_noise(8 * 3 * 64 * 64, 99).view({8, 3, 64, 64})));
  for (const char* const name : {"running_mean", "running_var"}) {
    CHECK(jessl::test::relative_error(net->named_buffers()[std::string("features.1.") + name],
                                      jessl::test::to_tensor(expected[name], {8})) < 1e-7);
  }
}

TEST_CASE("VGG: the first example makes features of the declared width", "[backbone][vgg]") {
  // [first]
  auto net = jessl::backbone::vgg11({.batch_norm = true, .in_channels = 1, .width = 16});
  torch::Tensor features = net->forward(torch::rand({4, 1, 32, 32}));  // [4, net.feature_dim]
  // [/first]
  CHECK(features.sizes() == at::IntArrayRef{4, 128});
  CHECK(net.feature_dim == 128);
  CHECK(small_vgg(false, 7).feature_dim == 7 * 7 * 64);
}

TEST_CASE("VGG: grey images are computed with channels last, with the same result", "[backbone][vgg]") {
  auto net = jessl::backbone::vgg11({.in_channels = 1, .width = 8});
  const auto grey = torch::rand({2, 1, 32, 32});
  CHECK(jessl::backbone::detail::grey_as_channels_last(grey).suggest_memory_format() ==
        torch::MemoryFormat::ChannelsLast);
  auto coloured = jessl::backbone::vgg11({.in_channels = 3, .width = 8});
  CHECK(torch::equal(jessl::backbone::detail::grey_as_channels_last(grey), grey));
  // A network for three channels of which two are black computes the same.
  const torch::NoGradGuard no_grad;
  auto to = coloured->parameters();
  const auto from = net->parameters();
  for (std::size_t i = 0; i < to.size(); ++i) (i == 0 ? to[i].narrow(1, 0, 1) : to[i]).copy_(from[i]);
  const auto images = at::cat({grey, torch::zeros({2, 2, 32, 32})}, 1);
  CHECK(jessl::test::relative_error(net->forward(grey), coloured->forward(images)) < 1e-5);
}

TEST_CASE("VGG: blocks are the means after each stage, and the last are the network's features", "[backbone][vgg]") {
  auto net = small_vgg(false);
  const auto images = torch::rand({2, 3, 32, 32});
  const auto blocks = net->blocks(images);
  // torchvision's vgg16: the numbers of the max poolings.
  const std::vector<std::pair<std::string, std::int64_t>> expected{
      {"features.4", 8}, {"features.9", 16}, {"features.16", 32}, {"features.23", 64}, {"features.30", 64}};
  REQUIRE(blocks.size() == expected.size());
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    CHECK(blocks[i].first == expected[i].first);
    CHECK(blocks[i].second.sizes() == at::IntArrayRef{2, expected[i].second});
  }
  CHECK(torch::equal(blocks.back().second, net->forward(images)));
  auto whole = small_vgg(false, 2);
  CHECK(torch::equal(whole->blocks(images).back().second, whole->forward(images)));
}

TEST_CASE("VGG: starts by He's rule, with norms as the identity", "[backbone][vgg]") {
  const auto parameters = jessl::backbone::vgg11({.batch_norm = true, .width = 32})->named_parameters();
  const auto weight = parameters["features.18.weight"];  // [256, 256, 3, 3], fan out 2304
  // 590 thousand draws: the standard error of the deviation is 0.1 %.
  REQUIRE(weight.sizes() == at::IntArrayRef{256, 256, 3, 3});
  CHECK(weight.std().item<double>() == Approx(std::sqrt(2.0 / 2304)).epsilon(0.005));
  CHECK(parameters["features.18.bias"].eq(0).all().item<bool>());
  CHECK(parameters["features.19.weight"].eq(1).all().item<bool>());
  CHECK(parameters["features.19.bias"].eq(0).all().item<bool>());
}

TEST_CASE("VGG: describes itself by its settings", "[backbone][vgg]") {
  CHECK(jessl::to_json(small_vgg(true)).dump() ==
        R"({"name":"VGG","layers":[2,2,3,3,3],"batch_norm":true,"pooled_size":1,"in_channels":3,"width":8})");
}

TEST_CASE("VGG: images that do not fit, and settings out of range, are refused", "[backbone][vgg]") {
  auto net = small_vgg(false);
  CHECK_THROWS_WITH(
      net->forward(torch::zeros({2, 1, 32, 32})),
      "jessl::backbone::VGG: the images are [2, 1, 32, 32], expected [N, 3, H, W]; set .in_channels to the "
      "images' channels");
  CHECK_THROWS_WITH(
      net->forward(torch::zeros({2, 3, 28, 32})),
      "jessl::backbone::VGG: the images are [2, 3, 28, 32], expected sides of at least 32 pixels, which five "
      "poolings halve; enlarge them");
  CHECK_THROWS_AS(net->blocks(torch::zeros({3, 32, 32})), jessl::ShapeError);
  using jessl::backbone::vgg;
  CHECK_THROWS_WITH(vgg({.layers = {1, 1, 0, 1, 1}}), "jessl::backbone::VGG: layers[2] is 0, expected >= 1");
  CHECK_THROWS_WITH(vgg({.pooled_size = 0}), "jessl::backbone::VGG: pooled_size is 0, expected >= 1");
  CHECK_THROWS_WITH(vgg({.width = 0}), "jessl::backbone::VGG: width is 0, expected >= 1");
}
