// SPDX-License-Identifier: Apache-2.0
// What a loader hands out: the views of some images, with their indices, labels and parameters.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <jessl/core/error.hpp>
#include <jessl/core/shape.hpp>
#include <jessl/data/detail/ring.hpp>

namespace jessl::data {

namespace detail {

template <class D, class A>
class LoaderEngine;

}  // namespace detail

/// One batch: V views of each of B images, with the images' indices and labels.
///
/// A batch is a lease: the memory is its own until it is destroyed or moved from, and then goes back to the loader. It
/// may be kept, handed to another thread, and may outlive the loader. Who keeps k batches makes the loader take the
/// memory of k.
///
/// Shapes     views[v]: [B, C, H, W] float32, contiguous, aligned to 64 bytes, [C, H, W] = shape(v);
///            parameters[v]: [B, P] float32, row by row, where the view maker is a DescribingViewMaker;
///            indices, labels: [B]
/// Errors     ConfigError for a view that there is not
/// Models     none
/// Source     none
class Batch {
 public:
  Batch() = default;
  Batch(Batch&& other) noexcept { swap(other); }
  Batch& operator=(Batch&& other) noexcept {
    Batch(std::move(other)).swap(*this);
    return *this;
  }
  ~Batch() {
    if (!slot_) return;
    const std::lock_guard lock(ring_->mutex);
    ring_->give_back(std::move(slot_));
  }

  std::int64_t epoch = 0;                     ///< of which epoch
  std::int64_t number = 0;                    ///< which batch of the epoch
  std::span<const std::span<float>> views{};  ///< V x [B, C, H, W]; the caller may write into them
  /// V x [B, P], the parameters that made each view, exactly those applied; no view where the maker says none.
  std::span<const std::span<float>> parameters{};
  std::span<const std::int64_t> indices{};  ///< [B] in the data set; where an image was damaged, its substitute's
  std::span<const std::int64_t> labels{};   ///< [B]; -1 where there are none

  /// The number of images, B.
  [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(indices.size()); }

  /// [C, H, W] of view v.
  [[nodiscard]] const ViewShape& shape(std::int64_t view) const {
    JESSL_CHECK(view >= 0 && view < static_cast<std::int64_t>(views.size()), ConfigError,
                "jessl::data::Batch: there is no view ", view, ", it has ", views.size());
    return slot_->shapes[static_cast<std::size_t>(view)];
  }

  /// The names of view v's parameters, the columns of parameters[v].
  [[nodiscard]] const std::vector<std::string>& parameter_names(std::int64_t view) const {
    JESSL_CHECK(view >= 0 && view < static_cast<std::int64_t>(parameters.size()), ConfigError,
                "jessl::data::Batch: there are no parameters of view ", view, ", but of ", parameters.size(),
                " views; ask for them by augment::with_parameters(maker)");
    return ring_->parameters()[static_cast<std::size_t>(view)];
  }

 private:
  template <class D, class A>
  friend class detail::LoaderEngine;

  Batch(std::shared_ptr<detail::Ring> ring, std::unique_ptr<detail::Slot> slot)
      : epoch(slot->epoch),
        number(slot->number),
        views(slot->views),
        parameters(slot->parameters),
        indices(slot->indices),
        labels(slot->labels),
        ring_(std::move(ring)),
        slot_(std::move(slot)) {}

  void swap(Batch& other) noexcept {
    std::swap(epoch, other.epoch);
    std::swap(number, other.number);
    std::swap(views, other.views);
    std::swap(parameters, other.parameters);
    std::swap(indices, other.indices);
    std::swap(labels, other.labels);
    std::swap(ring_, other.ring_);
    std::swap(slot_, other.slot_);
  }

  std::shared_ptr<detail::Ring> ring_{};
  std::unique_ptr<detail::Slot> slot_{};
};

}  // namespace jessl::data
