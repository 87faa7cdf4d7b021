// SPDX-License-Identifier: Apache-2.0
// Any data set as one type, for programs that learn at run time which kind it is.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <jessl/core/image.hpp>
#include <jessl/data/concept.hpp>
#include <jessl/data/detail/raw_images.hpp>

namespace jessl::data {

/// A data set of any type, as a value of one type.
///
/// A Loader and a Trainer are compiled once for each type of data set. A program that lets its user choose the kind compiles
/// them once for this one instead. Images, labels, order and fingerprint are those of the data set inside, so that a run on
/// one goes on from a checkpoint of the other. Copies share it.
///
///     const data::AnyDataset images = is_beton ? data::AnyDataset(data::Beton(path)) : data::AnyDataset(data::ImageFolder(path));
///
/// Pages, and their being read ahead, are kept where the data set has them; where it has none, each image is a page of its own.
///
/// Shapes     those of the data set inside
/// Cost       a virtual call a member that is called: one an image in a Loader, beside reading it
/// Errors     those of the data set inside; DataError for an index outside it
/// Models     jessl::PrefetchingDataset (docs/data/README.md)
/// Source     none
class AnyDataset {
 public:
  static constexpr std::string_view name = "AnyDataset";

  template <class D>
  requires(!std::same_as<D, AnyDataset> && Dataset<D>) explicit AnyDataset(D dataset)
      : held_(std::make_shared<const Held<D>>(std::move(dataset))) {}

  [[nodiscard]] std::int64_t size() const { return held_->size(); }
  [[nodiscard]] std::int64_t channels() const { return held_->channels(); }
  [[nodiscard]] std::int64_t classes() const { return held_->classes(); }
  [[nodiscard]] std::int64_t label(std::int64_t i) const { return held_->label(i); }
  [[nodiscard]] EncodedImage read(std::int64_t i, std::vector<std::byte>& storage) const {
    return held_->read(i, storage);
  }
  [[nodiscard]] std::string describe(std::int64_t i) const { return held_->describe(i); }
  [[nodiscard]] std::int64_t page(std::int64_t i) const { return held_->page(i); }
  void prefetch(std::int64_t page) const { held_->prefetch(page); }

 private:
  struct Interface {
    Interface() = default;
    Interface(const Interface&) = delete;
    Interface& operator=(const Interface&) = delete;
    virtual ~Interface() = default;
    [[nodiscard]] virtual std::int64_t size() const = 0;
    [[nodiscard]] virtual std::int64_t channels() const = 0;
    [[nodiscard]] virtual std::int64_t classes() const = 0;
    [[nodiscard]] virtual std::int64_t label(std::int64_t i) const = 0;
    [[nodiscard]] virtual EncodedImage read(std::int64_t i, std::vector<std::byte>& storage) const = 0;
    [[nodiscard]] virtual std::string describe(std::int64_t i) const = 0;
    [[nodiscard]] virtual std::int64_t page(std::int64_t i) const = 0;
    virtual void prefetch(std::int64_t page) const = 0;
  };

  template <class D>
  struct Held final : Interface {
    explicit Held(D of) : dataset(std::move(of)) {}
    [[nodiscard]] std::int64_t size() const override { return dataset.size(); }
    [[nodiscard]] std::int64_t channels() const override { return dataset.channels(); }
    [[nodiscard]] std::int64_t classes() const override { return dataset.classes(); }
    [[nodiscard]] std::int64_t label(std::int64_t i) const override { return dataset.label(i); }
    [[nodiscard]] EncodedImage read(std::int64_t i, std::vector<std::byte>& storage) const override {
      return dataset.read(i, storage);
    }
    [[nodiscard]] std::string describe(std::int64_t i) const override { return dataset.describe(i); }
    [[nodiscard]] std::int64_t page(std::int64_t i) const override {
      if constexpr (PagedDataset<D>) {
        return dataset.page(i);
      } else {
        detail::check_index(i, dataset.size(), "jessl::data::AnyDataset");
        return i;
      }
    }
    void prefetch(std::int64_t page) const override {
      if constexpr (PrefetchingDataset<D>) dataset.prefetch(page);
    }
    D dataset;
  };

  std::shared_ptr<const Interface> held_;
};

static_assert(PrefetchingDataset<AnyDataset>);

}  // namespace jessl::data
