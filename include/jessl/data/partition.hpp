// SPDX-License-Identifier: Apache-2.0
// Which rows of a batch belong to which of several processes.
#pragma once

#include <cstdint>
#include <string_view>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/options.hpp>

namespace jessl::data {

/// Some rows of the order of an epoch.
///
/// Shapes     none
/// Errors     none
/// Models     none
/// Source     none
struct Rows {
  std::int64_t first = 0;  ///< the first of them
  std::int64_t count = 0;  ///< how many

  bool operator==(const Rows&) const = default;
};

/// The share of one of several processes in each batch.
///
/// All ranks go through one order in joint batches, and rank r of W takes the r-th W-th of each. So the joint batch of a
/// step is the same set of images whatever W is, the shares are disjoint and complete, and all ranks take the same
/// number of steps. A last batch that is not full is cut into pieces whose sizes differ by at most one, and may be empty.
///
/// Shapes     none
/// Randomness none
/// Errors     ConfigError for a rank outside [0, ranks), and for a batch that the ranks cannot share equally
/// Models     jessl::Options
/// Source     none
/// Differs    PyTorch's DistributedSampler gives rank r every W-th image and repeats some to make the shares equal, so
///            that an evaluation counts them twice
struct Partition {
  static constexpr std::string_view name = "Partition";

  std::int64_t rank = 0;   ///< of this process, in [0, ranks)
  std::int64_t ranks = 1;  ///< processes that share each batch, >= 1

  void check(std::string_view who, std::int64_t batch_size) const;

  /// The most rows that this rank has in a batch, for orders of `size` images.
  [[nodiscard]] std::int64_t most_rows(std::int64_t batch_size, std::int64_t size) const {
    return batch_size <= size ? batch_size / ranks : (size + ranks - 1) / ranks;
  }

  /// The rows of this rank in joint batch `number` of an order of `size` images.
  [[nodiscard]] Rows rows(std::int64_t number, std::int64_t batch_size, std::int64_t size) const;
};

}  // namespace jessl::data

JESSL_OPTIONS(jessl::data::Partition, rank, ranks);

#if JESSL_DEFINITIONS

namespace jessl::data {

JESSL_INLINE void Partition::check(std::string_view who, std::int64_t batch_size) const {
  JESSL_CHECK(ranks >= 1, ConfigError, who, ": partition.ranks is ", ranks, ", expected >= 1");
  JESSL_CHECK(rank >= 0 && rank < ranks, ConfigError, who, ": partition.rank is ", rank, ", expected 0 to ", ranks - 1,
              ", as there are ", ranks, " ranks");
  const std::int64_t below = batch_size - batch_size % ranks;
  JESSL_CHECK(batch_size == below, ConfigError, who, ": batch_size is ", batch_size,
              ", which is that of all ranks together, and ", ranks, " ranks cannot share it equally; set it to ",
              below == 0 ? "" : concat(below, " or "), below + ranks);
}

JESSL_INLINE Rows Partition::rows(std::int64_t number, std::int64_t batch_size, std::int64_t size) const {
  const std::int64_t first = number * batch_size;
  const std::int64_t joint = batch_size < size - first ? batch_size : size - first;
  const std::int64_t begin = joint * rank / ranks;
  return {first + begin, joint * (rank + 1) / ranks - begin};
}

}  // namespace jessl::data

#endif  // JESSL_DEFINITIONS
