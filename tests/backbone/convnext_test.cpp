// SPDX-License-Identifier: Apache-2.0
// Tests of ConvNeXt.
#include <cmath>
#include <cstdint>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include <jessl/backbone/convnext.hpp>
#include <jessl/core/autocast.hpp>
#include <support/backbones.hpp>

using jessl::backbone::ConvNeXt;

namespace {

/// The network of make_convnext.py.
ConvNeXt small_convnext(double drop_path = 0.0, std::int64_t stem_size = 4) {
  return jessl::backbone::convnext(
      {.widths = {24, 48, 96, 192}, .layers = {1, 1, 2, 1}, .stem_size = stem_size, .drop_path = drop_path});
}

torch::Tensor convnext_images(std::int64_t count, std::int64_t side) {
  return jessl::test::closed_noise(count * 3 * side * side, 5).view({count, 3, side, side}).to(torch::kFloat32);
}

}  // namespace

TEST_CASE("ConvNeXt: parameters have torchvision's names, shapes and order, classifier.2 apart",
          "[backbone][convnext]") {
  const auto expected = jessl::test::reference_keys("convnext_keys.txt");
  CHECK(jessl::test::module_keys(*jessl::backbone::convnext_tiny()) == expected.at("convnext_tiny"));
}

TEST_CASE("ConvNeXt: features and gradients are torchvision's with the same weights", "[backbone][convnext]") {
  std::ifstream file(JESSL_TEST_DATA "/reference/backbone/convnext_forward.json");
  REQUIRE(file);
  const auto expected = nlohmann::json::parse(file);
  for (const char* const name : {"square", "uneven"}) {
    INFO(name);
    // In float64 only the file's nine digits differ.
    jessl::test::check_case(small_convnext(), expected[name], 8, /*in_float64=*/1e-7, /*in_float32=*/1e-4);
  }
}

TEST_CASE("ConvNeXt: the first example makes features of the declared width", "[backbone][convnext]") {
  // [first]
  auto net = jessl::backbone::convnext_tiny({.stem_size = 2, .in_channels = 1});
  torch::Tensor features = net->forward(torch::rand({4, 1, 28, 28}));  // [4, net.feature_dim]
  // [/first]
  CHECK(features.sizes() == at::IntArrayRef{4, 768});
  CHECK(net.feature_dim == 768);
}

TEST_CASE("ConvNeXt: its maps stay channels last, whatever the images' layout", "[backbone][convnext]") {
  auto net = small_convnext();
  const auto images = convnext_images(2, 64);
  const auto last = torch::MemoryFormat::ChannelsLast;
  jessl::backbone::detail::ConvNeXtStem stem(3, 24, 4);
  CHECK(stem->forward(images).is_contiguous(last));
  jessl::backbone::detail::ConvNeXtBlock block(24, 0.5);
  const auto x = stem->forward(images);
  CHECK(block->forward(x, {}).is_contiguous(last));
  CHECK(block->forward(x, torch::ones({2})).is_contiguous(last));
  CHECK(jessl::test::relative_error(net->forward(images.contiguous(last)), net->forward(images)) < 1e-5);
}

TEST_CASE("ConvNeXt: blocks are the pooled maps after each block, and the last are the network's features",
          "[backbone][convnext]") {
  auto net = small_convnext();
  const auto images = convnext_images(2, 64);
  const auto blocks = net->blocks(images);
  const std::vector<std::pair<std::string, std::int64_t>> expected{
      {"features.1.0", 24}, {"features.3.0", 48}, {"features.5.0", 96}, {"features.5.1", 96}, {"features.7.0", 192}};
  REQUIRE(blocks.size() == expected.size());
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    CHECK(blocks[i].first == expected[i].first);
    CHECK(blocks[i].second.sizes() == at::IntArrayRef{2, expected[i].second});
  }
  CHECK(torch::equal(blocks.back().second, net->forward(images)));
}

TEST_CASE("ConvNeXt: stochastic depth follows LibTorch's seed, and is off in evaluation", "[backbone][convnext]") {
  auto net = small_convnext(0.5);
  const auto images = convnext_images(8, 32);
  {
    const torch::NoGradGuard no_grad;
    for (auto& p : net->parameters()) {
      if (p.dim() == 3) p.fill_(1);  // the factors of the branches, which start too small to be seen
    }
  }
  torch::manual_seed(1);
  const auto first = net->forward(images);
  const auto second = net->forward(images);
  torch::manual_seed(1);
  CHECK(torch::equal(net->forward(images), first));
  CHECK_FALSE(torch::equal(second, first));
  net->eval();
  CHECK(torch::equal(net->forward(images), net->forward(images)));
}

TEST_CASE("ConvNeXt: under autocast the features are those of float32 to bfloat16's precision",
          "[backbone][convnext]") {
  auto net = small_convnext();
  jessl::test::fill_by_formula(*net);
  const auto images = convnext_images(2, 32);
  const auto exact = net->forward(images);
  const jessl::Autocast autocast(torch::kCPU, jessl::Precision::bfloat16);
  const auto rounded = net->forward(images);
  CHECK(rounded.scalar_type() == torch::kFloat32);
  // Eight bits a product, over five blocks.
  CHECK(jessl::test::relative_error(rounded, exact) < 0.05);
  rounded.sum().backward();
}

TEST_CASE("ConvNeXt: starts as torchvision's", "[backbone][convnext]") {
  const auto net = small_convnext();
  const auto parameters = net->named_parameters();
  // 147 thousand draws: a standard error of 0.2 %.
  CHECK(parameters["features.7.0.block.3.weight"].std().item<double>() == Approx(0.02).epsilon(0.01));
  CHECK(parameters["features.6.1.weight"].std().item<double>() == Approx(0.02).epsilon(0.02));
  CHECK(parameters["features.6.1.bias"].eq(0).all().item<bool>());
  CHECK(parameters["features.1.0.layer_scale"].eq(1e-6F).all().item<bool>());
  CHECK(parameters["classifier.0.weight"].eq(1).all().item<bool>());
}

TEST_CASE("ConvNeXt: describes itself by its settings", "[backbone][convnext]") {
  CHECK(
      jessl::to_json(small_convnext(0.25)).dump() ==
      R"({"name":"ConvNeXt","widths":[24,48,96,192],"layers":[1,1,2,1],"stem_size":4,"in_channels":3,"drop_path":0.25,)"
      R"("layer_scale":1e-06})");
}

TEST_CASE("ConvNeXt: images that do not fit, and settings out of range, are refused", "[backbone][convnext]") {
  auto net = small_convnext();
  CHECK_THROWS_WITH(
      net->forward(torch::zeros({2, 1, 32, 32})),
      "jessl::backbone::ConvNeXt: the images are [2, 1, 32, 32], expected [N, 3, H, W]; set .in_channels to "
      "the images' channels");
  CHECK_THROWS_WITH(net->forward(torch::zeros({2, 3, 32, 28})),
                    "jessl::backbone::ConvNeXt: the images are [2, 3, 32, 28], expected sides of at least 32 pixels, 8 "
                    "times stem_size; enlarge them or set a smaller .stem_size");
  CHECK_THROWS_AS(net->blocks(torch::zeros({3, 32, 32})), jessl::ShapeError);
  CHECK(small_convnext(0.0, 1)->forward(torch::zeros({2, 3, 8, 8})).sizes() == at::IntArrayRef{2, 192});
  CHECK_THROWS_WITH(small_convnext(0.0, 1)->forward(torch::zeros({2, 3, 8, 7})), Catch::EndsWith("; enlarge them"));
  using jessl::backbone::convnext;
  CHECK_THROWS_WITH(convnext({.widths = {8, 0, 8, 8}}), "jessl::backbone::ConvNeXt: widths[1] is 0, expected >= 1");
  CHECK_THROWS_WITH(convnext({.layers = {1, 1, 1, 0}}), "jessl::backbone::ConvNeXt: layers[3] is 0, expected >= 1");
  CHECK_THROWS_WITH(small_convnext(0.0, 0), "jessl::backbone::ConvNeXt: stem_size is 0, expected >= 1");
  CHECK_THROWS_WITH(small_convnext(1.0), "jessl::backbone::ConvNeXt: drop_path is 1, expected a probability in [0, 1)");
  CHECK_THROWS_WITH(convnext({.layer_scale = 0.0}),
                    "jessl::backbone::ConvNeXt: layer_scale is 0, expected > 0; 1 starts the branches whole");
}
