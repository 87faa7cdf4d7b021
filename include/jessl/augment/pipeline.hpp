// SPDX-License-Identifier: Apache-2.0
// compose: operations in order, fused at compile time into as few passes over the pixels as their kinds allow.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <jessl/augment/concept.hpp>
#include <jessl/augment/detail/planes.hpp>
#include <jessl/augment/detail/taps.hpp>
#include <jessl/augment/detail/warp.hpp>
#include <jessl/core/draw.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/image.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/shape.hpp>

namespace jessl::augment {

/// The working memory of pipelines, one per thread; any pipeline may use any.
///
/// Shapes     grows to the largest image and view it meets, and is then reused
/// Errors     none
/// Models     the Scratch of a jessl::ViewMaker
/// Source     none
struct Scratch {
  detail::Taps vertical{};
  detail::Taps horizontal{};
  detail::Lines lines{};
  detail::WarpMemory warp{};
  std::array<std::vector<float>, 2> planes{};  ///< images between a geometric operation and an earlier pixel operation
};

/// Operations in order, as one maker of one view.
///
/// Neighbouring geometric operations are one resampling from the 8-bit source (values become v / 255). Pointwise
/// operations, colour operations and Normalize between two filters are one pass, applied block by block to pixels in
/// the first-level cache; what needs to know the image before it (contrast its mean, equalization its histogram) begins
/// a new pass, and is told by the one before; a filter takes two of its own, a warp one. The operations see the same values as if they
/// were applied one by one.
///
/// Shapes     image [H, W, C] of 8 bits, or a part of it -> [C, size of the last resize or crop], float
/// Precision  float32 from the source to the view, no rounding to 8 bits in between
/// Randomness operation i draws from the stream of its position: the key with operation = i
/// Errors     ConfigError on construction from an operation's check(), and for values outside [0, 1] where the next
///            operation expects that range; ConfigError from shape() and make() where nothing fixes the size; ShapeError
///            from make() for an image or an output of the wrong size, or a part without all of region()
/// Models     jessl::ShrinkingViewMaker with views = 1 (docs/augment/README.md)
/// Source     none
template <Operation... Ops>
class Pipeline {
 public:
  using Scratch = augment::Scratch;
  using Params = std::tuple<typename Ops::Params...>;

  static constexpr std::int64_t views = 1;
  static constexpr std::size_t size = sizeof...(Ops);

  explicit Pipeline(Ops... operations) : operations_(std::move(operations)...) {
    std::apply([](const auto&... operation) { (operation.check(), ...); }, operations_);
    for_each_index<0, size>([this]<std::size_t I>() { check_range<I>(); });
  }

  /// The operations, a tuple in order.
  [[nodiscard]] const std::tuple<Ops...>& operations() const { return operations_; }

  /// [C, H, W] of the view; the same for every image with that many channels.
  [[nodiscard]] ViewShape shape(std::int64_t /*view*/, std::int64_t channels) const {
    JESSL_CHECK(channels == 1 || channels == 3, ConfigError, "jessl::augment::Pipeline: images with ", channels,
                " channels, expected 1 (grey) or 3 (RGB)");
    const Extent extent = output({});
    JESSL_CHECK(
        extent.known(), ConfigError, "jessl::augment::Pipeline: the size of the view depends on the image in ", names(),
        ". Views of one batch must have one size: add RandomResizedCrop{.size = ...}, CenterCrop{.size = ...} or "
        "Resize{.size = height, .width = width}");
    return {channels, extent.height, extent.width};
  }

  /// The parameters of every operation for the image of that size and the view that `key` names: exactly those that
  /// `make` applies. They can serve as labels.
  [[nodiscard]] Params sample(const DrawKey& key, Extent extent) const {
    return sample(key, extent, std::index_sequence_for<Ops...>{});
  }

  /// The rows and columns of an image of that size from which the view that `key` names is made: those that the
  /// geometric operations at the beginning read. All of them where there are none.
  [[nodiscard]] Region region(const Extent& extent, const DrawKey& key) const {
    return first_region(extent, key, std::make_index_sequence<end_of_run(0, true)>{});
  }

  /// By how much that region may be shrunk and still have a pixel for each that the geometric operations at the
  /// beginning make of it: 1 where they don't shrink it themselves.
  [[nodiscard]] std::int64_t shrink(const Extent& extent, const DrawKey& key) const {
    constexpr std::size_t end = end_of_run(0, true);
    Extent made = extent;
    for_each_index<0, end>([&]<std::size_t I>() { (void)sample_one<I>(key, made); });
    return largest_shrink(first_region(extent, key, std::make_index_sequence<end>{}), made.height, made.width);
  }

  /// Writes the view that `key` names into `out`. `part` holds that region or more, in full size or shrunk.
  void make(const RegionView& part, const DrawKey& key, Scratch& scratch, std::span<float> out) const {
    apply(part, sample(key, {part.image_height, part.image_width}), scratch, out);
  }

  /// Writes the view with the given parameters into `out`.
  void apply(const RegionView& part, const Params& params, Scratch& scratch, std::span<float> out) const {
    check_part(part);
    const ViewShape view = shape(0, part.channels);
    JESSL_CHECK(out.size() == static_cast<std::size_t>(view.count()), ShapeError, "jessl::augment::Pipeline: out has ",
                out.size(), " values, expected ", view.count(), " for a view of shape ", view);
    if (part.channels == 1) {
      apply<1>(part, params, scratch, out);
    } else {
      apply<3>(part, params, scratch, out);
    }
  }

  /// {"name": "compose", "operations": [...]}, in order.
  [[nodiscard]] Json to_json() const {
    Json list = Json::array();
    std::apply([&](const auto&... operation) { (list.push_back(jessl::to_json(operation)), ...); }, operations_);
    Json object = Json::object();
    object["name"] = "compose";
    object["operations"] = std::move(list);
    return object;
  }

 private:
  static_assert(size >= 1, "jessl::augment::compose needs at least one operation; see docs/augment/README.md");
  static_assert(size <= 255, "jessl::augment::compose takes at most 255 operations: DrawKey::operation is 8 bits wide");

  template <std::size_t I>
  using Op = std::tuple_element_t<I, std::tuple<Ops...>>;

  /// The first operation from `first` on that doesn't take values of any range.
  [[nodiscard]] static constexpr std::size_t end_of_any_range(std::size_t first) {
    constexpr std::array any_range = {takes_any_range<Ops>...};
    while (first < size && any_range[first]) ++first;
    return first;
  }

  [[nodiscard]] static constexpr bool finals_are_last() {
    constexpr std::array final_operations = {is_final<Ops>...};
    for (std::size_t i = 0; i < size; ++i) {
      if (final_operations[i] && end_of_any_range(i + 1) < size) return false;
    }
    return true;
  }
  static_assert(
      finals_are_last(),
      "jessl::augment::compose: Normalize must be the last operation, because the others expect values in [0, 1]; "
      "only Cutout and RandomErasing may follow it; see docs/augment/README.md");

  /// That an operation whose settings leave the range [0, 1] comes where nothing expects that range.
  template <std::size_t I>
  void check_range() const {
    if constexpr (requires(const Op<I>& operation) { operation.leaves_range(); }) {
      constexpr std::size_t next = end_of_any_range(I + 1);
      if constexpr (next < size) {
        JESSL_CHECK(!std::get<I>(operations_).leaves_range(), ConfigError, "jessl::augment::", Op<I>::name,
                    ": its values lie outside [0, 1], but ", Op<next>::name,
                    ", which comes later, expects that range; put ", Op<I>::name, " after Normalize");
      }
    }
  }

  /// The first operation from `first` on that is (not) geometric.
  [[nodiscard]] static constexpr std::size_t end_of_run(std::size_t first, bool geometric) {
    constexpr std::array kinds = {GeometricOperation<Ops>...};
    while (first < size && kinds[first] == geometric) ++first;
    return first;
  }

  template <std::size_t... I>
  [[nodiscard]] Params sample(const DrawKey& key, Extent extent, std::index_sequence<I...>) const {
    return Params{sample_one<I>(key, extent)...};  // braces: in order, as each changes the extent for the next
  }

  template <std::size_t I>
  [[nodiscard]] typename Op<I>::Params sample_one(DrawKey key, Extent& extent) const {
    key.operation = static_cast<std::uint8_t>(I);
    Draw draw(key);
    const Op<I>& operation = std::get<I>(operations_);
    if constexpr (GeometricOperation<Op<I>>) {
      auto params = operation.sample(draw, extent);
      extent = operation.place(params, extent).size;
      return params;
    } else if constexpr (requires { operation.sample(draw, extent); }) {
      return operation.sample(draw, extent);
    } else {
      return operation.sample(draw);
    }
  }

  [[nodiscard]] Extent output(Extent extent) const {
    const auto after = [&](const auto& operation) {
      if constexpr (requires { operation.output(extent); }) extent = operation.output(extent);
    };
    std::apply([&](const auto&... operation) { (after(operation), ...); }, operations_);
    return extent;
  }

  [[nodiscard]] static std::string names() {
    std::string text;
    const auto add = [&](std::string_view name) {
      text += text.empty() ? "compose(" : ", ";
      text += name;
    };
    (add(Ops::name), ...);
    text += ')';
    return text;
  }

  /// The placements of the operations I..., the first ones, followed from the image to the view and back again.
  template <std::size_t... I>
  [[nodiscard]] Region first_region(Extent extent, const DrawKey& key, std::index_sequence<I...>) const {
    struct Placed {
      Extent input{};
      Placement placement{};
    };
    std::array<Placed, sizeof...(I)> placed;
    [[maybe_unused]] const auto place = [&]<std::size_t Index>() {
      Extent output = extent;
      const auto params = sample_one<Index>(key, output);
      placed[Index] = {extent, std::get<Index>(operations_).place(params, extent)};
      extent = output;
    };
    (place.template operator()<I>(), ...);

    detail::Range rows{0, extent.height};
    detail::Range columns{0, extent.width};
    for (std::size_t i = placed.size(); i-- > 0;) {
      const auto& [input, placement] = placed[i];
      const Region& box = placement.box;
      rows = detail::inputs_of(rows, box.top, box.height, placement.size.height, placement.flip_vertical, input.height);
      columns = detail::inputs_of(columns, box.left, box.width, placement.size.width, placement.flip, input.width);
    }
    // A view of nothing but black needs no pixel, but a part of an image has one.
    if (rows.empty() || columns.empty()) return {.height = 1, .width = 1};
    return {rows.begin, columns.begin, rows.end - rows.begin, columns.end - columns.begin};
  }

  static void check_part(const RegionView& part) {
    const Region& region = part.region;
    JESSL_CHECK(part.channels == 1 || part.channels == 3, ShapeError, "jessl::augment::Pipeline: the image has ",
                part.channels, " channels, expected 1 (grey) or 3 (RGB)");
    JESSL_CHECK(part.image_height >= 1 && part.image_width >= 1, ShapeError, "jessl::augment::Pipeline: the image has ",
                part.image_height, " rows and ", part.image_width, " columns, expected at least one pixel");
    JESSL_CHECK(part.shrink == 1 || part.shrink == 2 || part.shrink == 4 || part.shrink == 8, ShapeError,
                "jessl::augment::Pipeline: the image is shrunk by ", part.shrink, ", expected 1, 2, 4 or 8");
    const Region whole{.height = (part.image_height + part.shrink - 1) / part.shrink,
                       .width = (part.image_width + part.shrink - 1) / part.shrink};
    JESSL_CHECK(region.height >= 1 && region.width >= 1 && whole.contains(region), ShapeError,
                "jessl::augment::Pipeline: the part has ", region.height, " rows from ", region.top, " and ",
                region.width, " columns from ", region.left, ", expected a part of an image of ", whole.height,
                " rows and ", whole.width, " columns");
    const std::int64_t row = region.width * part.channels;
    const std::int64_t expected = (region.height - 1) * part.stride + row;
    JESSL_CHECK(part.stride >= row && part.pixels.size() == static_cast<std::size_t>(expected), ShapeError,
                "jessl::augment::Pipeline: the image has ", part.pixels.size(),
                " bytes, expected [height, width, channels] = [", region.height, ", ", region.width, ", ",
                part.channels, "] = ", expected, " with ", part.stride, " from row to row");
  }

  template <std::size_t C>
  void apply(const RegionView& part, const Params& params, Scratch& scratch, std::span<float> out) const {
    const detail::Source<std::uint8_t> source{part.pixels.data(), part.region, part.stride, part.channels, 1};
    constexpr float white = 255.0F;
    run<0, 0, C>(source, part.shrink, {part.image_height, part.image_width}, 1.0F / white, params, scratch, out);
  }

  /// That the part of the image which is there has all that the taps read.
  static void check_needed(const Region& region, const Scratch& scratch) {
    const auto [top, bottom] = scratch.vertical.needed();
    const auto [left, right] = scratch.horizontal.needed();
    if (top == bottom || left == right) return;
    const Region needed{top, left, bottom - top, right - left};
    JESSL_CHECK(region.contains(needed), ShapeError, "jessl::augment::Pipeline: the part of the image has rows ",
                region.top, " to ", region.bottom() - 1, " and columns ", region.left, " to ", region.right() - 1,
                ", expected at least rows ", top, " to ", bottom - 1, " and columns ", left, " to ", right - 1,
                ": those that region() asks for");
  }

  /// The operations from First on: a run of geometric ones, the run of pixel operations after it, and so on. `extent` is
  /// that of the image in full size, of which `source` has each `shrink` pixels along a side as one.
  template <std::size_t First, std::size_t Run, std::size_t C, class T>
  void run(const detail::Source<T>& source, std::int64_t shrink, Extent extent, float scale, const Params& params,
           Scratch& scratch, std::span<float> out) const {
    constexpr std::size_t middle = end_of_run(First, true);
    constexpr std::size_t last = end_of_run(middle, false);

    scratch.vertical.reset(extent.height);
    scratch.horizontal.reset(extent.width);
    const auto place = [&]<std::size_t I>() {
      const Placement placement = std::get<I>(operations_).place(std::get<I>(params), extent);
      scratch.vertical.apply(placement.box.top, placement.box.height, placement.size.height, placement.flip_vertical);
      scratch.horizontal.apply(placement.box.left, placement.box.width, placement.size.width, placement.flip);
      extent = placement.size;
    };
    for_each_index<First, middle>(place);
    scratch.vertical.shrink(shrink);
    scratch.horizontal.shrink(shrink);
    check_needed(source.region, scratch);

    detail::Planes<C> image{out.data(), extent};
    if constexpr (last < size) {
      image.data = detail::Lines::at_least(scratch.planes[Run % 2], static_cast<std::int64_t>(C) * image.count());
    }
    detail::resample<C>(source, scratch.vertical, scratch.horizontal, scale, scratch.lines, image);
    colour<middle, last, C>(image, params, scratch);

    if constexpr (last < size) {
      const detail::Source<float> next{
          image.data, {.height = extent.height, .width = extent.width}, extent.width, 1, image.count()};
      run<last, Run + 1, C>(next, 1, extent, 1.0F, params, scratch, out);
    }
  }

  /// One step of a pass: operation, step within it, and the mean that it needs.
  struct Step {
    std::size_t operation = 0;
    int step = 0;
    float mean = 0.0F;
  };

  template <std::size_t I>
  [[nodiscard]] static constexpr std::size_t most_steps() {
    if constexpr (ColourOperation<Op<I>>) {
      return static_cast<std::size_t>(Op<I>::max_steps);
    } else {
      return 1;
    }
  }

  struct NoStatistics {};

  template <std::size_t I>
  [[nodiscard]] static auto no_statistics() {
    if constexpr (AdaptiveOperation<Op<I>>) {
      return typename Op<I>::Statistics{};
    } else {
      return NoStatistics{};
    }
  }

  /// The pixel operations [First, Last): collects steps into passes; a filter, a warp, or a look at the image ends a pass.
  template <std::size_t First, std::size_t Last, std::size_t C>
  void colour(const detail::Planes<C>& image, const Params& params, Scratch& scratch) const {
    constexpr std::size_t capacity = []<std::size_t... I>(std::index_sequence<I...>) {
      return (std::size_t{1} + ... + most_steps<First + I>());
    }
    (std::make_index_sequence<Last - First>{});
    std::array<Step, capacity> steps;
    std::size_t count = 0;
    auto statistics = []<std::size_t... I>(std::index_sequence<I...>) {
      return std::make_tuple(no_statistics<First + I>()...);
    }
    (std::make_index_sequence<Last - First>{});

    // Runs the steps collected so far as one pass; shows the image afterwards to the operation that asks for it, and
    // gives its mean luma if that is a colour operation.
    constexpr std::size_t nobody = size;
    const auto pass = [&](std::size_t asking) {
      double sum = 0.0;
      if (count > 0 || asking != nobody) {
        detail::for_each_block<C>(image, [&](const detail::Block<C>& block) {
          for (std::size_t s = 0; s < count; ++s) step<First, Last>(steps[s], params, statistics, block);
          for_each_index<First, Last>([&]<std::size_t I>() {
            if (asking != I) return;
            if constexpr (AdaptiveOperation<Op<I>>) {
              for (std::size_t c = 0; c < C; ++c) std::get<I - First>(statistics).add(c, block.values(c));
            } else if constexpr (ColourOperation<Op<I>>) {
              sum += block.luma_sum();
            }
          });
        });
      }
      count = 0;
      return static_cast<float>(sum / static_cast<double>(image.count()));
    };

    for_each_index<First, Last>([&]<std::size_t I>() {
      const Op<I>& operation = std::get<I>(operations_);
      const auto& own = std::get<I>(params);
      if constexpr (ColourOperation<Op<I>>) {
        for (int s = 0; s < operation.steps(own); ++s) {
          const float mean = operation.needs_mean(own, s) ? pass(I) : 0.0F;
          steps[count++] = {I, s, mean};
        }
      } else if (operation.active(own)) {
        if constexpr (FilterOperation<Op<I>>) {
          pass(nobody);
          const std::int64_t weights = 2 * operation.radius(image.extent) + 1;
          const std::span kernel(detail::Lines::at_least(scratch.lines.kernel, weights),
                                 static_cast<std::size_t>(weights));
          operation.kernel(own, kernel);
          if constexpr (BlendOperation<Op<I>>) {
            detail::convolve<C>(image, kernel, scratch.lines, [&operation, own](float value, float filtered) {
              return operation.blend(value, filtered, own);
            });
          } else {
            detail::convolve<C>(image, kernel, scratch.lines);
          }
        } else if constexpr (WarpOperation<Op<I>>) {
          pass(nobody);
          detail::warp<C>(image, operation.warp(own, image.extent), scratch.warp);
        } else {
          if constexpr (AdaptiveOperation<Op<I>>) {
            pass(I);
            std::get<I - First>(statistics).finish();
          }
          steps[count++] = {I, 0, 0.0F};
        }
      }
    });
    pass(nobody);
  }

  template <std::size_t First, std::size_t Last, std::size_t C, class Statistics>
  void step(const Step& which, const Params& params, const Statistics& statistics,
            const detail::Block<C>& block) const {
    for_each_index<First, Last>([&]<std::size_t I>() {
      if (which.operation != I) return;
      const Op<I>& operation = std::get<I>(operations_);
      const auto& own = std::get<I>(params);
      // The functions hold copies: the compiler then knows that no store to a pixel changes a parameter.
      if constexpr (ColourOperation<Op<I>>) {
        operation.step(own, which.step, which.mean, [&](auto function) { block.transform(function); });
      } else if constexpr (PointwiseOperation<Op<I>>) {
        block.transform([operation, own](auto pixel) { return operation.apply(pixel, own); });
      } else if constexpr (AdaptiveOperation<Op<I>>) {
        const auto& seen = std::get<I - First>(statistics);
        block.transform([operation, own, &seen](auto pixel) { return operation.apply(pixel, own, seen); });
      } else if constexpr (IndexedOperation<Op<I>>) {
        const auto function = [operation, own](auto pixel, std::int64_t index) {
          return operation.apply(pixel, own, index);
        };
        if constexpr (PatchOperation<Op<I>>) {
          block.transform_patch(operation.patch(own), function);
        } else {
          block.transform_indexed(function);
        }
      }
    });
  }

  /// f.operator()<I>() for I = First, ..., Last - 1.
  template <std::size_t First, std::size_t Last, class F>
  static void for_each_index(F&& f) {
    [&]<std::size_t... I>(std::index_sequence<I...>) { (f.template operator()<First + I>(), ...); }
    (std::make_index_sequence<Last - First>{});
  }

  std::tuple<Ops...> operations_;
};

/// Operations in order, as a maker of one view: compose(RandomResizedCrop{.size = 28}, RandomHorizontalFlip{}, ...).
///
/// Shapes     see Pipeline
/// Errors     ConfigError from an operation's check()
/// Models     none
/// Source     none
template <class... Ops>
[[nodiscard]] auto compose(Ops... operations) {  // auto: else the constraint of Pipeline would hide the message
  static_assert((Operation<Ops> && ...),
                "jessl::augment::compose requires each argument to be a jessl::augment::Operation: a geometric, "
                "pointwise, indexed, "
                "adaptive, colour, filter or warp operation; see docs/augment/README.md");
  return Pipeline<Ops...>(std::move(operations)...);
}

}  // namespace jessl::augment
