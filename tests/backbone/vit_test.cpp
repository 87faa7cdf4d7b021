// SPDX-License-Identifier: Apache-2.0
// Tests of ViT.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include <jessl/backbone/vit.hpp>
#include <jessl/core/autocast.hpp>
#include <support/backbones.hpp>

using jessl::backbone::Pooling;
using jessl::backbone::ViT;

namespace {

/// Small enough for tests that need no other program's numbers.
ViT small_vit(const jessl::backbone::ViTLayout& changes = {}) {
  auto layout = changes;
  layout.width = 32;
  layout.depth = 3;
  layout.heads = 2;
  layout.patch_size = 8;
  layout.image_size = 32;
  return jessl::backbone::vit(layout);
}

torch::Tensor vit_images(std::int64_t count, std::int64_t height = 32, std::int64_t width = 32) {
  return jessl::test::closed_noise(count * 3 * height * width, 5).view({count, 3, height, width}).to(torch::kFloat32);
}

}  // namespace

TEST_CASE("ViT: parameters have timm's names, shapes and order, head apart", "[backbone][vit]") {
  const auto expected = jessl::test::reference_keys("vit_keys.txt");
  CHECK(jessl::test::module_keys(*jessl::backbone::vit_tiny()) == expected.at("vit_tiny 16 224"));
  CHECK(jessl::test::module_keys(*jessl::backbone::vit_small()) == expected.at("vit_small 16 224"));
  CHECK(jessl::test::module_keys(*jessl::backbone::vit_base()) == expected.at("vit_base 16 224"));
  CHECK(jessl::test::module_keys(*jessl::backbone::vit_tiny({.patch_size = 8})) == expected.at("vit_tiny 8 224"));
  CHECK(jessl::test::module_keys(
            *jessl::backbone::vit_small({.patch_size = 14, .image_size = 518, .layer_scale = 1e-5})) ==
        expected.at("vit_small 14 518 layer_scale"));
}

TEST_CASE("ViT: features and gradients are timm's with the same weights", "[backbone][vit]") {
  std::ifstream file(JESSL_TEST_DATA "/reference/backbone/vit_forward.json");
  REQUIRE(file);
  const auto expected = nlohmann::json::parse(file);
  const auto check = [&](const char* name, const jessl::backbone::ViTLayout& layout, double in_float64) {
    INFO(name);
    jessl::test::check_case(jessl::backbone::vit(layout), expected[name], 8, in_float64, /*in_float32=*/1e-4);
  };
  // In float64 only the file's nine digits differ.
  check("class_token", {.depth = 4, .image_size = 64}, 1e-7);
  check("mean", {.depth = 4, .image_size = 64, .pooling = Pooling::mean}, 1e-7);
  check("interpolated", {.depth = 4, .image_size = 64}, 1e-6);  // timm interpolates in float32 whatever the type
  check(
      "layer_scale",
      {.width = 384, .depth = 2, .heads = 6, .patch_size = 14, .image_size = 28, .in_channels = 1, .layer_scale = 1e-5},
      1e-7);
}

TEST_CASE("ViT: the first example makes features of the declared width", "[backbone][vit]") {
  // [first]
  auto net = jessl::backbone::vit_tiny({.patch_size = 8, .image_size = 32, .in_channels = 1});
  torch::Tensor features = net->forward(torch::rand({4, 1, 32, 32}));     // [4, net.feature_dim]
  torch::Tensor small_views = net->forward(torch::rand({4, 1, 16, 16}));  // positions are interpolated
  // [/first]
  CHECK(features.sizes() == at::IntArrayRef{4, 192});
  CHECK(small_views.sizes() == at::IntArrayRef{4, 192});
  CHECK(net.feature_dim == 192);
}

TEST_CASE("ViT: tokens are the class token and the patches, of which the features are made", "[backbone][vit]") {
  for (const auto pooling : {Pooling::class_token, Pooling::mean}) {
    auto net = small_vit({.pooling = pooling});
    const auto images = vit_images(2, 16, 32);
    const auto tokens = net->tokens(images);
    REQUIRE(tokens.sizes() == at::IntArrayRef{2, 1 + 2 * 4, 32});
    const auto wanted = pooling == Pooling::class_token ? tokens.select(1, 0) : tokens.slice(1, 1).mean(1);
    CHECK(jessl::test::relative_error(net->forward(images), wanted) < 1e-6);
  }
}

TEST_CASE("ViT: blocks are the features after each block, and the last are the network's", "[backbone][vit]") {
  auto net = small_vit();
  const auto images = vit_images(2);
  const auto blocks = net->blocks(images);
  REQUIRE(blocks.size() == 3);
  CHECK(blocks[0].first == "blocks.0");
  CHECK(blocks[2].first == "blocks.2");
  for (const auto& [name, features] : blocks) CHECK(features.sizes() == at::IntArrayRef{2, 32});
  CHECK(torch::equal(blocks[2].second, net->forward(images)));
  CHECK_FALSE(torch::equal(blocks[1].second, blocks[2].second));
}

TEST_CASE("ViT: positions of the learned size are taken as they are, and a constant embedding stays one at any size",
          "[backbone][vit]") {
  const auto positions = torch::randn({1, 17, 8});
  CHECK(torch::allclose(jessl::backbone::detail::resample_positions(positions, 4, 4, 4), positions, 0, 1e-6));
  const auto flat = torch::full({1, 17, 8}, 0.5);
  CHECK(torch::allclose(jessl::backbone::detail::resample_positions(flat, 4, 2, 7), torch::full({1, 15, 8}, 0.5)));
}

TEST_CASE("ViT: stochastic depth drops branches image by image, keeps their mean, and follows LibTorch's seed",
          "[backbone][vit]") {
  const std::vector<double> probabilities = jessl::backbone::detail::drop_probabilities(0.4, 3);
  CHECK(probabilities == std::vector<double>{0.0, 0.2, 0.4});
  CHECK(jessl::backbone::detail::drop_probabilities(0.4, 1) == std::vector<double>{0.0});
  torch::manual_seed(3);
  const auto factors = jessl::backbone::detail::draw_depth(probabilities, 20000, torch::zeros(1));
  CHECK_FALSE(factors[0].defined());
  for (const std::size_t i : {std::size_t{1}, std::size_t{2}}) {
    const auto kept = factors[i].ne(0);
    // 20,000 draws: five standard errors are at most 0.018.
    CHECK(std::abs(kept.to(torch::kFloat64).mean().item<double>() - (1 - probabilities[i])) < 0.018);
    CHECK(torch::allclose(factors[i].masked_select(kept), torch::full({1}, 1 / (1 - probabilities[i]))));
  }

  auto net = small_vit({.drop_path = 0.5});
  const auto images = vit_images(8);
  const auto plain = [&] {
    net->eval();
    const auto features = net->forward(images);
    net->train();
    return features;
  }();
  torch::manual_seed(1);
  const auto first = net->forward(images);
  const auto second = net->forward(images);
  torch::manual_seed(1);
  CHECK(torch::equal(net->forward(images), first));
  CHECK_FALSE(torch::equal(second, first));
  CHECK_FALSE(torch::equal(plain, first));
  // Without it nothing is drawn.
  auto still = small_vit();
  torch::manual_seed(1);
  const auto next = torch::rand({1});
  torch::manual_seed(1);
  static_cast<void>(still->forward(images));
  CHECK(torch::equal(torch::rand({1}), next));
}

TEST_CASE("ViT: a dropped branch adds nothing, and a kept one its part with the layer's scale", "[backbone][vit]") {
  const auto x = torch::randn({3, 5, 4}), branch = torch::randn({3, 5, 4}), scale = torch::randn({4});
  const auto factor = torch::tensor({0.0F, 2.0F, 0.0F});
  using jessl::backbone::detail::add_branch;
  CHECK(torch::allclose(add_branch(x, branch, {}, {}), x + branch));
  CHECK(torch::allclose(add_branch(x, branch, scale, {}), x + branch * scale));
  CHECK(torch::equal(add_branch(x, branch, scale, factor)[0], x[0]));
  CHECK(torch::allclose(add_branch(x, branch, scale, factor)[1], x[1] + 2 * branch[1] * scale));
  CHECK(torch::allclose(add_branch(x, branch, {}, factor)[1], x[1] + 2 * branch[1]));
  // As under autocast.
  const auto mixed = add_branch(x, branch.to(torch::kBFloat16), scale, factor);
  CHECK(mixed.scalar_type() == torch::kFloat32);
}

TEST_CASE("ViT: under autocast the features are those of float32 to bfloat16's precision, with stochastic depth, too",
          "[backbone][vit]") {
  auto net = small_vit({.drop_path = 0.3, .layer_scale = 0.5});
  const auto images = vit_images(4, 32, 48);
  torch::manual_seed(1);
  const auto exact = net->forward(images);
  torch::manual_seed(1);
  const jessl::Autocast autocast(torch::kCPU, jessl::Precision::bfloat16);
  const auto rounded = net->forward(images);
  CHECK(rounded.scalar_type() == torch::kFloat32);
  // Eight bits a product, over three blocks.
  CHECK(jessl::test::relative_error(rounded, exact) < 0.03);
  rounded.sum().backward();
}

TEST_CASE("ViT: starts as timm's", "[backbone][vit]") {
  const auto net = jessl::backbone::vit_tiny({.layer_scale = 0.1});
  const auto parameters = net->named_parameters();
  const auto deviation = [&](const char* name) { return parameters[name].std().item<double>(); };
  // 147 thousand and 38 thousand draws: standard errors of 0.2 % and 0.4 %.
  CHECK(deviation("blocks.3.mlp.fc1.weight") == Approx(0.02).epsilon(0.01));
  CHECK(deviation("pos_embed") == Approx(0.02).epsilon(0.02));
  CHECK(parameters["cls_token"].abs().max().item<double>() < 1e-5);
  const double bound = 1 / std::sqrt(3 * 16 * 16);
  CHECK(parameters["patch_embed.proj.weight"].abs().max().item<double>() <= bound);
  CHECK(deviation("patch_embed.proj.weight") == Approx(bound / std::sqrt(3)).epsilon(0.01));
  CHECK(parameters["blocks.3.attn.qkv.bias"].eq(0).all().item<bool>());
  CHECK(parameters["blocks.3.norm2.weight"].eq(1).all().item<bool>());
  CHECK(parameters["norm.bias"].eq(0).all().item<bool>());
  CHECK(parameters["blocks.3.ls2.gamma"].eq(0.1F).all().item<bool>());
}

TEST_CASE("ViT: describes itself by its settings", "[backbone][vit]") {
  CHECK(
      jessl::to_json(jessl::backbone::vit_small({.patch_size = 14, .drop_path = 0.1})).dump() ==
      R"({"name":"ViT","width":384,"depth":12,"heads":6,"mlp_ratio":4,"patch_size":14,"image_size":224,"in_channels":3,)"
      R"("pooling":"class_token","drop_path":0.1,"layer_scale":0.0})");
}

TEST_CASE("ViT: images that do not fit, and settings out of range, are refused", "[backbone][vit]") {
  auto net = small_vit();
  CHECK_THROWS_WITH(
      net->forward(torch::zeros({2, 1, 32, 32})),
      "jessl::backbone::ViT: the images are [2, 1, 32, 32], expected [N, 3, H, W]; set .in_channels to the "
      "images' channels");
  CHECK_THROWS_WITH(
      net->forward(torch::zeros({2, 3, 32, 36})),
      "jessl::backbone::ViT: the images are [2, 3, 32, 36], expected sides that are multiples of patch_size = "
      "8; crop or resize them to such");
  CHECK_THROWS_AS(net->forward(torch::zeros({2, 3, 0, 32})), jessl::ShapeError);
  CHECK_THROWS_AS(net->tokens(torch::zeros({3, 32, 32})), jessl::ShapeError);
  using jessl::backbone::vit;
  CHECK_THROWS_WITH(vit({.width = 32, .heads = 3}),
                    "jessl::backbone::ViT: width is 32, expected a multiple of heads = 3");
  CHECK_THROWS_WITH(vit({.depth = 0}), "jessl::backbone::ViT: depth is 0, expected >= 1");
  CHECK_THROWS_WITH(vit({.patch_size = 14, .image_size = 32}),
                    "jessl::backbone::ViT: image_size is 32, expected a multiple of patch_size = 14");
  CHECK_THROWS_WITH(vit({.drop_path = 1.0}), "jessl::backbone::ViT: drop_path is 1, expected a probability in [0, 1)");
  CHECK_THROWS_WITH(vit({.layer_scale = -1.0}), "jessl::backbone::ViT: layer_scale is -1, expected >= 0; 0 is without");
}
