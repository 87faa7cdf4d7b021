// SPDX-License-Identifier: Apache-2.0
// Batch norms that can normalise by the batch of all processes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <tuple>
#include <utility>
#include <vector>

#include <jessl/core/collectives.hpp>
#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/shape.hpp>
#include <jessl/core/tensor.hpp>

namespace jessl {

/// A module that computes with the other ranks once it has joined them. Its copies, which others may train, have not.
///
/// Shapes     none
/// Errors     none
/// Models     none
/// Source     none
class JointModule {
 public:
  JointModule() = default;
  JointModule(const JointModule&) {}
  JointModule& operator=(const JointModule&) { return *this; }
  virtual ~JointModule() = default;

  /// From now on the module's batch is that of all ranks; its own again where `ranks` is null.
  void join(CollectivesPtr ranks) { ranks_ = std::move(ranks); }

  /// The ranks that it computes with; null where it is alone.
  [[nodiscard]] const CollectivesPtr& ranks() const { return ranks_; }

 private:
  CollectivesPtr ranks_{};
};

namespace detail {

/// Normalises by the statistics of the joint batch of all ranks, forward and backward; moves the running ones.
///
/// Shapes     x: [N, C] or [N, C, ...] -> the same; weight, bias, running statistics: [C], or undefined
/// Precision  statistics in float32, in float64 for x of that
/// Errors     those of Collectives
/// Models     none
/// Source     Ioffe and Szegedy, Batch Normalization, ICML 2015, arXiv 1502.03167, algorithm 1; variances of parts are joined as in
///            Chan, Golub and LeVeque, Algorithms for Computing the Sample Variance, 1983, equation 1.5
class JointBatchNorm : public torch::autograd::Function<JointBatchNorm> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context, const torch::Tensor& x,
                               const torch::Tensor& weight, const torch::Tensor& bias,
                               const torch::Tensor& running_mean, const torch::Tensor& running_variance,
                               double momentum, double epsilon, const CollectivesPtr& ranks);

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients);
};

}  // namespace detail

/// torch::nn::BatchNorm1d and torch::nn::BatchNorm2d, with their settings, names and numbers, that normalise by the batch of all
/// ranks once they have joined them (Trainer::join): W processes then compute what one computes on the joint batch.
///
/// Shapes     BatchNorm1d: [N, C] or [N, C, L]; BatchNorm2d: [N, C, H, W] -> the same
/// Cost       of a joint one in training: gathers 2 C + 1 numbers in the forward pass, sums 2 C in the backward pass
/// Errors     ShapeError for another number of axes; of a joint one DistributedError as Collectives, and ConfigError for a cumulative
///            average of statistics (no momentum)
/// Models     none
/// Source     Ioffe and Szegedy, Batch Normalization, ICML 2015, arXiv 1502.03167
template <std::size_t D, class Derived>
class BatchNormImpl : public torch::nn::BatchNormImplBase<D, Derived>, public JointModule {
  using Base = torch::nn::BatchNormImplBase<D, Derived>;

 public:
  using Base::Base;

  [[nodiscard]] torch::Tensor forward(const torch::Tensor& x) {
    if (!this->is_training() || !ranks()) return Base::forward(x);
    this->_check_input_dim(x);
    const torch::nn::BatchNormOptions& settings = this->options;
    JESSL_CHECK(settings.momentum().has_value(), ConfigError, "jessl::BatchNorm", D,
                "d: no momentum, which asks for a cumulative average of statistics, and several "
                "ranks, which have none; set the momentum");
    if (this->num_batches_tracked.defined()) this->num_batches_tracked += 1;
    return detail::JointBatchNorm::apply(x, this->weight, this->bias, this->running_mean, this->running_var,
                                         *settings.momentum(), settings.eps(), ranks());
  }
};

/// The module of BatchNorm1d.
///
/// Shapes     [N, C] or [N, C, L] -> the same
/// Errors     as BatchNormImpl
/// Models     none
/// Source     as BatchNormImpl
class BatchNorm1dImpl : public BatchNormImpl<1, BatchNorm1dImpl> {
 public:
  using BatchNormImpl<1, BatchNorm1dImpl>::BatchNormImpl;

 protected:
  void _check_input_dim(const torch::Tensor& x) override {
    JESSL_CHECK(x.dim() == 2 || x.dim() == 3, ShapeError, "jessl::BatchNorm1d: the input is ", shape_of(x),
                ", expected [N, C] or [N, C, L]");
  }
};
TORCH_MODULE(BatchNorm1d);

/// The module of BatchNorm2d.
///
/// Shapes     [N, C, H, W] -> the same
/// Errors     as BatchNormImpl
/// Models     none
/// Source     as BatchNormImpl
class BatchNorm2dImpl : public BatchNormImpl<2, BatchNorm2dImpl> {
 public:
  using BatchNormImpl<2, BatchNorm2dImpl>::BatchNormImpl;

 protected:
  void _check_input_dim(const torch::Tensor& x) override {
    JESSL_CHECK(x.dim() == 4, ShapeError, "jessl::BatchNorm2d: the input is ", shape_of(x), ", expected [N, C, H, W]");
  }
};
TORCH_MODULE(BatchNorm2d);

}  // namespace jessl

#if JESSL_DEFINITIONS

namespace jessl::detail {

/// The axes of x [N, C, ...] over which a batch norm sums.
JESSL_INLINE std::vector<std::int64_t> axes_but_channels(const torch::Tensor& x) {
  std::vector<std::int64_t> axes;
  for (std::int64_t axis = 0; axis < x.dim(); ++axis) {
    if (axis != 1) axes.push_back(axis);
  }
  return axes;
}

/// Numbers of channels [C] in the shape in which they meet x [N, C, ...].
JESSL_INLINE torch::Tensor beside(const torch::Tensor& channels, const torch::Tensor& x) {
  std::vector<std::int64_t> shape(static_cast<std::size_t>(x.dim()), 1);
  shape[1] = channels.numel();
  return channels.view(shape);
}

/// The type of a batch norm's sums.
JESSL_INLINE torch::ScalarType wide_type(const torch::Tensor& x) {
  return x.scalar_type() == torch::kFloat64 ? torch::kFloat64 : torch::kFloat32;
}

JESSL_INLINE std::tuple<torch::Tensor, torch::Tensor> swapped(const std::tuple<torch::Tensor, torch::Tensor>& pair) {
  return {std::get<1>(pair), std::get<0>(pair)};
}

JESSL_INLINE torch::Tensor JointBatchNorm::forward(torch::autograd::AutogradContext* context, const torch::Tensor& x,
                                                   const torch::Tensor& weight, const torch::Tensor& bias,
                                                   const torch::Tensor& running_mean,
                                                   const torch::Tensor& running_variance, double momentum,
                                                   double epsilon, const CollectivesPtr& ranks) {
  const std::int64_t channels = x.size(1);
  const bool on_gpu = x.is_cuda();
  const torch::Tensor wide = on_gpu ? x : x.to(wide_type(x));
  // On a GPU the reciprocal of the deviation stands for the variance, as LibTorch's primitives have it.
  const auto [own_mean, own_spread] =
      on_gpu ? at::batch_norm_stats(x, epsilon) : swapped(at::var_mean(wide, axes_but_channels(x), /*correction=*/0));
  const auto own_count = torch::full({1}, x.numel() / channels, own_mean.options());
  const torch::Tensor all = ranks->all_gather(torch::cat({own_mean, own_spread, own_count}).unsqueeze(0));
  const torch::Tensor means = all.narrow(1, 0, channels);           // [W, C]
  const torch::Tensor spreads = all.narrow(1, channels, channels);  // [W, C]
  const torch::Tensor counts = all.select(1, 2 * channels);         // [W]
  torch::Tensor mean, inverse, y;                                   // [C], [C], as x
  if (on_gpu) {
    const torch::Tensor& like = running_mean.defined() ? running_mean : means;
    std::tie(mean, inverse) = at::batch_norm_gather_stats_with_counts(x, means.contiguous(), spreads.contiguous(),
                                                                      running_mean, running_variance, momentum, epsilon,
                                                                      counts.to(like.scalar_type()).contiguous());
    y = at::batch_norm_elemt(x, weight, bias, mean, inverse, epsilon);
  } else {
    const torch::Tensor shares = (counts / counts.sum()).unsqueeze(1);  // [W, 1]
    mean = (means * shares).sum(0);
    const torch::Tensor variance = ((spreads + (means - mean).square()) * shares).sum(0);
    inverse = (variance + epsilon).rsqrt();
    if (running_mean.defined()) {
      const torch::Tensor unbiased = variance * (counts.sum() / (counts.sum() - 1).clamp_min(1));
      running_mean.lerp_(mean.to(running_mean.scalar_type()), momentum);
      running_variance.lerp_(unbiased.to(running_variance.scalar_type()), momentum);
    }
    y = (wide - beside(mean, x)).mul_(beside(weight.defined() ? inverse * weight : inverse, x));
    if (bias.defined()) y.add_(beside(bias, x));
  }
  context->saved_data["ranks"] = c10::IValue::make_capsule(ranks);
  context->save_for_backward({x, weight, mean, inverse, counts});
  return y.to(x.scalar_type());
}

JESSL_INLINE torch::autograd::variable_list JointBatchNorm::backward(torch::autograd::AutogradContext* context,
                                                                     const torch::autograd::variable_list& gradients) {
  const auto saved = context->get_saved_variables();
  const torch::Tensor &x = saved[0], &weight = saved[1], &mean = saved[2], &inverse = saved[3], &counts = saved[4];
  const auto ranks = c10::static_intrusive_pointer_cast<Collectives>(context->saved_data["ranks"].toCapsule());
  const std::int64_t channels = mean.numel();
  if (x.is_cuda()) {
    const torch::Tensor gradient = gradients[0].contiguous(x.suggest_memory_format());
    const auto [sum, sum_centred, to_weight, to_bias] =
        at::batch_norm_backward_reduce(gradient, x, mean, inverse, weight, true, weight.defined(), weight.defined());
    torch::Tensor sums = torch::cat({sum, sum_centred});
    ranks->all_reduce(sums);
    const auto to_x = at::batch_norm_backward_elemt(gradient, x, mean, inverse, weight, sums.narrow(0, 0, channels),
                                                    sums.narrow(0, channels, channels), counts.to(torch::kInt32));
    return {to_x, to_weight, to_bias, {}, {}, {}, {}, {}};
  }
  const torch::Tensor gradient = gradients[0].to(mean.scalar_type());
  const torch::Tensor standard = (x.to(mean.scalar_type()) - beside(mean, x)).mul_(beside(inverse, x));
  const std::vector<std::int64_t> axes = axes_but_channels(x);
  const torch::Tensor to_bias = gradient.sum(axes), to_weight = (gradient * standard).sum(axes);  // [C], of this rank
  torch::Tensor sums = torch::cat({to_bias, to_weight});
  ranks->all_reduce(sums);
  sums.div_(counts.sum());
  torch::Tensor to_x = gradient - beside(sums.narrow(0, 0, channels), x);
  to_x.sub_(standard.mul(beside(sums.narrow(0, channels, channels), x)));
  to_x.mul_(beside(weight.defined() ? inverse * weight : inverse, x));
  if (!weight.defined()) return {to_x.to(x.scalar_type()), {}, {}, {}, {}, {}, {}, {}};
  return {to_x.to(x.scalar_type()),
          to_weight.to(weight.scalar_type()),
          to_bias.to(weight.scalar_type()),
          {},
          {},
          {},
          {},
          {}};
}

}  // namespace jessl::detail

#endif  // JESSL_DEFINITIONS
