// SPDX-License-Identifier: Apache-2.0
// What a published method is: the policies that it was published with, and how long and in which batches it trains.
#pragma once

#include <concepts>
#include <string_view>
#include <utility>

#include <jessl/backbone/concept.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/views.hpp>
#include <jessl/loss/concept.hpp>
#include <jessl/optim/concept.hpp>
#include <jessl/projector/concept.hpp>
#include <jessl/train/options.hpp>
#include <jessl/train/trainer.hpp>

namespace jessl {

/// A published method: everything of a run but the data and the backbone, as settings that can be read, printed and changed.
///
/// `M::name`         as the paper calls it
/// `.augmentation`   settings of the views; `.views()` makes the view maker from them
/// `.projector`, `.loss`, `.optimizer`   policies
/// `.fit`            epochs, batch size, warm-up
///
/// Errors     none
/// Source     none
template <class M>
concept Method = Options<M> && requires(const M& method) {
  { M::name } -> std::convertible_to<std::string_view>;
  { method.augmentation } -> Recorded;
  { method.views() } -> ViewMaker;
  { method.projector } -> Projector;
  { method.optimizer } -> Optimizer;
  { method.fit } -> std::convertible_to<FitOptions>;
  requires Loss<decltype(M::loss)> || SupervisedLoss<decltype(M::loss)>;
};

/// Says at compile time what `M` lacks to be a jessl::Method.
template <class M>
constexpr void require_method() {
  static_assert(Method<M>,
                "jessl::method::make_trainer requires 'Method' to be a jessl::Method: a name, adapted settings "
                "'augmentation', 'projector', 'loss', 'optimizer' and 'fit', and views(); see docs/method/README.md");
}

namespace method {

/// A trainer of the method's policies and a backbone, on other views than the method's own, whose `augmentation` is not read.
///
///     jessl::method::SwAV swav;
///     auto trainer = jessl::method::make_trainer(swav, jessl::backbone::resnet18(), jessl::augment::swav<0>(swav.augmentation));
///     trainer.fit(train, swav.fit);
///
/// Errors     as Trainer's constructor
template <class M, class B, class A>
[[nodiscard]] auto make_trainer(const M& method, B backbone, A views) {
  require_method<M>();
  if constexpr (Method<M>)  // so that the members that it lacks are not missed one by one
    return Trainer{std::move(views), std::move(backbone), method.projector, method.loss, method.optimizer};
}

/// A trainer of the method's policies and a backbone.
///
///     jessl::method::SimCLR simclr;
///     simclr.fit.epochs = 200;
///     auto trainer = jessl::method::make_trainer(simclr, jessl::backbone::resnet18());
///     trainer.fit(train, simclr.fit);
///
/// Errors     as Trainer's constructor; those of the augmentation's settings
template <class M, class B>
[[nodiscard]] auto make_trainer(const M& method, B backbone) {
  require_method<M>();
  if constexpr (Method<M>) return make_trainer(method, std::move(backbone), method.views());
}

}  // namespace method

}  // namespace jessl
