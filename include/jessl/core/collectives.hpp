// SPDX-License-Identifier: Apache-2.0
// What the processes of a run do together, whichever library carries it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <jessl/core/tensor.hpp>

namespace jessl {

/// Averages gradients over the ranks while a backward pass makes them.
///
/// Shapes     none
/// Errors     see Collectives
/// Models     none
/// Source     none
class GradientAverage {
 public:
  virtual ~GradientAverage() = default;

  /// loss.backward(), after which each parameter's gradient is the average of the ranks'.
  ///
  /// Errors     ConfigError where the pass did not reach some parameter, with its name; what the pass throws
  virtual void backward(const torch::Tensor& loss) = 0;
};

/// The operations of a group of processes on tensors, without gradient: what lies under distributed::Group.
///
/// All ranks call the same operations in the same order, on tensors of the same shape and type; each call ends when its result is
/// there, or is in order on the device's stream.
///
/// Shapes     as given
/// Errors     DistributedError where another rank is gone, or does not come within the group's time limit
/// Models     none
/// Source     none
class Collectives : public torch::CustomClassHolder {
 public:
  /// This process's number in [0, size).
  [[nodiscard]] virtual std::int64_t rank() const = 0;

  /// How many processes there are.
  [[nodiscard]] virtual std::int64_t size() const = 0;

  /// How many ranks may use the cores that this one may use, itself among them: each gets its share.
  [[nodiscard]] virtual std::int64_t sharing_cores() const = 0;

  /// `x` becomes the sum over the ranks.
  virtual void all_reduce(torch::Tensor& x) = 0;

  /// x [N, ...] of all ranks along axis 0, [W*N, ...].
  [[nodiscard]] virtual torch::Tensor all_gather(const torch::Tensor& x) = 0;

  /// The tensors become those of rank 0.
  virtual void broadcast(const std::vector<torch::Tensor>& tensors) = 0;

  /// What averages the gradients of these parameters, each with its name. With `may_miss` a backward pass need not reach each of
  /// them: one that no rank's reaches keeps its gradient.
  [[nodiscard]] virtual std::unique_ptr<GradientAverage> average_gradients(
      const std::vector<std::pair<std::string, torch::Tensor>>& parameters, bool may_miss) = 0;

  /// A run begins, on all ranks: what was said of earlier ones is forgotten.
  virtual void begin_run() = 0;

  /// Tells the other ranks why this one ends, for their messages.
  virtual void say_farewell(const std::string& why) = 0;
};

/// Ranks by which a module computes together; none where it computes alone.
using CollectivesPtr = c10::intrusive_ptr<Collectives>;

}  // namespace jessl
