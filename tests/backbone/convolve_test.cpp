// SPDX-License-Identifier: Apache-2.0
// Convolutions by one product: they must be LibTorch's convolutions, forward and backward.
#include <catch2/catch.hpp>

#include <cstdint>
#include <utility>
#include <vector>

#include <torch/csrc/autograd/autograd.h>

#include <jessl/backbone/detail/convolve.hpp>
#include <jessl/backbone/resnet.hpp>
#include <jessl/core/autocast.hpp>
#include <support/safetensors.hpp>

using jessl::backbone::detail::convolve;
using jessl::backbone::detail::DenseConvolution;
using jessl::backbone::detail::GatheredConvolution;
using jessl::backbone::detail::is_dense;
using jessl::backbone::detail::PointwiseConvolution;
using jessl::test::relative_error;

namespace {

torch::nn::Conv2d convolution(std::int64_t kernel = 3, std::int64_t stride = 1, bool bias = false) {
  return torch::nn::Conv2d(torch::nn::Conv2dOptions(6, 5, kernel).stride(stride).padding(kernel / 2).bias(bias));
}

}  // namespace

TEST_CASE("DenseConvolution: values and gradients are the convolution's", "[backbone][convolve]") {
  torch::manual_seed(1);
  const auto [height, width] = GENERATE(table<std::int64_t, std::int64_t>({{1, 1}, {1, 2}, {2, 1}, {2, 2}}));
  for (const auto format : {torch::MemoryFormat::Contiguous, torch::MemoryFormat::ChannelsLast}) {
    auto layer = convolution();
    const auto values = torch::randn({7, 6, height, width}).contiguous(format);
    const auto x = values.clone().requires_grad_();
    const auto expected_x = values.clone().requires_grad_();
    REQUIRE(is_dense(*layer, x));
    const auto y = DenseConvolution::apply(x, layer->weight);
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

TEST_CASE("DenseConvolution: takes no other convolution, map or type", "[backbone][convolve]") {
  const auto map = [](std::int64_t side) { return torch::zeros({2, 6, side, side}); };
  CHECK(is_dense(*convolution(), map(2)));
  CHECK(is_dense(*convolution(), map(2).to(torch::kBFloat16)));
  CHECK_FALSE(is_dense(*convolution(), map(3)));
  CHECK_FALSE(is_dense(*convolution(1), map(2)));
  CHECK_FALSE(is_dense(*convolution(3, 2), map(2)));
  CHECK_FALSE(is_dense(*convolution(3, 1, true), map(2)));
  CHECK_FALSE(is_dense(*convolution(), map(2).to(torch::kFloat64)));
}

TEST_CASE("GatheredConvolution: values and gradients are the convolution's", "[backbone][convolve]") {
  torch::manual_seed(3);
  const auto [stride, height, width] = GENERATE(
      table<std::int64_t, std::int64_t, std::int64_t>({{1, 4, 4}, {2, 4, 4}, {2, 7, 5}, {3, 1, 8}, {1, 3, 1}}));
  for (const auto format : {torch::MemoryFormat::Contiguous, torch::MemoryFormat::ChannelsLast}) {
    auto layer = convolution(3, stride);
    layer->to(torch::kFloat64);
    const auto values = torch::randn({7, 6, height, width}, torch::kFloat64).contiguous(format);
    const auto x = values.clone().requires_grad_();
    const auto expected_x = values.clone().requires_grad_();
    const auto y = GatheredConvolution::apply(x, layer->weight, layer->options.stride());
    const auto slope = torch::randn(y.sizes(), torch::kFloat64);
    y.backward(slope);
    const auto weight_gradient = layer->weight.grad().clone();
    layer->zero_grad();
    const auto expected = layer->forward(expected_x);
    expected.backward(slope);
    CHECK(relative_error(y, expected) < 1e-12);
    CHECK(relative_error(x.grad(), expected_x.grad()) < 1e-12);
    CHECK(relative_error(weight_gradient, layer->weight.grad()) < 1e-12);
  }
}

TEST_CASE("convolve: gradients of gradients are those of finite differences", "[backbone][convolve]") {
  torch::manual_seed(5);
  const auto [way, stride] = GENERATE(table<int, std::int64_t>({{0, 1}, {0, 2}, {1, 1}, {2, 2}}));
  const auto apply = [&, way = way, stride = stride](const torch::Tensor& x, const torch::Tensor& weight) {
    const std::vector<std::int64_t> strides{stride, stride};
    if (way == 0) return PointwiseConvolution::apply(x, weight, strides);
    if (way == 1) return DenseConvolution::apply(x, weight);
    return GatheredConvolution::apply(x, weight, strides);
  };
  const std::int64_t side = way == 1 ? 2 : 3;
  const std::int64_t kernel = way == 0 ? 1 : 3;
  const auto x = torch::randn({2, 3, side, side}, torch::kFloat64).requires_grad_();
  const auto weight = torch::randn({4, 3, kernel, kernel}, torch::kFloat64).requires_grad_();
  // The squares of the gradients of a function that is no polynomial of degree 1 of either.
  const auto squares = [&] {
    const auto first = torch::autograd::grad({apply(x, weight).sin().sum()}, {x, weight}, {}, true, true);
    return first[0].square().sum() + first[1].square().sum();
  };
  const auto second = torch::autograd::grad({squares()}, {x, weight});
  constexpr double step = 1e-6;
  for (const auto& [input, gradient] : {std::pair{x, second[0]}, std::pair{weight, second[1]}}) {
    const auto direction = torch::randn_like(input);
    const auto moved = [&, input = input](double by) {
      {
        const torch::NoGradGuard no_grad;
        input.add_(direction, by);
      }
      return squares().item<double>();
    };
    const double up = moved(step);
    const double down = moved(-2 * step);
    moved(step);
    CHECK((gradient * direction).sum().item<double>() == Approx((up - down) / (2 * step)).epsilon(1e-6));
  }
}

TEST_CASE("convolve: under autocast, values and gradients are the convolution's of rounded numbers",
          "[backbone][convolve]") {
  // 1x1, a map of 2x2, one of 4x4 that is halved, and one that goes to LibTorch.
  const auto [kernel, stride, side] = GENERATE(
      table<std::int64_t, std::int64_t, std::int64_t>({{1, 2, 4}, {3, 1, 2}, {3, 2, 4}, {3, 1, 4}, {3, 1, 9}}));
  torch::manual_seed(4);
  torch::nn::Conv2d layer(torch::nn::Conv2dOptions(32, 16, kernel).stride(stride).padding(kernel / 2).bias(false));
  const auto values =
      torch::randn({7, 32, side, side}).to(torch::kBFloat16).contiguous(torch::MemoryFormat::ChannelsLast);
  const auto x = values.clone().requires_grad_();
  torch::Tensor y;
  {
    const jessl::Autocast autocast(torch::kCPU, jessl::Precision::bfloat16);
    y = convolve(*layer, x);
  }
  CHECK(y.scalar_type() == torch::kBFloat16);
  const auto slope = torch::randn(y.sizes()).to(torch::kBFloat16);
  y.backward(slope);
  const auto weight_gradient = layer->weight.grad().clone();
  CHECK(weight_gradient.scalar_type() == torch::kFloat32);

  const auto exact_x = values.to(torch::kFloat64).requires_grad_();
  const auto exact_weight = layer->weight.detach().to(torch::kBFloat16).to(torch::kFloat64).requires_grad_();
  const auto expected =
      at::convolution(exact_x, exact_weight, {}, {stride, stride}, {kernel / 2, kernel / 2}, {1, 1}, false, {0, 0}, 1);
  expected.backward(slope.to(torch::kFloat64));
  // Each result is rounded to 8 bits once.
  CHECK(relative_error(y, expected) < 4e-3);
  CHECK(relative_error(x.grad(), exact_x.grad()) < 4e-3);
  CHECK(relative_error(weight_gradient, exact_weight.grad()) < 4e-3);
}

TEST_CASE("PointwiseConvolution: values and gradients are the convolution's", "[backbone][convolve]") {
  torch::manual_seed(2);
  const auto [in, stride] = GENERATE(table<std::int64_t, std::int64_t>({{4, 2}, {8, 1}, {8, 2}, {3, 1}, {12, 3}}));
  torch::nn::Conv2d layer(torch::nn::Conv2dOptions(in, 5, 1).stride(stride).bias(false));
  const auto values = torch::randn({3, in, 7, 6}).contiguous(torch::MemoryFormat::ChannelsLast);
  const auto x = values.clone().requires_grad_();
  const auto y = PointwiseConvolution::apply(x, layer->weight, layer->options.stride());
  const auto slope = torch::randn(y.sizes());
  y.backward(slope);
  CHECK(torch::equal(convolve(*layer, values),
                     PointwiseConvolution::apply(values, layer->weight, layer->options.stride())));
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
