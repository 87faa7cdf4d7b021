// SPDX-License-Identifier: Apache-2.0
// Batch norm, shortcut and ReLU in one pass for training on a CPU in channels-last layout.
//
// LibTorch's channels-last batch norm runs far below the memory's speed, and ReLU and the shortcut's sum each pass over
// the activations once more. Here an image batch is a matrix of rows (pixels) by channels, walked in chunks of rows
// that fit into the second-level cache. The chunks do not depend on the number of threads, and their partial sums are
// added in their order, so neither does any result.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <tuple>
#include <vector>

#include <ATen/Parallel.h>

#include <jessl/core/batch_norm.hpp>
#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/tensor.hpp>

namespace jessl::backbone::detail {

/// Where the backward pass sees which outputs ReLU has kept.
enum class Kept : std::uint8_t {
  all,       ///< there was no ReLU
  by_input,  ///< recompute the sign: reads less than keeping the output
  by_output  ///< look at the output, as there was a shortcut too
};

inline float to_float(float value) { return value; }
inline float to_float(c10::BFloat16 value) { return std::bit_cast<float>(static_cast<std::uint32_t>(value.x) << 16U); }

inline void store(float value, float& target) { target = value; }

/// Rounds to the nearest bfloat16, ties to even; NaN stays NaN. Written without a branch, so that the loops vectorise.
inline void store(float value, c10::BFloat16& target) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t rounded = (bits + 0x7FFFU + ((bits >> 16U) & 1U)) >> 16U;
  target.x = static_cast<std::uint16_t>(value != value ? 0x7FC0U : rounded);
}

/// How the rows of a batch are cut into chunks.
struct Chunks {
  std::int64_t rows;
  std::int64_t channels;
  std::int64_t rows_per_chunk = std::max<std::int64_t>(16, 65536 / channels);
  std::int64_t count = (rows + rows_per_chunk - 1) / rows_per_chunk;

  /// Calls visit(chunk, first element, number of rows) for every chunk, in parallel.
  template <class Visit>
  void for_each(const Visit& visit) const {
    at::parallel_for(0, count, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t chunk = begin; chunk < end; ++chunk) {
        const std::int64_t first = chunk * rows_per_chunk;
        visit(chunk, first * channels, std::min(rows_per_chunk, rows - first));
      }
    });
  }
};

/// Two numbers per chunk and channel.
class Partials {
 public:
  explicit Partials(const Chunks& chunks)
      : channels_(static_cast<std::size_t>(chunks.channels)),
        values_(static_cast<std::size_t>(2 * chunks.count) * channels_) {}

  [[nodiscard]] float* first(std::int64_t chunk) {
    return values_.data() + static_cast<std::size_t>(2 * chunk) * channels_;
  }
  [[nodiscard]] float* second(std::int64_t chunk) { return first(chunk) + channels_; }

 private:
  std::size_t channels_;
  std::vector<float> values_;
};

/// The autograd function behind fused_batch_norm().
///
/// Shapes     x, residual: [N, C, H, W] channels-last -> the same; weight, bias, statistics: [C] float32
/// Precision  sums in float32 within a chunk, float64 over chunks
/// Errors     none: can_fuse() has been asked
/// Models     none
/// Source     Ioffe and Szegedy, Batch Normalization, ICML 2015, arXiv 1502.03167, algorithm 1
class FusedBatchNorm : public torch::autograd::Function<FusedBatchNorm> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context, const torch::Tensor& x,
                               const torch::Tensor& weight, const torch::Tensor& bias,
                               const std::optional<torch::Tensor>& residual, torch::Tensor running_mean,
                               torch::Tensor running_variance, double momentum, double epsilon, bool relu);

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients);

 private:
  struct Gradients {
    torch::Tensor x;
    torch::Tensor weight;
    torch::Tensor bias;
    torch::Tensor passed;  // the gradient before the norm, which is the shortcut's
  };

  template <class Body>
  static void with_type(const torch::Tensor& x, const Body& body) {
    x.scalar_type() == torch::kBFloat16 ? body(c10::BFloat16{}) : body(float{});
  }

  [[nodiscard]] static Chunks chunks_of(const torch::Tensor& x);

  template <class T>
  static void statistics(const torch::Tensor& x, double epsilon, double momentum, const torch::Tensor& mean,
                         const torch::Tensor& inverse, torch::Tensor& running_mean, torch::Tensor& running_variance);

  template <class T>
  [[nodiscard]] static torch::Tensor normalised(const torch::Tensor& x, const torch::Tensor& residual,
                                                const torch::Tensor& mean, const torch::Tensor& scale,
                                                const torch::Tensor& shift, bool relu);

  template <class T, Kept kept>
  [[nodiscard]] static Gradients differentiate(const torch::autograd::variable_list& saved,
                                               const torch::Tensor& gradient);
};

/// Whether fused_batch_norm() can take this call: training on a CPU, channels-last float32 or bfloat16, an ordinary
/// norm of this process's batch alone.
[[nodiscard]] bool can_fuse(const BatchNorm2dImpl& norm, const torch::Tensor& x,
                            const std::optional<torch::Tensor>& residual);

/// norm(x) (+ residual) (and ReLU) in one pass forward and two backward; counts and statistics as
/// torch::nn::BatchNorm2d.
[[nodiscard]] torch::Tensor fused_batch_norm(BatchNorm2dImpl& norm, const torch::Tensor& x, bool relu,
                                             const std::optional<torch::Tensor>& residual);

}  // namespace jessl::backbone::detail

#if JESSL_DEFINITIONS

namespace jessl::backbone::detail {

// The loops over channels say that they can be vectorised: below -O3 compilers do not see that it pays, and a step of a small
// network took 1.6 times as long.

/// Mean and sum of squared deviations of each channel over some rows.
template <class T>
void row_statistics(const T* __restrict x, std::int64_t rows, std::int64_t channels, float* __restrict mean,
                    float* __restrict deviations) {
  for (std::int64_t r = 0; r < rows; ++r) {
#pragma omp simd
    for (std::int64_t c = 0; c < channels; ++c) mean[c] += to_float(x[r * channels + c]);
  }
#pragma omp simd
  for (std::int64_t c = 0; c < channels; ++c) mean[c] /= static_cast<float>(rows);
  // The rows are still in the cache: a second look costs little and does not cancel as a sum of squares would.
  for (std::int64_t r = 0; r < rows; ++r) {
#pragma omp simd
    for (std::int64_t c = 0; c < channels; ++c) {
      const float deviation = to_float(x[r * channels + c]) - mean[c];
      deviations[c] += deviation * deviation;
    }
  }
}

/// y = (x - mean) scale + shift (+ residual), then ReLU.
template <class T, bool relu, bool shortcut>
void normalise_rows(const T* __restrict x, const T* __restrict residual, std::int64_t rows, std::int64_t channels,
                    const float* __restrict mean, const float* __restrict scale, const float* __restrict shift,
                    T* __restrict y) {
  for (std::int64_t r = 0; r < rows; ++r) {
#pragma omp simd
    for (std::int64_t c = 0; c < channels; ++c) {
      const std::int64_t i = r * channels + c;
      float value = (to_float(x[i]) - mean[c]) * scale[c] + shift[c];
      if constexpr (shortcut) value += to_float(residual[i]);
      if constexpr (relu) value = value < 0.0F ? 0.0F : value;  // keeps NaN
      store(value, y[i]);
    }
  }
}

/// Sums of g and of g (x - mean) over some rows, g the gradient where ReLU let it pass. With Kept::by_output, g is also
/// written to `passed`: it is the shortcut's gradient.
template <class T, Kept kept>
void sum_gradients(const T* __restrict gradient, const T* __restrict x, const T* __restrict y, std::int64_t rows,
                   std::int64_t channels, const float* __restrict mean, const float* __restrict scale,
                   const float* __restrict shift, T* __restrict passed, float* __restrict sum,
                   float* __restrict product) {
  for (std::int64_t r = 0; r < rows; ++r) {
#pragma omp simd
    for (std::int64_t c = 0; c < channels; ++c) {
      const std::int64_t i = r * channels + c;
      const float centred = to_float(x[i]) - mean[c];
      float g = to_float(gradient[i]);
      if constexpr (kept == Kept::by_input) g = centred * scale[c] + shift[c] > 0.0F ? g : 0.0F;
      if constexpr (kept == Kept::by_output) {
        g = to_float(y[i]) > 0.0F ? g : 0.0F;
        store(g, passed[i]);
      }
      sum[c] += g;
      product[c] += g * centred;
    }
  }
}

/// dx = scale g + slope (x - mean) + offset.
template <class T, Kept kept>
void input_gradient(const T* __restrict gradient, const T* __restrict x, std::int64_t rows, std::int64_t channels,
                    const float* __restrict mean, const float* __restrict scale, const float* __restrict shift,
                    const float* __restrict slope, const float* __restrict offset, T* __restrict dx) {
  for (std::int64_t r = 0; r < rows; ++r) {
#pragma omp simd
    for (std::int64_t c = 0; c < channels; ++c) {
      const std::int64_t i = r * channels + c;
      const float centred = to_float(x[i]) - mean[c];
      float g = to_float(gradient[i]);
      if constexpr (kept == Kept::by_input) g = centred * scale[c] + shift[c] > 0.0F ? g : 0.0F;
      store(scale[c] * g + slope[c] * centred + offset[c], dx[i]);
    }
  }
}

JESSL_INLINE torch::Tensor FusedBatchNorm::forward(torch::autograd::AutogradContext* context, const torch::Tensor& x,
                                                   const torch::Tensor& weight, const torch::Tensor& bias,
                                                   const std::optional<torch::Tensor>& residual,
                                                   torch::Tensor running_mean, torch::Tensor running_variance,
                                                   double momentum, double epsilon, bool relu) {
  const auto mean = torch::empty_like(weight);     // [C]
  const auto inverse = torch::empty_like(weight);  // [C], 1 / standard deviation
  torch::Tensor y;
  with_type(x, [&]<class T>(T) {
    statistics<T>(x, epsilon, momentum, mean, inverse, running_mean, running_variance);
    y = normalised<T>(x, residual.value_or(torch::Tensor()), mean, weight * inverse, bias, relu);
  });
  const Kept kept = !relu ? Kept::all : residual ? Kept::by_output : Kept::by_input;
  context->saved_data["kept"] = static_cast<std::int64_t>(kept);
  context->saved_data["shortcut"] = residual.has_value();
  context->save_for_backward({x, weight, bias, mean, inverse, kept == Kept::by_output ? y : torch::Tensor()});
  return y;
}

JESSL_INLINE torch::autograd::variable_list FusedBatchNorm::backward(torch::autograd::AutogradContext* context,
                                                                     const torch::autograd::variable_list& gradients) {
  JESSL_CHECK(!torch::GradMode::is_enabled(), ConfigError,
              "jessl::backbone: batch norm in training on a CPU has no second derivative; ",
              "differentiate once, or call eval() on the network");
  const auto saved = context->get_saved_variables();
  const auto kept = static_cast<Kept>(context->saved_data["kept"].toInt());
  const auto gradient = gradients[0].to(saved[0].scalar_type()).contiguous(torch::MemoryFormat::ChannelsLast);
  Gradients result;
  with_type(saved[0], [&]<class T>(T) {
    if (kept == Kept::all) result = differentiate<T, Kept::all>(saved, gradient);
    if (kept == Kept::by_input) result = differentiate<T, Kept::by_input>(saved, gradient);
    if (kept == Kept::by_output) result = differentiate<T, Kept::by_output>(saved, gradient);
  });
  const auto shortcut = context->saved_data["shortcut"].toBool() ? result.passed : torch::Tensor();
  return {result.x, result.weight, result.bias, shortcut, {}, {}, {}, {}, {}};
}

JESSL_INLINE Chunks FusedBatchNorm::chunks_of(const torch::Tensor& x) {
  return {.rows = x.numel() / x.size(1), .channels = x.size(1)};
}

template <class T>
void FusedBatchNorm::statistics(const torch::Tensor& x, double epsilon, double momentum, const torch::Tensor& mean,
                                const torch::Tensor& inverse, torch::Tensor& running_mean,
                                torch::Tensor& running_variance) {
  const Chunks chunks = chunks_of(x);
  Partials partials(chunks);
  chunks.for_each([&, data = x.const_data_ptr<T>()](std::int64_t chunk, std::int64_t first, std::int64_t rows) {
    row_statistics(data + first, rows, chunks.channels, partials.first(chunk), partials.second(chunk));
  });

  // Means and squared deviations of two sets combine exactly (Chan, Golub and LeVeque 1979).
  const auto channels = static_cast<std::size_t>(chunks.channels);
  std::vector<double> total_mean(channels), total_deviations(channels);
  std::int64_t seen = 0;
  for (std::int64_t chunk = 0; chunk < chunks.count; ++chunk) {
    const std::int64_t rows = std::min(chunks.rows_per_chunk, chunks.rows - seen);
    const double share = static_cast<double>(rows) / static_cast<double>(seen + rows);
    const float* const chunk_mean = partials.first(chunk);
    const float* const chunk_deviations = partials.second(chunk);
    for (std::size_t c = 0; c < channels; ++c) {
      const double difference = static_cast<double>(chunk_mean[c]) - total_mean[c];
      total_mean[c] += difference * share;
      total_deviations[c] +=
          static_cast<double>(chunk_deviations[c]) + difference * difference * share * static_cast<double>(seen);
    }
    seen += rows;
  }

  const auto rows = static_cast<double>(chunks.rows);
  auto* const mean_out = mean.data_ptr<float>();
  auto* const inverse_out = inverse.data_ptr<float>();
  auto* const running_mean_out = running_mean.data_ptr<float>();
  auto* const running_variance_out = running_variance.data_ptr<float>();
  const auto blend = [momentum](float& running, double value) {
    running = static_cast<float>((1 - momentum) * static_cast<double>(running) + momentum * value);
  };
  for (std::size_t c = 0; c < channels; ++c) {
    mean_out[c] = static_cast<float>(total_mean[c]);
    inverse_out[c] = static_cast<float>(1.0 / std::sqrt(total_deviations[c] / rows + epsilon));
    blend(running_mean_out[c], total_mean[c]);
    blend(running_variance_out[c], total_deviations[c] / (rows - 1));
  }
}

template <class T>
torch::Tensor FusedBatchNorm::normalised(const torch::Tensor& x, const torch::Tensor& residual,
                                         const torch::Tensor& mean, const torch::Tensor& scale,
                                         const torch::Tensor& shift, bool relu) {
  const auto y = torch::empty_like(x, torch::MemoryFormat::ChannelsLast);
  const Chunks chunks = chunks_of(x);
  const T* const source = x.const_data_ptr<T>();
  const T* const other = residual.defined() ? residual.const_data_ptr<T>() : source;
  T* const target = y.data_ptr<T>();
  const auto run = [&]<bool with_relu, bool shortcut>() {
    chunks.for_each([&](std::int64_t, std::int64_t first, std::int64_t rows) {
      normalise_rows<T, with_relu, shortcut>(source + first, other + first, rows, chunks.channels,
                                             mean.const_data_ptr<float>(), scale.const_data_ptr<float>(),
                                             shift.const_data_ptr<float>(), target + first);
    });
  };
  if (residual.defined()) {
    relu ? run.template operator()<true, true>() : run.template operator()<false, true>();
  } else {
    relu ? run.template operator()<true, false>() : run.template operator()<false, false>();
  }
  return y;
}

template <class T, Kept kept>
FusedBatchNorm::Gradients FusedBatchNorm::differentiate(const torch::autograd::variable_list& saved,
                                                        const torch::Tensor& gradient) {
  const auto& [x, weight, shift, mean, inverse] = std::tie(saved[0], saved[1], saved[2], saved[3], saved[4]);
  const torch::Tensor scale = weight * inverse;  // [C]
  const Chunks chunks = chunks_of(x);
  const auto channels = static_cast<std::size_t>(chunks.channels);
  const float* const mean_in = mean.template const_data_ptr<float>();
  const float* const shift_in = shift.template const_data_ptr<float>();
  const float* const scale_in = scale.template const_data_ptr<float>();
  const T* const x_in = x.template const_data_ptr<T>();
  const T* const gradient_in = gradient.const_data_ptr<T>();

  const torch::Tensor passed =
      kept == Kept::by_output ? torch::empty_like(gradient, torch::MemoryFormat::ChannelsLast) : gradient;
  Partials partials(chunks);
  const T* const y_in = kept == Kept::by_output ? saved[5].template const_data_ptr<T>() : x_in;
  T* const passed_out = kept == Kept::by_output ? passed.data_ptr<T>() : nullptr;
  chunks.for_each([&](std::int64_t chunk, std::int64_t first, std::int64_t rows) {
    sum_gradients<T, kept>(gradient_in + first, x_in + first, y_in + first, rows, chunks.channels, mean_in, scale_in,
                           shift_in, kept == Kept::by_output ? passed_out + first : nullptr, partials.first(chunk),
                           partials.second(chunk));
  });
  std::vector<double> sum(channels), product(channels);
  for (std::int64_t chunk = 0; chunk < chunks.count; ++chunk) {
    for (std::size_t c = 0; c < channels; ++c) {
      sum[c] += static_cast<double>(partials.first(chunk)[c]);
      product[c] += static_cast<double>(partials.second(chunk)[c]);
    }
  }

  // With h = (x - mean) inverse:  dx = weight inverse (g - mean(g) - h mean(g h)).
  Gradients result{torch::empty_like(x, torch::MemoryFormat::ChannelsLast), torch::empty_like(weight),
                   torch::empty_like(weight), passed};
  std::vector<float> slope(channels), offset(channels);
  const float* const inverse_in = inverse.template const_data_ptr<float>();
  for (std::size_t c = 0; c < channels; ++c) {
    const auto rows = static_cast<double>(chunks.rows);
    const auto inverse_c = static_cast<double>(inverse_in[c]);
    const auto scale_c = static_cast<double>(scale_in[c]);
    slope[c] = static_cast<float>(-scale_c * inverse_c * inverse_c * product[c] / rows);
    offset[c] = static_cast<float>(-scale_c * sum[c] / rows);
    result.weight.data_ptr<float>()[c] = static_cast<float>(inverse_c * product[c]);
    result.bias.data_ptr<float>()[c] = static_cast<float>(sum[c]);
  }
  constexpr Kept remaining = kept == Kept::by_output ? Kept::all : kept;  // `passed` has been through ReLU already
  const T* const passed_in = passed.const_data_ptr<T>();
  T* const x_out = result.x.template data_ptr<T>();
  chunks.for_each([&](std::int64_t, std::int64_t first, std::int64_t rows) {
    input_gradient<T, remaining>(passed_in + first, x_in + first, rows, chunks.channels, mean_in, scale_in, shift_in,
                                 slope.data(), offset.data(), x_out + first);
  });
  return result;
}

JESSL_INLINE bool can_fuse(const BatchNorm2dImpl& norm, const torch::Tensor& x,
                           const std::optional<torch::Tensor>& residual) {
  const auto plain = [](const torch::Tensor& t) {
    return t.defined() && t.is_cpu() && t.scalar_type() == torch::kFloat32 && t.is_contiguous();
  };
  const auto dense = [](const torch::Tensor& t) {
    return t.is_cpu() && t.dim() == 4 && t.is_contiguous(torch::MemoryFormat::ChannelsLast);
  };
  if (!norm.is_training() || norm.ranks() || !norm.options.momentum().has_value()) return false;
  if (!plain(norm.weight) || !plain(norm.bias) || !plain(norm.running_mean) || !plain(norm.running_var)) return false;
  if (!dense(x) || x.size(1) != norm.weight.numel() || x.numel() <= x.size(1)) return false;
  if (x.scalar_type() != torch::kFloat32 && x.scalar_type() != torch::kBFloat16) return false;
  return !residual ||
         (dense(*residual) && residual->sizes() == x.sizes() && residual->scalar_type() == x.scalar_type());
}

JESSL_INLINE torch::Tensor fused_batch_norm(BatchNorm2dImpl& norm, const torch::Tensor& x, bool relu,
                                            const std::optional<torch::Tensor>& residual) {
  norm.num_batches_tracked += 1;
  return FusedBatchNorm::apply(x, norm.weight, norm.bias, residual, norm.running_mean, norm.running_var,
                               *norm.options.momentum(), norm.options.eps(), relu);
}

}  // namespace jessl::backbone::detail

#endif  // JESSL_DEFINITIONS
