// SPDX-License-Identifier: Apache-2.0
// Two ranks in one process, a thread each, so that a loss's behaviour across processes is tested without any.
#pragma once

#include <array>
#include <barrier>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>

#include <jessl/core/communicator.hpp>
#include <jessl/core/tensor.hpp>

namespace jessl::test {

/// The two ranks share one autograd graph: the gradient that flows into a gathered row from either rank arrives at its
/// owner, which is the sum over the ranks that jessl::Communicator promises.
class PairOfRanks {
 public:
  class Rank {
   public:
    Rank(PairOfRanks& pair, std::int64_t rank) : pair_(&pair), rank_(rank) {}
    [[nodiscard]] std::int64_t rank() const { return rank_; }
    [[nodiscard]] std::int64_t size() const { return 2; }
    [[nodiscard]] torch::Tensor all_gather(const torch::Tensor& x) const {
      const auto both = exchange(x);
      return torch::cat({both[0], both[1]});
    }
    [[nodiscard]] torch::Tensor all_reduce_sum(const torch::Tensor& x) const {
      const auto both = exchange(x);
      return both[0] + both[1];
    }
    [[nodiscard]] torch::Tensor all_reduce_mean(const torch::Tensor& x) const { return all_reduce_sum(x) / 2; }

   private:
    [[nodiscard]] std::array<torch::Tensor, 2> exchange(const torch::Tensor& x) const {
      pair_->given_[static_cast<std::size_t>(rank_)] = x;
      pair_->meeting_.arrive_and_wait();
      const auto both = pair_->given_;
      pair_->meeting_.arrive_and_wait();
      return both;
    }

    PairOfRanks* pair_;
    std::int64_t rank_;
  };

  /// Runs body(rank) for both ranks, each in a thread of its own, and throws what the first of them threw. The other gets nothing
  /// of it from then on.
  template <class Body>
  void run(const Body& body) {
    std::exception_ptr error;
    std::once_flag first;
    const auto guarded = [&](std::int64_t rank) {
      try {
        body(Rank(*this, rank));
      } catch (...) {
        std::call_once(first, [&] { error = std::current_exception(); });
        given_[static_cast<std::size_t>(rank)] = torch::Tensor();
        meeting_.arrive_and_drop();
      }
    };
    {
      const std::jthread other(guarded, 1);
      guarded(0);
    }
    if (error) std::rethrow_exception(error);
  }

 private:
  std::array<torch::Tensor, 2> given_;
  std::barrier<> meeting_{2};
};
static_assert(Communicator<PairOfRanks::Rank, torch::Tensor>);

}  // namespace jessl::test
