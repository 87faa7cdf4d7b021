// SPDX-License-Identifier: Apache-2.0
// views: several pipelines, one for each view of an image.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <tuple>
#include <utility>

#include <jessl/augment/pipeline.hpp>
#include <jessl/core/image.hpp>
#include <jessl/core/views.hpp>

namespace jessl::augment {

/// One pipeline for each view. Views draw from streams of their own, so that equal pipelines give independent views.
///
/// Shapes     view v: as pipeline v says
/// Randomness the stream of key.view
/// Errors     ConfigError for a view that there is not; see Pipeline
/// Models     jessl::ViewMaker (docs/augment/README.md)
/// Source     none
template <class... Pipelines>
class Views {
 public:
  using Scratch = augment::Scratch;
  static constexpr std::int64_t views = static_cast<std::int64_t>(sizeof...(Pipelines));

  explicit Views(Pipelines... pipelines) : pipelines_(std::move(pipelines)...) {}

  /// The pipeline of one view.
  template <std::size_t View>
  [[nodiscard]] const auto& pipeline() const {
    return std::get<View>(pipelines_);
  }

  [[nodiscard]] ViewShape shape(std::int64_t view, std::int64_t channels) const {
    ViewShape result;
    with(view, [&](const auto& pipeline) { result = pipeline.shape(0, channels); });
    return result;
  }

  [[nodiscard]] Region region(const Extent& extent, const DrawKey& key) const {
    Region result;
    with(key.view, [&](const auto& pipeline) { result = pipeline.region(extent, key); });
    return result;
  }

  [[nodiscard]] std::int64_t shrink(const Extent& extent, const DrawKey& key) const
      requires(ShrinkingViewMaker<Pipelines>&&...) {
    std::int64_t result = 1;
    with(key.view, [&](const auto& pipeline) { result = pipeline.shrink(extent, key); });
    return result;
  }

  void make(const RegionView& part, const DrawKey& key, Scratch& scratch, std::span<float> out) const {
    with(key.view, [&](const auto& pipeline) { pipeline.make(part, key, scratch, out); });
  }

  /// Calls f(pipeline) with the pipeline of that view.
  template <class F>
  void with(std::int64_t view, const F& f) const {
    JESSL_CHECK(view >= 0 && view < views, ConfigError, "jessl::augment::Views: view ", view,
                " was asked for, but there are ", views, " (0 to ", views - 1, ")");
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      ((static_cast<std::int64_t>(I) == view ? f(std::get<I>(pipelines_)) : void()), ...);
    }
    (std::index_sequence_for<Pipelines...>{});
  }

  /// {"name": "views", "views": [...]}, a pipeline each.
  [[nodiscard]] Json to_json() const {
    Json list = Json::array();
    std::apply([&](const auto&... pipeline) { (list.push_back(pipeline.to_json()), ...); }, pipelines_);
    Json object = Json::object();
    object["name"] = "views";
    object["views"] = std::move(list);
    return object;
  }

 private:
  static_assert(views >= 1, "jessl::augment::views needs at least one pipeline; see docs/augment/README.md");
  static_assert(views <= 255, "jessl::augment::views takes at most 255 pipelines: DrawKey::view is 8 bits wide");

  std::tuple<Pipelines...> pipelines_;
};

/// A maker of as many views as there are pipelines.
///
/// Shapes     see Views
/// Errors     none
/// Models     none
/// Source     none
template <ViewMaker... Pipelines>  // not class: else a call of somebody's own views(x, ...) would find this one
[[nodiscard]] Views<Pipelines...> views(Pipelines... pipelines) {
  return Views<Pipelines...>(std::move(pipelines)...);
}

/// Two independent views from one pipeline.
///
/// Shapes     see Views
/// Errors     none
/// Models     none
/// Source     none
template <class P>
[[nodiscard]] Views<P, P> two_views(P pipeline) {
  return Views<P, P>(pipeline, pipeline);
}

/// Two views, each from its own pipeline, as BYOL's.
///
/// Shapes     see Views
/// Errors     none
/// Models     none
/// Source     none
template <class P, class Q>
[[nodiscard]] Views<P, Q> two_views(P first, Q second) {
  return Views<P, Q>(std::move(first), std::move(second));
}

namespace detail {

/// A pipeline, once for each index; to write a list of equal types down.
template <class P, std::size_t>
using Repeated = P;

template <class P, std::size_t>
[[nodiscard]] const P& repeat(const P& pipeline) {
  return pipeline;
}

/// The given global views and as many local ones as there are indices.
template <class... Globals, class Local, std::size_t... G, std::size_t... L>
[[nodiscard]] auto join(const Views<Globals...>& globals, const Local& local, std::index_sequence<G...>,
                        std::index_sequence<L...>) {
  return Views<Globals..., Repeated<Local, L>...>(globals.template pipeline<G>()..., repeat<Local, L>(local)...);
}

template <class Global, std::size_t... G>
[[nodiscard]] auto copies(const Global& global, std::index_sequence<G...>) {
  return Views<Repeated<Global, G>...>(repeat<Global, G>(global)...);
}

}  // namespace detail

/// The views of multi-crop: those of `globals`, which may differ, and after them `Locals` by one pipeline, in general of
/// a smaller size and of small parts of the image. multi_crop<6>(two_views(first, second), local) has eight.
///
/// Shapes     view v: as its pipeline says
/// Errors     none
/// Models     none
/// Source     Caron et al., SwAV, NeurIPS 2020, arXiv 2006.09882, section 3.3
template <std::size_t Locals, class... Globals, ViewMaker Local>
[[nodiscard]] auto multi_crop(const Views<Globals...>& globals, const Local& local) {
  return detail::join(globals, local, std::index_sequence_for<Globals...>{}, std::make_index_sequence<Locals>{});
}

/// The views of multi-crop, `Globals` by one pipeline and after them `Locals` by another: multi_crop<2, 6>(global,
/// local) has eight.
///
/// Shapes     view v: as its pipeline says
/// Errors     none
/// Models     none
/// Source     Caron et al., SwAV, NeurIPS 2020, arXiv 2006.09882, section 3.3
template <std::size_t Globals, std::size_t Locals, ViewMaker Global, ViewMaker Local>
[[nodiscard]] auto multi_crop(const Global& global, const Local& local) {
  return multi_crop<Locals>(detail::copies(global, std::make_index_sequence<Globals>{}), local);
}

}  // namespace jessl::augment
