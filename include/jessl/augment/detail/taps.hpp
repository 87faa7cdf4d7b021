// SPDX-License-Identifier: Apache-2.0
// Taps: what geometric operations do along one axis, as a sparse matrix that they are composed into.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include <jessl/core/error.hpp>

namespace jessl::augment::detail {

/// Places along one axis: [begin, end).
struct Range {
  std::int64_t begin = 0;
  std::int64_t end = 0;

  bool operator==(const Range&) const = default;
  [[nodiscard]] constexpr bool empty() const { return begin >= end; }
};

/// The triangle by which `length` values are resampled to `size`: twice as wide as an output, and at least as two inputs.
class Triangle {
 public:
  constexpr Triangle(std::int64_t length, std::int64_t size)
      : length_(length),
        size_(size),
        scale_(static_cast<double>(length) / static_cast<double>(size)),
        per_support_(1.0 / std::max(scale_, 1.0)) {}

  /// The inputs that an output is made of: those whose middles are nearer to its own than the half-width. In whole
  /// numbers, so that who asks which inputs are needed and who weighs them never differ by a rounding.
  [[nodiscard]] constexpr Range inputs(std::int64_t output) const {
    const std::int64_t middle = length_ * (2 * output + 1);  // times 2 size, as all of these
    const std::int64_t half_width = 2 * std::max(length_, size_);
    return {std::max<std::int64_t>(0, (middle - half_width + size_) / (2 * size_)),
            std::min(length_, (middle + half_width + size_) / (2 * size_))};
  }

  /// The weight of an input in an output, not normalised.
  [[nodiscard]] double weight(std::int64_t input, std::int64_t output) const {
    const double middle = scale_ * (static_cast<double>(output) + 0.5);
    return std::max(0.0, 1.0 - std::abs(static_cast<double>(input) - middle + 0.5) * per_support_);
  }

 private:
  std::int64_t length_;
  std::int64_t size_;
  double scale_;  // inputs an output stands for
  double per_support_;
};

/// The inputs, of `extent` many, from which the outputs in `wanted` are made by cutting [first, first + length) out,
/// resampling it to `size` values and mirroring these if `flip`: what Taps::apply does, without the weights.
[[nodiscard]] constexpr Range inputs_of(Range wanted, std::int64_t first, std::int64_t length, std::int64_t size,
                                        bool flip, std::int64_t extent) {
  if (wanted.empty()) return {};
  if (flip) wanted = {size - wanted.end, size - wanted.begin};
  if (length != size) {
    const Triangle triangle(length, size);
    wanted = {triangle.inputs(wanted.begin).begin, triangle.inputs(wanted.end - 1).end};
  }
  return {std::max<std::int64_t>(0, first + wanted.begin), std::min(extent, first + wanted.end)};
}

/// One axis of a cut, resampling and mirroring: output[o] = sum over k of weights(o)[k] * input[row(o).start + k].
///
/// Cutting, resampling and mirroring act on rows and columns separately and are linear, so that any sequence of them is
/// one such matrix for each axis. `apply` multiplies the next operation onto what is there; an operation that only
/// selects (crop, flip) reorders rows and touches no weight.
class Taps {
 public:
  /// The inputs that one output is made of; none where the output lies outside the image.
  struct Row {
    std::int64_t start = 0;
    std::int64_t count = 0;
    std::size_t first_weight = 0;
  };

  /// Makes it the identity of that many values.
  void reset(std::int64_t length) {
    input_ = length;
    reserve(length, 1);
    rows_.clear();
    weights_.assign(1, 1.0F);
    for (std::int64_t o = 0; o < length; ++o) rows_.push_back({o, 1, 0});
  }

  /// Then cuts [first, first + length) out, resamples it to `size` values and mirrors them if `flip`.
  void apply(std::int64_t first, std::int64_t length, std::int64_t size, bool flip) {
    if (length == size) {
      select(first, size);
    } else {
      resample(first, length, size);
    }
    if (flip) std::reverse(rows_.begin(), rows_.end());
  }

  /// Then takes as inputs those of an image shrunk by `shrink`, each of which stands for as many of this one's.
  void shrink(std::int64_t shrink) {
    if (shrink == 1) return;
    reserve(length(), std::max(static_cast<std::int64_t>(weights_.size()), length()));
    old_rows_.swap(rows_);
    old_weights_.swap(weights_);
    rows_.clear();
    weights_.clear();
    for (const Row& old : old_rows_) {
      Row row{0, 0, weights_.size()};
      if (old.count > 0) {
        row.start = old.start / shrink;
        row.count = (old.start + old.count - 1) / shrink + 1 - row.start;
        weights_.resize(row.first_weight + static_cast<std::size_t>(row.count), 0.0F);
      }
      float* const target = weights_.data() + row.first_weight;
      for (std::int64_t k = 0; k < old.count; ++k)
        target[(old.start + k) / shrink - row.start] += old_weights_[old.first_weight + static_cast<std::size_t>(k)];
      rows_.push_back(row);
    }
  }

  /// Of the axis of the image in full size.
  [[nodiscard]] std::int64_t input_length() const { return input_; }
  [[nodiscard]] std::span<const Row> rows() const { return rows_; }
  [[nodiscard]] const float* weights(const Row& row) const { return weights_.data() + row.first_weight; }

  /// How many inputs an output is made of at most.
  [[nodiscard]] std::int64_t most_inputs() const {
    std::int64_t most = 0;
    for (const Row& row : rows_) most = std::max(most, row.count);
    return most;
  }

  /// The smallest range of inputs that all outputs together need; [0, 0) for none.
  [[nodiscard]] Range needed() const {
    Range range{input_, 0};
    for (const Row& row : rows_) {
      if (row.count == 0) continue;
      range.begin = std::min(range.begin, row.start);
      range.end = std::max(range.end, row.start + row.count);
    }
    return range.empty() ? Range{} : range;
  }

 private:
  [[nodiscard]] std::int64_t length() const { return static_cast<std::int64_t>(rows_.size()); }

  /// Makes room in both pairs of memories, since they take turns: later draws then allocate nothing.
  void reserve(std::int64_t rows, std::int64_t weights) {
    rows_.reserve(static_cast<std::size_t>(rows));
    old_rows_.reserve(static_cast<std::size_t>(rows));
    weights_.reserve(static_cast<std::size_t>(weights));
    old_weights_.reserve(static_cast<std::size_t>(weights));
  }

  void select(std::int64_t first, std::int64_t size) {
    if (first == 0 && size == length()) return;
    reserve(size, 1);
    old_rows_.swap(rows_);
    rows_.assign(static_cast<std::size_t>(size), Row{});
    const std::int64_t begin = std::max<std::int64_t>(0, -first);
    const std::int64_t end = std::min(size, static_cast<std::int64_t>(old_rows_.size()) - first);
    for (std::int64_t o = begin; o < end; ++o)
      rows_[static_cast<std::size_t>(o)] = old_rows_[static_cast<std::size_t>(first + o)];
  }

  void resample(std::int64_t first, std::int64_t length_in, std::int64_t size) {
    reserve(size, 2 * std::max(input_, length_in) + 4 * size);  // enough for any box of the image
    old_rows_.swap(rows_);
    old_weights_.swap(weights_);
    rows_.clear();
    weights_.clear();

    const Triangle triangle(length_in, size);
    for (std::int64_t o = 0; o < size; ++o) {
      const auto [begin, end] = triangle.inputs(o);
      double sum = 0.0;
      for (std::int64_t i = begin; i < end; ++i) sum += triangle.weight(i, o);
      const double per_sum = 1.0 / sum;
      add_row(first + begin, first + end,
              [&](std::int64_t i) { return static_cast<float>(triangle.weight(i - first, o) * per_sum); });
    }
  }

  /// Adds the row whose weights on the previous operation's outputs [begin, end) are given.
  template <class Weight>
  void add_row(std::int64_t begin, std::int64_t end, const Weight& weight) {
    begin = std::max<std::int64_t>(begin, 0);
    end = std::min(end, static_cast<std::int64_t>(old_rows_.size()));
    Row row{input_, 0, weights_.size()};
    std::int64_t row_end = 0;
    for (std::int64_t i = begin; i < end; ++i) {
      const Row& old = old_rows_[static_cast<std::size_t>(i)];
      if (old.count == 0) continue;
      row.start = std::min(row.start, old.start);
      row_end = std::max(row_end, old.start + old.count);
    }
    row.count = std::max<std::int64_t>(0, row_end - row.start);
    weights_.resize(row.first_weight + static_cast<std::size_t>(row.count), 0.0F);
    for (std::int64_t i = begin; i < end; ++i) {
      const Row& old = old_rows_[static_cast<std::size_t>(i)];
      const float factor = weight(i);
      float* const target = weights_.data() + row.first_weight + (old.start - row.start);
      for (std::int64_t k = 0; k < old.count; ++k)
        target[k] += factor * old_weights_[old.first_weight + static_cast<std::size_t>(k)];
    }
    rows_.push_back(row);
  }

  std::int64_t input_ = 0;  // length of the axis of the image
  std::vector<Row> rows_;
  std::vector<float> weights_;
  std::vector<Row> old_rows_;  // of the operation before, while the next is multiplied on
  std::vector<float> old_weights_;
};

}  // namespace jessl::augment::detail
