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

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/element.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/shape.hpp>
#include <jessl/data/detail/ring.hpp>

namespace jessl::data {

namespace detail {

template <class D, class A>
class LoaderEngine;

}  // namespace detail

/// The views of a batch as float32, by number.
///
/// Shapes     V x [B, C, H, W], or [B, H, W, C] with Layout::channels_last
/// Errors     ConfigError for a view that there is not, or where the loader makes another Element
/// Models     none
/// Source     none
class FloatViews {
 public:
  FloatViews() = default;
  FloatViews(std::span<const std::span<float>> views, Element element) : views_(views), element_(element) {}

  [[nodiscard]] std::size_t size() const { return views_.size(); }
  [[nodiscard]] bool empty() const { return views_.empty(); }
  [[nodiscard]] std::span<float> operator[](std::size_t view) const;
  [[nodiscard]] auto begin() const {
    require_floats();
    return views_.begin();
  }
  [[nodiscard]] auto end() const { return views_.end(); }

 private:
  void require_floats() const;

  std::span<const std::span<float>> views_{};
  Element element_ = Element::float32;
};

/// One batch: V views of each of B images, with the images' indices and labels.
///
/// A batch is a lease: the memory is its own until it is destroyed or moved from, and then goes back to the loader. It
/// may be kept, handed to another thread, and may outlive the loader. Who keeps k batches makes the loader take the
/// memory of k.
///
/// Shapes     views[v], view<T>(v): [B, C, H, W], or [B, H, W, C] where layout() is channels_last; contiguous, aligned
///            to 64 bytes, [C, H, W] = shape(v); parameters[v]: [B, P] float32, row by row, where the view maker is a
///            DescribingViewMaker; indices, labels: [B]
/// Errors     ConfigError for a view that there is not, or that is asked for as another Element than it has
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
  ~Batch();

  std::int64_t epoch = 0;   ///< of which epoch
  std::int64_t number = 0;  ///< which batch of the epoch
  FloatViews views{};       ///< V x [B, C, H, W] where they are float32; the caller may write into them
  /// V x [B, P], the parameters that made each view, exactly those applied; no view where the maker says none.
  std::span<const std::span<float>> parameters{};
  std::span<const std::int64_t> indices{};  ///< [B] in the data set; where an image was damaged, its substitute's
  std::span<const std::int64_t> labels{};   ///< [B]; -1 where there are none

  /// The number of images, B.
  [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(indices.size()); }

  /// [C, H, W] of view v.
  [[nodiscard]] const ViewShape& shape(std::int64_t view) const {
    check(view);
    return slot_->shapes[static_cast<std::size_t>(view)];
  }

  /// The number format of the views, LoaderOptions::element.
  [[nodiscard]] Element element() const { return ring_ ? ring_->format().element : Element::float32; }

  /// The order of their values in memory, LoaderOptions::layout.
  [[nodiscard]] Layout layout() const { return ring_ ? ring_->format().layout : Layout::channels_first; }

  /// View v in its number format: batch.view<BFloat16>(0). The caller may write into it.
  template <ElementType T>
  [[nodiscard]] std::span<T> view(std::int64_t view) const {
    check(view);
    JESSL_CHECK(element() == element_of<T>, ConfigError, "jessl::data::Batch: view ", view, " is ", describe(element()),
                " and was asked for as ", describe(element_of<T>), "; set LoaderOptions::element to it");
    return detail::values_of<T>(bytes(view));
  }

  /// View v as bytes, whatever its number format.
  [[nodiscard]] std::span<std::byte> bytes(std::int64_t view) const {
    check(view);
    return slot_->bytes[static_cast<std::size_t>(view)];
  }

  /// The names of view v's parameters, the columns of parameters[v].
  [[nodiscard]] const std::vector<std::string>& parameter_names(std::int64_t view) const;

 private:
  void check(std::int64_t view) const;

  template <class D, class A>
  friend class detail::LoaderEngine;

  Batch(std::shared_ptr<detail::Ring> ring, std::unique_ptr<detail::Slot> slot)
      : epoch(slot->epoch),
        number(slot->number),
        views(slot->views, ring->format().element),
        parameters(slot->parameters),
        indices(slot->indices),
        labels(slot->labels),
        ring_(std::move(ring)),
        slot_(std::move(slot)) {}

  void swap(Batch& other) noexcept;

  std::shared_ptr<detail::Ring> ring_{};
  std::unique_ptr<detail::Slot> slot_{};
};

}  // namespace jessl::data

#if JESSL_DEFINITIONS

namespace jessl::data {

JESSL_INLINE std::span<float> FloatViews::operator[](std::size_t view) const {
  JESSL_CHECK(view < size(), ConfigError, "jessl::data::Batch: there is no view ", view, ", it has ", size());
  require_floats();
  return views_[view];
}

JESSL_INLINE void FloatViews::require_floats() const {
  JESSL_CHECK(element_ == Element::float32, ConfigError, "jessl::data::Batch: the views are ", describe(element_),
              " and were asked for as float32; use view<T>(v) or bytes(v), or set LoaderOptions::element to float32");
}

JESSL_INLINE Batch::~Batch() {
  if (!slot_) return;
  const std::lock_guard lock(ring_->mutex);
  ring_->give_back(std::move(slot_));
}

JESSL_INLINE const std::vector<std::string>& Batch::parameter_names(std::int64_t view) const {
  JESSL_CHECK(view >= 0 && view < static_cast<std::int64_t>(parameters.size()), ConfigError,
              "jessl::data::Batch: there are no parameters of view ", view, ", but of ", parameters.size(),
              " views; ask for them by augment::with_parameters(maker)");
  return ring_->format().parameters[static_cast<std::size_t>(view)];
}

JESSL_INLINE void Batch::check(std::int64_t view) const {
  JESSL_CHECK(view >= 0 && view < static_cast<std::int64_t>(views.size()), ConfigError,
              "jessl::data::Batch: there is no view ", view, ", it has ", views.size());
}

JESSL_INLINE void Batch::swap(Batch& other) noexcept {
  std::swap(epoch, other.epoch);
  std::swap(number, other.number);
  std::swap(views, other.views);
  std::swap(parameters, other.parameters);
  std::swap(indices, other.indices);
  std::swap(labels, other.labels);
  std::swap(ring_, other.ring_);
  std::swap(slot_, other.slot_);
}

}  // namespace jessl::data

#endif  // JESSL_DEFINITIONS
