// SPDX-License-Identifier: Apache-2.0
// How a loss reaches the other processes of a run; on its own there is one.
#pragma once

#include <concepts>
#include <cstdint>

namespace jessl {

/// A group of processes that compute one loss together. `Tensor` is LibTorch's; the concept itself needs no LibTorch.
///
/// `rank()`, `size()`     this process's number in [0, size), and how many there are
/// `all_gather(x)`        x of all ranks along axis 0, [N, ...] -> [W*N, ...]; its gradient is summed over the ranks
/// `all_reduce_sum(x)`    the sum of x over the ranks; its gradient is summed over the ranks
/// `all_reduce_mean(x)`   the same divided by W
template <class C, class Tensor>
concept Communicator = requires(const C& group, const Tensor& x) {
  { group.rank() } -> std::convertible_to<std::int64_t>;
  { group.size() } -> std::convertible_to<std::int64_t>;
  { group.all_gather(x) } -> std::same_as<Tensor>;
  { group.all_reduce_sum(x) } -> std::same_as<Tensor>;
  { group.all_reduce_mean(x) } -> std::same_as<Tensor>;
};

/// The group of one: every collective returns its argument.
///
/// Shapes     as given
/// Errors     none
/// Models     jessl::Communicator
/// Source     none
struct SingleProcess {
  [[nodiscard]] constexpr std::int64_t rank() const { return 0; }
  [[nodiscard]] constexpr std::int64_t size() const { return 1; }

  template <class Tensor>
  [[nodiscard]] Tensor all_gather(const Tensor& x) const {
    return x;
  }
  template <class Tensor>
  [[nodiscard]] Tensor all_reduce_sum(const Tensor& x) const {
    return x;
  }
  template <class Tensor>
  [[nodiscard]] Tensor all_reduce_mean(const Tensor& x) const {
    return x;
  }
};

}  // namespace jessl
