// SPDX-License-Identifier: Apache-2.0
// with_parameters: views that come with the parameters they were made with, as labels.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <jessl/augment/normalize.hpp>
#include <jessl/augment/pipeline.hpp>
#include <jessl/augment/views.hpp>
#include <jessl/core/draw.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/image.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/views.hpp>

namespace jessl::augment {

namespace detail {

/// Calls visit(name, index, value) for each number of a member: index -1 for one alone, its place for one of an array (of arrays).
template <class Member, class Visit>
void for_each_number(std::string_view name, const Member& member, const Visit& visit) {
  if constexpr (std::is_same_v<Member, Region>) {
    visit("top", -1, static_cast<float>(member.top));
    visit("left", -1, static_cast<float>(member.left));
    visit("height", -1, static_cast<float>(member.height));
    visit("width", -1, static_cast<float>(member.width));
  } else if constexpr (std::is_arithmetic_v<Member>) {
    visit(name, -1, static_cast<float>(member));
  } else {
    int index = 0;
    const auto visit_all = [&](const auto& again, const auto& values) -> void {
      for (const auto& value : values) {
        if constexpr (std::is_arithmetic_v<std::remove_cvref_t<decltype(value)>>) {
          visit(name, index++, static_cast<float>(value));
        } else {
          again(again, value);
        }
      }
    };
    visit_all(visit_all, member);
  }
}

/// Calls visit(name, index, value) for each column of an operation's parameters.
template <class Params, class Visit>
void for_each_column(const Params& params, const Visit& visit) {
  if constexpr (requires { params.columns(); }) {
    const auto columns = params.columns();
    for_each_option(columns, [&](std::string_view name, const auto& member) { for_each_number(name, member, visit); });
  } else if constexpr (Options<Params>) {
    for_each_option(params, [&](std::string_view name, const auto& member) { for_each_number(name, member, visit); });
  } else {
    static_assert(std::is_empty_v<Params>,
                  "jessl::augment::with_parameters requires each operation's Params to be adapted by "
                  "JESSL_OPTIONS, to have columns(), or to be empty; see docs/augment/with_parameters.md");
  }
}

/// RandomResizedCrop -> random_resized_crop.
[[nodiscard]] inline std::string snake_case(std::string_view name) {
  std::string text;
  for (const char letter : name) {
    const bool upper = letter >= 'A' && letter <= 'Z';
    if (upper && !text.empty()) text += '_';
    text += upper ? static_cast<char>(letter - 'A' + 'a') : letter;
  }
  return text;
}

/// The names of a pipeline's columns. The second operation of a name is called name_2, and so on.
template <class... Ops>
[[nodiscard]] std::vector<std::string> column_names(const Pipeline<Ops...>&) {
  std::vector<std::string> names;
  std::multiset<std::string_view> met;
  const auto add = [&]<class Op>(std::type_identity<Op>) {
    met.insert(Op::name);
    std::string prefix = snake_case(Op::name);
    if (const std::size_t count = met.count(Op::name); count > 1) prefix += "_" + std::to_string(count);
    for_each_column(typename Op::Params{}, [&](std::string_view name, int index, float) {
      names.push_back(prefix + "." + std::string(name) + (index < 0 ? "" : "." + std::to_string(index)));
    });
  };
  (add(std::type_identity<Ops>{}), ...);
  return names;
}

/// The numbers of those columns. As many as there is room for are written; returns how many there are.
template <class... Ops>
[[nodiscard]] std::size_t write_columns(const Pipeline<Ops...>& pipeline, const Extent& extent, const DrawKey& key,
                                        std::span<float> out) {
  std::size_t count = 0;
  const auto write = [&](std::string_view, int, float value) {
    if (count < out.size()) out[count] = value;
    ++count;
  };
  std::apply([&](const auto&... params) { (for_each_column(params, write), ...); }, pipeline.sample(key, extent));
  return count;
}

/// f(pipeline) with that of one view.
template <class... Ops, class F>
void with_pipeline(const Pipeline<Ops...>& pipeline, std::int64_t view, const F& f) {
  JESSL_CHECK(view == 0, ConfigError, "jessl::augment::Pipeline: view ", view, " was asked for, but there is one (0)");
  f(pipeline);
}
template <class... Pipelines, class F>
void with_pipeline(const Views<Pipelines...>& views, std::int64_t view, const F& f) {
  views.with(view, f);
}

}  // namespace detail

/// A maker's views, and for each the parameters that its operations drew. Made by with_parameters().
///
/// Shapes     views: as the maker says; parameters of view v: [P], P = parameters(v).size()
/// Precision  parameters are float32: whole numbers below 2^24 are exact, others rounded to the nearest
/// Cost       the draws of a view once more; no pixel is touched
/// Randomness that of the maker; asking changes none of it
/// Errors     ShapeError from describe() for an output of another size; ConfigError for a view that there is not; those
///            of the maker
/// Models     jessl::DescribingViewMaker (docs/augment/with_parameters.md)
/// Source     none
template <class Maker>
class WithParameters {
 public:
  using Scratch = typename Maker::Scratch;
  static constexpr std::int64_t views = Maker::views;

  explicit WithParameters(Maker maker) : maker_(std::move(maker)) {}

  [[nodiscard]] const Maker& maker() const { return maker_; }

  [[nodiscard]] ViewShape shape(std::int64_t view, std::int64_t channels) const { return maker_.shape(view, channels); }
  [[nodiscard]] Region region(const Extent& extent, const DrawKey& key) const { return maker_.region(extent, key); }
  [[nodiscard]] std::int64_t shrink(const Extent& extent, const DrawKey& key) const requires ShrinkingViewMaker<Maker> {
    return maker_.shrink(extent, key);
  }
  void make(const RegionView& part, const DrawKey& key, Scratch& scratch, std::span<float> out) const {
    maker_.make(part, key, scratch, out);
  }

  /// The names of the columns of one view, as "random_resized_crop.top", in the order of the operations.
  [[nodiscard]] std::vector<std::string> parameters(std::int64_t view) const {
    std::vector<std::string> names;
    detail::with_pipeline(maker_, view, [&](const auto& pipeline) { names = detail::column_names(pipeline); });
    return names;
  }

  /// Writes what make() does for that key to an image of that extent.
  void describe(const Extent& extent, const DrawKey& key, std::span<float> out) const {
    const auto write = [&](const auto& pipeline) {
      const std::size_t count = detail::write_columns(pipeline, extent, key, out);
      JESSL_CHECK(count == out.size(), ShapeError, "jessl::augment::WithParameters: out has ", out.size(),
                  " values, expected ", count, ", one for each of parameters(", int{key.view}, ")");
    };
    detail::with_pipeline(maker_, Maker::views == 1 ? 0 : key.view, write);
  }

  /// That of the maker: asking for parameters changes no view.
  [[nodiscard]] Json to_json() const { return maker_.to_json(); }

 private:
  Maker maker_;
};

/// The same views, with the parameters that made them as labels: data::Loader puts them beside the pixels.
///
/// Shapes     see WithParameters
/// Errors     none
/// Models     gives a jessl::DescribingViewMaker
/// Source     none
template <class Maker>
[[nodiscard]] WithParameters<Maker> with_parameters(Maker maker) {
  static_assert(
      requires { detail::with_pipeline(maker, 0, [](const auto&) {}); },
      "jessl::augment::with_parameters requires a pipeline or views of pipelines: compose(), views(), multi_crop() or "
      "a "
      "preset; a view maker of another kind offers parameters() and describe() itself; see "
      "docs/augment/with_parameters.md");
  return WithParameters<Maker>(std::move(maker));
}

/// The Normalize of the first view.
///
/// Errors     none
/// Models     none
/// Source     none
template <class Maker>
[[nodiscard]] Normalize normalization(const WithParameters<Maker>& views) {
  return normalization(views.maker());
}

}  // namespace jessl::augment
