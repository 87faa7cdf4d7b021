// SPDX-License-Identifier: Apache-2.0
// Tests of the convolutions that ConvNeXt and transformers are made of: they must be LibTorch's.
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include <catch2/catch.hpp>

#include <ATen/Parallel.h>
#include <torch/csrc/autograd/autograd.h>

#include <jessl/backbone/detail/depthwise.hpp>
#include <jessl/backbone/detail/patches.hpp>
#include <support/backbones.hpp>

using jessl::test::closed_noise;
using jessl::test::relative_error;

namespace {

/// Numbers that bfloat16 holds exactly, so that all types see the same.
torch::Tensor exact_noise(const std::vector<std::int64_t>& shape, std::int64_t k) {
  return closed_noise(c10::multiply_integers(shape), k).view(shape).to(torch::kBFloat16).to(torch::kFloat64);
}

/// The output of compute(convolution, x) and the gradients of x, weight and bias, with weights of float32 or float64.
template <class Compute>
std::vector<torch::Tensor> outcomes(const torch::nn::Conv2dOptions& options, const torch::Tensor& images,
                                    torch::ScalarType type, bool channels_last, const Compute& compute) {
  torch::nn::Conv2d convolution(options);
  convolution->to(type == torch::kFloat64 ? type : torch::kFloat32);
  const auto order = channels_last ? torch::MemoryFormat::ChannelsLast : torch::MemoryFormat::Contiguous;
  {
    const torch::NoGradGuard no_grad;
    convolution->weight.set_data(
        exact_noise(convolution->weight.sizes().vec(), 1).to(convolution->weight.scalar_type()).contiguous(order));
    convolution->bias.copy_(exact_noise(convolution->bias.sizes().vec(), 2));
  }
  const auto x = images.to(type).clone(order).requires_grad_();
  const auto y = compute(*convolution, x);
  y.backward(exact_noise(y.sizes().vec(), 3).to(y.scalar_type()));
  return {y, x.grad(), convolution->weight.grad(), convolution->bias.grad()};
}

template <class Compute>
void check_convolution(const torch::nn::Conv2dOptions& options, const std::vector<std::int64_t>& shape,
                       const Compute& compute) {
  const auto images = exact_noise(shape, 4);
  const auto expected = outcomes(options, images, torch::kFloat64, false,
                                 [](auto& convolution, const auto& x) { return convolution.forward(x); });
  for (const auto type : {torch::kFloat32, torch::kBFloat16}) {
    for (const bool channels_last : {true, false}) {
      INFO(jessl::Shape(shape) << ' ' << type << (channels_last ? ", channels last" : ""));
      const auto actual = outcomes(options, images, type, channels_last, compute);
      CHECK(actual[0].scalar_type() == type);
      for (std::size_t i = 0; i < actual.size(); ++i) {
        INFO("tensor " << i);
        // Outputs are rounded to 8 bits once; sums are of float32.
        CHECK(relative_error(actual[i], expected[i]) < (type == torch::kFloat32 ? 1e-5 : 1e-2));
      }
    }
  }
}

torch::nn::Conv2dOptions depthwise_options(std::int64_t channels) {
  return torch::nn::Conv2dOptions(channels, channels, 7).padding(3).groups(channels);
}

}  // namespace

TEST_CASE("depthwise convolution: is LibTorch's in float64, forward and backward", "[backbone][depthwise]") {
  // Vectors of channels and a remainder; fewer channels than a vector has; maps smaller than the kernel; more images than groups.
  for (const auto& shape : std::vector<std::vector<std::int64_t>>{
           {3, 40, 11, 9}, {2, 3, 8, 13}, {2, 16, 2, 3}, {5, 32, 1, 1}, {37, 17, 4, 6}}) {
    check_convolution(depthwise_options(shape[1]), shape, [](auto& convolution, const auto& x) {
      return jessl::backbone::detail::convolve_depthwise(convolution, x);
    });
  }
}

TEST_CASE("depthwise convolution: no bit of a gradient depends on the number of threads", "[backbone][depthwise]") {
  const auto x = exact_noise({9, 24, 8, 8}, 1).to(torch::kFloat32).contiguous(torch::MemoryFormat::ChannelsLast);
  const auto slope = exact_noise({9, 24, 8, 8}, 2).to(torch::kFloat32).contiguous(torch::MemoryFormat::ChannelsLast);
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const auto one = jessl::backbone::detail::depthwise_gradient(x, slope);
  at::set_num_threads(2);
  const auto two = jessl::backbone::detail::depthwise_gradient(x, slope);
  at::set_num_threads(threads);
  CHECK(torch::equal(one, two));
}

TEST_CASE("depthwise convolution: can be differentiated twice, and others are LibTorch's", "[backbone][depthwise]") {
  const auto second = [](bool own) {
    torch::nn::Conv2d convolution(depthwise_options(4));
    jessl::test::fill_by_formula(*convolution);
    const auto x = exact_noise({2, 4, 6, 6}, 1).to(torch::kFloat32).requires_grad_();
    const auto y = own ? jessl::backbone::detail::convolve_depthwise(*convolution, x) : convolution->forward(x);
    const auto slope = torch::autograd::grad({y.square().sum()}, {x}, {}, std::nullopt, /*create_graph=*/true)[0];
    slope.square().sum().backward();
    return convolution->weight.grad();
  };
  CHECK(relative_error(second(true), second(false)) < 1e-5);

  torch::nn::Conv2d plain(torch::nn::Conv2dOptions(4, 8, 3));
  const auto x = torch::rand({1, 4, 8, 8});
  CHECK(torch::equal(jessl::backbone::detail::convolve_depthwise(*plain, x), plain->forward(x)));
}

TEST_CASE("patches: a convolution whose stride is its kernel is LibTorch's in float64, forward and backward",
          "[backbone][depthwise]") {
  // Sides that the patch divides, and others; one channel, three, and many.
  for (const auto& [channels, side, height, width] :
       std::vector<std::array<std::int64_t, 4>>{{1, 4, 28, 28}, {3, 4, 18, 23}, {3, 8, 16, 32}, {24, 2, 5, 4}}) {
    const auto options = torch::nn::Conv2dOptions(channels, 12, side).stride(side);
    check_convolution(options, {3, channels, height, width}, [](auto& convolution, const auto& x) {
      return jessl::backbone::detail::convolve_patches(convolution, x);
    });
  }
}
