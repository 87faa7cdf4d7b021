// SPDX-License-Identifier: Apache-2.0
// Convolutions by one product: they must be LibTorch's convolutions, forward and backward.
#include <catch2/catch.hpp>

#include <jessl/backbone/detail/convolve.hpp>
#include <jessl/backbone/resnet.hpp>
#include <support/safetensors.hpp>

using jessl::backbone::detail::can_convolve_small;
using jessl::backbone::detail::convolve;
using jessl::backbone::detail::convolve_pointwise;
using jessl::backbone::detail::convolve_small;
using jessl::test::relative_error;

namespace {

torch::nn::Conv2d convolution(std::int64_t kernel = 3, std::int64_t stride = 1, bool bias = false) {
  return torch::nn::Conv2d(torch::nn::Conv2dOptions(6, 5, kernel).stride(stride).padding(kernel / 2).bias(bias));
}

}  // namespace

TEST_CASE("convolve_small: values and gradients are the convolution's", "[backbone][convolve]") {
  torch::manual_seed(1);
  const auto [height, width] = GENERATE(table<std::int64_t, std::int64_t>({{1, 1}, {1, 2}, {2, 1}, {2, 2}}));
  for (const auto format : {torch::MemoryFormat::Contiguous, torch::MemoryFormat::ChannelsLast}) {
    auto layer = convolution();
    const auto values = torch::randn({7, 6, height, width}).contiguous(format);
    const auto x = values.clone().requires_grad_();
    const auto expected_x = values.clone().requires_grad_();
    REQUIRE(can_convolve_small(*layer, x));
    const auto y = convolve_small(*layer, x);
    const auto slope = torch::randn(y.sizes());
    y.backward(slope);
    const auto weight_gradient = layer->weight.grad().clone();
    layer->zero_grad();
    const auto expected = layer->forward(expected_x);
    expected.backward(slope);
    CHECK(y.is_contiguous(torch::MemoryFormat::ChannelsLast));
    // Sums of 24 float32 products in another order.
    CHECK(relative_error(y, expected) < 1e-6);
    CHECK(relative_error(x.grad(), expected_x.grad()) < 1e-6);
    CHECK(relative_error(weight_gradient, layer->weight.grad()) < 1e-6);
  }
}

TEST_CASE("convolve_small: takes no other convolution, map or type", "[backbone][convolve]") {
  const auto map = [](std::int64_t side) { return torch::zeros({2, 6, side, side}); };
  CHECK(can_convolve_small(*convolution(), map(2)));
  CHECK_FALSE(can_convolve_small(*convolution(), map(3)));
  CHECK_FALSE(can_convolve_small(*convolution(1), map(2)));
  CHECK_FALSE(can_convolve_small(*convolution(3, 2), map(2)));
  CHECK_FALSE(can_convolve_small(*convolution(3, 1, true), map(2)));
  CHECK_FALSE(can_convolve_small(*convolution(), map(2).to(torch::kBFloat16)));
}

TEST_CASE("convolve_pointwise: values and gradients are the convolution's", "[backbone][convolve]") {
  torch::manual_seed(2);
  const auto [in, stride] = GENERATE(table<std::int64_t, std::int64_t>({{4, 2}, {8, 1}, {8, 2}, {3, 1}, {12, 3}}));
  torch::nn::Conv2d layer(torch::nn::Conv2dOptions(in, 5, 1).stride(stride).bias(false));
  const auto values = torch::randn({3, in, 7, 6}).contiguous(torch::MemoryFormat::ChannelsLast);
  const auto x = values.clone().requires_grad_();
  const auto y = convolve_pointwise(*layer, x);
  const auto slope = torch::randn(y.sizes());
  y.backward(slope);
  CHECK(torch::equal(convolve(*layer, values), convolve_pointwise(*layer, values)));
  const auto weight_gradient = layer->weight.grad().clone();
  layer->zero_grad();
  // In float64: the float32 gradient of four channels is what LibTorch does not compute soundly.
  layer->to(torch::kFloat64);
  const auto expected_x = values.to(torch::kFloat64).requires_grad_();
  const auto expected = layer->forward(expected_x);
  expected.backward(slope.to(torch::kFloat64));
  CHECK(y.is_contiguous(torch::MemoryFormat::ChannelsLast));
  CHECK(relative_error(y, expected) < 1e-6);
  CHECK(relative_error(x.grad(), expected_x.grad()) < 1e-6);
  CHECK(relative_error(weight_gradient, layer->weight.grad()) < 1e-6);
}

TEST_CASE("ResNet: grey images keep channels-last order behind the first convolution", "[backbone][convolve]") {
  const auto grey = torch::zeros({2, 1, 8, 8});
  torch::nn::Conv2d stem(torch::nn::Conv2dOptions(1, 4, 3).padding(1).bias(false));
  const auto y = stem->forward(jessl::backbone::detail::channels_last_if_grey(grey));
  CHECK(y.is_contiguous(torch::MemoryFormat::ChannelsLast));
  CHECK(torch::equal(y, stem->forward(grey)));
  const auto colour = torch::zeros({2, 3, 8, 8});
  CHECK(jessl::backbone::detail::channels_last_if_grey(colour).is_same(colour));
}
