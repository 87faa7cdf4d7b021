// SPDX-License-Identifier: Apache-2.0
// Tests of the fused batch norm: it must be LibTorch's norm, sum and ReLU, in all that a network can see.
#include <catch2/catch.hpp>

#include <ATen/Parallel.h>

#include <jessl/backbone/detail/normalise.hpp>
#include <support/safetensors.hpp>

using jessl::backbone::detail::can_fuse;
using jessl::backbone::detail::fused_batch_norm;
using jessl::backbone::detail::normalise;
using jessl::test::relative_error;

namespace {

torch::Tensor wave(at::IntArrayRef shape, double phase) {
  const auto count = c10::multiply_integers(shape);
  const auto i = torch::arange(count, torch::kFloat64);
  return torch::sin(0.7 * i + 1e-4 * i * i + phase).view(shape);
}

/// A norm with irregular scales and shifts, in float32 or float64.
jessl::BatchNorm2d some_norm(std::int64_t channels, torch::ScalarType type) {
  jessl::BatchNorm2d norm(channels);
  norm->to(type);
  const torch::NoGradGuard no_grad;
  norm->weight.copy_(1 + 0.5 * wave({channels}, 1));
  norm->bias.copy_(0.3 * wave({channels}, 2));
  return norm;
}

struct Outcome {
  torch::Tensor y, dx, dresidual, dweight, dbias, running_mean, running_var;
};

/// Forward and backward in the given type; float64 takes LibTorch's operations.
Outcome outcome(torch::ScalarType type, at::IntArrayRef shape, bool relu, bool shortcut, double mean) {
  auto norm = some_norm(shape[1], type == torch::kFloat64 ? torch::kFloat64 : torch::kFloat32);
  // Inputs that bfloat16 holds exactly, so that all types see the same.
  const auto exact = [](const torch::Tensor& t) { return t.to(torch::kBFloat16).to(torch::kFloat64); };
  const auto input = [&](double phase, double shift) {
    return exact(wave(shape, phase) + shift).to(type).contiguous(torch::MemoryFormat::ChannelsLast).requires_grad_();
  };
  const auto x = input(0, mean), residual = input(3, 0);
  const auto other = shortcut ? std::optional(residual) : std::nullopt;
  REQUIRE(can_fuse(*norm, x, other) == (type != torch::kFloat64));
  const auto y = normalise(*norm, x, relu, other);
  y.backward(exact(wave(shape, 5)).to(type));
  CHECK(norm->num_batches_tracked.item<std::int64_t>() == 1);
  return {y,
          x.grad(),
          shortcut ? residual.grad() : torch::zeros({1}),
          norm->weight.grad(),
          norm->bias.grad(),
          norm->running_mean,
          norm->running_var};
}

}  // namespace

TEST_CASE("fused batch norm: is LibTorch's norm, sum and ReLU in float64, forward and backward",
          "[backbone][fused_batch_norm]") {
  const auto [type, tolerance] = GENERATE(table<torch::ScalarType, double>({
      {torch::kFloat32, 1e-5},
      // An output or gradient is rounded to 8 bits once or, under ReLU's edge, twice: 2^-8 each.
      {torch::kBFloat16, 1e-2},
  }));
  // Several chunks and a remainder; one channel; more channels than rows; a large mean, which must not cancel.
  for (const auto& [shape, mean] : {std::pair<std::vector<std::int64_t>, double>{{5, 48, 31, 29}, 0.0},
                                    {{2, 1, 5, 7}, 0.0},
                                    {{2, 130, 2, 1}, 0.0},
                                    {{4, 16, 9, 9}, 64.0}}) {
    for (const bool relu : {true, false}) {
      for (const bool shortcut : {true, false}) {
        INFO(type << " " << jessl::Shape(shape) << " relu " << relu << " shortcut " << shortcut);
        const auto actual = outcome(type, shape, relu, shortcut, mean);
        const auto expected = outcome(torch::kFloat64, shape, relu, shortcut, mean);
        CHECK(actual.y.is_contiguous(torch::MemoryFormat::ChannelsLast));
        CHECK(relative_error(actual.y, expected.y) < tolerance);
        CHECK(relative_error(actual.dx, expected.dx) < tolerance);
        CHECK(relative_error(actual.dresidual, expected.dresidual) < tolerance);
        // Statistics and the affine gradients are float32 in either type. In bfloat16 ReLU's edge may fall on the other
        // side.
        CHECK(relative_error(actual.dweight, expected.dweight) < tolerance);
        CHECK(relative_error(actual.dbias, expected.dbias) < tolerance);
        CHECK(relative_error(actual.running_mean, expected.running_mean) < 1e-5);
        CHECK(relative_error(actual.running_var, expected.running_var) < 1e-5);
      }
    }
  }
}

TEST_CASE("fused batch norm: the number of threads does not change a bit", "[backbone][fused_batch_norm]") {
  const int threads = at::get_num_threads();
  std::vector<Outcome> outcomes;
  for (const int count : {1, 2}) {
    at::set_num_threads(count);
    outcomes.push_back(outcome(torch::kFloat32, {5, 48, 31, 29}, true, true, 0.0));
  }
  at::set_num_threads(threads);
  CHECK(torch::equal(outcomes[0].y, outcomes[1].y));
  CHECK(torch::equal(outcomes[0].dx, outcomes[1].dx));
  CHECK(torch::equal(outcomes[0].dweight, outcomes[1].dweight));
  CHECK(torch::equal(outcomes[0].running_var, outcomes[1].running_var));
}

TEST_CASE("fused batch norm: rounds to bfloat16 as LibTorch does, NaN and infinity included",
          "[backbone][fused_batch_norm]") {
  const auto bits =
      torch::arange(0, std::int64_t{1} << 32, 9973).to(torch::kInt32);  // wraps round: all exponents, both signs
  const auto values = bits.view(torch::kFloat32);
  const auto expected = values.to(torch::kBFloat16);
  auto actual = torch::empty_like(expected);
  for (std::int64_t i = 0; i < values.numel(); ++i) {
    jessl::backbone::detail::store(values.const_data_ptr<float>()[i], actual.data_ptr<c10::BFloat16>()[i]);
  }
  CHECK(torch::equal(actual.isnan(), expected.isnan()));
  CHECK(torch::equal(actual.nan_to_num(0), expected.nan_to_num(0)));
}

TEST_CASE("fused batch norm: NaN in the input stays NaN", "[backbone][fused_batch_norm]") {
  auto norm = some_norm(3, torch::kFloat32);
  auto x = wave({2, 3, 4, 4}, 0).to(torch::kBFloat16).contiguous(torch::MemoryFormat::ChannelsLast);
  x.index_put_({0, 1, 0, 0}, NAN);
  const auto y = normalise(*norm, x, /*relu=*/true);
  CHECK(y.select(1, 1).isnan().all().item<bool>());
  CHECK(y.select(1, 0).isfinite().all().item<bool>());
}

TEST_CASE("fused batch norm: is left aside where it does not apply", "[backbone][fused_batch_norm]") {
  auto norm = some_norm(3, torch::kFloat32);
  const auto x = wave({2, 3, 4, 4}, 0).to(torch::kFloat32);
  const auto last = x.contiguous(torch::MemoryFormat::ChannelsLast);
  CHECK(can_fuse(*norm, last, std::nullopt));
  CHECK_FALSE(can_fuse(*norm, x, std::nullopt));
  CHECK_FALSE(can_fuse(*norm, last, x));
  CHECK_FALSE(can_fuse(*norm, last.to(torch::kFloat64), std::nullopt));
  norm->eval();
  CHECK_FALSE(can_fuse(*norm, last, std::nullopt));
}
