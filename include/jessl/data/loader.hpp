// SPDX-License-Identifier: Apache-2.0
// The loader: batches of views, made by several threads, ahead of the step or between two steps.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <memory_resource>
#include <optional>
#include <span>
#include <utility>

#include <jessl/core/draw.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/shape.hpp>
#include <jessl/core/views.hpp>
#include <jessl/data/batch.hpp>
#include <jessl/data/concept.hpp>
#include <jessl/data/detail/loader_engine.hpp>
#include <jessl/data/loader_options.hpp>
#include <jessl/data/order.hpp>

namespace jessl::data {

/// One pass over the data set, or the rest of one: a range of batches. Made by Loader::epoch().
///
/// Leaving it early, by break, by an exception or by destroying it, ends the work on it; the next epoch can start then.
///
/// Shapes     none
/// Errors     what the data set, the view maker or the loader's own rules throw on any thread reaches the caller of
///            next() or of the iterator, in the place of the batch that it happened in, and so does every call after
///            it, of any thread; ConfigError once another epoch has been started
/// Models     std::ranges::input_range
/// Source     none
template <class D, class A>
class Epoch {
 public:
  class Iterator {
   public:
    using iterator_concept = std::input_iterator_tag;
    using value_type = Batch;
    using difference_type = std::ptrdiff_t;

    Iterator() = default;
    explicit Iterator(Epoch* epoch) : epoch_(epoch) {}
    [[nodiscard]] Batch& operator*() const { return *epoch_->current_; }
    Iterator& operator++() {
      epoch_->advance();
      return *this;
    }
    void operator++(int) { epoch_->advance(); }
    [[nodiscard]] bool operator==(std::default_sentinel_t) const { return !epoch_->current_.has_value(); }

   private:
    Epoch* epoch_ = nullptr;
  };

  Epoch(std::shared_ptr<detail::LoaderEngine<D, A>> engine, std::int64_t epoch, std::int64_t first_batch)
      : engine_(std::move(engine)), generation_(engine_->start(epoch, first_batch)) {}
  Epoch(const Epoch&) = delete;
  Epoch& operator=(const Epoch&) = delete;
  ~Epoch() { engine_->stop(generation_); }

  /// The next batch; nothing after the last one, and only then.
  [[nodiscard]] std::optional<Batch> next() { return engine_->next(generation_); }

  [[nodiscard]] Iterator begin() {
    advance();
    return Iterator(this);
  }
  [[nodiscard]] std::default_sentinel_t end() const { return {}; }

 private:
  void advance() {
    current_.reset();  // its memory first, so that the next batch can have it
    current_ = next();
  }

  std::shared_ptr<detail::LoaderEngine<D, A>> engine_;
  std::uint64_t generation_;
  std::optional<Batch> current_{};
};

/// Batches of views of a data set's images.
///
/// Of each image the header is read, the view maker is asked which regions its views need, and these are decoded: apart,
/// or together where that is cheaper (plan_views). The pixels are those of the whole image, to the bit. With `ahead` >=
/// 1, `workers` threads keep up to `ahead` batches ready beside the step: for a GPU. With `ahead` = 0 nothing runs in
/// the background: a batch is made when it is asked for, by `workers` threads of which the caller is one, and which
/// sleep otherwise: for training on the CPU, where the step needs the same cores. The bytes do not depend on either.
///
///     data::Loader loader{dataset, augment::simclr({.size = 28}), {.batch_size = 256, .seed = 1}};
///     for (const data::Batch& batch : loader.epoch(0)) step(batch.views[0], batch.views[1]);
///
/// The order of an epoch is that of the fourth argument, data::order::Shuffled unless told otherwise.
///
/// Views are float32 and [B, C, H, W] unless LoaderOptions::element and ::layout say otherwise: then the worker that made a
/// view also rounds it (to nearest, ties to even) and reorders it, on its way into the batch. The memory of batches comes
/// from the fifth argument, for whoever wants it page-locked (train::PinnedMemory).
///
/// A view maker that is a jessl::DescribingViewMaker, such as augment::with_parameters(maker), also gives the parameters of
/// each view, as Batch::parameters.
///
/// Shapes     V x [B, C, H, W] a batch
/// Cost       an image: what its plan says, and its views; memory for ahead + 1 batches, taken once: nothing is
///            allocated per image once warm
/// Randomness the order from Purpose::order, substitutes from Purpose::substitution, views from Purpose::augmentation;
///            functions of (seed, epoch, sample, view, operation), the same for any `workers` and `ahead`
/// Errors     ConfigError for settings out of range, more workers than the system gives threads, an empty data set, or
///            more images a batch than the data set has (with drop_last) or than the ranks can share equally; DataError
///            for a damaged image (OnCorrupt::error), or too many (OnCorrupt::substitute); ShapeError for a region
///            outside the image
/// Models     none
/// Source     none
template <class D, class A>
class Loader {
  static_assert(
      Dataset<D>,
      "jessl::data::Loader requires its first argument to be a jessl::Dataset: size(), channels(), classes(), "
      "label(i), read(i, storage), describe(i); see docs/data/README.md");
  static_assert(
      ViewMaker<A>,
      "jessl::data::Loader requires its second argument to be a jessl::ViewMaker: views, Scratch, shape(v, channels), "
      "region(extent, key), make(part, key, scratch, out); see jessl/core/views.hpp");

 public:
  static constexpr std::int64_t views = A::views;
  static_assert(views >= 1 && views <= 255,
                "jessl::data::Loader requires a view maker of 1 to 255 views; see jessl/core/views.hpp");

  /// `memory` gives the batches theirs; it is used by one thread at a time and must outlive the loader and its batches.
  template <class O = order::Shuffled>
  explicit Loader(D dataset, A maker, const LoaderOptions& options = {}, O order = {},
                  std::pmr::memory_resource* memory = std::pmr::new_delete_resource())
      : engine_(std::make_shared<detail::LoaderEngine<D, A>>(std::move(dataset), std::move(maker), options,
                                                             arrangement(std::move(order)), memory)) {
    static_assert(
        Order<O, D>,
        "jessl::data::Loader requires its fourth argument to be a jessl::Order: by_page, arrange(data, key, indices); "
        "see docs/data/order.md");
  }
  Loader(Loader&&) noexcept = default;
  Loader& operator=(Loader&&) noexcept = default;

  /// The batches of an epoch from `first_batch` on; ends the epoch that was running. One epoch runs at a time.
  [[nodiscard]] Epoch<D, A> epoch(std::int64_t epoch, std::int64_t first_batch = 0) {
    return {engine_, epoch, first_batch};
  }

  /// The number of batches of an epoch.
  [[nodiscard]] std::int64_t batches() const { return engine_->batches(); }

  /// The number of different damaged images met so far.
  [[nodiscard]] std::int64_t corrupt() const { return engine_->corrupt(); }

  /// [C, H, W] of view v; the largest of any epoch, where that changes it. ConfigError for a view that the maker has not.
  [[nodiscard]] const ViewShape& shape(std::int64_t view) const {
    JESSL_CHECK(view >= 0 && view < A::views, ConfigError, "jessl::data::Loader: there is no view ", view,
                ", the maker makes ", A::views);
    return engine_->shapes()[static_cast<std::size_t>(view)];
  }

  [[nodiscard]] const LoaderOptions& options() const { return engine_->options(); }
  [[nodiscard]] const D& dataset() const { return engine_->dataset(); }
  [[nodiscard]] const A& maker() const { return engine_->maker(); }

 private:
  template <class O>
  [[nodiscard]] static typename detail::LoaderEngine<D, A>::Arrangement arrangement(O order) {
    if constexpr (!Order<O, D>) {
      return {};  // the constructor's assertion alone is to be read
    } else {
      return {[order = std::move(order)](const D& data, const DrawKey& key, std::span<std::int64_t> indices) {
                order.arrange(data, key, indices);
              },
              O::by_page};
    }
  }

  std::shared_ptr<detail::LoaderEngine<D, A>> engine_;
};

}  // namespace jessl::data
