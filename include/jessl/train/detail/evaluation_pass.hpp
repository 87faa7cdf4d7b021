// SPDX-License-Identifier: Apache-2.0
// A pass over images in evaluation mode, without the types of network, data and views.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory_resource>
#include <span>
#include <string_view>

#include <Eigen/Core>

#include <jessl/core/autocast.hpp>
#include <jessl/core/detail/separate.hpp>
#include <jessl/core/element.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/core/thread_pool.hpp>
#include <jessl/data/batch.hpp>
#include <jessl/data/loader_options.hpp>
#include <jessl/train/detail/machine.hpp>
#include <jessl/train/detail/network_base.hpp>
#include <jessl/train/options.hpp>
#include <jessl/train/pinned_memory.hpp>
#include <jessl/train/tensors.hpp>

namespace jessl::train::detail {

/// What a loader's batches are to be, so that a step needs no other form of them: rounded if autocast would round them
/// first of all.
[[nodiscard]] inline Element batch_element(Precision precision, bool casts_images) {
  return precision == Precision::bfloat16 && casts_images ? Element::bfloat16 : Element::float32;
}

/// Where a loader's batches are to lie: a GPU copies from page-locked memory while the CPU goes on.
[[nodiscard]] inline std::pmr::memory_resource* batch_memory(const torch::Device& device, PinnedMemory& pinned) {
  return device.is_cuda() ? &pinned : std::pmr::new_delete_resource();
}

/// A network in evaluation mode, without gradient and with the threads and precision of such a pass, for the life of the object.
class EvaluationPass {
 public:
  /// What looks at a batch's images [n, C, H, W], the row of the first, and labels [n].
  using Visit = std::function<void(const torch::Tensor&, Eigen::Index, std::span<const std::int64_t>)>;

  /// `who` opens the messages of errors; `casts_images` is backbone::casts_images.
  EvaluationPass(std::string_view who, NetworkBase& network, const EmbedOptions& options, std::int64_t images,
                 bool casts_images);

  [[nodiscard]] const data::LoaderOptions& loader_options() const { return loader_options_; }
  [[nodiscard]] std::pmr::memory_resource* memory() { return batch_memory(device_, pinned_); }

  /// Shows the next batch to a visitor.
  void show(const data::Batch& batch, const Visit& visit);

 private:
  [[nodiscard]] static std::int64_t threads_of(std::string_view who, const EmbedOptions& options, std::int64_t images);

  torch::Device device_;
  std::int64_t threads_;
  IntraOpThreads intra_op_;
  torch::NoGradGuard no_gradient_{};
  EvaluationMode backbone_mode_;
  EvaluationMode projector_mode_;
  Autocast autocast_;
  PinnedMemory pinned_{};
  data::LoaderOptions loader_options_;
  Eigen::Index row_ = 0;
};

}  // namespace jessl::train::detail

#if JESSL_DEFINITIONS

namespace jessl::train::detail {

JESSL_INLINE EvaluationPass::EvaluationPass(std::string_view who, NetworkBase& network, const EmbedOptions& options,
                                            std::int64_t images, bool casts_images)
    : device_(network.device()),
      threads_(threads_of(who, options, images)),
      intra_op_(threads_),
      backbone_mode_(network.student().backbone),
      projector_mode_(network.student().projector),
      autocast_(device_.type(), options.precision),
      loader_options_{.batch_size = std::min(options.batch_size, images),
                      .workers = threads_,
                      .ahead = 0,
                      .drop_last = false,
                      .on_corrupt = options.on_corrupt,
                      .max_corrupt_share = options.max_corrupt_share,
                      .element = batch_element(resolve(options.precision, device_.type()), casts_images),
                      .layout = Layout::channels_last} {
  network.to(device_);  // all of it, where a caller has moved or converted the backbone alone
}

JESSL_INLINE void EvaluationPass::show(const data::Batch& batch, const Visit& visit) {
  visit(to_tensors(batch).views.front().to(device_, /*non_blocking=*/true), row_, batch.labels);
  row_ += batch.size();
}

JESSL_INLINE std::int64_t EvaluationPass::threads_of(std::string_view who, const EmbedOptions& options,
                                                     std::int64_t images) {
  constexpr std::int64_t most = data::LoaderOptions::most_workers;
  JESSL_CHECK(images >= 1, ConfigError, who, ": the data set has no images");
  JESSL_CHECK(options.batch_size >= 1, ConfigError, who, ": batch_size is ", options.batch_size,
              ", expected at least 1");
  JESSL_CHECK(options.threads >= 0 && options.threads <= most, ConfigError, who, ": threads is ", options.threads,
              ", expected 0 (all) to ", most);
  return options.threads == 0 ? hardware_threads() : options.threads;
}

}  // namespace jessl::train::detail

#endif  // JESSL_DEFINITIONS
