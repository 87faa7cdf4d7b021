// SPDX-License-Identifier: Apache-2.0
// The processes of a run, as the losses see them: collectives with gradients.
#pragma once

#include <cstdint>
#include <mutex>
#include <utility>

#include <jessl/core/collectives.hpp>
#include <jessl/core/communicator.hpp>
#include <jessl/core/detail/separate.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/distributed/group_options.hpp>

namespace jessl::distributed {

/// The processes that train one network together. A default one is this process alone.
///
///     const auto group = jessl::distributed::Group::from_environment();  // torchrun, srun, mpirun; else one process
///     trainer.join(group);
///     trainer.fit(train, {.batch_size = 256});  // 256 images a step, of all ranks together
///
/// The collectives have gradients, those that jessl::Communicator asks for: summed over the ranks. With gradients of weights averaged
/// over the ranks, as Trainer does, that makes them the gradients of one process on the joint batch.
///
/// Shapes     all_gather: [N, ...] -> [W*N, ...], the same N on all ranks; the others: as given
/// Cost       one collective forward and one backward; none where there is one process
/// Errors     DistributedError where another rank is gone or late
/// Models     jessl::Communicator
/// Source     none
class Group {
 public:
  /// This process alone.
  Group() = default;

  /// By other collectives than c10d's.
  explicit Group(CollectivesPtr ranks) : ranks_(std::move(ranks)) {}

  /// The processes that torchrun, SLURM or mpirun started with this one, which meet in this call; see read_environment(). Where
  /// none of them did: this process alone, and nothing is started.
  ///
  /// With NCCL it makes GPU number `local rank` the current one.
  ///
  /// While a group that it gave lives, further calls give that one.
  ///
  /// Errors     ConfigError for an environment that is incomplete or contradicts itself, a time-out <= 0, or NCCL without a GPU;
  ///            DistributedError when the others don't come in time
  [[nodiscard]] static Group from_environment(const GroupOptions& options = {});

  [[nodiscard]] std::int64_t rank() const { return ranks_ ? ranks_->rank() : 0; }
  [[nodiscard]] std::int64_t size() const { return ranks_ ? ranks_->size() : 1; }

  /// Whether this is rank 0, which writes what one writes.
  [[nodiscard]] bool is_first() const { return rank() == 0; }

  [[nodiscard]] torch::Tensor all_gather(const torch::Tensor& x) const;
  [[nodiscard]] torch::Tensor all_reduce_sum(const torch::Tensor& x) const;
  [[nodiscard]] torch::Tensor all_reduce_mean(const torch::Tensor& x) const;

  /// What carries them; null for one process.
  [[nodiscard]] const CollectivesPtr& ranks() const { return ranks_; }

 private:
  CollectivesPtr ranks_{};
};
static_assert(Communicator<Group, torch::Tensor>);

}  // namespace jessl::distributed

#if JESSL_DEFINITIONS

#include <jessl/distributed/detail/c10d.hpp>

namespace jessl::distributed::detail {

/// x of all ranks; the gradient of this rank's rows is the sum of what the ranks send to them.
class AllGather : public torch::autograd::Function<AllGather> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context, const torch::Tensor& x,
                               const CollectivesPtr& ranks) {
    context->saved_data["ranks"] = c10::IValue::make_capsule(ranks);
    return ranks->all_gather(x);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients) {
    const auto ranks = c10::static_intrusive_pointer_cast<Collectives>(context->saved_data["ranks"].toCapsule());
    torch::Tensor all = gradients[0].clone(torch::MemoryFormat::Contiguous);
    ranks->all_reduce(all);
    const std::int64_t rows = all.size(0) / ranks->size();
    return {all.narrow(0, ranks->rank() * rows, rows), torch::Tensor()};
  }
};

/// The sum of x over the ranks; so is its gradient.
class AllReduce : public torch::autograd::Function<AllReduce> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context, const torch::Tensor& x,
                               const CollectivesPtr& ranks) {
    context->saved_data["ranks"] = c10::IValue::make_capsule(ranks);
    torch::Tensor sum = x.clone(torch::MemoryFormat::Contiguous);
    ranks->all_reduce(sum);
    return sum;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients) {
    const auto ranks = c10::static_intrusive_pointer_cast<Collectives>(context->saved_data["ranks"].toCapsule());
    torch::Tensor sum = gradients[0].clone(torch::MemoryFormat::Contiguous);
    ranks->all_reduce(sum);
    return {sum, torch::Tensor()};
  }
};

}  // namespace jessl::distributed::detail

namespace jessl::distributed {

JESSL_INLINE Group Group::from_environment(const GroupOptions& options) {
  JESSL_CHECK(options.timeout > 0 && options.timeout < 1e6, ConfigError, detail::who, "timeout is ", options.timeout,
              ", expected seconds > 0");
  const Environment environment = read_environment();
  if (environment.size == 1) return {};
  static std::mutex mutex;
  static c10::weak_intrusive_ptr<Collectives> last{CollectivesPtr()};
  static std::int64_t count = 0;
  const std::lock_guard lock(mutex);
  if (CollectivesPtr living = last.lock()) return Group(std::move(living));
  CollectivesPtr ranks = c10::make_intrusive<detail::C10d>(environment, options, count++);
  last = c10::weak_intrusive_ptr<Collectives>(ranks);
  return Group(std::move(ranks));
}

JESSL_INLINE torch::Tensor Group::all_gather(const torch::Tensor& x) const {
  return ranks_ ? detail::AllGather::apply(x, ranks_) : x;
}

JESSL_INLINE torch::Tensor Group::all_reduce_sum(const torch::Tensor& x) const {
  return ranks_ ? detail::AllReduce::apply(x, ranks_) : x;
}

JESSL_INLINE torch::Tensor Group::all_reduce_mean(const torch::Tensor& x) const {
  return ranks_ ? all_reduce_sum(x) / static_cast<double>(size()) : x;
}

}  // namespace jessl::distributed

#endif  // JESSL_DEFINITIONS
