// SPDX-License-Identifier: Apache-2.0
// progressive: views that grow from epoch to epoch.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <jessl/augment/detail/check.hpp>
#include <jessl/core/draw.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/image.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/shape.hpp>
#include <jessl/core/views.hpp>

namespace jessl::augment {

/// The size of the views in each epoch: `min` until epoch `start`, then rising in a straight line to `max` at epoch
/// `end`, rounded to a multiple of `step`.
///
/// Shapes     none
/// Errors     ConfigError from check() for settings out of their ranges
/// Models     jessl::Options
/// Source     FFCV-SSL's train_ssl.py (min_res, max_res, start_ramp, end_ramp), arXiv 2303.01986
struct Ramp {
  std::int64_t min = 160;   ///< pixels, >= 1, a multiple of step
  std::int64_t max = 224;   ///< pixels, >= min, a multiple of step
  std::int64_t start = 10;  ///< epoch, >= 0: the last of size min
  std::int64_t end = 30;    ///< epoch, > start: the first of size max
  std::int64_t step = 32;   ///< pixels, >= 1; an encoder halves sizes several times

  void check() const {
    JESSL_CHECK(step >= 1, ConfigError, "jessl::augment::Ramp: step is ", step, ", expected at least 1");
    JESSL_CHECK(min >= 1 && min % step == 0, ConfigError, "jessl::augment::Ramp: min is ", min,
                ", expected a multiple of step = ", step);
    JESSL_CHECK(max >= min && max % step == 0, ConfigError, "jessl::augment::Ramp: max is ", max,
                ", expected a multiple of step = ", step, " and at least min = ", min);
    JESSL_CHECK(start >= 0 && end > start, ConfigError, "jessl::augment::Ramp: start is ", start, " and end is ", end,
                ", expected 0 <= start < end");
  }

  /// The size in an epoch, pixels.
  [[nodiscard]] std::int64_t at(std::int64_t epoch) const {
    const double risen = static_cast<double>(std::clamp(epoch, start, end) - start) / static_cast<double>(end - start);
    const double size = static_cast<double>(min) + risen * static_cast<double>(max - min);
    return static_cast<std::int64_t>(std::nearbyint(size / static_cast<double>(step))) * step;
  }
};

/// The views of a maker whose size an epoch's number decides: see progressive().
///
/// Shapes     [C, H, W] of each view as the maker of the epoch's size gives it; shape() without an epoch is the largest
/// Randomness as the makers'
/// Errors     ConfigError on construction for a ramp out of its ranges, and what a maker of any of its sizes throws;
///            ConfigError from shape() and make() as the makers'
/// Models     jessl::ViewMaker (docs/augment/README.md)
/// Source     as Ramp
template <ViewMaker Maker>
class Progressive {
 public:
  using Scratch = typename Maker::Scratch;
  static constexpr std::int64_t views = Maker::views;

  /// `maker_of(size)` gives the maker for views of that size; it is asked for every size of the ramp, now.
  template <class MakerOf>
  Progressive(const Ramp& ramp, const MakerOf& maker_of) : ramp_(ramp) {
    ramp.check();
    for (std::int64_t size = ramp.min; size <= ramp.max; size += ramp.step) makers_.push_back(maker_of(size));
  }

  /// The maker of an epoch.
  [[nodiscard]] const Maker& at(std::int64_t epoch) const {
    return makers_[static_cast<std::size_t>((ramp_.at(epoch) - ramp_.min) / ramp_.step)];
  }

  /// The maker of the largest views, which an encoder is evaluated with.
  [[nodiscard]] const Maker& largest() const { return makers_.back(); }

  [[nodiscard]] ViewShape shape(std::int64_t view, std::int64_t channels) const {
    return largest().shape(view, channels);
  }

  [[nodiscard]] ViewShape shape(std::int64_t view, std::int64_t channels, std::int64_t epoch) const {
    return at(epoch).shape(view, channels);
  }

  [[nodiscard]] Region region(const Extent& extent, const DrawKey& key) const {
    return at(key.epoch).region(extent, key);
  }

  [[nodiscard]] std::int64_t shrink(const Extent& extent, const DrawKey& key) const requires ShrinkingViewMaker<Maker> {
    return at(key.epoch).shrink(extent, key);
  }

  void make(const RegionView& part, const DrawKey& key, Scratch& scratch, std::span<float> out) const {
    at(key.epoch).make(part, key, scratch, out);
  }

  /// As the makers', where they tell their parameters.
  [[nodiscard]] std::vector<std::string> parameters(std::int64_t view) const requires DescribingViewMaker<Maker> {
    return largest().parameters(view);
  }
  void describe(const Extent& extent, const DrawKey& key,
                std::span<float> out) const requires DescribingViewMaker<Maker> {
    at(key.epoch).describe(extent, key, out);
  }

  /// {"name": "progressive", "ramp": {...}, "makers": [{...}, ...]}, the makers by size: a run has to do with each of them.
  [[nodiscard]] Json to_json() const {
    Json object = Json::object();
    object["name"] = "progressive";
    object["ramp"] = jessl::to_json(ramp_);
    object["makers"] = Json::array();
    for (const Maker& maker : makers_) object["makers"].push_back(maker.to_json());
    return object;
  }

 private:
  Ramp ramp_;
  std::vector<Maker> makers_;  // by size
};

/// Views that grow with the epochs: progressive({.min = 160, .max = 224}, [](std::int64_t size) { return
/// simclr({.size = size}); }). Early epochs cost less, and the loader keeps its memory, that of the largest.
///
/// Shapes     see Progressive
/// Errors     see Progressive
/// Models     none
/// Source     as Ramp
template <class MakerOf>
[[nodiscard]] auto progressive(const Ramp& ramp, const MakerOf& maker_of) {
  return Progressive<decltype(maker_of(std::int64_t{}))>(ramp, maker_of);
}

}  // namespace jessl::augment

JESSL_OPTIONS(jessl::augment::Ramp, min, max, start, end, step);
